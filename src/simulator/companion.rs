//! The bot, where it runs in the same program: how it understood what was said, and its clock.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::store::BoxFuture;

/// What the simulator knows of the bot besides its callback URL.
pub trait Companion: Send + Sync {
    /// How the bot understood a message, as JSON; `None` when nothing is known.
    fn decision(&self, plaintext: String) -> BoxFuture<'_, Option<Value>>;

    /// The platform's clock is set forward, and the bot's with it, if it is in this program. Whether it is.
    fn advance(&self, by: SignedDuration) -> bool;

    /// The time in the bot's conversations, while it is `platform_now` at the platform.
    fn calendar(&self, platform_now: Timestamp) -> BoxFuture<'_, Calendar>;
}

/// What time it is for the bot, and which times are worth moving the clock to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The time in its conversations.
    pub now: Timestamp,
    /// When it reminds somebody next.
    pub next_reminder: Option<Timestamp>,
    /// The third business day from now; `None` where the calendar is not known.
    pub third_business_day: Option<Timestamp>,
}

/// For a bot elsewhere: nothing is known of its decisions, and its clock is its own.
pub struct NoCompanion;

impl Companion for NoCompanion {
    fn decision(&self, _plaintext: String) -> BoxFuture<'_, Option<Value>> {
        Box::pin(async { None })
    }

    fn advance(&self, _by: SignedDuration) -> bool {
        false
    }

    fn calendar(&self, platform_now: Timestamp) -> BoxFuture<'_, Calendar> {
        Box::pin(async move {
            Calendar {
                now: platform_now,
                next_reminder: None,
                third_business_day: None,
            }
        })
    }
}
