//! What was asked of the platform, for whoever wants to know how a bot behaved.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counts since the start.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counters {
    /// Calls of each API, refused ones too.
    pub(crate) calls: BTreeMap<String, u64>,
    /// Refused calls of each API by error number.
    pub(crate) refused: BTreeMap<String, BTreeMap<i64, u64>>,
    pub(crate) gettoken: u64,
    /// Calls of `kf/send_msg` and `kf/send_msg_on_event`, whatever came of them.
    pub(crate) send_attempts: u64,
    /// Of them, those with an own id that had been used before.
    pub(crate) duplicate_msgids_refused: u64,
    /// Messages of the app that were dropped because a member had too many.
    pub(crate) dropped_app_messages: u64,
    /// Messages of the app that the duplicate check kept back.
    pub(crate) duplicate_app_messages: u64,
    /// Pulls of each account under way.
    pub(crate) pulls_in_flight: BTreeMap<String, u64>,
    /// The most pulls of an account at the same time.
    pub(crate) most_pulls_in_flight: BTreeMap<String, u64>,
    pub(crate) callbacks: Callbacks,
}

/// Callbacks that nobody's action waits for.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Callbacks {
    pub(crate) in_flight: u64,
    pub(crate) received: u64,
    pub(crate) failed: u64,
    pub(crate) dropped: u64,
}

impl Counters {
    pub(crate) fn call(&mut self, api: &str, errcode: i64) {
        bump(&mut self.calls, api);
        if api == "gettoken" {
            self.gettoken = self.gettoken.saturating_add(1);
        }
        if errcode != 0 {
            let numbers = self.refused.entry(api.to_owned()).or_default();
            let count = numbers.entry(errcode).or_default();
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn pull_begins(&mut self, open_kfid: &str) {
        bump(&mut self.pulls_in_flight, open_kfid);
        let now = self.pulls_in_flight.get(open_kfid).copied().unwrap_or_default();
        let most = self.most_pulls_in_flight.entry(open_kfid.to_owned()).or_default();
        *most = now.max(*most);
    }

    pub(crate) fn pull_ends(&mut self, open_kfid: &str) {
        if let Some(pulls) = self.pulls_in_flight.get_mut(open_kfid) {
            *pulls = pulls.saturating_sub(1);
        }
    }
}

fn bump(counts: &mut BTreeMap<String, u64>, name: &str) {
    let count = counts.entry(name.to_owned()).or_default();
    *count = count.saturating_add(1);
}
