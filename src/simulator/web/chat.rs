//! The addresses behind the chat page.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, Query, ServiceConfig};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::protocol::UserId;
use crate::simulator::callbacks::{Delivered, Verification};
use crate::simulator::page::PAGE_FILES;
use crate::simulator::plaintext::MessageKind;
use crate::simulator::platform::Simulator;

/// The page's files and what they ask for.
pub(super) fn configure(routes: &mut ServiceConfig) {
    for file in &PAGE_FILES {
        let answer = async || HttpResponse::Ok().content_type(file.content_type).body(file.body);
        routes.route(file.path, web::get().to(answer));
    }
    routes
        .route("/api/info", web::get().to(info))
        .route("/api/history", web::get().to(history))
        .route("/api/enter", web::post().to(enter))
        .route("/api/messages", web::post().to(send));
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
    let verification = simulator.verify_url().await;
    let callback_url = simulator.callback_url();
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
    let delivered = simulator.member_enters(&user).await;
    answer(&simulator, user, None, "", delivered).await
}

async fn send(simulator: Data<Simulator>, sending: Json<Sending>) -> HttpResponse {
    let Some(user) = UserId::parse(&sending.user) else {
        return no_such_user();
    };
    let delivered = simulator.member_writes(&user, sending.kind, &sending.text).await;
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
