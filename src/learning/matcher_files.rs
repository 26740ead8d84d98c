//! The cache of trained matchers on disk.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::dialogue::MatcherCache;

/// How many trained matchers are kept, so that going back and forth between two versions trains nothing.
const KEPT_MATCHERS: usize = 4;

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
