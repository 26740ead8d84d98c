//! The platform's side of a callback: it encrypts and signs, posts, waits five seconds, tries three times, and opens the reply
//! (doc/90930, doc/90241).

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

/// How often a message is delivered when nothing comes back.
const TRIES: u32 = 3;

/// Largest reply that is read.
const LARGEST_REPLY: usize = 256 * 1024;

/// What a person can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
    /// Why nothing came back, in Chinese.
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
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
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

    /// Delivers the same message until something comes back, three times at most.
    pub async fn deliver(&self, plaintext: &str, message_id: String) -> Delivered {
        let mut attempts = Vec::new();
        let mut wire = Wire {
            request_plaintext: plaintext.to_owned(),
            ..Wire::default()
        };
        for number in 1..=TRIES {
            let started = Instant::now();
            let answer = self.post(plaintext, &mut wire).await;
            let micros = micros_since(started);
            match answer {
                Ok((status, body)) => {
                    attempts.push(Attempt {
                        number,
                        status: Some(status),
                        micros,
                        problem: None,
                    });
                    return self.delivered(message_id, attempts, wire, status, body);
                }
                Err(problem) => attempts.push(Attempt {
                    number,
                    status: None,
                    micros,
                    problem: Some(problem),
                }),
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
    async fn post(&self, plaintext: &str, wire: &mut Wire) -> Result<(u16, String), String> {
        let agent_id = self.agent_id.to_string();
        let sealed = seal_callback(&self.credentials, WireFormat::Xml, plaintext, &agent_id, &fresh()?);
        wire.request_url = format!("{}?{}", self.callback_url, sealed.query);
        wire.request_body.clone_from(&sealed.body);
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
            if body.len().saturating_add(part.len()) > LARGEST_REPLY {
                return Err("回复太大".to_owned());
            }
            body.extend_from_slice(&part);
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    fn delivered(
        &self,
        message_id: String,
        attempts: Vec<Attempt>,
        mut wire: Wire,
        status: u16,
        body: String,
    ) -> Delivered {
        wire.response_body = body;
        let (outcome, reply, problem) = match self.opened(status, &mut wire) {
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
    fn opened(&self, status: u16, wire: &mut Wire) -> Result<Option<String>, String> {
        if status != 200 {
            return Err(format!("服务器返回 HTTP {status}"));
        }
        if wire.response_body.is_empty() {
            return Ok(None);
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
