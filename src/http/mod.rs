//! Routes, limits and the one place that makes error responses.

mod body;
mod callback;
mod connection;
mod course;
mod ending;
mod error;
mod fate;
mod fresh;
mod health;
mod limiting;
mod noting;
mod reason;
mod source;
mod state;

use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_web::dev::{Server, ServiceResponse, fn_service};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};

pub use body::{BodyError, read_body};
pub(crate) use connection::closing;
pub use ending::Ending;
pub use error::Refusal;
pub use fate::Fate;
pub use fresh::fresh;
pub(crate) use limiting::source_of;
pub use noting::DOCTOR_NONCE;
pub use reason::Reason;
pub use source::Source;
pub use state::ServerState;

use crate::service::kept_up;

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

/// Bound sockets to serve on.
#[derive(Debug)]
pub struct Listeners {
    /// For WeCom, and for whoever asks how the server is.
    pub callbacks: TcpListener,
    /// For whoever reads the figures, where they are not read from the other.
    pub metrics: Option<TcpListener>,
}

/// Starts serving. What is returned is to be awaited; it runs until it is ended.
///
/// # Errors
///
/// When a listener cannot be used.
pub fn serve(
    listeners: Listeners,
    state: ServerState,
    capacity: Capacity,
) -> io::Result<(impl Future<Output = io::Result<()>>, Ending)> {
    let state = Data::new(state);
    let draining = state.draining().clone();
    let summarising = state.clone();
    actix_web::rt::spawn(kept_up("summarising", state.metrics().clone(), move || {
        limiting::summarise(summarising.clone())
    }));
    let noting = state.clone();
    actix_web::rt::spawn(kept_up("noting", state.metrics().clone(), move || {
        noting::note_regularly(noting.clone())
    }));
    let (metrics, has_metrics) = match listeners.metrics {
        Some(listener) => (Some(serve_metrics(listener, state.clone())?), false),
        None => (None, true),
    };
    let workers = capacity
        .workers
        .or_else(|| std::thread::available_parallelism().ok().map(NonZeroUsize::get))
        .unwrap_or(1);
    let server = HttpServer::new(move || {
        let state = state.clone();
        App::new()
            .wrap_fn(|request, service| connection::closing(request, service, is_kept))
            .configure(move |routes| configure(routes, state, has_metrics))
    })
    .workers(workers)
    .max_connections(capacity.connections.div_ceil(workers.max(1)))
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(HEAD_TIMEOUT)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .listen(listeners.callbacks)?
    .run();
    let handles = std::iter::once(&server).chain(&metrics).map(Server::handle).collect();
    let serving = async move {
        match metrics {
            Some(metrics) => tokio::try_join!(server, metrics).map(drop),
            None => server.await,
        }
    };
    Ok((serving, Ending { handles, draining }))
}

/// Figures on a socket of their own, which the reverse proxy knows nothing of.
fn serve_metrics(listener: TcpListener, state: Data<ServerState>) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .route("/metrics", web::get().to(health::metrics))
            .default_service(web::to(|| async { Refusal::NotFound.response() }))
    });
    let server = server.workers(1).shutdown_timeout(1).disable_signals();
    Ok(server.listen(listener)?.run())
}

/// Only for whoever has sent a genuine callback, and not once the end is announced: the next one shall go where it is still received.
fn is_kept(response: &ServiceResponse) -> bool {
    let state = response.request().app_data::<Data<ServerState>>();
    let is_draining = state.is_some_and(|state| state.draining().is_announced());
    !is_draining && response.status().is_success() && response.request().path().starts_with("/callback/")
}

fn configure(routes: &mut ServiceConfig, state: Data<ServerState>, has_metrics: bool) {
    // The handler takes the path apart, and the request as it is: matching a pattern costs as much as decrypting, and so nearly does working
    // out each of a handler's arguments.
    let callbacks = web::scope("/callback")
        .wrap_fn(limiting::limiting)
        .default_service(fn_service({
            let state = state.clone();
            move |request| callback::called(request, state.clone())
        }));
    routes
        .app_data(state)
        .service(callbacks)
        .route("/healthz", web::get().to(health::alive))
        .route("/readyz", web::get().to(health::ready))
        .default_service(web::to(callback::refuse_elsewhere));
    if has_metrics {
        routes.route("/metrics", web::get().to(health::metrics));
    }
}
