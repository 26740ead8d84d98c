//! What stands between WeCom and the server: a proxy that does one thing wrong at a time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use jiefeng::doctor::Cause;
use tempfile::TempDir;

use super::proxy::{Proxy, Request, Response};
use super::{Examined, Fault, assert_all_are_named};
use crate::server::Server;

/// On the machine of a test the public address is always the first two, and when it does much at the same time everything takes long.
const OF_TESTS: &[Cause] = &[
    Cause::UrlPrivate,
    Cause::UrlNotEncrypted,
    Cause::NearlySlow,
    Cause::SlowFirst,
    Cause::Slow,
];

/// A server and its configuration.
#[derive(Clone)]
pub(super) struct Behind {
    config: PathBuf,
    address: SocketAddr,
}

impl Behind {
    /// For whoever only wants to know which faults there are.
    pub(super) fn nothing() -> Self {
        Self {
            config: PathBuf::new(),
            address: ([127, 0, 0, 1], 1).into(),
        }
    }

    pub(super) fn examined(&self, url: &str, environment: &[(&str, &str)]) -> Examined {
        let without_wecom = ("JIEFENG__WECOM__API_BASE", "http://127.0.0.1:1");
        let environment: Vec<_> = environment.iter().copied().chain([without_wecom]).collect();
        let url = if url.is_empty() { vec![] } else { vec!["--url", url] };
        let arguments: Vec<&str> = ["--config", self.config.to_str().unwrap()]
            .into_iter()
            .chain(url)
            .collect();
        Examined::with(&arguments, &environment)
    }

    /// Looks at a proxy that does this, with variables of the doctor's own.
    fn through_with(
        &self,
        cause: Cause,
        environment: &'static [(&str, &str)],
        answer: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static,
    ) -> Fault {
        let behind = self.clone();
        let provoke = move || {
            let proxy = Proxy::start(answer.clone());
            proxy.set_behind(behind.address);
            behind.examined(&format!("http://{}", proxy.address), environment)
        };
        Fault::new(cause, provoke).beside(OF_TESTS)
    }

    fn through(&self, cause: Cause, answer: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static) -> Fault {
        self.through_with(cause, &[], answer)
    }

    /// A proxy that answers everything like this.
    fn answering(&self, cause: Cause, response: Response) -> Fault {
        self.through(cause, move |_| response.clone())
    }

    /// A proxy that does something to the answers of verifications.
    fn changing(&self, cause: Cause, change: fn(&str) -> String) -> Fault {
        self.through(cause, move |request| {
            let passed = request.pass();
            match request.method.as_str() {
                "GET" if passed.status == 200 => {
                    let body = change(std::str::from_utf8(&passed.body).unwrap());
                    Response::new(200, "text/plain", body)
                }
                _ => passed,
            }
        })
    }

    /// An address that needs no proxy.
    fn at(&self, cause: Cause, url: &'static str, beside: &'static [Cause]) -> Fault {
        let behind = self.clone();
        Fault::new(cause, move || behind.examined(url, &[])).beside(beside)
    }
}

fn html(body: &str) -> String {
    format!("<!doctype html><html><head></head><body>{body}</body></html>")
}

/// The value of a parameter, decoded.
fn echostr(query: &str) -> String {
    let value = query.split("echostr=").nth(1).unwrap_or_default();
    decoded(value.split('&').next().unwrap())
}

fn decoded(text: &str) -> String {
    let text = text.replace("%2B", "+").replace("%2F", "/");
    text.replace("%3D", "=").replace("%2D", "-")
}

pub(super) fn faults(behind: &Behind) -> Vec<Fault> {
    let mut faults = answered_by_somebody_else(behind);
    faults.extend(changed_on_the_way(behind));
    faults.extend(changed_on_the_way_back(behind));
    faults.extend(known_by_the_address(behind));
    faults
}

fn answered_by_somebody_else(behind: &Behind) -> Vec<Fault> {
    let page = |status, body: &str| Response::new(status, "text/html", html(body));
    vec![
        behind.through(Cause::RedirectSlash, |request| {
            Response::redirect(format!("{}/?{}", request.path, request.query))
        }),
        behind.through(Cause::RedirectHttps, |request| {
            Response::redirect(format!("https://127.0.0.1{}?{}", request.path, request.query))
        }),
        behind.answering(
            Cause::RedirectLogin,
            Response::redirect("https://sso.example.com/login?next=%2Fcallback"),
        ),
        behind.answering(Cause::Redirect, Response::redirect("https://www.example.com/")),
        behind.answering(Cause::LoginRequired, page(401, "401")),
        behind.answering(Cause::LoginPage, page(200, "<form><input type=\"password\"></form>")),
        behind.answering(Cause::Blocked, page(403, "403 Forbidden")),
        behind.answering(Cause::Blocked, page(200, "您的请求已被拦截")),
        behind.answering(Cause::HtmlPage, page(200, "<div id=\"app\"></div>")),
        behind.answering(Cause::NotRouted, page(404, "404 Not Found")),
        behind.answering(Cause::BackendDown, page(502, "502 Bad Gateway")),
        behind.answering(Cause::ServerError, page(500, "invalid last symbol")),
        behind.answering(Cause::TurnedAway, page(429, "slow down")),
        behind.answering(Cause::StatusUnexpected, Response::new(204, "", "")),
        behind.through(Cause::GetNotAllowed, |request| match request.method.as_str() {
            "GET" => Response::new(405, "text/html", "405"),
            _ => request.pass(),
        }),
        behind.through(Cause::PostNotAllowed, |request| match request.method.as_str() {
            "POST" => Response::new(405, "text/html", "405"),
            _ => request.pass(),
        }),
        behind.through(Cause::Blocked, |request| match request.method.as_str() {
            "POST" => Response::new(403, "text/html", html("blocked")),
            _ => request.pass(),
        }),
        behind.through(Cause::AnswerTimeout, |request| {
            std::thread::sleep(Duration::from_secs(8));
            request.pass()
        }),
        behind.through_with(
            Cause::OtherCredentials,
            &[("JIEFENG__APPS__0__TOKEN", "AnotherToken")],
            Request::pass,
        ),
        behind.through_with(
            Cause::OtherCredentials,
            &[("JIEFENG__APPS__0__CORP_ID", "ww9")],
            Request::pass,
        ),
    ]
}

