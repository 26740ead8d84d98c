//! The simulator's listener: the chat page, the API of the platform, and the control addresses.

mod calls;
mod chat;
mod control;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::{Server, Service, ServiceRequest};
use actix_web::http::header::HOST;
use actix_web::middleware::DefaultHeaders;
use actix_web::web::{self, Data, JsonConfig, PayloadConfig, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use serde::Serialize;

use super::platform::Simulator;

/// Longest request that is read.
const LARGEST_REQUEST: usize = 1024 * 1024;

/// Nothing but the page's own files may be loaded, and nobody may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Simulator {
    /// Starts serving on a bound listener. With a bot in the same program, signals are better left to the bot's own server.
    ///
    /// # Errors
    ///
    /// When the listener cannot be used.
    pub fn serve(self: &Arc<Self>, listener: TcpListener, handle_signals: bool) -> std::io::Result<Server> {
        let simulator: Data<Self> = Data::from(Arc::clone(self));
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
        .app_data(PayloadConfig::new(LARGEST_REQUEST))
        .app_data(JsonConfig::default().limit(LARGEST_REQUEST).error_handler(refuse))
        .configure(chat::configure)
        .configure(calls::configure)
        .configure(control::configure)
        .default_service(web::to(|| async {
            HttpResponse::NotFound().json(Problem {
                problem: "没有这个地址".to_owned(),
            })
        }));
}

/// A page elsewhere could point a name of its own at this machine; such requests name another host. The API asks for a secret instead, and
/// a bot in another container calls this machine by another name.
fn is_for_this_machine(request: &ServiceRequest) -> bool {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let host = host.unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    matches!(host, "127.0.0.1" | "localhost" | "[::1]") || request.path().starts_with(calls::PREFIX)
}

#[derive(Serialize)]
struct Problem {
    problem: String,
}
