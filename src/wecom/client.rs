//! The client of one app: every call goes through its gate, its budget, the access token and the repetitions.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::address::{ApiBase, ProxyAddress};
use super::api::{Api, Method, Repetition};
use super::codes::{self, Handling};
use super::error::{ApiError, ClientError, ExchangeFailure};
use super::limits::{Gates, RecipientBudget, TokenlessBudget, members_of};
use super::persistence::{Attempted, persistently};
use super::token::{AccessToken, Credentials, GETTOKEN, TokenStore, Tokens};
use super::transport::{Answer, Transport};
use crate::metrics::Metrics;

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The app's name in the configuration.
    pub app: String,
    /// The company.
    pub corp_id: String,
    /// The app's Secret.
    pub secret: SecretString,
    /// The app's number in its company.
    pub agent_id: u32,
    /// Where WeCom's API is.
    pub api_base: ApiBase,
    /// The proxy to go through. Proxies of the environment are not used.
    pub proxy: Option<ProxyAddress>,
    /// How long one exchange may take, with all of its answer.
    pub timeout: Duration,
    /// Where calls are counted.
    pub metrics: Metrics,
}

/// Calls WeCom's API for one app. Limits are kept per client, so a process has one for every app.
pub struct Client {
    app: String,
    agent_id: u32,
    api_base: ApiBase,
    transport: Transport,
    tokens: Tokens,
    metrics: Metrics,
    gates: Mutex<Gates>,
    budget: Mutex<RecipientBudget>,
    tokenless: Mutex<TokenlessBudget>,
}

