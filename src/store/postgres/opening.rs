//! Opening a database: for a server, or beside the servers that use it.

use std::path::PathBuf;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::Error;

use super::connecting::Connector;
use super::pool::{Connection, Pool, Transaction};
use super::values::values;
use crate::store::StoreError;

/// Versions of the schema; the database remembers how many have run. Published ones never change.
///
/// While one server is replaced after the other, programs of two versions use the same database. A migration therefore only adds, in a way
/// that the program before it can live with; what is no longer needed goes with the version after.
pub(super) const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
];

/// One server at a time brings the schema up to date; the number is anything that nobody else uses.
const MIGRATING: i64 = 0x6a69_6566_656e_6700;

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be reached, or does not let us in.
    #[error("cannot use the database {address}: {error}")]
    Database {
        /// Which database, without the password.
        address: String,
        /// What the server says.
        error: StoreError,
    },
    /// Written by a later version of the program.
    #[error("the database {address} has schema {found}, this program knows up to {known}; use the newer program")]
    Newer {
        /// Which database.
        address: String,
        /// Schema of the database.
        found: usize,
        /// Latest schema of this program.
        known: usize,
    },
    /// A server has to bring it up to date first.
    #[error("the database {address} has schema {found}, this program reads {known}; start its server once")]
    Older {
        /// Which database.
        address: String,
        /// Schema of the database.
        found: usize,
        /// Latest schema of this program.
        known: usize,
    },
    /// The file of authorities for its certificate cannot be used.
    #[error("cannot read the authorities in `{path}` (sslrootcert): {reason}")]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(rustls::Error),
    /// This machine has no random numbers for a key.
    #[error("this machine has no random numbers: {0}")]
    Random(getrandom::Error),
    /// The thread could not be started.
    #[error("cannot start the database thread: {0}")]
    Thread(std::io::Error),
}

/// A pool whose database can be reached.
pub(super) async fn reach(connector: Connector, connections: usize, address: &str) -> Result<Pool, OpenError> {
    let pool = Pool::new(connector, connections);
    let patience = super::pool::PATIENCE * 3;
    let end = Instant::now() + patience;
    let reached = match timeout_at(end, pool.connection(end)).await {
        Ok(reached) => reached.map(Connection::give_back),
        Err(_) => Err(StoreError::Database("it does not answer".to_owned())),
    };
    match reached {
        Ok(()) => Ok(pool),
        Err(error) => Err(unusable(address, error)),
    }
}

/// The database cannot be used, for what it says.
pub(super) fn unusable(address: &str, error: impl Into<StoreError>) -> OpenError {
    OpenError::Database {
        address: address.to_owned(),
        error: error.into(),
    }
}

/// Runs the migrations that are missing, each in a transaction of its own; a newer schema is refused.
pub(super) async fn migrate(pool: &Pool, migrations: &[&str], address: &str) -> Result<(), OpenError> {
    loop {
        let migrated = pool.transaction(async |transaction| migrate_once(transaction, migrations).await);
        let found = migrated.await.map_err(|failure| unusable(address, failure))?;
        match found {
            Step::Migrated => {}
            Step::Current => return Ok(()),
            Step::Newer(found) => return Err(newer(address, found)),
        }
    }
}

enum Step {
    Migrated,
    Current,
    Newer(usize),
}

async fn migrate_once(transaction: Transaction<'_>, migrations: &[&str]) -> Result<Step, Error> {
    // Another server may be at it, and a migration may take its time.
    transaction
        .script("SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '1min'")
        .await?;
    transaction
        .rows("SELECT pg_advisory_xact_lock($1)", values![MIGRATING])
        .await?;
    let found = schema(transaction).await?;
    let Some(migration) = migrations.get(found) else {
        return Ok(match found == migrations.len() {
            true => Step::Current,
            false => Step::Newer(found),
        });
    };
    transaction
        .script("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        .await?;
    transaction.script(migration).await?;
    let sql =
        "INSERT INTO meta (key, value) VALUES ('schema', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    let version = found.saturating_add(1).to_string();
    transaction.execute(sql, values![&version]).await?;
    Ok(Step::Migrated)
}

/// How many migrations have run.
async fn schema(transaction: Transaction<'_>) -> Result<usize, Error> {
    let sql = "SELECT to_regclass('meta') IS NOT NULL";
    let has_meta = transaction.row_if_any(sql, Vec::new()).await?;
    let has_meta: bool = has_meta.map_or(Ok(false), |row| row.try_get(0))?;
    if !has_meta {
        return Ok(0);
    }
    let sql = "SELECT value FROM meta WHERE key = 'schema'";
    let Some(row) = transaction.row_if_any(sql, Vec::new()).await? else {
        return Ok(0);
    };
    let version: String = row.try_get(0)?;
    Ok(version.parse().unwrap_or(usize::MAX))
}

/// Refuses a schema that is not this program's.
pub(super) async fn check_schema(pool: &Pool, address: &str) -> Result<(), OpenError> {
    let found = pool.transaction(async |transaction| schema(transaction).await);
    let found = found.await.map_err(|failure| unusable(address, failure))?;
    let known = MIGRATIONS.len();
    let address = address.to_owned();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(OpenError::Newer { address, found, known }),
        std::cmp::Ordering::Less => Err(OpenError::Older { address, found, known }),
    }
}

fn newer(address: &str, found: usize) -> OpenError {
    OpenError::Newer {
        address: address.to_owned(),
        found,
        known: MIGRATIONS.len(),
    }
}

/// The store's own key for hashes, made by the first opening.
pub(super) async fn hash_key(pool: &Pool, address: &str) -> Result<[u8; 32], OpenError> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(OpenError::Random)?;
    let made: String = random.iter().map(|byte| format!("{byte:02X}")).collect();
    let stored = pool.transaction(async |transaction| {
        let sql = "INSERT INTO meta (key, value) VALUES ('hash_key', $1) ON CONFLICT (key) DO NOTHING";
        transaction.execute(sql, values![&made]).await?;
        let sql = "SELECT decode(value, 'hex') FROM meta WHERE key = 'hash_key'";
        let row = transaction.row_if_any(sql, Vec::new()).await?;
        let key: Option<Vec<u8>> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(super::bytes(&key.unwrap_or_default()))
    });
    stored.await.map_err(|failure| unusable(address, failure))
}
