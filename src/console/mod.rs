//! The admin console: server-rendered pages on a listener of their own.
//!
//! How to add a page: a file in [`pages`] with its routes, a template in `templates/`, its words in `words.toml`, and, if it stands in the
//! navigation, a line in [`navigation`]. A handler takes a [`visit::Visit`], which demands a role; a form is read by [`form::Posted`], which
//! checks that the console itself has shown it; and whatever is done is noted with [`visit::Visit::note`].

mod access;
mod assets;
mod chart;
mod days;
mod first_run;
mod form;
mod format;
mod frame;
mod guard;
mod masking;
mod navigation;
mod pages;
mod refusal;
mod state;
mod unanswered;
mod visit;
mod words;

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};

pub use access::{FirstLink, LINK_HOURS, first_link, password_link};
pub use first_run::{FirstRun, GivenBeforehand, RunningServer};
pub use state::{Console, ConsoleApp, Subject};

use refusal::Refusal;

/// The path of the first page; all others stand below it.
pub const ROOT: &str = "/console";

/// Nothing but the console's own files may be loaded, forms go nowhere else, and nobody may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'";

/// How long a request head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Open connections at most; a browser needs a few.
const CONNECTIONS: usize = 256;

/// Starts serving the console on a bound listener, with the pages of a first run beside it if there is one.
///
/// # Errors
///
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, console: Console, first_run: Option<FirstRun>) -> io::Result<Server> {
    let console = Data::new(console);
    actix_web::rt::spawn(count_ahead(console.clone()));
    let first_run = first_run.map(Data::new);
    serve_pages(listener, move |routes| {
        if let Some(first_run) = &first_run {
            routes.app_data(first_run.clone()).configure(first_run::configure);
        }
        routes.app_data(console.clone()).configure(pages::configure);
    })
}

/// Starts serving the pages of a first run while there is no console yet.
///
/// # Errors
///
/// When the listener cannot be used.
pub fn serve_first_run(listener: TcpListener, first_run: FirstRun) -> io::Result<Server> {
    let first_run = Data::new(first_run);
    serve_pages(listener, move |routes| {
        let start = web::get().to(|| async { refusal::see_other(first_run::PATH) });
        routes
            .app_data(first_run.clone())
            .configure(first_run::configure)
            .configure(pages::configure_language)
            .route(ROOT, start);
    })
}

fn serve_pages(
    listener: TcpListener,
    configure_pages: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        let configure_pages = configure_pages.clone();
        App::new()
            .wrap_fn(guard::guarding)
            .wrap(headers())
            .wrap_fn(|request, service| crate::http::closing(request, service, |_| false))
            .configure(configure_pages)
            .configure(configure)
    });
    let server = server
        .workers(1)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(1)
        .disable_signals();
    Ok(server.listen(listener)?.run())
}

/// Whoever looks first need not wait until a month is counted.
async fn count_ahead(console: Data<Console>) {
    let today = format::day_of(jiff::Timestamp::now());
    if let Err(error) = console.days.last(&*console.store, today, 30).await {
        tracing::debug!(%error, "the questions of the last days are counted when somebody looks");
    }
}

/// What every response has. Pages are not kept by anybody: they are confidential.
fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Content-Security-Policy", CONTENT_SECURITY_POLICY))
        .add(("X-Content-Type-Options", "nosniff"))
        // `no-referrer` would take the origin from forms as well, by which they are known for the console's own.
        .add(("Referrer-Policy", "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add(("Permissions-Policy", "camera=(), geolocation=(), microphone=()"))
        .add(("Cache-Control", "no-store"))
}

fn configure(routes: &mut ServiceConfig) {
    let start = web::get().to(|| async { refusal::see_other(ROOT) });
    routes
        .route("/", start)
        .configure(assets::configure)
        .default_service(web::to(|| async { Err::<&str, _>(Refusal::NotFound) }));
}
