//! The callback path: `GET` verifies the URL, `POST` brings a message (doc/90930).

use std::time::Duration;

use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ContentType, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use simdutf8::basic::from_utf8;

use super::body::{BodyError, read_body};
use super::course::Course;
use super::error::Refusal;
use super::fate::Fate;
use super::fresh::fresh;
use super::limiting::forwarded;
use super::reason::Reason;
use super::source::Passage;
use super::state::ServerState;
use crate::config::App;
use crate::failpoint::failpoint;
use crate::protocol::{
    ActivityChange, Content, Credentials, DecryptError, Envelope, Event, IncomingMessage, Opened, SignedQuery,
    VerificationQuery, WireFormat, is_echo, seal_reply,
};
use crate::service::Outcome;
use crate::store::StoreError;

/// How long settling may take. WeCom waits five seconds; what is settled later is there for the next delivery.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Why a request was refused, with what only the log tells.
struct Refused {
    reason: Reason,
    detail: String,
}

impl Refused {
    fn new(reason: Reason, detail: impl ToString) -> Self {
        let detail = detail.to_string();
        Self { reason, detail }
    }
}

/// Everything below `/callback`: what is sent to an app's address, and what is sent beside it.
pub(super) async fn called(
    request: ServiceRequest,
    state: Data<ServerState>,
) -> Result<ServiceResponse, actix_web::Error> {
    let (request, payload) = request.into_parts();
    let response = dispatched(&request, payload, &state).await;
    Ok(ServiceResponse::new(request, response))
}

async fn dispatched(request: &HttpRequest, payload: Payload, state: &ServerState) -> HttpResponse {
    let rest = request.match_info().unprocessed();
    let name = rest
        .strip_prefix('/')
        .filter(|name| !name.is_empty() && !name.contains('/'));
    let Some(name) = name else {
        return refuse_address(state, request, rest);
    };
    match (request.method(), state.app(name)) {
        (&Method::POST, Some(app)) => receive(app, request, payload, state).await,
        (&Method::GET, Some(app)) => verify_url(app, request, state),
        (&Method::POST | &Method::GET, None) => refuse_address(state, request, name),
        _ => refuse_method(state, request, name),
    }
}

/// `GET /callback/{app}`: the console checks that the URL is ours by having us decrypt a text.
fn verify_url(app: &App, request: &HttpRequest, state: &ServerState) -> HttpResponse {
    match verified(app, request.query_string(), state.timestamp_window_seconds()) {
        Ok(opened) => {
            state.count(Fate::Verified);
            tracing::info!(app = app.name, "verified");
            state.note_set(app, opened.set);
            state.notes().note_genuine(app, request, || passage(state, request));
            HttpResponse::Ok()
                .insert_header(ContentType::plaintext())
                .body(opened.plaintext)
        }
        Err(refused) => refuse(state, app, request, (&refused, None)),
    }
}

/// `POST /callback/{app}`: a message or event.
async fn receive(app: &App, request: &HttpRequest, payload: Payload, state: &ServerState) -> HttpResponse {
    let body = body_of(request, payload).await;
    let mut course = Course::begun();
    let body = match body {
        Ok(body) => body,
        Err(refused) => return refuse(state, app, request, (&refused, None)),
    };
    let genuine = match opened(app, request.query_string(), &body, state.timestamp_window_seconds()) {
        Ok(genuine) => genuine,
        Err(refused) => return refuse(state, app, request, (&refused, Some(body.clone()))),
    };
    state.notes().note_genuine(app, request, || passage(state, request));
    failpoint!("after_verify");
    state.note_set(app, genuine.opened.set);
    let (fate, response) = answered(state, app, &genuine, &mut course).await;
    failpoint!("before_answer");
    state.count(fate);
    course.tell(app, fate, state.metrics());
    response
}

fn verified<'a>(app: &'a App, query: &str, window: i64) -> Result<Opened<'a>, Refused> {
    let query = VerificationQuery::parse(query).map_err(|error| Refused::new(Reason::Query, error))?;
    let opened = decrypted(app, &query.signed, &query.echo, window)?;
    match is_echo(&opened.plaintext) {
        true => Ok(opened),
        false => {
            let detail = "the echostr is a message; somebody tries to have it decrypted";
            Err(Refused::new(Reason::Echo, detail))
        }
    }
}

async fn body_of(request: &HttpRequest, payload: Payload) -> Result<Bytes, Refused> {
    if request.headers().contains_key(CONTENT_ENCODING) {
        let detail = "the body has a Content-Encoding; a proxy's doing?";
        return Err(Refused::new(Reason::ContentEncoding, detail));
    }
    read_body(payload).await.map_err(|error| match error {
        BodyError::TooLarge => Refused::new(Reason::BodySize, error),
        BodyError::TooSlow => Refused::new(Reason::BodyTime, error),
        BodyError::Broken(_) => Refused::new(Reason::Body, error),
    })
}

