//! What waits in a store, for metrics.

use jiff::Timestamp;

use super::KfAccountKey;

/// What waits, for how long, and what is dead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Fetched messages that wait for an answer.
    pub waiting: u32,
    /// When the oldest of them was received.
    pub oldest_waiting: Option<Timestamp>,
    /// Messages that are to be sent.
    pub unsent: u32,
    /// When the one of them that is due longest was due.
    pub oldest_due: Option<Timestamp>,
    /// Received messages that could not be answered.
    pub dead_received: u32,
    /// Messages that could not be sent.
    pub dead_sends: u32,
    /// The accounts of 微信客服.
    pub accounts: Vec<AccountFigures>,
}

/// How far an account has been fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFigures {
    /// Which account.
    pub account: KfAccountKey,
    /// When a page of it was kept last.
    pub pulled_at: Option<Timestamp>,
    /// Whether there is news that has not been followed up.
    pub has_news: bool,
}
