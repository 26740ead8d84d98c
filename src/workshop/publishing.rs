//! Publishing a draft, what was published, and rolling it back.

use std::time::Duration;

use jiff::Timestamp;

use super::writing::write_files;
use super::{Draft, NoCandidate, Workshop, WorkshopError, WriteError};
use crate::checked_toml::Problem;
use crate::dialogue::version_of;
use crate::knowledge::KnowledgeFiles;
use crate::store::{FileChange, KnowledgeVersion, NewKnowledgeVersion, StoreError};

/// How long it is waited for that what was published answers, and how often that is looked at.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The number of the version.
    pub id: i64,
    /// Names the knowledge that answers as soon as it has been taken.
    pub version: String,
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Nothing is changed.
    #[error("nothing is changed")]
    Nothing,
    /// There is no such version (any more).
    #[error("there is no such version")]
    NoVersion,
    /// Somebody else has changed these files since: how each was, and how it is now.
    #[error("somebody else has changed {} in the meantime", paths(.0))]
    Conflicts(Vec<FileChange>),
    /// The knowledge would have these problems.
    #[error("the knowledge would have {} problem(s)", .0.len())]
    Problems(Vec<Problem>),
    /// It could not be learnt.
    #[error("learning failed: {0}")]
    Learning(String),
    /// The directory cannot be written: these changes are to be made by whoever can.
    #[error(
        "{error}; nothing is changed. Take the changed files or the patch and publish them the way this directory is made"
    )]
    NotWritable {
        /// What the system says.
        error: WriteError,
        /// What was to be changed.
        changes: Vec<FileChange>,
    },
    /// The directory cannot be read, or the store cannot be used.
    #[error(transparent)]
    Workshop(#[from] WorkshopError),
}

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> Self {
        Self::Workshop(error.into())
    }
}

/// A version in the list of those that were published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// What was published.
    pub version: KnowledgeVersion,
    /// Whether the files were changed outside the console after it, before the next one (or before now).
    pub changed_outside_after: bool,
}

fn paths(changes: &[FileChange]) -> String {
    let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    paths.join(", ")
}

impl Workshop {
    /// Writes somebody's draft into the knowledge directory. It is checked and learnt before, and what is broken or was changed by somebody
    /// else in the meantime is refused whole. The version is kept before the files are written: whatever is answered has a version to go
    /// back from.
    ///
    /// # Errors
    ///
    /// Why nothing was published.
    pub async fn publish(&self, author: &str, comment: &str, now: Timestamp) -> Result<Published, PublishError> {
        let _alone = self.publishing.lock().await;
        let draft = self.draft(author).await?;
        let files = self.files().await?;
        let conflicts = draft.conflicts(&files);
        if !conflicts.is_empty() {
            return Err(PublishError::Conflicts(conflicts));
        }
        let published = self.publish_now(&files, &draft, (author, comment), now).await?;
        self.save_draft(author, &Draft::default(), now).await?;
        self.end_trial(author);
        Ok(published)
    }

    /// Publishes the texts that the files of a version had before it. What was changed in them later goes as well, if that is wanted.
    ///
    /// # Errors
    ///
    /// Why nothing was rolled back.
    pub async fn roll_back(
        &self,
        version: i64,
        with_later_changes: bool,
        (author, comment): (&str, &str),
        now: Timestamp,
    ) -> Result<Published, PublishError> {
        let _alone = self.publishing.lock().await;
        let found = self.store.knowledge_version(version).await?;
        let (_, changes) = found.ok_or(PublishError::NoVersion)?;
        let files = self.files().await?;
        let later = later_changes(&files, &changes);
        if !later.is_empty() && !with_later_changes {
            return Err(PublishError::Conflicts(later));
        }
        let mut back = Draft::default();
        for change in changes {
            let put = back.put(&files, &change.path, change.before);
            put.map_err(anyhow::Error::from).map_err(WorkshopError::from)?;
        }
        self.publish_now(&files, &back, (author, comment), now).await
    }

