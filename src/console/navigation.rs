//! What stands in the navigation, and for whom.

use crate::store::ConsoleRole;

/// A page of the navigation.
pub(super) struct Entry {
    /// Where it is.
    pub(super) path: &'static str,
    /// What it is called, in `words.toml`.
    pub(super) word: &'static str,
    /// Its picture, in `templates/icons.html`.
    pub(super) icon: &'static str,
    /// Who sees it.
    pub(super) role: ConsoleRole,
}

/// All of them, in order.
pub(super) const NAVIGATION: &[Entry] = &[
    entry(super::ROOT, "overview.title", "overview", ConsoleRole::Viewer),
    entry("/console/messages", "messages.title", "messages", ConsoleRole::Viewer),
    entry(
        "/console/unanswered",
        "unanswered.title",
        "unanswered",
        ConsoleRole::Viewer,
    ),
    entry(
        "/console/knowledge",
        "knowledge.title",
        "knowledge",
        ConsoleRole::Viewer,
    ),
    entry("/console/appeals", "appeals.title", "appeals", ConsoleRole::Viewer),
    entry("/console/dead-letters", "dead.title", "dead", ConsoleRole::Editor),
    entry("/console/doctor", "doctor.title", "doctor", ConsoleRole::Editor),
    entry("/console/settings", "settings.title", "settings", ConsoleRole::Editor),
    entry("/console/person", "person.title", "person", ConsoleRole::Admin),
    entry("/console/users", "users.title", "users", ConsoleRole::Admin),
    entry("/console/audit", "audit.title", "audit", ConsoleRole::Admin),
];

const fn entry(path: &'static str, word: &'static str, icon: &'static str, role: ConsoleRole) -> Entry {
    Entry { path, word, icon, role }
}

impl Entry {
    /// Whether a page at `path` is this one or belongs to it.
    pub(super) fn holds(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.path);
        rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && self.path != super::ROOT))
    }
}
