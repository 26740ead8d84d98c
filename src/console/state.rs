//! What all pages share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::access::{Hashing, Throttle};
use super::days::Days;
use super::unanswered::Remembered;
use crate::config::Networks;
use crate::metrics::Metrics;
use crate::service::{ConversationClock, CurrentAssistant, CurrentSettings};
use crate::store::Store;
use crate::workshop::Workshop;

/// An app, as the console knows it.
pub struct ConsoleApp {
    /// Name in the configuration.
    pub name: String,
    /// The company.
    pub corp_id: String,
    /// Whether it has a Secret, so that it can send.
    pub can_send: bool,
}

/// What the console shows and changes.
pub struct Subject {
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// How it is answered.
    pub assistant: CurrentAssistant,
    /// Where the knowledge is edited.
    pub workshop: Workshop,
    /// What the bot takes for now.
    pub clock: ConversationClock,
    /// What is counted.
    pub metrics: Metrics,
    /// What is in force.
    pub settings: CurrentSettings,
    /// The apps whose callbacks are received.
    pub apps: Vec<ConsoleApp>,
    /// Proxies that are believed when they say whom they pass on.
    pub trusted_proxies: Networks,
    /// The configuration file, if there is one; the doctor examines what it says now.
    pub configuration: Option<PathBuf>,
}

/// What the console is made of.
pub struct Console {
    pub(super) store: Arc<dyn Store>,
    pub(super) assistant: CurrentAssistant,
    pub(super) workshop: Arc<Workshop>,
    pub(super) clock: ConversationClock,
    pub(super) metrics: Metrics,
    pub(super) settings: CurrentSettings,
    pub(super) apps: Vec<ConsoleApp>,
    pub(super) trusted_proxies: Networks,
    pub(super) hashing: Hashing,
    pub(super) days: Days,
    pub(super) unanswered: Remembered,
    /// The configuration file, if there is one.
    pub(super) configuration: Option<PathBuf>,
    /// Held by the one examination that is under way.
    pub(super) examining: tokio::sync::Mutex<()>,
    throttle: Mutex<Throttle>,
}

impl Console {
    /// A console for this.
    pub fn new(subject: Subject) -> Self {
        Self {
            store: subject.store,
            assistant: subject.assistant,
            workshop: Arc::new(subject.workshop),
            clock: subject.clock,
            metrics: subject.metrics,
            settings: subject.settings,
            apps: subject.apps,
            trusted_proxies: subject.trusted_proxies,
            hashing: Hashing::default(),
            days: Days::default(),
            unanswered: Remembered::default(),
            configuration: subject.configuration,
            examining: tokio::sync::Mutex::default(),
            throttle: Mutex::default(),
        }
    }

    pub(super) fn app_names(&self) -> Vec<&str> {
        self.apps.iter().map(|app| app.name.as_str()).collect()
    }

    pub(super) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
