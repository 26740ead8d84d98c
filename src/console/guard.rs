//! Before and after every page: requests of other sites are refused, and refusals become pages.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};

use super::refusal::{self, Refusal};

/// By which browsers say whether a request comes from a page of the same site.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Has a request answered, unless another site's page has sent it. Whatever is refused gets a page that says so.
pub(super) fn guarding<S, B>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = match changes && !is_own(request.headers()) {
        true => Err(request.error_response(Refusal::Foreign)),
        false => Ok(service.call(request)),
    };
    async move {
        let response = match answer {
            Ok(answer) => answer.await?.map_into_boxed_body(),
            Err(refused) => refused,
        };
        let refused = response.response().error().map(refusal::of_error);
        Ok(match refused {
            None => response,
            Some(refusal) => {
                let (request, _) = response.into_parts();
                let page = refusal::page(&request, &refusal);
                ServiceResponse::new(request, page)
            }
        })
    }
}

/// Whether a page of this console has sent the request. Old browsers, and all of them over plain HTTP, say only which host the page is from.
fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(FETCH_SITE), text(ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text(HOST)
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn is_own_with(headers: &[(HeaderName, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        is_own(&headers.collect())
    }

    #[test]
    fn only_pages_of_the_console_may_send_forms() {
        assert!(is_own_with(&[(FETCH_SITE, "same-origin")]));
        assert!(is_own_with(&[(HOST, "a:1"), (ORIGIN, "http://a:1")]));
        for foreign in [
            &[(FETCH_SITE, "cross-site"), (HOST, "a:1"), (ORIGIN, "http://a:1")][..],
            &[(FETCH_SITE, "same-site")],
            &[(FETCH_SITE, "none")],
            &[(HOST, "a:1"), (ORIGIN, "http://a:2")],
            &[(HOST, "a:1"), (ORIGIN, "null")],
            &[(ORIGIN, "http://a:1")],
            &[(HOST, "a:1")],
        ] {
            assert!(!is_own_with(foreign), "{foreign:?}");
        }
    }
}
