//! One step of a conversation.

use std::borrow::Cow;
use std::cell::OnceCell;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::assistant::Assistant;
use super::circumstances::Circumstances;
use super::compose::{Composer, KnownSlots, first_unknown_slot};
use super::language::language_of;
use super::session::{
    Action, Appeal, AtHand, Attachment, Cause, DecisionKind, Event, Open, Reply, Session, State, Understanding,
};
use super::time_signs::signs_in;
use super::when;
use super::words::Choice;
use crate::knowledge::{AccountKind, IntentKind, Language, Role, Scenario, SlotEffect, TextKey};
use crate::matching::{ClassKind, Decision, Judgement, Question};

/// China has one time zone and no daylight saving time.
pub(super) const CHINA: Offset = Offset::constant(8);

/// How many situations are offered in a welcome.
pub(super) const COMMONEST: usize = 6;

/// A scenario that a slot value leads to must be at least this probable to be answered instead.
const PLAUSIBLE_TARGET: f32 = 0.05;

/// A message of fewer characters is a word in reply rather than a sentence of its own.
const SHORTEST_SENTENCE: usize = 5;

/// From this confidence on, a question about another scenario changes the subject even if it also names a slot value.
pub(super) const SURE: f32 = 0.8;

/// From this confidence on, a part of a message names an issue of its own.
const CLEAR: f32 = 0.7;

/// From this confidence on, a message in the middle of something is small talk or a call for a person.
const SURE_TALK: f32 = 0.85;

/// So many messages in a row that are not understood lead to an offer of the commonest situations and of a person.
const MOST_REFUSALS: u8 = 2;

/// Words of a person that are kept are cut after so many characters.
const LONGEST_SAID: usize = 300;

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

    fn stepped(&self, session: Session, event: &Event, at: Timestamp) -> (Session, Vec<Action>) {
        let now = CHINA.to_datetime(at);
        let session = self.known_still(session);
        match event {
            Event::Entered => self.entered(session, now),
            Event::CommonSituations => self.welcomed(session, now),
            Event::Tapped { id, label } => self.tapped(session, id, label, at),
            Event::Attachment(attachment) => {
                let reply = self
                    .composer_on(session.language, now)
                    .text(attachment_text(*attachment));
                (session, vec![say(reply)])
            }
            Event::Text(text) => Turn::new(self, session, text, now).take(),
        }
    }

    /// Greets with the commonest situations, but only when no conversation is under way: WeCom reports every opening.
    fn entered(&self, session: Session, now: DateTime) -> (Session, Vec<Action>) {
        if session.state != State::Start {
            return (session, Vec::new());
        }
        self.welcomed(session, now)
    }

    fn welcomed(&self, session: Session, now: DateTime) -> (Session, Vec<Action>) {
        let composer = self.composer_on(session.language, now);
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
        self.composer_on(language, CHINA.to_datetime(now))
    }

    fn composer_on(&self, language: Language, now: DateTime) -> Composer<'_> {
        Composer {
            catalogue: &self.catalogue,
            language,
            now,
        }
    }
}

fn attachment_text(attachment: Attachment) -> TextKey {
    match attachment {
        Attachment::Image => TextKey::GotImage,
        Attachment::Voice => TextKey::GotVoice,
        Attachment::Video => TextKey::GotVideo,
        Attachment::Location => TextKey::GotLocation,
        Attachment::Link => TextKey::GotLink,
        Attachment::File => TextKey::GotFile,
        Attachment::Other => TextKey::GotOther,
    }
}

fn say(text: String) -> Action {
    Action::Reply(Reply {
        text,
        options: Vec::new(),
    })
}

/// What a turn leads to.
pub(super) struct Outcome {
    pub(super) state: State,
    pub(super) reply: Reply,
    pub(super) decision: DecisionKind,
    pub(super) scenarios: Vec<String>,
    pub(super) confidence: f32,
    pub(super) effects: Vec<Action>,
}

impl Outcome {
    /// About no scenario in particular.
    pub(super) fn new(state: State, reply: Reply, decision: DecisionKind) -> Self {
        Self {
            state,
            reply,
            decision,
            scenarios: Vec::new(),
            confidence: 0.0,
            effects: Vec::new(),
        }
    }

    /// The same with something more to carry out.
    pub(super) fn with(mut self, effect: Action) -> Self {
        self.effects.push(effect);
        self
    }
}

