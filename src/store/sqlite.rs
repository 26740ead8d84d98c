//! The store in one SQLite file.
//!
//! One thread owns the only connection. It takes what is waiting, does all of it in one transaction and commits once, so that the cost
//! of durability is shared by the messages that arrive together. Nobody is told "done" before that commit.

use std::fs::OpenOptions;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::Sha256;
use tokio::sync::oneshot;

use super::appeals::{change_appeal, open_appeal};
use super::{
    BoxFuture, ConversationKey, MessageKey, QuestionRecord, Rating, Remembered, Retention, Settlement, Step,
    StepFunction, Store, StoreError,
};

/// Versions of the schema; the file remembers in `user_version` how many have run. Published ones never change.
pub(super) const MIGRATIONS: [&str; 2] = [include_str!("migrations/1.sql"), include_str!("migrations/2.sql")];

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
    hash_key: [u8; 32],
    session_ttl: SignedDuration,
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
        let hash_key = hash_key(&connection).map_err(opened)?;
        let (sender, receiver) = sync_channel(LONGEST_QUEUE);
        let thread = std::thread::Builder::new().name("store".to_owned());
        let writer = thread
            .spawn(move || write_batches(&connection, &receiver))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            hash_key,
            session_ttl,
        })
    }

    /// Hands work to the writer thread and waits until it is durable.
    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.and_then(|connection| in_savepoint(connection, work));
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

    fn hash(&self, parts: [&str; 3]) -> Vec<u8> {
        // Each part goes in with its length, so that no two different triples hash the same text.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.hash_key) else {
            return Vec::new();
        };
        for part in parts {
            mac.update(&part.len().to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().to_vec()
    }

    fn message_hash(&self, key: &MessageKey) -> Vec<u8> {
        self.hash([&key.corp_id, &key.app, &key.deduplication_key])
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
            message: self.message_hash(&key),
            person: self.hash([&conversation.corp_id, &conversation.app, &conversation.user]),
            conversation,
            key,
            now: now.as_millisecond(),
            expires_at: now
                .checked_add(self.session_ttl)
                .unwrap_or(Timestamp::MAX)
                .as_millisecond(),
        };
        self.submit(move |connection| settling.run(connection, step))
    }

    fn question(&self, key: MessageKey) -> BoxFuture<'_, Result<Option<QuestionRecord>, StoreError>> {
        let message = self.message_hash(&key);
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

/// A message to settle, with everything hashed.
struct Settling {
    message: Vec<u8>,
    person: Vec<u8>,
    conversation: ConversationKey,
    key: MessageKey,
    now: i64,
    expires_at: i64,
}

impl Settling {
    fn run(self, connection: &Connection, step: StepFunction) -> Result<Settlement, rusqlite::Error> {
        if let Some(earlier) = self.earlier(connection)? {
            return Ok(earlier);
        }
        let Step {
            session,
            reply,
            question,
            appeal,
            rating,
        } = step(Remembered {
            session: self.session(connection)?,
            appeal: open_appeal(connection, &self.person)?,
        });
        connection
            .prepare_cached("INSERT INTO messages (message, reply, settled_at) VALUES (?1, ?2, ?3)")?
            .execute(params![self.message, reply, self.now])?;
        self.save_session(connection, session)?;
        if let Some(question) = question {
            self.save_question(connection, &question)?;
        }
        change_appeal(connection, &self.person, &self.conversation, self.now, &appeal)?;
        if let Some(rating) = rating {
            self.save_rating(connection, &rating)?;
        }
        Ok(Settlement {
            reply,
            settled_at: timestamp(self.now),
            repeated: false,
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

    fn session(&self, connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
        let sql = "SELECT state FROM sessions WHERE conversation = ?1 AND expires_at > ?2";
        let mut statement = connection.prepare_cached(sql)?;
        statement
            .query_row(params![self.person, self.now], |row| row.get(0))
            .optional()
    }

    fn save_session(&self, connection: &Connection, session: Option<String>) -> Result<(), rusqlite::Error> {
        let Some(state) = session else {
            let mut statement = connection.prepare_cached("DELETE FROM sessions WHERE conversation = ?1")?;
            return statement.execute([&self.person]).map(drop);
        };
        let sql = "INSERT INTO sessions (conversation, state, expires_at) VALUES (?1, ?2, ?3)
                   ON CONFLICT (conversation) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at";
        connection
            .prepare_cached(sql)?
            .execute(params![self.person, state, self.expires_at])
            .map(drop)
    }

    fn save_question(&self, connection: &Connection, question: &QuestionRecord) -> Result<(), rusqlite::Error> {
        let record = serde_json::to_string(question).unwrap_or_default();
        let sql =
            "INSERT INTO questions (message, person, corp_id, app, asked_at, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let asked_at = question.asked_at.as_millisecond();
        let values = params![
            self.message,
            self.person,
            self.key.corp_id,
            self.key.app,
            asked_at,
            record
        ];
        connection.prepare_cached(sql)?.execute(values).map(drop)
    }

    fn save_rating(&self, connection: &Connection, rating: &Rating) -> Result<(), rusqlite::Error> {
        let sql = "INSERT INTO ratings (message, corp_id, app, rated_at, scenario, verdict, knowledge_version)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = params![
            self.message,
            self.key.corp_id,
            self.key.app,
            self.now,
            rating.scenario,
            rating.verdict,
            rating.knowledge_version
        ];
        connection.prepare_cached(sql)?.execute(values).map(drop)
    }
}

pub(super) fn timestamp(milliseconds: i64) -> Timestamp {
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
    work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
) -> Result<T, StoreError> {
    connection
        .prepare_cached("SAVEPOINT job")
        .and_then(|mut sql| sql.execute([]))
        .map_err(database_error)?;
    let result = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
        Ok(result) => result.map_err(database_error),
        Err(_) => Err(StoreError::Panicked),
    };
    if result.is_err() {
        connection.execute_batch("ROLLBACK TO job").map_err(database_error)?;
    }
    connection
        .prepare_cached("RELEASE job")
        .and_then(|mut sql| sql.execute([]))
        .map_err(database_error)?;
    result
}

fn database_error(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error.to_string())
}
