//! The only place that makes error responses. What went wrong exactly is for the log; the body tells a stranger nothing.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, ContentType};

/// Why a request gets no proper answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No app of this name, or no such path.
    NotFound,
    /// Neither GET nor POST.
    MethodNotAllowed,
    /// The query, body or envelope is not that of a callback.
    Malformed,
    /// The body is larger than 256 KiB.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// A content encoding, which WeCom never uses.
    Encoded,
    /// Signature, time stamp, decryption or receive id: not from WeCom, or another app's credentials. Which of them, only the log knows.
    NotGenuine,
    /// The source has sent too much that was refused.
    TooMany,
    /// The message could not be made durable; WeCom delivers it again.
    CannotStore,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Refusal; 9] = [
        Refusal::NotFound,
        Refusal::MethodNotAllowed,
        Refusal::Malformed,
        Refusal::TooLarge,
        Refusal::TooSlow,
        Refusal::Encoded,
        Refusal::NotGenuine,
        Refusal::TooMany,
        Refusal::CannotStore,
    ];

    /// The HTTP status of the response.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotGenuine => StatusCode::FORBIDDEN,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::CannotStore => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The response, with a body that is the same for every way to fail with this status.
    pub fn response(self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        if self == Self::MethodNotAllowed {
            response.insert_header((ALLOW, "GET, POST"));
        }
        let reason = self.status().canonical_reason().unwrap_or_default();
        response.insert_header(ContentType::plaintext()).body(reason)
    }
}

/// To whoever asks whether the server is ready: which checks say no.
pub(super) fn not_ready(failing: &[&str]) -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header(ContentType::plaintext())
        .body(format!("not ready: {}\n", failing.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_status() {
        let statuses: Vec<u16> = Refusal::ALL.iter().map(|refusal| refusal.status().as_u16()).collect();
        assert_eq!(statuses, [404, 405, 400, 413, 408, 415, 403, 429, 503]);
    }
}
