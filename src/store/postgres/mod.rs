//! The store in a PostgreSQL, for any number of processes on any number of machines.
//!
//! [`worker`] has the one thread that speaks with the server; everything else here runs on it, over a few connections ([`pool`]).
//!
//! - What belongs to a person changes only while the person's lock is held, which is of the transaction and not of the connection.
//! - Whatever a process holds (a conversation to answer, a message to send, an account to fetch) bears its name. A process that is silent
//!   too long, by the database's clock, holds nothing any more, and what it still says about it counts for nothing.
//! - Statements are sent with the types of their values and leave nothing prepared behind, and settings are those of the transaction, so
//!   that a pooler may stand in between.
//! - Nothing is done a second time because the connection was lost while it was committed.

mod answering;
mod appeals;
mod callbacks;
mod connecting;
mod console;
mod copying;
mod dead_letters;
mod figures;
mod inbox;
mod instances;
mod opening;
mod outbox;
mod outbreaks;
mod people;
mod pool;
mod purging;
mod reading;
mod settings;
mod settling;
mod shared;
mod tokens;
mod values;
mod worker;
mod workshop;
mod writes;

#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::Error;

use self::connecting::Connector;
use self::pool::{Failure, PATIENCE, Transaction};
use self::settling::Settling;
use self::shared::Shared;
use self::values::values;
use self::worker::Worker;
use super::hashes::{Hash, Hashes};
use super::instances::SILENCE;
use super::{
    AnswerFunction, AnsweredBatch, Beat, BoxFuture, ClaimedSend, ConversationKey, DeadLetter, DeadLetterId,
    DueReminder, Figures, Instance, InstanceReport, KeptPage, KfAccountKey, KfPage, KfProgress, MessageKey, NewSend,
    PostgresAddress, QuestionRecord, RatingCount, Retention, SeenCallbacks, SendClaim, SendResult, Settlement,
    StepFunction, Store, StoreError, TakenOver, TrackedAppeal,
};
use crate::wecom::{StoredToken, TokenStore};

pub(super) use copying::PostgresCopy;
pub use opening::OpenError;

/// What is put back to be sent may be sent for so long at least.
const REQUEUED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A command makes few requests.
const CONNECTIONS_OF_A_COMMAND: usize = 1;

/// The database's clock, in Unix milliseconds: the clocks of the machines that share it may differ.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// When conversations start anew.
#[derive(Clone, Copy)]
struct Sessions {
    ttl: i64,
}

impl Sessions {
    /// When a conversation that goes on at `now` has rested too long.
    fn end(self, now: i64) -> i64 {
        now.saturating_add(self.ttl)
    }
}

/// How a server uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostgresSettings {
    /// So many connections at most.
    pub connections: usize,
    /// A conversation that rests for so long starts anew.
    pub session_ttl: SignedDuration,
}

/// A PostgreSQL, the thread that speaks with it, and the key for hashes.
pub struct PostgresStore {
    worker: Worker,
    /// What an admin looks at takes one connection at a time; the others are for messages.
    reading: Semaphore,
    hashes: Hashes,
}

impl PostgresStore {
    /// Opens the database for a server, beside others; its schema is made or brought up to date.
    ///
    /// # Errors
    ///
    /// What keeps the database from being used.
    pub fn open(address: &PostgresAddress, settings: PostgresSettings) -> Result<Self, OpenError> {
        Self::open_with_silence(address, settings, SILENCE.unsigned_abs())
    }

    fn open_with_silence(
        address: &PostgresAddress,
        settings: PostgresSettings,
        silence: Duration,
    ) -> Result<Self, OpenError> {
        let (connector, name) = (Connector::new(address)?, address.to_string());
        let instance = new_instance()?;
        let ttl = i64::try_from(settings.session_ttl.as_millis()).unwrap_or(i64::MAX);
        Self::start(async move || {
            let pool = opening::reach(connector, settings.connections, &name).await?;
            opening::migrate(&pool, &opening::MIGRATIONS, &name).await?;
            let key = opening::hash_key(&pool, &name).await?;
            let joining = pool.transaction(async |transaction| instances::join(transaction, &instance).await);
            joining.await.map_err(|failure| opening::unusable(&name, failure))?;
            Ok((Shared::new(pool, Sessions { ttl }, instance, true, silence), key))
        })
    }

