//! Store, assistant and HTTP server put together, and taken down in order.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::console::{ConsoleAddress, console_listener};
use super::listening::{bound, listener};
use super::reloading::{KnowledgeSource, Reloading};
use super::running::{End, Running};
use super::signals::{Hangups, Stops};
use super::stores::open_store;
use crate::config::{App, Settings, Wecom};
use crate::console::{self, Console, ConsoleApp, FirstRun, Subject};
use crate::http::{self, Capacity, Listeners, ServerState};
use crate::metrics::Metrics;
use crate::service::{ConversationClock, CurrentAssistant, CurrentSettings, Outbound, SendingApp, Service, kept_up};
use crate::store::Store;
use crate::wecom::{Client, ClientSettings};
use crate::workshop::Workshop;

/// How often what has been kept long enough is removed.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// How long WeCom's API may take to answer.
const API_TIMEOUT: Duration = Duration::from_secs(10);

/// A server whose address is bound and whose store is open.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its admin console is, if it has one.
    pub console: Option<ConsoleAddress>,
    /// Where it remembers.
    pub store: Arc<dyn Store>,
    listeners: Listeners,
    console_listener: Option<TcpListener>,
    console_state: Console,
    first_run: Option<FirstRun>,
    state: ServerState,
    outbound: Outbound,
    capacity: Capacity,
    drain: Duration,
    settings: CurrentSettings,
    reloading: Reloading,
    stops: Stops,
    metrics: Metrics,
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
        // A signal that comes from now on is followed once everything is ready.
        let (hangups, stops) = (Hangups::heard()?, Stops::heard()?);
        let Settings {
            server,
            storage,
            apps,
            wecom,
            adjustable,
            console,
            file,
            knowledge,
            ..
        } = settings;
        let store = open_store(&storage)?;
        let metrics = Metrics::default();
        let sending = sending_apps(&apps, &wecom, &store, &metrics)?;
        let current_settings = CurrentSettings::new(adjustable);
        let outbound = Outbound::new(
            assistant.clone(),
            Arc::clone(&store),
            clock.clone(),
            sending,
            current_settings.clone(),
            metrics.clone(),
        );
        let listeners = Listeners {
            callbacks: listener(server.listen)?,
            metrics: server
                .metrics_listen
                .map(|address| bound(address, "server.metrics_listen"))
                .transpose()?,
        };
        let console_listener = console_listener(console)?;
        let console = Console::new(Subject {
            store: Arc::clone(&store),
            assistant: assistant.clone(),
            workshop: Workshop::new(&knowledge, Arc::clone(&store), assistant.clone()),
            clock: clock.clone(),
            metrics: metrics.clone(),
            settings: current_settings.clone(),
            apps: apps.iter().map(console_app).collect(),
            trusted_proxies: server.trusted_proxies.clone(),
            configuration: file,
        });
        let address = listeners.callbacks.local_addr();
        let address = address.context("the bound address cannot be read")?;
        let reloading = Reloading {
            source,
            current: assistant.clone(),
            hangups,
            metrics: metrics.clone(),
        };
        let service = Service::new(assistant, Arc::clone(&store), clock, outbound.bell(), metrics.clone());
        let state = ServerState::new(
            apps,
            service,
            server.timestamp_window_seconds,
            server.trusted_proxies,
            storage.address.file().map(Path::to_owned),
        );
        let console_address = console_listener.as_ref().map(TcpListener::local_addr).transpose();
        let console_address = console_address.context("the console's address cannot be read")?;
        Ok(Self {
            address,
            console: console_address.map(ConsoleAddress::of),
            store,
            listeners,
            console_listener,
            console_state: console,
            first_run: None,
            state,
            outbound,
            capacity: Capacity {
                workers: server.workers,
                connections: server.max_connections,
            },
            drain: Duration::from_secs(server.drain_seconds),
            settings: current_settings,
            reloading,
            stops,
            metrics,
        })
    }

    /// Has the console served on this listener instead of where the configuration says, with the pages of a first run beside it.
    ///
    /// # Errors
    ///
    /// When the listener has no address.
    pub fn with_first_run(self, listener: TcpListener, first_run: FirstRun) -> anyhow::Result<Self> {
        let address = listener.local_addr();
        let address = address.context("the console's address cannot be read")?;
        Ok(Self {
            console: Some(ConsoleAddress::of(address)),
            console_listener: Some(listener),
            first_run: Some(first_run),
            ..self
        })
    }

    /// Serves until the process is told to stop, then finishes what is under way. A second signal ends it at once.
    ///
    /// # Errors
    ///
    /// When serving fails, or the store cannot be finished.
    pub async fn run(self) -> anyhow::Result<End> {
        let (mut running, mut stops) = self.start()?;
        let told = tokio::select! {
            () = stops.next() => Ok(()),
            failure = running.failure() => Err(failure),
        };
        let is_told = told.is_ok();
        let finishing = async {
            if is_told {
                running.drain().await;
            }
            running.finish().await
        };
        tokio::select! {
            finished = finishing => match (finished?, told) {
                // Whoever waited for such a store would wait for ever.
                (End::WithoutStore, Err(failure)) => {
                    tracing::error!("{failure:#}");
                    Ok(End::WithoutStore)
                }
                (end, told) => told.map(|()| end),
            },
            () = stops.next() => Ok(End::AtOnce),
        }
    }

    fn start(self) -> anyhow::Result<(Running, Stops)> {
        let (store, settings, metrics) = (Arc::clone(&self.store), self.settings, self.metrics);
        let mut beside = JoinSet::new();
        beside.spawn(kept_up("purging", metrics.clone(), move || {
            purge_regularly(Arc::clone(&store), settings.clone())
        }));
        let reloading = Arc::new(Mutex::new(self.reloading));
        beside.spawn(kept_up("reloading", metrics, move || {
            let reloading = Arc::clone(&reloading);
            async move { reloading.lock().await.run().await }
        }));
        let (stop_outbound, outbound_stops) = watch::channel(false);
        let outbound = actix_web::rt::spawn(self.outbound.run(outbound_stops));
        let (serving, ending) = http::serve(self.listeners, self.state, self.capacity).context("cannot serve")?;
        let (state, first_run) = (self.console_state, self.first_run);
        let console = self
            .console_listener
            .map(|listener| console::serve(listener, state, first_run));
        let console = console.transpose().context("cannot serve the admin console")?;
        let stop_console = console.as_ref().map(actix_web::dev::Server::handle);
        if let Some(console) = console {
            actix_web::rt::spawn(console);
        }
        let running = Running {
            store: self.store,
            serving: actix_web::rt::spawn(serving),
            ending,
            drain: self.drain,
            outbound,
            stop_outbound,
            stop_console,
            beside,
        };
        Ok((running, self.stops))
    }
}

