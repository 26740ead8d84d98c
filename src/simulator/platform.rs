//! The simulator as one thing: the platform's knowledge, its clock, its callbacks, and what happens on its phones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use actix_web::rt::time::sleep;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::api::{self, Answer, Call};
use super::callbacks::{Callbacks, Delivered, Outcome, Verification};
use super::clock::Clock;
use super::companion::Companion;
use super::control::{self, ControlError, read};
use super::history::History;
use super::model::company::{Bell, Company};
use super::model::faults::Fate;
use super::passive_update::change_of;
use super::plaintext::MessageKind;
use crate::protocol::{Credentials, UserId};

/// What a simulator needs to know.
pub struct SimulatorSettings {
    /// Where callbacks are posted.
    pub callback_url: String,
    /// Token, EncodingAESKey and CorpID.
    pub credentials: Credentials,
    /// The app's number in its company.
    pub agent_id: u32,
    /// The app's secret; without one nobody gets an access token.
    pub secret: Option<SecretString>,
    /// The app's name.
    pub app: String,
    /// Who writes on the chat page when nothing else is said; a member from the start.
    pub user: String,
    /// The bot, where it runs in the same program.
    pub companion: Box<dyn Companion>,
}

/// How many doorbells are posted at the same time; more wait their turn.
const MOST_POSTS: usize = 100;

/// A WeCom for one app of one company.
pub struct Simulator {
    callbacks: Callbacks,
    posts: Semaphore,
    company: Mutex<Company>,
    clock: Mutex<Clock>,
    pub(super) companion: Box<dyn Companion>,
    pub(super) app: String,
    pub(super) user: String,
    pub(super) history: History,
}

impl Simulator {
    /// A simulator that does nothing by itself until it is served or asked.
    ///
    /// # Errors
    ///
    /// When no HTTP client can be made.
    pub fn new(settings: SimulatorSettings) -> anyhow::Result<Arc<Self>> {
        let first_id = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let corp_id = settings.credentials.receive_id();
        let mut company = Company::new(corp_id, settings.agent_id, &settings.app, settings.secret, first_id);
        company.members.known_or_new(&settings.user);
        Ok(Arc::new(Self {
            callbacks: Callbacks::new(settings.callback_url, settings.credentials, settings.agent_id)?,
            posts: Semaphore::new(MOST_POSTS),
            company: Mutex::new(company),
            clock: Mutex::new(Clock::real()),
            companion: settings.companion,
            app: settings.app,
            user: settings.user,
            history: History::default(),
        }))
    }

    /// Where callbacks are posted.
    pub fn callback_url(&self) -> &str {
        self.callbacks.callback_url()
    }

    /// Verifies the URL as the console does when it is saved.
    pub async fn verify_url(&self) -> Verification {
        self.callbacks.verify_url().await
    }

    /// A new account of 微信客服 with a servicer who receives customers; its id.
    pub fn open_account(&self, name: &str, servicer: &str) -> String {
        let mut company = self.company();
        let open_kfid = company.open_account(None, name, true);
        // The account is there: it was made just now.
        let _ = company.add_servicer(&open_kfid, servicer, true);
        open_kfid
    }

    /// A member sends something to the app; what came of it.
    pub async fn member_writes(&self, user: &UserId, kind: MessageKind, text: &str) -> Delivered {
        let now = self.now();
        let message_id = self.callbacks.next_message_id();
        self.company()
            .member_writes(user.as_str(), kind.name(), text, &message_id, now);
        let plaintext = self.callbacks.letterhead().message(user, kind, text, &message_id, now);
        self.deliver(user, kind.name(), &plaintext, message_id).await
    }

    /// A member opens the app's conversation.
    pub async fn member_enters(&self, user: &UserId) -> Delivered {
        self.company().members.known_or_new(user.as_str());
        let plaintext = self.callbacks.letterhead().entered(user, self.now());
        self.deliver(user, "enter_agent", &plaintext, String::new()).await
    }

