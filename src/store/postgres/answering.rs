//! Answers what waits, in PostgreSQL. Conversations are claimed in one transaction and answered in a second: what ends the process in between
//! is counted, and what has been taken over in between is left alone.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::future::try_join4;
use jiff::Timestamp;
use tokio_postgres::{Error, Row};

use super::inbox::{SERVED_BY, may_claim, read_served_by, served_after};
use super::pool::{Failure, Transaction};
use super::shared::Shared;
use super::values::values;
use super::writes::{Source, Writes};
use super::{Sessions, bytes, count, lock_persons, timestamp};
use crate::failpoint::failpoint;
use crate::store::hashes::{Hash, timed};
use crate::store::{
    AnswerFunction, Answered, AnsweredBatch, ConversationKey, KfAccountKey, Remembered, ServedBy, SettledItem,
    StoreError, Waiting, WaitingItem,
};

/// A conversation that this process may answer.
#[derive(Clone)]
struct Conversation {
    person: Hash,
    account: KfAccountKey,
    /// How often an answer has been begun, this time included.
    attempts: u32,
}

/// What waits of a conversation and what is known of its person.
#[derive(Default)]
struct Known {
    items: Vec<(i64, Vec<u8>, WaitingItem)>,
    session: Option<String>,
    appeal: Option<String>,
    unsent: u32,
    served_by: ServedBy,
}

/// Answers up to `most` conversations, and says what it was.
pub(super) async fn answer_waiting(
    shared: &Shared,
    (now, fresh_since): (Timestamp, Timestamp),
    most: u32,
    mut answer: AnswerFunction,
) -> Result<AnsweredBatch, StoreError> {
    let found = claim(shared, fresh_since.as_millisecond(), most).await?;
    let answering = Answering {
        owner: &shared.instance,
        sessions: shared.sessions,
        now: now.as_millisecond(),
    };
    let mut settled = Vec::new();
    let answered = answering.answer_all(shared, &found, &mut answer, &mut settled).await;
    if let Err(error) = answered {
        shared.mislay_conversations(found.iter().map(|conversation| conversation.person));
        // What is durable is told whatever became of the rest, which the next call takes again.
        if settled.is_empty() {
            return Err(error);
        }
    }
    Ok(AnsweredBatch {
        conversations: u32::try_from(found.len()).unwrap_or(u32::MAX),
        settled,
    })
}

/// Takes conversations in which something waits: those with fresh messages first, and of these whoever has waited longest. What was begun
/// before without coming to an end is taken alone, so that nothing else is begun in vain with it.
async fn claim(shared: &Shared, fresh_since: i64, most: u32) -> Result<Vec<Conversation>, StoreError> {
    let owner = &shared.instance;
    let mislaid = shared.mislaid_conversations();
    let mut maybe_claimed = Vec::new();
    let claimed = shared.pool.transaction(async |transaction| {
        give_back(transaction, owner, &mislaid).await?;
        let mut found = claim_some(transaction, owner, Some(fresh_since), most).await?;
        let left = most.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        if left > 0 {
            found.extend(claim_some(transaction, owner, None, left).await?);
        }
        if found.iter().any(|conversation| conversation.attempts > 1) {
            found.sort_by_key(|conversation| std::cmp::Reverse(conversation.attempts));
            let others = found.split_off(1).into_iter();
            let others: Vec<Hash> = others.map(|conversation| conversation.person).collect();
            give_back(transaction, owner, &others).await?;
        }
        maybe_claimed = found.iter().map(|conversation| conversation.person).collect();
        Ok(found)
    });
    let claimed = claimed.await;
    match &claimed {
        Ok(_) => {}
        Err(Failure::Unknown) => shared.mislay_conversations(maybe_claimed.into_iter().chain(mislaid)),
        Err(_) => shared.mislay_conversations(mislaid),
    }
    Ok(claimed?)
}

