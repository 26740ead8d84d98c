//! Everything that goes on without a request: fetching, answering and sending, each by a task of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::answering_waiting::AnsweringWaiting;
use super::aside::Agents;
use super::keeping_up::kept_up;
use super::presence::{Presence, Processes};
use super::pulling::{Puller, Receivers};
use super::reminding::Reminding;
use super::sending::{Clients, Sender};
use super::watching_outbreaks::WatchingOutbreaks;
use super::{ConversationClock, CurrentAssistant, CurrentSettings};
use crate::metrics::Metrics;
use crate::store::{KfAccountKey, Store};
use crate::wecom::Client;

/// The accounts that the apps may manage are listed so often.
const LIST_EVERY: Duration = Duration::from_secs(600);

/// After they could not be listed.
const LIST_AGAIN: Duration = Duration::from_secs(30);

/// An app that can call WeCom's API.
pub struct SendingApp {
    /// Name in the configuration.
    pub name: String,
    /// The company.
    pub corp_id: String,
    /// The app's number in its company.
    pub agent_id: u32,
    /// Whether it serves 微信客服.
    pub kf: bool,
    /// Its client.
    pub client: Arc<Client>,
}

/// Rings when there is news. Ringing is never needed for correctness: everything is looked for now and then.
#[derive(Clone)]
pub struct Bell {
    accounts: UnboundedSender<KfAccountKey>,
    accounts_changed: Arc<Notify>,
    sends: Arc<Notify>,
}

impl Bell {
    /// An account has messages to fetch.
    pub(super) fn ring_for(&self, account: KfAccountKey) {
        // Nobody listens while the process ends; the callback is on record.
        let _ = self.accounts.send(account);
    }

    /// The accounts that an app may manage have changed.
    pub(super) fn ring_for_changed_accounts(&self) {
        self.accounts_changed.notify_one();
    }

    /// There may be something to send.
    pub(super) fn ring_for_sending(&self) {
        self.sends.notify_one();
    }
}

/// All tasks, ready to run.
pub struct Outbound {
    assistant: CurrentAssistant,
    store: Arc<dyn Store>,
    clock: ConversationClock,
    apps: Vec<SendingApp>,
    settings: CurrentSettings,
    bell: Bell,
    rung: UnboundedReceiver<KfAccountKey>,
    arrived: Arc<Notify>,
    receivers: Arc<Receivers>,
    metrics: Metrics,
}

impl Outbound {
    /// For these apps. What is set in the console is in force with the first word of being alive.
    pub fn new(
        assistant: CurrentAssistant,
        store: Arc<dyn Store>,
        clock: ConversationClock,
        apps: Vec<SendingApp>,
        settings: CurrentSettings,
        metrics: Metrics,
    ) -> Self {
        let (accounts, rung) = unbounded_channel();
        let bell = Bell {
            accounts,
            accounts_changed: Arc::default(),
            sends: Arc::default(),
        };
        Self {
            assistant,
            store,
            clock,
            apps,
            settings,
            bell,
            rung,
            arrived: Arc::default(),
            receivers: Arc::default(),
            metrics,
        }
    }

