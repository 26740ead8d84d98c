//! The platform's side of a callback: it encrypts and signs, posts, waits five seconds, tries three times, and opens the reply
//! (doc/90930, doc/90241).
//!
//! Only a 200 within five seconds counts as received. After anything else – no connection, no answer in time, another status – the same
//! message with the same `MsgId` is delivered again, encrypted afresh, three times in all; how long WeCom waits in between is not
//! documented, so nothing is waited here. What the 200 says is looked at once: a reply that is not encrypted and signed as it should be is
//! lost, as it is on the platform.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::plaintext::Letterhead;
use crate::protocol::{
    Credentials, Fresh, Nonce, RANDOM_PREFIX, Seconds, WireFormat, open_reply, read_text_reply, seal_callback,
    seal_verification,
};

/// How long WeCom waits for the answer to a message.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it waits for the answer to a URL verification.
const VERIFICATION_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a message is delivered when no 200 comes back.
const TRIES: u32 = 3;

/// Largest reply that is read.
const LARGEST_REPLY: usize = 256 * 1024;

/// One delivery of a message.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// HTTP status; `None` when nothing came back.
    pub status: Option<u16>,
    /// How long it took.
    pub micros: u64,
    /// Why it does not count as received, in Chinese.
    pub problem: Option<String>,
}

/// What went over the wire at the last delivery.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Wire {
    /// Address with the signed query.
    pub request_url: String,
    /// The encrypted envelope.
    pub request_body: String,
    /// What is inside.
    pub request_plaintext: String,
    /// The encrypted reply.
    pub response_body: String,
    /// What is inside.
    pub response_plaintext: String,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The bot replied.
    Replied,
    /// The bot received it and said nothing.
    Acknowledged,
    /// The bot was not reached, or its reply is not one that WeCom accepts.
    Undelivered,
}

/// A message with everything that happened to it.
#[derive(Clone, Debug, Serialize)]
pub struct Delivered {
    /// Number of the message; empty for events.
    pub message_id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What the bot said.
    pub reply: Option<String>,
    /// Why it was not delivered, in Chinese.
    pub problem: Option<String>,
    /// Every delivery.
    pub attempts: Vec<Attempt>,
    /// The last delivery.
    pub wire: Wire,
}

impl Delivered {
    /// What was never posted.
    pub(super) fn dropped(message_id: String, plaintext: &str) -> Self {
        Self {
            message_id,
            outcome: Outcome::Undelivered,
            reply: None,
            problem: Some("回调没有发出".to_owned()),
            attempts: Vec::new(),
            wire: Wire {
                request_plaintext: plaintext.to_owned(),
                ..Wire::default()
            },
        }
    }
}

/// How a URL verification went.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// Whether WeCom would save the URL.
    pub ok: bool,
    /// How long it took.
    pub micros: u64,
    /// Why not, in Chinese.
    pub error: Option<String>,
}

/// The callbacks of one app of one company.
pub(super) struct Callbacks {
    client: reqwest::Client,
    callback_url: String,
    credentials: Credentials,
    agent_id: u32,
    next_message_id: AtomicU64,
}

impl Callbacks {
    /// Callbacks to `callback_url`.
    pub(super) fn new(callback_url: String, credentials: Credentials, agent_id: u32) -> anyhow::Result<Self> {
        // Straight to the callback, as WeCom does: no proxy of this machine in between, and no redirects.
        let client = crate::wecom::http_client()?.build()?;
        let first = u64::try_from(Timestamp::now().as_millisecond())
            .unwrap_or_default()
            .saturating_mul(1 << 20);
        Ok(Self {
            client,
            callback_url,
            credentials,
            agent_id,
            next_message_id: AtomicU64::new(first),
        })
    }

    /// Where messages are delivered.
    pub(super) fn callback_url(&self) -> &str {
        &self.callback_url
    }

    /// Verifies the URL as the console does when it is saved.
    pub(super) async fn verify_url(&self) -> Verification {
        let started = Instant::now();
        let error = self.verification_problem().await.err();
        Verification {
            ok: error.is_none(),
            micros: micros_since(started),
            error,
        }
    }

