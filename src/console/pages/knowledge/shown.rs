//! Differences, problems and known questions, as the pages show them.

use crate::checked_toml::Problem;
use crate::console::frame::encoded;
use crate::store::FileChange;
use crate::workshop::{Duplicate, LineKind, difference};

/// How a file differs.
pub(super) struct ShownDifference {
    pub(super) path: String,
    /// For a query.
    pub(super) encoded: String,
    /// Class and text of each line.
    pub(super) lines: Vec<(&'static str, String)>,
}

pub(super) fn shown_differences(changes: &[FileChange]) -> Vec<ShownDifference> {
    changes.iter().map(shown_difference).collect()
}

fn shown_difference(change: &FileChange) -> ShownDifference {
    let lines = difference(change).into_iter().map(|line| match line.kind {
        LineKind::Same => ("", format!("  {}", line.text)),
        LineKind::Removed => ("removed", format!("- {}", line.text)),
        LineKind::Added => ("added", format!("+ {}", line.text)),
        LineKind::Gap => ("gap", line.text),
    });
    ShownDifference {
        encoded: encoded(&change.path),
        lines: lines.collect(),
        path: change.path.clone(),
    }
}

/// A problem, and where to mend it.
pub(super) struct ShownProblem {
    pub(super) file: String,
    /// For a query.
    pub(super) encoded: String,
    /// The line; 0: the file as a whole.
    pub(super) line: usize,
    /// What stands in that line.
    pub(super) there: String,
    pub(super) message: String,
}

/// `text_of` has the texts of files.
pub(super) fn shown_problem<'t>(problem: &Problem, text_of: impl Fn(&str) -> Option<&'t str>) -> ShownProblem {
    let line = problem.line.unwrap_or_default();
    let there = text_of(&problem.file).and_then(|text| text.lines().nth(line.checked_sub(1)?));
    ShownProblem {
        encoded: encoded(&problem.file),
        there: there.unwrap_or_default().trim().chars().take(80).collect(),
        message: match problem.key.is_empty() {
            true => problem.message.clone(),
            false => format!("{}: {}", problem.key, problem.message),
        },
        file: problem.file.clone(),
        line,
    }
}

/// Questions that are known, with the places where they stand.
pub(super) fn shown_duplicates(duplicates: &[Duplicate]) -> Vec<(String, String)> {
    let shown = |duplicate: &Duplicate| (duplicate.question.clone(), duplicate.at.to_string());
    duplicates.iter().map(shown).collect()
}
