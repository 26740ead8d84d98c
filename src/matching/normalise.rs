//! One spelling for what people type in many: width, case, script, repeated marks, spaces, numbers, aliases.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::characters::{Part, is_alphanumeric, is_han, is_numeric, part_of};
use super::denial::Denials;
use super::numbers;
use super::rewriter::Rewriter;
use super::traditional::CharacterTable;

/// What comes after so many characters is not read: nobody's question needs it, and hostile input stays cheap.
const LONGEST_QUESTION: usize = 300;

/// ASCII follows it in full width.
const FIRST_FULL_WIDTH: char = '！';

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
        normaliser.denials = Denials::new(denials.iter().map(|denial| normaliser.characters_of(denial).0));
        normaliser
    }

    /// A text in its one spelling.
    pub(super) fn spelled(&self, text: &str) -> Spelled {
        let (characters, is_plain) = self.characters_of(text);
        let asserted = match self.denials.strip(&characters) {
            Cow::Borrowed(_) if is_plain => None,
            stripped => Some(self.normalise(&stripped)),
        };
        Spelled {
            normalised: self.written(characters),
            asserted,
        }
    }

    /// The text in its one spelling, with aliases replaced by their meaning. Punctuation is kept.
    pub(super) fn normalise(&self, text: &str) -> String {
        self.written(self.characters_of(text).0)
    }

    /// What of a text goes into matching: what it does not deny, without fillers. A text of nothing but fillers stays whole.
    pub(super) fn essence(&self, spelled: &Spelled) -> String {
        let stripped = self.fillers.rewrite(spelled.asserted());
        match stripped.chars().any(is_alphanumeric) {
            true => tidy(&stripped).into_owned(),
            false => spelled.asserted().to_owned(),
        }
    }

    fn written(&self, characters: String) -> String {
        let spelled = changed(changed(characters, tidy), numbers::with_digits);
        match self.aliases.rewrite(&spelled) {
            Cow::Borrowed(_) => spelled,
            Cow::Owned(rewritten) => changed(rewritten, tidy),
        }
    }

    /// Everything that does not need the lexicon.
    fn spell(&self, text: &str) -> String {
        changed(changed(self.characters_of(text).0, tidy), numbers::with_digits)
    }

    /// One width, case and script; a space between Han characters becomes a line break, because people use it as a comma. Also says
    /// whether the text is plain: what was made of it would be made of itself.
    fn characters_of(&self, text: &str) -> (String, bool) {
        let mut is_plain = true;
        let characters = text.chars().take(LONGEST_QUESTION).map(|character| {
            let plain = self.plain(character);
            is_plain &= plain.is_some();
            plain.unwrap_or(character)
        });
        let spelled = with_breaks(characters, text.len());
        match is_plain {
            true => (spelled, true),
            false => (self.composed(text), false),
        }
    }

    /// The spelling of a character that has the same one whatever stands beside it; most texts have no others.
    fn plain(&self, character: char) -> Option<char> {
        match character {
            '\0'..='\u{7f}' => Some(character.to_ascii_lowercase()),
            '\u{3400}'..='\u{9fff}' => self.characters.common(character),
            '、' | '。' | '—' | '‘' | '’' | '“' | '”' | '《' | '》' | '【' | '】' | '\u{1f300}'..='\u{1faff}' => {
                Some(character)
            }
            '\u{3000}' => Some(' '),
            FIRST_FULL_WIDTH..='～' => {
                let narrow = u32::from(character) - u32::from(FIRST_FULL_WIDTH) + u32::from('!');
                char::from_u32(narrow).map(|narrow| narrow.to_ascii_lowercase())
            }
            _ => None,
        }
    }

    /// The same for characters that are spelled together with their neighbours.
    fn composed(&self, text: &str) -> String {
        let characters = text
            .chars()
            .take(LONGEST_QUESTION)
            .nfkc()
            .flat_map(char::to_lowercase)
            .take(LONGEST_QUESTION)
            .map(|character| self.characters.simplify(character));
        with_breaks(characters, text.len())
    }

    pub(super) fn characters(&self) -> &CharacterTable {
        &self.characters
    }
}

