//! Checking knowledge and training a matcher on it in a process of its own.
//!
//! Training takes three times the memory that serving does, and an allocator gives little of it back; what is wrong with a file may also
//! be something that this program does not survive. Both end with the process that did it: all it leaves is a matcher in the cache.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::MatcherFiles;
use crate::dialogue::MatcherCache;

/// Training takes a second; a process that takes so much longer is stuck.
const LONGEST_TRAINING: Duration = Duration::from_secs(300);

/// Of what a process said when it failed, so much is passed on.
const LONGEST_COMPLAINT: usize = 500;

/// Has knowledge checked and learnt by a process of this program.
#[derive(Clone, Debug)]
pub(crate) struct Training {
    /// The program; it understands `train`.
    pub(crate) program: PathBuf,
    pub(crate) knowledge: PathBuf,
    pub(crate) cache: Option<PathBuf>,
    /// Files that are not as in the directory: by path, the text, or nothing where there is none.
    pub(crate) changes: Changes,
}

/// Changed files by path; nothing stands for a file that is gone.
pub(crate) type Changes = BTreeMap<String, Option<String>>;

/// Why nothing was learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TrainingError {
    /// The knowledge has these problems.
    Problems(Vec<String>),
    /// The process failed, for this reason.
    Failed(String),
}

impl Training {
    /// By this program, as it runs: an update may have put another one in its place.
    pub(crate) fn by_this_program(knowledge: PathBuf, cache: Option<PathBuf>) -> Self {
        let running = PathBuf::from("/proc/self/exe");
        let program = match running.exists() {
            true => running,
            false => std::env::current_exe().unwrap_or_else(|_| PathBuf::from("jiefeng")),
        };
        Self {
            program,
            knowledge,
            cache,
            changes: Changes::new(),
        }
    }

    /// The same for the directory with these changes in it. They are handed over without being written anywhere.
    pub(crate) fn with_changes(&self, changes: Changes) -> Self {
        Self {
            changes,
            ..self.clone()
        }
    }

    /// Waits until the knowledge has been checked and its matcher is in the cache, where there can be one; the version of what was learnt.
    pub(crate) async fn run(&self) -> Result<String, TrainingError> {
        let running = tokio::time::timeout(LONGEST_TRAINING, self.output());
        match running.await {
            Ok(Ok(output)) => outcome(&output),
            Ok(Err(error)) => Err(TrainingError::Failed(format!("it could not be started: {error}"))),
            Err(_) => Err(TrainingError::Failed("it took more than five minutes".to_owned())),
        }
    }

    async fn output(&self) -> io::Result<Output> {
        let mut process = self.command().spawn()?;
        let handed = async {
            let Some(mut input) = process.stdin.take() else {
                return;
            };
            let changes = serde_json::to_vec(&self.changes).unwrap_or_default();
            // A process that ends before it has read everything says why itself.
            let _ = input.write_all(&changes).await;
        };
        handed.await;
        process.wait_with_output().await
    }

    /// Its environment has no more than what it needs to find the cache: a configuration may stand there, with its secrets.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("train").arg("--knowledge").arg(&self.knowledge);
        if let Some(cache) = &self.cache {
            command.arg("--cache").arg(cache);
        }
        let needed = ["HOME", "XDG_CACHE_HOME"];
        let needed = needed
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(needed);
        let input = match self.changes.is_empty() {
            true => Stdio::null(),
            false => {
                command.arg("--changes");
                Stdio::piped()
            }
        };
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }
}

fn outcome(output: &Output) -> Result<String, TrainingError> {
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => Ok(said.trim().to_owned()),
        Some(1) => Err(TrainingError::Problems(said.lines().map(str::to_owned).collect())),
        _ => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let complaint: String = complaint.trim().chars().take(LONGEST_COMPLAINT).collect();
            Err(TrainingError::Failed(format!("{}: {complaint}", output.status)))
        }
    }
}

/// The cache of a start: what is not in it is trained aside, and here only where that cannot be done.
pub(crate) struct TrainedAside<'a> {
    pub(crate) files: &'a MatcherFiles,
    pub(crate) training: &'a Training,
}

impl TrainedAside<'_> {
    fn train(&self) -> io::Result<()> {
        tracing::info!("learning from the knowledge; the next start finds it in the cache");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if let Err(error) = runtime.block_on(self.training.run()) {
            tracing::warn!(?error, "training in a process of its own failed; training here");
        }
        Ok(())
    }
}

impl MatcherCache for TrainedAside<'_> {
    fn load(&self, name: &str) -> Option<Vec<u8>> {
        self.files.load(name).or_else(|| {
            self.train().ok()?;
            self.files.load(name)
        })
    }

    fn save(&self, name: &str, bytes: &[u8]) {
        self.files.save(name, bytes);
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of training by a program that does this.
    fn trained_by(script: &str) -> Result<String, TrainingError> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        // Written by another process: a process that a test beside this one begins could keep a file of ours open, and what is open for writing
        // cannot be run.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod 700 \"$2\"";
        let written = std::process::Command::new("sh")
            .args(["-c", write, "sh", script])
            .arg(&program)
            .status();
        assert!(written.unwrap().success());
        let training = Training {
            program,
            knowledge: "knowledge".into(),
            cache: Some("cache".into()),
            changes: Changes::new(),
        };
        actix_web::rt::System::new().block_on(training.run())
    }

    #[test]
    fn what_a_process_learnt_has_a_version() {
        assert_eq!(trained_by("echo 1a2b"), Ok("1a2b".to_owned()));
    }

    #[test]
    fn what_a_process_found_wrong_is_passed_on_line_by_line() {
        let problems = vec!["a.toml:1: x".to_owned(), "b.toml:2: y".to_owned()];
        let script = "echo 'a.toml:1: x'; echo 'b.toml:2: y'; exit 1";
        assert_eq!(trained_by(script), Err(TrainingError::Problems(problems)));
    }

    #[test]
    fn a_process_that_is_killed_or_crashes_is_a_reason_and_nothing_more() {
        let Err(TrainingError::Failed(reason)) = trained_by("kill -9 $$") else {
            panic!()
        };
        assert!(reason.contains("signal: 9"), "{reason}");
        let Err(TrainingError::Failed(reason)) = trained_by("echo 'out of memory' >&2; exit 101") else {
            panic!()
        };
        assert!(reason.contains("101") && reason.contains("out of memory"), "{reason}");
        let nowhere = Training {
            program: "/nowhere/jiefeng".into(),
            knowledge: "knowledge".into(),
            cache: None,
            changes: Changes::new(),
        };
        let failed = actix_web::rt::System::new().block_on(nowhere.run());
        assert!(matches!(failed, Err(TrainingError::Failed(_))), "{failed:?}");
    }

    #[test]
    fn no_configuration_is_in_the_environment_of_the_process() {
        let said = trained_by("env | grep -c JIEFENG || true");
        assert_eq!(said, Ok("0".to_owned()));
    }
}
