//! Has answered whatever waits, conversation by conversation, and tells what became of each message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::answering::{Answerer, FRESH};
use super::aside::{Agents, answer_or_set_aside};
use super::clock::earlier;
use super::fetched_course::{FetchedCourse, fetched_name, is_event, micros, since};
use super::pulling::{Receivers, key_of_unreadable};
use super::send_ids::{log_name, message_id};
use super::{ConversationClock, CurrentAssistant, CurrentSettings};
use crate::metrics::Metrics;
use crate::protocol::kf::KfItem;
use crate::protocol::{DeduplicationKey, IncomingMessage};
use crate::store::{AnsweredBatch, SettledItem, Store, StoreError, Waiting};

/// So many conversations are answered in one transaction.
const ANSWERED_AT_ONCE: u32 = 128;

/// What waits is looked for at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Answers what waits.
#[derive(Clone)]
pub(super) struct AnsweringWaiting {
    pub(super) assistant: CurrentAssistant,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: ConversationClock,
    /// Rung when something waits.
    pub(super) arrived: Arc<Notify>,
    /// To be rung when there is something to send.
    pub(super) sends: Arc<Notify>,
    pub(super) receivers: Arc<Receivers>,
    pub(super) settings: CurrentSettings,
    pub(super) agents: Arc<Agents>,
    pub(super) metrics: Metrics,
}

/// Where the time of a transaction with answers went.
struct BatchTimes {
    /// When it was begun.
    begun: Timestamp,
    /// Until it was durable.
    all: Duration,
    /// All of it but the making of answers.
    store: Duration,
}

impl AnsweringWaiting {
    /// Answers until `stop` says true. What has been begun is answered to its end, so that it is told what became of it.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.answer_waiting().await {
                Ok(0) => {}
                Ok(_) => {
                    self.sends.notify_one();
                    continue;
                }
                Err(error) => tracing::error!(%error, "what waits could not be answered; trying again"),
            }
            tokio::select! {
                () = self.arrived.notified() => {}
                _ = stop.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn answer_waiting(&self) -> Result<u32, StoreError> {
        let (started, now) = (Instant::now(), self.clock.platform_now());
        let answerer = Answerer {
            assistant: self.assistant.get(),
            duty: self.settings.get().duty,
            now,
            conversation_now: self.clock.now(),
        };
        let making = Arc::new(AtomicU64::new(0));
        let (receivers, agents, made) = (
            Arc::clone(&self.receivers),
            Arc::clone(&self.agents),
            Arc::clone(&making),
        );
        let answer = Box::new(move |waiting: Waiting| {
            let begun = Instant::now();
            let receives = receivers.of(&waiting.account);
            let answered = answer_or_set_aside(&answerer, &agents, waiting, receives);
            made.fetch_add(micros(begun.elapsed()), Ordering::Relaxed);
            answered
        });
        let fresh_since = earlier(now, FRESH);
        let answering = self.store.answer_waiting(now, fresh_since, ANSWERED_AT_ONCE, answer);
        let batch = answering.await?;
        let all = started.elapsed();
        let making = Duration::from_micros(making.load(Ordering::Relaxed));
        let times = BatchTimes {
            begun: now,
            all,
            store: all.saturating_sub(making),
        };
        self.tell(&batch, &times);
        Ok(batch.conversations)
    }

    fn tell(&self, batch: &AnsweredBatch, times: &BatchTimes) {
        for settled in &batch.settled {
            let SettledItem { account, item, .. } = settled;
            let waited = since(item.received_at, times.begun);
            let course = FetchedCourse {
                account,
                fate: settled.fate,
                waited: Some(waited),
                step: Some(settled.took).filter(|took| !took.is_zero()),
                store: times.store,
                all: waited.saturating_add(times.all),
            };
            course.tell(&self.metrics, || self.name_of(settled));
            // Who opens the conversation is welcomed and waits for nothing.
            if settled.fate == "answered" && !account.open_kf_id.is_empty() && !is_event(&item.item) {
                let since_sent = since(item.sent_at, times.begun).saturating_add(times.all);
                self.metrics.customer_answered(since_sent, course.all);
            }
        }
    }

    /// The name in the log of what was fetched, or of a message of the app that was put back.
    fn name_of(&self, settled: &SettledItem) -> String {
        let SettledItem { account, item, .. } = settled;
        if account.open_kf_id.is_empty() {
            let id = message_id(&[&account.corp_id, &account.app, key_of_app_message(&item.item).as_str()]);
            return log_name(&*self.store, &id);
        }
        let raw: Value = serde_json::from_str(&item.item).unwrap_or_default();
        match KfItem::read(&raw) {
            Ok(read) => fetched_name(&*self.store, &read.open_kf_id, &read.msg_id),
            Err(error) => {
                let key = error.msg_id.unwrap_or_else(|| key_of_unreadable(&raw));
                fetched_name(&*self.store, &account.open_kf_id, &key)
            }
        }
    }
}

fn key_of_app_message(plaintext: &str) -> DeduplicationKey {
    let read = IncomingMessage::parse(plaintext);
    read.map_or_else(
        |_| DeduplicationKey::of_unreadable(plaintext),
        |message| message.deduplication_key(plaintext),
    )
}
