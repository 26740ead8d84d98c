//! The access token of an app: fetched once, kept in memory and in the store, renewed in time, by one process at a time (doc/91039).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::address::ApiBase;
use super::error::{ExchangeFailure, Refusal, TokenError};
use super::limits::{Closure, Doubling, REPETITIONS, is_within};
use super::persistence::{persistently, random};
use super::sealing::{open, seal};
use super::transport::Transport;
use crate::metrics::Metrics;
use crate::store::{BoxFuture, StoreError};

/// The call that gives tokens, as it is counted.
pub(super) const GETTOKEN: &str = "gettoken";

/// A token is renewed so long before its end.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// Up to so many seconds earlier, so that processes that share a token do not all renew it together.
const MARGIN_SPREAD: u32 = 60;

/// WeCom gives two hours; whatever an answer says, a token is not kept longer than this.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// A token that WeCom rejects is replaced at most so often. Were every new one rejected too, each call would fetch one.
const BETWEEN_REPLACEMENTS: SignedDuration = SignedDuration::from_mins(1);

/// A token that is to be renewed but cannot be is used on for so long before the next attempt.
const POSTPONEMENT: SignedDuration = SignedDuration::from_secs(30);

/// How often the store is asked whether another process has finished.
const POLL: Duration = Duration::from_millis(200);

/// Added to the longest time that fetching can take, for the store and the pauses.
const CLAIM_RESERVE: Duration = Duration::from_secs(10);

/// An access token as processes share it.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The token, which only the app's Secret opens.
    pub sealed: String,
    /// Counts the tokens of the app, from 1.
    pub generation: i64,
    /// When WeCom stops accepting it, at the latest.
    pub expires_at: Timestamp,
}

/// An access token as it is used.
#[derive(Clone, Debug)]
pub(super) struct AccessToken {
    pub(super) token: SecretString,
    pub(super) generation: i64,
    pub(super) expires_at: Timestamp,
}

/// Where the processes that work for an app keep its access token.
///
/// `app` names the app together with its company and Secret, without showing the Secret: who corrects the configuration must not go on with
/// the token of the app that stood there before.
pub trait TokenStore: Send + Sync {
    /// The latest token of the app.
    fn token<'a>(&'a self, app: &'a str) -> BoxFuture<'a, Result<Option<StoredToken>, StoreError>>;

    /// Whether this process may fetch the token that follows `generation` (0: the first). At most one process may until `until`; none may
    /// when a later token is stored already. A claim that has run out at `now` no longer counts.
    fn claim_token_refresh<'a>(
        &'a self,
        app: &'a str,
        generation: i64,
        now: Timestamp,
        until: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Stores a token, unless a later one is stored already.
    fn save_token<'a>(&'a self, app: &'a str, token: StoredToken) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Whose token it is.
pub(super) struct Credentials {
    /// The app's name in the configuration.
    pub(super) app: String,
    /// The company.
    pub(super) corp_id: String,
    /// The app's Secret.
    pub(super) secret: SecretString,
}

impl Credentials {
    pub(super) fn key(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.corp_id.as_bytes());
        digest.update([0]);
        digest.update(self.secret.expose_secret().as_bytes());
        let digest = digest.finalize();
        let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{}:{short}", self.app)
    }
}

/// The token of one app in this process.
pub(super) struct Tokens {
    credentials: Credentials,
    /// The app in the store.
    key: String,
    address: Url,
    store: Arc<dyn TokenStore>,
    metrics: Metrics,
    timeout: Duration,
    /// Held while a token is fetched, so that there is one fetch at a time.
    state: Mutex<State>,
    /// Fetches that have ended, so that those who waited for one share how it ended.
    ended: AtomicU64,
}

/// A token in memory.
struct Held {
    token: AccessToken,
    renew_at: Timestamp,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Tokens up to this generation have been rejected.
    rejected: i64,
    replaced_at: Option<Timestamp>,
    /// After which generation this process may fetch, and until when: what failed a moment ago may be tried again under the same claim.
    claimed: Option<(i64, Timestamp)>,
    refused: Option<Closure<Refusal>>,
    last_error: Option<TokenError>,
}

impl State {
    /// The token in memory, unless it is time to renew it.
    fn fresh(&self, now: Timestamp) -> Option<AccessToken> {
        let held = self.held.as_ref()?;
        (now < held.renew_at).then(|| held.token.clone())
    }

    /// The token in memory, which could not be renewed though it is time: used on until the next attempt if it has not expired.
    fn postponed(&mut self, now: Timestamp) -> Option<AccessToken> {
        let held = self.held.as_mut().filter(|held| now < held.token.expires_at)?;
        held.renew_at = now.saturating_add(POSTPONEMENT).unwrap_or(Timestamp::MAX);
        held.renew_at = held.renew_at.min(held.token.expires_at);
        Some(held.token.clone())
    }

