//! Follows changes of the knowledge while the server runs: noticed, checked and learnt aside, then put in place as a whole or refused.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::directory_watch::{DirectoryWatch, Look};
use super::signals::Hangups;
use crate::config;
use crate::dialogue::{Assistant, version_of};
use crate::knowledge::KnowledgeFiles;
use crate::learning::{
    LoadError, MatcherFiles, TrainedAside, Training, TrainingError, load_assistant, problem_lines, read_directory,
};
use crate::metrics::Metrics;
use crate::service::CurrentAssistant;

/// How often the directory is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What failed for no fault of the knowledge (no memory, nothing more to open) is tried again so much later at first, and at last.
const FIRST_RETRY: Duration = Duration::from_secs(60);
const LAST_RETRY: Duration = Duration::from_secs(3600);

/// So many problems are logged one by one.
const MOST_PROBLEMS: usize = 50;

/// Where the knowledge comes from, and how it looked when that was decided.
pub struct KnowledgeSource {
    directory: PathBuf,
    cache: MatcherFiles,
    training: Training,
    watch: DirectoryWatch,
}

/// Why a change of the knowledge is not answered with.
enum Refusal {
    /// It has these problems.
    Problems(Vec<String>),
    /// It could not be read or learnt.
    Failed(String),
    /// It has changed again in the meantime.
    ChangedAgain,
}

/// When something is tried again that failed for no fault of the knowledge.
struct Retry {
    at: Instant,
    pause: Duration,
}

impl Retry {
    /// After twice as long every time.
    fn after(before: Option<Self>) -> Self {
        let pause = before.map_or(FIRST_RETRY, |before| before.pause.saturating_mul(2).min(LAST_RETRY));
        let now = Instant::now();
        Self {
            at: now.checked_add(pause).unwrap_or(now),
            pause,
        }
    }

    fn is_due(&self) -> bool {
        self.at <= Instant::now()
    }
}

impl Refusal {
    fn in_short(&self) -> String {
        match self {
            Self::Problems(problems) => {
                let first = problems.first().map_or("", String::as_str);
                match problems.len() {
                    0 | 1 => first.to_owned(),
                    count => format!("{first} (and {} more)", count.saturating_sub(1)),
                }
            }
            Self::Failed(reason) => reason.clone(),
            Self::ChangedAgain => "the knowledge was changed while it was being read".to_owned(),
        }
    }
}

