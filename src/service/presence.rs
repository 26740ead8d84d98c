//! Says to the store that this process is alive, and hears how many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::sending::Clients;
use super::{CurrentAssistant, CurrentSettings};
use crate::failpoint::failpoint;
use crate::metrics::Metrics;
use crate::store::{InstanceReport, Store, TakenOver};

/// A third of the silence after which a process is taken for dead.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// How many processes use the store: they share what WeCom allows the company.
#[derive(Clone)]
pub(super) struct Processes(Arc<AtomicU32>);

impl Default for Processes {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(1)))
    }
}

impl Processes {
    pub(super) fn count(&self) -> usize {
        usize::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }
}

/// Says that this process is alive for as long as it runs.
#[derive(Clone)]
pub(super) struct Presence {
    pub(super) store: Arc<dyn Store>,
    pub(super) assistant: CurrentAssistant,
    pub(super) settings: CurrentSettings,
    pub(super) clients: Arc<Clients>,
    pub(super) processes: Processes,
    pub(super) metrics: Metrics,
}

impl Presence {
    pub(super) async fn run(self) {
        let mut followed = self.assistant.followed();
        let mut is_first = true;
        loop {
            failpoint!("before_beat");
            match self.store.beat(self.report()).await {
                Ok(beat) => {
                    self.share_with(beat.live);
                    self.count(beat.taken_over);
                    self.pass_on(beat.reload, std::mem::take(&mut is_first));
                }
                Err(error) => tracing::error!(%error, "the store does not hear that this process is alive"),
            }
            if let Err(error) = self.settings.follow(&*self.store).await {
                tracing::error!(%error, "the settings of the console cannot be read; those before stay in force");
            }
            // Whoever asked for a look waits for what comes of it.
            tokio::select! {
                () = tokio::time::sleep(BEAT_EVERY) => {}
                _ = followed.changed() => {}
            }
        }
    }

    /// Requests to look at the knowledge; what was requested before the start has been followed by it.
    fn pass_on(&self, request: i64, is_first: bool) {
        let followed = self.assistant.followed().borrow().clone();
        if is_first {
            self.assistant.follow(request, followed.refusal);
        } else if request != followed.request {
            self.assistant.ask(request);
        }
    }

    fn report(&self) -> InstanceReport {
        let followed = self.assistant.followed().borrow().clone();
        InstanceReport {
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            knowledge_version: self.assistant.get().version.clone(),
            knowledge_refusal: followed.refusal,
            reload: followed.request,
        }
    }

    fn count(&self, taken_over: TakenOver) {
        let counts = [
            ("answer", taken_over.answers),
            ("send", taken_over.sends),
            ("account", taken_over.accounts),
            ("token", taken_over.tokens),
        ];
        for (what, count) in counts {
            self.metrics.taken_over(what, count);
        }
    }

    fn share_with(&self, processes: u32) {
        if self.processes.0.swap(processes, Ordering::Relaxed) != processes {
            tracing::info!(processes, "processes that share the store");
            for client in self.clients.values() {
                client.share_with(processes);
            }
        }
    }
}
