//! Why a call of WeCom's API failed, and how to say so.
//!
//! No error holds the Secret, a token, a query, what was to be sent, or WeCom's own words, which may repeat any of it.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::Offset;

use super::api::Api;
use super::codes::{self, Handling};
use crate::knowledge::Language;
use crate::store::StoreError;

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(rustls::Error),
    /// The HTTP client cannot be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Http(reqwest::Error),
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// WeCom refused it.
    Refused {
        /// Which call.
        api: Api,
        /// Why.
        refusal: Refusal,
        /// An earlier attempt of the same call ended without an answer, so it may have been carried out all the same: a refusal for a
        /// repeated `msgid` then means that the message was sent (doc/94677 does not say with which code).
        after_unclear_attempt: bool,
    },
    /// The exchange failed.
    Failed {
        /// Which call.
        api: Api,
        /// How.
        failure: ExchangeFailure,
    },
    /// WeCom wants the call to be made less often; it was not made, or refused.
    GateClosed {
        /// Which call.
        api: Api,
        /// The code that closed it.
        code: i64,
        /// When it may be made again.
        until: Timestamp,
    },
    /// A member has got so many messages within a minute that WeCom would drop more silently; nothing was sent.
    RecipientBudget {
        /// When it may be tried again.
        free_at: Timestamp,
    },
    /// Messages of 微信客服 were read so often within a minute without the token of a callback that WeCom would block it; not called.
    TokenlessBudget {
        /// When it may be tried again; with a token at once.
        free_at: Timestamp,
    },
    /// There is no access token, so the call was not made.
    NoToken(TokenError),
}

/// WeCom's no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its number.
    pub code: i64,
    /// The address of this server as WeCom sees it, where the refusal is about that. For display only.
    pub from_ip: Option<IpAddr>,
}

/// How an HTTP exchange failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExchangeFailure {
    /// No connection: certainly not sent. With what the system says.
    Unreachable(String),
    /// No answer in time, or the connection was lost: it may have been carried out.
    Interrupted,
    /// Another HTTP status than 200.
    Status(u16),
    /// The answer is longer than any answer of WeCom.
    TooLarge,
    /// The answer is not what WeCom documents; with what is wrong.
    Malformed(&'static str),
}

/// Why there is no access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// WeCom refused to give one. It is not asked again before `until`, because it bans the address of who tries wrong secrets again and
    /// again for an hour (doc/91039).
    Refused {
        /// Why.
        refusal: Refusal,
        /// When it will be tried again.
        until: Timestamp,
    },
    /// The exchange failed.
    Failed(ExchangeFailure),
    /// Another process is fetching one and has not finished.
    Elsewhere,
    /// The store failed.
    Store(StoreError),
}

impl ApiError {
    /// The number with which WeCom refused, if it did.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { refusal, .. } | Self::NoToken(TokenError::Refused { refusal, .. }) => Some(refusal.code),
            Self::GateClosed { code, .. } => Some(*code),
            Self::Failed { .. } | Self::RecipientBudget { .. } | Self::TokenlessBudget { .. } | Self::NoToken(_) => {
                None
            }
        }
    }

    /// What to do about it. What [`ApiError::may_have_been_carried_out`] is only to be repeated where that does no harm.
    pub fn handling(&self) -> Handling {
        match self {
            Self::Refused { refusal, .. } => codes::handling(refusal.code),
            Self::Failed { failure, .. } => failure.handling(),
            Self::GateClosed { .. } | Self::RecipientBudget { .. } | Self::TokenlessBudget { .. } => Handling::Wait,
            Self::NoToken(error) => error.handling(),
        }
    }

    /// Whether WeCom may have done what was asked, although nobody knows.
    pub fn may_have_been_carried_out(&self) -> bool {
        match self {
            Self::Refused {
                after_unclear_attempt, ..
            } => *after_unclear_attempt,
            Self::Failed { failure, .. } => failure.is_unclear(),
            Self::GateClosed { .. }
            | Self::RecipientBudget { .. }
            | Self::TokenlessBudget { .. }
            | Self::NoToken(_) => false,
        }
    }

    /// Before when it is of no use to try again, if that is known.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::GateClosed { until, .. } | Self::NoToken(TokenError::Refused { until, .. }) => Some(*until),
            Self::RecipientBudget { free_at } | Self::TokenlessBudget { free_at } => Some(*free_at),
            Self::Refused { .. } | Self::Failed { .. } | Self::NoToken(_) => None,
        }
    }

    /// What happened, what it means and what to do, in sentences for the admin.
    pub fn explanation(&self, language: Language) -> String {
        match self {
            Self::Refused { api, refusal, .. } => refusal.explanation(api.name(), language),
            Self::Failed { api, failure } => failure.explanation(api.name(), language),
            Self::GateClosed { api, code, until } => closed_gate(*api, *code, *until, language),
            Self::RecipientBudget { free_at } => spent_budget(*free_at, language),
            Self::TokenlessBudget { free_at } => spent_tokenless_budget(*free_at, language),
            Self::NoToken(error) => error.explanation(language),
        }
    }
}

