//! Which questions the knowledge has already, and where.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::edit::{Duplicate, EditError};
use crate::knowledge::Catalogue;

/// Where a question stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownAt {
    /// Among the example questions of this scenario.
    Scenario(String),
    /// Among the counter-examples of this scenario.
    CounterExample(String),
    /// Among what is small talk, or asks for a person.
    Intent(String),
    /// Among what is not our subject.
    Outside,
    /// Among what several scenarios answer.
    Ambiguous,
    /// Earlier in the same list.
    Repeated,
}

impl fmt::Display for KnownAt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario(id) => write!(out, "{id}"),
            Self::CounterExample(id) => write!(out, "{id} (not_this)"),
            Self::Intent(id) => write!(out, "smalltalk.toml ({id})"),
            Self::Outside => write!(out, "outside.toml"),
            Self::Ambiguous => write!(out, "ambiguous.toml"),
            Self::Repeated => write!(out, "="),
        }
    }
}

/// Every question of the knowledge, by what is left of it without punctuation, spaces and case.
pub struct KnownQuestions(BTreeMap<String, KnownAt>);

impl KnownQuestions {
    /// Those of a catalogue.
    pub fn of(catalogue: &Catalogue) -> Self {
        let mut known = BTreeMap::new();
        let mut note = |question: &str, at: KnownAt| {
            known.entry(bare(question)).or_insert(at);
        };
        for (id, scenario) in &catalogue.scenarios {
            for utterance in &scenario.utterances {
                note(&utterance.value, KnownAt::Scenario(id.clone()));
            }
        }
        for (id, scenario) in &catalogue.scenarios {
            for example in &scenario.not_this {
                note(&example.text, KnownAt::CounterExample(id.clone()));
            }
        }
        for question in &catalogue.outside {
            note(question, KnownAt::Outside);
        }
        for questions in &catalogue.ambiguous {
            questions
                .utterances
                .iter()
                .for_each(|text| note(text, KnownAt::Ambiguous));
        }
        for intent in &catalogue.intents {
            let at = || KnownAt::Intent(intent.id.clone());
            intent.utterances.iter().for_each(|text| note(text, at()));
        }
        Self(known)
    }

    /// From now on this question stands there.
    pub(super) fn note(&mut self, question: &str, at: KnownAt) {
        self.0.entry(bare(question)).or_insert(at);
    }

    /// Where this question stands, if it does.
    pub fn at(&self, question: &str) -> Option<&KnownAt> {
        self.0.get(&bare(question))
    }

    /// What is new of these questions, each in one line and once. The others are told.
    pub(super) fn without_known(
        &self,
        questions: Vec<String>,
        duplicates: &mut Vec<Duplicate>,
    ) -> Result<Vec<String>, EditError> {
        let mut new = Vec::new();
        let mut taken = BTreeMap::new();
        for question in questions {
            let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
            if question.is_empty() {
                continue;
            }
            let at = self.at(&question).cloned();
            let at = at.or_else(|| match taken.entry(bare(&question)) {
                Entry::Occupied(_) => Some(KnownAt::Repeated),
                Entry::Vacant(place) => {
                    place.insert(());
                    None
                }
            });
            match at {
                Some(at) => duplicates.push(Duplicate { question, at }),
                None => new.push(question),
            }
        }
        match new.is_empty() && duplicates.is_empty() {
            true => Err(EditError::Nothing),
            false => Ok(new),
        }
    }
}

/// What two questions have in common that differ only in width, case, spaces and punctuation. Of what has nothing else it is the whole.
fn bare(question: &str) -> String {
    let folded: String = question.nfkc().flat_map(char::to_lowercase).collect();
    let letters: String = folded.chars().filter(|letter| letter.is_alphanumeric()).collect();
    match letters.is_empty() {
        true => folded,
        false => letters,
    }
}
