//! What an answer of the public address says about whatever stands between WeCom and the server. Nothing here asks anybody.

use std::time::Duration;

use super::finding::{Cause, Finding};
use crate::http::Refusal;

/// WeCom waits so long for the answer to a verification (doc/90930).
const DEADLINE: Duration = Duration::from_secs(1);

/// What takes so long is too late now and then.
const NEARLY_LATE: Duration = Duration::from_millis(600);

/// An answer as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) location: String,
    pub(super) body: Vec<u8>,
    pub(super) took: Duration,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub(super) enum Exchange {
    Answered(Answer),
    /// Nobody listens.
    Refused,
    /// No connection in time.
    ConnectionTimeout,
    /// A connection, and no answer in time.
    AnswerTimeout,
    /// Anything else, as the system says it.
    Failed(String),
}

/// A verification and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Verified {
    pub(super) expected: String,
    pub(super) ciphertext: String,
    pub(super) exchange: Exchange,
}

/// Everything that was asked of one app's address.
#[derive(Clone, Debug)]
pub(super) struct Probed {
    pub(super) address: String,
    /// With letters and digits alone.
    pub(super) plain: Verified,
    /// With the signs that proxies change, after the plain one.
    pub(super) special: Verified,
    /// One that is good only where somebody has decoded and encoded it again.
    pub(super) spelt: Exchange,
    /// One that is never good.
    pub(super) forged: Exchange,
    /// A message that asks for nothing.
    pub(super) message: Exchange,
}

/// Says what stands between. The first obstacle hides what is behind it.
pub(super) fn judge(probed: &Probed) -> Vec<Finding> {
    let answered = match of_connection(&probed.plain.exchange, &probed.address) {
        Ok(answered) => answered,
        Err(finding) => return vec![finding],
    };
    if let Some(finding) = trouble(answered, "GET", &probed.address) {
        return vec![finding];
    }
    let mut findings: Vec<Finding> = of_verifications(probed, answered).into_iter().collect();
    if findings.is_empty() {
        findings.extend(of_time(probed, answered));
        findings.extend(of_query(probed));
    }
    findings.push(of_message(probed));
    findings
}

fn of_connection<'a>(exchange: &'a Exchange, address: &str) -> Result<&'a Answer, Finding> {
    let cause = match exchange {
        Exchange::Answered(answer) => return Ok(answer),
        Exchange::Refused => Cause::ConnectionRefused,
        Exchange::ConnectionTimeout => Cause::ConnectionTimeout,
        Exchange::AnswerTimeout => Cause::AnswerTimeout,
        Exchange::Failed(error) => {
            return Err(Finding::new(Cause::ConnectionFailed)
                .with("address", address)
                .with("error", error));
        }
    };
    Err(Finding::new(cause).with("address", address))
}

/// What an answer that is no 200 says, and a page in the place of an answer.
fn trouble(answer: &Answer, method: &str, address: &str) -> Option<Finding> {
    let is_ours = is_of_jiefeng(answer);
    let cause = match answer.status {
        200 => page(answer)?,
        300..=399 => redirect(answer, address),
        401 | 407 => Cause::LoginRequired,
        403 if is_ours => Cause::OtherCredentials,
        400 if is_ours => Cause::QueryStripped,
        404 if is_ours => Cause::AppUnknown,
        503 if is_ours => Cause::NotStored,
        403 | 406 | 412 | 418 => Cause::Blocked,
        404 | 410 => Cause::NotRouted,
        405 if method == "GET" => Cause::GetNotAllowed,
        405 => Cause::PostNotAllowed,
        429 => Cause::TurnedAway,
        502..=504 => Cause::BackendDown,
        500..=599 => Cause::ServerError,
        _ => Cause::StatusUnexpected,
    };
    let finding = Finding::new(cause)
        .with("address", address)
        .with("method", method)
        .with("status", answer.status)
        .with("location", shortened(&answer.location));
    Some(finding)
}

/// Whether an answer is one of Jiefeng's own refusals.
pub(super) fn is_of_jiefeng(answer: &Answer) -> bool {
    let is_plain = answer.content_type.starts_with("text/plain");
    let mut statuses = Refusal::ALL.iter().map(|refusal| refusal.status());
    is_plain
        && statuses.any(|status| {
            status.as_u16() == answer.status && answer.body == status.canonical_reason().unwrap_or_default().as_bytes()
        })
}

