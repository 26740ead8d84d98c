//! The clocks of a conversation: the real ones, or ones moved for demonstrations and tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

/// Name of the environment variable that moves the clock.
pub const NOW_VARIABLE: &str = "JIEFENG_NOW";

/// Tells the conversation what time it is. Time stamps of callbacks are always checked against the real clock.
#[derive(Clone, Debug, Default)]
pub struct ConversationClock {
    /// How far the conversation alone is moved.
    moved_by: SignedDuration,
    /// By how many milliseconds conversation and platform together have been put forward.
    advanced_by: Arc<AtomicI64>,
    advances: Arc<Notify>,
}

impl ConversationClock {
    /// A clock that shows `start` now and runs on from there.
    pub fn starting_at(start: Timestamp, real_now: Timestamp) -> Self {
        Self {
            moved_by: start.duration_since(real_now),
            ..Self::default()
        }
    }

    /// The time for the conversation. A time that cannot be represented is the real one.
    pub fn now(&self) -> Timestamp {
        let platform = self.platform_now();
        platform.checked_add(self.moved_by).unwrap_or(platform)
    }

    /// The time at the platform: the real one, unless a demonstration has put it forward.
    pub fn platform_now(&self) -> Timestamp {
        let real = Timestamp::now();
        let advanced = SignedDuration::from_millis(self.advanced_by.load(Ordering::Relaxed));
        real.checked_add(advanced).unwrap_or(real)
    }

    /// Puts conversation and platform forward, for a demonstration; all clones of this clock with it.
    pub fn advance(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or_default();
        self.advanced_by.fetch_add(by, Ordering::Relaxed);
        self.advances.notify_one();
    }

    /// Waits until the clock is put forward. For one who waits: of several only one would hear of it.
    pub(super) async fn advanced(&self) {
        self.advances.notified().await;
    }

    /// Whether the clock has been moved.
    pub fn is_moved(&self) -> bool {
        !self.moved_by.is_zero()
    }
}

/// An earlier time; the beginning of all time where it cannot be represented.
pub(super) fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// A later time; the end of all time where it cannot be represented.
pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_hears_that_the_clock_was_put_forward_even_if_it_was_before() {
        let clock = ConversationClock::starting_at(Timestamp::UNIX_EPOCH, Timestamp::now());
        let before = clock.platform_now();
        clock.clone().advance(SignedDuration::from_hours(72));
        actix_web::rt::System::new().block_on(clock.advanced());
        assert!(clock.platform_now().duration_since(before) >= SignedDuration::from_hours(72));
        assert_eq!(clock.now().as_second(), 72 * 3600);
    }
}
