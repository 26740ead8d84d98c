//! What words mean, by static vectors: near in meaning is near in direction, also where no character is shared (赎回, 取出).
//!
//! The table was distilled once from a sentence encoder; `data/NOTICE.md` says from which and how.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::characters::is_han;
use super::reading::{SEED, mix};
use super::vocabulary::ByHash;

/// Numbers in one vector.
pub(super) const DIMENSIONS: usize = 64;

/// Chinese words of the table have at most so many characters.
const LONGEST_WORD: usize = 4;

/// A beginning of fewer letters says nothing about an English word.
const SHORTEST_STEM: usize = 4;

static BYTES: &[u8] = include_bytes!("data/word-vectors.bin");

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(BYTES).unwrap_or_default());

/// The direction of a text's meaning, of length one; zero where no word is known.
pub(super) type Meaning = [f32; DIMENSIONS];

/// The meaning of a normalised text: the sum of its words, the longest first from the left.
pub(super) fn meaning_of(text: &str) -> Option<Box<Meaning>> {
    let mut sum = Box::new([0.0_f32; DIMENSIONS]);
    let (table, mut rest) = (&*TABLE, text);
    while let Some(character) = rest.chars().next() {
        let (word, length) = if is_han(character) {
            table.longest(rest)
        } else if character.is_ascii_alphabetic() {
            table.whole(rest)
        } else {
            (None, character.len_utf8())
        };
        if let Some(word) = word {
            table.add(word, &mut sum);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length == 0.0 {
        return None;
    }
    sum.iter_mut().for_each(|value| *value /= length);
    Some(sum)
}

/// Whether a text in Latin letters is made of English words alone; "are you human" could be cut into syllables of pinyin, too.
pub(super) fn is_english(text: &str) -> bool {
    let mut words = text
        .split(|letter: char| !letter.is_ascii_alphabetic())
        .filter(|word| !word.is_empty());
    words.all(|word| {
        let letters = word.bytes().map(|letter| u64::from(letter.to_ascii_lowercase()));
        let hash = letters.fold(SEED, mix);
        TABLE.words.get(&hash).is_some_and(|beginning| beginning.number > 0)
    })
}

/// What is known about the beginning of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Beginning {
    /// The word that it is, counted from 1; 0 for none.
    number: u32,
    /// Whether a longer Chinese word begins like this.
    goes_on: bool,
}

impl Beginning {
    fn word(self) -> Option<usize> {
        (self.number as usize).checked_sub(1)
    }
}

/// Words with a scale and a vector of small numbers each.
#[derive(Default)]
struct Table {
    words: HashMap<u64, Beginning, ByHash>,
    scales: Vec<f32>,
    vectors: &'static [u8],
}

impl Table {
    /// The bytes: how many words, how many dimensions; each word after its length; a scale each; a vector of signed bytes each.
    fn parse(bytes: &'static [u8]) -> Option<Self> {
        let (count, rest) = number(bytes)?;
        let (dimensions, mut rest) = number(rest)?;
        if dimensions != DIMENSIONS {
            return None;
        }
        let mut words: HashMap<u64, Beginning, ByHash> = HashMap::with_capacity_and_hasher(count, ByHash::default());
        for word in 0..count {
            let (&length, after) = rest.split_first()?;
            let (text, after) = after.split_at_checked(usize::from(length))?;
            add_word(&mut words, std::str::from_utf8(text).ok()?, word as u32 + 1);
            rest = after;
        }
        let (scales, vectors) = rest.split_at_checked(count * 4)?;
        if vectors.len() != count * DIMENSIONS {
            return None;
        }
        let (scales, _) = scales.as_chunks();
        Some(Self {
            words,
            scales: scales.iter().map(|scale| f32::from_le_bytes(*scale)).collect(),
            vectors,
        })
    }

    /// The longest Chinese word that a text begins with, and its bytes; the bytes of a character where no word is known.
    fn longest(&self, text: &str) -> (Option<usize>, usize) {
        let (mut hash, mut end) = (SEED, 0);
        let mut longest = (None, text.chars().next().map_or(1, char::len_utf8));
        for character in text.chars().take(LONGEST_WORD) {
            end += character.len_utf8();
            hash = mix(hash, u64::from(character));
            let Some(beginning) = self.words.get(&hash) else { break };
            if beginning.number > 0 {
                longest = (beginning.word(), end);
            }
            if !beginning.goes_on {
                break;
            }
        }
        longest
    }

    /// The English word that a text begins with, or as much of its beginning as is a word ("reminder" is about to remind), and the
    /// bytes up to its end.
    fn whole(&self, text: &str) -> (Option<usize>, usize) {
        let (mut hash, mut length, mut longest) = (SEED, 0, None);
        for letter in text.bytes().take_while(u8::is_ascii_alphabetic) {
            hash = mix(hash, u64::from(letter));
            length += 1;
            let word = self.words.get(&hash).and_then(|beginning| beginning.word());
            let is_whole = || !text.as_bytes().get(length).is_some_and(u8::is_ascii_alphabetic);
            longest = word.filter(|_| length >= SHORTEST_STEM || is_whole()).or(longest);
        }
        (longest, length)
    }

    fn add(&self, word: usize, sum: &mut Meaning) {
        let vector = self.vectors.get(word * DIMENSIONS..(word + 1) * DIMENSIONS);
        let (Some(vector), Some(scale)) = (vector, self.scales.get(word)) else {
            return;
        };
        for (sum, byte) in sum.iter_mut().zip(vector) {
            *sum += scale * f32::from(byte.cast_signed());
        }
    }
}

/// Adds a word; a Chinese one with whatever it begins with.
fn add_word(words: &mut HashMap<u64, Beginning, ByHash>, word: &str, number: u32) {
    let is_chinese = word.starts_with(is_han);
    let mut hash = SEED;
    for (place, character) in word.char_indices() {
        if is_chinese && place > 0 {
            words.entry(hash).or_default().goes_on = true;
        }
        hash = mix(hash, u64::from(character));
    }
    words.entry(hash).or_default().number = number;
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number) as usize, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(one: &str, other: &str) -> f32 {
        let (one, other) = (meaning_of(one).unwrap(), meaning_of(other).unwrap());
        one.iter().zip(other.iter()).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn near_in_meaning_is_near_in_direction() {
        assert!(likeness("赎回基金", "取钱") > likeness("赎回基金", "天气"));
        assert!(likeness("朋友", "好友") > likeness("朋友", "二维码"));
        assert!((likeness("怎么申诉", "怎么申诉") - 1.0).abs() < 1e-5);
        assert!(likeness("提醒", "reminder") > likeness("提醒", "music"));
    }

    #[test]
    fn a_text_without_known_words_means_nothing() {
        assert_eq!(meaning_of("asdfg 123 ?"), None);
        assert_eq!(meaning_of(""), None);
    }

    #[test]
    fn a_damaged_table_is_no_table() {
        assert!(Table::parse(&[]).is_none());
        assert!(Table::parse(BYTES.get(..1000).unwrap()).is_none());
    }
}
