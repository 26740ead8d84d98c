//! Reading short replies word by word: a choice ("第二个"), a follow-up question ("多久"), a slot value ("第二次了").

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::knowledge::{AccountKind, ConversationWords, Saying, Scenario, Section, SlotValue};
use crate::matching::characters::is_alphanumeric;
use crate::matching::trie::Trie;

/// Finds known words in a text, the longest first, from the left.
struct WordFinder<T>(Trie<T>);

impl<T: Copy> WordFinder<T> {
    fn new(words: impl IntoIterator<Item = (String, T)>) -> Self {
        Self(Trie::new(words))
    }

    /// The meanings of all words, or `None` when something else is in between. A Latin word or a number counts only as a whole: "11" is
    /// not twice "1".
    fn read_whole(&self, text: &str) -> Option<Vec<T>> {
        let mut meanings = Vec::new();
        let mut end = 0;
        while let Some(character) = text.get(end..).and_then(|rest| rest.chars().next()) {
            match self.0.longest_at(text, end) {
                Some(found) if is_whole_word(text, &found.place) => {
                    meanings.push(*found.meaning);
                    end = found.place.end;
                }
                None if !is_alphanumeric(character) => end = end.saturating_add(character.len_utf8()),
                _ => return None,
            }
        }
        Some(meanings)
    }

    /// The meanings of all words of at least `shortest` letters, and how many letters stand in between.
    fn read(&self, text: &str, shortest: usize) -> (Vec<T>, usize) {
        let mut meanings = Vec::new();
        let mut left = 0;
        let mut end = 0;
        for found in self.0.find(text) {
            let word = text.get(found.place.clone()).unwrap_or_default();
            if is_whole_word(text, &found.place) && word.chars().count() >= shortest {
                left += letters_in(text.get(end..found.place.start).unwrap_or_default());
                meanings.push(*found.meaning);
                end = found.place.end;
            }
        }
        (meanings, left + letters_in(text.get(end..).unwrap_or_default()))
    }
}

/// The one meaning among words that mean something and words that only stand around it.
fn the_only_one<T: PartialEq>(read: Vec<Option<T>>) -> Option<T> {
    let mut meanings = read.into_iter().flatten();
    let first = meanings.next()?;
    meanings.all(|other| other == first).then_some(first)
}

fn letters_in(text: &str) -> usize {
    text.chars().filter(|letter| is_alphanumeric(*letter)).count()
}

/// How somebody chose among options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The option at this index, counted from 0; it may not exist.
    Option(usize),
    /// The last option.
    Last,
    /// No option fits.
    NoneOfThese,
    /// A word around a choice.
    Word,
}

/// A message read as a follow-up question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FollowUp {
    /// The sections asked for; none when it is no follow-up question.
    pub(super) sections: Vec<Section>,
    /// How many letters belong to no known word.
    pub(super) letters_left: usize,
}

/// The words of `conversation.toml`, ready for reading.
pub(super) struct ConversationReader {
    choices: WordFinder<Choice>,
    follow_ups: WordFinder<Option<Section>>,
    sayings: WordFinder<Option<Saying>>,
    accounts: WordFinder<Option<AccountKind>>,
    submissions: Trie<()>,
    also: Trie<()>,
    appeal_buttons: Trie<()>,
}

impl ConversationReader {
    /// Prepares the words, and the names under which the bot itself offers sections; `normalise` must be what questions go through
    /// as well.
    pub(super) fn new(
        words: &ConversationWords,
        topics: impl Iterator<Item = (Section, String)>,
        normalise: impl Fn(&str) -> String,
    ) -> Self {
        let all = |list: &[String]| list.iter().map(|word| normalise(word)).collect::<Vec<_>>();
        let set = |list: &[String]| Trie::of(all(list));
        let mut choices: Vec<(String, Choice)> = Vec::new();
        let mut add = |list: &[String], choice| choices.extend(all(list).into_iter().map(|word| (word, choice)));
        for (index, ordinal) in words.ordinals.iter().enumerate() {
            add(ordinal, Choice::Option(index));
        }
        add(&words.last, Choice::Last);
        add(&words.none_of_these, Choice::NoneOfThese);
        add(&words.choice_words, Choice::Word);
        let asked = words
            .follow_ups
            .iter()
            .flat_map(|(section, list)| all(list).into_iter().map(|word| (word, Some(*section))));
        let offered = topics.map(|(section, topic)| (normalise(&topic), Some(section)));
        let around = all(&words.connectives).into_iter().map(|word| (word, None));
        let said = words
            .sayings
            .iter()
            .flat_map(|(saying, list)| all(list).into_iter().map(|word| (word, Some(*saying))));
        let submissions = words.sayings.iter().find(|(saying, _)| *saying == Saying::Submitted);
        let submissions = submissions.map_or([].as_slice(), |(_, list)| list);
        let around_sayings = all(&words.around_sayings).into_iter().map(|word| (word, None));
        let accounts = words
            .accounts
            .iter()
            .flat_map(|(account, list)| all(list).into_iter().map(|word| (word, Some(*account))));
        let around_accounts = all(&words.connectives).into_iter().map(|word| (word, None));
        // The first of two equal words is kept, so what asks for something comes before what surrounds it.
        Self {
            choices: WordFinder::new(choices),
            follow_ups: WordFinder::new(offered.chain(asked).chain(around)),
            sayings: WordFinder::new(said.chain(around_sayings)),
            accounts: WordFinder::new(accounts.chain(around_accounts)),
            submissions: set(submissions),
            also: set(&words.also),
            appeal_buttons: set(&words.appeal_buttons),
        }
    }

