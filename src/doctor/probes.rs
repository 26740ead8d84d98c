//! Requests of our own to the public address, as WeCom makes them: two verifications, one in another spelling, a forged one, a message.

use std::time::Instant;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, Url};

use super::PATIENCE;
use super::answers::{Answer, Exchange, Probed, Verified, judge};
use super::finding::Finding;
use crate::config::{App, PublicUrl};
use crate::http::DOCTOR_NONCE;
use crate::protocol::{
    Credentials, Fresh, Nonce, RANDOM_PREFIX, Seconds, WireFormat, seal_callback, seal_verification,
};

/// So much of an answer is read; a proper one is some twenty bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// So often a text of the wanted kind is looked for; one of 60 has it.
const TRIES: u32 = 4000;

/// Asks an app's public address, and judges what comes back.
pub(super) async fn examine(app: &App, url: &PublicUrl) -> Vec<Finding> {
    let address = url.callback(&app.name);
    match probed(app, &address).await {
        Some(probed) => judge(&probed)
            .into_iter()
            .map(|finding| finding.of(&app.name))
            .collect(),
        None => Vec::new(),
    }
}

/// `None` when this machine has no random numbers, or no HTTP client can be made.
async fn probed(app: &App, address: &Url) -> Option<Probed> {
    let credentials = app.credentials.current();
    let prober = Prober::new().ok()?;
    let (plain, special) = (
        verification(credentials, Wanted::PlainText)?,
        verification(credentials, Wanted::Signs)?,
    );
    let spelt = spelt_otherwise(&verification(credentials, Wanted::PlainText)?.query);
    let forged = forged(&verification(credentials, Wanted::PlainText)?.query);
    let message = message(app)?;
    // One after the other: a cache gives the second the answer to the first.
    let verifying = async {
        let first = prober.get(address.clone(), &plain.query).await;
        let second = prober.get(address.clone(), &special.query).await;
        [(plain, first), (special, second)].map(|(sealed, exchange)| Verified {
            expected: sealed.plaintext,
            ciphertext: sealed.ciphertext,
            exchange,
        })
    };
    let ([plain, special], spelt, forged, message) = futures_util::future::join4(
        verifying,
        prober.get(address.clone(), &spelt),
        prober.get(address.clone(), &forged),
        prober.post(address.clone(), &message.query, message.body),
    )
    .await;
    Some(Probed {
        address: address.to_string(),
        plain,
        special,
        spelt,
        forged,
        message,
    })
}

/// What a ciphertext shall look like in an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whatever comes.
    AnyText,
    /// Letters and digits alone: whatever a proxy does with other signs does not matter.
    PlainText,
    /// With the signs that proxies have trouble with.
    Signs,
}

/// A verification of our own.
pub(super) struct SealedVerification {
    pub(super) plaintext: String,
    pub(super) ciphertext: String,
    pub(super) query: String,
}

/// A verification that WeCom could have sent.
pub(super) fn verification(credentials: &Credentials, wanted: Wanted) -> Option<SealedVerification> {
    // 96 bytes encode without a sign at the end.
    let plain_length = 50_usize.saturating_sub(credentials.receive_id().len()).max(5);
    let length = if wanted == Wanted::PlainText { plain_length } else { 19 };
    let digits = (0..length).map(|_| {
        Some(char::from(
            b'0'.wrapping_add(u8::try_from(getrandom::u32().ok()? % 10).ok()?),
        ))
    });
    let plaintext: String = digits.collect::<Option<String>>()?;
    for _ in 0..TRIES {
        let fresh = fresh()?;
        let ciphertext = credentials.encrypt(&plaintext, fresh.random_prefix);
        let is_plain = ciphertext.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let fits = match wanted {
            Wanted::AnyText => true,
            Wanted::PlainText => is_plain,
            Wanted::Signs => ciphertext.contains('+') && ciphertext.contains('/'),
        };
        if fits {
            let query = seal_verification(credentials, &plaintext, &fresh).query;
            return Some(SealedVerification {
                plaintext,
                ciphertext,
                query,
            });
        }
    }
    None
}

fn fresh() -> Option<Fresh> {
    let mut random_prefix = [0; RANDOM_PREFIX];
    getrandom::fill(&mut random_prefix).ok()?;
    Some(Fresh {
        random_prefix,
        nonce: Nonce::parse(&format!("{DOCTOR_NONCE}x-{}", getrandom::u32().ok()?))?,
        timestamp: Seconds::from_unix(Timestamp::now().as_second())?,
    })
}

