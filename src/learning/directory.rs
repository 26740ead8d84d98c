//! Reading the knowledge directory.

use std::fs;
use std::io;
use std::path::Path;
use std::str::Utf8Error;

use anyhow::Context;

use crate::checked_toml::Problem;
use crate::dialogue::{Assistant, MatcherCache};
use crate::knowledge::{KnowledgeFile, KnowledgeFiles, problem_of_file, unknown_file};

/// A knowledge file larger than this is a mistake: the largest genuine one has a few dozen KiB.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

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
pub fn is_left_behind(name: &str) -> bool {
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
