//! What a message of the app leads to: a passive reply, or messages where a reply cannot be had or cannot show what is to be shown.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::clock::later;
use super::send_ids::send_id;
use super::turn::{Turned, session_of, turn};
use crate::channels::app::{card_message, chosen_on_card, options_for_card, reply_text, text_message, without_options};
use crate::config::App;
use crate::dialogue::{Assistant, Event, Reply};
use crate::knowledge::TextKey;
use crate::protocol::{IncomingMessage, Private};
use crate::store::{Instead, NewSend, Remembered, Step, Urgency};
use crate::wecom::Api;

/// WeCom delivers a message again before that, and the reply goes out with it.
const AFTER_ALL_DELIVERIES: SignedDuration = SignedDuration::from_secs(20);

/// An answer is of use for so long.
const OF_USE: SignedDuration = SignedDuration::from_hours(1);

/// Who is written to, and how.
pub(super) struct Recipient {
    pub(super) app: String,
    pub(super) agent_id: u32,
    pub(super) user: String,
    /// Whether the app can send at all.
    pub(super) can_send: bool,
    /// Whether options are sent as cards.
    pub(super) cards: bool,
}

impl Recipient {
    pub(super) fn of(app: &App, message: &IncomingMessage) -> Self {
        Self {
            app: app.name.clone(),
            agent_id: app.agent_id,
            user: message.from_user.as_str().to_owned(),
            can_send: app.secret.is_some(),
            cards: app.cards && app.secret.is_some(),
        }
    }
}

/// Everything that the step of one message needs.
pub(super) struct AppReply {
    pub(super) assistant: Arc<Assistant>,
    pub(super) recipient: Recipient,
    /// What the ids of everything that is sent for this message begin with.
    pub(super) message_id: String,
    /// Set when a button of a card was pressed.
    pub(super) response_code: Option<Private>,
    pub(super) conversation_now: Timestamp,
    pub(super) platform_now: Timestamp,
}

impl AppReply {
    pub(super) fn step(self, remembered: Remembered, event: &Event, is_late: bool) -> Step {
        let turned = turn(&self.assistant, session_of(remembered), event, self.conversation_now);
        if let (Some(response_code), Event::Tapped { label, .. }) = (&self.response_code, event) {
            return self.after_card(turned, response_code, label);
        }
        let card = self.card(&turned);
        let replies = match &card {
            Some(_) => Cow::Owned(without_options(&turned.replies)),
            None => Cow::Borrowed(turned.replies.as_slice()),
        };
        let reply = reply_text(&self.assistant, &turned.session, &replies, self.conversation_now);
        let mut sends: Vec<NewSend> = Vec::new();
        if let Some(text) = reply.as_ref().filter(|_| is_late && self.recipient.can_send) {
            sends.extend(self.late(text));
        }
        sends.extend(card);
        Step {
            reply,
            sends,
            ..turned.step
        }
    }

    /// The card shows what was chosen, and the answer follows as a message: nothing else can be said in reply to a card.
    fn after_card(&self, turned: Turned, response_code: &Private, chosen: &str) -> Step {
        let composer = self.assistant.composer(turned.session.language, self.conversation_now);
        let chosen = composer.say(TextKey::CardChosen, &[("label", chosen)]);
        let Recipient { agent_id, user, .. } = &self.recipient;
        let update = chosen_on_card(*agent_id, user, response_code, &chosen);
        let card = self.card(&turned);
        let replies = match &card {
            Some(_) => Cow::Owned(without_options(&turned.replies)),
            None => Cow::Borrowed(turned.replies.as_slice()),
        };
        let text = reply_text(&self.assistant, &turned.session, &replies, self.conversation_now);
        let text = text.and_then(|text| text_message(*agent_id, user, &text, false));
        let mut sends: Vec<NewSend> = Vec::new();
        sends.extend(update.map(|body| self.send("card", Api::UpdateTemplateCard, body)));
        sends.extend(text.map(|body| self.send("answer", Api::MessageSend, body)));
        sends.extend(card);
        Step { sends, ..turned.step }
    }

    /// Options as buttons, where that is wanted and possible; as numbered lines where the card is refused.
    fn card(&self, turned: &Turned) -> Option<NewSend> {
        let reply = options_for_card(&turned.replies).filter(|_| self.recipient.cards)?;
        let composer = self.assistant.composer(turned.session.language, self.conversation_now);
        let Recipient { agent_id, user, .. } = &self.recipient;
        let task_id = send_id(&self.message_id, "task");
        let in_words = composer.as_plain_text(&Reply {
            text: composer.words(TextKey::PleaseChoose),
            options: reply.options.clone(),
        });
        let in_words = text_message(*agent_id, user, &in_words, false);
        let card = card_message(*agent_id, user, &task_id, &reply.options, &composer);
        Some(NewSend {
            instead: in_words.map(|body| Instead {
                api: Api::MessageSend.name().to_owned(),
                body,
            }),
            ..self.send("options", Api::MessageSend, card?)
        })
    }

    /// The reply as a message, unless a further delivery fetches it first.
    fn late(&self, text: &str) -> Option<NewSend> {
        let body = text_message(self.recipient.agent_id, &self.recipient.user, text, true)?;
        Some(NewSend {
            next_at: later(self.platform_now, AFTER_ALL_DELIVERIES),
            replaces_reply: true,
            ..self.send("late", Api::MessageSend, body)
        })
    }

    fn send(&self, what: &str, api: Api, body: String) -> NewSend {
        NewSend {
            send_id: send_id(&self.message_id, what),
            way: self.recipient.app.clone(),
            api: api.name().to_owned(),
            body,
            instead: None,
            urgency: Urgency::Fresh,
            next_at: self.platform_now,
            not_after: later(self.platform_now, OF_USE),
            replaces_reply: false,
            knowledge_version: self.assistant.version.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
