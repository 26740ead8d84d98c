//! What all pages share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::access::{Hashing, Throttle};
use super::days::Days;
use crate::config::Networks;
use crate::metrics::Metrics;
use crate::service::{ConversationClock, CurrentAssistant};
use crate::store::Store;
use crate::workshop::Workshop;

/// What the console is made of.
pub struct Console {
    pub(super) store: Arc<dyn Store>,
    pub(super) assistant: CurrentAssistant,
    pub(super) workshop: Arc<Workshop>,
    pub(super) clock: ConversationClock,
    pub(super) metrics: Metrics,
    pub(super) trusted_proxies: Networks,
    pub(super) hashing: Hashing,
    pub(super) days: Days,
    /// The configuration file, if there is one.
    pub(super) configuration: Option<PathBuf>,
    /// Held by the one examination that is under way.
    pub(super) examining: tokio::sync::Mutex<()>,
    throttle: Mutex<Throttle>,
}

impl Console {
    /// A console that shows what this store has and how this assistant answers, whose knowledge the workshop edits. `trusted_proxies` are
    /// believed when they say whom they pass on; the doctor examines what the `configuration` file says now.
    pub fn new(
        store: Arc<dyn Store>,
        assistant: CurrentAssistant,
        workshop: Workshop,
        clock: ConversationClock,
        metrics: Metrics,
        trusted_proxies: Networks,
        configuration: Option<PathBuf>,
    ) -> Self {
        Self {
            store,
            assistant,
            workshop: Arc::new(workshop),
            clock,
            metrics,
            trusted_proxies,
            hashing: Hashing::default(),
            days: Days::default(),
            configuration,
            examining: tokio::sync::Mutex::default(),
            throttle: Mutex::default(),
        }
    }

    pub(super) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
