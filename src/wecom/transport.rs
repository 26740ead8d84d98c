//! One HTTP exchange with WeCom: a request out, a JSON object back, nothing secret in what goes wrong.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use super::address::ProxyAddress;
use super::codes;
use super::error::{ClientError, ExchangeFailure, Refusal};
use crate::metrics::Metrics;
use crate::tls;

/// Largest answer that is read; a page of 1000 messages stays below.
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// How long an unused connection is kept. WeCom closes idle ones, and a request into a closed one has an unclear outcome.
const IDLE: Duration = Duration::from_secs(15);

/// WeCom's answer to a request that arrived.
pub type Answer = Result<Value, Refusal>;

/// Makes the exchanges.
pub(super) struct Transport {
    client: reqwest::Client,
    metrics: Metrics,
}

impl Transport {
    pub(super) fn new(proxy: Option<&ProxyAddress>, timeout: Duration, metrics: Metrics) -> Result<Self, ClientError> {
        let mut builder = http_client()?
            .timeout(timeout)
            // Shorter, so that a connection that cannot be made is told from an answer that does not come.
            .connect_timeout(timeout / 2)
            .pool_idle_timeout(IDLE);
        if let Some(proxy) = proxy {
            let proxy = reqwest::Proxy::all(proxy.url()).map_err(|error| ClientError::Http(error.without_url()))?;
            builder = builder.proxy(proxy);
        }
        let client = builder
            .build()
            .map_err(|error| ClientError::Http(error.without_url()))?;
        Ok(Self { client, metrics })
    }

    /// Counted under the name of the call.
    pub(super) async fn get(&self, call: &'static str, url: Url) -> Result<Answer, ExchangeFailure> {
        self.counted(call, self.client.get(url)).await
    }

    /// Counted under the name of the call.
    pub(super) async fn post(&self, call: &'static str, url: Url, body: &str) -> Result<Answer, ExchangeFailure> {
        let json = HeaderValue::from_static("application/json");
        let request = self.client.post(url).header(CONTENT_TYPE, json);
        self.counted(call, request.body(body.to_owned())).await
    }

    async fn counted(&self, call: &'static str, request: reqwest::RequestBuilder) -> Result<Answer, ExchangeFailure> {
        let answer = self.exchange(request).await;
        self.metrics.api_call(call, class(&answer));
        answer
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Answer, ExchangeFailure> {
        let response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(ExchangeFailure::Status(status));
        }
        read_answer(&body_of(response).await?)
    }
}

/// What an answer means, in a word.
fn class(answer: &Result<Answer, ExchangeFailure>) -> &'static str {
    match answer {
        Ok(Ok(_)) => "ok",
        Ok(Err(refusal)) => codes::handling(refusal.code).name(),
        Err(ExchangeFailure::Unreachable(_)) => "unreachable",
        Err(ExchangeFailure::Interrupted) => "interrupted",
        Err(ExchangeFailure::Status(_)) => "status",
        Err(ExchangeFailure::TooLarge | ExchangeFailure::Malformed(_)) => "malformed",
    }
}

/// A builder of HTTP clients for this program: TLS without a provider of the whole process, no proxy of the environment, no redirects –
/// the address would carry a secret elsewhere.
///
/// # Errors
///
/// When TLS cannot be set up.
pub(crate) fn http_client() -> Result<reqwest::ClientBuilder, ClientError> {
    let tls = tls::client_config(tls::trusted_roots()).map_err(ClientError::Tls)?;
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none()))
}

async fn body_of(mut response: reqwest::Response) -> Result<Vec<u8>, ExchangeFailure> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + part.len() > LARGEST_ANSWER {
            return Err(ExchangeFailure::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// What WeCom says. An answer without a code is a good one.
///
/// # Errors
///
/// In what it is none of WeCom's.
pub fn read_answer(body: &[u8]) -> Result<Answer, ExchangeFailure> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| ExchangeFailure::Malformed("no JSON"))?;
    if !answer.is_object() {
        return Err(ExchangeFailure::Malformed("no JSON object"));
    }
    let code = match answer.get("errcode") {
        None => 0,
        Some(code) => code
            .as_i64()
            .ok_or(ExchangeFailure::Malformed("errcode is no whole number"))?,
    };
    if code == 0 {
        return Ok(Ok(answer));
    }
    let message = answer.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    Ok(Err(Refusal::new(code, message)))
}

/// What went wrong, without the address. What the system says of a connection that was not made is harmless: nothing had been sent.
fn failure(error: &reqwest::Error) -> ExchangeFailure {
    if error.is_connect() || error.is_builder() {
        return ExchangeFailure::Unreachable(innermost(error));
    }
    ExchangeFailure::Interrupted
}

fn innermost(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut words = "no connection".to_owned();
    while let Some(error) = cause {
        words = error.to_string();
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_code_is_a_good_one() {
        assert!(read_answer(br#"{"access_token": "x"}"#).unwrap().is_ok());
        assert!(read_answer(br#"{"errcode": 0}"#).unwrap().is_ok());
        let refused = read_answer(br#"{"errcode": 40014}"#).unwrap();
        assert_eq!(refused.unwrap_err().code, 40014);
        assert!(read_answer(br#"{"errcode": "0"}"#).is_err());
        assert!(read_answer(b"[]").is_err() && read_answer(b"").is_err());
    }
}
