//! The control addresses over HTTP: `POST` does something, `GET` reads, both by the same names.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::rt::time::sleep;
use actix_web::web::{self, Data, Json, Path, Query, ServiceConfig};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Problem;
use crate::simulator::control::ControlError;
use crate::simulator::platform::Simulator;

/// How often somebody who waits for news looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Values of a query that are numbers.
const NUMBERS: [&str; 1] = ["after"];

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/control/faults", web::delete().to(clear_faults))
        .route("/control/{action:.*}", web::post().to(act))
        .route("/control/{action:.*}", web::get().to(look));
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    wait: bool,
}

/// The body is JSON by its content type as well, so that a page elsewhere cannot send it without being asked first.
async fn act(
    action: Path<String>,
    waiting: Query<Waiting>,
    request: Json<Value>,
    simulator: Data<Simulator>,
) -> HttpResponse {
    let simulator = simulator.into_inner();
    answer(simulator.control(&action, request.into_inner(), waiting.wait).await)
}

async fn clear_faults(simulator: Data<Simulator>) -> HttpResponse {
    answer(simulator.into_inner().control("faults/clear", Value::Null, false).await)
}

/// Only what changes nothing can be read. `wait_ms` waits that long until there is a message to see.
async fn look(
    action: Path<String>,
    query: Query<BTreeMap<String, String>>,
    simulator: Data<Simulator>,
) -> HttpResponse {
    if !["seen", "accounts", "sessions", "counters", "clock", "limits", "faults"].contains(&action.as_str()) {
        return answer(Err(ControlError::Unknown(action.into_inner())));
    }
    let simulator = simulator.into_inner();
    let mut query = query.into_inner();
    let patience = query.remove("wait_ms").and_then(|millis| millis.parse().ok());
    let started = std::time::Instant::now();
    let patience = Duration::from_millis(patience.unwrap_or_default());
    let request = request_of(query);
    loop {
        let done = simulator.control(&action, request.clone(), false).await;
        let is_empty = done
            .as_ref()
            .is_ok_and(|done| done.get("messages").is_some_and(is_empty_list));
        if !is_empty || started.elapsed() >= patience {
            return answer(done);
        }
        sleep(LOOK_AGAIN).await;
    }
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// The query as a request; `null` when there is none.
fn request_of(query: BTreeMap<String, String>) -> Value {
    if query.is_empty() {
        return Value::Null;
    }
    let fields = query.into_iter().map(|(name, text)| {
        let number = text.parse::<u64>().ok().filter(|_| NUMBERS.contains(&name.as_str()));
        let value = number.map_or(Value::from(text), Value::from);
        (name, value)
    });
    Value::Object(fields.collect::<Map<String, Value>>())
}

fn answer(done: Result<Value, ControlError>) -> HttpResponse {
    match done {
        Ok(done) => HttpResponse::Ok().json(done),
        Err(error) => {
            let problem = Problem {
                problem: error.to_string(),
            };
            match error {
                ControlError::Unknown(_) => HttpResponse::NotFound().json(problem),
                ControlError::Malformed(_) => HttpResponse::BadRequest().json(problem),
                ControlError::Impossible(_) => HttpResponse::Conflict().json(problem),
            }
        }
    }
}
