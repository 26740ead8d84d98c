//! Settles messages of apps. What waits is taken together: one exchange with the server locks the persons and loads what is known, then the
//! steps run, and one more writes and commits everything.
//!
//! A person's messages are settled one after the other, in one process by the queue, in several by a lock. Nobody waits for that lock while
//! holding another one, so no two processes can wait for each other; who does not get it is put back into the queue.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{try_join, try_join4};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_postgres::Error;

use super::pool::{Connection, PATIENCE, Pool, Transaction, database_error};
use super::values::{values, without_nul};
use super::worker::Task;
use super::writes::{Settled, Source, Writes};
use super::{Sessions, bytes, lock_key, timestamp};
use crate::failpoint::failpoint;
use crate::store::hashes::{Hash, TimedHash};
use crate::store::{AppealChange, ConversationKey, MessageKey, Remembered, Settlement, Step, StepFunction, StoreError};

/// How many messages share one transaction at most.
const LARGEST_BATCH: usize = 64;

/// How many messages may wait. More would only wait longer than WeCom does.
const LONGEST_QUEUE: usize = 4096;

/// So many batches are under way at a time: while one is written, the next one is loaded.
const BATCHES_AT_A_TIME: usize = 2;

/// A person whom another process is serving is looked at again so soon.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What failed before anything was done is tried again so soon.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Whoever waits for a message.
type Tell = oneshot::Sender<Result<Settlement, StoreError>>;

/// A message to settle, with everything hashed.
pub(super) struct Settling {
    pub(super) message: TimedHash,
    pub(super) person: Hash,
    pub(super) conversation: ConversationKey,
    pub(super) key: MessageKey,
    pub(super) now: i64,
    pub(super) step: StepFunction,
    pub(super) tell: Tell,
    /// When whoever waits is told that it could not be done.
    pub(super) deadline: Instant,
    /// Not to be tried earlier.
    pub(super) not_before: Instant,
}

/// What waits to be settled.
#[derive(Default)]
pub(super) struct Queue {
    waiting: RefCell<VecDeque<Settling>>,
    /// Whose messages are being settled.
    busy: RefCell<HashSet<Hash>>,
    batches: Cell<usize>,
}

/// What is known of the persons and messages of a batch.
#[derive(Default)]
struct Known {
    locked: HashSet<i64>,
    earlier: HashMap<Vec<u8>, (Option<String>, i64)>,
    persons: HashMap<Hash, Person>,
}

/// A person's state: as it was loaded, then as the last step left it.
#[derive(Default)]
struct Person {
    session: Option<(String, i64)>,
    appeal: Option<String>,
}

/// Those that are told when everything is committed.
#[derive(Default)]
struct Outcome {
    settled: Vec<(Tell, Result<Settlement, StoreError>)>,
    /// Deliveries of messages that were settled before.
    repeated: Vec<(TimedHash, Tell, Settlement)>,
    writes: Writes,
}

/// Has a message settled, with whatever else waits by then.
pub(super) fn settle(queue: &Rc<Queue>, pool: &Rc<Pool>, sessions: Sessions, settling: Settling) -> Task {
    if queue.waiting.borrow().len() >= LONGEST_QUEUE {
        let _ = settling.tell.send(Err(StoreError::Overloaded));
        return Box::pin(async {});
    }
    queue.waiting.borrow_mut().push_back(settling);
    let (queue, pool) = (Rc::clone(queue), Rc::clone(pool));
    Box::pin(async move { queue.work(&pool, sessions).await })
}

