//! Moves everything from one store into another, row by row: from a SQLite file to a PostgreSQL, and back.
//!
//! Both kinds have the same columns (a SQLite file keeps the words of replies apart from the messages), and the key for hashes goes along, so
//! that people and messages stay who they are.

use super::postgres::PostgresCopy;
use super::sqlite::SqliteCopy;
use super::{PostgresOpenError, SqliteOpenError, StoreAddress, StoreError};

/// A table to copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// What its rows are told apart by, in order.
    pub(super) key: &'static [&'static str],
}

/// The tables, those that others refer to first. Processes do not move.
pub(super) const TABLES: [Table; 21] = [
    table("meta", &["key"]),
    table("messages", &["message"]),
    table("sessions", &["conversation"]),
    table("questions", &["message"]),
    table("appeals", &["id"]),
    table("reminders", &["appeal", "business_day"]),
    table("ratings", &["message"]),
    table("tokens", &["app"]),
    table("kf_accounts", &["corp_id", "app", "open_kf_id"]),
    table("inbox", &["id"]),
    table("customers", &["person"]),
    table("outbox", &["id"]),
    table("callbacks_seen", &["id"]),
    table("console_users", &["id"]),
    table("console_links", &["hash"]),
    table("console_sessions", &["hash"]),
    table("console_audit", &["id"]),
    table("knowledge_versions", &["id"]),
    table("knowledge_drafts", &["author"]),
    table("settings", &["name"]),
    table("outbreaks", &["id"]),
];

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key }
}

/// What of `meta` belongs to one store alone.
pub(super) const OF_ONE_STORE: [&str; 2] = ["schema", "probe"];

/// So many rows are read and written at a time.
pub(super) const AT_ONCE: usize = 500;

/// A value as both kinds of store have it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Nothing,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

pub(super) type Row = Vec<Cell>;

/// Why a store could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A SQLite file cannot be used.
    #[error(transparent)]
    Sqlite(#[from] SqliteOpenError),
    /// A PostgreSQL cannot be used.
    #[error(transparent)]
    Postgres(#[from] PostgresOpenError),
    /// Reading or writing failed; the target is as it was.
    #[error("{address}: {error}; nothing was copied")]
    Store {
        /// Which store.
        address: String,
        /// What it says.
        error: StoreError,
    },
    /// The target has something in it.
    #[error("{address} is not empty: there is something in `{table}`; copy into a new store")]
    NotEmpty {
        /// Which store.
        address: String,
        /// Where there is something.
        table: &'static str,
    },
    /// A server uses one of the two.
    #[error("a server uses {address}, or was killed less than 15 seconds ago; stop it first")]
    InUse {
        /// Which store.
        address: String,
    },
    /// There is only one.
    #[error("both addresses name the same store")]
    Same,
    /// There is no such file.
    #[error("there is no database {address}")]
    Missing {
        /// Which store.
        address: String,
    },
}

/// How many rows were copied of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
}

/// One of the two stores.
enum Side {
    Sqlite(SqliteCopy),
    Postgres(PostgresCopy),
}

impl Side {
    async fn columns(&self, table: Table) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(store) => store.columns(table),
            Self::Postgres(store) => store.columns(table).await,
        }
    }

    /// The rows that follow `last`, in the order of their keys.
    async fn read(&self, table: Table, columns: &[String], last: Option<&[Cell]>) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(store) => store.read(table, columns, last),
            Self::Postgres(store) => store.read(table, columns, last).await,
        }
    }

    async fn write(&self, table: Table, columns: &[String], rows: &[Row]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.write(table, columns, rows),
            Self::Postgres(store) => store.write(table, columns, rows).await,
        }
    }

    /// Nobody holds anything in the new store. Then it is made durable.
    async fn finish(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.finish(),
            Self::Postgres(store) => store.finish().await,
        }
    }
}