fn changed_on_the_way(behind: &Behind) -> Vec<Fault> {
    vec![
        behind.through(Cause::QueryStripped, |request| {
            request.pass_with(&request.path, "", &request.body)
        }),
        behind.through(Cause::AppUnknown, |request| {
            request.pass_with("/callback/other", &request.query, &request.body)
        }),
        behind.through(Cause::AppUnknown, |request| {
            request.pass_with("/support", &request.query, &request.body)
        }),
        // Encoded once more, and decoded into blanks.
        behind.through(Cause::PlusChanged, |request| {
            request.pass_with(&request.path, &request.query.replace('%', "%25"), &request.body)
        }),
        behind.through(Cause::PlusChanged, |request| {
            request.pass_with(&request.path, &decoded(&request.query).replace('+', " "), &request.body)
        }),
        // What Jiefeng mends: decoded like a form and encoded again.
        behind.through(Cause::QueryDecoded, |request| {
            let query = decoded(&request.query).replace('+', "%20");
            request.pass_with(&request.path, &query, &request.body)
        }),
        behind.through(Cause::BodyChanged, |request| {
            request.pass_with(
                &request.path,
                &request.query,
                &request.body.replace("<Encrypt>", "<Encrypt>x"),
            )
        }),
        behind.through(Cause::ForgedAccepted, |request| match request.pass() {
            refused if refused.status == 403 => Response::new(200, "text/plain", "success"),
            passed => passed,
        }),
    ]
}

fn changed_on_the_way_back(behind: &Behind) -> Vec<Fault> {
    let first = std::sync::Arc::new(Mutex::new(None));
    vec![
        behind.changing(Cause::AnswerQuoted, |body| format!("\"{body}\"")),
        behind.changing(Cause::AnswerWrapped, |body| {
            format!("{{\"code\":0,\"data\":\"{body}\"}}")
        }),
        behind.changing(Cause::AnswerWrapped, |body| format!("b'{body}'")),
        behind.changing(Cause::AnswerByteOrderMark, |body| format!("\u{feff}{body}")),
        behind.changing(Cause::AnswerBlank, |body| format!("{body}\r\n")),
        behind.changing(Cause::AnswerEmpty, |_| String::new()),
        behind.changing(Cause::AnswerChanged, |_| "success".to_owned()),
        behind.through(Cause::AnswerCiphertext, |request| match request.method.as_str() {
            "GET" => Response::new(200, "text/plain", echostr(&request.query)),
            _ => request.pass(),
        }),
        behind.through(Cause::AnswerCached, move |request| {
            let passed = request.pass();
            match (request.method.as_str(), passed.status) {
                ("GET", 200) => first.lock().unwrap().get_or_insert(passed).clone(),
                _ => passed,
            }
        }),
        behind.through(Cause::Slow, |request| {
            std::thread::sleep(Duration::from_millis(1300));
            request.pass()
        }),
        behind.through(Cause::SlowFirst, |request| {
            if request.number < 4 {
                std::thread::sleep(Duration::from_millis(1500));
            }
            request.pass()
        }),
    ]
}

fn known_by_the_address(behind: &Behind) -> Vec<Fault> {
    let nobody = ([127, 0, 0, 1], 1);
    let refused = behind.clone();
    let refuses = move || refused.examined(&format!("http://{}", SocketAddr::from(nobody)), &[]);
    vec![
        Fault::new(Cause::ConnectionRefused, refuses).beside(OF_TESTS),
        behind.at(Cause::UrlMissing, "", &[]),
        behind.at(
            Cause::UrlPrivate,
            "http://127.0.0.1:1",
            &[Cause::UrlNotEncrypted, Cause::ConnectionRefused],
        ),
        behind.at(
            Cause::UrlNotEncrypted,
            "http://127.0.0.1:1",
            &[Cause::UrlPrivate, Cause::ConnectionRefused],
        ),
        behind.at(
            Cause::UrlTunnel,
            "https://no-such-tunnel.invalid.trycloudflare.com",
            OF_NO_NETWORK,
        ),
        behind.at(Cause::UrlIpv4, "https://192.0.2.1", OF_NO_NETWORK),
        behind.at(Cause::UrlIpv6, "https://[2001:db8::1]", OF_NO_NETWORK),
        behind.at(Cause::NameMissing, "https://bot.invalid", &[]),
        behind.at(
            Cause::NamePrivate,
            "http://localhost:1",
            &[Cause::UrlPrivate, Cause::UrlNotEncrypted, Cause::ConnectionRefused],
        ),
    ]
}

/// What else is found of addresses that nobody has.
const OF_NO_NETWORK: &[Cause] = &[
    Cause::NameMissing,
    Cause::TlsFailed,
    Cause::ConnectionFailed,
    Cause::ConnectionTimeout,
    Cause::ConnectionRefused,
];

#[test]
fn whatever_stands_between_is_named() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let behind = Behind {
        config: folder.path().join("jiefeng.toml"),
        address: server.address,
    };
    assert_all_are_named(faults(&behind));
}
