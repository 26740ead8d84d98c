//! In which language to reply.

use crate::knowledge::Language;

/// English for words in Latin letters only, unless they are pinyin; Chinese as soon as one Chinese character occurs; `None` where
/// the text does not tell (digits, emoji).
pub(super) fn language_of(text: &str, is_pinyin: impl FnOnce() -> bool) -> Option<Language> {
    if text.chars().any(is_han) {
        return Some(Language::Chinese);
    }
    let letters = text.chars().filter(|letter| letter.is_ascii_alphabetic()).count();
    match letters {
        0 | 1 => None,
        _ if is_pinyin() => Some(Language::Chinese),
        _ => Some(Language::English),
    }
}

fn is_han(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_chinese_character_makes_it_chinese() {
        assert_eq!(language_of("account被ban", || false), Some(Language::Chinese));
        assert_eq!(language_of("my account is banned", || false), Some(Language::English));
        assert_eq!(language_of("zenme shensu", || true), Some(Language::Chinese));
        assert_eq!(language_of("2", || false), None);
    }
}