fn closed_gate(api: Api, code: i64, until: Timestamp, language: Language) -> String {
    let (call, until, meaning) = (api.name(), shown(until), codes::explanation(code, language));
    match language {
        Language::English => {
            format!("{call} is not called before {until}, because WeCom refused it with {code}. {meaning}")
        }
        Language::Chinese | Language::TraditionalChinese => {
            format!("{call} 被企业微信以错误码 {code} 拒绝，{until} 之前不再调用。{meaning}")
        }
    }
}

fn spent_budget(free_at: Timestamp, language: Language) -> String {
    let free_at = shown(free_at);
    match language {
        Language::English => format!(
            "Nothing was sent: a member has got 20 messages within a minute, and WeCom drops more silently. More can be sent at {free_at}."
        ),
        Language::Chinese | Language::TraditionalChinese => {
            format!("没有发送：有成员一分钟内已收到 20 条消息，再多会被企业微信静默丢弃。{free_at} 之后可以再发。")
        }
    }
}

fn spent_tokenless_budget(free_at: Timestamp, language: Language) -> String {
    let free_at = shown(free_at);
    match language {
        Language::English => format!(
            "Messages of 微信客服 have been read six times within a minute without a callback asking for it, and WeCom blocks whoever does \
             so more often. They are read at {free_at}, or at the next callback."
        ),
        Language::Chinese | Language::TraditionalChinese => format!(
            "没有回调时一分钟内已读取微信客服消息 6 次，再多会被企业微信拦截。{free_at} 之后，或下一个回调到来时再读。"
        ),
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.explanation(Language::English))
    }
}

impl std::error::Error for ApiError {}

impl fmt::Display for TokenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.explanation(Language::English))
    }
}

impl std::error::Error for TokenError {}

/// The codes that are about the address of this server.
const ABOUT_THE_ADDRESS: [i64; 4] = [48009, 60020, 90308, 301_042];

impl Refusal {
    /// Takes from WeCom's words nothing but an address, and only where the refusal is about it.
    pub(super) fn new(code: i64, message: &str) -> Self {
        let is_about_address = ABOUT_THE_ADDRESS.contains(&code);
        let from_ip = is_about_address.then(|| from_ip(message)).flatten();
        Self { code, from_ip }
    }

    fn explanation(self, call: &str, language: Language) -> String {
        let (code, meaning) = (self.code, codes::explanation(self.code, language));
        match (language, self.from_ip) {
            (Language::English, None) => format!("WeCom refused {call} with {code}. {meaning}"),
            (Language::English, Some(ip)) => format!("WeCom refused {call} with {code}, called from {ip}. {meaning}"),
            (_, None) => format!("企业微信拒绝了 {call}，错误码 {code}。{meaning}"),
            (_, Some(ip)) => format!("企业微信拒绝了 {call}，错误码 {code}，本服务器的 IP 是 {ip}。{meaning}"),
        }
    }
}

/// The address after `from ip:`.
fn from_ip(message: &str) -> Option<IpAddr> {
    let (_, after) = message.split_once("from ip:")?;
    let is_of_address = |letter: char| letter.is_ascii_hexdigit() || ".:".contains(letter);
    let after = after.trim_start();
    let address = after.split(|letter| !is_of_address(letter)).next()?;
    address.trim_end_matches('.').parse().ok()
}

impl ExchangeFailure {
    /// Whether WeCom may have done what was asked. A 5xx may come from a server in between that lost the answer, and an answer that makes no
    /// sense is one all the same.
    pub fn is_unclear(&self) -> bool {
        match self {
            Self::Unreachable(_) => false,
            Self::Status(status) => *status >= 500,
            Self::Interrupted | Self::TooLarge | Self::Malformed(_) => true,
        }
    }