    /// Reads a choice; `None` when the text is anything else. The text is normalised.
    pub(super) fn choice(&self, text: &str) -> Option<Choice> {
        let read = self.choices.read_whole(text)?;
        let mut chosen = read.into_iter().filter(|choice| *choice != Choice::Word);
        let choice = chosen.next()?;
        chosen.next().is_none().then_some(choice)
    }

    /// Reads a message that is nothing but one saying. The text is normalised.
    pub(super) fn saying(&self, text: &str) -> Option<Saying> {
        the_only_one(self.sayings.read_whole(text)?)
    }

    /// Reads a message that says nothing but whose account it is ("那企业微信呢"). The text is normalised.
    pub(super) fn account(&self, text: &str) -> Option<AccountKind> {
        the_only_one(self.accounts.read_whole(text)?)
    }

    /// Whether somewhere in a message an appeal is said to have been submitted. The text is normalised.
    pub(super) fn names_submission(&self, text: &str) -> bool {
        self.submissions.is_in(text)
    }

    /// The parts of a text between the words that begin something else ("另外"); none where there is no such word. The text is
    /// normalised.
    pub(super) fn parts<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut parts = Vec::new();
        if !self.also.is_in(text) {
            return parts;
        }
        let mut start = 0;
        for found in self.also.find(text) {
            if is_whole_word(text, &found.place) {
                parts.extend(text.get(start..found.place.start));
                start = found.place.end;
            }
        }
        parts.extend(text.get(start..));
        parts.retain(|part| letters_in(part) > 0);
        parts
    }

    /// Whether a text has the words by which notices offer to apply for lifting. The text is normalised.
    pub(super) fn offers_appeal(&self, text: &str) -> bool {
        self.appeal_buttons.is_in(text)
    }

    /// Reads a message that is a follow-up question word for word; none when something else is in it. The text is normalised.
    pub(super) fn follow_up(&self, text: &str) -> Vec<Section> {
        self.follow_ups.read_whole(text).map(sections_in).unwrap_or_default()
    }

    /// Reads which sections a text asks for, and how many letters of it are not understood. A single character may be part of another
    /// word here (好 in 好友), so it counts for nothing. The text is normalised.
    pub(super) fn follow_up_in(&self, text: &str) -> FollowUp {
        let (asked, letters_left) = self.follow_ups.read(text, 2);
        FollowUp {
            sections: sections_in(asked),
            letters_left,
        }
    }
}

/// Each section once, in the order in which they are asked for.
fn sections_in(asked: Vec<Option<Section>>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for section in asked.into_iter().flatten() {
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    sections
}

/// The slot phrases of every scenario, normalised once.
pub(super) struct SlotReader {
    of_scenario: HashMap<String, SlotPhrases>,
}

/// Which values of which slots a phrase names, by their places in the scenario and in the slot.
type SlotPhrases = Trie<Vec<(usize, usize)>>;

impl SlotReader {
    /// Prepares the phrases of all scenarios.
    ///
    /// A phrase that asks how long ("几天" is spelled "多久") would take every such question for a value, so it is left out.
    pub(super) fn new<'a>(
        scenarios: impl Iterator<Item = &'a Scenario>,
        conversation: &ConversationReader,
        normalise: impl Fn(&str) -> String,
    ) -> Self {
        let is_value = |phrase: &String| !phrase.is_empty() && conversation.follow_up(phrase) != [Section::Time];
        let phrases_of = |scenario: &Scenario| {
            let mut named: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
            for (slot, values) in scenario.slots.iter().map(|slot| &slot.values).enumerate() {
                for (value, phrases) in values.iter().map(|value| &value.phrases).enumerate() {
                    for phrase in phrases.iter().map(|phrase| normalise(phrase)).filter(is_value) {
                        named.entry(phrase).or_default().push((slot, value));
                    }
                }
            }
            Trie::new(named)
        };
        let with_slots = scenarios.filter(|scenario| !scenario.slots.is_empty());
        Self {
            of_scenario: with_slots
                .map(|scenario| (scenario.id.clone(), phrases_of(scenario)))
                .collect(),
        }
    }

    /// For each slot of a scenario the value that a normalised text names: the one with the longest phrase in it, of equally long ones
    /// the last.
    pub(super) fn values<'s>(&self, scenario: &'s Scenario, text: &str) -> Vec<Option<&'s SlotValue>> {
        let mut longest: Vec<Option<(usize, usize)>> = vec![None; scenario.slots.len()];
        let phrases = self.of_scenario.get(&scenario.id).into_iter();
        let found = phrases.flat_map(|phrases| phrases.find_all(text));
        for found in found.filter(|found| is_whole_word(text, &found.place)) {
            for &(slot, value) in found.meaning {
                if let Some(longest) = longest.get_mut(slot) {
                    *longest = (*longest).max(Some((found.place.len(), value)));
                }
            }
        }
        let slots = scenario.slots.iter().zip(longest);
        slots.map(|(slot, longest)| slot.values.get(longest?.1)).collect()
    }
}