    /// Carries out a control action by its name, the path under `/control/`. `waits` until the callbacks that it causes are through;
    /// without, they are posted by tasks of the actix runtime that this is called on.
    ///
    /// # Errors
    ///
    /// When the request is malformed or nobody could do this on a phone.
    pub async fn control(self: &Arc<Self>, action: &str, request: Value, waits: bool) -> Result<Value, ControlError> {
        match action {
            "member/write" => self.member_writes_by_control(read(request)?).await,
            "member/enter" => self.member_enters_by_control(read(request)?).await,
            "member/click" => self.member_clicks(read(request)?).await,
            "member/press" => self.member_presses(read(request)?).await,
            "clock" => self.set_clock(request),
            _ => {
                let now = self.now();
                let done = control::act(&mut self.company(), action, request, now)?;
                self.ring(waits).await;
                Ok(done)
            }
        }
    }

    /// Answers a call of the API.
    pub(super) async fn call(self: &Arc<Self>, call: Call) -> Answer {
        let fate = self.company().faults.fate(&call.path);
        let pulled = pulled_account(&call);
        if let Some(open_kfid) = &pulled {
            self.company().counters.pull_begins(open_kfid);
        }
        pause(fate.latency_ms).await;
        let now = self.now();
        let answer = api::answer(&mut self.company(), call, fate, now);
        if let Some(open_kfid) = &pulled {
            self.company().counters.pull_ends(open_kfid);
        }
        self.ring(false).await;
        answer
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// The number of the newest message on a member's phone.
    pub(super) fn newest_of_member(&self, user: &UserId) -> u64 {
        let company = self.company();
        company
            .members
            .get(user.as_str())
            .map_or(0, |member| member.phone.newest())
    }

    async fn member_writes_by_control(&self, writing: MemberWriting) -> Result<Value, ControlError> {
        let user = member(&writing.member)?;
        let kind = writing.kind.unwrap_or(MessageKind::Text);
        Ok(json!(self.member_writes(&user, kind, &writing.text).await))
    }

    async fn member_enters_by_control(&self, entering: MemberEntering) -> Result<Value, ControlError> {
        Ok(json!(self.member_enters(&member(&entering.member)?).await))
    }

    async fn member_clicks(&self, clicking: MemberClicking) -> Result<Value, ControlError> {
        let user = member(&clicking.member)?;
        self.company().click(&clicking.key)?;
        let plaintext = self.callbacks.letterhead().clicked(&user, &clicking.key, self.now());
        Ok(json!(self.deliver(&user, "click", &plaintext, String::new()).await))
    }

    async fn member_presses(&self, pressing: MemberPressing) -> Result<Value, ControlError> {
        let user = member(&pressing.member)?;
        let now = self.now();
        let (task_id, key) = (&pressing.task_id, &pressing.key);
        let pressed = self.company().press(user.as_str(), task_id, key, now)?;
        let plaintext = self.callbacks.letterhead().pressed(&user, task_id, key, &pressed, now);
        let mut delivered = self
            .deliver(&user, "template_card_event", &plaintext, String::new())
            .await;
        if let Some(change) = change_of(&delivered.wire.response_plaintext) {
            let holder = user.canonical();
            self.company().change_card(task_id, &holder, &change, self.now());
            delivered.outcome = Outcome::Replied;
            delivered.problem = None;
        }
        Ok(json!(delivered))
    }

    /// Posts a callback about what a member did, as its fate has it, and shows the reply on the phone.
    async fn deliver(&self, user: &UserId, kind: &str, plaintext: &str, message_id: String) -> Delivered {
        let fate = self.company().faults.fate(&format!("callback/{kind}"));
        if fate.is_dropped {
            return Delivered::dropped(message_id, plaintext);
        }
        pause(fate.latency_ms).await;
        let delivered = self.callbacks.deliver(plaintext, message_id.clone()).await;
        if let Some(reply) = &delivered.reply {
            let now = self.now();
            self.company().member_is_answered(user.as_str(), reply, now);
        }
        if fate.is_duplicated {
            self.callbacks.deliver(plaintext, message_id).await;
        }
        delivered
    }

    /// Posts the callbacks that are due, each by itself, in the order in which they came up.
    async fn ring(self: &Arc<Self>, waits: bool) {
        let bells = self.company().take_bells();
        let posts: Vec<JoinHandle<()>> = bells
            .into_iter()
            .map(|bell| actix_web::rt::spawn(Arc::clone(self).post_bell(bell)))
            .collect();
        if waits {
            for post in posts {
                // A post that broke off is as good as lost, as on the platform.
                let _ = post.await;
            }
        }
    }

    async fn post_bell(self: Arc<Self>, bell: Bell) {
        let fate = self.bell_begins();
        if !fate.is_dropped {
            pause(fate.latency_ms).await;
            // Nobody closes the semaphore.
            let _turn = self.posts.acquire().await;
            let plaintext = self.callbacks.letterhead().bell(&bell);
            for _ in 0..=u32::from(fate.is_duplicated) {
                let delivered = self.callbacks.deliver(&plaintext, String::new()).await;
                self.count_callback(delivered.attempts.iter().any(|attempt| attempt.status == Some(200)));
            }
        }
        let mut company = self.company();
        let callbacks = &mut company.counters.callbacks;
        callbacks.in_flight = callbacks.in_flight.saturating_sub(1);
    }

    fn bell_begins(&self) -> Fate {
        let mut company = self.company();
        let fate = company.faults.fate("callback/kf_msg_or_event");
        let callbacks = &mut company.counters.callbacks;
        callbacks.in_flight = callbacks.in_flight.saturating_add(1);
        callbacks.dropped = callbacks.dropped.saturating_add(u64::from(fate.is_dropped));
        fate
    }

    fn count_callback(&self, is_received: bool) {
        let mut company = self.company();
        let callbacks = &mut company.counters.callbacks;
        let counter = match is_received {
            true => &mut callbacks.received,
            false => &mut callbacks.failed,
        };
        *counter = counter.saturating_add(1);
    }

    fn set_clock(&self, request: Value) -> Result<Value, ControlError> {
        let setting: ClockSetting = match request {
            Value::Null => ClockSetting::default(),
            request => read(request)?,
        };
        if let Some(seconds) = setting.advance_seconds {
            self.advance(SignedDuration::from_secs(seconds));
        }
        let mut clock = self.clock();
        match setting.scale {
            Some(scale) if (0.0..=1_000_000.0).contains(&scale) => clock.run_at(scale),
            Some(_) => return Err(ControlError::Malformed("`scale` is 0 to 1000000".to_owned())),
            None => {}
        }
        Ok(json!({"now_ms": clock.now().as_millisecond(), "scale": clock.scale()}))
    }

    /// Sets the clock forward. A bot in the same program goes with it, but for the life of its access token, which it counts in real time.
    fn advance(&self, by: SignedDuration) {
        // Nobody calls in between: a call that knows the new time needs the company as well.
        let mut company = self.company();
        self.clock().advance(by);
        if self.companion.advance(by) {
            company.access_tokens.outlive(by);
        }
    }

    /// What the platform knows is as good as it was, whatever another thread died of.
    fn company(&self) -> MutexGuard<'_, Company> {
        self.company.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberWriting {
    member: String,
    kind: Option<MessageKind>,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberEntering {
    member: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberClicking {
    member: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberPressing {
    member: String,
    task_id: String,
    key: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockSetting {
    advance_seconds: Option<i64>,
    scale: Option<f64>,
}

fn member(userid: &str) -> Result<UserId, ControlError> {
    UserId::parse(userid).ok_or_else(|| ControlError::Malformed(format!("`{userid}` is no id of a member")))
}

/// Waits, or goes on at once when there is nothing to wait for: even the shortest sleep of the runtime takes a millisecond.
async fn pause(millis: u64) {
    if millis > 0 {
        sleep(Duration::from_millis(millis)).await;
    }
}

/// Which account a call pulls, so that pulls at the same time can be counted.
fn pulled_account(call: &Call) -> Option<String> {
    if call.path != "kf/sync_msg" {
        return None;
    }
    let body: Value = serde_json::from_slice(&call.body).ok()?;
    Some(body.get("open_kfid")?.as_str()?.to_owned())
}
