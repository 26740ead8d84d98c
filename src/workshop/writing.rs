//! Writing changed files into the knowledge directory, all of them or none.
//!
//! Whatever reads the directory meanwhile sees each file as a whole, before or after: a file is written aside, made durable, and moved into
//! place. Whoever follows the directory takes a change when it has been still for a while, and so sees all of them together.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::store::FileChange;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("the knowledge directory cannot be written: `{path}`: {error}")]
pub struct WriteError {
    /// Which file.
    pub path: PathBuf,
    /// What the system says.
    pub error: io::Error,
}

/// A file that has been written aside, or one that is to go.
struct Prepared<'c> {
    change: &'c FileChange,
    target: PathBuf,
    aside: Option<PathBuf>,
}

/// Writes what each file is to be afterwards.
///
/// # Errors
///
/// The first file that cannot be written. What was written before it is as it was.
pub(super) fn write_files(directory: &Path, changes: &[FileChange]) -> Result<(), WriteError> {
    let mut prepared = Vec::new();
    for change in changes {
        match prepare(directory, change) {
            Ok(one) => prepared.push(one),
            Err(error) => {
                prepared.iter().for_each(Prepared::give_up);
                return Err(error);
            }
        }
    }
    for (place, one) in prepared.iter().enumerate() {
        if let Err(error) = one.put_in_place() {
            prepared.iter().take(place).for_each(|one| one.put_back(directory));
            prepared.iter().for_each(Prepared::give_up);
            return Err(error);
        }
    }
    let folders = prepared.iter().filter_map(|one| one.target.parent());
    // The files are in place; a system that cannot make the names of a folder durable does so in time.
    folders.for_each(|folder| drop(File::open(folder).and_then(|folder| folder.sync_all())));
    Ok(())
}

fn prepare<'c>(directory: &Path, change: &'c FileChange) -> Result<Prepared<'c>, WriteError> {
    let path = directory.join(&change.path);
    // Where a link leads to, the file is replaced, not the link.
    let target = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let failed = |error| WriteError {
        path: path.clone(),
        error,
    };
    let aside = match &change.after {
        None => None,
        Some(text) => Some(written_aside(&target, text).map_err(failed)?),
    };
    Ok(Prepared { change, target, aside })
}

/// A hidden file beside the target, with its text and its permissions. Whoever reads the directory leaves it out.
fn written_aside(target: &Path, text: &str) -> io::Result<PathBuf> {
    let folder = target.parent().unwrap_or(target);
    fs::create_dir_all(folder)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let aside = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&aside)?;
    let written = (|| {
        file.write_all(text.as_bytes())?;
        if let Ok(before) = fs::metadata(target) {
            file.set_permissions(before.permissions())?;
        }
        file.sync_all()
    })();
    match written {
        Ok(()) => Ok(aside),
        Err(error) => {
            let _ = fs::remove_file(&aside);
            Err(error)
        }
    }
}

impl Prepared<'_> {
    fn put_in_place(&self) -> Result<(), WriteError> {
        let moved = match &self.aside {
            Some(aside) => fs::rename(aside, &self.target),
            None => fs::remove_file(&self.target),
        };
        moved.map_err(|error| WriteError {
            path: self.target.clone(),
            error,
        })
    }

    /// As far as that can be done: the system has just refused something.
    fn put_back(&self, directory: &Path) {
        let back = FileChange {
            path: self.change.path.clone(),
            before: None,
            after: self.change.before.clone(),
        };
        if let Ok(back) = prepare(directory, &back) {
            let _ = back.put_in_place();
        }
    }

    fn give_up(&self) {
        if let Some(aside) = &self.aside {
            let _ = fs::remove_file(aside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> FileChange {
        FileChange {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_replaced_made_and_removed_and_nothing_is_left_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("a.toml"), "a").unwrap();
        fs::write(path.join("b.toml"), "b").unwrap();
        let changes = [
            change("a.toml", Some("a"), Some("changed")),
            change("b.toml", Some("b"), None),
            change("scenarios/c.toml", None, Some("new")),
        ];
        write_files(path, &changes).unwrap();
        assert_eq!(fs::read_to_string(path.join("a.toml")).unwrap(), "changed");
        assert_eq!(names(path), ["a.toml", "scenarios"]);
        assert_eq!(names(&path.join("scenarios")), ["c.toml"]);
    }

    #[test]
    fn of_several_files_all_are_written_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("a.toml"), "a").unwrap();
        // A folder stands where the second file should go.
        fs::create_dir_all(path.join("b.toml/in the way")).unwrap();
        let changes = [
            change("a.toml", Some("a"), Some("changed")),
            change("b.toml", None, Some("new")),
        ];
        let refused = write_files(path, &changes).unwrap_err();
        assert!(refused.to_string().contains("b.toml"), "{refused}");
        assert_eq!(fs::read_to_string(path.join("a.toml")).unwrap(), "a");
        assert_eq!(names(path), ["a.toml", "b.toml"]);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::write(path.join("real"), "a").unwrap();
        fs::set_permissions(path.join("real"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real", path.join("a.toml")).unwrap();
        write_files(path, &[change("a.toml", Some("a"), Some("b"))]).unwrap();
        assert!(fs::symlink_metadata(path.join("a.toml")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(path.join("real")).unwrap(), "b");
        let mode = fs::metadata(path.join("real")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}