    /// Opens an existing database beside the servers that use it, for a command. Its schema is left as the servers have it.
    ///
    /// # Errors
    ///
    /// What keeps the database from being used.
    pub fn open_beside(address: &PostgresAddress) -> Result<Self, OpenError> {
        let (connector, name) = (Connector::new(address)?, address.to_string());
        let instance = new_instance()?;
        Self::start(async move || {
            let pool = opening::reach(connector, CONNECTIONS_OF_A_COMMAND, &name).await?;
            opening::check_schema(&pool, &name).await?;
            let key = opening::hash_key(&pool, &name).await?;
            let (sessions, silence) = (Sessions { ttl: 0 }, SILENCE.unsigned_abs());
            Ok((Shared::new(pool, sessions, instance, false, silence), key))
        })
    }

    fn start(
        prepare: impl AsyncFnOnce() -> Result<(Shared, [u8; 32]), OpenError> + Send + 'static,
    ) -> Result<Self, OpenError> {
        let (worker, key) = Worker::start(prepare)?;
        Ok(Self {
            worker,
            reading: Semaphore::new(1),
            hashes: Hashes::with_key(key),
        })
    }

    /// Has work done in one transaction and waits until it is durable.
    fn submit<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        self.submit_shared(async move |shared| Ok(shared.pool.transaction(work).await?))
    }

    /// Reads in one transaction, while nobody else does.
    fn read<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        Box::pin(async move {
            let _alone = self.reading.acquire().await.map_err(|_| StoreError::Closed)?;
            self.submit(work).await
        })
    }

    /// Has work done that needs more than a transaction.
    fn submit_shared<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        self.worker.submit(move |shared, tell| {
            Box::pin(async move {
                // Whoever no longer waits has closed the connection.
                let _ = tell.send(work(&shared).await);
            })
        })
    }
}

fn new_instance() -> Result<Arc<str>, OpenError> {
    let random = getrandom::u64().map_err(OpenError::Random)?;
    Ok(format!("{random:016x}").into())
}

