//! Changed files over the knowledge directory, until they are published.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::edit::EditError;
use crate::knowledge::{KnowledgeFiles, is_knowledge_path};
use crate::learning::Changes;
use crate::store::FileChange;

/// What somebody has changed and not published.
///
/// Each changed file remembers its text when the editing began. If it is another one in the directory now, somebody else has changed the
/// file in the meantime (with git, or from the console), and publishing would undo that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    changes: BTreeMap<String, Changed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Changed {
    began_with: Option<String>,
    text: Option<String>,
}

impl Draft {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// What is changed, against how each file was when the editing began.
    pub fn changes(&self) -> Vec<FileChange> {
        let change = |(path, changed): (&String, &Changed)| FileChange {
            path: path.clone(),
            before: changed.began_with.clone(),
            after: changed.text.clone(),
        };
        self.changes.iter().map(change).collect()
    }

    /// Whether this file is changed.
    pub fn has(&self, path: &str) -> bool {
        self.changes.contains_key(path)
    }

    /// The knowledge with the changes in it.
    pub fn over(&self, files: &KnowledgeFiles) -> KnowledgeFiles {
        let put =
            |files: KnowledgeFiles, (path, changed): (&String, &Changed)| files.with(path, changed.text.as_deref());
        self.changes.iter().fold(files.clone(), put)
    }

    /// The text of a file with the changes in it.
    pub fn text<'d>(&'d self, files: &'d KnowledgeFiles, path: &str) -> Option<&'d str> {
        match self.changes.get(path) {
            Some(changed) => changed.text.as_deref(),
            None => files.text(path),
        }
    }

    /// Writes another text into a file, or removes it. The text that the directory has is no change.
    ///
    /// # Errors
    ///
    /// A name that no file of the knowledge can have.
    pub fn put(&mut self, files: &KnowledgeFiles, path: &str, text: Option<String>) -> Result<(), EditError> {
        if !is_knowledge_path(path) {
            return Err(EditError::NoKnowledgeFile { file: path.to_owned() });
        }
        let began_with = match self.changes.remove(path) {
            Some(changed) => changed.began_with,
            None => files.text(path).map(str::to_owned),
        };
        if began_with != text {
            self.changes.insert(path.to_owned(), Changed { began_with, text });
        }
        Ok(())
    }

    /// Leaves a file as it is in the directory.
    pub fn forget(&mut self, path: &str) {
        self.changes.remove(path);
    }

    /// The files that somebody else has changed since the editing began: how each was then, and how it is now.
    pub fn conflicts(&self, files: &KnowledgeFiles) -> Vec<FileChange> {
        let changed_since = |(path, changed): (&String, &Changed)| {
            let now = files.text(path);
            let is_other = now != changed.began_with.as_deref() && now != changed.text.as_deref();
            is_other.then(|| FileChange {
                path: path.clone(),
                before: changed.began_with.clone(),
                after: now.map(str::to_owned),
            })
        };
        self.changes.iter().filter_map(changed_since).collect()
    }

    /// From now on the change of a file is one of the text that it has now: what somebody else has changed in it is undone by publishing.
    pub fn insist(&mut self, files: &KnowledgeFiles, path: &str) {
        if let Some(mut changed) = self.changes.remove(path) {
            changed.began_with = files.text(path).map(str::to_owned);
            if changed.began_with != changed.text {
                self.changes.insert(path.to_owned(), changed);
            }
        }
    }

    /// The changes as whoever trains takes them.
    pub(super) fn for_training(&self) -> Changes {
        let changes = self.changes.iter();
        changes
            .map(|(path, changed)| (path.clone(), changed.text.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> KnowledgeFiles {
        let none = KnowledgeFiles::default();
        texts
            .iter()
            .fold(none, |files, (path, text)| files.with(path, Some(text)))
    }

    fn put(draft: &mut Draft, files: &KnowledgeFiles, path: &str, text: Option<&str>) {
        draft.put(files, path, text.map(str::to_owned)).unwrap();
    }

    #[test]
    fn a_draft_lies_over_the_directory_and_leaves_it_alone() {
        let directory = files(&[("outside.toml", "a"), ("texts.toml", "b")]);
        let mut draft = Draft::default();
        put(&mut draft, &directory, "outside.toml", Some("changed"));
        put(&mut draft, &directory, "texts.toml", None);
        put(&mut draft, &directory, "scenarios/new.toml", Some("new"));
        let expected = files(&[("outside.toml", "changed"), ("scenarios/new.toml", "new")]);
        assert_eq!(draft.over(&directory), expected);
        assert_eq!(draft.text(&directory, "outside.toml"), Some("changed"));
        assert_eq!(draft.text(&directory, "texts.toml"), None);
        let stored = serde_json::to_string(&draft).unwrap();
        assert_eq!(serde_json::from_str::<Draft>(&stored).unwrap(), draft);
    }

    #[test]
    fn what_is_changed_back_is_no_change() {
        let directory = files(&[("outside.toml", "a")]);
        let mut draft = Draft::default();
        put(&mut draft, &directory, "outside.toml", Some("changed"));
        put(&mut draft, &directory, "outside.toml", Some("a"));
        assert!(draft.is_empty());
    }

    #[test]
    fn what_somebody_else_changed_in_the_meantime_is_a_conflict_until_one_insists() {
        let directory = files(&[("outside.toml", "a"), ("texts.toml", "b")]);
        let mut draft = Draft::default();
        put(&mut draft, &directory, "outside.toml", Some("mine"));
        assert_eq!(draft.conflicts(&directory), []);
        assert_eq!(
            draft.conflicts(&files(&[("outside.toml", "mine")])),
            [],
            "the same change"
        );
        let now = files(&[("outside.toml", "theirs"), ("texts.toml", "b")]);
        let conflicts = draft.conflicts(&now);
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].before.as_deref(), Some("a"));
        assert_eq!(conflicts[0].after.as_deref(), Some("theirs"));
        draft.insist(&now, "outside.toml");
        assert_eq!(draft.conflicts(&now), []);
        assert_eq!(draft.changes()[0].before.as_deref(), Some("theirs"));
    }

    #[test]
    fn only_files_of_the_knowledge_can_be_written() {
        let mut draft = Draft::default();
        let none = KnowledgeFiles::default();
        for path in [
            "../x.toml",
            "scenarios/../../x.toml",
            "scenarios/.x.toml",
            "scenarios/a/b.toml",
            "notes.toml",
            "/etc/passwd",
            "scenarios/x",
            "eval/x.toml",
        ] {
            assert!(draft.put(&none, path, Some(String::new())).is_err(), "{path}");
        }
        assert!(draft.is_empty());
    }
}
