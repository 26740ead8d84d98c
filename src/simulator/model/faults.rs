//! Faults on request: which calls and callbacks go wrong and how, the same ones from the same seed.

use serde::{Deserialize, Serialize};

use super::identifiers::scramble;

/// How something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// The answer comes `value` milliseconds later.
    LatencyMs,
    /// The HTTP status is `value`, 503 if nothing is said.
    Status,
    /// The connection breaks.
    Reset,
    /// The access token is no longer good from this call on.
    ExpireToken,
    /// The answer is no JSON.
    WrongJson,
    /// The answer has this `errcode`, −1 if nothing is said.
    Errcode,
    /// A page of `kf/sync_msg` has only `value` messages, none if nothing is said, and says that there is more.
    ShortPage,
    /// `kf/send_msg` accepts a message, which then fails with the `fail_type` `value` (doc/94670).
    SendFail,
    /// A callback is never posted.
    Drop,
    /// A callback is posted twice.
    Duplicate,
    /// A callback is held back for `value` milliseconds, 300 if nothing is said, so that later ones overtake it.
    Reorder,
}

/// One rule of what goes wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// The path without `/cgi-bin/`, or `callback/` with the message kind or the event; a `*` at the end stands for anything, so that `*`
    /// alone means callbacks as well.
    pub(crate) api: String,
    pub(crate) kind: FaultKind,
    pub(crate) value: Option<i64>,
    /// How many of the matching calls, from 0 to 1; all if nothing is said.
    pub(crate) probability: Option<f64>,
    /// After how many times it is over; never if nothing is said.
    pub(crate) count: Option<u64>,
    /// How many matching calls go well before.
    #[serde(default)]
    pub(crate) skip: u64,
    #[serde(default)]
    pub(crate) seed: u64,
    /// Whether the call is carried out although its answer says otherwise or is lost.
    #[serde(default)]
    pub(crate) carried_out: bool,
}

/// What becomes of one call or callback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) latency_ms: u64,
    /// What is answered instead of the truth.
    pub(crate) instead: Option<Instead>,
    /// Whether the call is carried out in spite of that.
    pub(crate) is_carried_out: bool,
    pub(crate) expires_token: bool,
    pub(crate) shorter_page: Option<usize>,
    pub(crate) fail_type: Option<i64>,
    pub(crate) is_dropped: bool,
    pub(crate) is_duplicated: bool,
}