impl Store for PostgresStore {
    fn settle(
        &self,
        key: MessageKey,
        conversation: ConversationKey,
        now: Timestamp,
        step: StepFunction,
    ) -> BoxFuture<'_, Result<Settlement, StoreError>> {
        let (message, person) = (self.hashes.message(&key), self.hashes.person(&conversation));
        self.worker.submit(move |shared, tell| {
            let settling = Settling {
                message,
                person,
                conversation,
                key,
                now: now.as_millisecond(),
                step,
                tell,
                deadline: Instant::now() + PATIENCE,
                not_before: Instant::now(),
            };
            settling::settle(&shared.queue, &shared.pool, shared.sessions, settling)
        })
    }

    fn want_kf_messages(
        &self,
        account: KfAccountKey,
        token: Option<String>,
        called_at: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        let called_at = called_at.as_millisecond();
        self.submit(async move |transaction| inbox::want(transaction, &account, token.as_deref(), called_at).await)
    }

    fn kf_accounts(&self) -> BoxFuture<'_, Result<Vec<KfAccountKey>, StoreError>> {
        self.submit(async |transaction| inbox::accounts(transaction).await)
    }

    fn kf_progress(&self, account: KfAccountKey) -> BoxFuture<'_, Result<KfProgress, StoreError>> {
        self.submit(async move |transaction| inbox::progress(transaction, &account).await)
    }

    fn claim_kf_pull(&self, account: KfAccountKey) -> BoxFuture<'_, Result<Option<i64>, StoreError>> {
        self.submit_shared(async move |shared| {
            let claiming = shared
                .pool
                .transaction(async |transaction| inbox::claim_pull(transaction, &account, &shared.instance).await);
            Ok(claiming.await?)
        })
    }

    fn return_kf_pull(&self, account: KfAccountKey, claim: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(async move |transaction| inbox::return_pull(transaction, &account, claim).await)
    }

    fn keep_kf_page(&self, page: KfPage) -> BoxFuture<'_, Result<Option<KeptPage>, StoreError>> {
        let hashes = self.hashes.clone();
        self.submit(async move |transaction| inbox::keep_page(transaction, &hashes, &page).await)
    }

    fn answer_waiting(
        &self,
        now: Timestamp,
        fresh_since: Timestamp,
        most: u32,
        answer: AnswerFunction,
    ) -> BoxFuture<'_, Result<AnsweredBatch, StoreError>> {
        self.submit_shared(async move |shared| {
            answering::answer_waiting(shared, (now, fresh_since), most, answer).await
        })
    }

    fn claim_sends(
        &self,
        now: Timestamp,
        most: u32,
        paused: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<ClaimedSend>, StoreError>> {
        self.submit_shared(async move |shared| claim_sends(shared, now.as_millisecond(), most, &paused).await)
    }

    fn settle_send(
        &self,
        claim: SendClaim,
        result: SendResult,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit_shared(async move |shared| settle_send(shared, claim, &result, now.as_millisecond()).await)
    }

    fn due_reminders(
        &self,
        now: Timestamp,
        apps: Vec<(String, String)>,
    ) -> BoxFuture<'_, Result<Vec<DueReminder>, StoreError>> {
        let now = now.as_millisecond();
        self.submit(async move |transaction| appeals::due_reminders(transaction, now, &apps).await)
    }

    fn remind(&self, reminder: DueReminder, send: Option<NewSend>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(async move |transaction| appeals::remind(transaction, &reminder, send).await)
    }

    fn beat(&self, report: InstanceReport) -> BoxFuture<'_, Result<Beat, StoreError>> {
        self.submit_shared(async move |shared| {
            // By itself, so that whatever keeps this process from taking over does not make it seem silent.
            let beating = shared
                .pool
                .transaction(async |transaction| instances::beat(transaction, &shared.instance, &report).await);
            beating.await?;
            let looking = shared.pool.transaction(async |transaction| {
                let taken_over = match shared.watch.has_watched(shared.silence) {
                    true => instances::take_over(transaction, shared.silence).await?,
                    false => TakenOver::default(),
                };
                instances::told(transaction, shared.silence, taken_over).await
            });
            Ok(looking.await?)
        })
    }

    fn instances(&self) -> BoxFuture<'_, Result<Vec<Instance>, StoreError>> {
        self.submit_shared(async |shared| {
            let (pool, silence) = (&shared.pool, shared.silence);
            Ok(pool
                .transaction(async |transaction| instances::live(transaction, silence).await)
                .await?)
        })
    }

    fn request_reload(&self) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.submit(async |transaction| instances::request_reload(transaction).await)
    }

    fn dead_letters(&self, all: bool, most: u32) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>> {
        self.read(async move |transaction| dead_letters::list(transaction, all, most).await)
    }

    fn dead_letter(&self, id: DeadLetterId) -> BoxFuture<'_, Result<Option<DeadLetter>, StoreError>> {
        self.read(async move |transaction| dead_letters::one(transaction, id).await)
    }

    fn requeue(&self, id: DeadLetterId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        let (now, until) = (now.as_millisecond(), super::later(now, REQUEUED_FOR).as_millisecond());
        self.submit(async move |transaction| dead_letters::requeue(transaction, id, now, until).await)
    }

    fn discard(&self, id: DeadLetterId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.submit(async move |transaction| dead_letters::discard(transaction, id).await)
    }

    fn note_callbacks(&self, seen: Vec<SeenCallbacks>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(async move |transaction| callbacks::note(transaction, seen).await)
    }

    fn seen_callbacks(&self) -> BoxFuture<'_, Result<Vec<SeenCallbacks>, StoreError>> {
        self.submit(async |transaction| callbacks::all(transaction).await)
    }

    fn figures(&self) -> BoxFuture<'_, Result<Figures, StoreError>> {
        self.submit(async |transaction| figures::figures(transaction).await)
    }

    fn pseudonym(&self, of: &str) -> String {
        self.hashes.pseudonym(of)
    }

    fn appeals(&self) -> BoxFuture<'_, Result<Vec<TrackedAppeal>, StoreError>> {
        self.read(async |transaction| appeals::all_appeals(transaction).await)
    }

    fn ratings(&self) -> BoxFuture<'_, Result<Vec<RatingCount>, StoreError>> {
        self.read(async |transaction| appeals::ratings(transaction).await)
    }

    fn question(&self, key: MessageKey) -> BoxFuture<'_, Result<Option<QuestionRecord>, StoreError>> {
        let message = self.hashes.message(&key);
        self.submit(async move |transaction| appeals::question(transaction, &message).await)
    }

    fn purge(&self, now: Timestamp, retention: Retention) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit_shared(async move |shared| purging::purge(&shared.pool, now, retention).await)
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit_shared(async |shared| {
            // A real write: a read-only server or a full disk must show here. Each process has a row of its own, so that none waits for another.
            let probing = shared.pool.transaction(async |transaction| {
                let sql = "UPDATE instances SET reload = reload WHERE id = $1";
                transaction.execute(sql, values![&*shared.instance]).await
            });
            Ok(probing.await.map(drop)?)
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.worker.close()
    }
}