/// One message of a person, read in the light of the session.
pub(super) struct Turn<'a> {
    pub(super) assistant: &'a Assistant,
    pub(super) composer: Composer<'a>,
    state: State,
    refusals: u8,
    pub(super) appeal: Option<Appeal>,
    pub(super) message: Question<'a, 'a>,
    judgement: OnceCell<Judgement<'a>>,
    /// The normalised text without the times it names.
    pub(super) without_times: String,
    /// What the message tells about the restriction.
    pub(super) circumstances: Circumstances,
    named_day: Option<Date>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(assistant: &'a Assistant, session: Session, text: &'a str, now: DateTime) -> Self {
        let message = assistant.matcher.question(text);
        let language = language_of(text, session.language, &message);
        Self::reading(assistant, Session { language, ..session }, message, now)
    }

    /// The same in the language of the session, whatever the text is written in.
    pub(super) fn in_language_of(assistant: &'a Assistant, session: Session, text: &'a str, now: DateTime) -> Self {
        Self::reading(assistant, session, assistant.matcher.question(text), now)
    }

    fn reading(assistant: &'a Assistant, session: Session, message: Question<'a, 'a>, now: DateTime) -> Self {
        let composer = assistant.composer_on(session.language, now);
        let normalised = message.normalised();
        let signs = signs_in(normalised);
        let named = when::moments(normalised, signs, now);
        let offers_appeal = assistant.conversation.offers_appeal(normalised);
        Self {
            assistant,
            composer,
            state: session.state,
            refusals: session.refusals,
            appeal: session.appeal,
            circumstances: Circumstances::of(normalised, signs, &named, offers_appeal, now),
            without_times: without(normalised, &named),
            named_day: named
                .iter()
                .find(|spoken| spoken.has_happened(now))
                .map(|spoken| spoken.past.at.date()),
            message,
            judgement: OnceCell::new(),
        }
    }

    /// The message in its one spelling.
    pub(super) fn normalised(&self) -> &str {
        self.message.normalised()
    }

    pub(super) fn take(self) -> (Session, Vec<Action>) {
        let outcome = self.outcome();
        self.ending_in(outcome)
    }

    /// What to remember and to do after it.
    pub(super) fn ending_in(self, outcome: Outcome) -> (Session, Vec<Action>) {
        let language = self.composer.language;
        let cause = self.cause_to_hand_over(&outcome);
        let understanding = Understanding {
            decision: outcome.decision,
            scenarios: outcome.scenarios,
            confidence: outcome.confidence,
            language,
        };
        let session = Session {
            language,
            state: outcome.state,
            refusals: match outcome.decision {
                DecisionKind::Refuse => self.refusals.saturating_add(1),
                _ => 0,
            },
            appeal: appeal_after(self.appeal, &outcome.effects),
        };
        let mut actions = vec![Action::Reply(outcome.reply), Action::Record(understanding)];
        actions.extend(cause.map(Action::HandOver));
        actions.extend(outcome.effects);
        (session, actions)
    }

    fn cause_to_hand_over(&self, outcome: &Outcome) -> Option<Cause> {
        match outcome.decision {
            DecisionKind::Human => Some(Cause::Asked),
            DecisionKind::Refuse if self.refusals.saturating_add(1) >= MOST_REFUSALS => Some(Cause::NotUnderstood),
            DecisionKind::Answer => {
                let answered = outcome.scenarios.first().and_then(|id| self.assistant.scenario(id));
                answered
                    .is_some_and(|scenario| scenario.hand_over)
                    .then_some(Cause::Scenario)
            }
            _ => None,
        }
    }

    fn outcome(&self) -> Outcome {
        match &self.state {
            State::Start => self.fresh(),
            State::Choosing {
                question,
                options,
                misses,
            } => self
                .saying(None)
                .unwrap_or_else(|| self.choice(question, options, *misses)),
            State::Answered(at_hand) => match self.assistant.scenario(&at_hand.scenario) {
                Some(scenario) => self.after_answer(scenario, at_hand),
                None => self.fresh(),
            },
        }
    }

    /// A message with nothing before it.
    fn fresh(&self) -> Outcome {
        self.saying(None).unwrap_or_else(|| self.question(self.judged()))
    }

    /// How the message is understood by itself.
    pub(super) fn judged(&self) -> &Judgement<'a> {
        self.judgement.get_or_init(|| self.judge(&self.message))
    }

    /// Understands a question. While something is open, only what is surely talk is taken for it: a short reply often looks like it.
    pub(super) fn judge(&self, question: &Question<'a, '_>) -> Judgement<'a> {
        let judgement = question.judge();
        let is_talk = matches!(judgement.decision, Decision::Smalltalk { .. } | Decision::Human);
        let is_sure = judgement.is_known_utterance || judgement.confidence_in_talk >= SURE_TALK;
        match is_talk && !is_sure && self.state != State::Start {
            true => Judgement {
                decision: Decision::Refuse,
                ..judgement
            },
            false => judgement,
        }
    }

    /// Whether options are open that somebody is asked to choose from.
    pub(super) fn is_choosing(&self) -> bool {
        matches!(&self.state, State::Choosing { question, .. } if !question.is_empty())
    }

    /// A message that stands for itself.
    pub(super) fn question(&self, judgement: &Judgement<'_>) -> Outcome {
        let confidence = judgement.confidence;
        if let Some((main, other)) = self.two_issues(judgement) {
            return self.answer_and_offer(main, other, confidence);
        }
        match &judgement.decision {
            Decision::Answer { scenario } => match self.assistant.scenario(scenario) {
                Some(scenario) => self.answer_judged(scenario, judgement),
                None => self.refuse(confidence),
            },
            Decision::AskBack { options } => self.ask_back(self.message.text(), owned(options), confidence),
            Decision::Refuse => self.refuse(confidence),
            Decision::Smalltalk { intent } => self.intent(intent, DecisionKind::Smalltalk, confidence),
            Decision::Human => self.human(confidence),
        }
    }

    fn answer_judged(&self, scenario: &'a Scenario, judgement: &Judgement<'_>) -> Outcome {
        let names_submission = self.assistant.conversation.names_submission(self.normalised());
        if scenario.role == Some(Role::AppealProgress)
            && names_submission
            && let Some(day) = self.named_day()
            && let Some(outcome) = self.submitted_on(day, None)
        {
            return outcome;
        }
        let named = self.slots_named(scenario);
        let target = self.follow_slots(scenario, &named);
        // A word that leads elsewhere may stand there by chance; it counts if the matcher thinks of that scenario too.
        let plausible = judgement
            .candidates
            .iter()
            .any(|candidate| *candidate.id == target.id && candidate.probability >= PLAUSIBLE_TARGET);
        let scenario = if plausible { target } else { scenario };
        self.answer_about(scenario, &self.message, judgement.confidence)
    }

    /// Two issues that a message names clearly on both sides of an "also", the graver one first. Clauses alone tell nothing: one is
    /// often the cause of the other ("加人太多，拉不了群").
    fn two_issues(&self, judgement: &Judgement<'_>) -> Option<(&'a Scenario, &'a Scenario)> {
        if !matches!(judgement.decision, Decision::Answer { .. } | Decision::AskBack { .. }) {
            return None;
        }
        // What somebody denies is no issue of theirs.
        let parts = self.assistant.conversation.parts(self.message.asserted());
        if parts.len() < 2 {
            return None;
        }
        let mut issues: Vec<&'a Scenario> = Vec::new();
        let judge = |part: &str| self.judge(&self.assistant.matcher.question(part));
        for issue in parts.into_iter().filter_map(|part| self.clear_issue(&judge(part))) {
            if !issues.iter().any(|known| known.id == issue.id) {
                issues.push(issue);
            }
        }
        issues.sort_by_key(|scenario| std::cmp::Reverse(scenario.gravity));
        match issues.as_slice() {
            [main, other, ..] => Some((main, other)),
            _ => None,
        }
    }

    /// The scenario of a clear answer that is an issue of its own.
    fn clear_issue(&self, judgement: &Judgement<'_>) -> Option<&'a Scenario> {
        match &judgement.decision {
            Decision::Answer { scenario } if judgement.confidence >= CLEAR => self
                .assistant
                .scenario(scenario)
                .filter(|scenario| scenario.gravity > 0),
            _ => None,
        }
    }

    fn answer_and_offer(&self, main: &'a Scenario, other: &'a Scenario, confidence: f32) -> Outcome {
        let slots = self.slots_named(main);
        let reply = self.composer.answer_and_offer(main, &slots, &self.circumstances, other);
        let at_hand = AtHand {
            scenario: main.id.clone(),
            slots,
            said: kept(self.message.text()),
            circumstances: self.circumstances.clone(),
            open: Open::OtherIssue {
                scenario: other.id.clone(),
            },
        };
        let outcome = self.about(main, at_hand, reply, confidence);
        Outcome {
            scenarios: vec![main.id.clone(), other.id.clone()],
            ..outcome
        }
    }

    /// The answer to a scenario for what was said, all of it just now.
    pub(super) fn answer_about(&self, scenario: &Scenario, said: &Question<'_, '_>, confidence: f32) -> Outcome {
        let circumstances = match said.text() == self.message.text() {
            true => self.circumstances.clone(),
            false => self.circumstances_of(said.normalised()),
        };
        let known = self.slots_in(scenario, said, &circumstances);
        self.answer(scenario, known, said.text(), circumstances, confidence)
    }

    /// The same for what was said before, with this message.
    pub(super) fn answer_after(&self, before: &str, scenario: &Scenario, confidence: f32) -> Outcome {
        let said = self.after(before);
        self.answer_about(scenario, &self.assistant.matcher.question(&said), confidence)
    }

    fn circumstances_of(&self, normalised: &str) -> Circumstances {
        let (signs, now) = (signs_in(normalised), self.composer.now);
        let named = when::moments(normalised, signs, now);
        let offers_appeal = self.assistant.conversation.offers_appeal(normalised);
        Circumstances::of(normalised, signs, &named, offers_appeal, now)
    }

    /// The answer to a scenario, with those of the known slot values that belong to it.
    pub(super) fn answer(
        &self,
        scenario: &Scenario,
        mut known: KnownSlots,
        said: &str,
        circumstances: Circumstances,
        confidence: f32,
    ) -> Outcome {
        known.retain(|slot, value| {
            let value = scenario.slot(slot).and_then(|slot| slot.value(value));
            value.is_some_and(|value| matches!(value.effect, SlotEffect::Changes { .. }))
        });
        let reply = self.composer.answer(scenario, &known, &circumstances);
        self.answered(scenario, known, said.to_owned(), circumstances, reply, confidence)
    }

    /// The outcome after a scenario was answered; whatever options the reply has are values of the next slot.
    pub(super) fn answered(
        &self,
        scenario: &Scenario,
        slots: KnownSlots,
        said: String,
        circumstances: Circumstances,
        reply: Reply,
        confidence: f32,
    ) -> Outcome {
        let unknown = first_unknown_slot(scenario, &slots).map(|slot| slot.id.clone());
        let offered: Vec<String> = reply.options.iter().map(|option| option.id.clone()).collect();
        let open = match unknown.filter(|_| !offered.is_empty()) {
            Some(slot) => Open::Slot { slot, offered },
            None => Open::Nothing,
        };
        let at_hand = AtHand {
            scenario: scenario.id.clone(),
            slots,
            said: kept(&said),
            circumstances,
            open,
        };
        self.about(scenario, at_hand, reply, confidence)
    }

    /// The scenario that a known slot value leads to, else the scenario itself.
    pub(super) fn follow_slots(&self, scenario: &'a Scenario, known: &KnownSlots) -> &'a Scenario {
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
    pub(super) fn slots_named(&self, scenario: &Scenario) -> KnownSlots {
        self.slots_in(scenario, &self.message, &self.circumstances)
    }

    /// The slot values that a text names. How long it has lasted follows from its start, where that was told.
    pub(super) fn slots_in(
        &self,
        scenario: &Scenario,
        said: &Question<'_, '_>,
        circumstances: &Circumstances,
    ) -> KnownSlots {
        let in_words = self.assistant.slots.values(scenario, said.asserted());
        let named = scenario.slots.iter().zip(in_words).filter_map(|(slot, in_words)| {
            let value = match circumstances.started {
                Some(started) if !slot.elapsed_hours.is_empty() => started.only_value(slot, self.composer.now)?,
                _ => in_words?.id.as_str(),
            };
            Some((slot.id.clone(), value.to_owned()))
        });
        named.collect()
    }

    /// What was said before, and this message, which is the more important one.
    pub(super) fn after(&self, said: &str) -> String {
        let now = kept(self.message.text());
        let room = LONGEST_SAID.saturating_sub(now.chars().count());
        let before: String = said.chars().take(room).collect();
        [before.as_str(), &now].join("\n").trim_start().to_owned()
    }

    /// The first day the message names, as something that has happened.
    pub(super) fn named_day(&self) -> Option<Date> {
        self.named_day
    }

    pub(super) fn ask_back(&self, question: &str, options: Vec<String>, confidence: f32) -> Outcome {
        let key = match self.is_about_whose_account(&options) {
            true => TextKey::WhoseAccount,
            false => TextKey::WhichOfThese,
        };
        let reply = self
            .composer
            .choice_of_scenarios(key, options.iter().map(String::as_str));
        let state = State::Choosing {
            question: question.to_owned(),
            options: options.clone(),
            misses: 0,
        };
        Outcome {
            scenarios: options,
            confidence,
            ..Outcome::new(state, reply, DecisionKind::AskBack)
        }
    }

    /// Whether the options are about a personal and about a WeCom account: that is what decides.
    fn is_about_whose_account(&self, options: &[String]) -> bool {
        let accounts = options
            .iter()
            .filter_map(|id| self.assistant.scenario(id))
            .map(|scenario| scenario.account);
        let accounts: Vec<AccountKind> = accounts.collect();
        accounts.contains(&AccountKind::Personal) && accounts.contains(&AccountKind::Member)
    }

    /// Outside the subject; after the second time in a row with the commonest situations to choose from.
    fn refuse(&self, confidence: f32) -> Outcome {
        if self.refusals.saturating_add(1) < MOST_REFUSALS {
            return Outcome {
                confidence,
                ..Outcome::new(
                    self.state.clone(),
                    self.words(TextKey::OutsideSubject),
                    DecisionKind::Refuse,
                )
            };
        }
        let reply = self
            .assistant
            .commonest_situations(self.composer, TextKey::NotUnderstood);
        let state = State::Choosing {
            question: String::new(),
            options: reply.options.iter().map(|option| option.id.clone()).collect(),
            misses: 0,
        };
        Outcome {
            confidence,
            ..Outcome::new(state, reply, DecisionKind::Refuse)
        }
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
            confidence,
            ..Outcome::new(self.state.clone(), reply, decision)
        }
    }

    /// A sentence of `texts.toml` without placeholders.
    pub(super) fn words(&self, key: TextKey) -> Reply {
        Reply {
            text: self.composer.text(key),
            options: Vec::new(),
        }
    }

    /// Whether the message is about something else altogether, and not just too short to be understood by itself.
    pub(super) fn is_another_subject(&self, judgement: &Judgement<'_>) -> bool {
        let best = judgement.candidates.first();
        let is_outside = best.is_some_and(|best| best.kind == ClassKind::Outside && best.probability >= SURE);
        let is_whole_sentence = self.normalised().chars().count() >= SHORTEST_SENTENCE;
        is_outside && is_whole_sentence && judgement.decision == Decision::Refuse
    }
}

/// The appeal that is followed after what was decided.
fn appeal_after(before: Option<Appeal>, effects: &[Action]) -> Option<Appeal> {
    effects.iter().fold(before, |appeal, effect| match effect {
        Action::Track { appeal, .. } => Some(appeal.clone()),
        Action::CloseAppeal(_) => None,
        _ => appeal,
    })
}

/// As much of somebody's words as is kept.
pub(super) fn kept(said: &str) -> String {
    let end = said.char_indices().nth(LONGEST_SAID).map_or(said.len(), |(end, _)| end);
    said.get(..end).unwrap_or_default().to_owned()
}

/// Ids to remember.
pub(super) fn owned(ids: &[Cow<'_, str>]) -> Vec<String> {
    ids.iter().map(|id| id.clone().into_owned()).collect()
}

/// The text without the times it names.
fn without(text: &str, named: &[when::Spoken]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut done = 0;
    for spoken in named {
        kept.push_str(text.get(done..spoken.place.start).unwrap_or_default());
        done = spoken.place.end;
    }
    kept.push_str(text.get(done..).unwrap_or_default());
    kept
}

/// The option that was chosen.
pub(super) fn option_at(options: &[String], choice: Choice) -> Option<&String> {
    match choice {
        Choice::Option(index) => options.get(index),
        Choice::Last => options.last(),
        Choice::NoneOfThese | Choice::Word => None,
    }
}
