//! The knowledge directory and the cache of trained matchers on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;
use std::time::SystemTime;

use anyhow::Context;

use crate::checked_toml::Problem;
use crate::dialogue::{Assistant, MatcherCache};
use crate::knowledge::{KnowledgeFile, KnowledgeFiles, problem_of_file, unknown_file};

/// A knowledge file larger than this is a mistake: the largest genuine one has a few dozen KiB.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// How many trained matchers are kept, so that going back and forth between two versions trains nothing.
const KEPT_MATCHERS: usize = 4;

/// Why there is no assistant.
#[derive(Debug)]
pub enum LoadError {
    /// The directory could not be read at all.
    Unreadable(anyhow::Error),
    /// The knowledge has problems.
    Problems(Vec<Problem>),
}

/// Reads the knowledge directory and makes an assistant of it.
///
/// # Errors
///
/// An unreadable directory, or every problem of the knowledge.
pub fn load_assistant(directory: &Path, cache: &impl MatcherCache) -> Result<Assistant, LoadError> {
    let files = read_directory(directory).map_err(LoadError::Unreadable)?;
    Assistant::assemble(&files, cache).map_err(LoadError::Problems)
}

/// Each problem with the path of its file as whoever named the directory can open it.
pub fn problem_lines(directory: &Path, problems: &[Problem]) -> Vec<String> {
    let directory = directory.display();
    problems
        .iter()
        .map(|problem| format!("{directory}/{problem}"))
        .collect()
}

/// Reads the knowledge directory and looks for everything that is wrong with it. Says how many scenarios there are, too.
///
/// # Errors
///
/// An unreadable directory.
pub fn check_knowledge(directory: &Path, cache: &impl MatcherCache) -> anyhow::Result<(usize, Vec<Problem>)> {
    Ok(Assistant::check(&read_directory(directory)?, cache))
}

/// Reads all knowledge files: `*.toml` at the top and in `scenarios` and `workdays`. What else stands there is a problem, so that no
/// file is left out unnoticed because of its name.
///
/// # Errors
///
/// A directory that cannot be listed.
pub fn read_directory(directory: &Path) -> anyhow::Result<KnowledgeFiles> {
    if !directory.is_dir() {
        anyhow::bail!(
            "there is no knowledge directory `{}`; start from the folder that has it, or name it with --knowledge DIR",
            directory.display()
        );
    }
    let mut found = KnowledgeFiles::default();
    read_folder(directory, "", &mut found)?;
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn read_folder(directory: &Path, folder: &str, found: &mut KnowledgeFiles) -> anyhow::Result<()> {
    let full = directory.join(folder);
    for entry in fs::read_dir(&full).with_context(|| format!("cannot list `{}`", full.display()))? {
        let path = entry
            .with_context(|| format!("cannot list `{}`", full.display()))?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let named = format!("{folder}{name}");
        match (named.as_str(), path.is_dir()) {
            _ if is_left_behind(&name) || name == README => {}
            ("scenarios" | "workdays", true) => read_folder(directory, &format!("{named}/"), found)?,
            ("eval", true) => {}
            (_, false) if name.ends_with(".toml") => read_file(&path, named, found),
            _ => found.problems.push(unknown_file(&named)),
        }
    }
    Ok(())
}

/// How the knowledge is described; it may stand in any folder.
const README: &str = "README.md";

/// What editors and file managers leave behind: hidden files and backups.
pub(super) fn is_left_behind(name: &str) -> bool {
    let is_backup = [".swp", ".swo", ".bak", ".orig", ".tmp", "~"]
        .iter()
        .any(|end| name.ends_with(end));
    name.starts_with('.') || is_backup || (name.starts_with('#') && name.ends_with('#'))
}

/// Reads a file. One that is not UTF-8 is read as far as it can be, so that the rest of it can be checked.
fn read_file(path: &Path, named: String, found: &mut KnowledgeFiles) {
    let problem = match read_bytes(path) {
        Ok(bytes) => {
            let problem = std::str::from_utf8(&bytes)
                .err()
                .map(|error| not_utf8(&named, &bytes, error));
            found.files.push(KnowledgeFile {
                path: named,
                text: String::from_utf8_lossy(&bytes).into_owned(),
            });
            problem
        }
        Err(reason) => Some(problem_of_file(&named, reason)),
    };
    found.problems.extend(problem);
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let size = fs::metadata(path).map_err(unreadable)?.len();
    match size <= LARGEST_FILE {
        true => fs::read(path).map_err(unreadable),
        false => Err(format!("has {size} bytes; at most {LARGEST_FILE} are read")),
    }
}

fn not_utf8(named: &str, bytes: &[u8], error: Utf8Error) -> Problem {
    let newlines = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n');
    Problem {
        line: Some(newlines.count().saturating_add(1)),
        ..problem_of_file(named, "is not UTF-8 text; save it as UTF-8")
    }
}

/// Trained matchers as files in a directory.
#[derive(Clone, Debug)]
pub struct MatcherFiles {
    directory: Option<PathBuf>,
}

impl MatcherFiles {
    /// In `directory`, or in the user's cache directory; nowhere when there is neither.
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory: directory.or_else(user_cache_directory),
        }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(format!("matcher-{name}.bin")))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Option<io::Result<()>> {
        let file = self.file(name)?;
        let directory = file.parent()?;
        // Another process may write the same matcher now: each writes a file of its own and moves it into place.
        let temporary = directory.join(format!("matcher-{name}.{}.tmp", std::process::id()));
        let write = || {
            fs::create_dir_all(directory)?;
            fs::write(&temporary, bytes)?;
            fs::rename(&temporary, &file)
        };
        Some(write())
    }

    fn remove_old(&self) {
        let Some(directory) = &self.directory else { return };
        let Ok(entries) = fs::read_dir(directory) else { return };
        let mut matchers: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("matcher-"))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        matchers.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
        for (_, path) in matchers.iter().skip(KEPT_MATCHERS) {
            // A file that cannot be removed only takes up room.
            let _ = fs::remove_file(path);
        }
    }
}

impl MatcherCache for MatcherFiles {
    fn load(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.file(name)?).ok()
    }

    fn save(&self, name: &str, bytes: &[u8]) {
        if let Some(Err(error)) = self.write(name, bytes) {
            tracing::info!(%error, "the trained matcher could not be cached; the next start trains it again");
        }
        self.remove_old();
    }
}

fn user_cache_directory() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(caches.join("jiefeng"))
}