    async fn verification_problem(&self) -> Result<(), String> {
        let fresh = fresh()?;
        let echo = fresh.nonce.as_str().to_owned();
        let sealed = seal_verification(&self.credentials, &echo, &fresh);
        let request = self
            .client
            .get(format!("{}?{}", self.callback_url, sealed.query))
            .timeout(VERIFICATION_TIMEOUT);
        let response = request.send().await.map_err(|error| transport_problem(&error))?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|error| transport_problem(&error))?;
        match (status, body == echo.as_bytes()) {
            (200, true) => Ok(()),
            (200, false) => Err("返回的不是解密后的明文".to_owned()),
            (status, _) => Err(format!("服务器返回 HTTP {status}")),
        }
    }

    /// Company and app, for writing what is inside.
    pub(super) fn letterhead(&self) -> Letterhead<'_> {
        Letterhead {
            corp_id: self.credentials.receive_id(),
            agent_id: self.agent_id,
        }
    }

    /// The number of the next message.
    pub(super) fn next_message_id(&self) -> String {
        self.next_message_id.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// Delivers the same message until a 200 comes back, three times at most.
    pub(super) async fn deliver(&self, plaintext: &str, message_id: String) -> Delivered {
        let mut attempts = Vec::new();
        let mut wire = Wire {
            request_plaintext: plaintext.to_owned(),
            ..Wire::default()
        };
        for number in 1..=TRIES {
            let started = Instant::now();
            let answer = self.post(plaintext, &mut wire).await;
            let (status, problem) = match answer {
                Ok(200) => (Some(200), None),
                Ok(status) => (Some(status), Some(format!("服务器返回 HTTP {status}"))),
                Err(problem) => (None, Some(problem)),
            };
            let is_received = problem.is_none();
            attempts.push(Attempt {
                number,
                status,
                micros: micros_since(started),
                problem,
            });
            if is_received {
                return self.delivered(message_id, attempts, wire);
            }
        }
        let problem = attempts.last().and_then(|attempt| attempt.problem.clone());
        Delivered {
            message_id,
            outcome: Outcome::Undelivered,
            reply: None,
            problem,
            attempts,
            wire,
        }
    }

    /// One delivery; each is encrypted afresh.
    async fn post(&self, plaintext: &str, wire: &mut Wire) -> Result<u16, String> {
        let agent_id = self.agent_id.to_string();
        let sealed = seal_callback(&self.credentials, WireFormat::Xml, plaintext, &agent_id, &fresh()?);
        wire.request_url = format!("{}?{}", self.callback_url, sealed.query);
        wire.request_body.clone_from(&sealed.body);
        wire.response_body.clear();
        let request = self
            .client
            .post(&wire.request_url)
            .header("Content-Type", "text/xml")
            .timeout(MESSAGE_TIMEOUT);
        let mut response = request
            .body(sealed.body)
            .send()
            .await
            .map_err(|error| transport_problem(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| transport_problem(&error))? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST_REPLY {
                break;
            }
        }
        wire.response_body = String::from_utf8_lossy(&body).into_owned();
        Ok(status)
    }

    fn delivered(&self, message_id: String, attempts: Vec<Attempt>, mut wire: Wire) -> Delivered {
        let (outcome, reply, problem) = match self.opened(&mut wire) {
            Ok(Some(text)) => (Outcome::Replied, Some(text), None),
            Ok(None) => (Outcome::Acknowledged, None, None),
            Err(problem) => (Outcome::Undelivered, None, Some(problem)),
        };
        Delivered {
            message_id,
            outcome,
            reply,
            problem,
            attempts,
            wire,
        }
    }

    /// The text of the reply; `None` for an empty one.
    fn opened(&self, wire: &mut Wire) -> Result<Option<String>, String> {
        if wire.response_body.is_empty() {
            return Ok(None);
        }
        if wire.response_body.len() > LARGEST_REPLY {
            return Err("回复太大".to_owned());
        }
        let opened = open_reply(&self.credentials, &wire.response_body);
        wire.response_plaintext = opened.map_err(|error| format!("回复验证或解密失败：{error}"))?;
        read_text_reply(&wire.response_plaintext)
            .map(Some)
            .ok_or_else(|| "回复不是文本消息".to_owned())
    }
}

fn fresh() -> Result<Fresh, String> {
    let failed = || "这台机器没有随机数".to_owned();
    let mut random_prefix = [0; RANDOM_PREFIX];
    getrandom::fill(&mut random_prefix).map_err(|_| failed())?;
    let nonce = getrandom::u64().map_err(|_| failed())?;
    Ok(Fresh {
        random_prefix,
        nonce: Nonce::parse(&nonce.to_string()).ok_or_else(failed)?,
        timestamp: Seconds::from_unix(Timestamp::now().as_second()).ok_or_else(failed)?,
    })
}

fn transport_problem(error: &reqwest::Error) -> String {
    let problem = match () {
        () if error.is_timeout() => "服务器没有在规定时间内回应",
        () if error.is_connect() => "连不上服务器",
        () => "连接中断",
    };
    problem.to_owned()
}

