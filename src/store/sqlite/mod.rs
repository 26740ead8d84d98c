//! The store in one SQLite file.
//!
//! [`writer`] has the only connection that writes; what the rest of this folder does runs on its thread, inside its transactions. What an
//! admin looks at is read by another connection ([`reads`]).

mod appeals;
mod backup;
mod callbacks;
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
mod purging;
mod ratings;
mod reader;
mod reading;
mod reads;
mod replies;
mod sessions;
mod settings;
mod settling;
mod statements;
mod tokens;
mod workshop;
mod writer;

#[cfg(test)]
pub(super) mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use self::inbox::Conversation;
use self::reads::Reads;
use self::replies::Replies;
use self::sessions::Sessions;
use self::settling::Settling;
use self::statements::Statements;
use self::writer::{Watching, Writer};
use super::hashes::Hashes;
use super::instances::SILENCE;
use super::{
    AnswerFunction, AnsweredBatch, Beat, BoxFuture, ClaimedSend, ConversationKey, DeadLetter, DeadLetterId,
    DueReminder, Figures, Instance, InstanceReport, KeptPage, KfAccountKey, KfPage, KfProgress, MessageKey, NewSend,
    QuestionRecord, RatingCount, Retention, SeenCallbacks, SendClaim, SendResult, Settlement, StepFunction, Store,
    StoreError, TakenOver, TrackedAppeal,
};
use crate::wecom::{StoredToken, TokenStore};

pub use backup::{BackupError, back_up};
pub(super) use copying::SqliteCopy;
pub use opening::OpenError;
pub use reader::ReadError;

/// What is put back to be sent may be sent for so long at least.
const REQUEUED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A SQLite file, its writer thread and the key for hashes.
pub struct SqliteStore {
    writer: Writer,
    reads: Reads,
    hashes: Hashes,
    sessions: Sessions,
    replies: Replies,
    /// Names this process among those that use the store.
    instance: Arc<str>,
    /// What was found held at the start, until somebody has been told.
    taken_over: Mutex<TakenOver>,
    /// Conversations that were taken and whose answers could not be stored: they are answered first when that is tried again.
    unanswered: Mutex<Arc<[Conversation]>>,
}

impl SqliteStore {
    /// Opens the file for a server, which has it alone; it is made if it is missing, and its schema brought up to date. A conversation that
    /// rests for `session_ttl` starts anew.
    ///
    /// # Errors
    ///
    /// What keeps the file from being used.
    pub fn open(path: &Path, session_ttl: SignedDuration) -> Result<Self, OpenError> {
        let (connection, lock) = opening::open_alone(path)?;
        let unusable = |error| opening::unusable(path, error);
        if let Some(made_at) = backup::note_restored(&connection, Timestamp::now()).map_err(unusable)? {
            tracing::warn!(%made_at, "the database is a copy; what WeCom still has since then is fetched, and shown to nobody twice");
        }
        let taken_over = instances::take_over(&connection).map_err(unusable)?;
        let store = Self::start(path, connection, lock, session_ttl)?;
        Ok(Self {
            taken_over: Mutex::new(taken_over),
            ..store
        })
    }

    /// Opens an existing file beside the server that has it, for a command. Its schema is left as the server has it.
    ///
    /// # Errors
    ///
    /// What keeps the file from being used.
    pub fn open_beside(path: &Path) -> Result<Self, OpenError> {
        let connection = opening::open_beside(path)?;
        Self::start(path, connection, (), SignedDuration::ZERO)
    }

    fn start(
        path: &Path,
        connection: Connection,
        lock: impl Send + 'static,
        session_ttl: SignedDuration,
    ) -> Result<Self, OpenError> {
        let unusable = |error| opening::unusable(path, error);
        let hashes = Hashes::with_key(opening::hash_key(&connection).map_err(unusable)?);
        let instance: String = connection
            .query_row("SELECT lower(hex(randomblob(8)))", [], |row| row.get(0))
            .map_err(unusable)?;
        let sessions = Sessions::with_ttl(session_ttl);
        let replies = Replies::default();
        let rolled_back = (sessions.clone(), replies.clone());
        let watching = Watching {
            is_in_place: Box::new(opening::still_in_place(path)),
            rolled_back: Box::new(move || {
                let (sessions, replies) = &rolled_back;
                sessions.forget_known();
                replies.forget_known();
            }),
        };
        let writer = Writer::start(connection, watching, lock).map_err(OpenError::Thread)?;
        Ok(Self {
            writer,
            reads: Reads::of(path.to_owned()),
            hashes,
            sessions,
            replies,
            instance: instance.into(),
            taken_over: Mutex::default(),
            unanswered: Mutex::default(),
        })
    }

