//! Trying a draft with whatever was asked before, in the background: how far it is can be seen, and it ends with whoever throws it away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Draft, NoCandidate, Preview, TrialQuestions, Workshop, trial};
use crate::checked_toml::Problem;
use crate::dialogue::Assistant;
use crate::store::QuestionSearch;

/// So many different questions of employees are tried at most, the latest ones.
const MOST_ASKED: usize = 5_000;

/// And so many records are looked at to find them.
const MOST_RECORDS: usize = 20_000;

/// How far a trial is.
#[derive(Clone)]
pub enum TrialState {
    /// The draft is being learnt.
    Learning,
    /// The questions are being asked.
    Asking {
        /// So many have been.
        done: usize,
        /// So many there are.
        of: usize,
    },
    /// It is done.
    Ready(Arc<TrialReport>),
    /// The draft makes no assistant.
    Failed(Arc<NoCandidate>),
}

/// What a trial has shown.
pub struct TrialReport {
    /// Names the knowledge that the draft would make.
    pub version: String,
    /// Which answers would change.
    pub preview: Preview,
    /// Utterances that another scenario wins, with the draft.
    pub misplaced: Vec<Problem>,
    /// How many there are without it.
    pub misplaced_before: usize,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// A trial under way, or done. It ends when it is dropped.
pub(super) struct Trial {
    state: watch::Receiver<TrialState>,
    is_over: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

impl Workshop {
    /// Begins to try somebody's draft. The trial before, if there is one, ends.
    pub fn start_trial(self: &Arc<Self>, author: &str, draft: Draft, now: Timestamp) {
        let (tell, state) = watch::channel(TrialState::Learning);
        let is_over = Arc::new(AtomicBool::new(false));
        let (workshop, over) = (Arc::clone(self), Arc::clone(&is_over));
        let task = tokio::spawn(async move {
            let tell = Arc::new(tell);
            if let Err(error) = workshop.try_out(&draft, now, &tell, over).await {
                tell.send_replace(TrialState::Failed(Arc::new(error)));
            }
        });
        let trial = Trial {
            state,
            is_over,
            task: task.abort_handle(),
        };
        self.trials().insert(author.to_owned(), trial);
    }

    /// How far somebody's trial is, if there is one.
    pub fn trial(&self, author: &str) -> Option<TrialState> {
        let trials = self.trials();
        Some(trials.get(author)?.state.borrow().clone())
    }

    /// Ends somebody's trial and forgets what it has shown.
    pub fn end_trial(&self, author: &str) {
        self.trials().remove(author);
    }

    fn trials(&self) -> MutexGuard<'_, std::collections::HashMap<String, trial::Trial>> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_out(
        &self,
        draft: &Draft,
        now: Timestamp,
        tell: &Arc<watch::Sender<TrialState>>,
        is_over: Arc<AtomicBool>,
    ) -> Result<(), NoCandidate> {
        let started = std::time::Instant::now();
        let (current, candidate) = (self.current(), self.candidate(draft).await?);
        let trial = self.questions(&current, &candidate).await?;
        let told = Arc::clone(tell);
        let asking = tokio::task::spawn_blocking(move || {
            let of = trial.questions.len();
            let said = |done| {
                told.send_replace(TrialState::Asking { done, of });
                !is_over.load(Ordering::Relaxed)
            };
            let preview = Preview::of((&current, &candidate), trial, now, said)?;
            Some(TrialReport {
                version: candidate.version.clone(),
                preview,
                misplaced: candidate.misplaced.clone(),
                misplaced_before: current.misplaced.len(),
                millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            })
        });
        let asked = asking.await.map_err(|error| NoCandidate::Failed(error.to_string()))?;
        if let Some(report) = asked {
            tell.send_replace(TrialState::Ready(Arc::new(report)));
        }
        Ok(())
    }

    /// What employees asked, and what the directory is measured with.
    async fn questions(
        &self,
        current: &Arc<Assistant>,
        candidate: &Arc<Assistant>,
    ) -> Result<TrialQuestions, NoCandidate> {
        let search = QuestionSearch {
            most: MOST_RECORDS,
            most_looked_at: MOST_RECORDS,
            ..QuestionSearch::default()
        };
        let asked = self.store.find_questions(search).await;
        let asked = asked.map_err(super::WorkshopError::from)?.found;
        let asked = asked.into_iter().map(|question| question.record).collect();
        let directory = self.directory.clone();
        let assistants = (Arc::clone(current), Arc::clone(candidate));
        let finding = tokio::task::spawn_blocking(move || {
            let mut questions = TrialQuestions::default();
            questions.add_asked(asked, MOST_ASKED);
            questions.add_files(&directory, &[&assistants.0, &assistants.1]);
            questions
        });
        finding.await.map_err(|error| NoCandidate::Failed(error.to_string()))
    }
}
