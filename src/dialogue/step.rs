//! One step of a conversation.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::assistant::Assistant;
use super::compose::{Composer, KnownSlots};
use super::language::language_of;
use super::session::{Action, Attachment, DecisionKind, Event, Reply, Session, State, Understanding};
use super::words::Choice;
use crate::knowledge::{IntentKind, Language, Scenario, SlotEffect, TextKey};
use crate::matching::{ClassKind, Decision, Judgement};

/// China has one time zone and no daylight saving time.
const CHINA: Offset = Offset::constant(8);

/// How many situations are offered in a welcome.
const COMMONEST: usize = 6;

/// After so many replies that fit no option, the bot stops insisting.
const MOST_MISSES: u8 = 2;

/// A text of at most so many characters may be a slot value and nothing else.
const SHORT_REPLY: usize = 16;

/// A scenario that a slot value leads to must be at least this probable to be answered instead.
const PLAUSIBLE_TARGET: f32 = 0.05;

/// A message of fewer characters is a word in reply rather than a sentence of its own.
const SHORTEST_SENTENCE: usize = 5;

/// From this confidence on, a question about another scenario changes the subject even if it also names a slot value.
const SURE: f32 = 0.8;

impl Assistant {
    /// Takes one event and says what to do and what to remember.
    pub fn step(&self, session: Session, event: &Event, now: Timestamp) -> (Session, Vec<Action>) {
        let (session, actions) = self.stepped(session, event, now);
        let composer = self.composer(session.language, now);
        let in_characters = |action| match action {
            Action::Reply(reply) => Action::Reply(composer.in_characters(reply)),
            other => other,
        };
        (session, actions.into_iter().map(in_characters).collect())
    }

    fn stepped(&self, session: Session, event: &Event, now: Timestamp) -> (Session, Vec<Action>) {
        let today = today_in_china(now);
        match event {
            Event::Entered => self.entered(session, today),
            Event::Attachment(attachment) => {
                let reply = self
                    .composer_on(session.language, today)
                    .text(attachment_text(*attachment));
                (session, vec![say(reply)])
            }
            Event::Text(text) => Turn::new(self, session, text, today).take(),
        }
    }

    /// Greets with the commonest situations, but only when no conversation is under way: WeCom reports every opening.
    fn entered(&self, session: Session, today: Date) -> (Session, Vec<Action>) {
        if session.state != State::Start {
            return (session, Vec::new());
        }
        let composer = self.composer_on(session.language, today);
        let reply = self.commonest_situations(composer, TextKey::Welcome);
        let options = reply.options.iter().map(|option| option.id.clone()).collect();
        let state = State::Choosing {
            question: String::new(),
            options,
            misses: 0,
        };
        (Session { state, ..session }, vec![Action::Reply(reply)])
    }

    fn commonest_situations(&self, composer: Composer<'_>, key: TextKey) -> Reply {
        let commonest = self.catalogue.commonest(COMMONEST);
        composer.choice_of_scenarios(key, commonest.iter().map(|scenario| scenario.id.as_str()))
    }

    /// What composes replies in `language` at `now`.
    pub fn composer(&self, language: Language, now: Timestamp) -> Composer<'_> {
        self.composer_on(language, today_in_china(now))
    }

    fn composer_on(&self, language: Language, today: Date) -> Composer<'_> {
        Composer {
            catalogue: &self.catalogue,
            language,
            today,
        }
    }
}

fn today_in_china(now: Timestamp) -> Date {
    CHINA.to_datetime(now).date()
}

fn attachment_text(attachment: Attachment) -> TextKey {
    match attachment {
        Attachment::Image => TextKey::GotImage,
        Attachment::Voice => TextKey::GotVoice,
        Attachment::Video => TextKey::GotVideo,
        Attachment::Location => TextKey::GotLocation,
        Attachment::Link => TextKey::GotLink,
    }
}

fn say(text: String) -> Action {
    Action::Reply(Reply {
        text,
        options: Vec::new(),
    })
}

/// What a turn leads to.
struct Outcome {
    state: State,
    reply: Reply,
    decision: DecisionKind,
    scenarios: Vec<String>,
    confidence: f32,
}

/// One message of a person, read in the light of the session.
struct Turn<'a> {
    assistant: &'a Assistant,
    composer: Composer<'a>,
    state: State,
    text: &'a str,
    normalised: String,
}

impl<'a> Turn<'a> {
    fn new(assistant: &'a Assistant, session: Session, text: &'a str, today: Date) -> Self {
        let language = language_of(text, session.language, &assistant.matcher);
        let composer = assistant.composer_on(language, today);
        let normalised = assistant.matcher.normalise(text);
        Self {
            assistant,
            composer,
            state: session.state,
            text,
            normalised,
        }
    }

