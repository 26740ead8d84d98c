//! The members of the company, and what the app's conversation looks like on their phones.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::phone::{Phone, Seen};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Most messages of the app to one member (doc/90236, doc/90312).
const MOST_A_MINUTE: usize = 30;
const MOST_AN_HOUR: usize = 1000;

/// A member of the company.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) userid: String,
    /// Whether the app may see the member.
    pub(crate) is_visible: bool,
    pub(crate) phone: Phone,
    received: VecDeque<Timestamp>,
}

impl Member {
    /// Shows a message of the app, or drops it without a word when there were too many (doc/90236).
    pub(crate) fn receive(&mut self, now: Timestamp, message: Seen) -> bool {
        self.received.retain(|at| now.duration_since(*at) < HOUR);
        let within_a_minute = |at: &&Timestamp| now.duration_since(**at) < MINUTE;
        let lately = self.received.iter().filter(within_a_minute).count();
        if lately >= MOST_A_MINUTE || self.received.len() >= MOST_AN_HOUR {
            return false;
        }
        self.received.push_back(now);
        self.phone.show(now, message);
        true
    }
}

/// All members, by their id without regard to case, as the platform compares them.
#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<String, Member>);

impl Members {
    /// The member with this id, who is a new one if there is none yet.
    pub(crate) fn known_or_new(&mut self, userid: &str) -> &mut Member {
        self.0.entry(userid.to_ascii_lowercase()).or_insert_with(|| Member {
            userid: userid.to_owned(),
            is_visible: true,
            phone: Phone::default(),
            received: VecDeque::new(),
        })
    }

    pub(crate) fn get(&self, userid: &str) -> Option<&Member> {
        self.0.get(&userid.to_ascii_lowercase())
    }

    pub(crate) fn get_mut(&mut self, userid: &str) -> Option<&mut Member> {
        self.0.get_mut(&userid.to_ascii_lowercase())
    }

    /// The members of a list like `a|b` whom the app may write to, and the others, both in lower case (doc/90236).
    pub(crate) fn addressed(&self, list: &str) -> (Vec<String>, Vec<String>) {
        if list.trim() == "@all" {
            let visible = self.0.iter().filter(|(_, member)| member.is_visible);
            return (visible.map(|(key, _)| key.clone()).collect(), Vec::new());
        }
        let named = list.split('|').map(|name| name.trim().to_ascii_lowercase());
        let mut named: Vec<String> = named.filter(|name| !name.is_empty()).collect();
        named.sort_unstable();
        named.dedup();
        named
            .into_iter()
            .partition(|name| self.0.get(name).is_some_and(|member| member.is_visible))
    }

    pub(crate) fn visible_ids(&self) -> Vec<&str> {
        let visible = self.0.values().filter(|member| member.is_visible);
        visible.map(|member| member.userid.as_str()).collect()
    }
}
