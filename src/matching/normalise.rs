//! One spelling for what people type in many: width, case, script, repeated marks, spaces, numbers, aliases.

use unicode_normalization::UnicodeNormalization;

use super::denial::Denials;
use super::numbers;
use super::rewriter::Rewriter;
use super::traditional::CharacterTable;

/// What comes after so many characters is not read: nobody's question needs it, and hostile input stays cheap.
const LONGEST_QUESTION: usize = 300;

/// Spells questions and utterances the same way.
#[derive(Debug, Clone)]
pub(super) struct Normaliser {
    characters: CharacterTable,
    aliases: Rewriter,
    fillers: Rewriter,
    denials: Denials,
}

impl Normaliser {
    /// Aliases, fillers and denials may be written in any spelling themselves.
    pub(super) fn new(
        characters: CharacterTable,
        aliases: &[(String, String)],
        fillers: &[String],
        denials: &[String],
    ) -> Self {
        let mut normaliser = Self {
            characters,
            aliases: Rewriter::default(),
            fillers: Rewriter::default(),
            denials: Denials::default(),
        };
        normaliser.aliases = Rewriter::new(
            aliases
                .iter()
                .map(|(typed, meaning)| (normaliser.spell(typed), normaliser.spell(meaning))),
        );
        normaliser.fillers = Rewriter::new(
            fillers
                .iter()
                .map(|filler| (normaliser.normalise(filler), String::new())),
        );
        normaliser.denials = Denials::new(denials.iter().map(|denial| normaliser.characters_of(denial)));
        normaliser
    }

    /// What of a text goes into matching: its one spelling without what it denies and without fillers.
    pub(super) fn essence(&self, text: &str) -> String {
        self.without_fillers(&self.asserted(text))
    }

    /// The one spelling of what a text does not deny.
    pub(super) fn asserted(&self, text: &str) -> String {
        self.normalise(&self.denials.strip(&self.characters_of(text)))
    }

    /// The text in its one spelling, with aliases replaced by their meaning. Punctuation is kept.
    pub(super) fn normalise(&self, text: &str) -> String {
        let spelled = self.spell(text);
        match self.aliases.rewrite(&spelled) {
            std::borrow::Cow::Borrowed(_) => spelled,
            std::borrow::Cow::Owned(rewritten) => tidy(rewritten.chars()),
        }
    }

    /// A normalised text without its fillers; a text of nothing but fillers stays whole.
    fn without_fillers(&self, normalised: &str) -> String {
        let stripped = self.fillers.rewrite(normalised);
        if stripped.chars().any(char::is_alphanumeric) {
            tidy(stripped.chars())
        } else {
            normalised.to_owned()
        }
    }

    /// Everything that does not need the lexicon.
    fn spell(&self, text: &str) -> String {
        numbers::with_digits(&tidy(self.characters_of(text).chars()))
    }

    /// One width, case and script; a space between Han characters becomes a line break, because people use it as a comma.
    fn characters_of(&self, text: &str) -> String {
        let characters = text
            .chars()
            .take(LONGEST_QUESTION)
            .nfkc()
            .flat_map(char::to_lowercase)
            .take(LONGEST_QUESTION)
            .map(|character| self.characters.simplify(character));
        let mut spelled: String = String::with_capacity(text.len());
        let mut characters = characters.peekable();
        while let Some(character) = characters.next() {
            let between_han = character == ' '
                && spelled.chars().next_back().is_some_and(is_han)
                && characters.peek().copied().is_some_and(is_han);
            spelled.push(if between_han { '\n' } else { character });
        }
        spelled
    }

    pub(super) fn characters(&self) -> &CharacterTable {
        &self.characters
    }
}

/// Drops what cannot be seen, what is merely repeated, and spaces that separate no latin words.
fn tidy(characters: impl Iterator<Item = char>) -> String {
    let mut tidied = String::new();
    let mut last = None;
    let mut repeats = 0;
    let mut space_before = false;
    for character in characters {
        if is_invisible(character) {
            continue;
        }
        if character.is_whitespace() || character.is_control() {
            space_before = true;
            continue;
        }
        // "can't" and "cant" are one word.
        if matches!(character, '\'' | '’' | '‘' | '`') {
            continue;
        }
        repeats = if last == Some(character) && !space_before {
            repeats + 1
        } else {
            1
        };
        if repeats > most_repeats(character) {
            continue;
        }
        if space_before && last.is_some_and(needs_spaces) && needs_spaces(character) {
            tidied.push(' ');
        }
        tidied.push(character);
        last = Some(character);
        space_before = false;
    }
    tidied
}

/// "？？？" says no more than "？", "哈哈哈哈" no more than "哈哈"; digits are never dropped.
fn most_repeats(character: char) -> usize {
    match character {
        _ if character.is_numeric() => usize::MAX,
        _ if character.is_alphanumeric() => 2,
        _ => 1,
    }
}

/// Scripts that put spaces between words.
fn needs_spaces(character: char) -> bool {
    character.is_alphanumeric() && !is_han(character)
}

/// Han characters, the common ones and extension A.
pub(super) fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
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

    fn normaliser() -> Normaliser {
        let aliases = [
            ("vx", "微信"),
            ("威信", "微信"),
            ("企微", "企业微信"),
            ("申訴", "申诉"),
            ("帐号", "账号"),
        ];
        let aliases: Vec<_> = aliases
            .iter()
            .map(|(typed, meaning)| (typed.to_string(), meaning.to_string()))
            .collect();
        let fillers: Vec<_> = ["请问", "一下", "please"].map(String::from).to_vec();
        Normaliser::new(CharacterTable::from_dictionary(), &aliases, &fillers, &[])
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(normaliser().normalise(text), expected);
    }

    #[test]
    fn width_case_and_script_do_not_matter() {
        check("ＷｅＣｈａｔ　被封", "wechat被封");
        check("為什麼我的帳號被永久封號", "为什么我的账号被永久封号");
        check("群組二維碼掃描超過200人", "群组二维码扫描超过200人");
        check("申訴②", "申诉2");
    }

    #[test]
    fn repeats_and_hidden_marks_go() {
        check("怎么办？？？！！", "怎么办?!");
        check("啊啊啊啊啊 急急急", "啊啊急急");
        check("加\u{200b}不了\u{feff}人", "加不了人");
        check("2000人1111", "2000人1111");
        check("sooooo bad", "soo bad");
    }

    #[test]
    fn spaces_stay_only_between_latin_words() {
        check("  my  account   is banned ", "my account is banned");
        check("加 不 了 好 友", "加不了好友");
        check("wecom 被 封 了", "wecom被封了");
        check("can't add", "cant add");
    }

    #[test]
    fn aliases_become_their_meaning() {
        check("VX被封", "微信被封");
        check("我的威 信", "我的微信");
        check("企微加人", "企业微信加人");
        check("超过两百人", "超过200人");
    }

    #[test]
    fn fillers_go_unless_nothing_else_is_left() {
        let normaliser = normaliser();
        assert_eq!(normaliser.without_fillers("请问一下怎么申诉"), "怎么申诉");
        assert_eq!(normaliser.without_fillers("请问一下?"), "请问一下?");
        assert_eq!(normaliser.without_fillers("help me please now"), "help me now");
    }

    #[test]
    fn long_questions_are_cut() {
        assert_eq!(
            normaliser().normalise(&"微信".repeat(1_000_000)).chars().count(),
            LONGEST_QUESTION
        );
        assert!(normaliser().normalise(&"\u{fdfa}".repeat(1_000_000)).chars().count() <= LONGEST_QUESTION);
    }
}
