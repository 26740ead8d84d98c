//! How often an API may be called, and for how long it is blocked after that (doc/90312).

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::refusal::{Refusal, refuse};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The limits that tests may want to meet sooner.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Calls of one API (doc/90312).
    pub(crate) calls_per_minute: u32,
    /// Calls of one API (doc/90312).
    pub(crate) calls_per_hour: u32,
    /// Calls of `kf/sync_msg` without a token, or with a wrong one: "strict" (doc/94670); ten, as WeCom's people say in its forum.
    pub(crate) tokenless_pulls_per_minute: u32,
    /// Wrong secrets within an hour before the caller is banned; not published (doc/90313).
    pub(crate) wrong_secrets_before_ban: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_minute: 10_000,
            calls_per_hour: 150_000,
            tokenless_pulls_per_minute: 10,
            wrong_secrets_before_ban: 20,
        }
    }
}

/// Counts calls.
#[derive(Debug, Default)]
pub(crate) struct Frequency {
    meters: HashMap<(String, SignedDuration), Meter>,
}

impl Frequency {
    /// Counts one call of an API.
    pub(crate) fn count(&mut self, api: &str, limits: &Limits, now: Timestamp) -> Result<(), Refusal> {
        self.meter(api, MINUTE, limits.calls_per_minute, now)?;
        self.meter(api, HOUR, limits.calls_per_hour, now)
    }

    /// Counts one pull that no callback asked for, as far as its token tells.
    pub(crate) fn count_tokenless_pull(&mut self, limits: &Limits, now: Timestamp) -> Result<(), Refusal> {
        let most = limits.tokenless_pulls_per_minute;
        self.meter("kf/sync_msg without token", MINUTE, most, now)
    }

    fn meter(&mut self, what: &str, window: SignedDuration, most: u32, now: Timestamp) -> Result<(), Refusal> {
        let meter = self.meters.entry((what.to_owned(), window)).or_default();
        match meter.allows(window, most, now) {
            true => Ok(()),
            false => refuse(45009, format!("api freq out of limit: {what}")),
        }
    }
}

#[derive(Debug, Default)]
struct Meter {
    started: Option<Timestamp>,
    calls: u32,
    blocked_until: Option<Timestamp>,
}

impl Meter {
    /// The block lasts as long as the window, from the call that was one too many (doc/90312).
    fn allows(&mut self, window: SignedDuration, most: u32, now: Timestamp) -> bool {
        if self.blocked_until.is_some_and(|until| now < until) {
            return false;
        }
        if self.started.is_none_or(|started| now.duration_since(started) >= window) {
            *self = Self {
                started: Some(now),
                ..Self::default()
            };
        }
        self.calls = self.calls.saturating_add(1);
        if self.calls > most {
            self.blocked_until = now.checked_add(window).ok();
            self.started = None;
        }
        self.calls <= most
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::tests::errcode;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn an_api_called_too_often_is_blocked_for_as_long_as_the_window_doc_90312() {
        let limits = Limits {
            calls_per_minute: 2,
            ..Limits::default()
        };
        let mut frequency = Frequency::default();
        let mut call = |api: &str, second| errcode(frequency.count(api, &limits, at(second)));
        assert_eq!([call("a", 0), call("a", 1), call("a", 2)], [0, 0, 45009]);
        assert_eq!(call("b", 2), 0, "each API is counted by itself");
        assert_eq!([call("a", 61), call("a", 62)], [45009, 0]);
    }
}
