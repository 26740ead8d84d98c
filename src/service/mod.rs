//! One message end to end: settle it once, and give back what to reply.

mod clock;

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

pub use clock::{ConversationClock, NOW_VARIABLE};

use crate::channels::app::{Heard, heard, reply_text};
use crate::dialogue::{Action, AppealOutcome, Assistant, Event, Session, Understanding};
use crate::protocol::{DeduplicationKey, IncomingMessage, TextReply, WireFormat};
use crate::store::{
    AppealChange, ConversationKey, MessageKey, OpenedAppeal, QuestionRecord, Rating, Remembered, Reminder, Step, Store,
    StoreError,
};

/// Answers messages.
pub struct Service {
    assistant: Arc<Assistant>,
    store: Arc<dyn Store>,
    clock: ConversationClock,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Reply with this plaintext, encrypted. `repeated` when it was decided at an earlier delivery.
    Reply {
        /// Plaintext of the passive reply.
        plaintext: String,
        /// Whether this message was settled before.
        repeated: bool,
    },
    /// Nothing to say.
    Acknowledged,
    /// Nothing to say, because the kind is not known.
    Unknown(String),
}

impl Service {
    /// A service that remembers in `store`.
    pub fn new(assistant: Arc<Assistant>, store: Arc<dyn Store>, clock: ConversationClock) -> Self {
        Self {
            assistant,
            store,
            clock,
        }
    }

    /// Where messages are settled.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Settles one genuine message of the app `app` and says what to reply.
    ///
    /// # Errors
    ///
    /// When the message could not be made durable; it must then not be acknowledged, so that WeCom delivers it again.
    pub async fn take(
        &self,
        app: &str,
        corp_id: &str,
        message: &IncomingMessage,
        deduplication_key: DeduplicationKey,
        format: WireFormat,
    ) -> Result<Outcome, StoreError> {
        let event = match heard(&message.content) {
            Heard::Event(event) => event,
            Heard::Nothing => return Ok(Outcome::Acknowledged),
            Heard::Unknown(kind) => return Ok(Outcome::Unknown(kind)),
        };
        let key = message_key(corp_id, app, &deduplication_key);
        let user = message.from_user.canonical();
        let conversation = ConversationKey {
            corp_id: corp_id.to_owned(),
            app: app.to_owned(),
            user,
        };
        let turn = Turn {
            assistant: Arc::clone(&self.assistant),
            event,
            now: self.clock.now(),
        };
        // Sessions expire and questions are dated by the real clock, however far the conversation's is moved.
        let now = Timestamp::now();
        let settlement = self
            .store
            .settle(
                key,
                conversation,
                now,
                Box::new(move |remembered| turn.step(remembered)),
            )
            .await?;
        let Some(text) = settlement.reply else {
            return Ok(Outcome::Acknowledged);
        };
        // Made of stored values alone, so that a repeated delivery gets the same plaintext.
        let created_at = settlement.settled_at.as_second();
        let plaintext = TextReply::fit(&text).to_plaintext(format, message.from_user.as_str(), corp_id, created_at);
        Ok(Outcome::Reply {
            plaintext,
            repeated: settlement.repeated,
        })
    }
}

/// The key under which a message of an app is settled.
pub fn message_key(corp_id: &str, app: &str, deduplication_key: &DeduplicationKey) -> MessageKey {
    MessageKey {
        corp_id: corp_id.to_owned(),
        app: app.to_owned(),
        deduplication_key: deduplication_key.as_str().to_owned(),
    }
}

/// Everything one step of a conversation needs, to be run inside the store's transaction.
struct Turn {
    assistant: Arc<Assistant>,
    event: Event,
    now: Timestamp,
}

impl Turn {
    fn step(self, remembered: Remembered) -> Step {
        let started = Instant::now();
        let session = session_of(remembered);
        let (session, actions) = self.assistant.step(session, &self.event, self.now);
        let reply = reply_text(&self.assistant, &session, &actions, self.now);
        let mut step = Step {
            session: serde_json::to_string(&session).ok(),
            reply,
            ..Step::default()
        };
        for action in actions {
            self.carry_out(action, started, &mut step);
        }
        step
    }

    /// What an action changes in the store.
    fn carry_out(&self, action: Action, started: Instant, step: &mut Step) {
        match action {
            // Said already; handing over to a person is what the reply tells, until there is somebody to hand over to.
            Action::Reply(_) | Action::HandOver => {}
            Action::Record(understanding) => step.question = Some(self.record(&understanding, started)),
            Action::Track { appeal, reminders } => {
                let reminders = reminders.into_iter().map(|reminder| Reminder {
                    business_day: reminder.business_day,
                    due: reminder.due,
                });
                let record = serde_json::to_string(&appeal).unwrap_or_default();
                let reminders = reminders.collect();
                step.appeal = AppealChange::Opened(OpenedAppeal { record, reminders });
            }
            Action::CloseAppeal(AppealOutcome::Cancelled) => step.appeal = AppealChange::Forgotten,
            Action::CloseAppeal(outcome) => {
                let outcome = outcome.name().to_owned();
                step.appeal = AppealChange::Closed { outcome };
            }
            Action::Rate { scenario, verdict } => {
                step.rating = Some(Rating {
                    scenario,
                    verdict: verdict.name().to_owned(),
                    knowledge_version: self.assistant.version.clone(),
                });
            }
        }
    }

    fn record(&self, understanding: &Understanding, started: Instant) -> QuestionRecord {
        let text = match &self.event {
            Event::Text(text) => text.clone(),
            Event::Entered | Event::Attachment(_) => String::new(),
        };
        QuestionRecord {
            asked_at: Timestamp::now(),
            text,
            language: understanding.language.tag().to_owned(),
            decision: understanding.decision.name().to_owned(),
            scenarios: understanding.scenarios.clone(),
            confidence: understanding.confidence,
            knowledge_version: self.assistant.version.clone(),
            micros: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// What is remembered, as the dialogue knows it. What an older version wrote and cannot be read any more is not remembered.
fn session_of(remembered: Remembered) -> Session {
    let session: Option<Session> = remembered.session.and_then(|json| serde_json::from_str(&json).ok());
    Session {
        appeal: remembered.appeal.and_then(|json| serde_json::from_str(&json).ok()),
        ..session.unwrap_or_default()
    }
}
