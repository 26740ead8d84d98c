//! Store, assistant and HTTP server put together, and taken down in order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use crate::config::Settings;
use crate::dialogue::Assistant;
use crate::http::{self, ServerState};
use crate::service::{ConversationClock, Service};
use crate::store::{Retention, SqliteStore, Store};

/// How often what has been kept long enough is removed.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// A server whose address is bound and whose store is open.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it remembers.
    pub store: Arc<dyn Store>,
    listener: TcpListener,
    state: ServerState,
    workers: Option<usize>,
    retention: Retention,
}

impl Server {
    /// Opens the store and binds the address.
    ///
    /// # Errors
    ///
    /// What keeps the store or the address from being used.
    pub fn prepare(settings: Settings, assistant: Arc<Assistant>, clock: ConversationClock) -> anyhow::Result<Self> {
        let Settings {
            server, storage, apps, ..
        } = settings;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&storage.path, storage.session_ttl)?);
        let listener = TcpListener::bind(server.listen).with_context(|| {
            format!(
                "cannot listen on {}; is another program using it? Change server.listen",
                server.listen
            )
        })?;
        let address = listener.local_addr().context("the bound address cannot be read")?;
        let service = Service::new(assistant, Arc::clone(&store), clock);
        let state = ServerState::new(apps, service, server.timestamp_window_seconds);
        Ok(Self {
            address,
            store,
            listener,
            state,
            workers: server.workers,
            retention: storage.retention,
        })
    }

    /// Serves until the process is told to stop, then finishes what is under way.
    ///
    /// # Errors
    ///
    /// When serving fails, or the store cannot be finished.
    pub async fn run(self) -> anyhow::Result<()> {
        let purging = actix_web::rt::spawn(purge_regularly(Arc::clone(&self.store), self.retention));
        let server = http::serve(self.listener, self.state, self.workers).context("cannot serve")?;
        let served = server.await.context("the server failed");
        purging.abort();
        self.store.close().await.context("the store could not be closed")?;
        served
    }
}

async fn purge_regularly(store: Arc<dyn Store>, retention: Retention) {
    loop {
        if let Err(error) = store.purge(Timestamp::now(), retention).await {
            tracing::warn!(%error, "old records could not be removed; trying again in an hour");
        }
        tokio::time::sleep(PURGE_EVERY).await;
    }
}
