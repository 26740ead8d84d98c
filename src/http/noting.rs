//! What came to the callback addresses, for whoever looks for a mistake afterwards.
//!
//! A handler only leaves word: a time and a number for what is genuine, the raw request for what was refused, which is one and the same
//! work for every refusal. What was most likely wrong is found out later by a task of its own, and only that is stored.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::{Bytes, Data};
use jiff::Timestamp;

use super::reason::Reason;
use super::source::Passage;
use super::state::ServerState;
use crate::config::App;
use crate::protocol::{Configured, CredentialSets, Envelope, Likely, RefusedCallback, diagnose};
use crate::store::SeenCallbacks;

/// Requests whose nonce begins like this are the doctor's own, and no word is left of them. Whoever imitates it hides only from the doctor.
pub const DOCTOR_NONCE: &str = "jiefeng-doctor-";

/// What is new is looked into and stored so often.
const EVERY: Duration = Duration::from_secs(2);

/// So many refused requests are kept until then; of a flood the first ones are as good as the others.
const MOST_REFUSED: usize = 32;

/// A longer query is no callback's.
const LONGEST_QUERY: usize = 8 * 1024 + 1;

/// Of a longer body only the reason is kept. Callbacks have a few KiB.
const LARGEST_BODY: usize = 32 * 1024;

/// What has come since it was last stored.
#[derive(Default)]
pub(super) struct Notes {
    genuine: BTreeMap<String, [Genuine; 2]>,
    refused: Mutex<Vec<Refused>>,
}

/// Callbacks of WeCom to one app by one method.
#[derive(Default)]
struct Genuine {
    count: AtomicU64,
    last_at: AtomicI64,
    passage: AtomicU8,
}

/// A refused request as it came.
struct Refused {
    address: String,
    method: &'static str,
    reason: Reason,
    passage: Passage,
    query: String,
    body: Option<Bytes>,
    at: Timestamp,
}

impl Notes {
    pub(super) fn of_apps<'a>(names: impl Iterator<Item = &'a String>) -> Self {
        Self {
            genuine: names.map(|name| (name.clone(), Default::default())).collect(),
            refused: Mutex::default(),
        }
    }

    /// A callback was WeCom's. How it came is looked at once for all that are stored together.
    pub(super) fn note_genuine(&self, app: &App, request: &HttpRequest, passage: impl FnOnce() -> Passage) {
        let Some([verifications, messages]) = self.genuine.get(&app.name) else {
            return;
        };
        if is_of_doctor(request.query_string()) {
            return;
        }
        let genuine = match *request.method() == Method::GET {
            true => verifications,
            false => messages,
        };
        genuine
            .last_at
            .store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
        if genuine.count.load(Ordering::Relaxed) == 0 {
            genuine.passage.store(passage() as u8, Ordering::Relaxed);
        }
        genuine.count.fetch_add(1, Ordering::Release);
    }

    /// A request to this address was refused.
    pub(super) fn note_refused(
        &self,
        address: &str,
        request: &HttpRequest,
        (reason, body): (Reason, Option<Bytes>),
        passage: Passage,
    ) {
        let query = request.query_string();
        let refused = Refused {
            address: address.chars().take(64).collect(),
            method: method_name(request.method()),
            reason,
            passage,
            query: query.get(..LONGEST_QUERY).unwrap_or(query).to_owned(),
            body: body.filter(|body| body.len() <= LARGEST_BODY),
            at: Timestamp::now(),
        };
        let mut kept = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_REFUSED && !is_of_doctor(query) {
            kept.push(refused);
        }
    }

    /// What has come, looked into; what was alike is one.
    fn take(&self, apps: &[(&str, &CredentialSets)], window: i64) -> Vec<SeenCallbacks> {
        let refused = std::mem::take(&mut *self.refused.lock().unwrap_or_else(PoisonError::into_inner));
        let refused = refused.iter().map(|refused| refused.looked_into(apps, window));
        let mut alike: BTreeMap<[String; 4], SeenCallbacks> = BTreeMap::new();
        for seen in self.take_genuine().chain(refused) {
            let key = [&seen.app, &seen.method, &seen.outcome, &seen.likely].map(String::clone);
            match alike.get_mut(&key) {
                Some(earlier) => {
                    *earlier = SeenCallbacks {
                        count: earlier.count.saturating_add(seen.count),
                        first_at: earlier.first_at,
                        ..seen
                    };
                }
                None => drop(alike.insert(key, seen)),
            }
        }
        alike.into_values().collect()
    }

    fn take_genuine(&self) -> impl Iterator<Item = SeenCallbacks> {
        let of_app = |(app, [verifications, messages]): (&String, &[Genuine; 2])| {
            [verifications.take(app, "GET"), messages.take(app, "POST")]
        };
        self.genuine.iter().flat_map(of_app).flatten()
    }
}

