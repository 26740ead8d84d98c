//! What may follow an answer: the reply to the open question, a follow-up question, something more about the case, the same for
//! another account, or a new question.

use super::choosing::{MOST_OTHERS, STILL_PLAUSIBLE};
use super::circumstances::Circumstances;
use super::compose::KnownSlots;
use super::session::{AtHand, Open, Reply, State};
use super::step::{Outcome, SURE, Turn, option_at};
use super::words::{Choice, contains_word};
use crate::knowledge::{AccountKind, Role, Saying, Scenario, Section, SlotValue, TextKey};
use crate::matching::{Decision, Judgement};

/// A text of at most so many characters may be a slot value and nothing else.
const SHORT_REPLY: usize = 16;

/// So many letters of a follow-up question need not be understood, in Chinese and in Latin letters.
const MOST_LEFT: usize = 6;
const MOST_LATIN_LEFT: usize = 16;

/// At most so many characters may stand around a time for the message to tell that time and nothing else.
const AROUND_A_TIME: usize = 8;

impl<'a> Turn<'a> {
    /// A message after an answer.
    pub(super) fn after_answer(&self, scenario: &'a Scenario, at_hand: &AtHand) -> Outcome {
        let reply = self.reply_to_open_question(scenario, at_hand);
        let reply = reply.or_else(|| self.saying(Some(at_hand)));
        let reply = reply.or_else(|| self.follow_up(scenario, at_hand));
        let reply = reply.or_else(|| self.other_account(scenario, at_hand));
        let reply = reply.or_else(|| self.time_in_passing(scenario, at_hand));
        reply.unwrap_or_else(|| self.more_or_new(scenario, at_hand))
    }

    fn reply_to_open_question(&self, scenario: &'a Scenario, at_hand: &AtHand) -> Option<Outcome> {
        match &at_hand.open {
            Open::Nothing => None,
            Open::Slot { slot, offered } => {
                let chosen = self.slot_choice(scenario, at_hand, slot, offered);
                chosen.or_else(|| self.slot_value_named(scenario, at_hand, slot))
            }
            Open::OtherIssue { scenario: other } => self.other_issue_wanted(at_hand, other),
            Open::Tracking { submitted } => self.consent(at_hand, *submitted),
            Open::SubmissionDay if self.is_hardly_more_than_a_time() => {
                self.submitted_on(self.named_day()?, Some(at_hand))
            }
            Open::SubmissionDay => None,
            Open::Result => self.result(at_hand),
        }
    }

    /// A message that is a follow-up question word for word.
    fn follow_up(&self, scenario: &Scenario, at_hand: &AtHand) -> Option<Outcome> {
        let asked = self.assistant.conversation.follow_up(self.normalised());
        // "第二次了" asks what that brings, unless the scenario has an answer for the second time.
        let is_slot_value = asked == [Section::Again] && !self.slots_named(scenario).is_empty();
        if asked.is_empty() || is_slot_value {
            return None;
        }
        Some(self.sections_asked_for(scenario, at_hand, &asked))
    }

    /// A short message with the words of a follow-up question and a few others, unless it clearly is about an issue of its own.
    fn follow_up_in_other_words(
        &self,
        scenario: &Scenario,
        at_hand: &AtHand,
        judgement: &Judgement<'_>,
    ) -> Option<Outcome> {
        let asked = self.assistant.conversation.follow_up_in(self.normalised());
        let most_left = if self.normalised().is_ascii() {
            MOST_LATIN_LEFT
        } else {
            MOST_LEFT
        };
        let is_short = self.normalised().chars().count() <= 2 * SHORT_REPLY && asked.letters_left <= most_left;
        if asked.sections.is_empty() || !is_short || self.names_another_issue(scenario, judgement) {
            return None;
        }
        Some(self.sections_asked_for(scenario, at_hand, &asked.sections))
    }

