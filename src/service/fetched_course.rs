//! How a message of 微信客服 went that has come to its end: a line of the log, as a callback has one, and figures.
//!
//! Fetching and answering it are two pieces of work, perhaps of two processes: the times are what is known to the one that ends it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::send_ids::{log_name, message_id};
use crate::metrics::Metrics;
use crate::store::{KfAccountKey, Store};

/// The end of one message, and where its time went.
pub(super) struct FetchedCourse<'a> {
    pub(super) account: &'a KfAccountKey,
    pub(super) fate: &'static str,
    /// From being fetched until it was taken to be answered; `None` where it never waited.
    pub(super) waited: Option<Duration>,
    /// Understanding it and composing its answer; `None` where no answer was made.
    pub(super) step: Option<Duration>,
    /// The transaction that made its fate durable, with whatever it was together with.
    pub(super) store: Duration,
    /// From being fetched until then.
    pub(super) all: Duration,
}

impl FetchedCourse<'_> {
    /// One line, and the figures. `message` names the message, where somebody wants to know.
    pub(super) fn tell(&self, metrics: &Metrics, message: impl FnOnce() -> String) {
        metrics.fetched(self.fate);
        tracing::info!(
            app = self.account.app,
            open_kf_id = self.account.open_kf_id,
            fate = self.fate,
            message_hash = message(),
            waited = self.waited.map(micros),
            step = self.step.map(micros),
            store = micros(self.store),
            micros = micros(self.all),
            "message"
        );
    }
}

/// The name in the log of a message that was fetched.
pub(super) fn fetched_name(store: &dyn Store, open_kf_id: &str, key: &str) -> String {
    log_name(store, &message_id(&[open_kf_id, key]))
}

/// Whether an item is something that happened, as it was fetched, and nothing that anybody wrote.
pub(super) fn is_event(item: &str) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        msgtype: String,
    }
    serde_json::from_str::<Kind>(item).is_ok_and(|kind| kind.msgtype == "event")
}

/// How long ago something was at `now`; nothing where clocks disagree.
pub(super) fn since(earlier: Timestamp, now: Timestamp) -> Duration {
    now.duration_since(earlier).try_into().unwrap_or_default()
}

/// A time as it stands in the log.
pub(super) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_clock_has_noted_in_the_future_has_not_waited() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(since(at(10), at(12)), Duration::from_secs(2));
        assert_eq!(since(at(12), at(10)), Duration::ZERO);
    }

    #[test]
    fn an_event_is_told_from_what_somebody_wrote() {
        assert!(is_event(
            r#"{"msgtype":"event","event":{"event_type":"enter_session"}}"#
        ));
        assert!(!is_event(r#"{"msgtype":"text","text":{"content":"event"}}"#));
        assert!(!is_event("no json"));
    }
}
