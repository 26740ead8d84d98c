//! Counters for `/metrics`, in Prometheus' text format.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::reason::Reason;

/// What became of a request to a callback path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The callback URL was verified.
    Verified,
    /// A reply went back.
    Answered,
    /// A repeated delivery got its reply again.
    Repeated,
    /// Accepted; there is nothing to say to it.
    Acknowledged,
    /// Accepted, but of a kind the bot does not know.
    Unknown,
    /// Genuine, but its content could not be read.
    Unreadable,
    /// Not genuine, or not a callback at all.
    Refused,
    /// Could not be stored; WeCom delivers it again.
    Failed,
}

impl Fate {
    const ALL: [(Fate, &'static str); 8] = [
        (Fate::Verified, "verified"),
        (Fate::Answered, "answered"),
        (Fate::Repeated, "repeated"),
        (Fate::Acknowledged, "acknowledged"),
        (Fate::Unknown, "unknown"),
        (Fate::Unreadable, "unreadable"),
        (Fate::Refused, "refused"),
        (Fate::Failed, "failed"),
    ];

    /// Name in metrics and logs.
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(fate, _)| *fate == self)
            .map_or("", |(_, name)| name)
    }
}

/// Counters since the start of the process.
#[derive(Debug, Default)]
pub struct Metrics {
    fates: [AtomicU64; 8],
    reasons: [AtomicU64; Reason::ALL.len()],
}

impl Metrics {
    /// Counts one request.
    pub fn count(&self, fate: Fate) {
        let place = Fate::ALL.iter().position(|(other, _)| *other == fate);
        if let Some(counter) = place.and_then(|place| self.fates.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts one request that was refused.
    pub fn count_refusal(&self, reason: Reason) {
        self.count(Fate::Refused);
        let place = Reason::ALL.iter().position(|(other, _)| *other == reason);
        if let Some(counter) = place.and_then(|place| self.reasons.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All counters as text.
    pub fn as_text(&self) -> String {
        let mut text = String::from(
            "# HELP jiefeng_callbacks_total Requests to callback paths by what became of them.\n\
             # TYPE jiefeng_callbacks_total counter\n",
        );
        for ((_, name), counter) in Fate::ALL.iter().zip(&self.fates) {
            let count = counter.load(Ordering::Relaxed);
            let _ = writeln!(text, "jiefeng_callbacks_total{{fate=\"{name}\"}} {count}");
        }
        text.push_str(
            "# HELP jiefeng_refusals_total Refused requests to callback paths by the step at which they were refused.\n\
             # TYPE jiefeng_refusals_total counter\n",
        );
        for ((_, name), counter) in Reason::ALL.iter().zip(&self.reasons) {
            let count = counter.load(Ordering::Relaxed);
            let _ = writeln!(text, "jiefeng_refusals_total{{reason=\"{name}\"}} {count}");
        }
        text
    }
}
