//! What the requests tell that have really come: whether WeCom gets through, and if not, which field is wrong.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::Offset;

use super::finding::{Cause, Finding};
use crate::store::SeenCallbacks;

/// Judges what is on record of these apps. A refusal counts until something genuine has come the same way.
pub(super) fn judge(apps: &[&str], seen: &[SeenCallbacks], now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<Finding> = apps.iter().flat_map(|app| of_app(app, seen, now)).collect();
    findings.extend(of_no_app(seen));
    findings
}

fn of_app(app: &str, seen: &[SeenCallbacks], now: Timestamp) -> Vec<Finding> {
    let own: Vec<&SeenCallbacks> = seen.iter().filter(|seen| seen.app == app).collect();
    let genuine = |method: &str| {
        own.iter()
            .copied()
            .find(|seen| seen.is_genuine() && seen.method == method)
    };
    let (verified, received) = (genuine("GET"), genuine("POST"));
    let since = |refused: &SeenCallbacks| match refused.method.as_str() {
        "GET" => verified.or(received),
        _ => received.or(verified),
    };
    let refused = own.iter().copied().filter(|seen| !seen.is_genuine());
    let (present, past): (Vec<_>, Vec<_>) =
        refused.partition(|refused| since(refused).is_none_or(|genuine| genuine.last_at < refused.last_at));
    let mut findings: Vec<Finding> = present.iter().map(|refused| why_refused(refused)).collect();
    findings.extend(past.first().map(|latest| of_past(latest, &past)));
    findings.extend(verified.map(|seen| counted(Cause::LifeVerified, seen)));
    findings.extend(received.map(|seen| counted(Cause::LifeMessages, seen)));
    findings.extend(received.or(verified).and_then(of_passage));
    match (verified, received) {
        (None, None) if present.is_empty() => findings.push(Finding::new(Cause::LifeNothing)),
        (Some(seen), None) if present.is_empty() => findings.push(never_used(seen, now)),
        _ => {}
    }
    findings.into_iter().map(|finding| finding.of(app)).collect()
}

/// Requests to addresses that name no app. Strangers look for all kinds of things, so only what could be a callback is on record.
fn of_no_app(seen: &[SeenCallbacks]) -> Vec<Finding> {
    let genuine = seen
        .iter()
        .filter(|seen| seen.is_genuine())
        .map(|seen| seen.last_at)
        .max();
    let nameless = seen.iter().filter(|seen| seen.app.is_empty());
    let present = nameless.filter(|refused| genuine.is_none_or(|at| at < refused.last_at));
    present.map(why_refused).collect()
}

fn counted(cause: Cause, seen: &SeenCallbacks) -> Finding {
    Finding::new(cause)
        .with("at", Shown(seen.last_at))
        .with("count", seen.count)
}

fn of_past(latest: &SeenCallbacks, all: &[&SeenCallbacks]) -> Finding {
    let count: u64 = all.iter().map(|seen| seen.count).sum();
    Finding::new(Cause::LifePast)
        .with("at", Shown(latest.last_at))
        .with("count", count)
        .with("reason", &latest.outcome)
        .with("likely", &latest.likely)
}

fn never_used(verified: &SeenCallbacks, now: Timestamp) -> Finding {
    let minutes = now.duration_since(verified.last_at).as_mins();
    Finding::new(Cause::LifeNeverUsed)
        .with("at", Shown(verified.last_at))
        .with("minutes", minutes)
}

