//! Answers what waits in a conversation of 微信客服: which of it, with how many messages, or by handing over to a person.
//!
//! A customer's message allows five messages within 48 hours (doc/94677). One is kept back for what may still have to be said, so an
//! answer has four at most. Whoever wrote much at once gets the last questions answered, and whoever wrote long ago the last one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::clock::later;
use super::send_ids::{message_id, send_id};
use super::turn::{Turned, session_of, turn};
use crate::channels::kf::{Outgoing, heard, messages_of, to_pool};
use crate::dialogue::{Assistant, Cause, DutyHours, Reach, Session};
use crate::protocol::kf::{KfContent, KfEvent, KfItem};
use crate::store::{Answered, AppealChange, Instead, NewSend, ServedBy, Step, Urgency, Waiting, WaitingItem};
use crate::wecom::Api;

/// Messages that one of a customer allows.
const BUDGET: u32 = 5;

/// So many are kept back.
const RESERVE: u32 = 1;

/// How long after a customer's message something may be sent.
const WINDOW: SignedDuration = SignedDuration::from_hours(48);

/// How long a welcome is due (doc/95122).
const WELCOME_WINDOW: SignedDuration = SignedDuration::from_secs(20);

/// After so long nobody is looking at the phone any more.
pub(super) const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// Of many fresh messages so many are answered.
const MOST_FRESH: usize = 3;

/// What is needed for answering.
#[derive(Clone)]
pub(super) struct Answerer {
    pub(super) assistant: Arc<Assistant>,
    /// When people are there to take over; `None`: nobody ever is.
    pub(super) duty: Option<DutyHours>,
    /// The time at the platform.
    pub(super) now: Timestamp,
    /// The time in the conversation.
    pub(super) conversation_now: Timestamp,
}

/// What becomes of a waiting item.
enum Plan {
    Answer(KfItem),
    Leave(&'static str),
}

/// What is said to one item.
struct Said {
    place: usize,
    item: KfItem,
    messages: Vec<Outgoing>,
}

impl Answerer {
    /// Answers a conversation. `receives` says whether anybody is there to take over, where that is known.
    pub(super) fn answer(&self, waiting: Waiting, receives: Option<bool>) -> Answered {
        let plans = self.plans(&waiting.items);
        let customer = plans.iter().find_map(|plan| match plan {
            Plan::Answer(item) => Some(item.external_user_id.clone()),
            Plan::Leave(_) => None,
        });
        let fates = plans.iter().map(|plan| match plan {
            Plan::Answer(_) => "answered",
            Plan::Leave(fate) => fate,
        });
        let mut answered = Answered {
            fates: fates.collect(),
            took: vec![Duration::ZERO; plans.len()],
            customer: customer.unwrap_or_default(),
            step: Step {
                session: waiting.remembered.session.clone(),
                ..Step::default()
            },
            ..Answered::default()
        };
        let mut session = session_of(waiting.remembered);
        let mut said = Vec::new();
        let mut hand_over: Option<(Cause, usize)> = None;
        for (place, plan) in plans.into_iter().enumerate() {
            let Plan::Answer(item) = plan else { continue };
            let started = Instant::now();
            let turned = turn(&self.assistant, session, &heard(&item.content), self.conversation_now);
            // Whoever asked for a person still wants one after "快点".
            hand_over = hand_over.or(turned.hand_over.map(|cause| (cause, said.len())));
            let messages = self.messages(&turned);
            session = turned.session.clone();
            keep(&mut answered, place, turned);
            note(&mut answered.took, place, started.elapsed());
            said.push(Said { place, item, messages });
        }
        if let Some((cause, from)) = hand_over {
            let said = said.get_mut(from..).unwrap_or_default();
            self.hand_over((cause, receives), &session, said, &mut answered);
        }
        let way = waiting.account.conversation_app();
        let room = BUDGET.saturating_sub(RESERVE).saturating_sub(waiting.unsent).max(1);
        for said in within(said, usize::try_from(room).unwrap_or_default(), &mut answered.fates) {
            self.send(&way, &said, &mut answered);
        }
        self.transfer(&session, &waiting.account.open_kf_id, &mut answered);
        answered
    }

