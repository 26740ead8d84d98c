//! Traditional characters to simplified ones, one by one.
//!
//! Phrase rules would cost most of the time budget of a question and change nothing that the matcher sees, so the
//! dictionary is read once, character by character, into a flat table.

use std::collections::HashSet;

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;

/// Han characters of the basic plane: extension A up to the end of the unified block.
const FIRST: u32 = 0x3400;
const LAST: u32 = 0x9fff;

/// The simplified form of every Han character of the basic plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CharacterTable {
    simplified: Vec<char>,
    /// What the characters that change become: nobody who writes traditional characters writes these.
    only_simplified: HashSet<char>,
}

impl CharacterTable {
    /// Reads the table out of the dictionary. Without a dictionary every character stands for itself.
    pub(super) fn from_dictionary() -> Self {
        let Ok(dictionary) = OpenCC::from_config(BuiltinConfig::T2s) else {
            return Self::from_pairs(&[]);
        };
        // One character a line: the dictionary's phrases never reach over a line break.
        let characters: Vec<char> = (FIRST..=LAST).filter_map(char::from_u32).collect();
        let lines: String = characters.iter().flat_map(|&character| [character, '\n']).collect();
        let converted = dictionary.convert(&lines);
        let pairs: Vec<(char, char)> = characters
            .into_iter()
            .zip(converted.lines())
            .filter_map(|(from, line)| Some((from, line.chars().next()?)))
            .filter(|(from, to)| from != to)
            .collect();
        Self::from_pairs(&pairs)
    }

    /// A table in which only the given characters change.
    pub(super) fn from_pairs(pairs: &[(char, char)]) -> Self {
        let mut table: Vec<char> = (FIRST..=LAST).filter_map(char::from_u32).collect();
        for &(from, to) in pairs {
            if let Some(entry) = slot_of(from).and_then(|slot| table.get_mut(slot)) {
                *entry = to;
            }
        }
        let only_simplified = pairs.iter().map(|(_, to)| *to).collect();
        Self {
            simplified: table,
            only_simplified,
        }
    }

    /// The characters that change, with what they become.
    pub(super) fn pairs(&self) -> Vec<(char, char)> {
        let characters = (FIRST..=LAST).filter_map(char::from_u32);
        characters
            .zip(self.simplified.iter().copied())
            .filter(|(from, to)| from != to)
            .collect()
    }

    /// Whether a character is the simplified form of another one.
    pub(super) fn is_simplified(&self, character: char) -> bool {
        self.only_simplified.contains(&character)
    }

    /// The simplified form of a character; any other character stays as it is.
    pub(super) fn simplify(&self, character: char) -> char {
        slot_of(character)
            .and_then(|slot| self.simplified.get(slot))
            .copied()
            .unwrap_or(character)
    }
}

fn slot_of(character: char) -> Option<usize> {
    let code = u32::from(character);
    (FIRST..=LAST).contains(&code).then(|| (code - FIRST) as usize)
}
