//! In which language to reply.

use crate::knowledge::Language;

/// Chinese as soon as one Chinese character occurs, in traditional characters if one of them is; English for words in Latin letters only, unless they are pinyin; `None` where the text does not tell (digits, emoji).
pub(super) fn language_of(
    text: &str,
    is_traditional: impl Fn(char) -> bool,
    is_pinyin: impl FnOnce() -> bool,
) -> Option<Language> {
    if text.chars().any(is_traditional) {
        return Some(Language::TraditionalChinese);
    }
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
        let language = |text: &str| language_of(text, |letter| letter == '號', || text.starts_with("zenme"));
        assert_eq!(language("account被ban"), Some(Language::Chinese));
        assert_eq!(language("帳號被封"), Some(Language::TraditionalChinese));
        assert_eq!(language("my account is banned"), Some(Language::English));
        assert_eq!(language("zenme shensu"), Some(Language::Chinese));
        assert_eq!(language("2"), None);
    }
}
