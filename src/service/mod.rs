//! One message end to end, and what goes on without one.
//!
//! A message of the app is settled in the callback that brings it. Messages of 微信客服 are fetched ([`pulling`]), answered
//! ([`answering`]) and sent ([`sending`]); reminders become messages when they are due ([`reminding`]). Only the store carries state from
//! one to the next: whatever is rung in between merely saves waiting.

mod answering;
mod answering_waiting;
mod app_reply;
mod aside;
mod clock;
mod current_assistant;
mod current_settings;
mod delivery;
mod fetched_course;
mod keeping_up;
mod outbound;
mod presence;
mod pulling;
mod reminding;
mod send_ids;
mod sending;
mod turn;
mod watching_outbreaks;

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

pub use clock::{ConversationClock, NOW_VARIABLE};
pub use current_assistant::{CurrentAssistant, Followed};
pub use current_settings::CurrentSettings;
pub use delivery::Delivery;
pub(crate) use keeping_up::kept_up;
pub use outbound::{Bell, Outbound, SendingApp};

use self::app_reply::{AppReply, Recipient};
use self::aside::{failed_step, unreadable_step};
use self::send_ids::{log_name, message_id};
use crate::channels::app::{Heard, heard};
use crate::config::App;
use crate::dialogue::Event;
use crate::metrics::Metrics;
use crate::protocol::{DeduplicationKey, IncomingMessage, TextReply, WireFormat};
use crate::store::{ConversationKey, KfAccountKey, MessageKey, Settlement, Store, StoreError};

/// Answers messages.
pub struct Service {
    assistant: CurrentAssistant,
    store: Arc<dyn Store>,
    clock: ConversationClock,
    bell: Bell,
    metrics: Metrics,
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
    /// Nothing to say, or nothing to say in reply.
    Acknowledged,
    /// Nothing to say, because the kind is not known.
    Unknown(String),
}

impl Service {
    /// A service that remembers in `store` and rings `bell` when there is something to fetch or to send.
    pub fn new(
        assistant: CurrentAssistant,
        store: Arc<dyn Store>,
        clock: ConversationClock,
        bell: Bell,
        metrics: Metrics,
    ) -> Self {
        Self {
            assistant,
            store,
            clock,
            bell,
            metrics,
        }
    }

    /// What answers.
    pub fn assistant(&self) -> &CurrentAssistant {
        &self.assistant
    }

    /// Where things are counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where messages are settled.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Notes that an account of 微信客服 has news, as a callback of `called_at` says; they are fetched elsewhere. A repeated callback causes
    /// nothing: what it brought for fetching does not become fresh again, and fetching without is limited.
    ///
    /// # Errors
    ///
    /// When it could not be made durable; it must then not be acknowledged.
    pub async fn fetch_kf_messages(
        &self,
        app: &App,
        open_kf_id: &str,
        token: &str,
        called_at: Timestamp,
    ) -> Result<(), StoreError> {
        let token = (!token.is_empty()).then(|| token.to_owned());
        for account in self.meant_accounts(app, open_kf_id).await? {
            let (store, bell, token) = (Arc::clone(&self.store), self.bell.clone(), token.clone());
            let noting = async move {
                let noted = store.want_kf_messages(account.clone(), token, called_at).await;
                // What cannot be noted is fetched all the same as soon as it can be kept: WeCom delivers a callback three times at most.
                if !matches!(noted, Ok(false)) {
                    bell.ring_for(account);
                }
                noted
            };
            // It goes on even if the store takes longer than WeCom waits.
            tokio::spawn(noting).await.unwrap_or(Err(StoreError::Closed))?;
        }
        Ok(())
    }

    /// The account that is named; all that are known where none is, as in callbacks of old (doc/94670).
    async fn meant_accounts(&self, app: &App, open_kf_id: &str) -> Result<Vec<KfAccountKey>, StoreError> {
        let corp_id = app.credentials.receive_id();
        if open_kf_id.is_empty() {
            let known = self.store.kf_accounts().await?.into_iter();
            return Ok(known
                .filter(|account| account.app == app.name && account.corp_id == corp_id)
                .collect());
        }
        Ok(vec![KfAccountKey {
            corp_id: corp_id.to_owned(),
            app: app.name.clone(),
            open_kf_id: open_kf_id.to_owned(),
        }])
    }

    /// The accounts of 微信客服 that an app may manage have changed; they are listed again.
    pub fn list_kf_accounts(&self) {
        self.bell.ring_for_changed_accounts();
    }

