//! The knowledge directory and the cache of trained matchers on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;

use crate::checked_toml::Problem;
use crate::dialogue::{Assistant, MatcherCache};
use crate::knowledge::KnowledgeFile;

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

/// Reads all knowledge files: `*.toml` at the top and in `scenarios` and `workdays`.
///
/// # Errors
///
/// Whatever keeps a file from being read, with its path.
pub fn read_directory(directory: &Path) -> anyhow::Result<Vec<KnowledgeFile>> {
    if !directory.is_dir() {
        anyhow::bail!(
            "there is no knowledge directory `{}`; start from the folder that has it, or name it with --knowledge DIR",
            directory.display()
        );
    }
    let mut files = Vec::new();
    for folder in ["", "scenarios/", "workdays/"] {
        read_folder(directory, folder, &mut files)?;
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read_folder(directory: &Path, folder: &str, files: &mut Vec<KnowledgeFile>) -> anyhow::Result<()> {
    let full = directory.join(folder);
    if !full.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(&full).with_context(|| format!("cannot list `{}`", full.display()))? {
        let path = entry
            .with_context(|| format!("cannot list `{}`", full.display()))?
            .path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Editors leave hidden and backup files behind; only visible TOML files are knowledge.
        if path.is_file() && name.ends_with(".toml") && !name.starts_with('.') {
            files.push(KnowledgeFile {
                path: format!("{folder}{name}"),
                text: read_text(&path)?,
            });
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let size = fs::metadata(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?
        .len();
    anyhow::ensure!(
        size <= LARGEST_FILE,
        "`{}` has {size} bytes; at most {LARGEST_FILE} are read",
        path.display()
    );
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            anyhow::bail!("`{}` is not UTF-8 text; save it as UTF-8", path.display())
        }
        read => read.with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Trained matchers as files in a directory.
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