/// A callback of WeCom.
struct Genuine<'a> {
    format: WireFormat,
    opened: Opened<'a>,
}

fn opened<'a>(app: &'a App, query: &str, body: &[u8], window: i64) -> Result<Genuine<'a>, Refused> {
    let body = from_utf8(body).map_err(|_| Refused::new(Reason::Body, "the body is not UTF-8"))?;
    let query = SignedQuery::parse(query).map_err(|error| Refused::new(Reason::Query, error))?;
    let envelope = Envelope::parse(body).map_err(|error| Refused::new(Reason::Envelope, error))?;
    Ok(Genuine {
        format: envelope.format,
        opened: decrypted(app, &query, &envelope.encrypted, window)?,
    })
}

/// Signature first, then the time stamp it covers, then the content.
fn decrypted<'a>(app: &'a App, query: &SignedQuery, ciphertext: &str, window: i64) -> Result<Opened<'a>, Refused> {
    let signers = app.credentials.signers(query, ciphertext);
    let signers =
        signers.ok_or_else(|| Refused::new(Reason::Signature, "signed with another Token, or changed on the way"))?;
    let now = Timestamp::now().as_second();
    if !query.timestamp.is_within(window, now) {
        let away = query.timestamp.value().saturating_sub(now);
        let detail = format!("is {away} s away from this machine's clock; is the clock right?");
        return Err(Refused::new(Reason::Timestamp, detail));
    }
    signers.open(ciphertext).map_err(|error| match error {
        DecryptError::ReceiveId => Refused::new(Reason::ReceiveId, error),
        _ => Refused::new(Reason::Decryption, error),
    })
}

/// Settles a genuine message. Only what could not be stored is an error to WeCom, because only then a repeated delivery helps.
async fn answered(state: &ServerState, app: &App, genuine: &Genuine<'_>, course: &mut Course) -> (Fate, HttpResponse) {
    let (format, plaintext) = (genuine.format, genuine.opened.plaintext.as_str());
    let parsed = IncomingMessage::parse(plaintext);
    course.opened();
    let message = match parsed {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(app = app.name, %error, "genuine, but unreadable; see `jiefeng messages list`");
            let keeping = state.service().keep_unreadable(app, plaintext);
            return match tokio::time::timeout(SETTLE_TIMEOUT, keeping).await {
                Ok(Ok(())) => (Fate::Unreadable, acknowledgement()),
                Ok(Err(error)) => not_stored(app, &error),
                Err(_) => stored_too_slowly(app),
            };
        }
    };
    warn_about_agent(app, &message);
    if let Content::Event(Event::Activity { change, effective_at }) = &message.content {
        tell_operator(app, *change, effective_at.unwrap_or(message.created_at));
    }
    if let Content::Event(Event::KfMessageOrEvent { token, open_kf_id }) = &message.content {
        let called_at = Timestamp::from_second(message.created_at).unwrap_or_default();
        let noted = noted(state, app, (open_kf_id, token), called_at).await;
        course.stored();
        return noted;
    }
    if let Content::Event(Event::Unknown { event, .. }) = &message.content
        && event == "kf_account_auth_change"
    {
        state.service().list_kf_accounts();
        return (Fate::Acknowledged, acknowledgement());
    }
    let delivery = course.delivery().clone();
    let settling = state.service().take(app, &message, plaintext, format, delivery);
    let settled = tokio::time::timeout(SETTLE_TIMEOUT, settling).await;
    course.stored();
    match settled {
        Err(_) => {
            course.delivery().declare_late();
            stored_too_slowly(app)
        }
        Ok(Err(error)) => not_stored(app, &error),
        Ok(Ok(Outcome::Acknowledged)) => (Fate::Acknowledged, acknowledgement()),
        Ok(Ok(Outcome::Unknown(kind))) => {
            tracing::info!(app = app.name, kind = ?kind, "of a kind that is not known");
            (Fate::Unknown, acknowledgement())
        }
        Ok(Ok(Outcome::Reply { plaintext, repeated })) => {
            let fate = if repeated { Fate::Repeated } else { Fate::Answered };
            let reply = sealed(genuine.opened.set.credentials(), format, &plaintext);
            course.sealed();
            reply.map_or((Fate::Failed, Refusal::CannotStore.response()), |reply| (fate, reply))
        }
    }
}

fn not_stored(app: &App, error: &StoreError) -> (Fate, HttpResponse) {
    tracing::error!(app = app.name, %error, "not stored; WeCom will deliver the message again");
    (Fate::Failed, Refusal::CannotStore.response())
}

fn stored_too_slowly(app: &App) -> (Fate, HttpResponse) {
    tracing::error!(app = app.name, "the store took too long; WeCom will deliver it again");
    (Fate::Failed, Refusal::CannotStore.response())
}

