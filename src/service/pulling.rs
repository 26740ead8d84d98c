//! Fetches the messages of 微信客服: one pull at a time for each account, page after page, each kept before the next is asked for.
//!
//! A callback only says that there is news. It is noted durably and answered at once; fetching starts from the stored cursor, so that
//! whatever a callback missed is found by the next one, or by the look that is taken every five minutes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};

use super::ConversationClock;
use super::fetched_course::{FetchedCourse, fetched_name, micros, since};
use crate::channels::kf::fetched;
use crate::failpoint::failpoint;
use crate::metrics::Metrics;
use crate::protocol::Private;
use crate::protocol::kf::{KfContent, KfEvent, KfItem, KfItemError};
use crate::store::{Effect, Fetched, KeptPage, KfAccountKey, KfPage, KfProgress, Store, StoreError};
use crate::wecom::kf::{Servicer, SyncPage, SyncRequest, delivery_failure};
use crate::wecom::{ApiError, Client, Handling};

/// Most messages of a page (doc/94670).
const PAGE: u32 = 1000;

/// What a callback brought for fetching holds for ten minutes (doc/94670); a minute is left for the way.
const TOKEN_HOLDS: SignedDuration = SignedDuration::from_mins(9);

/// A bot that starts for the first time does not answer what is older.
const FIRST_ANSWERED: SignedDuration = SignedDuration::from_mins(10);

/// A look without a callback.
const RECONCILE_EVERY: Duration = Duration::from_secs(300);

/// While another process fetches what there is news of.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After a failed pull.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// So many pages in a row that bring nothing and do not move on end a pull.
const MOST_IDLE_PAGES: u32 = 3;

/// Fetches the messages of one account.
#[derive(Clone)]
pub(super) struct Puller {
    pub(super) account: KfAccountKey,
    pub(super) client: Arc<Client>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: ConversationClock,
    /// Rung by callbacks.
    pub(super) news: Arc<Notify>,
    /// To be rung when something waits for an answer.
    pub(super) arrived: Arc<Notify>,
    pub(super) receivers: Arc<Receivers>,
    /// A callback's token that WeCom has refused.
    pub(super) refused_token: Option<Private>,
    pub(super) metrics: Metrics,
    /// Says true when the process is to end.
    pub(super) stop: watch::Receiver<bool>,
}

/// Which accounts have somebody who receives.
#[derive(Default)]
pub(super) struct Receivers(Mutex<BTreeMap<KfAccountKey, bool>>);

impl Receivers {
    pub(super) fn of(&self, account: &KfAccountKey) -> Option<bool> {
        self.all().get(account).copied()
    }

