//! A SQLite file as one side of a copy.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::opening::{self, Lock, OpenError};
use super::replies::{Made, Replies};
use super::statements::Statements;
use super::writer::database_error;
use crate::store::StoreError;
use crate::store::copying::{Cell, Row, Table, is_of_one_store, select};

/// A file that nobody else uses, in a transaction.
pub(in crate::store) struct SqliteCopy {
    connection: Connection,
    replies: Replies,
    _lock: Lock,
}

impl SqliteCopy {
    /// Opens a file; it is made if it is missing, and its schema brought up to date.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, OpenError> {
        let (connection, lock) = opening::open_alone(path)?;
        let begun = connection.execute_batch("BEGIN IMMEDIATE");
        begun.map_err(|error| opening::unusable(path, error))?;
        // What is said of a backup that took the file's place holds in the new store as well.
        let noted = super::backup::note_restored(&connection, Timestamp::now());
        noted.map_err(|error| opening::unusable(path, error))?;
        Ok(Self {
            connection,
            replies: Replies::default(),
            _lock: lock,
        })
    }

    pub(in crate::store) fn columns(&self, table: Table) -> Result<Vec<String>, StoreError> {
        self.read_columns(table).map_err(database_error)
    }

    fn read_columns(&self, table: Table) -> Result<Vec<String>, rusqlite::Error> {
        let sql = "SELECT name FROM pragma_table_info(?1)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let names = statement.query_map([table.name], |row| row.get(0))?;
        let mut names = names.collect::<Result<Vec<String>, _>>()?;
        if table.name == "messages" {
            names.push("knowledge_version".to_owned());
        }
        Ok(names)
    }

    pub(in crate::store) fn read(
        &self,
        table: Table,
        columns: &[String],
        last: Option<&[Cell]>,
    ) -> Result<Vec<Row>, StoreError> {
        // States of conversations are a log, of which the newest counts, and the words of replies have a table of their own.
        let from = match table.name {
            "messages" => {
                "(SELECT message, text AS reply, settled_at, coalesce(knowledge_version, '') AS knowledge_version
                  FROM messages LEFT JOIN replies ON replies.id = reply)"
            }
            "sessions" => "(SELECT * FROM sessions WHERE id IN (SELECT max(id) FROM sessions GROUP BY conversation))",
            name => name,
        };
        let sql = select(table, from, columns, last, |place| format!("?{place}"));
        self.rows(&sql, columns.len(), last.unwrap_or_default())
            .map_err(database_error)
    }

    fn rows(&self, sql: &str, width: usize, values: &[Cell]) -> Result<Vec<Row>, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| {
            (0..width).map(|place| row.get(place)).collect()
        })?;
        rows.collect()
    }

    pub(in crate::store) fn write(&self, table: Table, columns: &[String], rows: &[Row]) -> Result<(), StoreError> {
        if table.name == "messages" {
            return self.write_messages(columns, rows);
        }
        let places: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
        let (names, places) = (columns.join(", "), places.join(", "));
        // Of `meta` what is copied takes the place of what is there.
        let sql = format!("INSERT OR REPLACE INTO {} ({names}) VALUES ({places})", table.name);
        let mut statement = self.connection.prepare_cached(&sql).map_err(database_error)?;
        for row in rows.iter().filter(|row| !is_of_one_store(table, columns, row)) {
            statement.execute(params_from_iter(row)).map_err(database_error)?;
        }
        Ok(())
    }

    fn write_messages(&self, columns: &[String], rows: &[Row]) -> Result<(), StoreError> {
        let statements = Statements::on(&self.connection);
        let place_of = |name: &str| columns.iter().position(|column| column == name);
        let places = ["message", "reply", "settled_at", "knowledge_version"].map(place_of);
        for row in rows {
            let cells = places.map(|place| place.and_then(|place| row.get(place)));
            let [
                Some(Cell::Bytes(message)),
                reply,
                Some(Cell::Integer(settled_at)),
                Some(Cell::Text(version)),
            ] = cells
            else {
                return Err(StoreError::Database(
                    "a row of `messages` has other kinds of values".to_owned(),
                ));
            };
            let reply = match reply {
                Some(Cell::Text(text)) => Some(Made {
                    text,
                    knowledge_version: version,
                }),
                _ => None,
            };
            let saved = self.replies.save(&statements, message, reply, *settled_at);
            saved.map_err(database_error)?;
        }
        Ok(())
    }

    pub(in crate::store) fn finish(self) -> Result<(), StoreError> {
        super::instances::take_over(&self.connection).map_err(database_error)?;
        self.connection.execute_batch("COMMIT").map_err(database_error)
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Nothing => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl rusqlite::types::FromSql for Cell {
    fn column_result(value: ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        Ok(match value {
            ValueRef::Null => Self::Nothing,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(_) => return Err(rusqlite::types::FromSqlError::InvalidType),
            ValueRef::Text(_) => Self::Text(value.as_str()?.to_owned()),
            ValueRef::Blob(bytes) => Self::Bytes(bytes.to_owned()),
        })
    }
}