    /// Whether a message is clearly about another issue, or talk.
    fn names_another_issue(&self, scenario: &Scenario, judgement: &Judgement<'_>) -> bool {
        let is_talk = matches!(judgement.decision, Decision::Human | Decision::Smalltalk { .. });
        is_talk || self.answers_another_issue(scenario, judgement)
    }

    /// Whether the answer is clearly another issue's; "how do I appeal" and the like are about the one at hand.
    fn answers_another_issue(&self, scenario: &Scenario, judgement: &Judgement<'_>) -> bool {
        match &judgement.decision {
            Decision::Answer { scenario: other } if *other != scenario.id && judgement.confidence >= SURE => self
                .assistant
                .scenario(other)
                .is_some_and(|other| other.gravity > 0 || other.draft),
            _ => false,
        }
    }

    fn sections_asked_for(&self, scenario: &Scenario, at_hand: &AtHand, sections: &[Section]) -> Outcome {
        let (slots, circumstances) = (&at_hand.slots, &at_hand.circumstances);
        let reply = self
            .composer
            .sections_asked_for(scenario, slots, circumstances, sections);
        self.kept(scenario, at_hand.clone(), reply)
    }

    /// "And on WeCom?": the same restriction of another account.
    fn other_account(&self, scenario: &'a Scenario, at_hand: &AtHand) -> Option<Outcome> {
        let account = self.assistant.conversation.account(self.normalised())?;
        if account == scenario.account {
            return None;
        }
        match scenario
            .siblings
            .get(&account)
            .and_then(|id| self.assistant.scenario(id))
        {
            Some(sibling) => Some(self.answer_about(sibling, &self.message, 1.0)),
            None => self.asked_about_account(account, at_hand),
        }
    }

    /// Without a sibling, what was said is read anew, among what that account can meet.
    fn asked_about_account(&self, account: AccountKind, at_hand: &AtHand) -> Option<Outcome> {
        let both = format!("{} {}", self.message.text(), at_hand.said);
        let judged = self.judge(&self.assistant.matcher.question(&both));
        let is_of_account = |scenario: &Scenario| scenario.account == account;
        let of_account = judged.candidates.iter().filter(|candidate| {
            let scenario = self.assistant.scenario(&candidate.id);
            candidate.probability >= STILL_PLAUSIBLE && scenario.is_some_and(is_of_account)
        });
        let options: Vec<String> = of_account
            .map(|candidate| candidate.id.clone().into_owned())
            .take(MOST_OTHERS)
            .collect();
        match options.as_slice() {
            [] => None,
            [only] => Some(self.answer_about(self.assistant.scenario(only)?, &self.message, judged.confidence)),
            _ => Some(self.ask_back(self.message.text(), options, judged.confidence)),
        }
    }

