//! What sort of character one is. Nearly all that people type is ASCII or a common Han character, and needs no table to tell.

/// Han characters of the first block, all of which are letters.
pub(super) const COMMON_HAN: std::ops::RangeInclusive<char> = '\u{4e00}'..='\u{9fff}';

/// As [`char::is_alphanumeric`] has it.
pub(crate) fn is_alphanumeric(character: char) -> bool {
    COMMON_HAN.contains(&character) || character.is_alphanumeric()
}

/// As [`char::is_numeric`] has it.
pub(super) fn is_numeric(character: char) -> bool {
    !COMMON_HAN.contains(&character) && character.is_numeric()
}

/// As [`char::is_alphabetic`] has it.
pub(super) fn is_alphabetic(character: char) -> bool {
    COMMON_HAN.contains(&character) || character.is_alphabetic()
}

/// Han characters, the common ones and the extensions.
pub(super) fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// What a character does to the spelling of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It stands in it.
    Written,
    /// It separates words.
    Space,
    /// It says nothing: what cannot be seen, and apostrophes, because "can't" and "cant" are one word.
    Nothing,
}

/// What a character does to the spelling of a text.
#[inline]
pub(super) fn part_of(character: char) -> Part {
    match character {
        '\u{4e00}'..='\u{9fff}' | 'a'..='z' | '0'..='9' => Part::Written,
        '\'' | '’' | '‘' | '`' => Part::Nothing,
        _ if is_invisible(character) => Part::Nothing,
        _ if character.is_whitespace() || character.is_control() => Part::Space,
        _ => Part::Written,
    }
}

/// Zero-width marks, joiners, byte-order marks, variation selectors, skin tones, soft hyphens.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_tells_the_same_of_every_character() {
        for character in '\0'..=char::MAX {
            assert_eq!(is_alphanumeric(character), character.is_alphanumeric(), "{character:?}");
            assert_eq!(is_numeric(character), character.is_numeric(), "{character:?}");
            assert_eq!(is_alphabetic(character), character.is_alphabetic(), "{character:?}");
        }
    }
}
