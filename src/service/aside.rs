//! Messages that cannot be answered: they become dead letters, and whoever wrote them is told so, once. What an admin puts back is
//! answered as a message, because nobody waits for a reply any more.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use super::answering::Answerer;
use super::clock::later;
use super::send_ids::{message_id, send_id};
use super::turn::{session_of, turn};
use crate::channels::app::{Heard, heard, reply_text, text_message};
use crate::channels::kf::Outgoing;
use crate::dialogue::{Assistant, Session};
use crate::knowledge::TextKey;
use crate::protocol::IncomingMessage;
use crate::protocol::kf::KfItem;
use crate::store::{Answered, NewSend, Remembered, SetAside, Step, Urgency, Waiting};
use crate::wecom::Api;

/// So often an answer is begun. What ends the process every time must not end it for ever.
const MOST_ATTEMPTS: u32 = 3;

/// What is said late is of use for so long.
const OF_USE: SignedDuration = SignedDuration::from_hours(1);

/// The number of each app that can send, by its company and itself.
pub(super) type Agents = BTreeMap<(String, String), u32>;

/// What is stored for a message of an app whose answer failed by a defect of the program: it is said so, and kept.
pub(super) fn failed_step(assistant: &Assistant, remembered: Remembered, plaintext: String, now: Timestamp) -> Step {
    let session = remembered.session.clone();
    Step {
        reply: Some(apology(assistant, &session_of(remembered), now)),
        knowledge_version: assistant.version.clone(),
        session,
        set_aside: Some(SetAside {
            item: plaintext,
            reason: "answering it failed by a defect of the program",
            is_unreadable: false,
        }),
        ..Step::default()
    }
}

/// What is stored for a genuine message of an app that could not be read.
pub(super) fn unreadable_step(remembered: Remembered, plaintext: String) -> Step {
    Step {
        session: remembered.session,
        set_aside: Some(SetAside {
            item: plaintext,
            reason: "genuine, but it could not be read",
            is_unreadable: true,
        }),
        ..Step::default()
    }
}

/// Answers what waits, or sets it aside when that fails or has failed too often.
pub(super) fn answer_or_set_aside(
    answerer: &Answerer,
    agents: &Agents,
    waiting: Waiting,
    receives: Option<bool>,
) -> Answered {
    if waiting.attempts > MOST_ATTEMPTS {
        return failed(answerer, agents, &waiting, "begun three times without coming to an end");
    }
    let copy = waiting.clone();
    let answering = AssertUnwindSafe(|| match waiting.account.open_kf_id.is_empty() {
        true => answer_late(answerer, agents, copy),
        false => answerer.answer(copy, receives),
    });
    catch_unwind(answering).unwrap_or_else(|_| {
        let reason = "answering it failed by a defect of the program";
        failed(answerer, agents, &waiting, reason)
    })
}

fn failed(answerer: &Answerer, agents: &Agents, waiting: &Waiting, reason: &'static str) -> Answered {
    tracing::error!(reason, "a message could not be answered; see `jiefeng messages list`");
    let session = session_of(waiting.remembered.clone());
    let text = apology(&answerer.assistant, &session, answerer.conversation_now);
    let sends = match waiting.account.open_kf_id.is_empty() {
        true => to_member(answerer, agents, waiting, &text, "failed"),
        false => to_customer(answerer, waiting, &text),
    };
    Answered {
        fates: vec!["failed"; waiting.items.len()],
        reason,
        step: Step {
            session: waiting.remembered.session.clone(),
            sends: sends.into_iter().collect(),
            ..Step::default()
        },
        ..Answered::default()
    }
}

fn apology(assistant: &Assistant, session: &Session, now: Timestamp) -> String {
    assistant.composer(session.language, now).words(TextKey::Failed)
}

/// Answers the last message of an app that was put back.
fn answer_late(answerer: &Answerer, agents: &Agents, waiting: Waiting) -> Answered {
    let count = waiting.items.len();
    let left = |fate, reason| Answered {
        fates: vec![fate; count],
        reason,
        step: Step {
            session: waiting.remembered.session.clone(),
            ..Step::default()
        },
        ..Answered::default()
    };
    let Some(message) = last_message(&waiting) else {
        return left("unreadable", "genuine, but it could not be read");
    };
    let Heard::Event(event) = heard(&message.content, &answerer.assistant.catalogue.texts) else {
        return left("covered", "");
    };
    let session = session_of(waiting.remembered.clone());
    let started = Instant::now();
    let turned = turn(&answerer.assistant, session, &event, answerer.conversation_now);
    let reply = reply_text(
        &answerer.assistant,
        &turned.session,
        &turned.replies,
        answerer.conversation_now,
    );
    let took = started.elapsed();
    let Some(send) = reply.and_then(|text| to_member(answerer, agents, &waiting, &text, "late")) else {
        return left("failed", "the app has no Secret, so nothing can be sent");
    };
    let mut step = turned.step;
    let questions = step.question.take().map(|question| (count.saturating_sub(1), question));
    step.sends.push(send);
    Answered {
        fates: vec!["answered"; count],
        took: vec![took; count],
        questions: questions.into_iter().collect(),
        step,
        customer: message.from_user.canonical(),
        ..Answered::default()
    }
}

fn last_message(waiting: &Waiting) -> Option<IncomingMessage> {
    IncomingMessage::parse(&waiting.items.last()?.item).ok()
}

fn to_member(answerer: &Answerer, agents: &Agents, waiting: &Waiting, text: &str, what: &str) -> Option<NewSend> {
    let message = last_message(waiting)?;
    let account = &waiting.account;
    let agent_id = *agents.get(&(account.corp_id.clone(), account.app.clone()))?;
    let key = message.deduplication_key(&waiting.items.last()?.item);
    Some(NewSend {
        send_id: send_id(&message_id(&[&account.corp_id, &account.app, key.as_str()]), what),
        way: account.app.clone(),
        api: Api::MessageSend.name().to_owned(),
        body: text_message(agent_id, message.from_user.as_str(), text, true)?,
        instead: None,
        urgency: Urgency::Fresh,
        next_at: answerer.now,
        not_after: later(answerer.now, OF_USE),
        replaces_reply: false,
        knowledge_version: answerer.assistant.version.clone(),
    })
}

fn to_customer(answerer: &Answerer, waiting: &Waiting, text: &str) -> Option<NewSend> {
    let item = serde_json::from_str(&waiting.items.last()?.item).ok()?;
    let item = KfItem::read(&item).ok()?;
    let send_id = send_id(&message_id(&[&item.open_kf_id, &item.msg_id]), "failed");
    let outgoing = Outgoing::Text(text.to_owned());
    Some(NewSend {
        way: waiting.account.conversation_app(),
        api: Api::KfSendMessage.name().to_owned(),
        body: outgoing.to_customer(&item.open_kf_id, &item.external_user_id, &send_id)?,
        send_id,
        instead: None,
        urgency: Urgency::Fresh,
        next_at: answerer.now,
        not_after: later(answerer.now, OF_USE),
        replaces_reply: false,
        knowledge_version: answerer.assistant.version.clone(),
    })
}