fn page(answer: &Answer) -> Option<Cause> {
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    let start = text.trim_start_matches(['\u{feff}', ' ', '\r', '\n', '\t']);
    let is_page = answer.content_type.contains("html")
        || ["<!doctype", "<html", "<head", "<script"]
            .iter()
            .any(|tag| start.starts_with(tag));
    let has_one_of = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match is_page && start.starts_with('<') {
        false => None,
        true if has_one_of(&["type=\"password\"", "type='password'", "type=password"]) => Some(Cause::LoginPage),
        true if has_one_of(&[
            "captcha",
            "access denied",
            "blocked",
            "waf",
            "challenge",
            "拦截",
            "安全验证",
        ]) =>
        {
            Some(Cause::Blocked)
        }
        true if has_one_of(&["login", "sign in", "登录", "登陆"]) => Some(Cause::LoginPage),
        true => Some(Cause::HtmlPage),
    }
}

fn redirect(answer: &Answer, address: &str) -> Cause {
    let without_query = |url: &str| url.split(['?', '#']).next().unwrap_or_default().to_owned();
    let (to, from) = (without_query(&answer.location), without_query(address));
    let path = |url: &str| match url.split_once("://") {
        Some((_, rest)) => rest
            .split_once('/')
            .map(|(_, path)| format!("/{path}"))
            .unwrap_or_default(),
        None => url.to_owned(),
    };
    let is_login = |word: &&str| answer.location.to_lowercase().contains(word);
    if path(&to).trim_end_matches('/') == path(&from).trim_end_matches('/') && path(&to) != path(&from) {
        Cause::RedirectSlash
    } else if from.starts_with("http://") && to.starts_with("https://") && path(&to) == path(&from) {
        Cause::RedirectHttps
    } else if ["login", "signin", "sso", "oauth", "passport", "auth"]
        .iter()
        .any(is_login)
    {
        Cause::RedirectLogin
    } else {
        Cause::Redirect
    }
}

/// What is wrong with the answers to the two verifications.
fn of_verifications(probed: &Probed, plain: &Answer) -> Option<Finding> {
    let about = |cause| Finding::new(cause).with("address", &probed.address);
    if let Some(cause) = of_body(&probed.plain, plain) {
        return Some(about(cause));
    }
    let Exchange::Answered(special) = &probed.special.exchange else {
        return Some(about(Cause::PlusChanged));
    };
    if special.status != 200 {
        return Some(about(Cause::PlusChanged));
    }
    if special.body == probed.plain.expected.as_bytes() {
        return Some(about(Cause::AnswerCached));
    }
    of_body(&probed.special, special).map(about)
}

/// What was done to the plaintext, if it is not the answer.
fn of_body(verified: &Verified, answer: &Answer) -> Option<Cause> {
    let body = String::from_utf8_lossy(&answer.body);
    let expected = verified.expected.as_str();
    if body == expected {
        return None;
    }
    Some(match &*body {
        "" => Cause::AnswerEmpty,
        _ if body.starts_with('\u{feff}') => Cause::AnswerByteOrderMark,
        _ if body.trim() == expected => Cause::AnswerBlank,
        _ if body.trim() == format!("\"{expected}\"") || body.trim() == format!("'{expected}'") => Cause::AnswerQuoted,
        _ if body.contains(expected) => Cause::AnswerWrapped,
        _ if body.contains(&verified.ciphertext) => Cause::AnswerCiphertext,
        _ if body.bytes().all(|byte| byte.is_ascii_digit()) => Cause::AnswerCached,
        _ => Cause::AnswerChanged,
    })
}

fn of_time(probed: &Probed, first: &Answer) -> Vec<Finding> {
    let second = match &probed.special.exchange {
        Exchange::Answered(second) => second.took,
        _ => Duration::ZERO,
    };
    let cause = match (first.took, second) {
        (first, second) if first > DEADLINE && second > DEADLINE => Cause::Slow,
        (first, second) if first > DEADLINE || second > DEADLINE => Cause::SlowFirst,
        (first, second) if first > NEARLY_LATE || second > NEARLY_LATE => Cause::NearlySlow,
        _ => Cause::VerificationGood,
    };
    let finding = Finding::new(cause)
        .with("address", &probed.address)
        .with("milliseconds", first.took.max(second).as_millis())
        .with("least", first.took.min(second).as_millis());
    vec![finding]
}