    fn plans(&self, items: &[WaitingItem]) -> Vec<Plan> {
        let mut plans: Vec<Plan> = items.iter().map(|item| self.plan(item)).collect();
        let newest = items.iter().map(|item| item.sent_at).max().unwrap_or_default();
        let most = match self.age(newest) <= FRESH {
            true => MOST_FRESH,
            false => 1,
        };
        let to_answer = plans.iter_mut().rev().filter(|plan| matches!(plan, Plan::Answer(_)));
        for plan in to_answer.skip(most) {
            *plan = Plan::Leave("covered");
        }
        plans
    }

    fn plan(&self, waiting: &WaitingItem) -> Plan {
        let item = serde_json::from_str::<Value>(&waiting.item).ok();
        let Some(item) = item.and_then(|item| KfItem::read(&item).ok()) else {
            return Plan::Leave("unreadable");
        };
        let window = match item.content {
            KfContent::Event(_) => WELCOME_WINDOW,
            _ => WINDOW,
        };
        match self.age(waiting.sent_at) < window {
            true => Plan::Answer(item),
            false => Plan::Leave("expired"),
        }
    }

    fn age(&self, sent_at: Timestamp) -> SignedDuration {
        self.now.duration_since(sent_at)
    }

    fn messages(&self, turned: &Turned) -> Vec<Outgoing> {
        let composer = self.assistant.composer(turned.session.language, self.conversation_now);
        turned
            .replies
            .iter()
            .flat_map(|reply| messages_of(reply, &composer))
            .collect()
    }

    /// Says what is to be said before a person takes over, or why none can. Who asked for a person is told that alone. `said` is what was
    /// said from there on.
    fn hand_over(
        &self,
        (cause, receives): (Cause, Option<bool>),
        session: &Session,
        said: &mut [Said],
        answered: &mut Answered,
    ) {
        let Some(reach) = self
            .reach(receives)
            .filter(|reach| *reach == Reach::OnDuty || cause == Cause::Asked)
        else {
            return;
        };
        let text = self.assistant.hand_over_text(session, &reach, self.conversation_now);
        let is_taken_over = reach == Reach::OnDuty;
        let replaced = match (cause, is_taken_over) {
            (Cause::Scenario, _) => 0,
            (_, true) => said.len(),
            (_, false) => 1,
        };
        for said in said.iter_mut().take(replaced) {
            said.messages.clear();
        }
        let told = if is_taken_over {
            said.last_mut()
        } else {
            said.first_mut()
        };
        if let Some(told) = told {
            told.messages.push(Outgoing::Text(text));
        }
        if is_taken_over {
            answered.served_by = Some(ServedBy::Pool);
        }
    }

    fn reach(&self, receives: Option<bool>) -> Option<Reach> {
        let duty = self.duty?;
        Some(match receives {
            _ if !duty.covers(self.conversation_now, &self.assistant.catalogue.workdays) => Reach::OffDuty(duty),
            Some(false) => Reach::Nobody,
            Some(true) | None => Reach::OnDuty,
        })
    }

    /// Puts the messages to what one item said into the order of sending.
    fn send(&self, way: &str, said: &Said, answered: &mut Answered) {
        let answered_message = message_id(&[&said.item.open_kf_id, &said.item.msg_id]);
        for (part, message) in said.messages.iter().enumerate() {
            let send_id = send_id(&answered_message, &part.to_string());
            let send = match &said.item.content {
                KfContent::Event(KfEvent::EnterSession {
                    welcome_code: Some(code),
                }) => message
                    .on_event(code, &send_id)
                    .map(|body| self.welcome(way, body, send_id, said)),
                _ => self.to_customer(way, message, send_id, said),
            };
            answered.step.sends.extend(send);
        }
    }

