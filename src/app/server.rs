//! Store, assistant and HTTP server put together, and taken down in order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::watch;

use super::reloading::{KnowledgeSource, Reloading};
use super::signals::Hangups;
use crate::config::{App, Settings, Wecom};
use crate::http::{self, Capacity, ServerState};
use crate::service::{ConversationClock, CurrentAssistant, Outbound, SendingApp, Service};
use crate::store::{Retention, SqliteStore, Store};
use crate::wecom::{Client, ClientSettings, TokenStore};

/// How often what has been kept long enough is removed.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// How long WeCom's API may take to answer.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// How long what is being sent may still take after a stop signal.
const LAST_SENDS: Duration = Duration::from_secs(4);

/// A server whose address is bound and whose store is open.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it remembers.
    pub store: Arc<dyn Store>,
    listener: TcpListener,
    state: ServerState,
    outbound: Outbound,
    capacity: Capacity,
    retention: Retention,
    reloading: Reloading,
}

impl Server {
    /// Opens the store and binds the address. `assistant` answers until the source of its knowledge changes.
    ///
    /// # Errors
    ///
    /// What keeps the store or the address from being used.
    pub fn prepare(
        settings: Settings,
        source: KnowledgeSource,
        assistant: CurrentAssistant,
        clock: ConversationClock,
    ) -> anyhow::Result<Self> {
        let Settings {
            server,
            storage,
            apps,
            wecom,
            duty,
            ..
        } = settings;
        let sqlite = Arc::new(SqliteStore::open(&storage.path, storage.session_ttl)?);
        let store: Arc<dyn Store> = Arc::clone(&sqlite) as Arc<dyn Store>;
        let sending = sending_apps(&apps, &wecom, &sqlite)?;
        let outbound = Outbound::new(assistant.clone(), Arc::clone(&store), clock.clone(), sending, duty);
        let listener = TcpListener::bind(server.listen).with_context(|| {
            format!(
                "cannot listen on {}; is another program using it? Change server.listen",
                server.listen
            )
        })?;
        let address = listener.local_addr().context("the bound address cannot be read")?;
        let reloading = Reloading {
            source,
            current: assistant.clone(),
            hangups: Hangups::heard().context("SIGHUP cannot be heard")?,
        };
        let service = Service::new(assistant, Arc::clone(&store), clock, outbound.bell());
        let state = ServerState::new(apps, service, server.timestamp_window_seconds, server.trusted_proxies);
        Ok(Self {
            address,
            store,
            listener,
            state,
            outbound,
            capacity: Capacity {
                workers: server.workers,
                connections: server.max_connections,
            },
            retention: storage.retention,
            reloading,
        })
    }

    /// Serves until the process is told to stop, then finishes what is under way.
    ///
    /// # Errors
    ///
    /// When serving fails, or the store cannot be finished.
    pub async fn run(self) -> anyhow::Result<()> {
        let purging = actix_web::rt::spawn(purge_regularly(Arc::clone(&self.store), self.retention));
        let reloading = actix_web::rt::spawn(self.reloading.run());
        let (stop, stops) = watch::channel(false);
        let outbound = actix_web::rt::spawn(self.outbound.run(stops));
        let server = http::serve(self.listener, self.state, self.capacity).context("cannot serve")?;
        let served = server.await.context("the server failed");
        purging.abort();
        reloading.abort();
        let _ = stop.send(true);
        if tokio::time::timeout(LAST_SENDS, outbound).await.is_err() {
            tracing::warn!("some messages were still being sent; they are sent again at the next start");
        }
        self.store.close().await.context("the store could not be closed")?;
        served
    }
}

/// The apps that have a Secret, each with its client.
fn sending_apps(apps: &[App], wecom: &Wecom, store: &Arc<SqliteStore>) -> anyhow::Result<Vec<SendingApp>> {
    let with_secret = apps.iter().filter_map(|app| Some((app, app.secret.clone()?)));
    let sending = with_secret.map(|(app, secret)| {
        let settings = ClientSettings {
            app: app.name.clone(),
            corp_id: app.credentials.receive_id().to_owned(),
            secret,
            agent_id: app.agent_id,
            api_base: wecom.api_base.clone(),
            proxy: wecom.proxy.clone(),
            timeout: API_TIMEOUT,
        };
        let corp_id = settings.corp_id.clone();
        let tokens = Arc::clone(store) as Arc<dyn TokenStore>;
        Ok(SendingApp {
            name: app.name.clone(),
            corp_id,
            agent_id: app.agent_id,
            kf: app.kf,
            client: Arc::new(Client::new(settings, tokens)?),
        })
    });
    sending.collect()
}

async fn purge_regularly(store: Arc<dyn Store>, retention: Retention) {
    loop {
        if let Err(error) = store.purge(Timestamp::now(), retention).await {
            tracing::warn!(%error, "old records could not be removed; trying again in an hour");
        }
        tokio::time::sleep(PURGE_EVERY).await;
    }
}
