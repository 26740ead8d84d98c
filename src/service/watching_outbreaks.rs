//! Notices when several people have the same restriction within a short time, and tells the admins once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::aside::Agents;
use super::clock::{earlier, later};
use super::send_ids::message_id;
use super::{ConversationClock, CurrentAssistant, CurrentSettings};
use crate::bilingual::filled;
use crate::channels::app::text_message;
use crate::config::Notices;
use crate::knowledge::Language;
use crate::store::{ConversationKey, NewSend, Outbreak, Store, StoreError, Urgency};
use crate::wecom::Api;

/// Minutes do not matter: whoever is told has to find a cause.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Who asked within this time is counted together.
const WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// What is usual is measured over this time.
const USUAL_OVER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Of which people ask in so many hours: those at which they work.
const HOURS_OF_WORK: f64 = 40.0;

/// An outbreak is so many times what is usual.
const TIMES_THE_USUAL: f64 = 3.0;

/// A notice that could not be sent for so long says nothing new.
const OF_USE: SignedDuration = SignedDuration::from_hours(6);

/// What admins are told.
const NOTICE: &str = include_str!("watching_outbreaks/notice.txt");

/// Looks for outbreaks.
#[derive(Clone)]
pub(super) struct WatchingOutbreaks {
    pub(super) assistant: CurrentAssistant,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: ConversationClock,
    pub(super) settings: CurrentSettings,
    /// The agent ids of the apps that can send, by company and name of the app.
    pub(super) agents: Agents,
    /// To be rung when there is something to send.
    pub(super) news: Arc<Notify>,
}

/// How many people ask about each restriction in an hour of work, and when that was counted.
type Usual = (Timestamp, BTreeMap<String, f64>);

impl WatchingOutbreaks {
    /// Looks for as long as the process runs.
    pub(super) async fn run(self) {
        let mut usual = None;
        loop {
            if let Err(error) = self.look(&mut usual).await {
                tracing::warn!(%error, "cannot look for outbreaks");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&self, usual: &mut Option<Usual>) -> Result<(), StoreError> {
        let (now, settings) = (self.clock.platform_now(), self.settings.get());
        let people = self.store.people_by_scenario(earlier(now, WITHIN)).await?;
        for (scenario, people) in people {
            if people < settings.outbreak_people || f64::from(people) < self.usual(usual, &scenario, now).await? {
                continue;
            }
            let outbreak = Outbreak {
                scenario,
                noticed_at: now,
                people,
            };
            let notice = settings.notices.as_ref();
            let notice = notice.and_then(|notices| self.notice(notices, &outbreak));
            let is_sent = notice.is_some();
            if self.store.keep_outbreak(outbreak.clone(), notice).await? {
                let (scenario, people) = (outbreak.scenario, outbreak.people);
                tracing::warn!(scenario, people, is_sent, "several people have the same restriction");
                self.news.notify_one();
            }
        }
        Ok(())
    }

    /// Fewer than this are nothing unusual.
    async fn usual(&self, usual: &mut Option<Usual>, scenario: &str, now: Timestamp) -> Result<f64, StoreError> {
        let is_fresh = |(counted_at, _): &&Usual| now.duration_since(*counted_at).abs() < WITHIN;
        let known = match usual.as_ref().filter(is_fresh) {
            Some((_, known)) => known,
            None => &usual.insert((now, self.count_usual(now).await?)).1,
        };
        Ok(known.get(scenario).copied().unwrap_or_default() * TIMES_THE_USUAL)
    }

    async fn count_usual(&self, now: Timestamp) -> Result<BTreeMap<String, f64>, StoreError> {
        let until = earlier(now, WITHIN);
        let counted = self.store.count_questions(earlier(until, USUAL_OVER), until).await?;
        let mut usual = BTreeMap::new();
        for count in counted.questions.iter().filter(|count| count.decision == "answer") {
            *usual.entry(count.scenario.clone()).or_default() += count.count as f64 / HOURS_OF_WORK;
        }
        Ok(usual)
    }

    /// The notice, and whom it is for; `None`: the app cannot send, or the restriction is no longer known.
    fn notice(&self, notices: &Notices, outbreak: &Outbreak) -> Option<(ConversationKey, NewSend)> {
        let ((corp_id, app), agent_id) = self.agents.iter().find(|((_, app), _)| *app == notices.app)?;
        let assistant = self.assistant.get();
        let title = assistant
            .catalogue
            .scenarios
            .get(&outbreak.scenario)?
            .label(Language::Chinese);
        let people = outbreak.people.to_string();
        let text = filled(NOTICE.trim_end(), |name| match name {
            "people" => Some(people.as_str()),
            "title" => Some(title),
            _ => None,
        });
        // Several members are one recipient (doc/90236).
        let users = notices.users.join("|");
        let now = outbreak.noticed_at;
        let send = NewSend {
            send_id: message_id(&["outbreak", corp_id, app, &outbreak.scenario, &now.to_string()]),
            way: app.clone(),
            api: Api::MessageSend.name().to_owned(),
            body: text_message(*agent_id, &users, &text, true)?,
            instead: None,
            urgency: Urgency::Fresh,
            next_at: now,
            not_after: later(now, OF_USE),
            replaces_reply: false,
            knowledge_version: assistant.version.clone(),
        };
        let to = ConversationKey {
            corp_id: corp_id.clone(),
            app: app.clone(),
            user: users,
        };
        Some((to, send))
    }
}