/// The same query to whoever decodes it; Jiefeng reads a nonce as it is, and refuses this one.
fn spelt_otherwise(query: &str) -> String {
    let (before, after) = (format!("nonce={DOCTOR_NONCE}x-"), format!("nonce={DOCTOR_NONCE}x%2D"));
    query.replacen(&before, &after, 1)
}

/// The same query with another signature.
fn forged(query: &str) -> String {
    let changed = |digit: char| if digit == '0' { '1' } else { '0' };
    match query.strip_prefix("msg_signature=") {
        Some(rest) => {
            let mut digits = rest.chars();
            let first = digits.next().map(changed).unwrap_or_default();
            format!("msg_signature={first}{}", digits.as_str())
        }
        None => query.to_owned(),
    }
}

/// An event that asks for nothing.
fn message(app: &App) -> Option<crate::protocol::SealedCallback> {
    let credentials = app.credentials.current();
    let (corp_id, agent_id) = (credentials.receive_id(), app.agent_id);
    let text = format!(
        "<xml><ToUserName>{corp_id}</ToUserName><FromUserName>sys</FromUserName><CreateTime>{}</CreateTime>\
         <MsgType>event</MsgType><Event>subscribe</Event><AgentID>{agent_id}</AgentID></xml>",
        Timestamp::now().as_second()
    );
    let fresh = fresh()?;
    Some(seal_callback(
        credentials,
        WireFormat::Xml,
        &text,
        &agent_id.to_string(),
        &fresh,
    ))
}

/// Makes requests as WeCom does: each over a connection of its own, and no redirect is followed.
pub(super) struct Prober(reqwest::Client);

impl Prober {
    pub(super) fn new() -> anyhow::Result<Self> {
        let client = crate::wecom::http_client()?
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE / 2)
            .pool_max_idle_per_host(0)
            .build()?;
        Ok(Self(client))
    }

    pub(super) async fn get(&self, mut address: Url, query: &str) -> Exchange {
        address.set_query(Some(query));
        self.exchange(self.0.get(address)).await
    }

    async fn post(&self, mut address: Url, query: &str, body: String) -> Exchange {
        address.set_query(Some(query));
        let request = self.0.post(address).header(CONTENT_TYPE, "text/xml");
        self.exchange(request.body(body)).await
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Exchange {
        let begun = Instant::now();
        let answered = async {
            let response = request.send().await?;
            let header = |response: &Response, name| {
                let value = response.headers().get(name).and_then(|value| value.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            Ok::<_, reqwest::Error>(Answer {
                status: response.status().as_u16(),
                content_type: header(&response, CONTENT_TYPE),
                location: header(&response, LOCATION),
                body: body_of(response).await?,
                took: begun.elapsed(),
            })
        };
        answered.await.map_or_else(|error| failure(&error), Exchange::Answered)
    }
}

async fn body_of(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        body.extend_from_slice(&part);
        if body.len() > LARGEST_ANSWER {
            break;
        }
    }
    Ok(body)
}

/// Why there is no answer, without the address.
fn failure(error: &reqwest::Error) -> Exchange {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut words = String::new();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) {
            return Exchange::Refused;
        }
        words = inner.to_string();
        cause = inner.source();
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, true) => Exchange::ConnectionTimeout,
        (true, false) => Exchange::AnswerTimeout,
        _ => Exchange::Failed(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CallbackToken, EncodingAesKey};

    fn credentials(corp_id: &str) -> Credentials {
        let key = EncodingAesKey::parse(&"A".repeat(43)).unwrap();
        Credentials::new(CallbackToken::parse("Token").unwrap(), key, corp_id)
    }

    #[test]
    fn a_verification_has_the_signs_that_are_wanted_whatever_the_company() {
        for corp_id in ["", "ww0123456789abcdef", &"w".repeat(64)] {
            let plain = verification(&credentials(corp_id), Wanted::PlainText).unwrap();
            assert!(!plain.query.contains('%'), "{}", plain.query);
            let special = verification(&credentials(corp_id), Wanted::Signs).unwrap();
            assert!(
                special.query.contains("%2B") && special.query.contains("%2F"),
                "{}",
                special.query
            );
        }
    }

    #[test]
    fn other_spellings_and_forgeries_are_not_what_they_were_made_of() {
        let query = verification(&credentials("ww1"), Wanted::AnyText).unwrap().query;
        assert!(spelt_otherwise(&query).contains(&format!("nonce={DOCTOR_NONCE}x%2D")));
        let forged = forged(&query);
        assert_eq!(forged.len(), query.len());
        assert_ne!(forged, query);
    }
}