fn micros_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::protocol::{CallbackToken, EncodingAesKey, Envelope, IncomingMessage, SignedQuery, UserId, seal_reply};
    use crate::simulator::plaintext::MessageKind;

    /// What the stub does with one delivery.
    #[derive(Clone, Copy)]
    enum Answer {
        Status(u16),
        Body(&'static str),
        Reply,
        Closed,
        Late,
    }

    fn credentials() -> Credentials {
        let key = EncodingAesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
        Credentials::new(CallbackToken::parse("TokenForTests1").unwrap(), key, "ww1")
    }

    /// Reads one request: its query and its body.
    fn request(stream: &mut TcpStream) -> (String, String) {
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.ends_with("</xml>") {
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "the request ends early: {text}");
            text.push_str(str::from_utf8(&buffer[..read]).unwrap());
        }
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let target = head.split(' ').nth(1).unwrap();
        (target.split_once('?').unwrap().1.to_owned(), body.to_owned())
    }

    fn answer(mut stream: TcpStream, answer: Answer) {
        let (status, body) = match answer {
            Answer::Status(status) => (status, String::new()),
            Answer::Body(body) => (200, body.to_owned()),
            Answer::Reply => {
                let reply = "<xml><MsgType>text</MsgType><Content>好</Content></xml>";
                (
                    200,
                    seal_reply(&credentials(), WireFormat::Xml, reply, &fresh().unwrap()),
                )
            }
            Answer::Closed => return,
            Answer::Late => {
                let _ = stream.read(&mut [0; 1]);
                return;
            }
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
    }

    /// Sends one message to a stub that answers so, in turn; what came of it, and the query and body of every delivery.
    fn sent_to(answers: &[Answer]) -> (Delivered, Vec<(String, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/callback/a", listener.local_addr().unwrap());
        let answers = answers.to_vec();
        let stub = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for kind in answers {
                let (mut stream, _) = listener.accept().unwrap();
                requests.push(request(&mut stream));
                answer(stream, kind);
            }
            requests
        });
        let delivered = actix_web::rt::System::new().block_on(async {
            let callbacks = Callbacks::new(url, credentials(), 1).unwrap();
            let user = UserId::parse("LiXiaoyu").unwrap();
            let (id, head) = (callbacks.next_message_id(), callbacks.letterhead());
            let plaintext = head.message(&user, MessageKind::Text, "你好", &id, Timestamp::now());
            callbacks.deliver(&plaintext, id).await
        });
        (delivered, stub.join().unwrap())
    }

    fn statuses(delivered: &Delivered) -> Vec<Option<u16>> {
        delivered.attempts.iter().map(|attempt| attempt.status).collect()
    }

    #[test]
    fn anything_but_a_200_is_delivered_again_three_times_in_all() {
        let (delivered, _) = sent_to(&[Answer::Status(503), Answer::Closed, Answer::Reply]);
        assert_eq!(statuses(&delivered), [Some(503), None, Some(200)]);
        assert_eq!(
            (delivered.outcome, delivered.reply.as_deref()),
            (Outcome::Replied, Some("好"))
        );
        let (delivered, _) = sent_to(&[Answer::Status(204), Answer::Status(302), Answer::Status(403)]);
        assert_eq!(statuses(&delivered), [Some(204), Some(302), Some(403)]);
        assert_eq!(delivered.outcome, Outcome::Undelivered);
        assert_eq!(delivered.problem.as_deref(), Some("服务器返回 HTTP 403"));
    }

    #[test]
    fn an_answer_after_five_seconds_is_none() {
        let (delivered, _) = sent_to(&[Answer::Late, Answer::Status(200)]);
        assert_eq!(statuses(&delivered), [None, Some(200)]);
        assert!(delivered.attempts[0].micros >= 5_000_000);
        assert_eq!(delivered.outcome, Outcome::Acknowledged);
    }

    #[test]
    fn a_200_ends_the_deliveries_whatever_it_says() {
        let (delivered, requests) = sent_to(&[Answer::Body("success")]);
        assert_eq!((delivered.outcome, requests.len()), (Outcome::Undelivered, 1));
        assert!(delivered.problem.unwrap().contains("验证或解密失败"));
    }

    #[test]
    fn every_delivery_is_the_same_message_encrypted_afresh() {
        let (_, requests) = sent_to(&[Answer::Closed, Answer::Status(500), Answer::Status(200)]);
        let opened: Vec<(String, String, String)> = requests
            .iter()
            .map(|(query, body)| {
                let nonce = SignedQuery::parse(query).unwrap().nonce.as_str().to_owned();
                let ciphertext = Envelope::parse(body).unwrap().encrypted.into_owned();
                (nonce, credentials().decrypt(&ciphertext).unwrap(), ciphertext)
            })
            .collect();
        let [first, second, third] = opened.as_slice() else {
            panic!("{opened:?}")
        };
        assert!(first.1 == second.1 && second.1 == third.1);
        assert!(IncomingMessage::parse(&first.1).unwrap().msg_id().is_some());
        assert!(first.0 != second.0 && second.0 != third.0 && first.0 != third.0);
        assert!(first.2 != second.2 && second.2 != third.2 && first.2 != third.2);
    }
}
