//! Words that speak against a class: who says "群没满" does not mean the full group.

use std::collections::BTreeMap;

use super::trie::Trie;

/// What is left of the probability of a class against which a question speaks in so many words.
const VETOED: f32 = 0.02;

/// Normalised words, each with the index of the class that it speaks against.
#[derive(Debug, Clone)]
pub(super) struct Vetoes {
    list: Vec<(String, usize)>,
    /// Places in the list.
    words: Trie<Vec<usize>>,
}

impl Vetoes {
    pub(super) fn new(list: Vec<(String, usize)>) -> Self {
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, (words, _)) in list.iter().enumerate() {
            places.entry(words).or_default().push(place);
        }
        Self {
            words: Trie::new(places),
            list,
        }
    }

    pub(super) fn list(&self) -> &[(String, usize)] {
        &self.list
    }

    /// Takes nearly all probability from the classes against which a question speaks, and gives it to the others.
    pub(super) fn heed(&self, normalised: &str, probabilities: &mut [f32]) {
        let found = self.words.find_all(normalised).flat_map(|found| found.meaning);
        let mut places: Vec<usize> = found.copied().collect();
        places.sort_unstable();
        places.dedup();
        let mut left = 1.0;
        for (_, class) in places.into_iter().filter_map(|place| self.list.get(place)) {
            if let Some(probability) = probabilities.get_mut(*class) {
                left -= *probability * (1.0 - VETOED);
                *probability *= VETOED;
            }
        }
        if left < 1.0 {
            let left = left.max(f32::MIN_POSITIVE);
            probabilities.iter_mut().for_each(|probability| *probability /= left);
        }
    }
}
