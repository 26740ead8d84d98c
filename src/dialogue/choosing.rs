//! Replies to offered scenarios: a number, a name, whose account it is, the missing word, "none of these".

use super::session::{DecisionKind, State};
use super::step::{Outcome, SURE, Turn, option_at, owned};
use super::words::{Choice, contains_word};
use crate::knowledge::{AccountKind, Scenario, TextKey};
use crate::matching::{Candidate, ClassKind, Decision, Judgement};

/// After so many replies that fit no option, the bot stops insisting.
const MOST_MISSES: u8 = 2;

/// What is offered after "none of these" must be at least this probable, and so many are offered at most.
pub(super) const STILL_PLAUSIBLE: f32 = 0.02;
pub(super) const MOST_OTHERS: usize = 3;

/// An option with this share of the probability of all that were offered is the one that is meant, as long as the options together have
/// this share of all.
const FAVOURED: f32 = 0.6;

/// A part of an option's name that names it has at least so many characters.
const SHORTEST_NAME: usize = 2;
const SHORTEST_LATIN_NAME: usize = 4;

impl<'a> Turn<'a> {
    /// A reply to offered scenarios. `question` is what they were offered for; empty after a welcome.
    pub(super) fn choice(&self, question: &str, options: &[String], misses: u8) -> Outcome {
        match self.assistant.conversation.choice(self.normalised()) {
            Some(Choice::NoneOfThese) => self.none_of_these(question, options, misses),
            Some(choice) => match option_at(options, choice).and_then(|id| self.assistant.scenario(id)) {
                Some(scenario) => self.answer_after(question, scenario, 1.0),
                None => self.missed(question, options, misses),
            },
            None => match self.assistant.conversation.account(self.normalised()) {
                Some(account) => self.whose_account(account, question, options, misses),
                None => self.rephrasing(question, options, misses),
            },
        }
    }

    /// The options that are about the account that was named: one of them is the answer, several are asked about again.
    fn whose_account(&self, account: AccountKind, question: &str, options: &[String], misses: u8) -> Outcome {
        let is_meant = |id: &str| {
            self.assistant
                .scenario(id)
                .is_some_and(|scenario| scenario.account == account)
        };
        // There may be more of that account than were offered.
        let judged = self.assistant.matcher.question(question);
        let judged = self.judge(&judged).candidates.into_iter();
        let judged = judged.filter(|candidate| candidate.probability >= STILL_PLAUSIBLE);
        let mut meant: Vec<String> = options.iter().filter(|id| is_meant(id)).cloned().collect();
        for candidate in judged {
            if is_meant(&candidate.id) && meant.iter().all(|id| *id != candidate.id) {
                meant.push(candidate.id.into_owned());
            }
        }
        meant.truncate(MOST_OTHERS);
        match meant.as_slice() {
            [only] => match self.assistant.scenario(only) {
                Some(scenario) => self.answer_after(question, scenario, 1.0),
                None => self.rephrasing(question, options, misses),
            },
            [] => self.rephrasing(question, options, misses),
            _ if meant == options => self.missed(question, options, misses),
            _ => self.ask_back(&self.after(question), meant, 1.0),
        }
    }

    /// What somebody wrote instead of a number: clear by itself, clear together with the first question, or the name of an option.
    fn rephrasing(&self, question: &str, options: &[String], misses: u8) -> Outcome {
        let alone = self.judged();
        // A welcome asks nothing, so whatever follows it stands for itself.
        if question.is_empty() || matches!(alone.decision, Decision::Human | Decision::Smalltalk { .. }) {
            return self.question(alone);
        }
        if matches!(alone.decision, Decision::Answer { .. }) {
            return self.rephrased_clearly(alone, question, options);
        }
        if let Some(scenario) = self.option_named(options) {
            return self.answer_after(question, scenario, 1.0);
        }
        let adds_something = matches!(alone.decision, Decision::AskBack { .. });
        if !adds_something && self.is_another_subject(alone) {
            return self.question(alone);
        }
        let whole_question = self.after(question);
        let whole_question = self.assistant.matcher.question(&whole_question);
        let together = self.judge(&whole_question);
        let answered = self.option_answered(&together, options);
        match (
            &together.decision,
            answered.or_else(|| self.option_favoured(&together, options)),
        ) {
            (_, Some(scenario)) => self.answer_about(scenario, &whole_question, together.confidence),
            (Decision::Answer { scenario }, None) if adds_something => match self.assistant.scenario(scenario) {
                Some(scenario) => self.answer_about(scenario, &whole_question, together.confidence),
                None => self.question(alone),
            },
            (Decision::AskBack { options }, None) if adds_something => {
                self.asked_again(whole_question.text(), owned(options), misses)
            }
            _ if adds_something => self.question(alone),
            _ => self.missed(question, options, misses),
        }
    }

