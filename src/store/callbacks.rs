//! Requests to the callback addresses, as the doctor looks at them: those that came and went alike are one row.

use jiff::Timestamp;

/// Requests that were alike. There is nothing of their content, and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCallbacks {
    /// The app that the address named; empty where it named none.
    pub app: String,
    /// `GET`, `POST`, or `other`.
    pub method: String,
    /// [`SeenCallbacks::GENUINE`], or the name of the step at which they were refused.
    pub outcome: String,
    /// What is most likely wrong, by its name; empty where nothing is known of it.
    pub likely: String,
    /// What belongs to that in the latest of them: a parameter, an app, a company's id, seconds, an address.
    pub detail: String,
    /// How the latest of them came: `direct`, `forwarded` by a trusted proxy, `unnamed` by one that does not say for whom, or `private`, from
    /// an address inside that is no trusted proxy.
    pub source: String,
    /// How many.
    pub count: u64,
    /// When the first of them came.
    pub first_at: Timestamp,
    /// When the latest of them came.
    pub last_at: Timestamp,
}

impl SeenCallbacks {
    /// The outcome of requests that were WeCom's.
    pub const GENUINE: &'static str = "genuine";

    /// Whether they were WeCom's.
    pub fn is_genuine(&self) -> bool {
        self.outcome == Self::GENUINE
    }
}
