//! The store in one SQLite file.
//!
//! One thread owns the only connection. It takes what is waiting, does all of it in one transaction and commits once, so that the cost
//! of durability is shared by the messages that arrive together. Nobody is told "done" before that commit.

mod appeals;
mod inbox;
mod outbox;
mod reader;
mod sessions;
mod tokens;

use std::fs::OpenOptions;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use self::appeals::{change_appeal, open_appeal};
use self::sessions::Sessions;
use super::hashes::Hashes;
use super::{
    AnswerFunction, BoxFuture, ClaimedSend, ConversationKey, DueReminder, KfAccountKey, KfPage, KfProgress, MessageKey,
    NewSend, QuestionRecord, Rating, Remembered, Retention, SendResult, Settlement, Step, StepFunction, Store,
    StoreError,
};
use crate::wecom::{StoredToken, TokenStore};

pub use reader::{ReadError, StoreReader};

/// Versions of the schema; the file remembers in `user_version` how many have run. Published ones never change.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
];

/// How many requests may wait for the writer. More would only wait longer than WeCom does.
const LONGEST_QUEUE: usize = 4096;

/// How many requests share one commit at most.
const LARGEST_BATCH: usize = 64;

/// How long another process may hold the file, for example a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// Settled messages are kept much longer than WeCom delivers again, so that a repeated one is known for what it is.
const MESSAGES_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An appeal that nobody has closed is followed for so long, however short questions are kept: it was promised.
const APPEALS_FOLLOWED: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or file cannot be made.
    #[error("cannot create `{path}`: {error}")]
    Create {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Not a database, damaged, or locked.
    #[error("cannot open the database `{path}`: {error}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// Written by a later version of the program.
    #[error("the database `{path}` has schema {found}, this program knows up to {known}; use the newer program")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Schema of the file.
        found: usize,
        /// Latest schema of this program.
        known: usize,
    },
    /// The thread could not be started.
    #[error("cannot start the database thread: {0}")]
    Thread(std::io::Error),
}

/// Tells one waiting request how the commit went.
type Notify = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// One request: does its work inside the transaction, if there is one, and returns how to tell the result once that is durable.
type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Notify + Send>;

/// A SQLite file, its writer thread and the key for hashes.
pub struct SqliteStore {
    queue: Mutex<Option<SyncSender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    hashes: Hashes,
    sessions: Sessions,
}

