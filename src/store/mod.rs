//! Durable state: settled messages with their replies, sessions, and the questions that were asked.
//!
//! One small trait, so that a server database can join SQLite; `conformance.rs` holds what every store must do.

#[cfg(test)]
mod conformance;
mod sqlite;

use std::pin::Pin;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use sqlite::{OpenError, SqliteStore};

/// What a store gives back: something to wait for, whichever store it is.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Names a message of an app for all time; its repeated deliveries have the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The company.
    pub corp_id: String,
    /// The app's name in the configuration.
    pub app: String,
    /// What tells messages of this app apart.
    pub deduplication_key: String,
}

/// Names the conversation of one person with one app.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConversationKey {
    /// The company.
    pub corp_id: String,
    /// The app's name in the configuration.
    pub app: String,
    /// The person, in one spelling. It is stored as a keyed hash only.
    pub user: String,
}

/// What one step of a conversation leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// The conversation's new state; `None` forgets it.
    pub session: Option<String>,
    /// What to reply; `None` says nothing.
    pub reply: Option<String>,
    /// The question to keep for later analysis.
    pub question: Option<QuestionRecord>,
}

/// Makes a step of the conversation's stored state. It runs inside the store's transaction, so it must be quick and must not wait.
pub type StepFunction = Box<dyn FnOnce(Option<String>) -> Step + Send>;

/// How a message was settled, now or at an earlier delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What to reply.
    pub reply: Option<String>,
    /// When it was settled first.
    pub settled_at: Timestamp,
    /// Whether that was at an earlier delivery.
    pub repeated: bool,
}

/// A question and how it was understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionRecord {
    /// When it was asked.
    pub asked_at: Timestamp,
    /// As it was written.
    pub text: String,
    /// `zh`, `zh-Hant` or `en`.
    pub language: String,
    /// `answer`, `ask_back`, `refuse`, `smalltalk` or `human`.
    pub decision: String,
    /// Scenario ids, best first.
    pub scenarios: Vec<String>,
    /// Probability that the first one is right.
    pub confidence: f32,
    /// Names the knowledge and the matcher that decided.
    pub knowledge_version: String,
    /// How long understanding and composing took, in microseconds.
    pub micros: u64,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Questions, in days.
    pub questions_days: u32,
}

/// Why the store could not do what it was asked to. The message names no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too much is waiting already.
    #[error("the store is overloaded")]
    Overloaded,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// The step function panicked; nothing was stored.
    #[error("a step panicked; nothing was stored")]
    Panicked,
    /// The database failed, with what it says.
    #[error("the database failed: {0}")]
    Database(String),
}

/// Durable state. Whatever a method reports as done survives a crash and a loss of power.
pub trait Store: Send + Sync {
    /// Settles a message once: at its first delivery `step` is run on the conversation's state, and what it returns is stored in one
    /// transaction; at every further delivery the stored reply comes back and `step` is not run.
    fn settle(
        &self,
        key: MessageKey,
        conversation: ConversationKey,
        now: Timestamp,
        step: StepFunction,
    ) -> BoxFuture<'_, Result<Settlement, StoreError>>;

    /// The question that came with a message, if it is kept.
    fn question(&self, key: MessageKey) -> BoxFuture<'_, Result<Option<QuestionRecord>, StoreError>>;

    /// Removes what has been kept long enough.
    fn purge(&self, now: Timestamp, retention: Retention) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Whether something can be made durable now.
    fn probe(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Finishes what is waiting and takes nothing more.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
