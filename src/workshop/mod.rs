//! Editing the knowledge without touching a file: drafts, what is wrong with them, which answers they would change, publishing, rolling back.
//!
//! The files of the knowledge directory stay the truth. A [`Draft`] is a set of changed files over it, kept in the store for its author;
//! [`Edit`] changes one thing in a file and leaves the rest as it was written. [`Workshop::candidate`] is the assistant that a draft would
//! make, [`Workshop::start_trial`] asks it whatever was asked before. [`Workshop::publish`] writes the files and keeps what they were; the
//! server takes them as it takes every change of the directory ([`crate::app`]).

mod candidate;
mod difference;
mod draft;
mod edit;
mod holiday_notice;
mod import;
mod known;
mod list;
mod new_scenario;
mod preview;
mod publishing;
mod questions;
#[cfg(test)]
mod tests;
mod toml_text;
mod trial;
mod writing;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use crate::checked_toml::Problem;
use crate::config;
use crate::dialogue::Assistant;
use crate::knowledge::KnowledgeFiles;
use crate::learning::{MatcherFiles, Training, read_directory};
use crate::service::CurrentAssistant;
use crate::store::{Store, StoreError};

pub use candidate::NoCandidate;
pub use difference::{DifferentLine, LineKind, difference, patch};
pub use draft::Draft;
pub use edit::{Duplicate, Edit, EditError};
pub use holiday_notice::{Holiday, HolidayNotice, NoticeProblem, read_notice};
pub use import::{ImportPlan, plan_import};
pub use known::{KnownAt, KnownQuestions};
pub use list::{ListFormat, read_list, write_list};
pub use new_scenario::NewScenario;
pub use preview::{ChangedAnswer, Preview, Reworded};
pub use publishing::{ListedVersion, PublishError, Published};
pub use questions::{TrialQuestion, TrialQuestions};
pub use trial::{TrialReport, TrialState};
pub use writing::WriteError;

/// Why the knowledge cannot be edited now.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// The knowledge directory cannot be read.
    #[error(transparent)]
    Unreadable(#[from] anyhow::Error),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the knowledge of one server is edited.
pub struct Workshop {
    directory: PathBuf,
    store: Arc<dyn Store>,
    current: CurrentAssistant,
    training: Training,
    cache: MatcherFiles,
    /// The last one that was made. One is made at a time: that takes a processor and memory.
    candidate: tokio::sync::Mutex<Option<Arc<Assistant>>>,
    trials: Mutex<HashMap<String, trial::Trial>>,
    publishing: tokio::sync::Mutex<()>,
}

impl Workshop {
    /// For the knowledge of these settings, which `current` answers with.
    pub fn new(settings: &config::Knowledge, store: Arc<dyn Store>, current: CurrentAssistant) -> Self {
        Self {
            training: Training::by_this_program(settings.dir.clone(), settings.cache_dir.clone()),
            cache: MatcherFiles::new(settings.cache_dir.clone()),
            directory: settings.dir.clone(),
            store,
            current,
            candidate: tokio::sync::Mutex::default(),
            trials: Mutex::default(),
            publishing: tokio::sync::Mutex::default(),
        }
    }

    /// The knowledge directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The assistant that answers now.
    pub fn current(&self) -> Arc<Assistant> {
        self.current.get()
    }

    /// The files of the directory as they are now.
    ///
    /// # Errors
    ///
    /// A directory that cannot be read.
    pub async fn files(&self) -> Result<KnowledgeFiles, WorkshopError> {
        let directory = self.directory.clone();
        let reading = tokio::task::spawn_blocking(move || read_directory(&directory)).await;
        Ok(reading.map_err(anyhow::Error::from)??)
    }

    /// What somebody has changed and not published.
    ///
    /// # Errors
    ///
    /// A store that cannot be used.
    pub async fn draft(&self, author: &str) -> Result<Draft, WorkshopError> {
        let record = self.store.knowledge_draft(author.to_owned()).await?;
        let draft = record.and_then(|record| serde_json::from_str(&record).ok());
        Ok(draft.unwrap_or_default())
    }

    /// Keeps what somebody has changed; a draft without changes is forgotten.
    ///
    /// # Errors
    ///
    /// A store that cannot be used.
    pub async fn save_draft(&self, author: &str, draft: &Draft, now: Timestamp) -> Result<(), WorkshopError> {
        let record = match draft.is_empty() {
            true => None,
            false => Some(serde_json::to_string(draft).map_err(anyhow::Error::from)?),
        };
        Ok(self.store.save_knowledge_draft(author.to_owned(), record, now).await?)
    }
}

/// Everything that is wrong with these files and shows without learning from them: what would keep them from being published. Utterances
/// that another scenario wins show with a candidate ([`Assistant::misplaced`]).
pub async fn check(files: KnowledgeFiles) -> Vec<Problem> {
    let checking = tokio::task::spawn_blocking(move || Assistant::problems(&files)).await;
    checking.unwrap_or_else(|_| {
        vec![crate::knowledge::problem_of_file(
            "",
            "the check ended by a defect of the program",
        )]
    })
}