    fn take(self) -> (Session, Vec<Action>) {
        let language = self.composer.language;
        let outcome = self.outcome();
        let understanding = Understanding {
            decision: outcome.decision,
            scenarios: outcome.scenarios,
            confidence: outcome.confidence,
            language,
        };
        let mut actions = vec![Action::Reply(outcome.reply), Action::Record(understanding)];
        if outcome.decision == DecisionKind::Human {
            actions.push(Action::HandOver);
        }
        (
            Session {
                language,
                state: outcome.state,
            },
            actions,
        )
    }

    fn outcome(&self) -> Outcome {
        match &self.state {
            State::Start => self.question(self.judge(self.text)),
            State::Choosing {
                question,
                options,
                misses,
            } => self.choice(question, options, *misses),
            State::Answered { scenario, slots, asked } => match self.assistant.scenario(scenario) {
                Some(scenario) => self.after_answer(scenario, slots, asked.as_deref()),
                None => self.question(self.judge(self.text)),
            },
        }
    }

    fn judge(&self, question: &str) -> Judgement {
        self.assistant.matcher.judge(question)
    }

    /// A message that stands for itself.
    fn question(&self, judgement: Judgement) -> Outcome {
        let confidence = judgement.confidence;
        match judgement.decision {
            Decision::Answer { scenario } => match self.assistant.scenario(&scenario) {
                Some(scenario) => {
                    let named = self.slots_named(scenario);
                    let target = self.follow_slots(scenario, &named);
                    // A word that leads elsewhere may stand there by chance; it counts if the matcher thinks of that scenario too.
                    let plausible = judgement
                        .candidates
                        .iter()
                        .any(|candidate| candidate.id == target.id && candidate.probability >= PLAUSIBLE_TARGET);
                    let scenario = if plausible { target } else { scenario };
                    self.answer(scenario, named, confidence)
                }
                None => self.refuse(confidence),
            },
            Decision::AskBack { options } => self.ask_back(self.text.to_owned(), options, confidence),
            Decision::Refuse => self.refuse(confidence),
            Decision::Smalltalk { intent } => self.intent(&intent, DecisionKind::Smalltalk, confidence),
            Decision::Human => self.human(confidence),
        }
    }

    /// The answer to a scenario, with those of the known slot values that belong to it.
    fn answer(&self, scenario: &Scenario, mut known: KnownSlots, confidence: f32) -> Outcome {
        known.retain(|slot, value| {
            let value = scenario.slot(slot).and_then(|slot| slot.value(value));
            value.is_some_and(|value| matches!(value.effect, SlotEffect::Changes { .. }))
        });
        let reply = self.composer.answer(scenario, &known);
        self.answered(scenario, known, reply, confidence)
    }

    /// The outcome after something was said about a scenario; whatever options the reply has are values of the next slot.
    fn answered(&self, scenario: &Scenario, slots: KnownSlots, reply: Reply, confidence: f32) -> Outcome {
        let unknown = super::compose::first_unknown_slot(scenario, &slots).map(|slot| slot.id.clone());
        let asked = unknown.filter(|_| !reply.options.is_empty());
        Outcome {
            state: State::Answered {
                scenario: scenario.id.clone(),
                slots,
                asked,
            },
            reply,
            decision: DecisionKind::Answer,
            scenarios: vec![scenario.id.clone()],
            confidence,
        }
    }

