//! What request handlers share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ending::Draining;
use super::fate::Fate;
use super::noting::Notes;
use super::reason::Reason;
use super::source::Sources;
use crate::config::{App, Networks};
use crate::metrics::Metrics;
use crate::protocol::{CredentialSet, CredentialSets};
use crate::service::Service;
use crate::store::StoreError;

/// How long the outcome of a probe stands. A probe is a durable write, so a load balancer must not cause one with every request.
const PROBE_STANDS: Duration = Duration::from_secs(5);

/// A store that takes longer would be too late for a callback as well.
const PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// That an app's previous credentials are still in use is said so often.
const BETWEEN_REMINDERS: Duration = Duration::from_secs(3600);

/// Everything a handler needs.
pub struct ServerState {
    apps: BTreeMap<String, App>,
    service: Service,
    metrics: Metrics,
    database: Option<PathBuf>,
    timestamp_window_seconds: i64,
    trusted_proxies: Networks,
    sources: Mutex<Sources>,
    last_probe: Mutex<Option<(Instant, Result<(), StoreError>)>>,
    /// When each app's previous credentials were last said to be in use.
    reminded: Mutex<BTreeMap<String, Instant>>,
    draining: Draining,
    notes: Notes,
}

impl ServerState {
    /// State for these apps; `timestamp_window_seconds` is how far the time stamp of a callback may be from now, `trusted_proxies` are
    /// believed when they say whom they pass on, and `database` tells where to look for room on the disk.
    pub fn new(
        apps: impl IntoIterator<Item = App>,
        service: Service,
        timestamp_window_seconds: i64,
        trusted_proxies: Networks,
        database: Option<PathBuf>,
    ) -> Self {
        let metrics = service.metrics().clone();
        metrics.expect_callbacks(
            Fate::ALL.into_iter().map(|(_, name)| name),
            Reason::ALL.into_iter().map(|(_, name)| name),
        );
        let apps: BTreeMap<String, App> = apps.into_iter().map(|app| (app.name.clone(), app)).collect();
        Self {
            notes: Notes::of_apps(apps.keys()),
            apps,
            service,
            metrics,
            database,
            timestamp_window_seconds,
            trusted_proxies,
            sources: Mutex::default(),
            last_probe: Mutex::default(),
            reminded: Mutex::default(),
            draining: Draining::default(),
        }
    }

    pub(super) fn app(&self, name: &str) -> Option<&App> {
        self.apps.get(name)
    }

    /// What came, for the doctor.
    pub(super) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// What callbacks may be signed and encrypted with, by app.
    pub(super) fn credential_sets(&self) -> Vec<(&str, &CredentialSets)> {
        let apps = self.apps.values();
        apps.map(|app| (app.name.as_str(), &app.credentials)).collect()
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn count(&self, fate: Fate) {
        self.metrics.callback(fate.name());
    }

    pub(super) fn count_refusal(&self, reason: Reason) {
        self.count(Fate::Refused);
        self.metrics.refusal(reason.name());
    }

    pub(super) fn database(&self) -> Option<&Path> {
        self.database.as_deref()
    }

    pub(super) fn draining(&self) -> &Draining {
        &self.draining
    }

    pub(super) fn timestamp_window_seconds(&self) -> i64 {
        self.timestamp_window_seconds
    }

    pub(super) fn trusted_proxies(&self) -> &Networks {
        &self.trusted_proxies
    }

    pub(super) fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the admin now and then that the credentials before the current ones cannot go yet.
    pub(super) fn note_set(&self, app: &App, set: CredentialSet<'_>) {
        if !set.is_previous() {
            return;
        }
        let Ok(mut reminded) = self.reminded.lock() else { return };
        let is_due = |at: &Instant| at.elapsed() >= BETWEEN_REMINDERS;
        if reminded.get(&app.name).is_none_or(is_due) {
            reminded.insert(app.name.clone(), Instant::now());
            tracing::warn!(
                app = app.name,
                "a callback came with the previous Token or EncodingAESKey; keep previous_* until this is not said any more"
            );
        }
    }

    /// Whether a message could be made durable now.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        if let Some((at, outcome)) = self.last_probe.lock().map_err(|_| StoreError::Closed)?.clone()
            && at.elapsed() < PROBE_STANDS
        {
            return outcome;
        }
        let probing = tokio::time::timeout(PROBE_TIMEOUT, self.service.store().probe()).await;
        let outcome = probing.unwrap_or(Err(StoreError::Overloaded));
        *self.last_probe.lock().map_err(|_| StoreError::Closed)? = Some((Instant::now(), outcome.clone()));
        outcome
    }
}
