//! The PostgreSQL store with a real server: what several processes do with one database, and what becomes of it when the server goes away.

#[path = "../../../tests/it/postgres_server.rs"]
mod postgres_server;

use std::sync::Arc;

use self::postgres_server::{PostgresServer, execute};
use super::*;
use crate::store::conformance::{Place, SESSION_TTL};
use crate::store::{InstanceReport, StoreAddress};

/// A silence that is over soon.
const SHORT: Duration = Duration::from_millis(600);

/// A database of the shared server.
pub(in crate::store) struct Database {
    url: String,
}

impl Database {
    pub(in crate::store) fn new() -> Self {
        Self {
            url: PostgresServer::shared().new_database(),
        }
    }

    fn open(&self) -> PostgresStore {
        open(&self.url)
    }

    /// For a test in which nobody dies, however long the machine keeps somebody waiting.
    fn open_patient(&self) -> PostgresStore {
        open_with_silence(&self.url, SILENCE.unsigned_abs())
    }
}

fn address(url: &str) -> PostgresAddress {
    match StoreAddress::parse(url) {
        Ok(StoreAddress::Postgres(address)) => address,
        other => panic!("{other:?}"),
    }
}

fn open(url: &str) -> PostgresStore {
    open_with_silence(url, SHORT)
}

fn open_with_silence(url: &str, silence: Duration) -> PostgresStore {
    let settings = PostgresSettings {
        connections: 4,
        session_ttl: SESSION_TTL,
    };
    PostgresStore::open_with_silence(&address(url), settings, silence).unwrap()
}

impl Place for Database {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async {
            let store = self.open();
            self.take_over(&store).await;
            Arc::new(store) as Arc<dyn Store>
        })
    }

    fn address(&self) -> StoreAddress {
        StoreAddress::parse(&self.url).unwrap()
    }

    fn execute(&self, sql: &str) -> BoxFuture<'_, ()> {
        execute(&self.url, sql).unwrap();
        Box::pin(async {})
    }
}

/// Fails while anybody holds anything.
const NOTHING_IS_HELD: &str = "DO $$ BEGIN
  IF EXISTS (SELECT owner FROM inbox WHERE fate IS NULL AND owner IS NOT NULL
             UNION SELECT owner FROM outbox WHERE fate IS NULL AND owner IS NOT NULL
             UNION SELECT owner FROM kf_accounts WHERE owner IS NOT NULL
             UNION SELECT owner FROM tokens WHERE owner IS NOT NULL)
  THEN RAISE EXCEPTION 'something is held'; END IF;
END $$";

impl Database {
    /// Has a store that holds nothing itself take over what silent ones hold.
    async fn take_over(&self, store: &PostgresStore) {
        store.beat(InstanceReport::default()).await.unwrap();
        while execute(&self.url, NOTHING_IS_HELD).is_err() {
            tokio::time::sleep(SHORT / 10).await;
            store.beat(InstanceReport::default()).await.unwrap();
        }
    }
}

mod encryption;
mod outage;
mod sharing;