    /// Hands work to the writer thread and waits until it is durable.
    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Statements<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        self.writer.submit(work)
    }

    async fn claim_waiting(&self, fresh_since: Timestamp, most: u32) -> Result<Arc<[Conversation]>, StoreError> {
        let owner = Arc::clone(&self.instance);
        let fresh_since = fresh_since.as_millisecond();
        let claimed = self.submit(move |connection| inbox::claim_waiting(connection, &owner, fresh_since, most));
        claimed.await.map(Arc::from)
    }

    fn unanswered(&self) -> MutexGuard<'_, Arc<[Conversation]>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has an answer begun with what waits, and then made: what ends the process in between is counted.
    async fn answer_claimed(
        &self,
        (now, fresh_since): (Timestamp, Timestamp),
        most: u32,
        mut answer: AnswerFunction,
    ) -> Result<AnsweredBatch, StoreError> {
        let left = std::mem::take(&mut *self.unanswered());
        let claimed = match left.is_empty() {
            true => self.claim_waiting(fresh_since, most).await?,
            false => left,
        };
        let count = u32::try_from(claimed.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Ok(AnsweredBatch::default());
        }
        let (sessions, conversations) = (self.sessions.clone(), Arc::clone(&claimed));
        let answered = self.submit(move |connection| {
            let answered = inbox::answer(connection, &sessions, now, &conversations, &mut *answer);
            answered.inspect_err(|_| sessions.forget_known())
        });
        let answered = answered.await.inspect_err(|_| *self.unanswered() = claimed);
        answered.map(|settled| AnsweredBatch {
            conversations: count,
            settled,
        })
    }
}

