//! Has answered whatever waits, conversation by conversation, and tells what became of each message.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use super::answering::{Answerer, FRESH};
use super::aside::{Agents, answer_or_set_aside};
use super::clock::earlier;
use super::pulling::Receivers;
use super::send_ids::{log_name, message_id};
use super::{ConversationClock, CurrentAssistant, CurrentSettings};
use crate::metrics::Metrics;
use crate::protocol::kf::KfItem;
use crate::store::{AnsweredBatch, Store, StoreError, Waiting};

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

/// What became of the messages of one transaction: the item, where somebody wants to know, and its fate.
type Fates = Arc<Mutex<Vec<(String, &'static str)>>>;

impl AnsweringWaiting {
    /// Answers for as long as the process runs.
    pub(super) async fn run(self) {
        loop {
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
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn answer_waiting(&self) -> Result<u32, StoreError> {
        let now = self.clock.platform_now();
        let answerer = Answerer {
            assistant: self.assistant.get(),
            duty: self.settings.get().duty,
            now,
            conversation_now: self.clock.now(),
        };
        let fates = Fates::default();
        let (receivers, agents, noted) = (
            Arc::clone(&self.receivers),
            Arc::clone(&self.agents),
            Arc::clone(&fates),
        );
        let answer = Box::new(move |waiting: Waiting| {
            let receives = receivers.of(&waiting.account);
            let items = noted_items(&waiting);
            let answered = answer_or_set_aside(&answerer, &agents, waiting, receives);
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.extend(items.into_iter().zip(answered.fates.iter().copied()));
            answered
        });
        let fresh_since = earlier(now, FRESH);
        let answering = self.store.answer_waiting(now, fresh_since, ANSWERED_AT_ONCE, answer);
        let batch = answering.await?;
        let fates = std::mem::take(&mut *fates.lock().unwrap_or_else(PoisonError::into_inner));
        self.tell(batch, &fates);
        Ok(batch.conversations)
    }

    fn tell(&self, batch: AnsweredBatch, fates: &[(String, &'static str)]) {
        let mut counts: BTreeMap<&'static str, u32> = BTreeMap::new();
        for (item, fate) in fates {
            self.metrics.fetched(fate);
            *counts.entry(fate).or_default() += 1;
            tracing::debug!(message_hash = self.name_of(item), fate, "no longer waiting");
        }
        for _ in 0..batch.left_to_people {
            self.metrics.fetched("human");
        }
        if batch.conversations > 0 {
            let count = |fate| counts.get(fate).copied().unwrap_or_default();
            tracing::info!(
                conversations = batch.conversations,
                answered = count("answered"),
                covered = count("covered"),
                expired = count("expired"),
                human = batch.left_to_people,
                unreadable = count("unreadable"),
                failed = count("failed"),
                "went through what waited"
            );
        }
    }

    /// The name in the log of a message of 微信客服; empty for any other.
    fn name_of(&self, item: &str) -> String {
        let item = serde_json::from_str::<Value>(item).ok();
        let item = item.and_then(|item| KfItem::read(&item).ok());
        item.map(|item| log_name(&*self.store, &message_id(&[&item.open_kf_id, &item.msg_id])))
            .unwrap_or_default()
    }
}

/// What is needed to name the items in the log, where it says so much.
fn noted_items(waiting: &Waiting) -> Vec<String> {
    let is_wanted = tracing::enabled!(tracing::Level::DEBUG);
    let note = |item: &crate::store::WaitingItem| if is_wanted { item.item.clone() } else { String::new() };
    waiting.items.iter().map(note).collect()
}
