//! One question, asked in a new conversation.

use jiff::Timestamp;
use serde::Serialize;

use crate::dialogue::{Action, Assistant, DecisionKind, Event, Reply, ReplyOption, Session, Understanding};
use crate::matching::ClassKind;

/// A question as the first message of a conversation, with what came of it: the line of `jiefeng ask --json` and of `jiefeng evaluate`.
#[derive(Serialize)]
pub struct AnsweredQuestion {
    /// As it was asked.
    pub question: String,
    /// What the bot did.
    pub decision: DecisionKind,
    /// What it could be, best first.
    pub scenarios: Vec<String>,
    /// Probability that the first one is right.
    pub confidence: f32,
    /// What the employee would read.
    pub reply: String,
    /// What can be chosen.
    pub options: Vec<ReplyOption>,
}

impl AnsweredQuestion {
    /// Asks `question` in a new conversation.
    pub fn first(assistant: &Assistant, question: &str, now: Timestamp) -> Self {
        let event = Event::Text(question.to_owned());
        let (_, actions) = assistant.step(Session::default(), &event, now);
        let (reply, mut understanding) = reply_and_understanding(actions);
        let composer = assistant.composer(understanding.language, now);
        // What else it could be, best first, also where nothing is answered.
        let judged = assistant.matcher.judge(question).candidates.into_iter();
        let others = judged
            .filter(|candidate| candidate.kind == ClassKind::Scenario)
            .map(|candidate| candidate.id.into_owned());
        let others: Vec<String> = others.filter(|id| !understanding.scenarios.contains(id)).collect();
        understanding.scenarios.extend(others);
        Self {
            question: question.to_owned(),
            decision: understanding.decision,
            scenarios: understanding.scenarios,
            confidence: understanding.confidence,
            reply: composer.as_plain_text(&reply),
            options: reply.options,
        }
    }

    /// What came out, as labels name it: the scenario that was answered, else the decision.
    pub fn outcome(&self) -> String {
        match self.decision {
            DecisionKind::Answer => self.scenarios.first().cloned().unwrap_or_default(),
            other => other.name().to_owned(),
        }
    }

    /// The decision with the scenarios it was taken among, for people.
    pub fn in_words(&self) -> String {
        let places = if self.decision == DecisionKind::Answer { 1 } else { 3 };
        let scenarios: Vec<&str> = self.scenarios.iter().take(places).map(String::as_str).collect();
        let (decision, confidence) = (self.decision.name(), self.confidence);
        format!("{decision} {} ({confidence:.2})", scenarios.join("|"))
    }
}

/// What a step said and how it understood the question. A text event always leads to both.
fn reply_and_understanding(actions: Vec<Action>) -> (Reply, Understanding) {
    let mut reply = Reply {
        text: String::new(),
        options: Vec::new(),
    };
    let mut understanding = Understanding::default();
    for action in actions {
        match action {
            Action::Reply(said) => reply = said,
            Action::Record(understood) => understanding = understood,
            _ => {}
        }
    }
    (reply, understanding)
}