/// Whether `text` contains `phrase`; letters and digits of a phrase must not be part of a longer word or number.
pub(super) fn contains_word(text: &str, phrase: &str) -> bool {
    // Preparing to look for a long phrase takes longer than looking.
    phrase.len() <= text.len()
        && text
            .match_indices(phrase)
            .any(|(start, found)| is_whole_word(text, &(start..start.saturating_add(found.len()))))
}

/// Whether no Latin word and no number goes on at either end of a stretch of the text.
fn is_whole_word(text: &str, place: &Range<usize>) -> bool {
    let found = text.get(place.clone()).unwrap_or_default();
    let before = text.get(..place.start).and_then(|before| before.chars().next_back());
    let after = text.get(place.end..).and_then(|after| after.chars().next());
    !continues(before, found.chars().next()) && !continues(found.chars().next_back(), after)
}

fn continues(left: Option<char>, right: Option<char>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    (left.is_ascii_digit() && right.is_ascii_digit()) || (left.is_ascii_alphabetic() && right.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> ConversationReader {
        let file = crate::knowledge::KnowledgeFile {
            path: "conversation.toml".to_owned(),
            text: include_str!("../../knowledge/conversation.toml").to_owned(),
        };
        let words = crate::knowledge::conversation_words_of(&file);
        ConversationReader::new(&words, std::iter::empty(), str::to_lowercase)
    }

    #[track_caller]
    fn check_choice(text: &str, expected: Option<Choice>) {
        assert_eq!(reader().choice(text), expected, "{text}");
    }

    #[test]
    fn digits_ordinals_and_positions_choose_an_option() {
        check_choice("2", Some(Choice::Option(1)));
        check_choice("二", Some(Choice::Option(1)));
        check_choice("第二个", Some(Choice::Option(1)));
        check_choice("选2", Some(Choice::Option(1)));
        check_choice("我选第3个。", Some(Choice::Option(2)));
        check_choice("应该是第一个吧", Some(Choice::Option(0)));
        check_choice("后面那个", Some(Choice::Last));
        check_choice("最后一个", Some(Choice::Last));
        check_choice("都不是", Some(Choice::NoneOfThese));
        check_choice("the second one", Some(Choice::Option(1)));
    }

    #[test]
    fn other_replies_are_no_choice() {
        check_choice("第二次了", None);
        check_choice("1或者2", None);
        check_choice("200人", None);
        check_choice("11", None);
        check_choice("aaaa", None);
        check_choice("1 1", None);
        check_choice("加不了好友", None);
        check_choice("", None);
    }

    #[track_caller]
    fn check_follow_up(text: &str, expected: &[Section]) {
        assert_eq!(reader().follow_up(text), expected, "{text}");
    }

    #[test]
    fn short_questions_about_the_answer_at_hand_name_a_section() {
        check_follow_up("多久", &[Section::Time]);
        check_follow_up("那要多久才能好呢？", &[Section::Time]);
        check_follow_up("谁能申诉", &[Section::Who]);
        check_follow_up("要什么材料", &[Section::Material]);
        check_follow_up("在哪里申诉啊", &[Section::Appeal]);
        check_follow_up("为什么", &[Section::What]);
        check_follow_up("多久，要什么材料", &[Section::Time, Section::Material]);
        check_follow_up("how long does it take?", &[Section::Time]);
    }

    #[test]
    fn a_new_question_is_no_follow_up() {
        check_follow_up("群满了怎么办", &[]);
        check_follow_up("加好友要多久", &[]);
        check_follow_up("申诉", &[]);
    }
}