/// Who lets pass what is not good.
fn of_query(probed: &Probed) -> Vec<Finding> {
    let is_let_pass = |exchange: &Exchange| matches!(exchange, Exchange::Answered(answer) if answer.status == 200);
    let about = |cause| Finding::new(cause).with("address", &probed.address);
    let forged = is_let_pass(&probed.forged).then(|| about(Cause::ForgedAccepted));
    let decoded = (forged.is_none() && is_let_pass(&probed.spelt)).then(|| about(Cause::QueryDecoded));
    forged.into_iter().chain(decoded).collect()
}

/// What became of the message, which is received like WeCom's and answered with nothing.
fn of_message(probed: &Probed) -> Finding {
    let answer = match of_connection(&probed.message, &probed.address) {
        Ok(answer) => answer,
        Err(finding) => return finding,
    };
    let is_changed = is_of_jiefeng(answer) && matches!(answer.status, 400 | 403 | 413 | 415);
    match trouble(answer, "POST", &probed.address) {
        Some(_) if is_changed => Finding::new(Cause::BodyChanged).with("address", &probed.address),
        Some(finding) => finding,
        None => Finding::new(Cause::MessagesGood)
            .with("address", &probed.address)
            .with("milliseconds", answer.took.as_millis()),
    }
}

/// Where a redirect leads may be long, and is another's text.
fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(body: &str) -> Exchange {
        answer(200, "text/plain", body)
    }

    fn answer(status: u16, content_type: &str, body: &str) -> Exchange {
        Exchange::Answered(Answer {
            status,
            content_type: content_type.to_owned(),
            body: body.as_bytes().to_vec(),
            ..Answer::default()
        })
    }

    fn verified(expected: &str, exchange: Exchange) -> Verified {
        Verified {
            expected: expected.to_owned(),
            ciphertext: "CIPHERTEXT".to_owned(),
            exchange,
        }
    }

    fn healthy() -> Probed {
        Probed {
            address: "http://bot.example.com/callback/support".to_owned(),
            plain: verified("123", ok("123")),
            special: verified("456", ok("456")),
            spelt: answer(400, "text/plain", "Bad Request"),
            forged: answer(403, "text/plain; charset=utf-8", "Forbidden"),
            message: ok(""),
        }
    }

    #[track_caller]
    fn check(probed: &Probed, expected: &[Cause]) {
        let causes: Vec<Cause> = judge(probed).iter().map(|finding| finding.cause).collect();
        assert_eq!(causes, expected, "{probed:?}");
    }

    #[track_caller]
    fn check_first(exchange: Exchange, expected: Cause) {
        let probed = Probed {
            plain: verified("123", exchange),
            ..healthy()
        };
        assert_eq!(judge(&probed)[0].cause, expected, "{probed:?}");
    }

    #[test]
    fn a_clear_way_is_known_as_one() {
        check(&healthy(), &[Cause::VerificationGood, Cause::MessagesGood]);
    }

    #[test]
    fn what_is_done_to_the_plaintext_is_named() {
        for (body, expected) in [
            ("\"123\"", Cause::AnswerQuoted),
            ("{\"echostr\":\"123\"}", Cause::AnswerWrapped),
            ("b'123'", Cause::AnswerWrapped),
            ("('123',)", Cause::AnswerWrapped),
            ("\u{feff}123", Cause::AnswerByteOrderMark),
            ("123\n", Cause::AnswerBlank),
            (" 123", Cause::AnswerBlank),
            ("CIPHERTEXT", Cause::AnswerCiphertext),
            ("999", Cause::AnswerCached),
            ("", Cause::AnswerEmpty),
            ("ok", Cause::AnswerChanged),
        ] {
            check_first(ok(body), expected);
        }
    }

    #[test]
    fn whoever_answers_instead_of_the_server_is_known_by_the_answer() {
        for (status, content_type, body, expected) in [
            (200, "text/html", "<!doctype html><div id=app></div>", Cause::HtmlPage),
            (
                200,
                "text/html",
                "<html><input type=\"password\"></html>",
                Cause::LoginPage,
            ),
            (200, "text/html", "<html>请求被拦截</html>", Cause::Blocked),
            (401, "text/html", "", Cause::LoginRequired),
            (403, "text/html", "<html>403 Forbidden</html>", Cause::Blocked),
            (403, "text/plain; charset=utf-8", "Forbidden", Cause::OtherCredentials),
            (404, "text/html", "<html>404</html>", Cause::NotRouted),
            (404, "text/plain; charset=utf-8", "Not Found", Cause::AppUnknown),
            (400, "text/plain; charset=utf-8", "Bad Request", Cause::QueryStripped),
            (405, "text/html", "", Cause::GetNotAllowed),
            (429, "text/plain; charset=utf-8", "Too Many Requests", Cause::TurnedAway),
            (502, "text/html", "<html>Bad Gateway</html>", Cause::BackendDown),
            (500, "text/html", "<html>", Cause::ServerError),
            (204, "", "", Cause::StatusUnexpected),
        ] {
            check_first(answer(status, content_type, body), expected);
        }
    }

    #[test]
    fn redirects_are_told_apart_by_where_they_lead() {
        for (location, expected) in [
            ("http://bot.example.com/callback/support/?x=1", Cause::RedirectSlash),
            ("/callback/support/", Cause::RedirectSlash),
            ("https://bot.example.com/callback/support?x=1", Cause::RedirectHttps),
            ("https://sso.example.com/login?next=x", Cause::RedirectLogin),
            ("https://www.example.com/", Cause::Redirect),
        ] {
            let redirect = Exchange::Answered(Answer {
                status: 302,
                location: location.to_owned(),
                ..Answer::default()
            });
            check_first(redirect, expected);
        }
    }

    #[test]
    fn a_cache_and_a_changed_sign_show_at_the_second_verification() {
        let cached = verified("456", ok("123"));
        check(
            &Probed {
                special: cached,
                ..healthy()
            },
            &[Cause::AnswerCached, Cause::MessagesGood],
        );
        let changed = verified("456", answer(403, "text/plain", "Forbidden"));
        check(
            &Probed {
                special: changed,
                ..healthy()
            },
            &[Cause::PlusChanged, Cause::MessagesGood],
        );
    }

    #[test]
    fn what_is_let_pass_though_it_is_not_good_is_told() {
        let (good, decoded, forged) = (Cause::VerificationGood, Cause::QueryDecoded, Cause::ForgedAccepted);
        check(
            &Probed {
                spelt: ok("1"),
                ..healthy()
            },
            &[good, decoded, Cause::MessagesGood],
        );
        check(
            &Probed {
                forged: ok("1"),
                ..healthy()
            },
            &[good, forged, Cause::MessagesGood],
        );
    }

    #[test]
    fn a_message_may_fail_where_a_verification_does_not() {
        for (message, expected) in [
            (answer(405, "text/html", ""), Cause::PostNotAllowed),
            (answer(403, "text/html", "<html>"), Cause::Blocked),
            (answer(403, "text/plain", "Forbidden"), Cause::BodyChanged),
            (answer(503, "text/plain", "Service Unavailable"), Cause::NotStored),
        ] {
            check(&Probed { message, ..healthy() }, &[Cause::VerificationGood, expected]);
        }
    }

    #[test]
    fn what_is_late_is_too_late() {
        let took = |milliseconds: u64, body: &str| {
            Exchange::Answered(Answer {
                status: 200,
                body: body.as_bytes().to_vec(),
                took: Duration::from_millis(milliseconds),
                ..Answer::default()
            })
        };
        for (first, second, expected) in [
            (1500, 1500, Cause::Slow),
            (1500, 20, Cause::SlowFirst),
            (20, 700, Cause::NearlySlow),
            (20, 20, Cause::VerificationGood),
        ] {
            let probed = Probed {
                plain: verified("123", took(first, "123")),
                special: verified("456", took(second, "456")),
                ..healthy()
            };
            check(&probed, &[expected, Cause::MessagesGood]);
        }
    }

    #[test]
    fn who_cannot_be_reached_is_told_by_how() {
        for (exchange, expected) in [
            (Exchange::Refused, Cause::ConnectionRefused),
            (Exchange::ConnectionTimeout, Cause::ConnectionTimeout),
            (Exchange::AnswerTimeout, Cause::AnswerTimeout),
            (Exchange::Failed("x".to_owned()), Cause::ConnectionFailed),
        ] {
            check_first(exchange, expected);
        }
    }
}
