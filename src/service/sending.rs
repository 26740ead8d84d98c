//! Sends what the outbox holds: in order for each person, many persons at a time, and says how it went.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::ConversationClock;
use super::clock::later;
use super::presence::Processes;
use super::send_ids::log_name;
use crate::failpoint::failpoint;
use crate::metrics::Metrics;
use crate::store::{ClaimedSend, SendClaim, SendResult, ServedBy, Store, StoreError};
use crate::wecom::app::SendReceipt;
use crate::wecom::kf::ServiceState;
use crate::wecom::{Api, ApiError, Client, Handling};

/// So many messages are under way at a time.
const MOST_AT_A_TIME: usize = 32;

/// So many are begun within a second by all processes together: a company may make 10,000 calls of one API in a minute (doc/90312), and
/// what goes beyond is refused for a whole minute.
const MOST_PER_SECOND: usize = 150;

/// What is due is looked for at least so often, however quiet it is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The first pause before something is tried again, and the longest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(2);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(2);

/// What only an admin can mend is tried again so much later, and twice as much later every time.
const ADMIN_PAUSE: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_ADMIN_PAUSE: SignedDuration = SignedDuration::from_mins(2);

/// No way is closed for so long: a time that is further away was set before the clock was put back.
const LONGEST_CLOSURE: SignedDuration = SignedDuration::from_hours(2);

/// The clients of all apps that can send, by the app's name.
pub(super) type Clients = BTreeMap<String, Arc<Client>>;

/// Sends what is due.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) store: Arc<dyn Store>,
    pub(super) clients: Arc<Clients>,
    pub(super) clock: ConversationClock,
    /// Rung when there is something new to send.
    pub(super) news: Arc<Notify>,
    pub(super) ways: Arc<Ways>,
    /// How many processes send.
    pub(super) processes: Processes,
    pub(super) metrics: Metrics,
}

/// The ways that are closed for now: what would go by them fails for the same reason and need not be tried one by one.
#[derive(Default)]
pub(super) struct Ways(Mutex<BTreeMap<String, Closed>>);

struct Closed {
    until: Timestamp,
    times: u32,
}

impl Closed {
    fn holds_at(&self, now: Timestamp) -> bool {
        self.until > now && self.until.duration_since(now) < LONGEST_CLOSURE
    }
}

impl Ways {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Closed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paused(&self, now: Timestamp) -> Vec<String> {
        let ways = self.all();
        let closed = ways.iter().filter(|(_, closed)| closed.holds_at(now));
        closed.map(|(way, _)| way.clone()).collect()
    }

    fn open(&self, way: &str) {
        self.all().remove(way);
    }

    /// Closes a way until `until`, or else for twice as long every time, and says until when. `true` if it was open before.
    fn close(&self, way: &str, until: Option<Timestamp>, now: Timestamp) -> (Timestamp, bool) {
        let mut ways = self.all();
        let closed = ways.entry(way.to_owned()).or_insert(Closed { until: now, times: 0 });
        let was_open = !closed.holds_at(now);
        if was_open {
            closed.times = closed.times.saturating_add(1);
            let pause = doubled(ADMIN_PAUSE, closed.times).min(LONGEST_ADMIN_PAUSE);
            closed.until = until.unwrap_or_else(|| later(now, pause));
        }
        (closed.until, was_open)
    }
}

impl Sender {
    /// Sends until `stop` says true, and then to its end what is under way. What a crash interrupts is sent again under the same id, except
    /// a message of the app that WeCom would show a second time.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut under_way = JoinSet::new();
        let mut pace = Pace::default();
        while !*stop.borrow() {
            let free = MOST_AT_A_TIME
                .saturating_sub(under_way.len())
                .min(pace.left(Instant::now(), self.processes.count()));
            let claimed = self.claim(u32::try_from(free).unwrap_or_default()).await;
            let found = claimed.len();
            pace.begun += found;
            for send in claimed {
                let sender = self.clone();
                under_way.spawn(async move { sender.send(send).await });
            }
            if found > 0 && found == free && under_way.len() == MOST_AT_A_TIME {
                // There may be more, but nothing is free.
                under_way.join_next().await;
                continue;
            }
            tokio::select! {
                Some(_) = under_way.join_next() => {}
                () = self.news.notified() => {}
                _ = stop.changed() => {}
                () = tokio::time::sleep(pace.pause(Instant::now()).min(LOOK_EVERY)) => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn claim(&self, most: u32) -> Vec<ClaimedSend> {
        if most == 0 {
            return Vec::new();
        }
        let now = self.clock.platform_now();
        let paused = self.ways.paused(now);
        self.metrics.state().ways_closed(paused.len());
        let claimed = self.store.claim_sends(now, most, paused).await;
        claimed.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot look for what is to be sent");
            Vec::new()
        })
    }