    /// Settles one genuine message of an app and says what to reply. If `delivery` is declared late before the step has run, the reply
    /// is sent as a message instead, where the app can send.
    ///
    /// # Errors
    ///
    /// When the message could not be made durable; it must then not be acknowledged, so that WeCom delivers it again.
    pub async fn take(
        &self,
        app: &App,
        message: &IncomingMessage,
        plaintext: &str,
        format: WireFormat,
        delivery: Delivery,
    ) -> Result<Outcome, StoreError> {
        let assistant = self.assistant.get();
        let (event, response_code) = match heard(&message.content, &assistant.catalogue.texts) {
            Heard::Event(event) => (event, None),
            Heard::Card { event, response_code } => (event, Some(response_code)),
            Heard::Nothing => return Ok(Outcome::Acknowledged),
            Heard::Unknown(kind) => return Ok(Outcome::Unknown(kind)),
        };
        let deduplication_key = message.deduplication_key(plaintext);
        let corp_id = app.credentials.receive_id();
        let key = || message_key(corp_id, &app.name, message, &deduplication_key);
        let message_id = message_id(&[corp_id, &app.name, deduplication_key.as_str()]);
        delivery.name(log_name(&*self.store, &message_id));
        let reply = AppReply {
            assistant,
            recipient: Recipient::of(app, message),
            message_id,
            response_code,
            conversation_now: self.clock.now(),
            platform_now: self.clock.platform_now(),
        };
        let settled = self.settle(app, message, key(), event, reply, delivery).await;
        let settlement = match settled {
            Err(StoreError::Panicked) => self.set_aside(app, message, key(), plaintext).await?,
            settled => settled?,
        };
        // Looking for what is to be sent is work for the store.
        if settlement.has_sends {
            self.bell.ring_for_sending();
        }
        let Some(text) = settlement.reply else {
            return Ok(Outcome::Acknowledged);
        };
        // Made of stored values alone, so that a repeated delivery gets the same plaintext.
        let created_at = settlement.settled_at.as_second();
        let plaintext = TextReply::fit(text).to_plaintext(format, message.from_user.as_str(), corp_id, created_at);
        Ok(Outcome::Reply {
            plaintext,
            repeated: settlement.repeated,
        })
    }

    /// Keeps a genuine message that cannot be read for an admin to look at.
    ///
    /// # Errors
    ///
    /// When it could not be made durable.
    pub async fn keep_unreadable(&self, app: &App, plaintext: &str) -> Result<(), StoreError> {
        let corp_id = app.credentials.receive_id().to_owned();
        let key = MessageKey {
            deduplication_key: DeduplicationKey::of_unreadable(plaintext).as_str().to_owned(),
            corp_id: corp_id.clone(),
            app: app.name.clone(),
            created_at: 0,
            number: 0,
        };
        let conversation = ConversationKey {
            corp_id,
            app: app.name.clone(),
            user: String::new(),
        };
        let plaintext = plaintext.to_owned();
        let step = Box::new(move |remembered| unreadable_step(remembered, plaintext));
        let settling = self.store.settle(key, conversation, self.clock.platform_now(), step);
        settling.await.map(drop)
    }

    /// A message whose answer failed by a defect of the program would fail at every delivery: whoever wrote it is told so, and an admin
    /// finds it among the dead letters.
    async fn set_aside(
        &self,
        app: &App,
        message: &IncomingMessage,
        key: MessageKey,
        plaintext: &str,
    ) -> Result<Settlement, StoreError> {
        tracing::error!(
            app = app.name,
            "a message could not be answered; see `jiefeng messages list`"
        );
        let (assistant, plaintext, now) = (self.assistant.get(), plaintext.to_owned(), self.clock.now());
        let step = Box::new(move |remembered| failed_step(&assistant, remembered, plaintext, now));
        let conversation = conversation_key(app, message);
        self.store
            .settle(key, conversation, self.clock.platform_now(), step)
            .await
    }

    async fn settle(
        &self,
        app: &App,
        message: &IncomingMessage,
        key: MessageKey,
        event: Event,
        reply: AppReply,
        delivery: Delivery,
    ) -> Result<Settlement, StoreError> {
        let conversation = conversation_key(app, message);
        // Sessions expire by the platform's clock, however far the conversation's is moved.
        let now = self.clock.platform_now();
        let metrics = self.metrics.clone();
        let step = move |remembered| {
            let (started, is_late) = (Instant::now(), delivery.is_late());
            let step = reply.step(remembered, &event, is_late);
            delivery.note_step(started.elapsed());
            if is_late && step.reply.is_some() {
                metrics.late_reply();
            }
            step
        };
        self.store.settle(key, conversation, now, Box::new(step)).await
    }
}

fn conversation_key(app: &App, message: &IncomingMessage) -> ConversationKey {
    ConversationKey {
        corp_id: app.credentials.receive_id().to_owned(),
        app: app.name.clone(),
        user: message.from_user.canonical(),
    }
}

/// The key under which a message of an app is settled.
pub fn message_key(corp_id: &str, app: &str, message: &IncomingMessage, key: &DeduplicationKey) -> MessageKey {
    MessageKey {
        corp_id: corp_id.to_owned(),
        app: app.to_owned(),
        deduplication_key: key.as_str().to_owned(),
        created_at: message.created_at,
        number: message.msg_id().and_then(|id| id.parse().ok()).unwrap_or_default(),
    }
}
