//! The assistant that a draft would make.

use std::sync::Arc;

use super::{Draft, Workshop, WorkshopError, check};
use crate::checked_toml::Problem;
use crate::dialogue::{Assistant, version_of};
use crate::knowledge::KnowledgeFiles;
use crate::learning::TrainingError;

/// Why a draft makes no assistant.
#[derive(Debug, thiserror::Error)]
pub enum NoCandidate {
    /// It has these problems.
    #[error("the draft has {} problem(s)", .0.len())]
    Problems(Vec<Problem>),
    /// It could not be learnt.
    #[error("learning failed: {0}")]
    Failed(String),
    /// It could not be read.
    #[error(transparent)]
    Workshop(#[from] WorkshopError),
}

impl Workshop {
    /// The assistant that a draft would make over the directory as it is. It is trained in a process of its own, as a reload is, which leaves
    /// its matcher in the cache: once published, it is there. Whoever waits no more ends that process.
    ///
    /// # Errors
    ///
    /// What is wrong with the draft, or why it could not be learnt.
    pub async fn candidate(&self, draft: &Draft) -> Result<Arc<Assistant>, NoCandidate> {
        let files = draft.over(&self.files().await?);
        let version = version_of(&files);
        let current = self.current.get();
        if current.version == version {
            return Ok(current);
        }
        let mut last = self.candidate.lock().await;
        if let Some(last) = last.as_ref().filter(|last| last.version == version) {
            return Ok(Arc::clone(last));
        }
        let made = Arc::new(self.learnt(draft, files).await?);
        *last = Some(Arc::clone(&made));
        Ok(made)
    }

    async fn learnt(&self, draft: &Draft, files: KnowledgeFiles) -> Result<Assistant, NoCandidate> {
        let problems = check(files.clone()).await;
        if !problems.is_empty() {
            return Err(NoCandidate::Problems(problems));
        }
        let training = self.training.with_changes(draft.for_training());
        match training.run().await {
            Ok(version) if version == version_of(&files) => {}
            Ok(_) => {
                return Err(NoCandidate::Failed(
                    "the knowledge was changed meanwhile; try again".to_owned(),
                ));
            }
            Err(TrainingError::Problems(problems)) => return Err(NoCandidate::Failed(problems.join("\n"))),
            Err(TrainingError::Failed(reason)) => return Err(NoCandidate::Failed(reason)),
        }
        let cache = self.cache.clone();
        let assembling = tokio::task::spawn_blocking(move || Assistant::assemble(&files, &cache));
        let assembled = assembling
            .await
            .map_err(|error| NoCandidate::Failed(error.to_string()))?;
        assembled.map_err(NoCandidate::Problems)
    }
}
