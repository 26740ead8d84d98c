//! The addresses behind the chat page.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, Query, ServiceConfig};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use crate::protocol::UserId;
use crate::simulator::callbacks::{Delivered, Verification};
use crate::simulator::control::ControlError;
use crate::simulator::page::PAGE_FILES;
use crate::simulator::plaintext::MessageKind;
use crate::simulator::platform::Simulator;

/// The page's files and what they ask for.
pub(super) fn configure(routes: &mut ServiceConfig) {
    for file in PAGE_FILES {
        let answer = async || HttpResponse::Ok().content_type(file.content_type).body(file.body);
        routes.route(file.path, web::get().to(answer));
    }
    routes
        .route("/api/info", web::get().to(info))
        .route("/api/history", web::get().to(history))
        .route("/api/live", web::get().to(live))
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
    decision: Option<Value>,
}

/// What was sent and what came of it, for showing it again. Without a kind, the member opened the conversation.
#[derive(Serialize)]
struct Exchange<'a> {
    kind: Option<MessageKind>,
    text: &'a str,
    /// When, in milliseconds since 1970, by the platform's clock.
    at: i64,
    /// How many messages were on the member's phone before it: what the app sent meanwhile is shown after the reply.
    before: u64,
    answer: &'a Value,
}

/// Up to which message the page has shown each phone.
#[derive(Deserialize)]
struct Looking {
    user: String,
    user_after: u64,
    customer: Option<String>,
    #[serde(default)]
    customer_after: u64,
}

/// What is new since the page looked last.
#[derive(Serialize)]
struct Live {
    user: Value,
    customer: Value,
    accounts: Value,
    sessions: Value,
    clock: LiveClock,
}

/// Milliseconds since 1970.
#[derive(Serialize)]
struct LiveClock {
    /// What messages are dated by.
    platform: i64,
    /// What dates in answers count from.
    conversation: i64,
    next_reminder: Option<i64>,
    third_business_day: Option<i64>,
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

/// Everything that can change without the page, in one request.
async fn live(simulator: Data<Simulator>, looking: Query<Looking>) -> HttpResponse {
    let simulator = simulator.into_inner();
    match news(&simulator, &looking).await {
        Ok(live) => HttpResponse::Ok().json(live),
        Err(error) => HttpResponse::BadRequest().json(Problem {
            problem: error.to_string(),
        }),
    }
}

async fn news(simulator: &Arc<Simulator>, looking: &Looking) -> Result<Live, ControlError> {
    let read = async |what: &str, request: Value| simulator.control(what, request, false).await;
    let part = |mut whole: Value, name: &str| whole.get_mut(name).map(Value::take).unwrap_or_default();
    let customer = match &looking.customer {
        Some(customer) => read("seen", json!({"customer": customer, "after": looking.customer_after})).await?,
        None => Value::Null,
    };
    let platform = simulator.now();
    let calendar = simulator.companion.calendar(platform).await;
    Ok(Live {
        user: read("seen", json!({"member": looking.user, "after": looking.user_after})).await?,
        customer,
        accounts: part(read("accounts", Value::Null).await?, "accounts"),
        sessions: part(read("sessions", Value::Null).await?, "sessions"),
        clock: LiveClock {
            platform: platform.as_millisecond(),
            conversation: calendar.now.as_millisecond(),
            next_reminder: calendar.next_reminder.map(Timestamp::as_millisecond),
            third_business_day: calendar.third_business_day.map(Timestamp::as_millisecond),
        },
    })
}

async fn enter(simulator: Data<Simulator>, entering: Json<Entering>) -> HttpResponse {
    let Some(user) = UserId::parse(&entering.user) else {
        return no_such_user();
    };
    let before = simulator.newest_of_member(&user);
    let delivered = simulator.member_enters(&user).await;
    answer(&simulator, user, (None, ""), before, delivered).await
}

async fn send(simulator: Data<Simulator>, sending: Json<Sending>) -> HttpResponse {
    let Some(user) = UserId::parse(&sending.user) else {
        return no_such_user();
    };
    let before = simulator.newest_of_member(&user);
    let delivered = simulator.member_writes(&user, sending.kind, &sending.text).await;
    answer(&simulator, user, (Some(sending.kind), &sending.text), before, delivered).await
}

async fn answer(
    simulator: &Simulator,
    user: UserId,
    (kind, text): (Option<MessageKind>, &str),
    before: u64,
    delivered: Delivered,
) -> HttpResponse {
    let at = simulator.now().as_millisecond();
    let decision = simulator
        .companion
        .decision(delivered.wire.request_plaintext.clone())
        .await;
    let answer = json!(Answer { delivered, decision });
    let answer = &answer;
    let exchange = json!(Exchange {
        kind,
        text,
        at,
        before,
        answer
    });
    simulator.history.add(user, exchange);
    HttpResponse::Ok().json(answer)
}

fn no_such_user() -> HttpResponse {
    HttpResponse::BadRequest().json(Problem {
        problem: "成员账号只能是字母、数字和 _ - @ .".to_owned(),
    })
}
