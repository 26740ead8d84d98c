//! The chat page and the few addresses behind it, for this machine's browser only.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::{Server, Service, ServiceRequest};
use actix_web::http::header::{HOST, HeaderName};
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, Data, Json, JsonConfig, Query, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::history::History;
use super::page::PAGE_FILES;
use super::platform::{Delivered, MessageKind, Platform, Verification};
use crate::protocol::UserId;
use crate::store::BoxFuture;

/// Longest text that can be sent.
const LARGEST_REQUEST: usize = 64 * 1024;

/// Nothing but the page's own files may be loaded, and nobody may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Tells how the bot understood a message, where the simulator runs beside it.
pub trait DecisionLookup: Send + Sync {
    /// The decision about a message, as JSON; `None` when nothing is known.
    fn decision(&self, plaintext: String) -> BoxFuture<'_, Option<serde_json::Value>>;
}

/// For a bot elsewhere: nothing is known of its decisions.
pub struct NoDecisions;

impl DecisionLookup for NoDecisions {
    fn decision(&self, _plaintext: String) -> BoxFuture<'_, Option<serde_json::Value>> {
        Box::pin(async { None })
    }
}

struct Simulator {
    platform: Platform,
    decisions: Box<dyn DecisionLookup>,
    app: String,
    user: String,
    history: History,
}

/// Starts serving the chat page on a bound listener. Signals are left to the bot's own server.
///
/// # Errors
///
/// When the listener cannot be used.
pub fn serve(
    listener: TcpListener,
    platform: Platform,
    app: String,
    user: String,
    decisions: Box<dyn DecisionLookup>,
    handle_signals: bool,
) -> std::io::Result<Server> {
    let simulator: Data<Simulator> = Data::from(Arc::new(Simulator {
        platform,
        decisions,
        app,
        user,
        history: History::default(),
    }));
    let server = HttpServer::new(move || {
        let simulator = simulator.clone();
        let headers = DefaultHeaders::new()
            .add(("Content-Security-Policy", CONTENT_SECURITY_POLICY))
            .add(("X-Content-Type-Options", "nosniff"))
            .add(("Referrer-Policy", "no-referrer"))
            .add(("Cache-Control", "no-store"));
        App::new()
            .wrap_fn(|request, service| {
                let allowed = is_for_this_machine(&request);
                let answer = service.call(request);
                async move {
                    match allowed {
                        true => answer.await,
                        false => Err(actix_web::error::ErrorForbidden("only for this machine's browser")),
                    }
                }
            })
            .wrap(headers)
            .configure(move |routes| configure(routes, simulator))
    })
    .workers(1)
    .shutdown_timeout(1);
    let server = if handle_signals {
        server
    } else {
        server.disable_signals()
    };
    Ok(server.listen(listener)?.run())
}

fn configure(routes: &mut ServiceConfig, simulator: Data<Simulator>) {
    let refuse = |_, _: &_| {
        let refused = HttpResponse::BadRequest().json(Problem {
            problem: "请求格式不对".to_owned(),
        });
        actix_web::error::InternalError::from_response("malformed request", refused).into()
    };
    routes
        .app_data(simulator)
        .app_data(JsonConfig::default().limit(LARGEST_REQUEST).error_handler(refuse));
    for file in &PAGE_FILES {
        let answer = async || HttpResponse::Ok().content_type(file.content_type).body(file.body);
        routes.route(file.path, web::get().to(answer));
    }
    routes
        .route("/api/info", web::get().to(info))
        .route("/api/history", web::get().to(history))
        .route("/api/enter", web::post().to(enter))
        .route("/api/messages", web::post().to(send))
        .default_service(web::to(|| async {
            HttpResponse::NotFound().json(Problem {
                problem: "没有这个地址".to_owned(),
            })
        }));
}

/// A page elsewhere could point a name of its own at this machine; such requests name another host.
fn is_for_this_machine(request: &ServiceRequest) -> bool {
    let names = |name: &HeaderName| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let host = names(&HOST).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host.as_str(), |(host, _)| host);
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

#[derive(Serialize)]
struct Problem {
    problem: String,
}

#[derive(Serialize)]
struct Info<'a> {
    app: &'a str,
    /// Who wrote last, else who writes when nothing else is said.
    user: &'a str,
    callback_url: &'a str,
    verification: Verification,
}

#[derive(Deserialize)]
struct Entering {
    user: String,
}

#[derive(Deserialize)]
struct Sending {
    user: String,
    kind: MessageKind,
    #[serde(default)]
    text: String,
}

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    delivered: Delivered,
    decision: Option<serde_json::Value>,
}

/// What was sent and what came of it, for showing it again. Without a kind, the member opened the conversation.
#[derive(Serialize)]
struct Exchange<'a> {
    kind: Option<MessageKind>,
    text: &'a str,
    /// When, in milliseconds since 1970.
    at: i64,
    answer: &'a serde_json::Value,
}

async fn info(simulator: Data<Simulator>) -> HttpResponse {
    let verification = simulator.platform.verify_url().await;
    let callback_url = simulator.platform.callback_url();
    let latest = simulator.history.latest_user();
    HttpResponse::Ok().json(Info {
        app: &simulator.app,
        user: latest.as_ref().map_or(&simulator.user, UserId::as_str),
        callback_url,
        verification,
    })
}

async fn history(simulator: Data<Simulator>, of: Query<Entering>) -> HttpResponse {
    match UserId::parse(&of.user) {
        Some(user) => HttpResponse::Ok().json(simulator.history.of(&user)),
        None => no_such_user(),
    }
}

async fn enter(simulator: Data<Simulator>, entering: Json<Entering>) -> HttpResponse {
    let Some(user) = UserId::parse(&entering.user) else {
        return no_such_user();
    };
    let delivered = simulator.platform.enter(&user).await;
    answer(&simulator, user, None, "", delivered).await
}

async fn send(simulator: Data<Simulator>, sending: Json<Sending>) -> HttpResponse {
    let Some(user) = UserId::parse(&sending.user) else {
        return no_such_user();
    };
    let delivered = simulator.platform.send(&user, sending.kind, &sending.text).await;
    answer(&simulator, user, Some(sending.kind), &sending.text, delivered).await
}

async fn answer(
    simulator: &Simulator,
    user: UserId,
    kind: Option<MessageKind>,
    text: &str,
    delivered: Delivered,
) -> HttpResponse {
    let at = Timestamp::now().as_millisecond();
    let decision = simulator
        .decisions
        .decision(delivered.wire.request_plaintext.clone())
        .await;
    let answer = serde_json::json!(Answer { delivered, decision });
    let answer = &answer;
    let exchange = serde_json::json!(Exchange { kind, text, at, answer });
    simulator.history.add(user, exchange);
    HttpResponse::Ok().json(answer)
}

fn no_such_user() -> HttpResponse {
    HttpResponse::BadRequest().json(Problem {
        problem: "成员账号只能是字母、数字和 _ - @ .".to_owned(),
    })
}