    async fn publish_now(
        &self,
        files: &KnowledgeFiles,
        draft: &Draft,
        (author, comment): (&str, &str),
        now: Timestamp,
    ) -> Result<Published, PublishError> {
        let after = draft.over(files);
        let mut changes = draft.changes();
        changes.retain(|change| files.text(&change.path) != change.after.as_deref());
        if changes.is_empty() {
            return Err(PublishError::Nothing);
        }
        self.candidate(draft).await.map_err(refused)?;
        let version = version_of(&after);
        let kept = self.store.keep_knowledge_version(NewKnowledgeVersion {
            published_at: now,
            author: author.to_owned(),
            comment: comment.trim().to_owned(),
            version_before: version_of(files),
            version_after: version.clone(),
            changes: changes.clone(),
        });
        let id = kept.await?;
        if let Err(error) = self.write(changes.clone()).await? {
            self.store.withdraw_knowledge_version(id).await?;
            return Err(PublishError::NotWritable { error, changes });
        }
        tracing::info!(
            id,
            version,
            files = changes.len(),
            "knowledge was published from the console"
        );
        self.current.look_again();
        Ok(Published { id, version })
    }

    /// Waits until the server answers with the knowledge of this version, for a few seconds at most: it may refuse it, or take longer.
    pub async fn until_taken(&self, version: &str) {
        let end = tokio::time::Instant::now() + LONGEST_WAIT;
        while self.current.get().version != version && tokio::time::Instant::now() < end {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn write(&self, changes: Vec<FileChange>) -> Result<Result<(), WriteError>, WorkshopError> {
        let directory = self.directory.clone();
        let writing = tokio::task::spawn_blocking(move || write_files(&directory, &changes));
        Ok(writing.await.map_err(anyhow::Error::from)?)
    }

    /// What was published, the newest first; older than `before`, if it is given. Between two of them, and after the newest, the files may
    /// have been changed outside the console.
    ///
    /// # Errors
    ///
    /// A store that cannot be used, or a directory that cannot be read.
    pub async fn versions(&self, before: Option<i64>, most: u32) -> Result<Vec<ListedVersion>, WorkshopError> {
        let versions = self.store.knowledge_versions(before, most).await?;
        let mut next = match before {
            None => Some(version_of(&self.files().await?)),
            Some(_) => None,
        };
        let listed = versions.into_iter().map(|version| {
            let next = next.replace(version.version_before.clone());
            ListedVersion {
                changed_outside_after: next.is_some_and(|next| next != version.version_after),
                version,
            }
        });
        Ok(listed.collect())
    }

    /// One of them with its changes, and those of its files that were changed later: how each was after it, and how it is now.
    ///
    /// # Errors
    ///
    /// A store that cannot be used, or a directory that cannot be read.
    pub async fn version(
        &self,
        id: i64,
    ) -> Result<Option<(KnowledgeVersion, Vec<FileChange>, Vec<FileChange>)>, WorkshopError> {
        let Some((version, changes)) = self.store.knowledge_version(id).await? else {
            return Ok(None);
        };
        let later = later_changes(&self.files().await?, &changes);
        Ok(Some((version, changes, later)))
    }
}

fn later_changes(files: &KnowledgeFiles, changes: &[FileChange]) -> Vec<FileChange> {
    let changed_later = |change: &FileChange| {
        let now = files.text(&change.path);
        (now != change.after.as_deref()).then(|| FileChange {
            path: change.path.clone(),
            before: change.after.clone(),
            after: now.map(str::to_owned),
        })
    };
    changes.iter().filter_map(changed_later).collect()
}

fn refused(error: NoCandidate) -> PublishError {
    match error {
        NoCandidate::Problems(problems) => PublishError::Problems(problems),
        NoCandidate::Failed(reason) => PublishError::Learning(reason),
        NoCandidate::Workshop(error) => PublishError::Workshop(error),
    }
}