/// An answer that does not tell the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    Status(u16),
    Reset,
    WrongJson,
    Errcode(i64),
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    fault: Fault,
    matched: u64,
    happened: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(Rule {
            fault,
            matched: 0,
            happened: 0,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The rules, each with how often it was met and how often it happened.
    pub(crate) fn listed(&self) -> Vec<(&Fault, u64, u64)> {
        let rules = self.0.iter();
        rules.map(|rule| (&rule.fault, rule.matched, rule.happened)).collect()
    }

    /// What becomes of the next call of an API.
    pub(crate) fn fate(&mut self, api: &str) -> Fate {
        let mut fate = Fate {
            is_carried_out: true,
            ..Fate::default()
        };
        for rule in self.0.iter_mut().filter(|rule| rule.is_about(api)) {
            if rule.happens() {
                fate.add(&rule.fault);
            }
        }
        fate
    }
}

impl Rule {
    fn is_about(&self, api: &str) -> bool {
        match self.fault.api.strip_suffix('*') {
            Some(start) => api.starts_with(start),
            None => self.fault.api == api,
        }
    }

    /// Draws once for every matching call, so that the draws do not depend on what other rules did.
    fn happens(&mut self) -> bool {
        let draw = scramble(self.fault.seed.wrapping_add(scramble(self.matched)));
        self.matched = self.matched.saturating_add(1);
        let is_over = self.fault.count.is_some_and(|count| self.happened >= count);
        if is_over || self.matched <= self.fault.skip || !is_below(draw, self.fault.probability) {
            return false;
        }
        self.happened = self.happened.saturating_add(1);
        true
    }
}

/// Whether a random number falls into this share of all numbers.
fn is_below(draw: u64, probability: Option<f64>) -> bool {
    let share = f64::from(u32::try_from(draw >> 32).unwrap_or_default()) / f64::from(u32::MAX);
    probability.is_none_or(|probability| share < probability)
}

impl Fate {
    fn add(&mut self, fault: &Fault) {
        let value = fault.value;
        let millis = |usual: i64| u64::try_from(value.unwrap_or(usual)).unwrap_or_default();
        match fault.kind {
            FaultKind::LatencyMs => self.latency_ms = self.latency_ms.saturating_add(millis(0)),
            FaultKind::Reorder => self.latency_ms = self.latency_ms.saturating_add(millis(300)),
            FaultKind::Status => {
                let status = value.and_then(|status| u16::try_from(status).ok()).unwrap_or(503);
                self.answer(Instead::Status(status), fault);
            }
            FaultKind::Reset => self.answer(Instead::Reset, fault),
            FaultKind::WrongJson => self.answer(Instead::WrongJson, fault),
            FaultKind::Errcode => self.answer(Instead::Errcode(value.unwrap_or(-1)), fault),
            FaultKind::ExpireToken => self.expires_token = true,
            FaultKind::ShortPage => {
                self.shorter_page = Some(usize::try_from(value.unwrap_or(0)).unwrap_or_default());
            }
            FaultKind::SendFail => self.fail_type = Some(value.unwrap_or(0)),
            FaultKind::Drop => self.is_dropped = true,
            FaultKind::Duplicate => self.is_duplicated = true,
        }
    }

    /// The first rule decides what is answered.
    fn answer(&mut self, instead: Instead, fault: &Fault) {
        if self.instead.is_none() {
            self.instead = Some(instead);
            self.is_carried_out = fault.carried_out;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(rules: serde_json::Value) -> Faults {
        let mut faults = Faults::default();
        for rule in rules.as_array().unwrap() {
            faults.add(serde_json::from_value(rule.clone()).unwrap());
        }
        faults
    }

    fn pattern(faults: &mut Faults, api: &str, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| faults.fate(api).instead.is_some()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        let with_seed = |seed: u64| {
            let rules = json!([{"api": "kf/*", "kind": "status", "probability": 0.3, "seed": seed}]);
            pattern(&mut faults(rules), "kf/send_msg", 200)
        };
        assert_eq!(with_seed(7), with_seed(7));
        assert_ne!(with_seed(7), with_seed(8));
        let happened = with_seed(7).iter().filter(|happened| **happened).count();
        assert!((40..80).contains(&happened), "{happened} of 200 at 0.3");
    }

    #[test]
    fn a_fault_can_be_for_some_calls_only() {
        let rules = json!([{"api": "gettoken", "kind": "reset", "count": 2, "skip": 1}]);
        let mut faults = faults(rules);
        assert_eq!(pattern(&mut faults, "menu/get", 1), [false]);
        assert_eq!(pattern(&mut faults, "gettoken", 4), [false, true, true, false]);
    }

    #[test]
    fn several_faults_come_together_and_the_first_answers() {
        let mut faults = faults(json!([
            {"api": "*", "kind": "latency_ms", "value": 20},
            {"api": "kf/send_msg", "kind": "reset", "carried_out": true},
            {"api": "kf/send_msg", "kind": "errcode", "value": 45009},
        ]));
        let fate = faults.fate("kf/send_msg");
        assert_eq!(
            (fate.latency_ms, fate.instead, fate.is_carried_out),
            (20, Some(Instead::Reset), true)
        );
        let other = faults.fate("kf/sync_msg");
        assert_eq!(
            (other.latency_ms, other.instead, other.is_carried_out),
            (20, None, true)
        );
    }
}