    async fn send(&self, send: ClaimedSend) {
        let (claim, api) = (send.claim, send.api.clone());
        let SendClaim { id, attempts } = claim;
        let message_hash = log_name(&*self.store, &send.send_id);
        failpoint!("before_send");
        let result = self.outcome_or_panic(send).await;
        failpoint!("after_send");
        let word = match &result {
            SendResult::Sent => {
                tracing::info!(message_hash, send = id, api, attempts, "sent");
                "sent"
            }
            SendResult::Later { code, .. } => {
                tracing::info!(message_hash, send = id, api, attempts, ?code, "to be sent again");
                "later"
            }
            SendResult::Refused { code, .. } => {
                tracing::warn!(message_hash, send = id, api, attempts, ?code, "not sent");
                "refused"
            }
        };
        self.metrics
            .send(Api::from_name(&api).map_or("unknown", Api::name), word);
        self.settle(claim, result).await;
        failpoint!("after_record");
    }

    /// Says how sending went until that is stored: what nobody settles keeps everything else for that person from being sent.
    async fn settle(&self, claim: SendClaim, result: SendResult) {
        let mut is_told = false;
        let now = self.clock.platform_now();
        loop {
            let settled = self.store.settle_send(claim, result.clone(), now);
            match settled.await {
                Ok(()) | Err(StoreError::Closed) => return,
                Err(error) if !is_told => {
                    is_told = true;
                    tracing::error!(send = claim.id, %error, "how sending went cannot be stored; trying again until it can");
                }
                Err(_) => {}
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A defect in the program must not keep the message for ever.
    async fn outcome_or_panic(&self, send: ClaimedSend) -> SendResult {
        let (sender, api) = (self.clone(), send.api.clone());
        let pause = pause_before(send.claim.attempts);
        let outcome = tokio::spawn(async move { sender.outcome(send).await }).await;
        outcome.unwrap_or_else(|_| {
            tracing::error!(api, "sending failed by a defect of this program");
            SendResult::Later {
                at: later(self.clock.platform_now(), pause),
                code: None,
                unclear: true,
            }
        })
    }

    async fn outcome(&self, send: ClaimedSend) -> SendResult {
        let Some((client, api)) = self.clients.get(app_of(&send.way)).zip(Api::from_name(&send.api)) else {
            return refused(None);
        };
        let error = match client.call(api, Some(&send.body)).await {
            Ok(answer) => {
                self.ways.open(&format!("{} {}", send.way, send.api));
                return taken(api, &answer);
            }
            Err(error) => error,
        };
        match error.handling() {
            _ if is_sent_already(&send, api, &error) => SendResult::Sent,
            // Words instead of a card, and an honest word instead of a person, need less than these do.
            Handling::TellAdmin if has_substitute(&send, api, &error) => {
                result_of(&send, api, &error, self.clock.platform_now())
            }
            Handling::TellAdmin | Handling::Wait if is_an_answer(&error) => self.closed(&send, &error),
            Handling::Customer | Handling::StateChanged => self.customer_refused(client, &send, &error).await,
            _ => result_of(&send, api, &error, self.clock.platform_now()),
        }
    }

    /// The way is closed, for a reason that an admin can mend or that passes: everything that goes by it waits, and the reason is told
    /// once.
    fn closed(&self, send: &ClaimedSend, error: &ApiError) -> SendResult {
        let is_for_one_member = matches!(error, ApiError::RecipientBudget { .. });
        let now = self.clock.platform_now();
        if let Some(at) = error.retry_at().filter(|_| is_for_one_member) {
            return SendResult::Later {
                at,
                code: None,
                unclear: false,
            };
        }
        let way = format!("{} {}", send.way, send.api);
        let (at, is_news) = self.ways.close(&way, error.retry_at(), now);
        if is_news {
            tracing::error!(way, until = %at, "{error}");
        }
        SendResult::Later {
            at,
            code: error.code(),
            unclear: false,
        }
    }

    /// The session forbids it: if a person serves the customer, the bot is silent from now on.
    async fn customer_refused(&self, client: &Client, send: &ClaimedSend, error: &ApiError) -> SendResult {
        tracing::warn!(way = send.way, "{error}");
        let served_by = match customer_of(&send.body) {
            Some((open_kf_id, customer)) => match client.kf_service_state(&open_kf_id, &customer).await {
                Ok(state) => served_by(&state),
                Err(_) => None,
            },
            None => None,
        };
        // Where nobody has taken the customer over, they are told so instead.
        let is_transfer = send.api == Api::KfServiceStateTrans.name();
        SendResult::Refused {
            code: error.code(),
            served_by,
            closed: served_by.is_some() || !is_transfer,
        }
    }
}

/// A message of the app that WeCom took may still reach nobody: somebody left, or may not see the app.
fn taken(api: Api, answer: &Value) -> SendResult {
    let reaches_nobody = api == Api::MessageSend && !SendReceipt::read(answer).not_reached.is_empty();
    match reaches_nobody {
        true => SendResult::Refused {
            code: None,
            served_by: None,
            closed: true,
        },
        false => SendResult::Sent,
    }
}

/// What has been begun within the running second.
#[derive(Default)]
struct Pace {
    second: Option<Instant>,
    begun: usize,
    most: usize,
}

impl Pace {
    /// So many may still be begun at `now`, by one of so many processes.
    fn left(&mut self, now: Instant, processes: usize) -> usize {
        let is_over = |second: Instant| now.duration_since(second) >= Duration::from_secs(1);
        if self.second.is_none_or(is_over) {
            *self = Self {
                second: Some(now),
                begun: 0,
                most: (MOST_PER_SECOND / processes.max(1)).max(1),
            };
        }
        self.most.saturating_sub(self.begun)
    }

    /// How long nothing may be begun: to the end of the second, once it is used up.
    fn pause(&self, now: Instant) -> Duration {
        let passed = self.second.map_or(Duration::ZERO, |second| now.duration_since(second));
        match self.begun < self.most {
            true => LOOK_EVERY,
            false => Duration::from_secs(1).saturating_sub(passed),
        }
    }
}

/// The app of a way.
fn app_of(way: &str) -> &str {
    way.split_once('/').map_or(way, |(app, _)| app)
}

fn served_by(state: &ServiceState) -> Option<ServedBy> {
    match state {
        ServiceState::Pool => Some(ServedBy::Pool),
        ServiceState::Human { .. } => Some(ServedBy::Servicer),
        ServiceState::New | ServiceState::Assistant | ServiceState::Ended => None,
    }
}

/// Account and customer, as a body names them.
fn customer_of(body: &str) -> Option<(String, String)> {
    let body: Value = serde_json::from_str(body).ok()?;
    let text = |key: &str| Some(body.get(key)?.as_str()?.to_owned());
    let customer = text("touser").or_else(|| text("external_userid"))?;
    Some((text("open_kfid")?, customer))
}

/// WeCom refuses a `msgid` that it knows, with a number it does not document: what would have been refused for itself has been so at
/// the first try.
fn is_sent_already(send: &ClaimedSend, api: Api, error: &ApiError) -> bool {
    let is_repeated = send.unclear || error.may_have_been_carried_out();
    let is_refused = matches!(error, ApiError::Refused { .. });
    let is_odd = matches!(
        error.handling(),
        Handling::Defect | Handling::Unknown | Handling::Harmless
    );
    api == Api::KfSendMessage && is_repeated && is_refused && is_odd
}

fn result_of(send: &ClaimedSend, api: Api, error: &ApiError, now: Timestamp) -> SendResult {
    let again = |at: Timestamp| SendResult::Later {
        at,
        code: error.code(),
        unclear: error.may_have_been_carried_out(),
    };
    match error.handling() {
        // Whether a message of the app went out is not known; a second one would be worse than none, unless WeCom swallows it.
        Handling::Retry | Handling::RefreshToken
            if api == Api::MessageSend && error.may_have_been_carried_out() && !is_swallowed_twice(&send.body) =>
        {
            refused(error.code())
        }
        Handling::TellAdmin if has_substitute(send, api, error) => {
            tracing::error!(way = send.way, "{error}");
            refused(error.code())
        }
        Handling::Retry | Handling::RefreshToken | Handling::Wait | Handling::TellAdmin => {
            let pause = pause_before(send.claim.attempts);
            again(error.retry_at().unwrap_or_else(|| later(now, pause)))
        }
        Handling::Recipient | Handling::Customer | Handling::StateChanged => SendResult::Refused {
            code: error.code(),
            served_by: None,
            closed: true,
        },
        Handling::Content | Handling::Defect | Handling::Unknown | Handling::AnotherServicer => {
            tracing::error!(way = send.way, "{error}");
            refused(error.code())
        }
        Handling::DropCallbackToken
        | Handling::UploadAgain
        | Handling::TooLate
        | Handling::LogInAgain
        | Handling::Harmless => refused(error.code()),
    }
}

/// Whether WeCom has answered: a proxy's page or a lost connection closes no way.
fn is_an_answer(error: &ApiError) -> bool {
    !matches!(error, ApiError::Failed { .. })
}

/// Whether something simpler may work where this is not allowed.
fn has_substitute(send: &ClaimedSend, api: Api, error: &ApiError) -> bool {
    let is_refused = matches!(error, ApiError::Refused { .. });
    is_refused && (api == Api::KfServiceStateTrans || send.body.contains("\"template_card\""))
}

/// Whether WeCom swallows the same message when it comes a second time.
fn is_swallowed_twice(body: &str) -> bool {
    let body: Option<Value> = serde_json::from_str(body).ok();
    body.is_some_and(|body| body.get("enable_duplicate_check").is_some())
}

fn refused(code: Option<i64>) -> SendResult {
    SendResult::Refused {
        code,
        served_by: None,
        closed: false,
    }
}

/// Doubles with every try.
fn pause_before(attempts: u32) -> SignedDuration {
    doubled(FIRST_PAUSE, attempts).min(LONGEST_PAUSE)
}

fn doubled(pause: SignedDuration, attempts: u32) -> SignedDuration {
    pause.saturating_mul(1 << attempts.saturating_sub(1).min(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_that_is_used_up_is_waited_for() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.left(start, 1), MOST_PER_SECOND);
        pace.begun = MOST_PER_SECOND;
        let later = start + Duration::from_millis(400);
        assert_eq!(pace.left(later, 1), 0);
        assert_eq!(pace.pause(later), Duration::from_millis(600));
        assert_eq!(pace.left(start + Duration::from_secs(1), 3), MOST_PER_SECOND / 3);
    }

    #[test]
    fn a_closed_way_is_tried_again_after_twice_as_long_every_time() {
        let (ways, start) = (Ways::default(), Timestamp::UNIX_EPOCH);
        let minutes = |minutes| later(start, SignedDuration::from_mins(minutes));
        assert_eq!(ways.close("a/wk1", None, start), (minutes(1), true));
        assert_eq!(ways.close("a/wk1", None, start), (minutes(1), false));
        assert_eq!(ways.paused(start), ["a/wk1"]);
        assert_eq!(ways.close("a/wk1", None, minutes(1)), (minutes(3), true));
        assert_eq!(ways.close("a/wk1", None, minutes(3)), (minutes(5), true));
        assert_eq!(ways.close("b", Some(minutes(9)), start), (minutes(9), true));
        assert_eq!(ways.paused(minutes(5)), ["b"]);
        ways.open("b");
        assert_eq!(ways.close("b", None, minutes(2)), (minutes(3), true));
    }

    #[test]
    fn pauses_double_up_to_two_minutes() {
        let seconds: Vec<i64> = (1..=8).map(|attempts| pause_before(attempts).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 120, 120]);
        assert_eq!(pause_before(u32::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn both_bodies_name_account_and_customer() {
        let named = Some(("wk".to_owned(), "wm".to_owned()));
        assert_eq!(customer_of(r#"{"touser":"wm","open_kfid":"wk"}"#), named);
        assert_eq!(customer_of(r#"{"external_userid":"wm","open_kfid":"wk"}"#), named);
        assert_eq!(customer_of(r#"{"touser":"LiXiaoyu","agentid":1}"#), None);
    }
}