/// Copies everything. Neither store may be in use, and the target must be new.
///
/// # Errors
///
/// What stands against it, or what went wrong; the target is then as it was.
pub async fn copy_store(from: &StoreAddress, to: &StoreAddress) -> Result<Vec<CopiedTable>, CopyError> {
    if from == to {
        return Err(CopyError::Same);
    }
    let failed = |address: &StoreAddress| {
        let address = address.to_string();
        move |error| CopyError::Store { address, error }
    };
    let source = match from {
        StoreAddress::Sqlite(path) if !path.exists() => {
            let address = from.to_string();
            return Err(CopyError::Missing { address });
        }
        StoreAddress::Sqlite(path) => Side::Sqlite(SqliteCopy::open(path)?),
        StoreAddress::Postgres(address) => Side::Postgres(PostgresCopy::open_source(address).await?),
    };
    let target = match to {
        StoreAddress::Sqlite(path) => Side::Sqlite(SqliteCopy::open(path)?),
        StoreAddress::Postgres(address) => Side::Postgres(PostgresCopy::open_target(address).await?),
    };
    for table in TABLES.into_iter().filter(|table| table.name != "meta") {
        let columns = target.columns(table).await.map_err(failed(to))?;
        let rows = target.read(table, &columns, None).await.map_err(failed(to))?;
        if !rows.is_empty() {
            let (address, table) = (to.to_string(), table.name);
            return Err(CopyError::NotEmpty { address, table });
        }
    }
    let mut copied = Vec::new();
    for table in TABLES {
        let there = target.columns(table).await.map_err(failed(to))?;
        let here = source.columns(table).await.map_err(failed(from))?;
        let columns: Vec<String> = here.into_iter().filter(|column| there.contains(column)).collect();
        let mut count = 0;
        let mut last: Option<Row> = None;
        loop {
            let rows = source
                .read(table, &columns, last.as_deref())
                .await
                .map_err(failed(from))?;
            let Some(newest) = rows.last() else { break };
            last = Some(key_of(table, &columns, newest));
            target.write(table, &columns, &rows).await.map_err(failed(to))?;
            count += u64::try_from(rows.len()).unwrap_or_default();
        }
        let (table, rows) = (table.name, count);
        copied.push(CopiedTable { table, rows });
    }
    target.finish().await.map_err(failed(to))?;
    Ok(copied)
}

fn key_of(table: Table, columns: &[String], row: &[Cell]) -> Row {
    let cell = |key: &&str| {
        let place = columns.iter().position(|column| column == key)?;
        row.get(place).cloned()
    };
    table.key.iter().map(|key| cell(key).unwrap_or(Cell::Nothing)).collect()
}

/// A statement that reads rows; `value` writes the n-th value, from 1.
pub(super) fn select(
    table: Table,
    from: &str,
    columns: &[String],
    last: Option<&[Cell]>,
    value: impl Fn(usize) -> String,
) -> String {
    let (columns, key) = (columns.join(", "), table.key.join(", "));
    let after = match last {
        None => String::new(),
        Some(last) => {
            let values: Vec<String> = (1..=last.len()).map(value).collect();
            format!("WHERE ({key}) > ({})", values.join(", "))
        }
    };
    format!("SELECT {columns} FROM {from} {after} ORDER BY {key} LIMIT {AT_ONCE}")
}

/// Whether a row of `meta` belongs to one store alone. Its key is the first column.
pub(super) fn is_of_one_store(table: Table, columns: &[String], row: &[Cell]) -> bool {
    let key = key_of(table, columns, row);
    table.name == "meta" && matches!(key.as_slice(), [Cell::Text(key)] if OF_ONE_STORE.contains(&key.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::Place;
    use crate::store::postgres::tests::Database;
    use crate::store::sqlite::tests::Folder;

    /// The places of the newest row in a log, and whose claim something is, say nothing in another store.
    const OF_ONE_KIND: [&str; 2] = ["sessions.id", "tokens.owner"];

    #[test]
    fn both_kinds_of_store_have_the_same_columns() {
        let (folder, database) = (Folder::new(), Database::new());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let (StoreAddress::Sqlite(path), StoreAddress::Postgres(address)) = (folder.address(), database.address())
            else {
                panic!("a file and a database")
            };
            let sqlite = Side::Sqlite(SqliteCopy::open(&path).unwrap());
            let postgres = Side::Postgres(PostgresCopy::open_target(&address).await.unwrap());
            let mut different = Vec::new();
            for table in TABLES {
                let (one, other) = (
                    sqlite.columns(table).await.unwrap(),
                    postgres.columns(table).await.unwrap(),
                );
                assert!(!one.is_empty() && !other.is_empty(), "{table:?}");
                let of_one = one.iter().filter(|column| !other.contains(column));
                let of_other = other.iter().filter(|column| !one.contains(column));
                different.extend(of_one.chain(of_other).map(|column| format!("{}.{column}", table.name)));
            }
            assert_eq!(different, OF_ONE_KIND);
        });
    }
}