impl Store for SqliteStore {
    fn settle(
        &self,
        key: MessageKey,
        conversation: ConversationKey,
        now: Timestamp,
        step: StepFunction,
    ) -> BoxFuture<'_, Result<Settlement, StoreError>> {
        let settling = Settling {
            message: self.hashes.message(&key),
            person: self.hashes.person(&conversation),
            sessions: self.sessions.clone(),
            replies: self.replies.clone(),
            conversation,
            key,
            now: now.as_millisecond(),
        };
        self.writer
            .submit_bare(move |connection| settling.run(connection, step))
    }

    fn want_kf_messages(
        &self,
        account: KfAccountKey,
        token: Option<String>,
        called_at: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.submit(move |connection| inbox::want(connection, &account, token.as_deref(), called_at.as_millisecond()))
    }

    fn kf_accounts(&self) -> BoxFuture<'_, Result<Vec<KfAccountKey>, StoreError>> {
        self.submit(|connection| inbox::accounts(connection))
    }

    fn kf_progress(&self, account: KfAccountKey) -> BoxFuture<'_, Result<KfProgress, StoreError>> {
        self.submit(move |connection| inbox::progress(connection, &account))
    }

    fn claim_kf_pull(&self, account: KfAccountKey) -> BoxFuture<'_, Result<Option<i64>, StoreError>> {
        let owner = Arc::clone(&self.instance);
        self.submit(move |connection| inbox::claim_pull(connection, &account, &owner))
    }

    fn return_kf_pull(&self, account: KfAccountKey, claim: i64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| inbox::return_pull(connection, &account, claim))
    }

    fn keep_kf_page(&self, page: KfPage) -> BoxFuture<'_, Result<Option<KeptPage>, StoreError>> {
        let hashes = self.hashes.clone();
        self.submit(move |connection| inbox::keep_page(connection, &hashes, &page))
    }

    fn answer_waiting(
        &self,
        now: Timestamp,
        fresh_since: Timestamp,
        most: u32,
        answer: AnswerFunction,
    ) -> BoxFuture<'_, Result<AnsweredBatch, StoreError>> {
        Box::pin(self.answer_claimed((now, fresh_since), most, answer))
    }

    fn claim_sends(
        &self,
        now: Timestamp,
        most: u32,
        paused: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<ClaimedSend>, StoreError>> {
        let (now, owner) = (now.as_millisecond(), Arc::clone(&self.instance));
        self.submit(move |connection| outbox::claim(connection, &owner, now, most, &paused))
    }

    fn settle_send(
        &self,
        claim: SendClaim,
        result: SendResult,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| outbox::settle(connection, claim, &result, now.as_millisecond()))
    }

    fn due_reminders(
        &self,
        now: Timestamp,
        apps: Vec<(String, String)>,
    ) -> BoxFuture<'_, Result<Vec<DueReminder>, StoreError>> {
        self.submit(move |connection| outbox::due_reminders(connection, now.as_millisecond(), &apps))
    }

    fn remind(&self, reminder: DueReminder, send: Option<NewSend>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| outbox::remind(connection, &reminder, send.as_ref()))
    }

    fn beat(&self, report: InstanceReport) -> BoxFuture<'_, Result<Beat, StoreError>> {
        let (id, now) = (Arc::clone(&self.instance), Timestamp::now().as_millisecond());
        let beating = self.submit(move |connection| instances::beat(connection, &id, &report, now));
        Box::pin(async {
            let beat = beating.await?;
            let taken_over = std::mem::take(&mut *self.taken_over.lock().unwrap_or_else(PoisonError::into_inner));
            Ok(Beat { taken_over, ..beat })
        })
    }

    fn instances(&self) -> BoxFuture<'_, Result<Vec<Instance>, StoreError>> {
        let silent_since = before(Timestamp::now(), SILENCE);
        self.submit(move |connection| instances::live(connection, silent_since))
    }

    fn request_reload(&self) -> BoxFuture<'_, Result<i64, StoreError>> {
        self.submit(|connection| instances::request_reload(connection))
    }

    fn dead_letters(&self, all: bool, most: u32) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>> {
        self.reads
            .read(move |connection| dead_letters::list(connection, all, most))
    }

    fn dead_letter(&self, id: DeadLetterId) -> BoxFuture<'_, Result<Option<DeadLetter>, StoreError>> {
        self.reads.read(move |connection| dead_letters::one(connection, id))
    }

    fn requeue(&self, id: DeadLetterId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        let (now, until) = (now.as_millisecond(), super::later(now, REQUEUED_FOR).as_millisecond());
        self.submit(move |connection| dead_letters::requeue(connection, id, now, until))
    }

    fn discard(&self, id: DeadLetterId) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.submit(move |connection| dead_letters::discard(connection, id))
    }

    fn note_callbacks(&self, seen: Vec<SeenCallbacks>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| callbacks::note(connection, &seen))
    }

    fn seen_callbacks(&self) -> BoxFuture<'_, Result<Vec<SeenCallbacks>, StoreError>> {
        self.submit(|connection| callbacks::all(connection))
    }

    fn figures(&self) -> BoxFuture<'_, Result<Figures, StoreError>> {
        self.reads.read(figures::figures)
    }

    fn pseudonym(&self, of: &str) -> String {
        self.hashes.pseudonym(of)
    }

    fn appeals(&self) -> BoxFuture<'_, Result<Vec<TrackedAppeal>, StoreError>> {
        self.reads.read(appeals::all_appeals)
    }

    fn ratings(&self) -> BoxFuture<'_, Result<Vec<RatingCount>, StoreError>> {
        self.reads.read(ratings::counts)
    }

    fn question(&self, key: MessageKey) -> BoxFuture<'_, Result<Option<QuestionRecord>, StoreError>> {
        let message = self.hashes.message(&key);
        self.submit(move |connection| {
            let mut statement = connection.prepare_cached("SELECT record FROM questions WHERE message = ?1")?;
            let record: Option<String> = statement.query_row([message], |row| row.get(0)).optional()?;
            Ok(record.and_then(|json| serde_json::from_str(&json).ok()))
        })
    }

    fn purge(&self, now: Timestamp, retention: Retention) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(purging::purge(
            &self.writer,
            (&self.sessions, &self.replies),
            now,
            retention,
        ))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(|connection| {
            // A real write: a read-only or full disk must show here.
            let sql = "INSERT INTO meta (key, value) VALUES ('probe', hex(randomblob(8)))
                       ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            connection.execute(sql, []).map(drop)
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            self.reads.close().await;
            self.writer.close().await
        })
    }
}

impl TokenStore for SqliteStore {
    fn token<'a>(&'a self, app: &'a str) -> BoxFuture<'a, Result<Option<StoredToken>, StoreError>> {
        let app = app.to_owned();
        self.submit(move |connection| tokens::load(connection, &app))
    }

    fn claim_token_refresh<'a>(
        &'a self,
        app: &'a str,
        generation: i64,
        now: Timestamp,
        until: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let app = app.to_owned();
        self.submit(move |connection| tokens::claim_refresh(connection, &app, generation, now, until))
    }

    fn save_token<'a>(&'a self, app: &'a str, token: StoredToken) -> BoxFuture<'a, Result<(), StoreError>> {
        let app = app.to_owned();
        self.submit(move |connection| tokens::save(connection, &app, &token))
    }
}

fn save_question(
    connection: &Statements<'_>,
    message: &[u8],
    person: &[u8],
    (corp_id, app): (&str, &str),
    question: &QuestionRecord,
) -> Result<(), rusqlite::Error> {
    let record = serde_json::to_string(question).unwrap_or_default();
    let sql = "INSERT INTO questions (message, person, corp_id, app, asked_at, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let asked_at = question.asked_at.as_millisecond();
    let values = params![message, person, corp_id, app, asked_at, record];
    connection.run(sql, |statement| statement.execute(values).map(drop))
}

/// Milliseconds as they are stored, so long before.
fn before(now: Timestamp, age: SignedDuration) -> i64 {
    now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond()
}

fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
