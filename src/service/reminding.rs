//! Makes messages of reminders whose time has come.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::aside::Agents;
use super::clock::later;
use super::send_ids::message_id;
use super::{ConversationClock, CurrentAssistant};
use crate::channels::app::text_message;
use crate::channels::kf::Outgoing;
use crate::dialogue::Appeal;
use crate::store::{DueReminder, NewSend, Store, Urgency};
use crate::wecom::Api;

/// Reminders are due to the minute, not to the second.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// A reminder that could not be sent for a day says nothing that is still right.
const OF_USE: SignedDuration = SignedDuration::from_hours(24);

/// Reminds whoever asked for it.
#[derive(Clone)]
pub(super) struct Reminding {
    pub(super) assistant: CurrentAssistant,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: ConversationClock,
    /// The agent ids of the apps that can send, by company and name of the app.
    pub(super) agents: Agents,
    /// To be rung when there is something to send.
    pub(super) news: Arc<tokio::sync::Notify>,
}

impl Reminding {
    /// Reminds for as long as the process runs.
    pub(super) async fn run(self) {
        loop {
            self.remind_all().await;
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.clock.advanced() => {}
            }
        }
    }

    async fn remind_all(&self) {
        let apps = self.agents.keys().cloned().collect();
        let due = match self.store.due_reminders(self.clock.now(), apps).await {
            Ok(due) => due,
            Err(error) => return tracing::warn!(%error, "cannot look for reminders that are due"),
        };
        for reminder in due {
            let send = self.send_for(&reminder);
            if send.is_none() {
                tracing::warn!(app = reminder.app, "a reminder cannot be read and is dropped");
            }
            match self.store.remind(reminder, send).await {
                Ok(()) => self.news.notify_one(),
                Err(error) => tracing::warn!(%error, "a reminder could not be put to be sent"),
            }
        }
    }

    fn send_for(&self, reminder: &DueReminder) -> Option<NewSend> {
        let appeal: Appeal = serde_json::from_str(&reminder.record).ok()?;
        let assistant = self.assistant.get();
        let text = assistant.reminder_text(&appeal, self.clock.now());
        let (app, open_kf_id) = match reminder.app.split_once('/') {
            Some((app, open_kf_id)) => (app, Some(open_kf_id)),
            None => (reminder.app.as_str(), None),
        };
        let agent_id = *self.agents.get(&(reminder.corp_id.clone(), app.to_owned()))?;
        let day = reminder.business_day.to_string();
        let id = message_id(&[
            "reminder",
            &reminder.corp_id,
            &reminder.app,
            &reminder.user_id,
            &reminder.due.to_string(),
            &day,
        ]);
        let (api, body) = match open_kf_id {
            None => (
                Api::MessageSend,
                text_message(agent_id, &reminder.user_id, &text, true)?,
            ),
            // WeCom takes it only if the customer wrote within 48 hours.
            Some(open_kf_id) => {
                let body = Outgoing::Text(text).to_customer(open_kf_id, &reminder.user_id, &id)?;
                (Api::KfSendMessage, body)
            }
        };
        let now = self.clock.platform_now();
        Some(NewSend {
            send_id: id,
            way: reminder.app.clone(),
            api: api.name().to_owned(),
            body,
            instead: None,
            urgency: Urgency::Fresh,
            next_at: now,
            not_after: later(now, OF_USE),
            replaces_reply: false,
            knowledge_version: assistant.version.clone(),
        })
    }
}