/// Counts a batch for as long as it is under way.
struct UnderWay<'a>(&'a Cell<usize>);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a Cell<usize>) -> Option<Self> {
        (count.get() < BATCHES_AT_A_TIME).then(|| {
            count.set(count.get() + 1);
            Self(count)
        })
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Queue {
    /// Settles what waits until nothing does, unless enough others are at it.
    async fn work(&self, pool: &Pool, sessions: Sessions) {
        let Some(_under_way) = UnderWay::begin(&self.batches) else {
            return;
        };
        loop {
            let batch = self.take_batch();
            if batch.is_empty() {
                match self.next_look() {
                    Some(at) => sleep_until(at).await,
                    None => return,
                }
                continue;
            }
            let persons: Vec<Hash> = batch.iter().map(|settling| settling.person).collect();
            let put_back = settle_batch(pool, sessions, batch).await;
            self.busy.borrow_mut().retain(|person| !persons.contains(person));
            self.wait_again(put_back);
        }
    }

    /// The next messages, several of one person among them, but none whose person is busy, and none twice.
    fn take_batch(&self) -> Vec<Settling> {
        let (mut waiting, mut busy) = (self.waiting.borrow_mut(), self.busy.borrow_mut());
        let (now, mut skipped) = (Instant::now(), VecDeque::new());
        let mut batch: Vec<Settling> = Vec::new();
        let mut messages = HashSet::new();
        // Whoever is passed over once is passed over with everything that follows, so that the order stays.
        let mut passed_over = HashSet::new();
        while let Some(settling) = waiting.pop_front() {
            let person = settling.person;
            let waits = settling.not_before > now || busy.contains(&person) || passed_over.contains(&person);
            if waits || !messages.insert(settling.message) {
                passed_over.insert(person);
                skipped.push_back(settling);
            } else {
                batch.push(settling);
            }
            if batch.len() >= LARGEST_BATCH {
                break;
            }
        }
        skipped.append(&mut waiting);
        *waiting = skipped;
        busy.extend(batch.iter().map(|settling| settling.person));
        batch
    }

    /// When there may be something to take although there is nothing now: the first message of somebody. What waits for a batch under way is
    /// taken by whoever settles that.
    fn next_look(&self) -> Option<Instant> {
        let (waiting, mut passed) = (self.waiting.borrow(), self.busy.borrow().clone());
        let first = waiting.iter().filter(|settling| passed.insert(settling.person));
        first.map(|settling| settling.not_before).min()
    }

    /// What could not be settled now waits again, in front; for whom it has become too late is told why.
    fn wait_again(&self, put_back: PutBack) {
        let now = Instant::now();
        for mut settling in put_back.settlings.into_iter().rev() {
            if settling.deadline <= now {
                // Whoever no longer waits has closed the connection; WeCom will deliver again.
                let _ = settling.tell.send(Err(put_back.reason.clone()));
                continue;
            }
            settling.not_before = now + put_back.pause;
            self.waiting.borrow_mut().push_front(settling);
        }
    }
}

/// What is to be tried again after a pause, and why it could not be settled.
struct PutBack {
    settlings: Vec<Settling>,
    pause: Duration,
    reason: StoreError,
}

impl PutBack {
    /// Nothing has been done with them yet; the next connection may be a better one.
    fn untouched(settlings: Vec<Settling>, reason: StoreError) -> Self {
        Self {
            settlings,
            pause: TRY_AGAIN,
            reason,
        }
    }

