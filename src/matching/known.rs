//! Utterances word for word: whoever writes one means its class, however the matcher would judge.

use std::collections::HashMap;

use super::calibration::is_scenario;
use super::characters::is_alphanumeric;
use super::reading::{SEED, mix};
use super::training_set::ClassKind;
use super::vocabulary::ByHash;

/// The classes of utterances, by their letters.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownUtterances(HashMap<u64, Meant, ByHash>);

/// What an utterance means. Nearly all of them mean one class, and there are thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meant {
    One(u32),
    Several(Box<[usize]>),
}

/// The classes that have an utterance, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners<'u> {
    /// One class: it is meant for certain.
    One(usize),
    /// Several scenarios: one of them is meant for certain, and which is open.
    Several(&'u [usize]),
}

impl KnownUtterances {
    pub(super) fn of(utterances: &[(String, usize)], kinds: &[ClassKind]) -> Self {
        let is_of_scenario = |class: &usize| kinds.get(*class).copied().is_some_and(is_scenario);
        let known = owners_of(utterances).into_iter().filter_map(|(letters, classes)| {
            let meant = match classes.as_slice() {
                [only] => Meant::One(*only as u32),
                // What a scenario shares with small talk or another subject tells nothing for certain.
                several => several
                    .iter()
                    .all(is_of_scenario)
                    .then(|| Meant::Several(several.into()))?,
            };
            Some((letters, meant))
        });
        Self(known.collect())
    }

    /// Whose utterance a text is.
    pub(super) fn owners(&self, text: &str) -> Option<Owners<'_>> {
        Some(match self.0.get(&letters_of(text))? {
            Meant::One(class) => Owners::One(*class as usize),
            Meant::Several(classes) => Owners::Several(classes),
        })
    }
}

/// The classes of every utterance, by its letters.
pub(super) fn owners_of(utterances: &[(String, usize)]) -> HashMap<u64, Vec<usize>, ByHash> {
    let mut owners: HashMap<u64, Vec<usize>, ByHash> = HashMap::default();
    for (text, class) in utterances {
        let classes = owners.entry(letters_of(text)).or_default();
        if !classes.contains(class) {
            classes.push(*class);
        }
    }
    owners
}

/// Stands for a text without punctuation and spaces; for the whole of a text of nothing but punctuation.
pub(super) fn letters_of(text: &str) -> u64 {
    let hash_of = |characters: &mut dyn Iterator<Item = char>| {
        characters.fold(SEED, |hash, character| mix(hash, u64::from(character)))
    };
    match hash_of(&mut text.chars().filter(|character| is_alphanumeric(*character))) {
        SEED => hash_of(&mut text.chars()),
        letters => letters,
    }
}
