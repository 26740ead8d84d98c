//! Why somebody does not get a page, and the page that says so.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, RETRY_AFTER};
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use askama::Template;

use super::frame::{Frame, encoded};
use crate::store::StoreError;
use crate::workshop::WorkshopError;

/// Why a request gets no proper answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody is signed in, or not any more; signing in leads back to this path.
    NotSignedIn { back: String },
    /// The role does not allow it.
    NotAllowed,
    /// The first run is another browser's, or the link is none.
    NotOwner,
    /// The form was not shown by this console, or in an earlier session.
    Foreign,
    /// There is no such page, message or user.
    NotFound,
    /// The form cannot be read.
    Malformed,
    /// Too many tries; seconds to wait.
    TooMany { wait: u64 },
    /// The store does not answer, or this machine cannot do it now.
    Unavailable,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

impl Refusal {
    fn word(&self) -> &'static str {
        match self {
            Self::NotSignedIn { .. } => "problem.signed-out",
            Self::NotAllowed => "problem.not-allowed",
            Self::NotOwner => "problem.not-owner",
            Self::Foreign => "problem.foreign",
            Self::NotFound => "problem.not-found",
            Self::Malformed => "problem.malformed",
            Self::TooMany { .. } => "problem.too-many",
            Self::Unavailable => "problem.unavailable",
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a page of the console could not be made");
        Self::Unavailable
    }
}

impl From<WorkshopError> for Refusal {
    fn from(error: WorkshopError) -> Self {
        tracing::warn!(%error, "the knowledge cannot be edited now");
        Self::Unavailable
    }
}

impl From<askama::Error> for Refusal {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a template of the console failed");
        Self::Unavailable
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotSignedIn { .. } => StatusCode::SEE_OTHER,
            Self::NotAllowed | Self::NotOwner | Self::Foreign => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Why an error of a handler or of reading its arguments refuses a request.
pub(super) fn of_error(error: &Error) -> Refusal {
    error.as_error::<Refusal>().cloned().unwrap_or(Refusal::Malformed)
}

/// To another page, which is fetched with GET.
pub(super) fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    status: u16,
    problem: &'static str,
}

/// The page that says why there is no other.
pub(super) fn page(request: &HttpRequest, refusal: &Refusal) -> HttpResponse {
    if let Refusal::NotSignedIn { back } = refusal {
        return see_other(&format!("/console/login?back={}", encoded(back)));
    }
    let frame = Frame::of(request);
    let (status, problem) = (refusal.status_code(), frame.t(refusal.word()));
    let page = ProblemPage {
        frame,
        status: status.as_u16(),
        problem,
    };
    let mut response = HttpResponse::build(status);
    if let Refusal::TooMany { wait } = refusal {
        response.insert_header((RETRY_AFTER, wait.to_string()));
    }
    match page.render() {
        Ok(html) => response.content_type("text/html; charset=utf-8").body(html),
        Err(_) => response.finish(),
    }
}