    /// The scenario that a known slot value leads to, else the scenario itself.
    fn follow_slots(&self, scenario: &'a Scenario, known: &KnownSlots) -> &'a Scenario {
        let effects = scenario
            .slots
            .iter()
            .filter_map(|slot| slot.value(known.get(&slot.id)?))
            .map(|value| &value.effect);
        let mut targets = effects.filter_map(|effect| match effect {
            SlotEffect::GoesTo(target) => self.assistant.scenario(target),
            SlotEffect::Changes { .. } => None,
        });
        targets.next().unwrap_or(scenario)
    }

    /// The slot values named in the message.
    fn slots_named(&self, scenario: &Scenario) -> KnownSlots {
        let asserted = self.assistant.matcher.asserted(self.text);
        let named = scenario.slots.iter().filter_map(|slot| {
            let value = self.assistant.slots.value(scenario, slot, &asserted)?;
            Some((slot.id.clone(), value.to_owned()))
        });
        named.collect()
    }

    fn ask_back(&self, question: String, options: Vec<String>, confidence: f32) -> Outcome {
        let reply = self
            .composer
            .choice_of_scenarios(TextKey::WhichOfThese, options.iter().map(String::as_str));
        Outcome {
            state: State::Choosing {
                question,
                options: options.clone(),
                misses: 0,
            },
            reply,
            decision: DecisionKind::AskBack,
            scenarios: options,
            confidence,
        }
    }

    fn refuse(&self, confidence: f32) -> Outcome {
        self.remark(TextKey::OutsideSubject, DecisionKind::Refuse, confidence)
    }

    fn human(&self, confidence: f32) -> Outcome {
        let intents = &self.assistant.catalogue.intents;
        let human = intents.iter().find(|intent| intent.kind == IntentKind::Human);
        self.intent(human.map_or("", |intent| &intent.id), DecisionKind::Human, confidence)
    }

    fn intent(&self, id: &str, decision: DecisionKind, confidence: f32) -> Outcome {
        let intent = self.assistant.catalogue.intent(id);
        let text = intent.map_or_else(String::new, |intent| intent.reply.get(self.composer.language).clone());
        let reply = Reply {
            text,
            options: Vec::new(),
        };
        Outcome {
            state: self.state.clone(),
            reply,
            decision,
            scenarios: Vec::new(),
            confidence,
        }
    }

    /// A word from `texts.toml` that leaves the conversation where it is.
    fn remark(&self, key: TextKey, decision: DecisionKind, confidence: f32) -> Outcome {
        let reply = Reply {
            text: self.composer.text(key),
            options: Vec::new(),
        };
        Outcome {
            state: self.state.clone(),
            reply,
            decision,
            scenarios: Vec::new(),
            confidence,
        }
    }

    /// A reply to offered scenarios: a number, "none of these", the missing word, or a new question.
    fn choice(&self, question: &str, options: &[String], misses: u8) -> Outcome {
        match self.assistant.conversation.choice(&self.normalised) {
            Some(Choice::NoneOfThese) => self.none_fits(),
            Some(choice) => match option_at(options, choice).and_then(|id| self.assistant.scenario(id)) {
                Some(scenario) => self.answer(scenario, self.slots_in(scenario, question), 1.0),
                None => self.missed(question, options, misses),
            },
            None => self.rephrasing(question, options, misses),
        }
    }

    /// What somebody wrote instead of a number: clear by itself, clear together with the first question, or the name of an option.
    fn rephrasing(&self, question: &str, options: &[String], misses: u8) -> Outcome {
        let alone = self.judge(self.text);
        if matches!(
            alone.decision,
            Decision::Answer { .. } | Decision::Human | Decision::Smalltalk { .. }
        ) {
            return self.question(alone);
        }
        // A welcome asks nothing, so whatever follows it stands for itself.
        if question.is_empty() {
            return self.question(alone);
        }
        if let Some(scenario) = self.option_named(options) {
            return self.answer(scenario, self.slots_in(scenario, question), 1.0);
        }
        let adds_something = matches!(alone.decision, Decision::AskBack { .. });
        if !adds_something && self.is_another_subject(&alone) {
            return self.question(alone);
        }
        let whole_question = format!("{question} {}", self.text);
        let together = self.judge(&whole_question);
        match (&together.decision, self.option_answered(&together, options)) {
            (_, Some(scenario)) => self.answer(scenario, self.slots_in(scenario, question), together.confidence),
            (Decision::Answer { .. }, None) if adds_something => self.question(together),
            (Decision::AskBack { options }, None) if adds_something => {
                self.ask_back(whole_question, options.clone(), together.confidence)
            }
            _ if adds_something => self.question(alone),
            _ => self.missed(question, options, misses),
        }
    }

    /// Whether the message is about something else altogether, and not just too short to be understood by itself.
    fn is_another_subject(&self, judgement: &Judgement) -> bool {
        let best = judgement.candidates.first();
        let is_outside = best.is_some_and(|best| best.kind == ClassKind::Outside && best.probability >= SURE);
        let is_whole_sentence = self.normalised.chars().count() >= SHORTEST_SENTENCE;
        is_outside && is_whole_sentence && judgement.decision == Decision::Refuse
    }

    fn option_answered(&self, judgement: &Judgement, options: &[String]) -> Option<&'a Scenario> {
        match &judgement.decision {
            Decision::Answer { scenario } if options.contains(scenario) => self.assistant.scenario(scenario),
            _ => None,
        }
    }