    /// What callbacks ring.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Runs all tasks until `stop` says true. Then nothing new is begun, and what is being fetched, answered or sent comes to its end.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        // The tasks that may be cut off, and those that end by themselves.
        let (mut tasks, mut ending) = (JoinSet::new(), JoinSet::new());
        let (clients, processes) = (self.clients(), Processes::default());
        let (sender, stops) = (self.sender(&clients, &processes), stop.clone());
        ending.spawn(kept_up("sending", self.metrics.clone(), move || {
            sender.clone().run(stops.clone())
        }));
        let presence = self.presence(&clients, &processes);
        tasks.spawn(kept_up("presence", self.metrics.clone(), move || {
            presence.clone().run()
        }));
        let reminding = self.reminding();
        tasks.spawn(kept_up("reminding", self.metrics.clone(), move || {
            reminding.clone().run()
        }));
        let watching = self.watching_outbreaks();
        tasks.spawn(kept_up("outbreaks", self.metrics.clone(), move || {
            watching.clone().run()
        }));
        let (answering, stops) = (self.answering(), stop.clone());
        ending.spawn(kept_up("answering", self.metrics.clone(), move || {
            answering.clone().run(stops.clone())
        }));
        let stops = stop.clone();
        tokio::select! {
            () = self.pull(&mut tasks, &mut ending, &stops) => {}
            _ = stop.wait_for(|stops| *stops) => {}
        }
        while ending.join_next().await.is_some() {}
        tasks.shutdown().await;
    }

    /// Has every account pulled by a task of its own.
    async fn pull(&mut self, tasks: &mut JoinSet<()>, ending: &mut JoinSet<()>, stop: &watch::Receiver<bool>) {
        self.ring_for_known_accounts().await;
        let listing = self.listing();
        tasks.spawn(kept_up("listing", self.metrics.clone(), move || listing.clone().run()));
        let mut pullers: BTreeMap<KfAccountKey, Arc<Notify>> = BTreeMap::new();
        while let Some(account) = self.rung.recv().await {
            if let Some(news) = pullers.get(&account) {
                news.notify_one();
            } else if let Some(puller) = self.puller(&account, stop) {
                pullers.insert(account, Arc::clone(&puller.news));
                ending.spawn(kept_up("pulling", self.metrics.clone(), move || puller.clone().run()));
            }
        }
    }

    fn clients(&self) -> Arc<Clients> {
        let client = |app: &SendingApp| (app.name.clone(), Arc::clone(&app.client));
        Arc::new(self.apps.iter().map(client).collect())
    }

    fn sender(&self, clients: &Arc<Clients>, processes: &Processes) -> Sender {
        Sender {
            store: Arc::clone(&self.store),
            clients: Arc::clone(clients),
            clock: self.clock.clone(),
            news: Arc::clone(&self.bell.sends),
            ways: Arc::default(),
            processes: processes.clone(),
            metrics: self.metrics.clone(),
        }
    }

    fn presence(&self, clients: &Arc<Clients>, processes: &Processes) -> Presence {
        Presence {
            store: Arc::clone(&self.store),
            assistant: self.assistant.clone(),
            settings: self.settings.clone(),
            clients: Arc::clone(clients),
            processes: processes.clone(),
            metrics: self.metrics.clone(),
        }
    }

    fn agents(&self) -> Agents {
        let agent = |app: &SendingApp| ((app.corp_id.clone(), app.name.clone()), app.agent_id);
        self.apps.iter().map(agent).collect()
    }

    fn reminding(&self) -> Reminding {
        Reminding {
            assistant: self.assistant.clone(),
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            agents: self.agents(),
            news: Arc::clone(&self.bell.sends),
        }
    }

    fn watching_outbreaks(&self) -> WatchingOutbreaks {
        WatchingOutbreaks {
            assistant: self.assistant.clone(),
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            settings: self.settings.clone(),
            agents: self.agents(),
            news: Arc::clone(&self.bell.sends),
        }
    }

    /// The accounts that have had news before; nothing is asked for that could take long.
    async fn ring_for_known_accounts(&self) {
        match self.store.kf_accounts().await {
            Ok(accounts) => accounts.into_iter().for_each(|account| self.bell.ring_for(account)),
            Err(error) => {
                tracing::warn!(%error, "the accounts of 微信客服 cannot be read; each is found with its next callback");
            }
        }
    }

    fn listing(&self) -> Listing {
        let with_kf = self.apps.iter().filter(|app| app.kf);
        Listing {
            apps: with_kf
                .map(|app| (app.corp_id.clone(), app.name.clone(), Arc::clone(&app.client)))
                .collect(),
            bell: self.bell.clone(),
        }
    }

    fn puller(&self, account: &KfAccountKey, stop: &watch::Receiver<bool>) -> Option<Puller> {
        let is_its = |app: &&SendingApp| app.kf && app.name == account.app && app.corp_id == account.corp_id;
        let app = self.apps.iter().find(is_its)?;
        Some(Puller {
            account: account.clone(),
            client: Arc::clone(&app.client),
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            news: Arc::default(),
            arrived: Arc::clone(&self.arrived),
            receivers: Arc::clone(&self.receivers),
            refused_token: None,
            metrics: self.metrics.clone(),
            stop: stop.clone(),
        })
    }

    fn answering(&self) -> AnsweringWaiting {
        AnsweringWaiting {
            assistant: self.assistant.clone(),
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            arrived: Arc::clone(&self.arrived),
            sends: Arc::clone(&self.bell.sends),
            receivers: Arc::clone(&self.receivers),
            settings: self.settings.clone(),
            agents: Arc::new(self.agents()),
            metrics: self.metrics.clone(),
        }
    }
}

/// Lists the accounts that the apps may manage.
#[derive(Clone)]
struct Listing {
    /// Company, name and client of each app that serves 微信客服.
    apps: Vec<(String, String, Arc<Client>)>,
    bell: Bell,
}

impl Listing {
    /// Rings for the accounts at the start, when they change, and now and then.
    async fn run(self) {
        loop {
            let mut next = LIST_EVERY;
            for (corp_id, app, client) in &self.apps {
                match client.kf_accounts().await {
                    Ok(managed) => {
                        for account in managed.into_iter().filter(|account| account.manage_privilege) {
                            self.bell.ring_for(KfAccountKey {
                                corp_id: corp_id.clone(),
                                app: app.clone(),
                                open_kf_id: account.open_kf_id,
                            });
                        }
                    }
                    Err(error) => {
                        next = LIST_AGAIN;
                        tracing::error!(app, "the accounts of 微信客服 cannot be listed: {error}");
                    }
                }
            }
            tokio::select! {
                () = self.bell.accounts_changed.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }
}
