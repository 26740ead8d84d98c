//! What the bot could not answer: gathered from the messages of some days, asked again, and brought together by meaning.
//!
//! Nothing is stored for it. What has been taken up is left out because the knowledge of now answers it, or knows it for something else. The
//! result is remembered for a while, for as long as the same knowledge answers. It takes a second where much was asked, so it is found out
//! in the background, and ahead for whoever is likely to look.

mod clusters;
mod failures;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use actix_web::web::{self, Data};
use jiff::{SignedDuration, Timestamp};

pub(super) use clusters::{Cluster, Counts, FailedText};
pub(super) use failures::Failure;

use super::refusal::Refusal;
use super::state::Console;
use crate::dialogue::Assistant;
use crate::store::{FileChange, FoundQuestion, QuestionId, QuestionSearch, Store, StoreError};

/// So many messages are looked at, the latest ones.
const MOST_MESSAGES: usize = 50_000;

/// And so many at a time, so that nobody else who reads waits long.
const AT_ONCE: usize = 5_000;

/// So many answers that did not help are looked for.
const MOST_USELESS: u32 = 20_000;

/// So many published versions are looked through for when an answer was last written.
const MOST_VERSIONS: u32 = 200;

/// How long a result stands while the same knowledge answers.
const STANDS: Duration = Duration::from_secs(10 * 60);

/// Whoever wants it found out anew gets what is not older than this.
const FRESH: Duration = Duration::from_secs(10);

/// How long a page waits for it before it is shown without.
const PATIENCE: Duration = Duration::from_millis(50);

/// Days that are looked at unless somebody asks for others.
pub(super) const USUAL_DAYS: i64 = 7;

/// What could not be answered in some days.
pub(super) struct Unanswered {
    /// When it was found out.
    pub(super) made_at: Timestamp,
    /// The biggest clusters first.
    pub(super) clusters: Vec<Cluster>,
    /// All of them together.
    pub(super) counts: Counts,
    /// Since when has been looked, if there were too many messages to look at all.
    pub(super) looked_since: Option<Timestamp>,
}

/// What was found out, by how many days were looked at.
#[derive(Default)]
pub(super) struct Remembered(tokio::sync::Mutex<BTreeMap<i64, Found>>);

struct Found {
    version: String,
    at: Instant,
    unanswered: Arc<Unanswered>,
}

/// What could not be answered in the last `days`: as it is remembered, unless it is to be `fresh`.
pub(super) async fn unanswered(console: &Data<Console>, days: i64, fresh: bool) -> Result<Arc<Unanswered>, Refusal> {
    let finding = find_out(console, days, fresh);
    finding.await.map_err(|_| Refusal::Unavailable)?
}

/// The same, or nothing if it takes so long that the page is better shown without.
pub(super) async fn unanswered_soon(
    console: &Data<Console>,
    days: i64,
    fresh: bool,
) -> Result<Option<Arc<Unanswered>>, Refusal> {
    let finding = tokio::time::timeout(PATIENCE, unanswered(console, days, fresh));
    finding.await.ok().transpose()
}

/// Finds out what somebody will look at next.
pub(super) fn find_unanswered_ahead(console: &Data<Console>) {
    find_out(console, USUAL_DAYS, false);
}

/// Goes on whether somebody waits for it or not, so that it is there when somebody looks again.
fn find_out(console: &Data<Console>, days: i64, fresh: bool) -> JoinHandle<Result<Arc<Unanswered>, Refusal>> {
    let console = console.clone();
    actix_web::rt::spawn(async move { console.remembered_or_found(days, fresh).await })
}

impl Console {
    /// One is found out at a time.
    async fn remembered_or_found(&self, days: i64, fresh: bool) -> Result<Arc<Unanswered>, Refusal> {
        let mut remembered = self.unanswered.0.lock().await;
        // Another knowledge may answer since this began to wait.
        let assistant = self.assistant.get();
        let stands = |found: &&Found| found.version == assistant.version && found.at.elapsed() < STANDS;
        if let Some(found) = remembered
            .get(&days)
            .filter(stands)
            .filter(|found| !fresh || found.at.elapsed() < FRESH)
        {
            return Ok(Arc::clone(&found.unanswered));
        }
        let version = assistant.version.clone();
        let unanswered = Arc::new(self.find_unanswered(assistant, days).await?);
        let found = Found {
            version,
            at: Instant::now(),
            unanswered: Arc::clone(&unanswered),
        };
        remembered.insert(days, found);
        Ok(unanswered)
    }

    /// Remembers nothing of what was found out: some of it is no longer on file.
    pub(super) async fn forget_unanswered(&self) {
        self.unanswered.0.lock().await.clear();
    }

    async fn find_unanswered(&self, assistant: Arc<Assistant>, days: i64) -> Result<Unanswered, Refusal> {
        let now = Timestamp::now();
        let since = now.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap_or(now);
        let (messages, looked_since) = messages_since(&*self.store, since).await?;
        let useless = self.store.useless_answers(since, MOST_USELESS).await?;
        let rewritten = self.rewritten(&assistant, since).await?;
        let finding = web::block(move || {
            let failed = failures::failures(&assistant, messages, useless, now);
            clusters::clusters(&assistant, failed, &rewritten)
        });
        let clusters = finding.await.map_err(|_| Refusal::Unavailable)?;
        let mut counts = Counts::default();
        clusters
            .iter()
            .for_each(|cluster| clusters::add(&mut counts, &cluster.counts));
        Ok(Unanswered {
            made_at: now,
            clusters,
            counts,
            looked_since,
        })
    }

    /// When the answer of each scenario was last written anew from the console, since then.
    async fn rewritten(
        &self,
        assistant: &Assistant,
        since: Timestamp,
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let mut rewritten = BTreeMap::new();
        let versions = self.store.knowledge_versions(None, MOST_VERSIONS).await?.into_iter();
        for version in versions.take_while(|version| version.published_at >= since) {
            let Some((_, changes)) = self.store.knowledge_version(version.id).await? else {
                continue;
            };
            let files: Vec<&str> = changes
                .iter()
                .filter(|one| changes_answer(one))
                .map(|one| one.path.as_str())
                .collect();
            let scenarios = assistant.catalogue.scenarios.values();
            for scenario in scenarios.filter(|scenario| files.contains(&scenario.file.as_str())) {
                rewritten.entry(scenario.id.clone()).or_insert(version.published_at);
            }
        }
        Ok(rewritten)
    }
}

/// Whether more than example questions was changed.
fn changes_answer(change: &FileChange) -> bool {
    let answer = |text: &Option<String>| {
        let mut file: toml::Table = text.as_deref()?.parse().ok()?;
        file.remove("examples");
        Some(file)
    };
    let (before, after) = (answer(&change.before), answer(&change.after));
    before.is_none() || before != after
}

/// The messages since then, the newest first; and since when they really are, if there were too many.
async fn messages_since(
    store: &dyn Store,
    since: Timestamp,
) -> Result<(Vec<FoundQuestion>, Option<Timestamp>), StoreError> {
    let mut messages = Vec::new();
    let mut before = None;
    while messages.len() < MOST_MESSAGES {
        let search = QuestionSearch {
            before,
            since: Some(since),
            most: AT_ONCE,
            most_looked_at: AT_ONCE,
            ..QuestionSearch::default()
        };
        let found = store.find_questions(search).await?;
        messages.extend(found.found);
        before = found.rest;
        if before.is_none() {
            break;
        }
    }
    Ok((messages, before.map(QuestionId::made_at)))
}