impl KnowledgeSource {
    /// Looks at the directory.
    pub fn new(settings: &config::Knowledge) -> Self {
        Self {
            watch: DirectoryWatch::since(Look::at(&settings.dir)),
            cache: MatcherFiles::new(settings.cache_dir.clone()),
            training: Training::by_this_program(settings.dir.clone(), settings.cache_dir.clone()),
            directory: settings.dir.clone(),
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What a start answers with. What has not been learnt before is learnt by a process of its own, whose memory goes with it.
    ///
    /// # Errors
    ///
    /// An unreadable directory, or every problem of the knowledge.
    pub fn load(&self) -> Result<Assistant, LoadError> {
        let cache = TrainedAside {
            files: &self.cache,
            training: &self.training,
        };
        let assistant = load_assistant(&self.directory, &cache)?;
        warn_of_misplaced(&assistant);
        Ok(assistant)
    }
}

/// Keeps the assistant in step with the directory.
pub(super) struct Reloading {
    pub(super) source: KnowledgeSource,
    pub(super) current: CurrentAssistant,
    /// Each asks to look at once and to take what is there, still or not.
    pub(super) hangups: Hangups,
    pub(super) metrics: Metrics,
}

impl Reloading {
    /// Follows changes for as long as the process runs.
    pub(super) async fn run(&mut self) {
        let mut requests = self.current.requests();
        let mut retry: Option<Retry> = None;
        loop {
            let is_asked = tokio::select! {
                () = self.hangups.next() => true,
                _ = requests.changed() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let request = *requests.borrow_and_update();
            let directory = self.source.directory.clone();
            let Ok(look) = tokio::task::spawn_blocking(move || Look::at(&directory)).await else {
                continue;
            };
            let is_due = is_asked || retry.as_ref().is_some_and(Retry::is_due);
            if is_due {
                self.source.watch.take(look);
            } else if !self.source.watch.is_to_be_taken(look) {
                continue;
            }
            let refusal = self.reload(is_asked).await.err();
            retry = match &refusal {
                Some(Refusal::Failed(_)) => Some(Retry::after(retry)),
                _ => None,
            };
            let refusal = refusal.as_ref().map(Refusal::in_short);
            self.current.follow(request, refusal.unwrap_or_default());
        }
    }

    /// Takes what is there, or tells why not.
    async fn reload(&self, is_asked: bool) -> Result<(), Refusal> {
        let started = Instant::now();
        match self.changed(is_asked).await {
            Ok(Some(assistant)) => {
                let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                let (version, scenarios) = (assistant.version.clone(), assistant.catalogue.scenarios.len());
                warn_of_misplaced(&assistant);
                self.current.replace(assistant);
                self.metrics.reload(true);
                tracing::info!(version, scenarios, micros, "the knowledge has been reloaded");
                Ok(())
            }
            Ok(None) => {
                tracing::info!(version = self.current.get().version, "the knowledge is as it was");
                Ok(())
            }
            Err(refusal) => {
                self.report(&refusal);
                self.metrics.reload(false);
                Err(refusal)
            }
        }
    }

    /// What is in the directory now, ready to answer; `None` if that is what answers already.
    async fn changed(&self, is_asked: bool) -> Result<Option<Assistant>, Refusal> {
        let directory = self.source.directory.clone();
        let reading = tokio::task::spawn_blocking(move || read_directory(&directory)).await;
        let read = reading.context("reading failed").flatten();
        let files = read.map_err(|error| Refusal::Failed(format!("{error:#}")))?;
        let version = version_of(&files);
        if version == self.current.get().version && !is_asked {
            return Ok(None);
        }
        let learnt = self.source.training.run().await.map_err(refused)?;
        if learnt != version {
            return Err(Refusal::ChangedAgain);
        }
        match version == self.current.get().version {
            true => Ok(None),
            false => self.assembled(files).await.map(Some),
        }
    }

    /// Takes from the cache what has just been learnt.
    async fn assembled(&self, files: KnowledgeFiles) -> Result<Assistant, Refusal> {
        let cache = self.source.cache.clone();
        let assembling = tokio::task::spawn_blocking(move || Assistant::assemble(&files, &cache));
        let assembled = assembling.await.map_err(|error| Refusal::Failed(error.to_string()))?;
        assembled.map_err(|problems| Refusal::Problems(problem_lines(&self.source.directory, &problems)))
    }

    /// Tells an admin everything that is to be mended.
    fn report(&self, refusal: &Refusal) {
        let version = self.current.get().version.clone();
        match refusal {
            Refusal::Problems(problems) => {
                for problem in problems.iter().take(MOST_PROBLEMS) {
                    tracing::error!("{problem}");
                }
                let problems = problems.len();
                tracing::error!(
                    problems,
                    version,
                    "the changed knowledge is refused; the version before it goes on answering"
                );
            }
            Refusal::Failed(reason) => {
                tracing::error!(
                    reason,
                    version,
                    "the changed knowledge cannot be taken; the version before it goes on answering"
                );
            }
            Refusal::ChangedAgain => tracing::info!("the knowledge has changed again; looking once more"),
        }
    }
}

fn refused(error: TrainingError) -> Refusal {
    match error {
        TrainingError::Problems(problems) => Refusal::Problems(problems),
        TrainingError::Failed(reason) => Refusal::Failed(reason),
    }
}

/// They are to be mended, but nothing is broken.
fn warn_of_misplaced(assistant: &Assistant) {
    for problem in &assistant.misplaced {
        tracing::warn!(%problem, "an utterance is misplaced; `jiefeng knowledge check` lists them");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_tried_again_after_twice_as_long_up_to_an_hour() {
        let mut retry = None;
        let pauses: Vec<u64> = (0..8)
            .map(|_| {
                let next = Retry::after(retry.take());
                let pause = next.pause.as_secs();
                assert!(!next.is_due());
                retry = Some(next);
                pause
            })
            .collect();
        assert_eq!(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[test]
    fn a_refusal_in_short_names_the_first_problem_and_how_many_more() {
        let problems = |count: usize| Refusal::Problems(vec!["a.toml:1: x".to_owned(); count]);
        assert_eq!(problems(1).in_short(), "a.toml:1: x");
        assert_eq!(problems(3).in_short(), "a.toml:1: x (and 2 more)");
    }
}
