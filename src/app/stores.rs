//! Opens the store that the configuration names, whichever it is.

use std::sync::Arc;

use anyhow::Context;

use crate::config::Storage;
use crate::store::{PostgresSettings, PostgresStore, SqliteStore, Store, StoreAddress};

/// Opens the store for a server; it is made if it is missing, and its schema brought up to date.
///
/// # Errors
///
/// What keeps the store from being used.
pub fn open_store(storage: &Storage) -> anyhow::Result<Arc<dyn Store>> {
    Ok(match &storage.address {
        StoreAddress::Sqlite(path) => Arc::new(SqliteStore::open(path, storage.session_ttl)?),
        StoreAddress::Postgres(address) => {
            let settings = PostgresSettings {
                connections: storage.connections,
                session_ttl: storage.session_ttl,
            };
            Arc::new(PostgresStore::open(address, settings)?)
        }
    })
}

/// Opens an existing store beside the servers that use it.
///
/// # Errors
///
/// What keeps the store from being used.
pub fn open_store_beside(storage: &Storage) -> anyhow::Result<Box<dyn Store>> {
    Ok(match &storage.address {
        StoreAddress::Sqlite(path) => Box::new(SqliteStore::open_beside(path)?),
        StoreAddress::Postgres(address) => Box::new(PostgresStore::open_beside(address)?),
    })
}

/// Opens an existing store for a command, beside the servers that use it, and does something with it.
///
/// # Errors
///
/// What keeps the store from being used, and what goes wrong then.
pub fn with_store_beside<T>(
    storage: &Storage,
    work: impl AsyncFnOnce(&dyn Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let store = open_store_beside(storage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start waiting for the store")?.block_on(async {
        let done = work(&*store).await;
        store.close().await.context("the store could not be closed")?;
        done
    })
}