    fn welcome(&self, way: &str, body: String, send_id: String, said: &Said) -> NewSend {
        NewSend {
            send_id,
            way: way.to_owned(),
            api: Api::KfSendMessageOnEvent.name().to_owned(),
            body,
            instead: None,
            urgency: Urgency::Greeting,
            next_at: self.now,
            not_after: later(said.sent_at(), WELCOME_WINDOW),
            replaces_reply: false,
            knowledge_version: self.assistant.version.clone(),
        }
    }

    fn to_customer(&self, way: &str, message: &Outgoing, send_id: String, said: &Said) -> Option<NewSend> {
        let body = |message: &Outgoing, send_id: &str| {
            message.to_customer(&said.item.open_kf_id, &said.item.external_user_id, send_id)
        };
        let in_words = message.in_words().and_then(|words| {
            Some(Instead {
                api: Api::KfSendMessage.name().to_owned(),
                body: body(&words, &id_of_instead(&send_id))?,
            })
        });
        let urgency = match self.age(said.sent_at()) <= FRESH {
            true => Urgency::Fresh,
            false => Urgency::Backlog,
        };
        Some(NewSend {
            way: way.to_owned(),
            api: Api::KfSendMessage.name().to_owned(),
            body: body(message, &send_id)?,
            send_id,
            instead: in_words,
            urgency,
            next_at: self.now,
            not_after: later(said.sent_at(), WINDOW),
            replaces_reply: false,
            knowledge_version: self.assistant.version.clone(),
        })
    }

    /// Puts the customer into the pool once everything has been said; if nobody can take them, they are told so.
    fn transfer(&self, session: &Session, open_kf_id: &str, answered: &mut Answered) {
        if answered.served_by != Some(ServedBy::Pool) {
            return;
        }
        let Some(last) = answered.step.sends.last() else { return };
        let nobody = self
            .assistant
            .hand_over_text(session, &Reach::Nobody, self.conversation_now);
        let send_id = send_id(&last.send_id, "transfer");
        let nobody = Outgoing::Text(nobody).to_customer(open_kf_id, &answered.customer, &id_of_instead(&send_id));
        let instead = nobody.map(|body| Instead {
            api: Api::KfSendMessage.name().to_owned(),
            body,
        });
        let transfer = NewSend {
            api: Api::KfServiceStateTrans.name().to_owned(),
            body: to_pool(open_kf_id, &answered.customer),
            instead,
            send_id,
            ..last.clone()
        };
        answered.step.sends.push(transfer);
    }
}

impl Said {
    fn sent_at(&self) -> Timestamp {
        Timestamp::from_second(self.item.sent_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Keeps what a turn leads to, besides its messages. Of several appeals or ratings the last one stands.
fn keep(answered: &mut Answered, place: usize, turned: Turned) {
    let step = turned.step;
    answered.step.session = step.session;
    answered
        .questions
        .extend(step.question.map(|question| (place, question)));
    if step.appeal != AppealChange::Unchanged {
        answered.step.appeal = step.appeal;
    }
    answered.step.rating = step.rating.or(answered.step.rating.take());
}

fn note(times: &mut [Duration], place: usize, took: Duration) {
    if let Some(time) = times.get_mut(place) {
        *time = took;
    }
}

/// The last answers that together fit into so many messages; the others are covered by them.
fn within(mut said: Vec<Said>, room: usize, fates: &mut [&'static str]) -> Vec<Said> {
    while said.len() > 1 && said.iter().map(|said| said.messages.len()).sum::<usize>() > room {
        let dropped = said.remove(0);
        if let Some(fate) = fates.get_mut(dropped.place) {
            *fate = "covered";
        }
    }
    for said in &mut said {
        let is_welcome = matches!(said.item.content, KfContent::Event(_));
        said.messages.truncate(if is_welcome { 1 } else { room });
    }
    said
}

/// The id of what is sent in the place of something refused: another message, so another id.
fn id_of_instead(send: &str) -> String {
    send_id(send, "instead")
}

#[cfg(test)]
mod tests;
