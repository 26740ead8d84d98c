//! A PostgreSQL as one side of a copy.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use super::connecting::Connector;
use super::opening;
use super::pool::{Transaction, database_error};
use super::values::{Value, values};
use super::{NOW, SILENCE, outbox};
use crate::store::copying::{Cell, CopyError, Row, TABLES, Table, is_of_one_store, select};
use crate::store::{PostgresAddress, StoreError};

/// Nobody joins while there is a copy: whoever starts a server now is told so by its failure. A copy takes as long as it takes.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = '10min';
                     SET LOCAL lock_timeout = '5s'; LOCK TABLE instances IN EXCLUSIVE MODE";

/// A database that no server uses, in a transaction.
pub(in crate::store) struct PostgresCopy {
    client: Client,
}

impl PostgresCopy {
    /// Opens a database that a server has made.
    pub(in crate::store) async fn open_source(address: &PostgresAddress) -> Result<Self, CopyError> {
        let pool = opening::reach(Connector::new(address)?, 1, &address.to_string()).await?;
        opening::check_schema(&pool, &address.to_string()).await?;
        Self::begin(address).await
    }

    /// Opens a database; its schema is made, or brought up to date.
    pub(in crate::store) async fn open_target(address: &PostgresAddress) -> Result<Self, CopyError> {
        let pool = opening::reach(Connector::new(address)?, 1, &address.to_string()).await?;
        opening::migrate(&pool, &opening::MIGRATIONS, &address.to_string()).await?;
        Self::begin(address).await
    }

    async fn begin(address: &PostgresAddress) -> Result<Self, CopyError> {
        let name = address.to_string();
        let unusable = |error: &Error| CopyError::Postgres(opening::unusable(&name, database_error(error)));
        let client = Connector::new(address)?.connect().await;
        let client = client.map_err(|error| unusable(&error))?;
        client.batch_execute(BEGIN).await.map_err(|error| unusable(&error))?;
        let copy = Self { client };
        let silence = i64::try_from(SILENCE.as_millis()).unwrap_or(i64::MAX);
        let sql = format!("SELECT 1 FROM instances WHERE beat_at >= {NOW} - $1");
        let live = copy.transaction().rows(&sql, values![silence]).await;
        match live.map_err(|error| unusable(&error))?.is_empty() {
            true => Ok(copy),
            false => Err(CopyError::InUse { address: name }),
        }
    }

