//! Access tokens of the app (doc/91039).

use std::collections::{HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::identifiers::Identifiers;
use super::refusal::{Refusal, refuse};

/// How long a token is good for (doc/91039).
pub(crate) const VALIDITY: SignedDuration = SignedDuration::from_secs(7200);

/// How long an address that tries wrong secrets is banned (doc/90313).
const BAN: SignedDuration = SignedDuration::from_hours(1);

/// Tokens may have up to 512 bytes (doc/91039); short ones would hide that somebody kept too little room.
const PARTS: usize = 8;

/// The token of the moment, and those that were.
#[derive(Debug, Default)]
pub(crate) struct AccessTokens {
    current: Option<(String, Timestamp)>,
    former: HashSet<String>,
    wrong_secrets: VecDeque<Timestamp>,
    banned_until: Option<Timestamp>,
}

impl AccessTokens {
    /// Within its validity the same token is given again; what is left of it is said.
    pub(crate) fn get(&mut self, ids: &mut Identifiers, now: Timestamp) -> (String, i64) {
        self.let_expire(now);
        let (token, until) = self.current.get_or_insert_with(|| {
            let parts: Vec<String> = (0..PARTS).map(|_| ids.opaque("-")).collect();
            (parts.concat(), now.saturating_add(VALIDITY).unwrap_or(now))
        });
        (token.clone(), until.duration_since(now).as_secs())
    }

    /// Whether a call with this token is carried out.
    pub(crate) fn check(&mut self, token: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
        self.let_expire(now);
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return refuse(41001, "access_token missing");
        };
        match &self.current {
            Some((current, _)) if current == token => Ok(()),
            _ if self.former.contains(token) => refuse(42001, "access_token expired"),
            _ => refuse(40014, "invalid access_token"),
        }
    }

    /// A token can die before its time (doc/91039).
    pub(crate) fn expire(&mut self) {
        if let Some((token, _)) = self.current.take() {
            self.former.insert(token);
        }
    }

    /// The token of the moment is good for so much longer.
    pub(crate) fn outlive(&mut self, by: SignedDuration) {
        if let Some((_, until)) = &mut self.current {
            *until = until.saturating_add(by).unwrap_or(*until);
        }
    }

    /// Wrong secrets one after another get the caller banned; how many it takes is not published (doc/90313).
    pub(crate) fn wrong_secret(&mut self, before_ban: usize, now: Timestamp) -> Refusal {
        self.wrong_secrets.retain(|at| now.duration_since(*at) < BAN);
        self.wrong_secrets.push_back(now);
        if self.wrong_secrets.len() >= before_ban {
            self.wrong_secrets.clear();
            self.banned_until = now.checked_add(BAN).ok();
        }
        Refusal::new(40001, "invalid credential")
    }

    pub(crate) fn check_ban(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.banned_until {
            Some(until) if now < until => refuse(45009, "api freq out of limit: too many wrong secrets"),
            _ => Ok(()),
        }
    }

    fn let_expire(&mut self, now: Timestamp) {
        if self.current.as_ref().is_some_and(|(_, until)| now >= *until) {
            self.expire();
        }
    }
}