/// The first message that waits of each conversation stands for all of it: whoever locks that row may have the conversation. Messages of a
/// conversation that somebody has are never the first without an owner.
async fn claim_some(
    transaction: Transaction<'_>,
    owner: &str,
    fresh_since: Option<i64>,
    most: u32,
) -> Result<Vec<Conversation>, Error> {
    let sql = format!(
        "WITH heads AS MATERIALIZED (
           SELECT head.id, head.person FROM inbox AS head WHERE head.fate IS NULL AND head.owner IS NULL
             AND ($2::bigint IS NULL OR head.person IN (SELECT person FROM inbox WHERE fate IS NULL AND sent_at >= $2))
             AND NOT EXISTS (SELECT 1 FROM inbox AS earlier
               WHERE earlier.person = head.person AND earlier.fate IS NULL AND earlier.id < head.id)
             AND NOT EXISTS (SELECT 1 FROM outbox
               WHERE outbox.person = head.person AND outbox.fate IS NULL AND outbox.api = 'kf/service_state/trans')
             AND {}
           ORDER BY head.id LIMIT $3 FOR UPDATE OF head SKIP LOCKED)
         UPDATE inbox SET owner = $1, attempts = attempts + 1 FROM heads
         WHERE inbox.person = heads.person AND inbox.fate IS NULL AND inbox.owner IS NULL
         RETURNING heads.id, inbox.person, corp_id, app, open_kf_id, attempts",
        may_claim("$1")
    );
    let rows = transaction.rows(&sql, values![owner, fresh_since, most]).await?;
    let mut found: HashMap<Hash, (i64, Conversation)> = HashMap::new();
    for row in &rows {
        let person = bytes(row.try_get(1)?);
        let attempts = count(row.try_get(5)?);
        let conversation = Conversation {
            person,
            account: account(row)?,
            attempts,
        };
        let (_, known) = found.entry(person).or_insert((row.try_get(0)?, conversation));
        known.attempts = known.attempts.max(attempts);
    }
    let mut found: Vec<(i64, Conversation)> = found.into_values().collect();
    found.sort_by_key(|(head, _)| *head);
    Ok(found.into_iter().map(|(_, conversation)| conversation).collect())
}

fn account(row: &Row) -> Result<KfAccountKey, Error> {
    Ok(KfAccountKey {
        corp_id: row.try_get(2)?,
        app: row.try_get(3)?,
        open_kf_id: row.try_get(4)?,
    })
}

/// Gives back conversations of this process; what was begun has not been begun in vain by a defect.
async fn give_back(transaction: Transaction<'_>, owner: &str, persons: &[Hash]) -> Result<(), Error> {
    if persons.is_empty() {
        return Ok(());
    }
    let persons: Vec<&[u8]> = persons.iter().map(Hash::as_slice).collect();
    let sql = "UPDATE inbox SET owner = NULL, attempts = greatest(attempts - 1, 0)
               WHERE person = ANY($1) AND owner = $2 AND fate IS NULL";
    transaction.execute(sql, values![persons, owner]).await.map(drop)
}

/// What answering needs to know.
struct Answering<'a> {
    owner: &'a str,
    sessions: Sessions,
    now: i64,
}

