//! A consistent copy of a file while a server uses it, and what a server makes of such a copy.
//!
//! What was answered after the copy was made is not in it. Whatever waits there, and whatever was said before the copy took the file's
//! place, may have been answered already: a message that WeCom has under the same id then counts as sent, and one that WeCom would show a
//! second time is not sent.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::reader::{ReadError, Reader};
use super::timestamp;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place is taken.
    #[error("`{0}` exists already; name a file that does not")]
    Exists(PathBuf),
    /// There is nothing to copy.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The copy cannot be written.
    #[error("cannot write `{path}`: {error}")]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Copying failed.
    #[error("cannot copy the database to `{path}`: {error}")]
    Copying {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// The copy is damaged, and so may be what it was made of.
    #[error("the copy is damaged, and so the database may be: {finding}")]
    Damaged {
        /// What SQLite says.
        finding: String,
    },
}

/// Copies the file `from` to `to`, for its owner's eyes only, and looks the copy through; its size in bytes. A server may go on using
/// the file. What has been removed from it is not in the copy.
///
/// # Errors
///
/// What keeps the copy from being made; nothing is left at `to` then.
pub fn back_up(from: &Path, to: &Path, now: Timestamp) -> Result<u64, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let copied = copy(from, &partial, now).and_then(|()| finish(&partial, to));
    if copied.is_err() {
        // What is left of it is of no use, and nothing is lost if it cannot be removed.
        let _ = std::fs::remove_file(&partial);
    }
    copied
}

fn copy(from: &Path, partial: &Path, now: Timestamp) -> Result<(), BackupError> {
    let reader = Reader::open(from)?;
    create(partial).map_err(|error| unwritable(partial, error))?;
    let copying = |error| BackupError::Copying {
        path: partial.to_owned(),
        error,
    };
    reader.copy_into(partial).map_err(copying)?;
    let copy = Connection::open(partial).map_err(copying)?;
    mark(&copy, now).map_err(copying)?;
    let sql = "PRAGMA integrity_check(1)";
    let finding: String = copy.query_row(sql, [], |row| row.get(0)).map_err(copying)?;
    match finding.as_str() {
        "ok" => Ok(()),
        _ => Err(BackupError::Damaged { finding }),
    }
}

/// An empty file for its owner only; what an interrupted copy left goes first.
fn create(partial: &Path) -> io::Result<()> {
    match std::fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(partial).map(drop)
}

/// Makes sure that the copy is on the disk before it has its name.
fn finish(partial: &Path, to: &Path) -> Result<u64, BackupError> {
    let finished = || {
        let file = File::open(partial)?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        std::fs::rename(partial, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(bytes)
    };
    finished().map_err(|error| unwritable(to, error))
}

fn unwritable(path: &Path, error: io::Error) -> BackupError {
    BackupError::Unwritable {
        path: path.to_owned(),
        error,
    }
}

/// Leaves word that this is a copy, and that whatever waits in it may have been sent since.
fn mark(copy: &Connection, now: Timestamp) -> Result<(), rusqlite::Error> {
    let sql =
        "INSERT INTO meta (key, value) VALUES ('copied_at', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    copy.execute(sql, [now.as_millisecond().to_string()])?;
    copy.execute("UPDATE outbox SET owner = 'before the copy' WHERE fate IS NULL", [])
        .map(drop)
}

/// Notes that a copy has taken the place of the file, once; when it was made.
pub(super) fn note_restored(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>, rusqlite::Error> {
    let sql = "DELETE FROM meta WHERE key = 'copied_at' RETURNING CAST(value AS INTEGER)";
    let copied_at: Option<i64> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    let Some(copied_at) = copied_at else { return Ok(None) };
    let sql = "INSERT INTO meta (key, value) VALUES ('restored_at', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.execute(sql, params![now.as_millisecond().to_string()])?;
    Ok(Some(timestamp(copied_at)))
}
