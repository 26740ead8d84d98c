//! How the server is: alive, ready, and in figures.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::Data;
use jiff::Timestamp;

use super::error;
use super::state::ServerState;
use crate::metrics::{Account, Queue};
use crate::store::Figures;

/// Whoever reads the figures gets what there is after that, even if the store hangs.
const FIGURES_TIMEOUT: Duration = Duration::from_secs(3);

/// Alive means: the loop answers.
pub(super) async fn alive() -> HttpResponse {
    plain("ok\n".to_owned())
}

/// Ready means: a message could be made durable now, and messages are still wanted. The knowledge is loaded before anything is served.
pub(super) async fn ready(state: Data<ServerState>) -> HttpResponse {
    let failing: Vec<&str> = checks(&state)
        .await
        .into_iter()
        .filter(|(_, holds)| !holds)
        .map(|(check, _)| check)
        .collect();
    match failing.is_empty() {
        true => plain("ready\n".to_owned()),
        false => error::not_ready(&failing),
    }
}

/// Everything that is counted, and how things stand.
pub(super) async fn metrics(state: Data<ServerState>) -> HttpResponse {
    let (service, metrics) = (state.service(), state.metrics());
    let knowledge = service.assistant();
    let is_refused = !knowledge.followed().borrow().refusal.is_empty();
    metrics.state().knowledge(&knowledge.get().version, is_refused);
    if let Some(database) = state.database() {
        metrics.state().disk(database);
        metrics.state().database(database);
    }
    for (check, holds) in checks(&state).await {
        metrics.state().ready(check, holds);
    }
    match tokio::time::timeout(FIGURES_TIMEOUT, service.store().figures()).await {
        Ok(Ok(figures)) => show(&state, figures),
        Ok(Err(error)) => tracing::warn!(%error, "the store has no figures"),
        Err(_) => tracing::warn!("the store has no figures in time"),
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(metrics.as_text())
}

async fn checks(state: &ServerState) -> [(&'static str, bool); 2] {
    let stored = state.probe().await;
    if let Err(error) = &stored {
        tracing::warn!(%error, "not ready");
    }
    [
        ("store", stored.is_ok()),
        ("accepting", !state.draining().is_announced()),
    ]
}

fn show(state: &ServerState, figures: Figures) {
    let (now, shown) = (Timestamp::now(), state.metrics().state());
    let inbox = Queue {
        waiting: figures.waiting,
        dead: figures.dead_received,
        oldest: figures.oldest_waiting,
    };
    let outbox = Queue {
        waiting: figures.unsent,
        dead: figures.dead_sends,
        oldest: figures.oldest_due,
    };
    shown.queues(inbox, outbox, now);
    let accounts = figures.accounts.into_iter().map(|account| Account {
        app: account.account.app,
        open_kf_id: account.account.open_kf_id,
        pulled_at: account.pulled_at,
        has_news: account.has_news,
    });
    shown.accounts(&accounts.collect::<Vec<Account>>(), now);
}

fn plain(text: String) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::plaintext()).body(text)
}
