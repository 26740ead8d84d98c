//! Noticing that a directory has changed, by looking at names, sizes and times now and then.
//!
//! That needs no help of the system and works alike for editors, rsync, git, mounted ConfigMaps and network shares. A change is taken
//! once it has been still for one more look: files that are being written, and many changes at once, are waited for.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::SystemTime;

use crate::learning::is_left_behind;

/// Folders below the knowledge directory are not deeper; a link to one above must not lead round in circles.
const DEEPEST: usize = 4;

/// What a directory looked like. One that cannot be listed looks empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look(u64);

impl Look {
    /// Looks at everything in the directory without reading any of it.
    pub(super) fn at(directory: &Path) -> Self {
        let mut seen = Vec::new();
        look_into(directory, DEEPEST, &mut seen);
        seen.sort_unstable();
        let mut hasher = DefaultHasher::new();
        seen.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Path, size and time of a file.
type Seen = (String, u64, Option<SystemTime>);

fn look_into(directory: &Path, deeper: usize, seen: &mut Vec<Seen>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.filter_map(Result::ok) {
        if is_left_behind(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        // Of a link it is what it leads to that counts.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_dir() && deeper > 0 {
            look_into(&path, deeper.saturating_sub(1), seen);
        } else {
            seen.push((
                path.to_string_lossy().into_owned(),
                metadata.len(),
                metadata.modified().ok(),
            ));
        }
    }
}

/// Tells from the looks at a directory when it has changed.
#[derive(Debug)]
pub(super) struct DirectoryWatch {
    /// As it was when its content was taken last.
    taken: Look,
    /// How it looked last, if that is another one.
    changed: Option<Look>,
}

impl DirectoryWatch {
    /// The content was taken when the directory looked like this.
    pub(super) fn since(taken: Look) -> Self {
        Self { taken, changed: None }
    }

    /// Whether the content is to be taken now: it has changed and has been still since the look before.
    pub(super) fn is_to_be_taken(&mut self, now: Look) -> bool {
        let is_still = self.changed == Some(now);
        self.changed = (now != self.taken).then_some(now);
        if is_still {
            self.take(now);
        }
        is_still
    }

    /// The content is taken now, still or not.
    pub(super) fn take(&mut self, now: Look) {
        *self = Self::since(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_taken_once_it_is_still() {
        let mut watch = DirectoryWatch::since(Look(1));
        let taken: Vec<bool> = [1, 1, 2, 3, 4, 4, 4, 4]
            .map(|look| watch.is_to_be_taken(Look(look)))
            .to_vec();
        assert_eq!(taken, [false, false, false, false, false, true, false, false]);
    }

    #[test]
    fn what_is_changed_back_is_no_change() {
        let mut watch = DirectoryWatch::since(Look(1));
        let taken = [2, 1, 1, 2, 1].map(|look| watch.is_to_be_taken(Look(look)));
        assert_eq!(taken, [false; 5]);
        watch.take(Look(2));
        assert!(!watch.is_to_be_taken(Look(2)));
    }

    #[test]
    fn another_size_time_name_or_place_is_another_look() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let file = path.join("a.toml");
        let mut looks = vec![Look::at(path)];
        let mut look = || looks.push(Look::at(path));
        fs::create_dir(path.join("scenarios")).unwrap();
        fs::write(&file, "one").unwrap();
        look();
        fs::write(&file, "three").unwrap();
        look();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(later)
            .unwrap();
        look();
        fs::rename(&file, path.join("b.toml")).unwrap();
        look();
        fs::rename(path.join("b.toml"), path.join("scenarios/b.toml")).unwrap();
        look();
        fs::write(path.join(".b.toml.swp"), "of an editor").unwrap();
        fs::remove_dir_all(path.join("scenarios")).unwrap();
        assert_eq!(Look::at(path), looks[0]);
        let all = looks.len();
        looks.dedup();
        assert_eq!(looks.len(), all);
        let missing = Look::at(&path.join("missing"));
        assert_eq!(missing, looks[0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_to_another_version_is_another_look() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for version in ["..1", "..2"] {
            fs::create_dir(path.join(version)).unwrap();
            fs::write(path.join(version).join("texts.toml"), version.repeat(version.len())).unwrap();
        }
        symlink("..1", path.join("..data")).unwrap();
        symlink("..data/texts.toml", path.join("texts.toml")).unwrap();
        fs::write(path.join("..2/texts.toml"), "longer than the first one").unwrap();
        let before = Look::at(path);
        symlink("..2", path.join("..next")).unwrap();
        fs::rename(path.join("..next"), path.join("..data")).unwrap();
        assert_ne!(Look::at(path), before);
    }
}