    fn transaction(&self) -> Transaction<'_> {
        Transaction::on(&self.client)
    }

    pub(in crate::store) async fn columns(&self, table: Table) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT attname::text FROM pg_attribute
                   WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let rows = self.transaction().rows(sql, values![table.name]).await;
        let names = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
        names.map_err(|error: Error| database_error(&error))
    }

    pub(in crate::store) async fn read(
        &self,
        table: Table,
        columns: &[String],
        last: Option<&[Cell]>,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = select(table, table.name, columns, last, |place| format!("${place}"));
        let last = last.unwrap_or_default().iter().map(value).collect();
        let rows = self.transaction().rows(&sql, last).await;
        let rows = rows.and_then(|rows| rows.iter().map(cells).collect());
        rows.map_err(|error: Error| database_error(&error))
    }

    pub(in crate::store) async fn write(
        &self,
        table: Table,
        columns: &[String],
        rows: &[Row],
    ) -> Result<(), StoreError> {
        let rows: Vec<&Row> = rows
            .iter()
            .filter(|row| !is_of_one_store(table, columns, row))
            .collect();
        let kinds = self
            .kinds(table, columns)
            .await
            .map_err(|error| database_error(&error))?;
        let arrays: Vec<String> = (1..).zip(&kinds).map(|(place, kind)| kind.array(place)).collect();
        let (names, arrays) = (columns.join(", "), arrays.join(", "));
        // Of `meta` what is copied takes the place of what is there.
        let conflict = match table.name {
            "meta" => "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            _ => "",
        };
        let sql = format!(
            "INSERT INTO {} ({names}) SELECT * FROM unnest({arrays}) {conflict}",
            table.name
        );
        let values = (0..)
            .zip(&kinds)
            .map(|(place, kind)| kind.column(&rows, place))
            .collect();
        let written = self.transaction().execute(&sql, values).await;
        written.map(drop).map_err(|error| database_error(&error))
    }

    /// What these columns hold.
    async fn kinds(&self, table: Table, columns: &[String]) -> Result<Vec<Kind>, Error> {
        let sql = "SELECT format_type(atttypid, NULL) FROM unnest($2::text[]) WITH ORDINALITY AS wanted (name, place)
                   JOIN pg_attribute ON attrelid = to_regclass($1) AND attname = wanted.name ORDER BY place";
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let rows = self.transaction().rows(sql, values![table.name, names]).await?;
        let kinds = rows.iter().map(|row| {
            Ok(match row.try_get(0)? {
                "bigint" => Kind::Integers,
                "bytea" => Kind::Bytes,
                _ => Kind::Texts,
            })
        });
        kinds.collect()
    }

    /// Numbers go on after the highest one, and nobody holds anything.
    pub(in crate::store) async fn finish(self) -> Result<(), StoreError> {
        self.release().await.map_err(|error| database_error(&error))?;
        self.client
            .batch_execute("COMMIT")
            .await
            .map_err(|error| database_error(&error))
    }

    async fn release(&self) -> Result<(), Error> {
        let transaction = self.transaction();
        for table in TABLES.iter().filter(|table| table.key == ["id"]) {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence('{0}', 'id'), coalesce(max(id), 0) + 1, false) FROM {0}",
                table.name
            );
            transaction.rows(&sql, Vec::new()).await?;
        }
        transaction
            .script("UPDATE kf_accounts SET owner = NULL; UPDATE tokens SET owner = NULL, refresh_until = 0; UPDATE inbox SET owner = NULL WHERE fate IS NULL AND owner IS NOT NULL")
            .await?;
        let sql = "SELECT DISTINCT owner FROM outbox WHERE fate IS NULL AND owner IS NOT NULL";
        let owners = transaction.rows(sql, Vec::new()).await?;
        let owners: Vec<String> = owners.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let owners = owners.iter().map(String::as_str).collect();
        outbox::give_back(transaction, owners).await.map(drop)
    }
}

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    Integers,
    Texts,
    Bytes,
}

impl Kind {
    fn array(self, place: usize) -> String {
        match self {
            Self::Integers => format!("${place}::bigint[]"),
            Self::Texts => format!("${place}::text[]"),
            Self::Bytes => format!("${place}::bytea[]"),
        }
    }

    fn column<'a>(self, rows: &[&'a Row], place: usize) -> Value<'a> {
        let cells = rows.iter().map(|row| row.get(place));
        match self {
            Self::Integers => Value::from(cells.map(integer).collect::<Vec<_>>()),
            Self::Texts => Value::from(cells.map(text).collect::<Vec<_>>()),
            Self::Bytes => Value::from(cells.map(bytes).collect::<Vec<_>>()),
        }
    }
}

fn integer(cell: Option<&Cell>) -> Option<i64> {
    match cell {
        Some(Cell::Integer(number)) => Some(*number),
        _ => None,
    }
}

fn text(cell: Option<&Cell>) -> Option<&str> {
    match cell {
        Some(Cell::Text(text)) => Some(text),
        _ => None,
    }
}

fn bytes(cell: Option<&Cell>) -> Option<&[u8]> {
    match cell {
        Some(Cell::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

/// A value of a key.
fn value(cell: &Cell) -> Value<'_> {
    match cell {
        Cell::Nothing => Value::from(None::<i64>),
        Cell::Integer(number) => Value::from(*number),
        Cell::Text(text) => Value::from(text),
        Cell::Bytes(bytes) => Value::from(bytes.as_slice()),
    }
}

fn cells(row: &tokio_postgres::Row) -> Result<Row, Error> {
    let columns = row.columns().iter().enumerate();
    let cells = columns.map(|(place, column)| {
        Ok(match *column.type_() {
            Type::INT8 => row
                .try_get::<_, Option<i64>>(place)?
                .map_or(Cell::Nothing, Cell::Integer),
            Type::BYTEA => row
                .try_get::<_, Option<Vec<u8>>>(place)?
                .map_or(Cell::Nothing, Cell::Bytes),
            _ => row
                .try_get::<_, Option<String>>(place)?
                .map_or(Cell::Nothing, Cell::Text),
        })
    });
    cells.collect()
}
