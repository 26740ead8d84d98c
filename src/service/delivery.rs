//! What the handler of a callback and the step of its message tell each other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One delivery of a message.
#[derive(Clone, Debug, Default)]
pub struct Delivery(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_late: AtomicBool,
    step_micros: AtomicU64,
    message: OnceLock<String>,
}

impl Delivery {
    /// Nobody waits for a reply any more: if the step has not run yet, the reply is sent as a message instead.
    pub fn declare_late(&self) {
        self.0.is_late.store(true, Ordering::Release);
    }

    pub(super) fn is_late(&self) -> bool {
        self.0.is_late.load(Ordering::Acquire)
    }

    pub(super) fn note_step(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.0.step_micros.store(micros, Ordering::Relaxed);
    }

    /// How long understanding and composing took; nothing for a repeated delivery.
    pub fn step(&self) -> Duration {
        Duration::from_micros(self.0.step_micros.load(Ordering::Relaxed))
    }

    pub(super) fn name(&self, message: String) {
        // A delivery is of one message.
        let _ = self.0.message.set(message);
    }

    /// The name of the message in the log, under which also stands whatever is sent for it; empty where nothing can follow.
    pub fn message(&self) -> &str {
        self.0.message.get().map_or("", String::as_str)
    }
}
