//! What findings say: what it is, why, and what to do, in Chinese and English.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::finding::{Cause, Finding, Level, Side};
use crate::bilingual::filled;
use crate::knowledge::Language;

const FILES: [(Side, &str); 4] = [
    (Side::Inside, include_str!("words/inside.toml")),
    (Side::Outside, include_str!("words/outside.toml")),
    (Side::Platform, include_str!("words/platform.toml")),
    (Side::Life, include_str!("words/life.toml")),
];

/// Stands where a value is missing; a test looks for it.
const MISSING: &str = "\u{fffd}";

/// What is on file of a cause.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    level: Level,
    zh: Words,
    en: Words,
}

/// What a finding says. What is good needs neither reason nor cure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// What was found.
    pub what: String,
    /// Why it is so, or why it matters.
    #[serde(default)]
    pub why: String,
    /// What to do.
    #[serde(default)]
    pub cure: String,
}

static ENTRIES: LazyLock<BTreeMap<&'static str, (Side, Entry)>> = LazyLock::new(|| {
    let mut entries = BTreeMap::new();
    for (side, text) in FILES {
        // A test reads them all.
        let mut of_file: BTreeMap<String, Entry> = toml::from_str(text).unwrap_or_default();
        for cause in Cause::ALL {
            if let Some(entry) = of_file.remove(cause.id()) {
                entries.insert(cause.id(), (side, entry));
            }
        }
    }
    entries
});

impl Finding {
    /// How bad it is.
    pub fn level(&self) -> Level {
        ENTRIES
            .get(self.cause.id())
            .map_or(Level::Red, |(_, entry)| entry.level)
    }

    /// From where it was seen.
    pub fn side(&self) -> Side {
        ENTRIES.get(self.cause.id()).map_or(Side::Inside, |(side, _)| *side)
    }

    /// What it says.
    pub fn words(&self, language: Language) -> Words {
        let Some((_, entry)) = ENTRIES.get(self.cause.id()) else {
            return Words::default();
        };
        let words = match language {
            Language::English => &entry.en,
            Language::Chinese | Language::TraditionalChinese => &entry.zh,
        };
        let filled = |template: &str| filled(template, |name| Some(self.value(name, language)));
        Words {
            what: filled(&words.what),
            why: filled(&words.why),
            cure: filled(&words.cure),
        }
    }

    /// The value of this name; what is a sentence has an English twin under `NAME_en`.
    fn value(&self, name: &str, language: Language) -> &str {
        if name == "app" {
            return &self.app;
        }
        let is_twin = |known: &str| known.strip_suffix("_en") == Some(name) && language == Language::English;
        let twin = self.values.iter().find(|(known, _)| is_twin(known));
        let found = twin.or_else(|| self.values.iter().find(|(known, _)| *known == name));
        found.map_or(MISSING, |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(words: &Words) -> Vec<String> {
        let text = format!("{}{}{}", words.what, words.why, words.cure);
        let parts = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
        let mut names: Vec<String> = parts.map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }

    #[test]
    fn every_cause_has_its_words_in_both_languages() {
        for (_, text) in FILES {
            let entries: BTreeMap<String, Entry> = toml::from_str(text).unwrap();
            for (id, entry) in entries {
                assert!(Cause::ALL.iter().any(|cause| cause.id() == id), "`{id}` is no cause");
                assert_eq!(placeholders(&entry.zh), placeholders(&entry.en), "{id}");
                for words in [&entry.zh, &entry.en] {
                    assert!(!words.what.is_empty(), "{id}");
                    let is_whole = !words.why.is_empty() && !words.cure.is_empty();
                    assert!(is_whole || entry.level == Level::Green, "{id} has no reason or no cure");
                }
            }
        }
        for cause in Cause::ALL {
            assert!(ENTRIES.contains_key(cause.id()), "{} has no words", cause.id());
        }
    }

    #[test]
    fn values_take_their_places_and_are_not_read_again() {
        let finding = Finding::new(Cause::ConfigurationProblem).with("problem", "{app} is {problem}");
        assert!(finding.words(Language::English).what.contains("{app} is {problem}"));
    }
}
