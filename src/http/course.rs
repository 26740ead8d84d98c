//! How a genuine callback went, step by step: a line of the log, and figures.

use std::time::{Duration, Instant};

use super::fate::Fate;
use crate::config::App;
use crate::metrics::{CallbackStep, Metrics};
use crate::service::Delivery;

/// The steps of one callback and how long each took, as far as it got.
pub(super) struct Course {
    begun: Instant,
    /// Until when everything is accounted for.
    mark: Instant,
    delivery: Delivery,
    open: Option<Duration>,
    store: Option<Duration>,
    seal: Option<Duration>,
}

impl Course {
    /// The body has been read, and nothing else.
    pub(super) fn begun() -> Self {
        let begun = Instant::now();
        Self {
            begun,
            mark: begun,
            delivery: Delivery::default(),
            open: None,
            store: None,
            seal: None,
        }
    }

    pub(super) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// It has been verified, decrypted and read.
    pub(super) fn opened(&mut self) {
        self.open = Some(self.since_mark());
    }

    /// It is in the store, or could not be put there. The step runs inside the store and is accounted for by itself.
    pub(super) fn stored(&mut self) {
        let took = self.since_mark();
        self.store = Some(took.saturating_sub(self.delivery.step()));
    }

    /// The reply has been encrypted and signed.
    pub(super) fn sealed(&mut self) {
        self.seal = Some(self.since_mark());
    }

    fn since_mark(&mut self) -> Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.mark, now))
    }

    /// One line, and the figures.
    pub(super) fn tell(&self, app: &App, fate: Fate, metrics: &Metrics) {
        let step = Some(self.delivery.step()).filter(|step| !step.is_zero());
        let steps = [
            (CallbackStep::Open, self.open),
            (CallbackStep::Store, self.store),
            (CallbackStep::Step, step),
            (CallbackStep::Seal, self.seal),
        ];
        for (step, took) in steps {
            if let Some(took) = took {
                metrics.callback_step(step, took);
            }
        }
        let all = self.begun.elapsed();
        metrics.callback_answered(all);
        let micros = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            app = app.name,
            fate = fate.name(),
            message_hash = self.delivery.message(),
            open = self.open.map(micros),
            store = self.store.map(micros),
            step = step.map(micros),
            seal = self.seal.map(micros),
            micros = micros(all),
            "message"
        );
    }
}
