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
use serde::{Deserialize, Serialize};

use crate::protocol::{
    Credentials, Fresh, Nonce, RANDOM_PREFIX, Seconds, UserId, WireFormat, open_reply, read_text_reply, seal_callback,
    seal_verification,
    xml::{write_number, write_text},
};

/// How long WeCom waits for the answer to a message.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it waits for the answer to a URL verification.
const VERIFICATION_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a message is delivered when no 200 comes back.
const TRIES: u32 = 3;

/// Largest reply that is read.
const LARGEST_REPLY: usize = 256 * 1024;

/// What a person can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Words.
    Text,
    /// A picture.
    Image,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// A place.
    Location,
    /// A link.
    Link,
}

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

/// The platform, as one app of one company sees it.
pub struct Platform {
    client: reqwest::Client,
    callback_url: String,
    credentials: Credentials,
    agent_id: u32,
    next_message_id: AtomicU64,
}

impl Platform {
    /// A platform that delivers to `callback_url`.
    ///
    /// # Errors
    ///
    /// When no HTTP client can be made.
    pub fn new(callback_url: String, credentials: Credentials, agent_id: u32) -> anyhow::Result<Self> {
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
    pub fn callback_url(&self) -> &str {
        &self.callback_url
    }

    /// Verifies the URL as the console does when it is saved.
    pub async fn verify_url(&self) -> Verification {
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

    /// A person sends something.
    pub async fn send(&self, user: &UserId, kind: MessageKind, text: &str) -> Delivered {
        let message_id = self.next_message_id.fetch_add(1, Ordering::Relaxed).to_string();
        let plaintext = self.message(user, kind, text, &message_id);
        self.deliver(&plaintext, message_id).await
    }

    /// A person opens the conversation.
    pub async fn enter(&self, user: &UserId) -> Delivered {
        let plaintext = self.common(user, "event", |out| {
            write_text(out, "Event", "enter_agent");
            write_text(out, "EventKey", "");
        });
        self.deliver(&plaintext, String::new()).await
    }

    fn message(&self, user: &UserId, kind: MessageKind, text: &str, message_id: &str) -> String {
        let kind_name = match kind {
            MessageKind::Text => "text",
            MessageKind::Image => "image",
            MessageKind::Voice => "voice",
            MessageKind::Video => "video",
            MessageKind::Location => "location",
            MessageKind::Link => "link",
        };
        let media_id = format!("simulated-media-{message_id}");
        self.common(user, kind_name, |out| {
            match kind {
                MessageKind::Text => write_text(out, "Content", text),
                MessageKind::Image => {
                    write_text(out, "PicUrl", "https://wework.qpic.cn/simulated");
                    write_text(out, "MediaId", &media_id);
                }
                MessageKind::Voice => {
                    write_text(out, "MediaId", &media_id);
                    write_text(out, "Format", "amr");
                }
                MessageKind::Video => {
                    write_text(out, "MediaId", &media_id);
                    write_text(out, "ThumbMediaId", &media_id);
                }
                MessageKind::Location => {
                    write_text(out, "Location_X", "23.134521");
                    write_text(out, "Location_Y", "113.358803");
                    write_number(out, "Scale", 15);
                    write_text(out, "Label", "广州市海珠区");
                    write_text(out, "AppType", "wxwork");
                }
                MessageKind::Link => {
                    write_text(out, "Title", "一个链接");
                    write_text(out, "Description", "链接的说明");
                    write_text(out, "Url", "https://example.com/");
                    write_text(out, "PicUrl", "https://wework.qpic.cn/simulated");
                }
            }
            write_text(out, "MsgId", message_id);
        })
    }

    fn common(&self, user: &UserId, kind: &str, content: impl FnOnce(&mut String)) -> String {
        let mut out = String::from("<xml>");
        write_text(&mut out, "ToUserName", self.credentials.receive_id());
        write_text(&mut out, "FromUserName", user.as_str());
        write_number(&mut out, "CreateTime", Timestamp::now().as_second());
        write_text(&mut out, "MsgType", kind);
        content(&mut out);
        write_number(&mut out, "AgentID", i64::from(self.agent_id));
        out.push_str("</xml>");
        out
    }

    /// Delivers the same message until a 200 comes back, three times at most.
    pub async fn deliver(&self, plaintext: &str, message_id: String) -> Delivered {
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
    use crate::protocol::{CallbackToken, EncodingAesKey, Envelope, IncomingMessage, SignedQuery, seal_reply};

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
            let platform = Platform::new(url, credentials(), 1).unwrap();
            let user = UserId::parse("LiXiaoyu").unwrap();
            platform.send(&user, MessageKind::Text, "你好").await
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
                let ciphertext = Envelope::parse(body).unwrap().encrypted;
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
