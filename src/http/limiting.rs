//! Turns away who sends too much that is refused, before anything of the request is looked at.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName};
use actix_web::web::Data;
use actix_web::{Error, HttpRequest};
use tracing::Instrument;

use super::error::Refusal;
use super::reason::Reason;
use super::source::Source;
use super::state::ServerState;
use crate::config::Networks;

/// Where proxies note whom they pass on.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What was turned away is summed up in one line of the log so often.
const BETWEEN_SUMMARIES: Duration = Duration::from_secs(60);

/// Has a request answered, unless its source has sent too much that was refused.
pub(super) fn limiting<S>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    let state = request.app_data::<Data<ServerState>>().cloned();
    let source = state
        .as_ref()
        .and_then(|state| source_of(request.request(), state.trusted_proxies()));
    let counted = state.zip(source);
    let turned_away = counted
        .as_ref()
        .is_some_and(|(state, source)| turns_away(state, *source));
    let answer = match turned_away {
        true => Err(request.into_response(Refusal::TooMany.response())),
        false => Ok(service.call(request).instrument(named())),
    };
    async move {
        let response = match answer {
            Ok(answer) => answer.await?,
            Err(refused) => return Ok(refused),
        };
        if let Some((state, source)) = counted {
            note(&state, source, &response);
        }
        Ok(response)
    }
}

/// What is logged of one request has one name.
fn named() -> tracing::Span {
    let number: u32 = rand::random();
    tracing::error_span!("callback", request = format_args!("{number:08x}"))
}

/// Says now and then how much was turned away.
pub(super) async fn summarise(state: Data<ServerState>) {
    loop {
        tokio::time::sleep(BETWEEN_SUMMARIES).await;
        let requests = state.sources().take_turned_away();
        if requests > 0 {
            tracing::warn!(
                requests,
                "turned away within a minute: their senders had sent too much that was refused"
            );
        }
    }
}

/// What proxies noted of whom they pass on.
pub(super) fn forwarded(headers: &HeaderMap) -> Cow<'_, str> {
    let mut noted = headers
        .get_all(FORWARDED)
        .map(|value| Cow::Borrowed(value.to_str().unwrap_or_default()));
    let first = noted.next().unwrap_or_default();
    noted.fold(first, |all, next| Cow::Owned(format!("{all},{next}")))
}

/// Where a request comes from.
pub(crate) fn source_of(request: &HttpRequest, proxies: &Networks) -> Option<Source> {
    let peer = request.peer_addr().map(|address| address.ip());
    Source::of(peer, &forwarded(request.headers()), proxies)
}

fn turns_away(state: &ServerState, source: Source) -> bool {
    let turned_away = state.sources().turns_away(source, Instant::now());
    if turned_away {
        state.count_refusal(Reason::TooMany);
    }
    turned_away
}

/// What a response says of its source. That something could not be stored is no fault of the sender.
fn note(state: &ServerState, source: Source, response: &ServiceResponse) {
    let status = response.status();
    if status.is_client_error() {
        state.sources().note_refusal(source, Instant::now());
    } else if status.is_success() {
        state.sources().note_genuine(source, Instant::now());
    }
}
