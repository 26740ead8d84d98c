//! The conversation's clock: the real one, or one moved for demonstrations and tests.

use jiff::{SignedDuration, Timestamp};

/// Name of the environment variable that moves the clock.
pub const NOW_VARIABLE: &str = "JIEFENG_NOW";

/// Tells the conversation what time it is. Time stamps of callbacks are always checked against the real clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConversationClock {
    moved_by: SignedDuration,
}

impl ConversationClock {
    /// A clock that shows `start` now and runs on from there.
    pub fn starting_at(start: Timestamp, real_now: Timestamp) -> Self {
        Self {
            moved_by: start.duration_since(real_now),
        }
    }

    /// The time for the conversation. A time that cannot be represented is the real one.
    pub fn now(self) -> Timestamp {
        let real = Timestamp::now();
        real.checked_add(self.moved_by).unwrap_or(real)
    }

    /// Whether the clock has been moved.
    pub fn is_moved(self) -> bool {
        !self.moved_by.is_zero()
    }
}