    /// Whether the same exchange may go better a moment later.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Interrupted => true,
            Self::Status(status) => *status >= 500,
            Self::TooLarge | Self::Malformed(_) => false,
        }
    }

    fn handling(&self) -> Handling {
        if self.is_temporary() {
            return Handling::Retry;
        }
        Handling::TellAdmin
    }

    fn explanation(&self, call: &str, language: Language) -> String {
        match language {
            Language::English => format!("{call} failed: {}.", self.in_english()),
            Language::Chinese | Language::TraditionalChinese => format!("{call} 调用失败：{}。", self.in_chinese()),
        }
    }

    fn in_english(&self) -> String {
        match self {
            Self::Unreachable(reason) => format!(
                "no connection to WeCom's API ({reason}). Check this machine's network, DNS and firewall, api_base and the proxy"
            ),
            Self::Interrupted => "no answer in time, so it is not known whether it was carried out".to_owned(),
            Self::Status(status) if *status >= 500 => format!("the server answered with HTTP {status}"),
            Self::Status(status) => {
                format!(
                    "the server answered with HTTP {status}. Check api_base and the proxy; they do not lead to WeCom's API"
                )
            }
            Self::TooLarge => "the answer is larger than any of WeCom's. Check api_base and the proxy".to_owned(),
            Self::Malformed(what) => {
                format!(
                    "the answer is not one of WeCom's ({what}). Check api_base and the proxy; a sign-in page may stand in between"
                )
            }
        }
    }

    fn in_chinese(&self) -> String {
        match self {
            Self::Unreachable(reason) => {
                format!("连不上企业微信接口（{reason}）。请检查本机的网络、DNS、防火墙，以及 api_base 和代理的设置")
            }
            Self::Interrupted => "没有及时收到回应，不知道是否已经执行".to_owned(),
            Self::Status(status) if *status >= 500 => format!("服务器返回 HTTP {status}"),
            Self::Status(status) => {
                format!("服务器返回 HTTP {status}。请检查 api_base 和代理的设置，它们没有通向企业微信接口")
            }
            Self::TooLarge => "返回的内容比企业微信的任何回答都大。请检查 api_base 和代理的设置".to_owned(),
            Self::Malformed(what) => {
                format!("返回的不是企业微信的回答（{what}）。请检查 api_base 和代理的设置，中间可能有登录页面")
            }
        }
    }
}

/// A time as admins read it; WeCom's are in China.
fn shown(time: Timestamp) -> String {
    const CHINA: Offset = Offset::constant(8);
    CHINA.to_datetime(time).strftime("%F %T +08:00").to_string()
}

/// How the call that gives access tokens is named in errors.
const GET_TOKEN: &str = "gettoken";

impl TokenError {
    fn handling(&self) -> Handling {
        match self {
            Self::Refused { refusal, .. } => codes::handling(refusal.code),
            Self::Failed(failure) => failure.handling(),
            Self::Elsewhere | Self::Store(_) => Handling::Retry,
        }
    }

    fn explanation(&self, language: Language) -> String {
        let in_english = language == Language::English;
        match self {
            Self::Refused { refusal, until } => {
                let (why, until) = (refusal.explanation(GET_TOKEN, language), shown(*until));
                match in_english {
                    true => format!("{why} It is not tried again before {until}."),
                    false => format!("{why}{until} 之前不再尝试。"),
                }
            }
            Self::Failed(failure) => failure.explanation(GET_TOKEN, language),
            Self::Elsewhere if in_english => {
                "Another process is fetching an access token and has not finished.".to_owned()
            }
            Self::Elsewhere => "另一个进程正在获取 access_token，还没有完成。".to_owned(),
            Self::Store(error) if in_english => {
                format!("The access token cannot be read from or written to the store: {error}.")
            }
            Self::Store(error) => format!("无法在存储中读写 access_token：{error}。"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_ip(message: &str, expected: Option<&str>) {
        let found = Refusal::new(60020, message).from_ip.map(|ip| ip.to_string());
        assert_eq!(found.as_deref(), expected, "{message}");
    }

    #[test]
    fn the_address_is_all_that_is_taken_from_the_words_of_wecom() {
        check_ip(
            "not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info at https://a.example",
            Some("203.0.113.7"),
        );
        check_ip("from ip: 2001:db8::1, more info", Some("2001:db8::1"));
        check_ip("from ip: canary", None);
        check_ip("not allow", None);
        assert_eq!(Refusal::new(40035, "from ip: 203.0.113.7").from_ip, None);
    }

    #[test]
    fn an_untrusted_address_is_named_with_the_place_where_to_enter_it() {
        let error = ApiError::Refused {
            api: Api::MessageSend,
            refusal: Refusal::new(60020, "from ip: 203.0.113.7,"),
            after_unclear_attempt: false,
        };
        for language in [Language::Chinese, Language::English] {
            let explanation = error.explanation(language);
            assert!(
                explanation.contains("203.0.113.7") && explanation.contains("企业可信IP"),
                "{explanation}"
            );
        }
        assert!(error.to_string().starts_with("WeCom refused message/send with 60020"));
    }

    #[test]
    fn times_are_those_of_china_to_the_second() {
        let error = ApiError::RecipientBudget {
            free_at: "2026-07-01T09:00:00.5Z".parse().unwrap(),
        };
        for language in [Language::Chinese, Language::English] {
            assert!(error.explanation(language).contains("2026-07-01 17:00:00 +08:00"));
        }
    }

    #[test]
    fn what_cannot_have_arrived_is_told_from_what_may_have() {
        assert!(!ExchangeFailure::Unreachable(String::new()).is_unclear());
        assert!(ExchangeFailure::Interrupted.is_unclear());
        assert!(ExchangeFailure::Status(502).is_unclear());
        assert!(!ExchangeFailure::Status(404).is_unclear());
        assert!(ExchangeFailure::Malformed("x").is_unclear());
    }
}