    /// The latest generation that this process knows of.
    fn generation(&self) -> i64 {
        let held = self.held.as_ref().map_or(0, |held| held.token.generation);
        held.max(self.rejected)
    }

    fn hold(&mut self, token: AccessToken, renew_at: Timestamp) -> AccessToken {
        self.held = Some(Held {
            token: token.clone(),
            renew_at,
        });
        token
    }

    /// Drops a token that WeCom rejected, if it is still the one in use. False: it may not be replaced now.
    fn reject(&mut self, generation: i64, now: Timestamp) -> bool {
        let is_in_use = |held: &Held| held.token.generation == generation;
        if !self.held.as_ref().is_some_and(is_in_use) {
            return true;
        }
        let is_recent = |at: Timestamp| is_within(BETWEEN_REPLACEMENTS, at, now);
        if self.replaced_at.is_some_and(is_recent) {
            return false;
        }
        self.held = None;
        self.rejected = self.rejected.max(generation);
        self.replaced_at = Some(now);
        true
    }

    /// The refusal that still keeps WeCom from being asked.
    fn standing_refusal(&self, now: Timestamp) -> Option<TokenError> {
        let closure = self.refused.as_ref().filter(|closure| closure.holds_at(now))?;
        Some(refused(closure))
    }
}

fn refused(closure: &Closure<Refusal>) -> TokenError {
    TokenError::Refused {
        refusal: closure.reason,
        until: closure.until,
    }
}

impl Tokens {
    pub(super) fn new(
        credentials: Credentials,
        api_base: &ApiBase,
        (store, metrics): (Arc<dyn TokenStore>, Metrics),
        timeout: Duration,
    ) -> Self {
        Self {
            key: credentials.key(),
            credentials,
            address: api_base.join("cgi-bin/gettoken"),
            store,
            metrics,
            timeout,
            state: Mutex::default(),
            ended: AtomicU64::new(0),
        }
    }

    /// A token that can be used now.
    pub(super) async fn current(&self, transport: &Transport) -> Result<AccessToken, TokenError> {
        let seen = self.ended.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        self.usable(&mut state, seen, transport).await
    }

    /// The token that follows one that WeCom rejected; `None` when it has been replaced only a moment ago.
    pub(super) async fn replacement(
        &self,
        rejected: i64,
        transport: &Transport,
    ) -> Result<Option<AccessToken>, TokenError> {
        let seen = self.ended.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if !state.reject(rejected, Timestamp::now()) {
            return Ok(None);
        }
        self.usable(&mut state, seen, transport).await.map(Some)
    }

    async fn usable(&self, state: &mut State, seen: u64, transport: &Transport) -> Result<AccessToken, TokenError> {
        if let Some(token) = state.fresh(Timestamp::now()) {
            return Ok(token);
        }
        let has_ended = self.ended.load(Ordering::Acquire) != seen;
        let renewed = match state.last_error.clone().filter(|_| has_ended) {
            Some(error) => Err(error),
            None => self.renew_for_all(state, transport).await,
        };
        renewed.or_else(|error| state.postponed(Timestamp::now()).ok_or(error))
    }

    /// Renews the token and leaves how that ended to those who wait.
    async fn renew_for_all(&self, state: &mut State, transport: &Transport) -> Result<AccessToken, TokenError> {
        let renewed = self.renew(state, transport).await;
        state.last_error = renewed.as_ref().err().cloned();
        self.ended.fetch_add(1, Ordering::Release);
        renewed
    }

