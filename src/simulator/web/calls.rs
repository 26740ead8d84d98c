//! The API of the platform over HTTP.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::simulator::api::{Answer, Call, Method};
use crate::simulator::platform::Simulator;

/// Where all paths of the API begin.
pub(super) const PREFIX: &str = "/cgi-bin/";

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route("/cgi-bin/{path:.*}", web::to(answer));
}

async fn answer(
    request: HttpRequest,
    query: Query<BTreeMap<String, String>>,
    body: Bytes,
    simulator: Data<Simulator>,
) -> HttpResponse {
    let path = request.path().strip_prefix(PREFIX).unwrap_or_default();
    let call = Call {
        path: path.to_owned(),
        method: method_of(&request),
        query: query.into_inner(),
        body: body.to_vec(),
    };
    // A call is carried out to its end even if the caller hangs up, as on the platform; that is why it is a task of its own.
    let carried_out = actix_web::rt::spawn(async move { simulator.into_inner().call(call).await });
    match carried_out.await.unwrap_or(Answer::Status(500)) {
        Answer::Json(body) => HttpResponse::Ok().json(body),
        Answer::Status(status) => {
            HttpResponse::new(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE))
        }
        Answer::NoJson => HttpResponse::Ok()
            .content_type("application/json")
            .body("<html>{\"errcode\":"),
        Answer::Reset => HttpResponse::Ok().body(Broken),
    }
}

fn method_of(request: &HttpRequest) -> Method {
    match request.method().as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        _ => Method::Other,
    }
}

/// A body that fails at once, whereupon the connection is closed.
struct Broken;

impl MessageBody for Broken {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(64)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }
}
