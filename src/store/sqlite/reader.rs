//! Looking into a SQLite store without changing it, also while a server uses it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::appeals::all_appeals;
use super::opening::MIGRATIONS;
use crate::store::{RatingCount, TrackedAppeal};

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
pub struct StoreReader {
    connection: Connection,
    path: PathBuf,
}

impl StoreReader {
    /// Opens an existing file.
    ///
    /// # Errors
    ///
    /// No such file, no database, or one of another version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
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
        Ok(Self {
            connection,
            path: path.to_owned(),
        })
    }

    /// Copies everything into an empty file, as it is at one moment.
    pub(super) fn copy_into(&self, file: &Path) -> Result<(), rusqlite::Error> {
        self.connection
            .execute("VACUUM INTO ?1", [file.to_string_lossy()])
            .map(drop)
    }

    /// All appeals on file, the newest first.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn appeals(&self) -> Result<Vec<TrackedAppeal>, ReadError> {
        all_appeals(&self.connection).map_err(|error| self.unreadable(error))
    }

    /// How answers were rated, by scenario and verdict.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    pub fn ratings(&self) -> Result<Vec<RatingCount>, ReadError> {
        self.count_ratings().map_err(|error| self.unreadable(error))
    }

    fn count_ratings(&self) -> Result<Vec<RatingCount>, rusqlite::Error> {
        let sql =
            "SELECT scenario, verdict, count(*) FROM ratings GROUP BY scenario, verdict ORDER BY scenario, verdict";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            let count: i64 = row.get(2)?;
            Ok(RatingCount {
                scenario: row.get(0)?,
                verdict: row.get(1)?,
                count: u64::try_from(count).unwrap_or_default(),
            })
        })?;
        rows.collect()
    }

    fn unreadable(&self, error: rusqlite::Error) -> ReadError {
        ReadError::Unreadable {
            path: self.path.clone(),
            error,
        }
    }
}
