//! What editing the knowledge keeps: drafts, and what was published.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BoxFuture, StoreError};

/// A file of the knowledge directory, changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path below the directory, with `/`.
    pub path: String,
    /// Its text before; `None`: there was no such file.
    pub before: Option<String>,
    /// Its text from now on; `None`: there is no such file any more.
    pub after: Option<String>,
}

/// Something to be kept as published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKnowledgeVersion {
    /// When.
    pub published_at: Timestamp,
    /// By whom.
    pub author: String,
    /// Why, in the author's words.
    pub comment: String,
    /// Names the knowledge before.
    pub version_before: String,
    /// Names the knowledge that it makes.
    pub version_after: String,
    /// What was changed.
    pub changes: Vec<FileChange>,
}

/// Something that was published, without the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnowledgeVersion {
    /// Grows with every version.
    pub id: i64,
    /// When.
    pub published_at: Timestamp,
    /// By whom.
    pub author: String,
    /// Why, in the author's words.
    pub comment: String,
    /// Names the knowledge before.
    pub version_before: String,
    /// Names the knowledge that it made.
    pub version_after: String,
    /// The files that were changed.
    pub files: Vec<String>,
}

/// Something that was published, with the texts.
pub type WholeVersion = (KnowledgeVersion, Vec<FileChange>);

/// State of editing the knowledge.
pub trait WorkshopStore: Send + Sync {
    /// What somebody has changed and not published.
    fn knowledge_draft(&self, author: String) -> BoxFuture<'_, Result<Option<String>, StoreError>>;

    /// Keeps what somebody has changed, in place of what they had; `None` throws it away.
    fn save_knowledge_draft(
        &self,
        author: String,
        record: Option<String>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Keeps what is being published; its number.
    fn keep_knowledge_version(&self, version: NewKnowledgeVersion) -> BoxFuture<'_, Result<i64, StoreError>>;

    /// Forgets what was kept and then could not be published.
    fn withdraw_knowledge_version(&self, id: i64) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What was published, the newest first; older than `before`, if it is given.
    fn knowledge_versions(
        &self,
        before: Option<i64>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<KnowledgeVersion>, StoreError>>;

    /// One of them, with the texts.
    fn knowledge_version(&self, id: i64) -> BoxFuture<'_, Result<Option<WholeVersion>, StoreError>>;
}

/// The paths of changes, as they are stored.
pub(super) fn paths(changes: &[FileChange]) -> String {
    let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    serde_json::to_string(&paths).unwrap_or_default()
}