/// A text in its one spelling.
#[derive(Debug, Clone)]
pub(super) struct Spelled {
    /// All of it. Punctuation and fillers are kept.
    pub(super) normalised: String,
    /// Where it denies something, the rest.
    asserted: Option<String>,
}

impl Spelled {
    /// What it does not deny: "不是第一次，是第二次" says 第二次.
    pub(super) fn asserted(&self) -> &str {
        self.asserted.as_deref().unwrap_or(&self.normalised)
    }
}

/// Characters as a text, with line breaks for spaces between Han characters.
fn with_breaks(characters: impl Iterator<Item = char>, capacity: usize) -> String {
    let mut text = String::with_capacity(capacity);
    let mut is_behind_han = false;
    // A space behind a Han character waits for what follows.
    let mut space_waits = false;
    for character in characters {
        let is_han = is_han(character);
        if space_waits {
            text.push(if is_han { '\n' } else { ' ' });
        }
        space_waits = character == ' ' && is_behind_han;
        if !space_waits {
            text.push(character);
        }
        is_behind_han = is_han;
    }
    if space_waits {
        text.push(' ');
    }
    text
}

/// A text after a change; the text itself where nothing changes.
fn changed(text: String, change: impl Fn(&str) -> Cow<'_, str>) -> String {
    match change(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(changed) => changed,
    }
}

/// Drops what cannot be seen, what is merely repeated, and spaces that separate no latin words.
fn tidy(text: &str) -> Cow<'_, str> {
    let mut tidied = String::new();
    let mut done = 0;
    let mut last = None;
    let mut repeats = 0;
    let mut space_before = false;
    for (place, character) in text.char_indices() {
        let part = part_of(character);
        let is_written = part == Part::Written && {
            repeats = if last == Some(character) && !space_before {
                repeats + 1
            } else {
                1
            };
            repeats == 1 || repeats <= most_repeats(character)
        };
        if is_written {
            if space_before && last.is_some_and(needs_spaces) && needs_spaces(character) {
                tidied.push(' ');
            }
            last = Some(character);
            space_before = false;
        } else {
            tidied.push_str(text.get(done..place).unwrap_or_default());
            done = place + character.len_utf8();
            space_before |= part == Part::Space;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    tidied.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(tidied)
}

/// "？？？" says no more than "？", "哈哈哈哈" no more than "哈哈"; digits are never dropped.
fn most_repeats(character: char) -> usize {
    match character {
        _ if is_numeric(character) => usize::MAX,
        _ if is_alphanumeric(character) => 2,
        _ => 1,
    }
}

/// Scripts that put spaces between words.
fn needs_spaces(character: char) -> bool {
    is_alphanumeric(character) && !is_han(character)
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
    fn a_plain_character_is_spelled_as_among_others() {
        let normaliser = normaliser();
        let is_inert = |character| unicode_normalization::is_nfkc_quick(std::iter::once(character));
        for character in '\0'..=char::MAX {
            let Some(plain) = normaliser.plain(character) else {
                continue;
            };
            assert_eq!(plain.to_string(), normaliser.composed(&character.to_string()));
            assert_eq!(normaliser.plain(plain), Some(plain));
            assert_eq!(is_inert(plain), unicode_normalization::IsNormalized::Yes);
            assert!(!unicode_normalization::char::is_combining_mark(character));
        }
        assert_eq!(normaliser.plain('…'), None);
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
        let essence = |text: &str| normaliser.essence(&normaliser.spelled(text));
        assert_eq!(essence("请问一下怎么申诉"), "怎么申诉");
        assert_eq!(essence("请问一下?"), "请问一下?");
        assert_eq!(essence("help me please now"), "help me now");
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
