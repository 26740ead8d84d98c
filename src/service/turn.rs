//! One step of a conversation, from what the store remembers to what it is to keep.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::dialogue::{Action, AppealOutcome, Assistant, Cause, Event, Reply, Session, Understanding};
use crate::store::{AppealChange, OpenedAppeal, QuestionRecord, Rating, Remembered, Reminder, Step};

/// What a step of a conversation leads to.
pub(super) struct Turned {
    pub(super) session: Session,
    pub(super) replies: Vec<Reply>,
    /// Why a person should take over, if so.
    pub(super) hand_over: Option<Cause>,
    /// What to keep; without a reply and without anything to send.
    pub(super) step: Step,
}

/// Takes one event of a conversation.
pub(super) fn turn(assistant: &Arc<Assistant>, session: Session, event: &Event, now: Timestamp) -> Turned {
    let started = Instant::now();
    let (session, actions) = assistant.step(session, event, now);
    let mut turned = Turned {
        step: Step {
            session: serde_json::to_string(&session).ok(),
            knowledge_version: assistant.version.clone(),
            ..Step::default()
        },
        session,
        replies: Vec::new(),
        hand_over: None,
    };
    for action in actions {
        turned.carry_out(assistant, event, action, started);
    }
    turned
}

impl Turned {
    fn carry_out(&mut self, assistant: &Assistant, event: &Event, action: Action, started: Instant) {
        match action {
            Action::Reply(reply) => self.replies.push(reply),
            Action::HandOver(cause) => self.hand_over = Some(cause),
            Action::Record(understanding) => {
                self.step.question = Some(record(assistant, event, &understanding, started));
            }
            Action::Track { appeal, reminders } => {
                let reminders = reminders.into_iter().map(|reminder| Reminder {
                    business_day: reminder.business_day,
                    due: reminder.due,
                });
                let record = serde_json::to_string(&appeal).unwrap_or_default();
                let reminders = reminders.collect();
                self.step.appeal = AppealChange::Opened(OpenedAppeal { record, reminders });
            }
            Action::CloseAppeal(AppealOutcome::Cancelled) => self.step.appeal = AppealChange::Forgotten,
            Action::CloseAppeal(outcome) => {
                let outcome = outcome.name().to_owned();
                self.step.appeal = AppealChange::Closed { outcome };
            }
            Action::Rate { scenario, verdict } => {
                self.step.rating = Some(Rating {
                    scenario,
                    verdict: verdict.name().to_owned(),
                    knowledge_version: assistant.version.clone(),
                });
            }
        }
    }
}

fn record(assistant: &Assistant, event: &Event, understanding: &Understanding, started: Instant) -> QuestionRecord {
    let text = match event {
        Event::Text(text) | Event::Tapped { label: text, .. } => text.clone(),
        Event::Entered | Event::CommonSituations | Event::Attachment(_) => String::new(),
    };
    QuestionRecord {
        asked_at: Timestamp::now(),
        text,
        language: understanding.language.tag().to_owned(),
        decision: understanding.decision.name().to_owned(),
        scenarios: understanding.scenarios.clone(),
        confidence: understanding.confidence,
        knowledge_version: assistant.version.clone(),
        micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
    }
}

/// What is remembered, as the dialogue knows it. What an older version wrote and cannot be read any more is not remembered.
pub(super) fn session_of(remembered: Remembered) -> Session {
    let session: Option<Session> = remembered.session.and_then(|json| serde_json::from_str(&json).ok());
    Session {
        appeal: remembered.appeal.and_then(|json| serde_json::from_str(&json).ok()),
        ..session.unwrap_or_default()
    }
}