    /// A message that tells when, and hardly anything else.
    fn time_in_passing(&self, scenario: &'a Scenario, at_hand: &AtHand) -> Option<Outcome> {
        let tells_time = self.circumstances.tells_time() && self.is_hardly_more_than_a_time();
        let is_another = |judgement: &Judgement<'_>| {
            self.is_another_subject(judgement) || self.answers_another_issue(scenario, judgement)
        };
        let rest = || self.judge(&self.assistant.matcher.question(&self.without_times));
        if !tells_time || is_another(self.judged()) || is_another(&rest()) {
            return None;
        }
        if scenario.role == Some(Role::AppealProgress) {
            return self.submitted_on(self.named_day()?, Some(at_hand));
        }
        let circumstances = at_hand.circumstances.clone().updated_by(self.circumstances.clone());
        let mut lines = self.composer.time_lines(scenario, &circumstances);
        if lines.is_empty() {
            lines.push(self.composer.text(TextKey::TimeNoted));
        }
        let reply = Reply {
            text: lines.join("\n"),
            options: Vec::new(),
        };
        let at_hand = AtHand {
            circumstances,
            said: self.after(&at_hand.said),
            ..at_hand.clone()
        };
        Some(self.kept(scenario, at_hand, reply))
    }

    /// Whether hardly anything stands around the times of the message.
    fn is_hardly_more_than_a_time(&self) -> bool {
        let beside = self.without_times.chars().filter(|letter| letter.is_alphanumeric());
        beside.count() <= AROUND_A_TIME
    }

    /// More about the scenario at hand, or a new question.
    fn more_or_new(&self, scenario: &'a Scenario, at_hand: &AtHand) -> Outcome {
        let judgement = self.judged();
        let known = self.slot_in_passing(scenario, at_hand, judgement);
        if let Some(outcome) = known.or_else(|| self.follow_up_in_other_words(scenario, at_hand, judgement)) {
            return outcome;
        }
        match &judgement.decision {
            // The same again: what is known about it stays known.
            Decision::Answer { scenario: again } if *again == scenario.id && scenario.role.is_none() => {
                let known = at_hand
                    .slots
                    .clone()
                    .into_iter()
                    .chain(self.slots_named(scenario))
                    .collect();
                let circumstances = at_hand.circumstances.clone().updated_by(self.circumstances.clone());
                let said = self.after(&at_hand.said);
                self.answer(scenario, known, &said, circumstances, judgement.confidence)
            }
            // A short message that says nothing clear is about the case at hand, not outside the subject.
            Decision::Refuse | Decision::AskBack { .. } if self.is_vague(scenario, judgement) => {
                let title = scenario.answer.get(self.composer.language).title.as_str();
                let text = self.composer.say(TextKey::StillAtHand, &[("title", title)]);
                let reply = Reply {
                    text,
                    options: Vec::new(),
                };
                self.kept(scenario, at_hand.clone(), reply)
            }
            _ => self.question(judgement),
        }
    }

    /// Whether a message after an answer is too short and too unclear to be a question of its own.
    fn is_vague(&self, scenario: &Scenario, judgement: &Judgement<'_>) -> bool {
        let is_short = self.normalised().chars().count()
            <= if self.normalised().is_ascii() {
                2 * SHORT_REPLY
            } else {
                SHORT_REPLY
            };
        match &judgement.decision {
            Decision::AskBack { options } => is_short && options.iter().any(|option| *option == scenario.id),
            _ => is_short && !self.is_another_subject(judgement),
        }
    }

    /// Says something about the scenario at hand and leaves the open question open.
    fn kept(&self, scenario: &Scenario, at_hand: AtHand, reply: Reply) -> Outcome {
        self.about(scenario, at_hand, reply, 1.0)
    }

    /// A number or "none" in reply to a slot question.
    fn slot_choice(&self, scenario: &'a Scenario, at_hand: &AtHand, slot: &str, offered: &[String]) -> Option<Outcome> {
        match self.assistant.conversation.choice(self.normalised())? {
            Choice::NoneOfThese => {
                let closed = AtHand {
                    open: Open::Nothing,
                    ..at_hand.clone()
                };
                Some(self.kept(scenario, closed, self.words(TextKey::NoneOfTheValues)))
            }
            choice => {
                let value = option_at(offered, choice)?;
                Some(self.slot_known(scenario, at_hand, slot, value))
            }
        }
    }

    /// The value of the slot that was asked for, named in few words.
    fn slot_value_named(&self, scenario: &'a Scenario, at_hand: &AtHand, slot: &str) -> Option<Outcome> {
        if self.normalised().chars().count() > SHORT_REPLY || self.is_follow_up() {
            return None;
        }
        let asked = scenario.slot(slot)?;
        let label = |value: &SlotValue| {
            self.assistant
                .matcher
                .normalise(value.label.get(self.composer.language))
        };
        let is_named = |value: &&SlotValue| {
            self.normalised().chars().count() > 1 && contains_word(&label(value), self.normalised())
        };
        let mut by_label = asked.values.iter().filter(is_named);
        let value = match (by_label.next(), by_label.next()) {
            (Some(only), None) => only.id.as_str(),
            _ => self
                .slots_named(scenario)
                .remove(slot)
                .and_then(|named| asked.value(&named))?
                .id
                .as_str(),
        };
        // "今天天气怎么样" has a phrase of "within a day" in it.
        if self.is_another_subject(self.judged()) {
            return None;
        }
        Some(self.slot_known(scenario, at_hand, slot, value))
    }

    fn is_follow_up(&self) -> bool {
        !self.assistant.conversation.follow_up(self.normalised()).is_empty()
    }

    /// Agreement to hear about the other issue, in whatever words.
    fn other_issue_wanted(&self, at_hand: &AtHand, other: &str) -> Option<Outcome> {
        let other = self.assistant.scenario(other)?;
        let saying = self.assistant.conversation.saying(self.normalised());
        let agreed = saying == Some(Saying::Yes);
        let is_wanted = agreed || self.chosen_of(1).is_some();
        is_wanted.then(|| self.answer_about(other, &self.assistant.matcher.question(&at_hand.said), 1.0))
    }

    /// A slot value said in words, unless the message is clearly about something else.
    fn slot_in_passing(&self, scenario: &'a Scenario, at_hand: &AtHand, judgement: &Judgement<'_>) -> Option<Outcome> {
        let another = matches!(&judgement.decision, Decision::Answer { scenario: other } if *other != scenario.id);
        let is_new_question = (another && judgement.confidence >= SURE) || self.is_another_subject(judgement);
        if is_new_question || self.normalised().chars().count() > SHORT_REPLY {
            return None;
        }
        let mut named = self.slots_named(scenario).into_iter();
        let (slot, value) = named.find(|(slot, value)| at_hand.slots.get(slot) != Some(value))?;
        Some(self.slot_known(scenario, at_hand, &slot, &value))
    }

    fn slot_known(&self, scenario: &'a Scenario, at_hand: &AtHand, slot: &str, value: &str) -> Outcome {
        let mut known: KnownSlots = at_hand.slots.clone();
        known.insert(slot.to_owned(), value.to_owned());
        let said = self.after(&at_hand.said);
        let circumstances: Circumstances = at_hand.circumstances.clone().updated_by(self.circumstances.clone());
        // What was said first may lead elsewhere, too, once it is sure what the matter is.
        let mut named = self.slots_in(scenario, &self.assistant.matcher.question(&said), &circumstances);
        named.extend(known.clone());
        let target = self.follow_slots(scenario, &named);
        if target.id != scenario.id {
            let named = self.slots_named(target);
            return self.answer(target, named, &said, circumstances, 1.0);
        }
        let mut reply = match scenario.slot(slot) {
            Some(slot) => self.composer.change(scenario, &known, slot, value),
            None => self.composer.answer(scenario, &known, &circumstances),
        };
        // "昨天下午3点开始的" names a value, and a time from which to count.
        if self.circumstances.tells_time() {
            let counted = self.composer.time_lines(scenario, &circumstances);
            reply.text = [counted, vec![reply.text]].concat().join("\n");
        }
        self.answered(scenario, known, said, circumstances, reply, 1.0)
    }

    /// Which of `count` options a message chooses, counted from 0.
    pub(super) fn chosen_of(&self, count: usize) -> Option<usize> {
        match self.assistant.conversation.choice(self.normalised())? {
            Choice::Option(index) => Some(index),
            Choice::Last => count.checked_sub(1),
            Choice::NoneOfThese | Choice::Word => None,
        }
        .filter(|index| *index < count)
    }

    /// The outcome after something was said about a scenario, with whatever is open.
    pub(super) fn about(&self, scenario: &Scenario, at_hand: AtHand, reply: Reply, confidence: f32) -> Outcome {
        Outcome {
            scenarios: vec![scenario.id.clone()],
            confidence,
            ..Outcome::new(State::Answered(at_hand), reply, super::session::DecisionKind::Answer)
        }
    }
}
