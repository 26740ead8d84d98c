//! Finds the words of a list in a text, character by character.
//!
//! The bot looks for many words in short texts. At most places no word of a list begins, and a bit tells so: that is several times
//! cheaper than an automaton which steps through the three bytes of every Chinese character, and smaller than one that is quick.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

/// Words with what each means.
#[derive(Debug, Clone)]
pub(crate) struct Trie<T> {
    firsts: Firsts,
    /// From a state, by a character, to the next state.
    steps: HashMap<u64, u32, BuildHasherDefault<StepHasher>>,
    /// What a word that ends in a state means, by state.
    meanings: Vec<Option<T>>,
}

/// A word that was found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found<'d, T> {
    /// Its bytes in the text.
    pub(crate) place: Range<usize>,
    /// What it means.
    pub(crate) meaning: &'d T,
}

/// The state before any character.
const START: u32 = 0;

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self {
            firsts: Firsts::default(),
            steps: HashMap::default(),
            meanings: vec![None],
        }
    }
}

impl<T> Trie<T> {
    /// Empty words are left out; of equal words the first one counts.
    pub(crate) fn new<W: AsRef<str>>(words: impl IntoIterator<Item = (W, T)>) -> Self {
        let mut trie = Self::default();
        for (word, meaning) in words {
            trie.add(word.as_ref(), meaning);
        }
        trie.steps.shrink_to_fit();
        trie.meanings.shrink_to_fit();
        trie
    }

    fn add(&mut self, word: &str, meaning: T) {
        let Some(first) = word.chars().next() else { return };
        self.firsts.add(first);
        let mut state = START;
        for character in word.chars() {
            let next = self.meanings.len() as u32;
            state = *self.steps.entry(step(state, character)).or_insert(next);
            if state == next {
                self.meanings.push(None);
            }
        }
        if let Some(place) = self.meanings.get_mut(state as usize) {
            place.get_or_insert(meaning);
        }
    }

    /// Whether any of the words is in a text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        text.char_indices()
            .any(|(start, first)| self.firsts.may_hold(first) && self.starting_at(text, start).next().is_some())
    }

    /// The words that begin at a place of a text, the shortest first.
    pub(crate) fn starting_at<'d>(&'d self, text: &'d str, start: usize) -> impl Iterator<Item = Found<'d, T>> {
        let rest = text.get(start..).unwrap_or_default();
        let is_first = rest.chars().next().is_some_and(|first| self.firsts.may_hold(first));
        let rest = if is_first { rest } else { "" };
        let mut state = START;
        let states = rest.char_indices().map_while(move |(place, character)| {
            state = *self.steps.get(&step(state, character))?;
            Some((start + place + character.len_utf8(), state))
        });
        states.filter_map(move |(end, state)| {
            let meaning = self.meanings.get(state as usize)?.as_ref()?;
            Some(Found {
                place: start..end,
                meaning,
            })
        })
    }

    /// The longest word that begins at a place of a text.
    pub(crate) fn longest_at<'d>(&'d self, text: &'d str, start: usize) -> Option<Found<'d, T>> {
        self.starting_at(text, start).last()
    }

    /// Every word at every place of a text, in the order of the places.
    pub(crate) fn find_all<'d>(&'d self, text: &'d str) -> impl Iterator<Item = Found<'d, T>> {
        let starts = text.char_indices().filter(|(_, first)| self.firsts.may_hold(*first));
        starts.flat_map(move |(start, _)| self.starting_at(text, start))
    }

    /// The words that a reader sees from left to right: at each place the longest one, the next one behind its end.
    pub(crate) fn find<'d>(&'d self, text: &'d str) -> impl Iterator<Item = Found<'d, T>> {
        let mut end = 0;
        let starts = text.char_indices().filter(|(_, first)| self.firsts.may_hold(*first));
        starts.filter_map(move |(start, _)| {
            let found = (start >= end).then(|| self.longest_at(text, start)).flatten()?;
            end = found.place.end;
            Some(found)
        })
    }
}

impl Trie<()> {
    /// Words that are only looked for.
    pub(crate) fn of<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Self {
        Self::new(words.into_iter().map(|word| (word, ())))
    }
}

fn step(state: u32, character: char) -> u64 {
    u64::from(state) << 32 | u64::from(u32::from(character))
}

/// Which characters words begin with, one bit for all characters that share their last twelve. A set bit may be another character's;
/// one that is not set is certain.
#[derive(Debug, Clone)]
struct Firsts([u64; 64]);

impl Default for Firsts {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl Firsts {
    fn add(&mut self, character: char) {
        let (word, bit) = place_of(character);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_hold(&self, character: char) -> bool {
        let (word, bit) = place_of(character);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place_of(character: char) -> (usize, u64) {
    let code = u32::from(character) as usize;
    (code / 64 % 64, 1 << (code % 64))
}

/// For steps, which are two small numbers in one: one multiplication spreads them, and its upper half is as good as random.
#[derive(Debug, Clone, Copy, Default)]
struct StepHasher(u64);

impl Hasher for StepHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trie() -> Trie<&'static str> {
        let words = ["企微", "企微号", "微号", "vx", "", "vx", "号"];
        Trie::new(words.map(|word| (word, word)))
    }

    fn found<'d>(words: impl Iterator<Item = Found<'d, &'static str>>) -> Vec<&'static str> {
        words.map(|word| *word.meaning).collect()
    }

    #[test]
    fn a_reader_sees_the_longest_word_from_the_left() {
        assert_eq!(found(trie().find("我企微号被封,vx也被封")), ["企微号", "vx"]);
        assert_eq!(found(trie().find("企企微微号")), ["企微", "微号"]);
        assert_eq!(found(trie().find("")), [""; 0]);
    }

    #[test]
    fn every_word_is_found_where_it_stands() {
        let trie = trie();
        assert_eq!(found(trie.find_all("企微号")), ["企微", "企微号", "微号", "号"]);
        let places: Vec<Range<usize>> = trie.find_all("a企微号").map(|word| word.place).collect();
        assert_eq!(places, [1..7, 1..10, 4..10, 7..10]);
        assert_eq!(trie.longest_at("企微号码", 0).map(|word| word.place), Some(0..9));
        assert_eq!(trie.longest_at("企微号码", 3).map(|word| word.place), Some(3..9));
        assert_eq!(trie.longest_at("企鹅", 0), None);
    }

    #[test]
    fn a_character_that_shares_a_bit_begins_no_word() {
        // As far from 号 as the bits repeat.
        let other = char::from_u32(u32::from('号') + 4096).unwrap();
        assert!(!trie().is_in(&other.to_string()));
        assert!(trie().is_in("号"));
        assert!(!Trie::<()>::default().is_in("号"));
    }
}
