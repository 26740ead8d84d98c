//! Traditional characters to simplified ones, one by one.
//!
//! Phrase rules would cost most of the time budget of a question and change nothing that the matcher sees, so the
//! dictionary is read once, character by character, into a flat table.

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;

/// Han characters of the basic plane: extension A up to the end of the unified block.
const FIRST: u32 = 0x3400;
const LAST: u32 = 0x9fff;
const COUNT: usize = (LAST - FIRST + 1) as usize;

/// The simplified form of every Han character of the basic plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CharacterTable {
    /// By character: what it becomes, itself if nothing else; zero for a rare one.
    simplified: Vec<u16>,
    /// The few with a form outside of the table, or with one that has another form itself; in order.
    rare: Vec<(char, char)>,
    /// Which characters others become, a bit each: nobody who writes traditional characters writes these.
    is_simplified: Vec<u64>,
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

    /// A table in which only the given characters change, each named once.
    pub(super) fn from_pairs(pairs: &[(char, char)]) -> Self {
        let mut table = Self {
            simplified: (FIRST..=LAST).map(|code| code as u16).collect(),
            rare: Vec::new(),
            is_simplified: vec![0; COUNT.div_ceil(64)],
        };
        for &(from, to) in pairs {
            table.set(from, to);
        }
        table.rare.sort_unstable();
        let change_again = pairs.iter().filter(|(_, to)| table.simplify(*to) != *to);
        for (from, to) in change_again.copied().collect::<Vec<_>>() {
            table.set_rare(from, to);
        }
        table.rare.sort_unstable();
        table
    }

    fn set(&mut self, from: char, to: char) {
        match slot_of(to) {
            Some(slot) => {
                if let Some(word) = self.is_simplified.get_mut(slot / 64) {
                    *word |= 1 << (slot % 64);
                }
                if let Some(entry) = slot_of(from).and_then(|slot| self.simplified.get_mut(slot)) {
                    *entry = u32::from(to) as u16;
                }
            }
            None => self.set_rare(from, to),
        }
    }

    fn set_rare(&mut self, from: char, to: char) {
        if let Some(entry) = slot_of(from).and_then(|slot| self.simplified.get_mut(slot)) {
            *entry = 0;
            self.rare.push((from, to));
        }
    }

    /// The characters that change, with what they become.
    pub(super) fn pairs(&self) -> Vec<(char, char)> {
        let characters = (FIRST..=LAST).filter_map(char::from_u32);
        characters
            .map(|from| (from, self.simplify(from)))
            .filter(|(from, to)| from != to)
            .collect()
    }

    /// Whether a character is the simplified form of another one.
    pub(super) fn is_simplified(&self, character: char) -> bool {
        match slot_of(character) {
            Some(slot) => self
                .is_simplified
                .get(slot / 64)
                .is_some_and(|word| word >> (slot % 64) & 1 == 1),
            None => !character.is_ascii() && self.rare.iter().any(|(_, to)| *to == character),
        }
    }

    /// The simplified form of a character; any other character stays as it is.
    pub(super) fn simplify(&self, character: char) -> char {
        match self.entry(character) {
            None => character,
            Some(0) => self.simplify_rare(character),
            Some(code) => char::from_u32(u32::from(code)).unwrap_or(character),
        }
    }

    /// The simplified form of a Han character of the table that is not rare; it has no other form itself.
    pub(super) fn common(&self, character: char) -> Option<char> {
        let code = self.entry(character).filter(|code| *code != 0)?;
        char::from_u32(u32::from(code))
    }

    fn entry(&self, character: char) -> Option<u16> {
        self.simplified.get(slot_of(character)?).copied()
    }

    fn simplify_rare(&self, character: char) -> char {
        let place = self.rare.binary_search_by_key(&character, |(from, _)| *from);
        let pair = place.ok().and_then(|place| self.rare.get(place));
        pair.map_or(character, |(_, to)| *to)
    }
}

fn slot_of(character: char) -> Option<usize> {
    let code = u32::from(character);
    (FIRST..=LAST).contains(&code).then(|| (code - FIRST) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_become_their_simplified_forms() {
        let table = CharacterTable::from_dictionary();
        assert_eq!(table.simplify('號'), '号');
        assert_eq!(table.simplify('号'), '号');
        assert_eq!(table.simplify('a'), 'a');
        assert!(table.is_simplified('号') && !table.is_simplified('號') && !table.is_simplified('微'));
    }

    #[test]
    fn a_table_of_its_pairs_is_the_same() {
        let table = CharacterTable::from_dictionary();
        assert_eq!(CharacterTable::from_pairs(&table.pairs()), table);
    }

    #[test]
    fn rare_characters_change_as_well() {
        let pairs = [('\u{346e}', '\u{2b748}'), ('薴', '苧'), ('苧', '苎')];
        let table = CharacterTable::from_pairs(&pairs);
        assert_eq!(pairs.map(|(from, _)| table.simplify(from)), pairs.map(|(_, to)| to));
        assert_eq!(pairs.map(|(from, _)| table.common(from)), [None, None, Some('苎')]);
        assert!(pairs.iter().all(|(_, to)| table.is_simplified(*to)));
    }
}