impl TokenStore for PostgresStore {
    fn token<'a>(&'a self, app: &'a str) -> BoxFuture<'a, Result<Option<StoredToken>, StoreError>> {
        let app = app.to_owned();
        self.submit(async move |transaction| tokens::load(transaction, &app).await)
    }

    fn claim_token_refresh<'a>(
        &'a self,
        app: &'a str,
        generation: i64,
        now: Timestamp,
        until: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let app = app.to_owned();
        self.submit_shared(async move |shared| {
            let claiming = shared.pool.transaction(async |transaction| {
                tokens::claim_refresh(transaction, &shared.instance, (&app, generation), (now, until)).await
            });
            Ok(claiming.await?)
        })
    }

    fn save_token<'a>(&'a self, app: &'a str, token: StoredToken) -> BoxFuture<'a, Result<(), StoreError>> {
        let app = app.to_owned();
        self.submit(async move |transaction| tokens::save(transaction, &app, &token).await)
    }
}

/// Claims what is due. What may have been claimed without our knowing is given back first.
async fn claim_sends(shared: &Shared, now: i64, most: u32, paused: &[String]) -> Result<Vec<ClaimedSend>, StoreError> {
    let mislaid = shared.mislaid_sends();
    let mut maybe_claimed = Vec::new();
    let claiming = shared.pool.transaction(async |transaction| {
        if !mislaid.is_empty() {
            outbox::return_unsent(transaction, &shared.instance, &mislaid).await?;
        }
        let claimed = outbox::claim(transaction, &shared.instance, now, most, paused).await?;
        maybe_claimed = claimed.iter().map(|send| send.claim).collect();
        Ok(claimed)
    });
    let claimed = claiming.await;
    match &claimed {
        Ok(_) => {}
        Err(Failure::Unknown) => shared.mislay_sends(maybe_claimed.into_iter().chain(mislaid)),
        Err(_) => shared.mislay_sends(mislaid),
    }
    Ok(claimed?)
}

/// Stores how sending went. It does nothing if it has been stored before, or if the send is no longer ours.
async fn settle_send(shared: &Shared, claim: SendClaim, result: &SendResult, now: i64) -> Result<(), StoreError> {
    let settling = shared
        .pool
        .transaction(async |transaction| outbox::settle(transaction, &shared.instance, claim, result, now).await);
    Ok(settling.await?)
}

/// Locks persons until the end of the transaction, all in the same order.
async fn lock_persons(transaction: Transaction<'_>, persons: &[Hash]) -> Result<(), Error> {
    let mut keys: Vec<i64> = persons.iter().map(lock_key).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    let sql = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key";
    transaction.rows(sql, values![keys]).await.map(drop)
}

/// What a person is locked by. Two people with the same number only wait for each other.
fn lock_key(person: &Hash) -> i64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(person).for_each(|(place, byte)| *place = *byte);
    i64::from_be_bytes(bytes)
}

/// A hash as it was stored.
fn bytes(stored: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.iter_mut().zip(stored).for_each(|(place, byte)| *place = *byte);
    hash
}

fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A count as it was stored.
fn count(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or_default()
}

/// A business day as it was stored.
fn small(stored: i64) -> u8 {
    u8::try_from(stored).unwrap_or_default()
}
