//! Looking into a SQLite store without changing it, also while a server uses it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::opening::MIGRATIONS;

/// Why a store cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file, or it is no database.
    #[error("cannot read the database `{path}`: {error}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// Written by another version of the program.
    #[error(
        "the database `{path}` has schema {found}, this program reads {known}; use the program that the server runs"
    )]
    OtherSchema {
        /// Which file.
        path: PathBuf,
        /// Schema of the file.
        found: usize,
        /// Schema of this program.
        known: usize,
    },
}

/// A SQLite store, open for reading only.
pub(super) struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens an existing file.
    ///
    /// # Errors
    ///
    /// No such file, no database, or one of another version.
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let unreadable = |error| ReadError::Unreadable {
            path: path.to_owned(),
            error,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(unreadable)?;
        let found: u32 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(unreadable)?;
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        if found != MIGRATIONS.len() {
            return Err(ReadError::OtherSchema {
                path: path.to_owned(),
                found,
                known: MIGRATIONS.len(),
            });
        }
        Ok(Self { connection })
    }

    /// Copies everything into an empty file, as it is at one moment.
    pub(super) fn copy_into(&self, file: &Path) -> Result<(), rusqlite::Error> {
        self.connection
            .execute("VACUUM INTO ?1", [file.to_string_lossy()])
            .map(drop)
    }
}
