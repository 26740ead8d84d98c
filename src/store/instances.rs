//! The processes that use a store: each says now and then that it is alive, and what it runs.

use jiff::{SignedDuration, Timestamp};

/// Who has been silent for longer is taken for dead, and what it held is taken over.
pub(super) const SILENCE: SignedDuration = SignedDuration::from_secs(15);

/// What a process says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceReport {
    /// The program's version.
    pub program_version: String,
    /// Names the knowledge that it answers with.
    pub knowledge_version: String,
    /// Why the knowledge on disk is not the one it answers with, as it is told to an admin; empty when it is.
    pub knowledge_refusal: String,
    /// The last request to look at the knowledge again that it has followed.
    pub reload: i64,
}

/// What a process is told when it says that it is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// How many processes use the store, this one included.
    pub live: u32,
    /// The last request to look at the knowledge again.
    pub reload: i64,
    /// What this process has taken over since it was told last.
    pub taken_over: TakenOver,
}

/// How much was taken over from processes that ended, or fell silent, without giving it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Messages whose answers were begun.
    pub answers: u64,
    /// Messages that were being sent.
    pub sends: u64,
    /// Accounts that were being fetched.
    pub accounts: u64,
    /// Access tokens that were being fetched.
    pub tokens: u64,
}

/// A process that uses the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name, made at its start.
    pub id: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// What it said last.
    pub report: InstanceReport,
}