impl SqliteStore {
    /// Opens the file, which is made if it is missing, and brings its schema up to date. A conversation that rests for `session_ttl`
    /// starts anew.
    ///
    /// # Errors
    ///
    /// What keeps the file from being used.
    pub fn open(path: &Path, session_ttl: SignedDuration) -> Result<Self, OpenError> {
        create_private_file(path).map_err(|error| OpenError::Create {
            path: path.to_owned(),
            error,
        })?;
        let opened = |error| OpenError::Open {
            path: path.to_owned(),
            error,
        };
        let connection = connect(path).map_err(opened)?;
        let found = migrate(&connection).map_err(opened)?;
        if found > MIGRATIONS.len() {
            return Err(OpenError::Newer {
                path: path.to_owned(),
                found,
                known: MIGRATIONS.len(),
            });
        }
        let hashes = Hashes::with_key(hash_key(&connection).map_err(opened)?);
        outbox::release_all(&connection).map_err(opened)?;
        let (sender, receiver) = sync_channel(LONGEST_QUEUE);
        let thread = std::thread::Builder::new().name("store".to_owned());
        let writer = thread
            .spawn(move || write_batches(&connection, &receiver))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            hashes,
            sessions: Sessions { ttl: session_ttl },
        })
    }

    /// Hands work to the writer thread and waits until it is durable.
    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.and_then(|connection| in_savepoint(connection, "job", || work(connection)));
            // Whoever no longer waits has closed the connection; WeCom will deliver again and get what is stored now.
            Box::new(move |committed| drop(sender.send(committed.and(result))))
        });
        let queued = self.enqueue(job);
        Box::pin(async move {
            queued?;
            receiver.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn enqueue(&self, job: Job) -> Result<(), StoreError> {
        let queue = self.queue.lock().map_err(|_| StoreError::Closed)?;
        let sender = queue.as_ref().ok_or(StoreError::Closed)?;
        sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Closed,
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
            sessions: self.sessions,
            conversation,
            key,
            now: now.as_millisecond(),
        };
        self.submit(move |connection| settling.run(connection, step))
    }

    fn want_kf_messages(
        &self,
        account: KfAccountKey,
        token: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| inbox::want(connection, &account, token.as_deref(), now.as_millisecond()))
    }

    fn kf_accounts(&self) -> BoxFuture<'_, Result<Vec<KfAccountKey>, StoreError>> {
        self.submit(inbox::accounts)
    }

    fn kf_progress(&self, account: KfAccountKey) -> BoxFuture<'_, Result<KfProgress, StoreError>> {
        self.submit(move |connection| inbox::progress(connection, &account))
    }

    fn keep_kf_page(&self, page: KfPage) -> BoxFuture<'_, Result<bool, StoreError>> {
        let hashes = self.hashes.clone();
        self.submit(move |connection| inbox::keep_page(connection, &hashes, &page))
    }

    fn answer_waiting(
        &self,
        now: Timestamp,
        fresh_since: Timestamp,
        most: u32,
        mut answer: AnswerFunction,
    ) -> BoxFuture<'_, Result<u32, StoreError>> {
        let sessions = self.sessions;
        self.submit(move |connection| {
            inbox::answer_waiting(connection, sessions, (now, fresh_since), most, &mut *answer)
        })
    }

    fn claim_sends(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        most: u32,
        paused: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<ClaimedSend>, StoreError>> {
        let (now, lease_until) = (now.as_millisecond(), lease_until.as_millisecond());
        self.submit(move |connection| outbox::claim(connection, now, lease_until, most, &paused))
    }

    fn settle_send(&self, id: i64, result: SendResult, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| outbox::settle(connection, id, &result, now.as_millisecond()))
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

    fn question(&self, key: MessageKey) -> BoxFuture<'_, Result<Option<QuestionRecord>, StoreError>> {
        let message = self.hashes.message(&key);
        self.submit(move |connection| {
            let mut statement = connection.prepare_cached("SELECT record FROM questions WHERE message = ?1")?;
            let record: Option<String> = statement.query_row([message], |row| row.get(0)).optional()?;
            Ok(record.and_then(|json| serde_json::from_str(&json).ok()))
        })
    }

    fn purge(&self, now: Timestamp, retention: Retention) -> BoxFuture<'_, Result<(), StoreError>> {
        let before = |age| now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond();
        let messages_before = before(MESSAGES_KEPT);
        let questions_before = before(SignedDuration::from_hours(
            i64::from(retention.questions_days).saturating_mul(24),
        ));
        let appeals_before = before(APPEALS_FOLLOWED);
        let now = now.as_millisecond();
        self.submit(move |connection| {
            connection.execute("DELETE FROM messages WHERE settled_at < ?1", [messages_before])?;
            connection.execute("DELETE FROM questions WHERE asked_at < ?1", [questions_before])?;
            connection.execute("DELETE FROM sessions WHERE expires_at <= ?1", [now])?;
            connection.execute("DELETE FROM ratings WHERE rated_at < ?1", [questions_before])?;
            connection.execute("DELETE FROM appeals WHERE closed_at < ?1", [questions_before])?;
            connection.execute("DELETE FROM appeals WHERE opened_at < ?1", [appeals_before])?;
            connection.execute("DELETE FROM inbox WHERE received_at < ?1", [messages_before])?;
            connection.execute("DELETE FROM outbox WHERE settled_at < ?1", [messages_before])?;
            connection.execute("DELETE FROM customers WHERE served_from < ?1", [messages_before])?;
            Ok(())
        })
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
        if let Ok(mut queue) = self.queue.lock() {
            // Without a sender the writer finishes what waits and ends.
            queue.take();
        }
        let writer = self.writer.lock().ok().and_then(|mut writer| writer.take());
        Box::pin(async move {
            let Some(writer) = writer else { return Ok(()) };
            let joined = tokio::task::spawn_blocking(move || writer.join()).await;
            match joined {
                Ok(Ok(())) => Ok(()),
                _ => Err(StoreError::Closed),
            }
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

/// A message to settle, with everything hashed.
struct Settling {
    message: Vec<u8>,
    person: Vec<u8>,
    sessions: Sessions,
    conversation: ConversationKey,
    key: MessageKey,
    now: i64,
}

impl Settling {
    fn run(self, connection: &Connection, step: StepFunction) -> Result<Settlement, rusqlite::Error> {
        if let Some(earlier) = self.earlier(connection)? {
            return self.reply_at_most_once(connection, earlier);
        }
        let Step {
            session,
            reply,
            question,
            appeal,
            rating,
            sends,
        } = step(Remembered {
            session: self.sessions.load(connection, &self.person, self.now)?,
            appeal: open_appeal(connection, &self.person)?,
        });
        connection
            .prepare_cached("INSERT INTO messages (message, reply, settled_at) VALUES (?1, ?2, ?3)")?
            .execute(params![self.message, reply, self.now])?;
        self.sessions.save(connection, &self.person, self.now, session)?;
        let app = (self.key.corp_id.as_str(), self.key.app.as_str());
        if let Some(question) = question {
            save_question(connection, &self.message, &self.person, app, &question)?;
        }
        change_appeal(connection, &self.person, &self.conversation, self.now, &appeal)?;
        if let Some(rating) = rating {
            save_rating(connection, &self.message, app, self.now, &rating)?;
        }
        for send in &sends {
            outbox::add_send(connection, &self.person, Some(&self.message), send)?;
        }
        let settlement = Settlement {
            reply,
            settled_at: timestamp(self.now),
            repeated: false,
        };
        // Whoever asked for the reply waits for it no longer; the next delivery may get it.
        let stands_in = sends.iter().any(|send| send.replaces_reply);
        Ok(Settlement {
            reply: settlement.reply.filter(|_| !stands_in),
            ..settlement
        })
    }

    fn earlier(&self, connection: &Connection) -> Result<Option<Settlement>, rusqlite::Error> {
        let mut statement = connection.prepare_cached("SELECT reply, settled_at FROM messages WHERE message = ?1")?;
        let settlement = statement.query_row([&self.message], |row| {
            Ok(Settlement {
                reply: row.get(0)?,
                settled_at: timestamp(row.get(1)?),
                repeated: true,
            })
        });
        settlement.optional()
    }

    fn reply_at_most_once(&self, connection: &Connection, earlier: Settlement) -> Result<Settlement, rusqlite::Error> {
        let may_reply = outbox::reply_instead(connection, &self.message)?;
        Ok(Settlement {
            reply: earlier.reply.filter(|_| may_reply),
            ..earlier
        })
    }
}

fn save_question(
    connection: &Connection,
    message: &[u8],
    person: &[u8],
    (corp_id, app): (&str, &str),
    question: &QuestionRecord,
) -> Result<(), rusqlite::Error> {
    let record = serde_json::to_string(question).unwrap_or_default();
    let sql = "INSERT INTO questions (message, person, corp_id, app, asked_at, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let asked_at = question.asked_at.as_millisecond();
    let values = params![message, person, corp_id, app, asked_at, record];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

fn save_rating(
    connection: &Connection,
    message: &[u8],
    (corp_id, app): (&str, &str),
    now: i64,
    rating: &Rating,
) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO ratings (message, corp_id, app, rated_at, scenario, verdict, knowledge_version)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let values = params![
        message,
        corp_id,
        app,
        now,
        rating.scenario,
        rating.verdict,
        rating.knowledge_version
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Questions are confidential: the file is made for its owner only, and SQLite gives its companions the same mode.
fn create_private_file(path: &Path) -> Result<(), std::io::Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// Runs the migrations that are missing and returns the schema's version; a newer one is left alone.
fn migrate(connection: &Connection) -> Result<usize, rusqlite::Error> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    for (version, sql) in (1..).zip(MIGRATIONS).skip(found) {
        connection.execute_batch(sql)?;
        connection.pragma_update(None, "user_version", version)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(found.max(MIGRATIONS.len()))
}

/// The store's own key for hashes, made by the first opening from SQLite's generator, which the system seeds.
fn hash_key(connection: &Connection) -> Result<[u8; 32], rusqlite::Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ('hash_key', hex(randomblob(32))) ON CONFLICT (key) DO NOTHING";
    connection.execute(sql, [])?;
    connection.query_row("SELECT unhex(value) FROM meta WHERE key = 'hash_key'", [], |row| {
        row.get(0)
    })
}

fn write_batches(connection: &Connection, receiver: &Receiver<Job>) {
    while let Ok(first) = receiver.recv() {
        let rest = receiver.try_iter().take(LARGEST_BATCH.saturating_sub(1));
        write_batch(connection, std::iter::once(first).chain(rest));
    }
}

fn write_batch(connection: &Connection, jobs: impl Iterator<Item = Job>) {
    let begun = connection.execute_batch("BEGIN IMMEDIATE").map_err(database_error);
    let transaction = begun.clone().map(|()| connection);
    let notify: Vec<Notify> = jobs.map(|job| job(transaction.clone())).collect();
    let committed = begun.and_then(|()| connection.execute_batch("COMMIT").map_err(database_error));
    if committed.is_err() {
        // SQLite may have rolled back by itself, and then there is nothing to roll back.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for tell in notify {
        tell(committed.clone());
    }
}

/// One job of a batch: if it fails or panics, its own writes are undone and the other jobs stay.
fn in_savepoint<T>(
    connection: &Connection,
    name: &str,
    work: impl FnOnce() -> Result<T, rusqlite::Error>,
) -> Result<T, StoreError> {
    let run = |sql: String| {
        let executed = connection.prepare_cached(&sql).and_then(|mut sql| sql.execute([]));
        executed.map(drop).map_err(database_error)
    };
    run(format!("SAVEPOINT {name}"))?;
    let result = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(database_error),
        Err(_) => Err(StoreError::Panicked),
    };
    if result.is_err() {
        run(format!("ROLLBACK TO {name}"))?;
    }
    run(format!("RELEASE {name}"))?;
    result
}

fn database_error(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error.to_string())
}