    fn set(&self, account: &KfAccountKey, receives: bool) {
        self.all().insert(account.clone(), receives);
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<KfAccountKey, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which page of a pull it is.
struct PagePlace {
    claim: i64,
    /// The cursor that it was fetched with.
    from: Option<String>,
    /// Whether the account has never been fetched to its end before.
    is_first: bool,
    /// With the last page: what has been followed up.
    done: Option<i64>,
    /// How long WeCom took to give it.
    fetch: Duration,
}

/// Where the time of a page went.
struct PageTimes {
    fetch: Duration,
    store: Duration,
    /// From being fetched until it was stored.
    all: Duration,
}

/// Why a pull ended early.
enum Failure {
    Api(ApiError),
    Store(StoreError),
}

impl Puller {
    /// Fetches until the process is to end: at the start, at every callback, and every five minutes. What has been fetched by then is kept, so
    /// that it is told what became of it, and the account is given back.
    pub(super) async fn run(mut self) {
        let mut pause = PAUSE_AFTER_FAILURE;
        let mut looked: Option<Instant> = None;
        while !*self.stop.borrow() {
            if looked.is_none_or(|looked| looked.elapsed() >= RECONCILE_EVERY) {
                looked = Some(Instant::now());
                self.look_who_receives();
            }
            match self.pull().await {
                Ok(is_done) => {
                    pause = PAUSE_AFTER_FAILURE;
                    self.wait_for_news(if is_done { RECONCILE_EVERY } else { LOOK_AGAIN })
                        .await;
                }
                // A callback brings a token, with which one may go on at once.
                Err(Failure::Api(ApiError::TokenlessBudget { free_at })) => self.wait_for_news(until(free_at)).await,
                Err(failure) => {
                    self.report(&failure);
                    tokio::select! {
                        () = self.stopped() => {}
                        () = tokio::time::sleep(until_next_try(&failure, pause)) => {}
                    }
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn wait_for_news(&self, longest: Duration) {
        tokio::select! {
            () = self.news.notified() => {}
            () = self.stopped() => {}
            () = tokio::time::sleep(longest) => {}
        }
    }

    async fn stopped(&self) {
        // Whoever could say it is gone at the end as well.
        let _ = self.stop.clone().wait_for(|stops| *stops).await;
    }

    fn report(&self, failure: &Failure) {
        let KfAccountKey { app, open_kf_id, .. } = &self.account;
        match failure {
            Failure::Api(error) => tracing::error!(app, open_kf_id, "messages cannot be fetched: {error}"),
            Failure::Store(error) => tracing::error!(app, open_kf_id, %error, "fetched messages cannot be stored"),
        }
    }

    /// Who receives is asked once in a while, and never waited for; what servicers do in between comes as events.
    fn look_who_receives(&self) {
        let (client, account) = (Arc::clone(&self.client), self.account.clone());
        let receivers = Arc::clone(&self.receivers);
        tokio::spawn(async move {
            if let Ok(servicers) = client.kf_servicers(&account.open_kf_id).await {
                receivers.set(&account, servicers.iter().any(may_receive));
            }
        });
    }

    /// What an admin should hear of: our messages that did not arrive, and what could not be read.
    fn report_items(&self, read: &[(Value, Result<KfItem, KfItemError>)]) {
        let KfAccountKey { app, open_kf_id, .. } = &self.account;
        for (_, item) in read {
            match item.as_ref().map(|item| &item.content) {
                Ok(KfContent::Event(KfEvent::SendFailed { reason, .. })) => {
                    let meaning = delivery_failure(*reason);
                    tracing::warn!(
                        app,
                        open_kf_id,
                        reason,
                        "a message to a customer did not arrive: {meaning}"
                    );
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(app, open_kf_id, "{error}; it is on record and not answered"),
            }
        }
    }

    /// Fetches unless another process does. Whoever does follows up what came in the meantime, so `false` (somebody else is at it, and
    /// there is news) means to look again soon.
    async fn pull(&mut self) -> Result<bool, Failure> {
        let claim = self.store.claim_kf_pull(self.account.clone()).await;
        let Some(claim) = claim.map_err(Failure::Store)? else {
            let progress = self.progress().await?;
            return Ok(progress.wanted <= progress.done);
        };
        let pulled = self.pull_as(claim).await;
        failpoint!("before_return_of_pull");
        let returned = self.store.return_kf_pull(self.account.clone(), claim).await;
        pulled?;
        returned.map_err(Failure::Store)?;
        // A callback that came to another process between the last look and the return found the account taken.
        let progress = self.progress().await?;
        Ok(progress.wanted <= progress.done)
    }

    /// Fetches until there is no more, and again if a callback came in the meantime.
    async fn pull_as(&mut self, claim: i64) -> Result<(), Failure> {
        loop {
            let progress = self.progress().await?;
            let wanted = progress.wanted;
            self.pull_pages(claim, progress).await?;
            if self.progress().await?.wanted == wanted {
                return Ok(());
            }
        }
    }

    async fn progress(&self) -> Result<KfProgress, Failure> {
        let progress = self.store.kf_progress(self.account.clone()).await;
        progress.map_err(Failure::Store)
    }

    async fn pull_pages(&mut self, claim: i64, progress: KfProgress) -> Result<(), Failure> {
        let is_first = !progress.complete;
        let now = self.clock.platform_now();
        let holds = |at: Timestamp| now.duration_since(at) < TOKEN_HOLDS;
        let token = progress.token.filter(|(_, at)| holds(*at));
        let token = token.map(|(token, _)| Private::from(token));
        let mut cursor = progress.cursor;
        let mut idle = 0;
        loop {
            let asked = Instant::now();
            let Some(page) = self.fetch_unless_stopped(cursor.as_deref(), token.clone()).await? else {
                return Ok(());
            };
            let fetch = asked.elapsed();
            let stands_still = page.messages.is_empty() && cursor.as_deref() == Some(page.next_cursor.as_str());
            idle = if stands_still { idle + 1 } else { 0 };
            let is_last = !page.has_more || idle >= MOST_IDLE_PAGES;
            let next = page.next_cursor.clone();
            let place = PagePlace {
                claim,
                from: cursor,
                is_first,
                done: is_last.then_some(progress.wanted),
                fetch,
            };
            if !self.keep(page, place).await? || is_last {
                return Ok(());
            }
            cursor = Some(next);
        }
    }

    /// Asks for a page; `None` when the process is to end.
    async fn fetch_unless_stopped(
        &mut self,
        cursor: Option<&str>,
        token: Option<Private>,
    ) -> Result<Option<SyncPage>, Failure> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stops| *stops) => Ok(None),
            page = self.fetch(cursor, token) => page.map(Some),
        }
    }

    /// Asks for a page, without the token once WeCom has refused it: every wrong one counts against the company.
    async fn fetch(&mut self, cursor: Option<&str>, token: Option<Private>) -> Result<SyncPage, Failure> {
        let mut request = SyncRequest {
            open_kf_id: self.account.open_kf_id.clone(),
            cursor: cursor.filter(|cursor| !cursor.is_empty()).map(str::to_owned),
            token: token.filter(|token| self.refused_token.as_ref() != Some(token)),
            limit: PAGE,
        };
        let mut page = self.client.sync_kf_messages(&request).await;
        if page.as_ref().is_err_and(is_about_token) {
            self.refused_token = request.token.take();
            page = self.client.sync_kf_messages(&request).await;
        }
        page.map_err(Failure::Api)
    }

    /// Keeps a page with its cursor; `false` when another process has moved on.
    async fn keep(&self, page: SyncPage, place: PagePlace) -> Result<bool, Failure> {
        let (fetched_at, now) = (Instant::now(), self.clock.platform_now());
        let read: Vec<(Value, Result<KfItem, KfItemError>)> = page
            .messages
            .into_iter()
            .map(|raw| {
                let item = KfItem::read(&raw);
                (raw, item)
            })
            .collect();
        if read.iter().any(|(_, item)| is_about_receiving(item)) {
            self.look_who_receives();
        }
        self.report_items(&read);
        let items: Vec<Fetched> = read
            .into_iter()
            .map(|(raw, item)| {
                let fetched = fetched(&raw, item, key_of_unreadable);
                if place.is_first {
                    unless_too_old(fetched, now)
                } else {
                    fetched
                }
            })
            .collect();
        let waits = items.iter().any(|item| matches!(item.effect, Effect::Answer { .. }));
        let page = KfPage {
            account: self.account.clone(),
            claim: place.claim,
            from: place.from,
            next: page.next_cursor,
            items,
            done: place.done,
            at: now,
        };
        let keys: Vec<String> = page.items.iter().map(|item| item.key.clone()).collect();
        let storing = Instant::now();
        let kept = self.store.keep_kf_page(page).await.map_err(Failure::Store)?;
        if waits {
            self.arrived.notify_one();
        }
        let times = PageTimes {
            fetch: place.fetch,
            store: storing.elapsed(),
            all: fetched_at.elapsed(),
        };
        if let Some(kept) = &kept {
            self.tell(&keys, kept, &times, now);
        }
        Ok(kept.is_some())
    }

    /// What became of a page that was fetched at `now`: its messages that have come to their end, and all of it in short. What was fetched
    /// before is not told again.
    fn tell(&self, keys: &[String], kept: &KeptPage, times: &PageTimes, now: Timestamp) {
        let KfAccountKey { app, open_kf_id, .. } = &self.account;
        let name = |key: &str| fetched_name(&*self.store, open_kf_id, key);
        let count = |fate| kept.fates.iter().filter(|other| **other == fate).count();
        for (key, fate) in keys.iter().zip(&kept.fates) {
            match *fate {
                "repeated" => {}
                "waiting" => tracing::debug!(app, open_kf_id, message_hash = name(key), "waits for an answer"),
                fate => self.ended(fate, times, None).tell(&self.metrics, || name(key)),
            }
        }
        for recalled in &kept.recalled {
            let waited = Some(since(recalled.received_at, now));
            self.ended("recalled", times, waited)
                .tell(&self.metrics, || name(&recalled.key));
        }
        let repeated = count("repeated");
        self.metrics.fetched_again(repeated);
        if !keys.is_empty() {
            tracing::info!(
                app,
                open_kf_id,
                items = keys.len(),
                waiting = count("waiting"),
                repeated,
                fetch = micros(times.fetch),
                store = micros(times.store),
                "fetched a page"
            );
        }
    }

    fn ended(&self, fate: &'static str, times: &PageTimes, waited: Option<Duration>) -> FetchedCourse<'_> {
        FetchedCourse {
            account: &self.account,
            fate,
            waited,
            step: None,
            store: times.store,
            all: times.all.saturating_add(waited.unwrap_or_default()),
        }
    }
}

fn is_about_token(error: &ApiError) -> bool {
    error.handling() == Handling::DropCallbackToken
}

/// Of a department nobody knows who is there.
fn may_receive(servicer: &Servicer) -> bool {
    match servicer {
        Servicer::Member { is_receiving, .. } => *is_receiving,
        Servicer::Department { .. } => true,
    }
}

fn is_about_receiving(item: &Result<KfItem, KfItemError>) -> bool {
    let content = item.as_ref().map(|item| &item.content);
    matches!(content, Ok(KfContent::Event(KfEvent::ServicerStatus { .. })))
}

/// What a bot finds that has never fetched from the account before has been seen by people.
fn unless_too_old(fetched: Fetched, now: Timestamp) -> Fetched {
    let waits = matches!(fetched.effect, Effect::Answer { .. });
    match waits && now.duration_since(fetched.sent_at) > FIRST_ANSWERED {
        true => Fetched {
            effect: Effect::Record("skipped"),
            ..fetched
        },
        false => fetched,
    }
}

/// An item without a number is known by its content.
pub(super) fn key_of_unreadable(raw: &Value) -> String {
    let digest = Sha256::digest(raw.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn until_next_try(failure: &Failure, pause: Duration) -> Duration {
    // A store that failed costs WeCom nothing to try.
    let Failure::Api(error) = failure else {
        return PAUSE_AFTER_FAILURE;
    };
    error.retry_at().map_or(pause, |at| until(at).max(pause))
}

fn until(at: Timestamp) -> Duration {
    at.duration_since(Timestamp::now()).try_into().unwrap_or_default()
}
