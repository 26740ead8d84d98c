//! Opening a file: for a server alone, or beside one.

use std::cmp::Ordering;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

/// Versions of the schema; the file remembers in `user_version` how many have run. Published ones never change.
pub(super) const MIGRATIONS: [&str; 11] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
    include_str!("migrations/8.sql"),
    include_str!("migrations/9.sql"),
    include_str!("migrations/10.sql"),
    include_str!("migrations/11.sql"),
];

/// How long another process may hold the file, for example a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// More than there are different statements: preparing one costs more than running it.
const STATEMENTS: usize = 128;

/// A file up to this size, in bytes, is looked through at the start; it takes a fifth of a second.
const LARGEST_CHECKED: u64 = 64 * 1024 * 1024;

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
    /// Some pages of the file do not fit together.
    #[error("the database `{path}` is damaged: {finding}; restore a backup; nothing is repaired by itself")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        finding: String,
    },
    /// Another server has it.
    #[error("another server uses the database `{path}`; a SQLite file is for one, several share a PostgreSQL")]
    InUse {
        /// Which file.
        path: PathBuf,
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
    /// A server has to bring it up to date first.
    #[error("the database `{path}` has schema {found}, this program reads {known}; start its server once")]
    Older {
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

/// Held by a server for as long as it uses the file.
pub(super) struct Lock(#[expect(dead_code, reason = "it is held, not looked at")] File);

/// Opens a file, which is made if it is missing, and brings its schema up to date. What a process before held is known to be free.
pub(super) fn open_alone(path: &Path) -> Result<(Connection, Lock), OpenError> {
    create_private_file(path).map_err(|error| OpenError::Create {
        path: path.to_owned(),
        error,
    })?;
    let lock = lock(path)?;
    Ok((open(path, migrate)?, lock))
}

/// Opens a file that a server may be using, perhaps an older program than this one.
pub(super) fn open_beside(path: &Path) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Create {
            path: path.to_owned(),
            error: std::io::Error::other("there is no such database yet; has the server been started?"),
        });
    }
    open(path, schema)
}

/// The file cannot be used, for what SQLite says.
pub(super) fn unusable(path: &Path, error: rusqlite::Error) -> OpenError {
    OpenError::Open {
        path: path.to_owned(),
        error,
    }
}

/// Says whether the file and its log are still where they were opened: what is written to a file that somebody removed or replaced is lost.
pub(super) fn still_in_place(path: &Path) -> impl Fn() -> bool + Send + 'static {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let paths = [path.to_owned(), PathBuf::from(log)];
    let identities = move || paths.each_ref().map(|path| identity(path));
    let opened = identities();
    move || identities() == opened
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<(u64, u64)> {
    None
}

/// Opens a file whose schema is as `prepare` finds or leaves it.
fn open(
    path: &Path,
    prepare: impl FnOnce(&Connection) -> Result<usize, rusqlite::Error>,
) -> Result<Connection, OpenError> {
    let opened = |error| unusable(path, error);
    let connection = connect(path).map_err(opened)?;
    check(path, &connection)?;
    let (found, known) = (prepare(&connection).map_err(opened)?, MIGRATIONS.len());
    let path = path.to_owned();
    match found.cmp(&known) {
        Ordering::Greater => Err(OpenError::Newer { path, found, known }),
        Ordering::Less => Err(OpenError::Older { path, found, known }),
        Ordering::Equal => Ok(connection),
    }
}

/// Looks for damage, in a file that is small enough for it at a start.
fn check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size > LARGEST_CHECKED {
        return Ok(());
    }
    let finding: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| unusable(path, error))?;
    match finding.as_str() {
        "ok" => Ok(()),
        _ => Err(OpenError::Damaged {
            path: path.to_owned(),
            finding,
        }),
    }
}

/// A file beside the database that one server alone can lock. The system gives it back when the process ends, however it ends.
fn lock(path: &Path) -> Result<Lock, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let created = |error| OpenError::Create {
        path: name.clone(),
        error,
    };
    create_private_file(&name).map_err(created)?;
    let file = OpenOptions::new().append(true).open(&name).map_err(created)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(created(error)),
    }
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
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Runs the migrations that are missing and returns the schema's version; a newer one is left alone.
fn migrate(connection: &Connection) -> Result<usize, rusqlite::Error> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let found = schema(connection)?;
    for (version, sql) in (1..).zip(MIGRATIONS).skip(found) {
        connection.execute_batch(sql)?;
        connection.pragma_update(None, "user_version", version)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(found.max(MIGRATIONS.len()))
}

fn schema(connection: &Connection) -> Result<usize, rusqlite::Error> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// The store's own key for hashes, made by the first opening from SQLite's generator, which the system seeds.
pub(super) fn hash_key(connection: &Connection) -> Result<[u8; 32], rusqlite::Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ('hash_key', hex(randomblob(32))) ON CONFLICT (key) DO NOTHING";
    connection.execute(sql, [])?;
    connection.query_row("SELECT unhex(value) FROM meta WHERE key = 'hash_key'", [], |row| {
        row.get(0)
    })
}
