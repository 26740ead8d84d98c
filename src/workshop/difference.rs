//! How two texts of a file differ.

use similar::{ChangeTag, TextDiff};

use crate::store::FileChange;

/// So many lines are shown around a change.
const AROUND: usize = 3;

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferentLine {
    /// What it is.
    pub kind: LineKind,
    /// Its text, without the line's end.
    pub text: String,
}

/// What a line of a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// It is in both.
    Same,
    /// It is only in the text before.
    Removed,
    /// It is only in the text after.
    Added,
    /// Lines are left out here; the text names the places.
    Gap,
}

/// The lines that differ, with some around them.
pub fn difference(change: &FileChange) -> Vec<DifferentLine> {
    let (before, after) = texts(change);
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        lines.push(DifferentLine {
            kind: LineKind::Gap,
            text: hunk.header().to_string(),
        });
        lines.extend(hunk.iter_changes().map(|line| DifferentLine {
            kind: match line.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Delete => LineKind::Removed,
                ChangeTag::Insert => LineKind::Added,
            },
            text: line.value().trim_end_matches(['\n', '\r']).to_owned(),
        }));
    }
    lines
}

/// All changes as a patch for `patch -p1` or `git apply`, below a folder of this name.
pub fn patch(folder: &str, changes: &[FileChange]) -> String {
    let one = |change: &FileChange| {
        let (before, after) = texts(change);
        let name = |side: &str, text: &Option<String>| match text {
            Some(_) => format!("{side}/{folder}/{}", change.path),
            None => "/dev/null".to_owned(),
        };
        let diff = TextDiff::from_lines(before, after);
        let mut unified = diff.unified_diff();
        unified.context_radius(AROUND);
        unified
            .header(&name("a", &change.before), &name("b", &change.after))
            .to_string()
    };
    changes.iter().map(one).collect()
}

fn texts(change: &FileChange) -> (&str, &str) {
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    (before.unwrap_or_default(), after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_changed_with_a_little_around_it() {
        let before: String = (1..=20).map(|line| format!("{line}\n")).collect();
        let change = FileChange {
            path: "outside.toml".to_owned(),
            after: Some(before.replace("10\n", "ten\n")),
            before: Some(before),
        };
        let lines = difference(&change);
        let of = |kind: LineKind| {
            let lines = lines.iter().filter(move |line| line.kind == kind);
            lines.map(|line| line.text.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(of(LineKind::Removed), ["10"]);
        assert_eq!(of(LineKind::Added), ["ten"]);
        assert_eq!(of(LineKind::Same), ["7", "8", "9", "11", "12", "13"]);
        let patch = patch("knowledge", &[change]);
        assert!(
            patch.starts_with("--- a/knowledge/outside.toml\n+++ b/knowledge/outside.toml\n@@ -7,7 +7,7 @@"),
            "{patch}"
        );
    }

    #[test]
    fn a_patch_makes_and_removes_files() {
        let made = FileChange {
            path: "scenarios/a.toml".to_owned(),
            before: None,
            after: Some("id = 1\n".to_owned()),
        };
        assert!(patch("knowledge", &[made]).starts_with("--- /dev/null\n+++ b/knowledge/scenarios/a.toml\n"));
    }
}
