//! What this program says to admins, in Chinese and in English: sentences by name, from data files that are built in.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::knowledge::Language;

/// The language of a locale such as `en_US.UTF-8`: English for English alone, because whoever administers WeCom reads Chinese and many
/// servers have no locale at all.
pub fn language_of_locale(locale: &str) -> Language {
    match locale.to_ascii_lowercase().starts_with("en") {
        true => Language::English,
        false => Language::Chinese,
    }
}

/// One sentence in both languages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentence {
    zh: String,
    en: String,
}

/// Sentences by name.
#[derive(Clone, Debug)]
pub struct Sentences(BTreeMap<String, Sentence>);

impl Sentences {
    /// Reads a table of `name = { zh = "…", en = "…" }`.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text).map(Self)
    }

    /// The sentence of a name, with `{placeholders}` replaced. A name that is not there comes back as it is, so that it is noticed.
    pub fn say(&self, name: &str, language: Language, values: &[(&str, &str)]) -> String {
        let sentence = self.0.get(name).map_or(name, |sentence| match language {
            Language::English => sentence.en.as_str(),
            Language::Chinese | Language::TraditionalChinese => sentence.zh.as_str(),
        });
        filled(sentence, |name| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        })
    }
}

/// A sentence with its placeholders replaced; one of which there is no value stays. In one pass, so that what is put in is never looked
/// through for placeholders.
pub(crate) fn filled<'v>(sentence: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut said = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        said.push_str(before);
        let found = after
            .split_once('}')
            .and_then(|(name, after)| Some((value(name)?, after)));
        match found {
            Some((value, after)) => {
                said.push_str(value);
                rest = after;
            }
            None => {
                said.push('{');
                rest = after;
            }
        }
    }
    said.push_str(rest);
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTENCES: &str = r#"waiting = { zh = "等{what}", en = "waiting for {what}" }"#;

    #[test]
    fn a_sentence_is_said_in_the_language_asked_for() {
        let sentences = Sentences::parse(SENTENCES).unwrap();
        let values = [("what", "{what}")];
        assert_eq!(sentences.say("waiting", Language::Chinese, &values), "等{what}");
        assert_eq!(
            sentences.say("waiting", Language::English, &values),
            "waiting for {what}"
        );
        assert_eq!(sentences.say("waiting", Language::English, &[]), "waiting for {what}");
        assert_eq!(sentences.say("unknown", Language::English, &[]), "unknown");
    }

    #[test]
    fn a_sentence_in_one_language_alone_is_an_error() {
        assert!(Sentences::parse(r#"waiting = { zh = "等" }"#).is_err());
    }

    #[test]
    fn only_english_locales_are_english() {
        assert_eq!(language_of_locale("en_US.UTF-8"), Language::English);
        assert_eq!(language_of_locale("zh_CN.UTF-8"), Language::Chinese);
        assert_eq!(language_of_locale("C.UTF-8"), Language::Chinese);
        assert_eq!(language_of_locale(""), Language::Chinese);
    }
}