impl Genuine {
    fn take(&self, app: &str, method: &str) -> Option<SeenCallbacks> {
        let count = self.count.swap(0, Ordering::Acquire);
        let at = Timestamp::from_millisecond(self.last_at.load(Ordering::Relaxed)).unwrap_or_default();
        (count > 0).then(|| SeenCallbacks {
            app: app.to_owned(),
            method: method.to_owned(),
            outcome: SeenCallbacks::GENUINE.to_owned(),
            likely: String::new(),
            detail: String::new(),
            source: Passage::name_of(self.passage.load(Ordering::Relaxed)).to_owned(),
            count,
            first_at: at,
            last_at: at,
        })
    }
}

impl Refused {
    fn looked_into(&self, apps: &[(&str, &CredentialSets)], window: i64) -> SeenCallbacks {
        let called = apps.iter().map(|(name, _)| *name).find(|name| *name == self.address);
        let (likely, detail) = self.likely(apps, called, window);
        SeenCallbacks {
            app: called.unwrap_or_default().to_owned(),
            method: self.method.to_owned(),
            outcome: self.reason.name().to_owned(),
            likely: likely.to_owned(),
            detail,
            source: self.passage.name().to_owned(),
            count: 1,
            first_at: self.at,
            last_at: self.at,
        }
    }

    /// What is most likely wrong, by name, and what belongs to it.
    fn likely(&self, apps: &[(&str, &CredentialSets)], called: Option<&str>, window: i64) -> (&'static str, String) {
        if self.method == "other" {
            return ("method", String::new());
        }
        let body = self.body.as_deref().and_then(|body| std::str::from_utf8(body).ok());
        let envelope = body.and_then(|body| Envelope::parse(body).ok());
        let ciphertext = envelope.as_ref().map(|envelope| &*envelope.encrypted);
        // Without its body a message cannot be tried again.
        if self.method == "POST" && ciphertext.is_none() {
            return match (called, self.reason) {
                (None, _) => ("unknown_path", self.address.clone()),
                (_, Reason::Query) => ("query", String::new()),
                (_, reason) => ("body", reason.name().to_owned()),
            };
        }
        let refused = RefusedCallback {
            query: &self.query,
            ciphertext: ciphertext.filter(|_| self.method == "POST"),
            received_at: self.at.as_second(),
        };
        let found = diagnose(refused, Configured { apps, called, window });
        match found {
            Likely::UnknownPath => ("unknown_path", self.address.clone()),
            found => found.name_and_detail(),
        }
    }
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => "other",
    }
}

fn is_of_doctor(query: &str) -> bool {
    query.split('&').any(|pair| {
        pair.strip_prefix("nonce=")
            .is_some_and(|nonce| nonce.starts_with(DOCTOR_NONCE))
    })
}

/// Looks into what has come and stores what was found, now and then.
pub(super) async fn note_regularly(state: Data<ServerState>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let seen = state
            .notes()
            .take(&state.credential_sets(), state.timestamp_window_seconds());
        if seen.is_empty() {
            continue;
        }
        for alike in seen.iter().filter(|alike| !alike.is_genuine()) {
            tracing::warn!(
                app = alike.app,
                requests = alike.count,
                reason = alike.outcome,
                likely = alike.likely,
                detail = ?alike.detail,
                "refused requests, looked into; see `jiefeng doctor`"
            );
        }
        if let Err(error) = state.service().store().note_callbacks(seen).await {
            tracing::warn!(%error, "what came to the callback addresses could not be put on record");
        }
    }
}
