//! Everything that goes on without a request: fetching, answering and sending, each by a task of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::answering::{Answerer, FRESH};
use super::aside::{Agents, answer_or_set_aside};
use super::presence::{Presence, Processes};
use super::pulling::{Puller, Receivers};
use super::reminding::Reminding;
use super::sending::{Clients, Sender};
use super::{ConversationClock, CurrentAssistant};
use crate::dialogue::DutyHours;
use crate::store::{KfAccountKey, Store, Waiting};
use crate::wecom::Client;

/// So many conversations are answered in one transaction.
const ANSWERED_AT_ONCE: u32 = 128;

/// The accounts that the apps may manage are listed so often.
const LIST_EVERY: Duration = Duration::from_secs(600);

/// After they could not be listed.
const LIST_AGAIN: Duration = Duration::from_secs(30);

/// What waits is looked for at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    duty: Option<DutyHours>,
    bell: Bell,
    rung: UnboundedReceiver<KfAccountKey>,
    arrived: Arc<Notify>,
    receivers: Arc<Receivers>,
}

impl Outbound {
    /// For these apps; people take over during `duty`.
    pub fn new(
        assistant: CurrentAssistant,
        store: Arc<dyn Store>,
        clock: ConversationClock,
        apps: Vec<SendingApp>,
        duty: Option<DutyHours>,
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
            duty,
            bell,
            rung,
            arrived: Arc::default(),
            receivers: Arc::default(),
        }
    }

    /// What callbacks ring.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Runs all tasks until `stop` says true. Then nothing new is begun, and what is being sent is sent to its end.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let clients = self.clients();
        let processes = Processes::default();
        let sender = self.sender(&clients, &processes);
        let sending = actix_web::rt::spawn(sender.run(stop.clone()));
        tasks.spawn(self.presence(&clients, &processes).run());
        tasks.spawn(self.reminding().run());
        tasks.spawn(self.answering());
        tokio::select! {
            () = self.pull(&mut tasks) => {}
            _ = stop.wait_for(|stops| *stops) => {}
        }
        tasks.shutdown().await;
        let _ = sending.await;
    }

    /// Has every account pulled by a task of its own.
    async fn pull(&mut self, tasks: &mut JoinSet<()>) {
        self.ring_for_known_accounts().await;
        tasks.spawn(self.listing());
        let mut pullers: BTreeMap<KfAccountKey, Arc<Notify>> = BTreeMap::new();
        while let Some(account) = self.rung.recv().await {
            if let Some(news) = pullers.get(&account) {
                news.notify_one();
            } else if let Some(puller) = self.puller(&account) {
                pullers.insert(account, Arc::clone(&puller.news));
                tasks.spawn(puller.run());
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
        }
    }

    fn presence(&self, clients: &Arc<Clients>, processes: &Processes) -> Presence {
        Presence {
            store: Arc::clone(&self.store),
            assistant: self.assistant.clone(),
            clients: Arc::clone(clients),
            processes: processes.clone(),
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

    /// The accounts that have had news before; nothing is asked for that could take long.
    async fn ring_for_known_accounts(&self) {
        match self.store.kf_accounts().await {
            Ok(accounts) => accounts.into_iter().for_each(|account| self.bell.ring_for(account)),
            Err(error) => {
                tracing::warn!(%error, "the accounts of 微信客服 cannot be read; each is found with its next callback");
            }
        }
    }

    /// Rings for the accounts that the apps may manage, at the start, when that changes, and now and then.
    fn listing(&self) -> impl Future<Output = ()> + Send + 'static {
        let with_kf = self.apps.iter().filter(|app| app.kf);
        let apps: Vec<(String, String, Arc<Client>)> = with_kf
            .map(|app| (app.corp_id.clone(), app.name.clone(), Arc::clone(&app.client)))
            .collect();
        let bell = self.bell.clone();
        async move {
            loop {
                let mut next = LIST_EVERY;
                for (corp_id, app, client) in &apps {
                    match client.kf_accounts().await {
                        Ok(managed) => {
                            for account in managed.into_iter().filter(|account| account.manage_privilege) {
                                bell.ring_for(KfAccountKey {
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
                    () = bell.accounts_changed.notified() => {}
                    () = tokio::time::sleep(next) => {}
                }
            }
        }
    }

    fn puller(&self, account: &KfAccountKey) -> Option<Puller> {
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
        })
    }

    /// Answers what waits, for as long as the process runs.
    fn answering(&self) -> impl Future<Output = ()> + Send + 'static {
        let (assistant, store, clock) = (self.assistant.clone(), Arc::clone(&self.store), self.clock.clone());
        let (arrived, sends) = (Arc::clone(&self.arrived), Arc::clone(&self.bell.sends));
        let (receivers, duty) = (Arc::clone(&self.receivers), self.duty);
        let agents = Arc::new(self.agents());
        async move {
            loop {
                let now = clock.platform_now();
                let answerer = Answerer {
                    assistant: assistant.get(),
                    duty,
                    now,
                    conversation_now: clock.now(),
                };
                let (receivers, agents) = (Arc::clone(&receivers), Arc::clone(&agents));
                let answer = Box::new(move |waiting: Waiting| {
                    let receives = receivers.of(&waiting.account);
                    answer_or_set_aside(&answerer, &agents, waiting, receives)
                });
                let answered = store
                    .answer_waiting(now, earlier(now, FRESH), ANSWERED_AT_ONCE, answer)
                    .await;
                match answered {
                    Ok(0) => {}
                    Ok(_) => {
                        sends.notify_one();
                        continue;
                    }
                    Err(error) => tracing::error!(%error, "what waits could not be answered; trying again"),
                }
                tokio::select! {
                    () = arrived.notified() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        }
    }
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}
