//! What the console says, in Chinese and in English; all of it stands in `words.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;

use crate::knowledge::Language as KnowledgeLanguage;

/// The cookie with the language that somebody has chosen.
pub(super) const COOKIE: &str = "lang";

/// A language of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Language {
    /// As in a cookie and in `lang` attributes.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// The same language where the knowledge has it.
    pub(super) fn of_knowledge(self) -> KnowledgeLanguage {
        match self {
            Self::Chinese => KnowledgeLanguage::Chinese,
            Self::English => KnowledgeLanguage::English,
        }
    }

    pub(super) fn from_tag(tag: &str) -> Option<Self> {
        [Self::Chinese, Self::English]
            .into_iter()
            .find(|language| language.tag() == tag)
    }

    /// The chosen one, else the browser's first that there is; most admins read Chinese.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let chosen = request.cookie(COOKIE);
        let chosen = chosen.and_then(|cookie| Self::from_tag(cookie.value()));
        chosen.unwrap_or_else(|| {
            let accepted = request.headers().get(ACCEPT_LANGUAGE);
            Self::accepted(accepted.and_then(|value| value.to_str().ok()).unwrap_or_default())
        })
    }

    fn accepted(header: &str) -> Self {
        let known = header.split(',').find_map(|entry| match entry.trim().get(..2) {
            Some("zh") => Some(Self::Chinese),
            Some("en") => Some(Self::English),
            _ => None,
        });
        known.unwrap_or(Self::Chinese)
    }

    /// What stands under a key such as `overview.title`; a question mark where nothing does, which a test prevents.
    pub(super) fn word(self, key: &str) -> &'static str {
        let found = WORDS.get(key).map(|[chinese, english]| match self {
            Self::Chinese => chinese.as_str(),
            Self::English => english.as_str(),
        });
        found.unwrap_or("?")
    }
}

static WORDS: LazyLock<HashMap<String, [String; 2]>> = LazyLock::new(|| read(include_str!("words.toml")));

/// Keys are those of the file with the name of their section in front.
fn read(text: &str) -> HashMap<String, [String; 2]> {
    let sections: HashMap<String, HashMap<String, [String; 2]>> = toml::from_str(text).unwrap_or_default();
    let words = sections.into_iter().flat_map(|(section, words)| {
        let named = move |(key, word)| (format!("{section}.{key}"), word);
        words.into_iter().map(named)
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_first_language_that_there_is_counts() {
        assert_eq!(
            Language::accepted("de-DE,de;q=0.9,en;q=0.8,zh;q=0.7"),
            Language::English
        );
        assert_eq!(Language::accepted("zh-TW,en"), Language::Chinese);
        assert_eq!(Language::accepted(""), Language::Chinese);
        assert_eq!(Language::accepted("é,x"), Language::Chinese);
    }

    fn texts(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|end| end.to_str()) {
                None => texts(&path, found),
                Some("rs" | "html") => found.push(std::fs::read_to_string(path).unwrap()),
                Some(_) => {}
            }
        }
    }

    /// Whatever stands between quotation marks, which may be nested in templates, and looks like a key: `section.some-key`.
    fn keys_in(text: &str, sections: &BTreeSet<&str>) -> Vec<String> {
        let quoted = text.split('"');
        let is_key = |word: &&str| {
            let is_plain =
                |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter);
            let section = word.split_once('.').filter(|(_, key)| !key.is_empty());
            section.is_some_and(|(section, _)| sections.contains(section)) && word.chars().all(is_plain)
        };
        quoted.filter(is_key).map(str::to_owned).collect()
    }

    #[test]
    fn every_word_that_is_said_is_on_file_in_both_languages_and_no_other() {
        let words = read(include_str!("words.toml"));
        assert!(words.len() > 50, "words.toml cannot be read");
        for (key, [chinese, english]) in &words {
            assert!(!chinese.is_empty() && !english.is_empty(), "{key}");
            assert_eq!(chinese.matches("{}").count(), english.matches("{}").count(), "{key}");
        }
        let sections = words.keys().filter_map(|key| key.split('.').next()).collect();
        let mut found = Vec::new();
        texts(Path::new("src/console"), &mut found);
        let said: BTreeSet<String> = found.iter().flat_map(|text| keys_in(text, &sections)).collect();
        let on_file: BTreeSet<String> = words.into_keys().collect();
        let missing: Vec<_> = said
            .difference(&on_file)
            .filter(|key| !key.ends_with(".html"))
            .collect();
        assert!(missing.is_empty(), "said, but not on file: {missing:?}");
        // Words of one kind are put together of the section and a word of the store.
        let put_together = |key: &&String| {
            [
                "decision.",
                "settings-section.",
                "fate.",
                "step.",
                "role.",
                "action.",
                "verdict.",
                "outcome.",
                "level.",
                "account-kind.",
                "failure.",
            ]
            .iter()
            .any(|section| key.starts_with(section))
        };
        let unsaid: Vec<_> = on_file.difference(&said).filter(|key| !put_together(key)).collect();
        assert!(unsaid.is_empty(), "on file, but never said: {unsaid:?}");
    }
}