    /// The one option whose label contains what was written.
    fn option_named(&self, options: &[String]) -> Option<&'a Scenario> {
        if self.normalised.chars().count() < 2 {
            return None;
        }
        let scenarios = options.iter().filter_map(|id| self.assistant.scenario(id));
        let label = |scenario: &Scenario| self.assistant.matcher.normalise(scenario.label(self.composer.language));
        let mut named = scenarios.filter(|scenario| label(scenario).contains(&self.normalised));
        let first = named.next()?;
        named.next().is_none().then_some(first)
    }

    fn slots_in(&self, scenario: &Scenario, question: &str) -> KnownSlots {
        let earlier = self.assistant.matcher.normalise(question);
        let named = scenario.slots.iter().filter_map(|slot| {
            let value = self.assistant.slots.value(scenario, slot, &earlier)?;
            Some((slot.id.clone(), value.to_owned()))
        });
        named.collect()
    }

    fn missed(&self, question: &str, options: &[String], misses: u8) -> Outcome {
        let misses = misses.saturating_add(1);
        if misses >= MOST_MISSES {
            return self.none_fits();
        }
        let reply = self
            .composer
            .choice_of_scenarios(TextKey::ChooseAgain, options.iter().map(String::as_str));
        Outcome {
            state: State::Choosing {
                question: question.to_owned(),
                options: options.to_vec(),
                misses,
            },
            reply,
            decision: DecisionKind::AskBack,
            scenarios: options.to_vec(),
            confidence: 0.0,
        }
    }

    fn none_fits(&self) -> Outcome {
        let outcome = self.remark(TextKey::NoneFits, DecisionKind::Refuse, 0.0);
        Outcome {
            state: State::Start,
            ..outcome
        }
    }

    /// A message after an answer: the slot that was asked for, a follow-up question, a slot value in passing, or a new question.
    fn after_answer(&self, scenario: &'a Scenario, known: &KnownSlots, asked: Option<&str>) -> Outcome {
        if let Some(outcome) = asked.and_then(|slot| self.slot_choice(scenario, known, slot)) {
            return outcome;
        }
        let sections = self.assistant.conversation.follow_up(&self.normalised);
        if !sections.is_empty() {
            let reply = self.composer.sections_asked_for(scenario, known, &sections);
            return self.kept(scenario, known, asked, reply);
        }
        let judgement = self.judge(self.text);
        if let Some(outcome) = self.slot_in_passing(scenario, known, &judgement) {
            return outcome;
        }
        match &judgement.decision {
            // The same again: what is known about it stays known.
            Decision::Answer { scenario: again } if *again == scenario.id => {
                let known = known.clone().into_iter().chain(self.slots_named(scenario)).collect();
                self.answer(scenario, known, judgement.confidence)
            }
            _ => self.question(judgement),
        }
    }

    /// Says something about the scenario at hand and leaves the open question open.
    fn kept(&self, scenario: &Scenario, known: &KnownSlots, asked: Option<&str>, reply: Reply) -> Outcome {
        let state = State::Answered {
            scenario: scenario.id.clone(),
            slots: known.clone(),
            asked: asked.map(str::to_owned),
        };
        Outcome {
            state,
            ..self.answered(scenario, known.clone(), reply, 1.0)
        }
    }

    /// A number or "none" in reply to a slot question.
    fn slot_choice(&self, scenario: &'a Scenario, known: &KnownSlots, slot: &str) -> Option<Outcome> {
        let values = &scenario.slot(slot)?.values;
        let ids: Vec<String> = values.iter().map(|value| value.id.clone()).collect();
        match self.assistant.conversation.choice(&self.normalised)? {
            Choice::NoneOfThese => {
                let reply = Reply {
                    text: self.composer.text(TextKey::NoneOfTheValues),
                    options: Vec::new(),
                };
                Some(self.kept(scenario, known, None, reply))
            }
            choice => {
                let value = option_at(&ids, choice)?;
                Some(self.slot_known(scenario, known, slot, value))
            }
        }
    }

    /// A slot value said in words, unless the message is clearly about something else.
    fn slot_in_passing(&self, scenario: &'a Scenario, known: &KnownSlots, judgement: &Judgement) -> Option<Outcome> {
        let another = matches!(&judgement.decision, Decision::Answer { scenario: other } if *other != scenario.id);
        let is_new_question = (another && judgement.confidence >= SURE) || self.is_another_subject(judgement);
        if is_new_question || self.normalised.chars().count() > SHORT_REPLY {
            return None;
        }
        let mut named = self.slots_named(scenario).into_iter();
        let (slot, value) = named.find(|(slot, value)| known.get(slot) != Some(value))?;
        Some(self.slot_known(scenario, known, &slot, &value))
    }

    fn slot_known(&self, scenario: &'a Scenario, known: &KnownSlots, slot: &str, value: &str) -> Outcome {
        let mut known = known.clone();
        known.insert(slot.to_owned(), value.to_owned());
        let target = self.follow_slots(scenario, &known);
        if target.id != scenario.id {
            return self.answer(target, KnownSlots::new(), 1.0);
        }
        let reply = match scenario.slot(slot) {
            Some(slot) => self.composer.change(scenario, &known, slot, value),
            None => self.composer.answer(scenario, &known),
        };
        self.answered(scenario, known, reply, 1.0)
    }
}

fn option_at(options: &[String], choice: Choice) -> Option<&String> {
    match choice {
        Choice::Option(index) => options.get(index),
        Choice::Last => options.last(),
        Choice::NoneOfThese | Choice::Word => None,
    }
}
