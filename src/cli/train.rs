//! `jiefeng train`: checks knowledge and leaves a trained matcher in the cache; the server has it done in a process of its own.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, print_line};
use crate::dialogue::Assistant;
use crate::learning::{Changes, MatcherFiles, problem_lines, read_directory};

/// Whoever serves comes first.
const LEAST_URGENT: i32 = 19;

/// Check knowledge and train on it, for a server
#[derive(Args)]
pub(super) struct Train {
    /// Knowledge directory
    #[arg(long = "knowledge", value_name = "DIR")]
    directory: PathBuf,
    /// Where trained matchers are cached [default: the user's cache directory]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Take the directory with the changes in it that stand on standard input, as JSON
    #[arg(long)]
    changes: bool,
}

impl Train {
    /// Prints the version of what was learnt, or every problem.
    pub(super) fn run(self) -> Result<(), Failure> {
        step_back();
        let changes = match self.changes {
            true => serde_json::from_reader(std::io::stdin().lock()).map_err(anyhow::Error::from)?,
            false => Changes::new(),
        };
        let files = read_directory(&self.directory)?;
        let files = changes
            .iter()
            .fold(files, |files, (path, text)| files.with(path, text.as_deref()));
        match Assistant::assemble(&files, &MatcherFiles::new(self.cache)) {
            Ok(assistant) => {
                print_line(&assistant.version);
                Ok(())
            }
            Err(problems) => {
                for line in problem_lines(&self.directory, &problems) {
                    print_line(&line);
                }
                Err(Failure::FoundProblems)
            }
        }
    }
}

/// Lets the server run first, and has this process ended before it where memory is short. A system that cannot do either trains all the
/// same.
fn step_back() {
    #[cfg(unix)]
    let _ = rustix::process::nice(LEAST_URGENT);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}