/// 微信客服 has news: that is all a callback says, and all that is done before it is answered.
async fn noted(
    state: &ServerState,
    app: &App,
    (open_kf_id, token): (&str, &str),
    called_at: Timestamp,
) -> (Fate, HttpResponse) {
    if !app.kf {
        tracing::warn!(
            app = app.name,
            open_kf_id,
            "an event of 微信客服, which this app does not serve; set kf = true"
        );
        return (Fate::Acknowledged, acknowledgement());
    }
    let noting = state.service().fetch_kf_messages(app, open_kf_id, token, called_at);
    match tokio::time::timeout(SETTLE_TIMEOUT, noting).await {
        Ok(Ok(())) => (Fate::Acknowledged, acknowledgement()),
        Ok(Err(error)) => {
            tracing::error!(app = app.name, %error, "not stored; WeCom will deliver the event again");
            (Fate::Failed, Refusal::CannotStore.response())
        }
        Err(_) => stored_too_slowly(app),
    }
}

/// The reply, encrypted and signed with what is new for this response; `None` when the clock is wrong by centuries.
fn sealed(credentials: &Credentials, format: WireFormat, plaintext: &str) -> Option<HttpResponse> {
    let body = seal_reply(credentials, format, plaintext, &fresh()?);
    let content_type = match format {
        WireFormat::Xml => HeaderValue::from_static("text/xml; charset=utf-8"),
        WireFormat::Json => HeaderValue::from_static("application/json"),
    };
    Some(
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, content_type))
            .body(body),
    )
}

/// A message of another app under this app's credentials is answered all the same; sending later on would fail.
fn warn_about_agent(app: &App, message: &IncomingMessage) {
    if let Some(agent_id) = &message.agent_id
        && *agent_id != app.agent_id.to_string()
    {
        let (found, configured) = (agent_id.as_str(), app.agent_id);
        tracing::warn!(
            app = app.name,
            found,
            configured,
            "the message is for another agent_id than the configured one"
        );
    }
}

/// What WeCom does with an app that is hardly used decides whether the bot works, and nobody else hears of it.
fn tell_operator(app: &App, change: ActivityChange, at: i64) {
    let meaning = match change {
        ActivityChange::InactiveAlert => "WeCom will suspend the app because nobody uses it",
        ActivityChange::LowActiveAlert => "WeCom will restrict the app because hardly anybody uses it",
        ActivityChange::CloseInactive => {
            "WeCom has suspended the app because nobody used it; enable it in the admin console"
        }
        ActivityChange::ReopenInactive => "WeCom has restored the app after a suspension",
        ActivityChange::LowActive => "WeCom has restricted the app because hardly anybody uses it",
        ActivityChange::Restored => "WeCom has lifted the app's restriction",
    };
    let at = Timestamp::from_second(at).unwrap_or_default();
    tracing::warn!(app = app.name, event = change.name(), %at, "{meaning}");
}

fn acknowledgement() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// How a request came.
fn passage(state: &ServerState, request: &HttpRequest) -> Passage {
    let peer = request.peer_addr().map(|address| address.ip());
    Passage::of(peer, &forwarded(request.headers()), state.trusted_proxies())
}

fn refuse(
    state: &ServerState,
    app: &App,
    request: &HttpRequest,
    (refused, body): (&Refused, Option<Bytes>),
) -> HttpResponse {
    let came = passage(state, request);
    state
        .notes()
        .note_refused(&app.name, request, (refused.reason, body), came);
    tracing::warn!(
        app = app.name,
        reason = refused.reason.name(),
        detail = refused.detail,
        "refused"
    );
    refusal(state, refused.reason)
}

/// Any other method on the path of a callback.
fn refuse_method(state: &ServerState, request: &HttpRequest, name: &str) -> HttpResponse {
    let came = passage(state, request);
    state.notes().note_refused(name, request, (Reason::Method, None), came);
    tracing::warn!(method = ?shortened(request.method().as_str()), "refused: callbacks come by GET and POST");
    refusal(state, Reason::Method)
}

/// Any other path. A callback that comes here was sent to an address of another shape.
pub(super) async fn refuse_elsewhere(request: HttpRequest, state: Data<ServerState>) -> HttpResponse {
    if request.query_string().contains("msg_signature=") {
        let came = passage(&state, &request);
        state
            .notes()
            .note_refused(request.path(), &request, (Reason::Address, None), came);
    }
    Refusal::NotFound.response()
}

fn refuse_address(state: &ServerState, request: &HttpRequest, name: &str) -> HttpResponse {
    let came = passage(state, request);
    state.notes().note_refused(name, request, (Reason::Address, None), came);
    tracing::warn!(name = ?shortened(name), "refused: the address names no configured app");
    refusal(state, Reason::Address)
}

fn refusal(state: &ServerState, reason: Reason) -> HttpResponse {
    state.count_refusal(reason);
    reason.refusal().response()
}

/// For what comes from outside and goes into the log, with `?`: Debug escapes what could look like another line.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
