//! Forms that are sent.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::{Bytes, Query};
use actix_web::{FromRequest, HttpRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::access::{COOKIE, form_token, is_same};
use super::refusal::Refusal;

/// How long a form may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A form that this console has shown in the very session that sends it. Its template has `{% call form_token() %}`'s hidden field. It does
/// not look whether that session is still live; a [`super::visit::Visit`] beside it does.
pub(super) struct Posted<Form>(pub(super) Form);

/// A form of somebody who is not signed in yet. That it comes from a page of the console is all that is known of it (`guard`).
pub(super) struct OpenForm<Form>(pub(super) Form);

#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    form_token: String,
}

impl<Form: DeserializeOwned> FromRequest for Posted<Form> {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = request.cookie(COOKIE);
        let body = body(request, payload);
        Box::pin(async move {
            let body = body.await?;
            let Signed { form_token: sent } = read(&body)?;
            let session = session.ok_or(Refusal::Foreign)?;
            match is_same(&sent, &form_token(session.value())) {
                true => Ok(Self(read(&body)?)),
                false => Err(Refusal::Foreign),
            }
        })
    }
}

impl<Form: DeserializeOwned> FromRequest for OpenForm<Form> {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(request, payload);
        Box::pin(async move { Ok(Self(read(&body.await?)?)) })
    }
}

/// The body, up to 256 KiB of it, which is actix-web's limit.
fn body(request: &HttpRequest, payload: &mut Payload) -> impl Future<Output = Result<String, Refusal>> + use<> {
    let bytes = Bytes::from_request(request, payload);
    async move {
        let bytes = tokio::time::timeout(TIMEOUT, bytes).await;
        let bytes = bytes.map_err(|_| Refusal::Malformed)?.map_err(|_| Refusal::Malformed)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Refusal::Malformed)
    }
}

/// Forms are sent as queries are.
fn read<Form: DeserializeOwned>(body: &str) -> Result<Form, Refusal> {
    Ok(Query::<Form>::from_query(body)
        .map_err(|_| Refusal::Malformed)?
        .into_inner())
}