/// Why requests were refused that were alike.
pub fn why_refused(refused: &SeenCallbacks) -> Finding {
    let has_detail = !refused.detail.is_empty();
    let cause = match refused.likely.as_str() {
        "token" => Cause::LifeToken,
        "encoding_aes_key" if has_detail => Cause::LifeKeyOfOther,
        "encoding_aes_key" => Cause::LifeKey,
        "corp_id" if has_detail => Cause::LifeCorpId,
        "corp_id" => Cause::LifeCorpIdEmpty,
        "path" => Cause::LifePath,
        "unknown_path" => Cause::LifeUnknownPath,
        "query" if has_detail => Cause::LifeQuery,
        "query" => Cause::LifeQueryStripped,
        "changed_ciphertext" => Cause::LifeCiphertext,
        "clock" => Cause::LifeClock,
        "replay" => Cause::LifeReplay,
        "body" => Cause::LifeBody,
        "method" => Cause::LifeMethod,
        _ => Cause::LifeTokenAndKey,
    };
    Finding::new(cause)
        .with("at", Shown(refused.last_at))
        .with("count", refused.count)
        .with("method", &refused.method)
        .with("reason", &refused.outcome)
        .with("detail", &refused.detail)
}

/// Whether the server knows for whom its proxy stands.
fn of_passage(genuine: &SeenCallbacks) -> Option<Finding> {
    match genuine.source.as_str() {
        "unnamed" => Some(Finding::new(Cause::ProxyHeaderMissing)),
        "private" => Some(Finding::new(Cause::ProxyNotTrusted)),
        _ => None,
    }
}

/// A time as admins read it; WeCom's are in China.
struct Shown(Timestamp);

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHINA: Offset = Offset::constant(8);
        write!(out, "{}", CHINA.to_datetime(self.0).strftime("%F %T"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_764_000_000 + second).unwrap()
    }

    fn seen(app: &str, method: &str, outcome: &str, likely: &str, second: i64) -> SeenCallbacks {
        SeenCallbacks {
            app: app.to_owned(),
            method: method.to_owned(),
            outcome: outcome.to_owned(),
            likely: likely.to_owned(),
            detail: String::new(),
            source: "forwarded".to_owned(),
            count: 2,
            first_at: at(second),
            last_at: at(second),
        }
    }

    fn genuine(method: &str, second: i64) -> SeenCallbacks {
        seen("support", method, SeenCallbacks::GENUINE, "", second)
    }

    #[track_caller]
    fn check(seen: &[SeenCallbacks], expected: &[Cause]) {
        let findings = judge(&["support"], seen, at(1000));
        let causes: Vec<Cause> = findings.iter().map(|finding| finding.cause).collect();
        assert_eq!(causes, expected);
    }

    #[test]
    fn a_refusal_counts_until_something_genuine_has_come_the_same_way() {
        let refused = seen("support", "GET", "signature", "token", 5);
        check(std::slice::from_ref(&refused), &[Cause::LifeToken]);
        check(
            &[genuine("GET", 4), refused.clone()],
            &[Cause::LifeToken, Cause::LifeVerified],
        );
        let since = [genuine("GET", 6), genuine("POST", 7), refused];
        check(&since, &[Cause::LifePast, Cause::LifeVerified, Cause::LifeMessages]);
    }

    #[test]
    fn silence_is_told_from_a_verification_that_led_to_nothing() {
        check(&[], &[Cause::LifeNothing]);
        check(&[genuine("GET", 1)], &[Cause::LifeVerified, Cause::LifeNeverUsed]);
        check(&[genuine("POST", 1)], &[Cause::LifeMessages]);
    }

    #[test]
    fn what_came_to_no_app_counts_while_nothing_genuine_comes() {
        let elsewhere = seen("", "GET", "address", "unknown_path", 5);
        check(
            std::slice::from_ref(&elsewhere),
            &[Cause::LifeNothing, Cause::LifeUnknownPath],
        );
        check(&[genuine("POST", 6), elsewhere], &[Cause::LifeMessages]);
    }

    #[test]
    fn a_proxy_that_does_not_say_for_whom_it_stands_is_noticed() {
        let through = |source: &str| SeenCallbacks {
            source: source.to_owned(),
            ..genuine("POST", 1)
        };
        check(&[through("unnamed")], &[Cause::LifeMessages, Cause::ProxyHeaderMissing]);
        check(&[through("private")], &[Cause::LifeMessages, Cause::ProxyNotTrusted]);
    }
}