    /// Another process is serving these persons.
    fn busy(settlings: Vec<Settling>) -> Self {
        let reason = "the person's last message is still being answered by another process";
        Self {
            settlings,
            pause: LOOK_AGAIN,
            reason: StoreError::Database(reason.to_owned()),
        }
    }
}

/// Settles a batch, except what is to be tried again.
async fn settle_batch(pool: &Pool, sessions: Sessions, batch: Vec<Settling>) -> PutBack {
    let deadline = batch.iter().map(|settling| settling.deadline).min();
    let connection = match pool.connection(deadline.unwrap_or_else(Instant::now)).await {
        Ok(connection) => connection,
        Err(error) => return PutBack::untouched(batch, error),
    };
    match timeout_at(Instant::now() + PATIENCE, begin(&connection, &batch)).await {
        Ok(Ok(known)) => {
            let (outcome, busy) = run_steps(batch, known, sessions);
            finish(connection, outcome).await;
            PutBack::busy(busy)
        }
        Ok(Err(error)) => {
            connection.roll_back().await;
            PutBack::untouched(batch, database_error(&error))
        }
        Err(_) => PutBack::untouched(batch, StoreError::Database("PostgreSQL does not answer".to_owned())),
    }
}

/// Begins a transaction, locks the persons and loads what is known, all in one exchange.
async fn begin(connection: &Connection<'_>, batch: &[Settling]) -> Result<Known, Error> {
    let loading = load(connection.transaction(), batch);
    let ((), known) = try_join(connection.begin(), loading).await?;
    Ok(known)
}

async fn load(transaction: Transaction<'_>, batch: &[Settling]) -> Result<Known, Error> {
    let messages = || {
        batch
            .iter()
            .map(|settling| settling.message.as_slice())
            .collect::<Vec<_>>()
    };
    let persons = || {
        batch
            .iter()
            .map(|settling| settling.person.as_slice())
            .collect::<Vec<_>>()
    };
    let mut keys: Vec<i64> = batch.iter().map(|settling| lock_key(&settling.person)).collect();
    keys.sort_unstable();
    keys.dedup();
    let (locked, earlier, sessions, appeals) = try_join4(
        transaction.rows(
            "SELECT key FROM unnest($1::bigint[]) AS key WHERE pg_try_advisory_xact_lock(key)",
            values![keys],
        ),
        transaction.rows(
            "SELECT message, reply, settled_at FROM messages WHERE message = ANY($1)",
            values![messages()],
        ),
        transaction.rows(
            "SELECT conversation, state, expires_at FROM sessions WHERE conversation = ANY($1)",
            values![persons()],
        ),
        transaction.rows(
            "SELECT person, record FROM appeals WHERE person = ANY($1) AND closed_at IS NULL",
            values![persons()],
        ),
    )
    .await?;
    let mut known = Known::default();
    for row in locked {
        known.locked.insert(row.try_get(0)?);
    }
    for row in earlier {
        known
            .earlier
            .insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
    }
    for row in sessions {
        let person = known.persons.entry(bytes(row.try_get(0)?)).or_default();
        person.session = Some((row.try_get(1)?, row.try_get(2)?));
    }
    for row in appeals {
        let person = known.persons.entry(bytes(row.try_get(0)?)).or_default();
        person.appeal = Some(row.try_get(1)?);
    }
    Ok(known)
}

/// Runs the steps one after the other, each on what the one before left; and whose persons are not ours.
fn run_steps(batch: Vec<Settling>, mut known: Known, sessions: Sessions) -> (Outcome, Vec<Settling>) {
    let (mut outcome, mut busy) = (Outcome::default(), Vec::new());
    for settling in batch {
        if !known.locked.contains(&lock_key(&settling.person)) {
            busy.push(settling);
            continue;
        }
        if let Some((reply, settled_at)) = known.earlier.remove(settling.message.as_slice()) {
            let settlement = Settlement {
                reply,
                settled_at: timestamp(settled_at),
                repeated: true,
                has_sends: false,
            };
            outcome.repeated.push((settling.message, settling.tell, settlement));
            continue;
        }
        let person = known.persons.entry(settling.person).or_default();
        let (who, tell) = (
            Who {
                message: settling.message,
                person: settling.person,
                conversation: settling.conversation,
                source: Source {
                    corp_id: settling.key.corp_id,
                    app: settling.key.app,
                },
                now: settling.now,
            },
            settling.tell,
        );
        let (remembered, step) = (person.remembered(settling.now), settling.step);
        let stepped = catch_unwind(AssertUnwindSafe(|| step(remembered)));
        let settled = match stepped {
            Ok(step) => Ok(who.keep(step, person, sessions, &mut outcome.writes)),
            Err(_) => Err(StoreError::Panicked),
        };
        outcome.settled.push((tell, settled));
        failpoint!("after_step");
    }
    (outcome, busy)
}

/// Whose message it is.
struct Who {
    message: TimedHash,
    person: Hash,
    conversation: ConversationKey,
    source: Source,
    now: i64,
}

impl Who {
    /// Takes down what a step leads to.
    fn keep(self, step: Step, person: &mut Person, sessions: Sessions, writes: &mut Writes) -> Settlement {
        // A repeated delivery gets what is stored, so the first one does.
        let reply = step.reply.map(|reply| without_nul(&reply).into_owned());
        writes.message(Settled {
            message: self.message,
            reply: reply.clone(),
            knowledge_version: step.knowledge_version,
            now: self.now,
        });
        person.session = step.session.map(|state| (state, sessions.end(self.now)));
        writes.session(self.person, person.session.clone());
        if let Some(question) = &step.question {
            writes.question(&self.message, self.person, &self.source, question);
        }
        match &step.appeal {
            AppealChange::Unchanged => {}
            AppealChange::Forgotten | AppealChange::Closed { .. } => person.appeal = None,
            AppealChange::Opened(opened) => person.appeal = Some(opened.record.clone()),
        }
        writes.appeal(self.person, &self.conversation, self.now, step.appeal);
        if let Some(rating) = step.rating {
            writes.rating(&self.message, &self.source, self.now, rating);
        }
        // Whoever asked for a reply that is sent instead waits for it no longer; the next delivery may get it.
        let stands_in = step.sends.iter().any(|send| send.replaces_reply);
        let has_sends = !step.sends.is_empty();
        for send in step.sends {
            writes.send(self.person, send, Some(self.message), self.now);
        }
        if let Some(aside) = step.set_aside {
            writes.aside(self.message, self.person, &self.source, self.now, aside);
        }
        Settlement {
            reply: reply.filter(|_| !stands_in),
            settled_at: timestamp(self.now),
            repeated: false,
            has_sends,
        }
    }
}

impl Person {
    fn remembered(&self, now: i64) -> Remembered {
        let session = self.session.as_ref().filter(|(_, expires_at)| *expires_at > now);
        Remembered {
            session: session.map(|(state, _)| state.clone()),
            appeal: self.appeal.clone(),
        }
    }
}

/// Writes and commits in one exchange, then tells everybody.
async fn finish(connection: Connection<'_>, outcome: Outcome) {
    let Outcome {
        settled,
        repeated,
        writes,
    } = outcome;
    failpoint!("before_commit");
    let written = {
        let transaction = connection.transaction();
        let replied = reply_instead(transaction, &repeated);
        let writing = async { try_join(try_join(writes.run(transaction), replied), connection.commit()).await };
        match timeout_at(Instant::now() + PATIENCE, writing).await {
            Ok(Ok((((), replied), ()))) => Ok(replied),
            Ok(Err(error)) => Err(database_error(&error)),
            Err(_) => Err(StoreError::Database("PostgreSQL does not answer".to_owned())),
        }
    };
    match written {
        Ok(sent_instead) => {
            failpoint!("after_commit");
            connection.give_back();
            for (tell, settlement) in settled {
                let _ = tell.send(settlement);
            }
            for (message, tell, mut settlement) in repeated {
                settlement.reply = settlement.reply.filter(|_| !sent_instead.contains(message.as_slice()));
                let _ = tell.send(Ok(settlement));
            }
        }
        // If the connection was lost, nobody knows whether it was committed. WeCom delivers again, and gets what is stored.
        Err(error) => {
            connection.roll_back().await;
            settled
                .into_iter()
                .for_each(|(tell, _)| drop(tell.send(Err(error.clone()))));
            repeated
                .into_iter()
                .for_each(|(_, tell, _)| drop(tell.send(Err(error.clone()))));
        }
    }
}

/// Of repeated deliveries, those whose reply may not go out passively, because the message that stands in for it is under way or sent. Where
/// it is not, that message is dropped.
async fn reply_instead<T>(
    transaction: Transaction<'_>,
    repeated: &[(TimedHash, T, Settlement)],
) -> Result<HashSet<Vec<u8>>, Error> {
    if repeated.is_empty() {
        return Ok(HashSet::new());
    }
    let messages = || {
        repeated
            .iter()
            .map(|(message, ..)| message.as_slice())
            .collect::<Vec<_>>()
    };
    let (_, rows) = try_join(
        transaction.execute(
            "UPDATE outbox SET fate = 'replied', settled_at = next_at, body = NULL, instead_body = NULL
             WHERE replaces = ANY($1) AND fate IS NULL AND attempts = 0",
            values![messages()],
        ),
        transaction.rows(
            "SELECT replaces FROM outbox WHERE replaces = ANY($1) AND fate IS DISTINCT FROM 'replied'",
            values![messages()],
        ),
    )
    .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