    /// A newer token: the stored one, or one that is fetched when no other process is at it.
    async fn renew(&self, state: &mut State, transport: &Transport) -> Result<AccessToken, TokenError> {
        if let Some(error) = state.standing_refusal(Timestamp::now()) {
            return Err(error);
        }
        let give_up = later(Timestamp::now(), self.timeout);
        loop {
            let now = Timestamp::now();
            if let Some(newer) = self.stored(state).await? {
                let renew_at = renewal(newer.expires_at);
                state.hold(newer, renew_at);
                self.metrics.token_refresh("found");
            }
            if let Some(token) = state.fresh(now) {
                return Ok(token);
            }
            if self.claim(state, now).await? {
                return self.fetch(state, transport).await;
            }
            if let Some(token) = state.postponed(now) {
                return Ok(token);
            }
            if now >= give_up {
                self.metrics.token_refresh("elsewhere");
                return Err(TokenError::Elsewhere);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The stored token, if it is later than those this process knows of. One that cannot be opened counts as none, and as rejected: the
    /// next one follows it.
    async fn stored(&self, state: &mut State) -> Result<Option<AccessToken>, TokenError> {
        let stored = self.store.token(&self.key).await;
        let stored = stored.map_err(|error| self.without_store(error))?;
        let Some(stored) = stored.filter(|token| token.generation > state.generation()) else {
            return Ok(None);
        };
        let opened = open(&self.credentials, &stored);
        if opened.is_none() {
            state.rejected = stored.generation;
        }
        Ok(opened)
    }

    /// Whether this process may fetch the token that follows the latest it knows of.
    async fn claim(&self, state: &mut State, now: Timestamp) -> Result<bool, TokenError> {
        let generation = state.generation();
        let is_mine = |(claimed, until): (i64, Timestamp)| claimed == generation && now < until;
        if state.claimed.is_some_and(is_mine) {
            return Ok(true);
        }
        let until = later(now, self.timeout * (REPETITIONS + 1) + CLAIM_RESERVE);
        let claim = self.store.claim_token_refresh(&self.key, generation, now, until);
        let is_granted = claim.await.map_err(|error| self.without_store(error))?;
        state.claimed = is_granted.then_some((generation, until));
        Ok(is_granted)
    }

    /// Without the store nobody knows whether another process is at it, so that none is fetched.
    fn without_store(&self, error: StoreError) -> TokenError {
        self.metrics.token_refresh("failed");
        TokenError::Store(error)
    }

    async fn fetch(&self, state: &mut State, transport: &Transport) -> Result<AccessToken, TokenError> {
        let fetched = self.ask(state, transport).await;
        let (result, closed_until) = match &fetched {
            Ok(_) => ("fetched", None),
            Err(TokenError::Refused { until, .. }) => ("refused", Some(*until)),
            Err(_) => ("failed", None),
        };
        self.metrics.token_refresh(result);
        if closed_until.is_some() {
            self.metrics.gate_closed(GETTOKEN);
        }
        self.metrics.gate(&self.credentials.app, GETTOKEN, closed_until);
        fetched
    }

    async fn ask(&self, state: &mut State, transport: &Transport) -> Result<AccessToken, TokenError> {
        let attempted = persistently(true, || transport.get(GETTOKEN, self.request())).await;
        let now = Timestamp::now();
        match attempted.result.map_err(TokenError::Failed)? {
            Ok(answer) => self.accept(state, &answer, now).await,
            Err(refusal) => {
                let pauses = Doubling::after_refused_token(refusal.code);
                let closure = Closure::after(state.refused.take(), pauses, refusal, now);
                let error = refused(&closure);
                state.refused = Some(closure);
                Err(error)
            }
        }
    }

    async fn accept(&self, state: &mut State, answer: &Value, now: Timestamp) -> Result<AccessToken, TokenError> {
        let (token, life) = read_token(answer).map_err(TokenError::Failed)?;
        let expires_at = now.saturating_add(life).unwrap_or(Timestamp::MAX);
        let half_life = now.saturating_add(life / 2).unwrap_or(Timestamp::MAX);
        let generation = state.generation().saturating_add(1);
        let token = AccessToken {
            token,
            generation,
            expires_at,
        };
        state.refused = None;
        let token = state.hold(token, renewal(expires_at).max(half_life));
        let app = &self.credentials.app;
        // It works in this process all the same; the others will fetch their own.
        match seal(&self.credentials, &token) {
            None => tracing::warn!(app, "the access token could not be sealed, and is not stored"),
            Some(sealed) => {
                if let Err(error) = self.store.save_token(&self.key, sealed).await {
                    tracing::warn!(app, %error, "the access token could not be stored");
                }
            }
        }
        tracing::info!(app, generation, "access token fetched");
        Ok(token)
    }

    /// The address with the Secret in its query: for the wire only.
    fn request(&self) -> Url {
        let mut url = self.address.clone();
        url.query_pairs_mut()
            .append_pair("corpid", &self.credentials.corp_id)
            .append_pair("corpsecret", self.credentials.secret.expose_secret());
        url
    }
}

/// Reads the answer to a request for a token: the token and its life.
///
/// # Errors
///
/// What is missing.
pub fn read_token(answer: &Value) -> Result<(SecretString, SignedDuration), ExchangeFailure> {
    let token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
    if token.is_empty() {
        return Err(ExchangeFailure::Malformed("no access_token"));
    }
    let seconds = answer.get("expires_in").and_then(Value::as_i64).unwrap_or_default();
    if seconds <= 0 {
        return Err(ExchangeFailure::Malformed("no expires_in"));
    }
    let life = SignedDuration::from_secs(seconds).min(LONGEST_LIFE);
    Ok((SecretString::from(token), life))
}

/// When to renew a token that ends at `expires_at`.
fn renewal(expires_at: Timestamp) -> Timestamp {
    let spread = SignedDuration::from_secs(i64::from(random() % MARGIN_SPREAD));
    expires_at.saturating_sub(MARGIN + spread).unwrap_or(Timestamp::MIN)
}

fn later(now: Timestamp, duration: Duration) -> Timestamp {
    now.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