impl Answering<'_> {
    /// Answers conversations together, and adds to `settled` what became of what waited once that is durable. If the server refuses what some
    /// answer leads to, each is answered alone, and that one is given up.
    async fn answer_all(
        &self,
        shared: &Shared,
        found: &[Conversation],
        answer: &mut AnswerFunction,
        settled: &mut Vec<SettledItem>,
    ) -> Result<(), StoreError> {
        if found.is_empty() {
            return Ok(());
        }
        failpoint!("after_claim");
        let together = shared
            .pool
            .transaction(async |transaction| self.answer(transaction, found, answer).await);
        match together.await {
            Err(Failure::Undone(error)) if is_about_content(&error) => {}
            answered => {
                settled.extend(answered?);
                return Ok(());
            }
        }
        for conversation in found {
            let alone = std::slice::from_ref(conversation);
            let answered = shared
                .pool
                .transaction(async |transaction| self.answer(transaction, alone, answer).await);
            match answered.await {
                Err(Failure::Undone(error)) if is_about_content(&error) => {
                    tracing::error!("an answer could not be stored; see `jiefeng messages list`");
                    let giving_up = shared
                        .pool
                        .transaction(async |transaction| self.give_up(transaction, alone).await);
                    settled.extend(giving_up.await?);
                }
                answered => settled.extend(answered?),
            }
        }
        Ok(())
    }

    async fn answer(
        &self,
        transaction: Transaction<'_>,
        found: &[Conversation],
        answer: &mut AnswerFunction,
    ) -> Result<Vec<SettledItem>, Error> {
        let mut known = self.load(transaction, found).await?;
        let (mut writes, mut settled) = (Writes::default(), Vec::new());
        for conversation in found {
            // What is not there was taken over in the meantime.
            let Some(known) = known.remove(&conversation.person) else {
                continue;
            };
            let outcomes = match known.served_by {
                ServedBy::Bot => self.answer_one(conversation, &known, answer, &mut writes),
                ServedBy::Pool | ServedBy::Servicer => all_alike(&known, "human", "", &mut writes),
            };
            settled.extend(SettledItem::all(&conversation.account, known.waited(), outcomes));
        }
        failpoint!("after_answer");
        writes.run(transaction).await?;
        Ok(settled)
    }

    /// What waits of these conversations goes to the dead letters.
    async fn give_up(&self, transaction: Transaction<'_>, found: &[Conversation]) -> Result<Vec<SettledItem>, Error> {
        let mut known = self.load(transaction, found).await?;
        let (mut writes, mut settled) = (Writes::default(), Vec::new());
        for conversation in found {
            if let Some(known) = known.remove(&conversation.person) {
                let outcomes = fail(&known, &mut writes);
                settled.extend(SettledItem::all(&conversation.account, known.waited(), outcomes));
            }
        }
        writes.run(transaction).await?;
        Ok(settled)
    }

    /// What still waits and is still ours, and what is known of the persons.
    async fn load(&self, transaction: Transaction<'_>, found: &[Conversation]) -> Result<HashMap<Hash, Known>, Error> {
        let hashes: Vec<Hash> = found.iter().map(|conversation| conversation.person).collect();
        lock_persons(transaction, &hashes).await?;
        let persons = || hashes.iter().map(Hash::as_slice).collect::<Vec<&[u8]>>();
        let mut known: HashMap<Hash, Known> = HashMap::new();
        let items = transaction
            .rows(
                "SELECT person, id, message, item, sent_at, received_at FROM inbox
                 WHERE person = ANY($1) AND owner = $2 AND fate IS NULL ORDER BY id FOR UPDATE",
                values![persons(), self.owner],
            )
            .await?;
        for row in &items {
            let item: Option<String> = row.try_get(3)?;
            let item = WaitingItem {
                item: item.unwrap_or_default(),
                sent_at: timestamp(row.try_get(4)?),
                received_at: timestamp(row.try_get(5)?),
            };
            let known = known.entry(bytes(row.try_get(0)?)).or_default();
            known.items.push((row.try_get(1)?, row.try_get(2)?, item));
        }
        let (sessions, appeals, unsent, customers) = try_join4(
            transaction.rows(
                "SELECT conversation, state FROM sessions WHERE conversation = ANY($1) AND expires_at > $2",
                values![persons(), self.now],
            ),
            transaction.rows(
                "SELECT person, record FROM appeals WHERE person = ANY($1) AND closed_at IS NULL",
                values![persons()],
            ),
            transaction.rows(
                "SELECT person, count(*) FROM outbox WHERE person = ANY($1) AND fate IS NULL GROUP BY person",
                values![persons()],
            ),
            transaction.rows(SERVED_BY, values![persons(), served_after(self.now)]),
        )
        .await?;
        let served_by = read_served_by(&customers)?;
        for (person, known) in &mut known {
            known.served_by = served_by.get(person).copied().unwrap_or_default();
        }
        for row in &sessions {
            if let Some(known) = known.get_mut(&bytes(row.try_get(0)?)) {
                known.session = row.try_get(1)?;
            }
        }
        for row in &appeals {
            if let Some(known) = known.get_mut(&bytes(row.try_get(0)?)) {
                known.appeal = row.try_get(1)?;
            }
        }
        for row in &unsent {
            if let Some(known) = known.get_mut(&bytes(row.try_get(0)?)) {
                known.unsent = count(row.try_get(1)?);
            }
        }
        Ok(known)
    }

    /// Answers one of them, and says what becomes of each message and how long it took.
    fn answer_one(
        &self,
        conversation: &Conversation,
        known: &Known,
        answer: &mut AnswerFunction,
        writes: &mut Writes,
    ) -> Vec<(&'static str, Duration)> {
        let waiting = Waiting {
            account: conversation.account.clone(),
            items: known.items.iter().map(|(_, _, item)| item.clone()).collect(),
            remembered: Remembered {
                session: known.session.clone(),
                appeal: known.appeal.clone(),
            },
            unsent: known.unsent,
            attempts: conversation.attempts,
        };
        match catch_unwind(AssertUnwindSafe(|| answer(waiting))) {
            Ok(answered) => self.take_down(conversation, known, answered, writes),
            Err(_) => {
                tracing::error!("an answer panicked; see `jiefeng messages list`");
                fail(known, writes)
            }
        }
    }

    fn take_down(
        &self,
        conversation: &Conversation,
        known: &Known,
        answered: Answered,
        writes: &mut Writes,
    ) -> Vec<(&'static str, Duration)> {
        let (person, now) = (conversation.person, self.now);
        let outcomes = answered.outcomes(known.items.len());
        for ((id, ..), (fate, _)) in known.items.iter().zip(&outcomes) {
            writes.fate(*id, fate, answered.reason);
        }
        let source = Source {
            corp_id: conversation.account.corp_id.clone(),
            app: conversation.account.conversation_app(),
        };
        for (place, question) in &answered.questions {
            if let Some((_, message, item)) = known.items.get(*place) {
                writes.question(&timed(item.sent_at.as_second(), message), person, &source, question);
            }
        }
        let key = ConversationKey {
            corp_id: source.corp_id.clone(),
            app: source.app.clone(),
            user: answered.customer,
        };
        let step = answered.step;
        writes.session(person, step.session.map(|state| (state, self.sessions.end(now))));
        writes.appeal(person, &key, now, step.appeal);
        if let (Some(rating), Some((_, message, _))) = (step.rating, known.items.last()) {
            writes.rating(message, &source, now, rating);
        }
        let said_at = known
            .items
            .iter()
            .map(|(_, _, item)| item.sent_at.as_millisecond())
            .min();
        for send in step.sends {
            writes.send(person, send, None, said_at.unwrap_or(now));
        }
        if let Some(served_by) = answered.served_by {
            writes.served_by(person, served_by, now);
        }
        outcomes
    }
}

impl Known {
    /// What waited.
    fn waited(self) -> impl Iterator<Item = WaitingItem> {
        self.items.into_iter().map(|(_, _, item)| item)
    }
}

fn fail(known: &Known, writes: &mut Writes) -> Vec<(&'static str, Duration)> {
    all_alike(known, "failed", "its answer could not be stored", writes)
}

/// One fate for everything that waits, without an answer.
fn all_alike(
    known: &Known,
    fate: &'static str,
    reason: &'static str,
    writes: &mut Writes,
) -> Vec<(&'static str, Duration)> {
    known.items.iter().for_each(|(id, ..)| writes.fate(*id, fate, reason));
    vec![(fate, Duration::ZERO); known.items.len()]
}

/// Whether the server refused what was to be stored, and will do so again (classes 22 and 23 of its codes).
fn is_about_content(error: &Error) -> bool {
    let code = error.code().map(tokio_postgres::error::SqlState::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}
