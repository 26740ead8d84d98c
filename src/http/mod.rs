//! Routes, limits and the one place that makes error responses.

mod callback;
mod connection;
mod ending;
mod error;
mod limiting;
mod metrics;
mod reason;
mod source;
mod state;

use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_web::dev::{Server, ServiceResponse};
use actix_web::http::header::ContentType;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, HttpServer};

pub use ending::Ending;
pub use error::Refusal;
pub use metrics::{Fate, Metrics};
pub use reason::Reason;
pub use state::ServerState;

/// How long a request head may take to arrive, and how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long requests under way may still take after a stop signal; with the rest a stop takes less than 12 s.
const SHUTDOWN_SECONDS: u64 = 6;

/// How much is taken at once.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Worker threads; `None`: one a processor core.
    pub workers: Option<usize>,
    /// Open connections; more wait until others are closed.
    pub connections: usize,
}

/// Starts serving on a bound listener. The returned server is to be awaited; it runs until it is ended.
///
/// # Errors
///
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, state: ServerState, capacity: Capacity) -> std::io::Result<(Server, Ending)> {
    let state = Data::new(state);
    let draining = state.draining().clone();
    actix_web::rt::spawn(limiting::summarise(state.clone()));
    let workers = capacity
        .workers
        .or_else(|| std::thread::available_parallelism().ok().map(NonZeroUsize::get))
        .unwrap_or(1);
    let server = HttpServer::new(move || {
        let state = state.clone();
        actix_web::App::new()
            .wrap_fn(|request, service| connection::closing(request, service, is_kept))
            .configure(move |routes| configure(routes, state))
    })
    .workers(workers)
    .max_connections(capacity.connections.div_ceil(workers.max(1)))
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(HEAD_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals();
    let server = server.listen(listener)?.run();
    let handle = server.handle();
    Ok((server, Ending { handle, draining }))
}

/// Only for whoever has sent a genuine callback, and not once the end is announced: the next one shall go where it is still received.
fn is_kept(response: &ServiceResponse) -> bool {
    let state = response.request().app_data::<Data<ServerState>>();
    let is_draining = state.is_some_and(|state| state.draining().is_announced());
    !is_draining && response.status().is_success() && response.request().path().starts_with("/callback/")
}

fn configure(routes: &mut ServiceConfig, state: Data<ServerState>) {
    let callback = web::resource("/{app}")
        .route(web::get().to(callback::verify_url))
        .route(web::post().to(callback::receive))
        .default_service(web::to(callback::refuse_method));
    let callbacks = web::scope("/callback")
        .wrap_fn(limiting::limiting)
        .service(callback)
        .default_service(web::to(callback::refuse_path));
    routes
        .app_data(state)
        .service(callbacks)
        .route("/healthz", web::get().to(alive))
        .route("/readyz", web::get().to(ready))
        .route("/metrics", web::get().to(metrics))
        .default_service(web::to(|| async { Refusal::NotFound.response() }));
}

async fn alive() -> HttpResponse {
    plain("ok\n".to_owned())
}

/// Ready means: a message could be made durable now, and messages are still wanted.
async fn ready(state: Data<ServerState>) -> HttpResponse {
    if state.draining().is_announced() {
        return Refusal::Ending.response();
    }
    match state.probe().await {
        Ok(()) => plain("ready\n".to_owned()),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            Refusal::CannotStore.response()
        }
    }
}

async fn metrics(state: Data<ServerState>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics().as_text())
}

fn plain(text: String) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::plaintext()).body(text)
}