/// One call with everything that goes over the wire but the token.
#[derive(Clone, Copy)]
struct Request<'a> {
    api: Api,
    query: &'a [(&'a str, &'a str)],
    body: Option<&'a str>,
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When TLS or the HTTP client cannot be set up.
    pub fn new(settings: ClientSettings, tokens: Arc<dyn TokenStore>) -> Result<Self, ClientError> {
        let transport = Transport::new(settings.proxy.as_ref(), settings.timeout, settings.metrics.clone())?;
        let credentials = Credentials {
            app: settings.app.clone(),
            corp_id: settings.corp_id,
            secret: settings.secret,
        };
        let metrics = &settings.metrics;
        for api in Api::ALL.map(Api::name).into_iter().chain([GETTOKEN]) {
            metrics.gate(&settings.app, api, None);
        }
        Ok(Self {
            app: settings.app,
            agent_id: settings.agent_id,
            tokens: Tokens::new(
                credentials,
                &settings.api_base,
                (tokens, metrics.clone()),
                settings.timeout,
            ),
            api_base: settings.api_base,
            transport,
            metrics: settings.metrics,
            gates: Mutex::default(),
            budget: Mutex::default(),
            tokenless: Mutex::default(),
        })
    }

    /// The app's number in its company, which bodies of message/send name.
    pub fn agent_id(&self) -> u32 {
        self.agent_id
    }

    /// So many processes, this one included, send to the same members: each keeps to its share of what a member may get.
    pub fn share_with(&self, processes: u32) {
        let processes = usize::try_from(processes).unwrap_or(usize::MAX);
        locked(&self.budget).share_with(processes);
    }

    /// Makes a call. The body is sent as it is given, byte by byte (`{}` where a POST has none); the access token, and the app's number where
    /// the call takes it there, go into the query. The answer is WeCom's, with errcode 0.
    ///
    /// # Errors
    ///
    /// Why the call failed, after the repetitions that are safe.
    pub async fn call(&self, api: Api, body: Option<&str>) -> Result<Value, ApiError> {
        self.call_with(api, &[], body).await
    }

    /// Makes a call with more in the query.
    pub(super) async fn call_with(
        &self,
        api: Api,
        query: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Value, ApiError> {
        self.pass_gate(api)?;
        let request = Request { api, query, body };
        let token = self.tokens.current(&self.transport).await.map_err(ApiError::NoToken)?;
        self.spend_budget(request)?;
        let first = self.attempt(request, &token).await;
        if !is_rejected_token(&first) {
            return self.settle(api, first);
        }
        let replacement = self.tokens.replacement(token.generation, &self.transport);
        let Some(token) = replacement.await.map_err(ApiError::NoToken)? else {
            return self.settle(api, first);
        };
        let second = self.attempt(request, &token).await;
        let after_unclear = first.after_unclear || second.after_unclear;
        self.settle(
            api,
            Attempted {
                after_unclear,
                ..second
            },
        )
    }

    fn pass_gate(&self, api: Api) -> Result<(), ApiError> {
        match locked(&self.gates).closed(api, Timestamp::now()) {
            Some((code, until)) => Err(ApiError::GateClosed { api, code, until }),
            None => Ok(()),
        }
    }

    fn spend_budget(&self, request: Request<'_>) -> Result<(), ApiError> {
        let (Api::MessageSend, Some(body)) = (request.api, request.body) else {
            return Ok(());
        };
        locked(&self.budget)
            .take(&members_of(body), Timestamp::now())
            .map_err(|free_at| ApiError::RecipientBudget { free_at })
    }

    /// Before a call of `kf/sync_msg` without the token of a callback.
    pub(super) fn spend_tokenless(&self) -> Result<(), ApiError> {
        let taken = locked(&self.tokenless).take(Timestamp::now());
        taken.map_err(|free_at| ApiError::TokenlessBudget { free_at })
    }

    /// After one whose token WeCom did not accept.
    pub(super) fn note_wrong_token(&self) {
        locked(&self.tokenless).note(Timestamp::now());
    }

    async fn attempt(&self, request: Request<'_>, token: &AccessToken) -> Attempted {
        persistently(request.may_be_repeated(), || self.exchange(request, token)).await
    }

    async fn exchange(&self, request: Request<'_>, token: &AccessToken) -> Result<Answer, ExchangeFailure> {
        let (call, url) = (request.api.name(), self.address(request, token));
        match request.api.method() {
            Method::Get => self.transport.get(call, url).await,
            Method::Post => self.transport.post(call, url, request.body.unwrap_or("{}")).await,
        }
    }

    /// The address with the token in its query: for the wire only.
    fn address(&self, request: Request<'_>, token: &AccessToken) -> Url {
        let mut url = self.api_base.join(&request.api.path());
        let mut query = url.query_pairs_mut();
        query.append_pair("access_token", token.token.expose_secret());
        if request.api.takes_agent_id() {
            query.append_pair("agentid", &self.agent_id.to_string());
        }
        query.extend_pairs(request.query);
        drop(query);
        url
    }

    /// The answer or the error, and what it means for the gate.
    fn settle(&self, api: Api, attempted: Attempted) -> Result<Value, ApiError> {
        let after_unclear_attempt = attempted.after_unclear;
        let answer = attempted.result.map_err(|failure| ApiError::Failed { api, failure })?;
        let mut gates = locked(&self.gates);
        match answer {
            Ok(answer) => {
                if gates.open(api) {
                    self.metrics.gate(&self.app, api.name(), None);
                }
                Ok(answer)
            }
            Err(refusal) if codes::handling(refusal.code) == Handling::Wait => {
                let until = gates.close(api, refusal.code, Timestamp::now());
                self.metrics.gate_closed(api.name());
                self.metrics.gate(&self.app, api.name(), Some(until));
                Err(ApiError::GateClosed {
                    api,
                    code: refusal.code,
                    until,
                })
            }
            Err(refusal) => Err(ApiError::Refused {
                api,
                refusal,
                after_unclear_attempt,
            }),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Client");
        shown.field("app", &self.app).field("api_base", &self.api_base);
        shown.finish_non_exhaustive()
    }
}

impl Request<'_> {
    /// Whether the call may be made again after nobody knows what.
    fn may_be_repeated(self) -> bool {
        match self.api.repetition() {
            Repetition::Safe => true,
            Repetition::SafeWithMessageId => self.body.is_some_and(has_message_id),
            Repetition::Unsafe => false,
        }
    }
}

fn has_message_id(body: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Identified {
        msgid: String,
    }
    serde_json::from_str::<Identified>(body).is_ok_and(|body| !body.msgid.is_empty())
}

fn is_rejected_token(attempted: &Attempted) -> bool {
    let Ok(Err(refusal)) = &attempted.result else {
        return false;
    };
    codes::handling(refusal.code) == Handling::RefreshToken
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer as what the call documents. Why it is not is not said: it could repeat content.
pub(super) fn read<T: DeserializeOwned>(api: Api, answer: Value) -> Result<T, ApiError> {
    serde_json::from_value(answer).map_err(|_| malformed(api, "fields are missing or of another kind"))
}

pub(super) fn malformed(api: Api, what: &'static str) -> ApiError {
    let failure = ExchangeFailure::Malformed(what);
    ApiError::Failed { api, failure }
}
