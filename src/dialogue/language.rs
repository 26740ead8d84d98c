//! In which language to reply.

use crate::knowledge::Language;
use crate::matching::Question;

/// Which letters are written in which script.
pub(super) trait Scripts {
    /// A traditional character that has a simplified form.
    fn is_traditional(&self, letter: char) -> bool;
    /// The simplified form of a traditional character.
    fn is_simplified(&self, letter: char) -> bool;
    /// Whether the text is Chinese typed in Latin letters.
    fn is_pinyin(&self, text: &str) -> bool;
}

impl Scripts for Question<'_, '_> {
    fn is_traditional(&self, letter: char) -> bool {
        self.matcher().is_traditional(letter)
    }

    fn is_simplified(&self, letter: char) -> bool {
        self.matcher().is_simplified(letter)
    }

    fn is_pinyin(&self, _text: &str) -> bool {
        self.is_typed_in_pinyin()
    }
}

/// "ok", "hi" and "thx" are said in every language.
const SHORTEST_ENGLISH: usize = 3;

/// Chinese as soon as one Chinese character occurs, in traditional characters if one of them is; English for words in Latin letters
/// only, unless they are pinyin. What does not tell (digits, emoji, characters that both scripts share) is read as `before`.
pub(super) fn language_of(text: &str, before: Language, scripts: &impl Scripts) -> Language {
    if text.chars().any(|letter| scripts.is_traditional(letter)) {
        return Language::TraditionalChinese;
    }
    if text.chars().any(is_han) {
        let is_shared = || !text.chars().any(|letter| scripts.is_simplified(letter));
        return if before == Language::TraditionalChinese && is_shared() {
            before
        } else {
            Language::Chinese
        };
    }
    let letters = text.chars().filter(|letter| letter.is_ascii_alphabetic()).count();
    match letters {
        0..=SHORTEST_ENGLISH => before,
        _ if scripts.is_pinyin(text) => Language::Chinese,
        _ => Language::English,
    }
}

fn is_han(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Few;

    impl Scripts for Few {
        fn is_traditional(&self, letter: char) -> bool {
            letter == '號'
        }

        fn is_simplified(&self, letter: char) -> bool {
            letter == '号'
        }

        fn is_pinyin(&self, text: &str) -> bool {
            text.starts_with("zenme")
        }
    }

    #[test]
    fn one_chinese_character_makes_it_chinese() {
        let language = |text: &str| language_of(text, Language::English, &Few);
        assert_eq!(language("account被ban"), Language::Chinese);
        assert_eq!(language("帳號被封"), Language::TraditionalChinese);
        assert_eq!(language("my account is banned"), Language::English);
        assert_eq!(language("zenme shensu"), Language::Chinese);
    }

    #[test]
    fn what_does_not_tell_goes_on_as_before() {
        let language = |text: &str| language_of(text, Language::TraditionalChinese, &Few);
        assert_eq!(language("2"), Language::TraditionalChinese);
        assert_eq!(language("多久"), Language::TraditionalChinese);
        assert_eq!(language("号"), Language::Chinese);
    }
}