fn console_app(app: &App) -> ConsoleApp {
    ConsoleApp {
        name: app.name.clone(),
        corp_id: app.credentials.receive_id().to_owned(),
        can_send: app.secret.is_some(),
    }
}

/// The apps that have a Secret, each with its client.
fn sending_apps(
    apps: &[App],
    wecom: &Wecom,
    store: &Arc<dyn Store>,
    metrics: &Metrics,
) -> anyhow::Result<Vec<SendingApp>> {
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
            metrics: metrics.clone(),
        };
        let corp_id = settings.corp_id.clone();
        Ok(SendingApp {
            name: app.name.clone(),
            corp_id,
            agent_id: app.agent_id,
            kf: app.kf,
            client: Arc::new(Client::new(settings, Arc::clone(store) as _)?),
        })
    });
    sending.collect()
}

/// How long things are kept may be set in the console, so nothing is removed before that is known.
async fn purge_regularly(store: Arc<dyn Store>, settings: CurrentSettings) {
    loop {
        let purged = match settings.follow(&*store).await {
            Ok(()) => store.purge(Timestamp::now(), settings.get().retention).await,
            Err(error) => Err(error),
        };
        if let Err(error) = purged {
            tracing::warn!(%error, "old records could not be removed; trying again in an hour");
        }
        tokio::time::sleep(PURGE_EVERY).await;
    }
}