    /// Other options than before, or the same: asking again and again helps nobody.
    fn asked_again(&self, question: &str, options: Vec<String>, misses: u8) -> Outcome {
        let misses = misses.saturating_add(1);
        match misses >= MOST_MISSES {
            true => self.none_fits(),
            false => self.choose_among(TextKey::WhichOfThese, question, options, misses),
        }
    }

    /// A message that has an answer of its own. Unless it is sure, an option that fits it together with the first question counts more.
    fn rephrased_clearly(&self, alone: &Judgement<'_>, question: &str, options: &[String]) -> Outcome {
        if alone.confidence >= SURE || self.option_answered(alone, options).is_some() {
            return self.question(alone);
        }
        let whole_question = self.after(question);
        let whole_question = self.assistant.matcher.question(&whole_question);
        let together = self.judge(&whole_question);
        let answered = self.option_answered(&together, options);
        match answered.or_else(|| self.option_favoured(&together, options)) {
            Some(scenario) => self.answer_about(scenario, &whole_question, together.confidence),
            None => self.question(alone),
        }
    }

    fn option_answered(&self, judgement: &Judgement<'_>, options: &[String]) -> Option<&'a Scenario> {
        match &judgement.decision {
            Decision::Answer { scenario } if options.iter().any(|option| option == scenario) => {
                self.assistant.scenario(scenario)
            }
            _ => None,
        }
    }

    /// The option that both messages together clearly favour among those offered.
    fn option_favoured(&self, judgement: &Judgement<'_>, options: &[String]) -> Option<&'a Scenario> {
        let offered = judgement
            .candidates
            .iter()
            .filter(|candidate| options.iter().any(|option| *option == candidate.id));
        let total: f32 = offered.clone().map(|candidate| candidate.probability).sum();
        let all: f32 = judgement.candidates.iter().map(|candidate| candidate.probability).sum();
        let best = offered.max_by(|one, other| one.probability.total_cmp(&other.probability))?;
        let is_clear = best.probability >= FAVOURED * total && total >= FAVOURED * all;
        is_clear.then(|| self.assistant.scenario(&best.id)).flatten()
    }

    /// The one option whose label contains what was written, as a word.
    fn option_named(&self, options: &[String]) -> Option<&'a Scenario> {
        let least = if self.normalised().is_ascii() {
            SHORTEST_LATIN_NAME
        } else {
            SHORTEST_NAME
        };
        if self.normalised().chars().count() < least {
            return None;
        }
        let scenarios = options.iter().filter_map(|id| self.assistant.scenario(id));
        let mut named = scenarios.filter(|scenario| {
            let label = self.assistant.labels.get(&scenario.id);
            label.is_some_and(|label| contains_word(label.get(self.composer.language), self.normalised()))
        });
        let first = named.next()?;
        named.next().is_none().then_some(first)
    }

    fn missed(&self, question: &str, options: &[String], misses: u8) -> Outcome {
        let misses = misses.saturating_add(1);
        if misses >= MOST_MISSES {
            return self.none_fits();
        }
        self.choose_among(TextKey::ChooseAgain, question, options.to_vec(), misses)
    }

    /// "None of these": what is less probable is offered once, then the bot stops guessing.
    fn none_of_these(&self, question: &str, options: &[String], misses: u8) -> Outcome {
        let is_first_time = misses == 0 && !question.is_empty();
        let judged = self.assistant.matcher.question(question);
        let judged = match is_first_time {
            true => self.judge(&judged).candidates,
            false => Vec::new(),
        };
        let is_left = |candidate: &Candidate<'_>| {
            candidate.kind == ClassKind::Scenario
                && candidate.probability >= STILL_PLAUSIBLE
                && options.iter().all(|option| *option != candidate.id)
        };
        let others = judged.into_iter().filter(is_left).take(MOST_OTHERS);
        let others: Vec<String> = others.map(|candidate| candidate.id.into_owned()).collect();
        if others.len() < 2 {
            return self.none_fits();
        }
        self.choose_among(TextKey::OtherOptions, question, others, 1)
    }

    fn choose_among(&self, key: TextKey, question: &str, mut options: Vec<String>, misses: u8) -> Outcome {
        // What is offered and what is remembered as offered must be the same.
        options.retain(|id| self.assistant.scenario(id).is_some());
        if options.is_empty() {
            return self.none_fits();
        }
        let reply = self
            .composer
            .choice_of_scenarios(key, options.iter().map(String::as_str));
        let state = State::Choosing {
            question: question.to_owned(),
            options: options.clone(),
            misses,
        };
        Outcome {
            scenarios: options,
            ..Outcome::new(state, reply, DecisionKind::AskBack)
        }
    }

    fn none_fits(&self) -> Outcome {
        Outcome::new(State::Start, self.words(TextKey::NoneFits), DecisionKind::Refuse)
    }
}
