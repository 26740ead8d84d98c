//! The accounts of 微信客服 with the people on both sides (doc/94661, doc/94645, doc/95159).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::event_codes::EventCodes;
use super::identifiers::Identifiers;
use super::news::{News, UsedIds};
use super::phone::Phone;
use super::refusal::{Impossible, Refusal, impossible, refuse};
use super::sessions::Session;

/// A person of the company who looks after customers (doc/94645).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Servicer {
    pub(crate) is_receiving: bool,
    /// Whether a person who does not receive only pauses.
    pub(crate) is_paused: bool,
}

/// An account that customers write to (doc/94661).
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) open_kfid: String,
    pub(crate) name: String,
    /// Whether the app may manage it (doc/94661).
    pub(crate) is_granted: bool,
    pub(crate) servicers: BTreeMap<String, Servicer>,
    pub(crate) news: News,
    pub(crate) used_ids: UsedIds,
    pub(crate) sessions: BTreeMap<String, Session>,
}

impl Account {
    /// The session with a customer; one that never began is an ended one.
    pub(crate) fn session(&mut self, customer: &str) -> &mut Session {
        self.sessions.entry(customer.to_owned()).or_default()
    }

    /// Adds an item of a customer (origin 3) or a servicer (origin 5).
    pub(crate) fn add_message(&mut self, at: Timestamp, written: Written<'_>) {
        let mut item = json!({
            "msgid": written.msgid,
            "open_kfid": self.open_kfid,
            "external_userid": written.customer,
            "send_time": at.as_second(),
            "origin": if written.servicer.is_some() { 5 } else { 3 },
            "msgtype": written.kind,
        });
        if let Some(fields) = item.as_object_mut() {
            fields.insert(written.kind.to_owned(), written.body.clone());
            if let Some(servicer) = written.servicer {
                fields.insert("servicer_userid".to_owned(), Value::from(servicer));
            }
        }
        self.news.add(at, item);
    }

    /// Adds an event (origin 4). The ids of account and customer are inside of it, not at the top (doc/94670).
    pub(crate) fn add_event(&mut self, ids: &mut Identifiers, at: Timestamp, mut event: Value) -> String {
        let msgid = ids.opaque("event_");
        if let Some(fields) = event.as_object_mut() {
            fields.insert("open_kfid".to_owned(), Value::from(self.open_kfid.as_str()));
        }
        let item = json!({
            "msgid": msgid, "send_time": at.as_second(), "origin": 4, "msgtype": "event", "event": event,
        });
        self.news.add(at, item);
        msgid
    }
}

/// What somebody wrote in the client.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) msgid: &'a str,
    pub(crate) customer: &'a str,
    pub(crate) servicer: Option<&'a str>,
    pub(crate) kind: &'a str,
    pub(crate) body: &'a Value,
}

/// A person in WeChat, the same one for all accounts of the company.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) nickname: String,
    pub(crate) phone: Phone,
}

/// All accounts and customers.
#[derive(Debug, Default)]
pub(crate) struct Kf {
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) customers: BTreeMap<String, Customer>,
    pub(crate) codes: EventCodes,
}

impl Kf {
    /// The account that a request names.
    pub(crate) fn granted(&mut self, open_kfid: &str) -> Result<&mut Account, Refusal> {
        if open_kfid.is_empty() {
            return refuse(60251, "open_kfid missing");
        }
        match self.accounts.get_mut(open_kfid) {
            None => refuse(95004, "open_kfid not exist"),
            Some(account) if !account.is_granted => refuse(48007, "no privilege of this kf account"),
            Some(account) => Ok(account),
        }
    }

    /// The account that somebody acts in.
    pub(crate) fn account(&mut self, open_kfid: &str) -> Result<&mut Account, Impossible> {
        match self.accounts.get_mut(open_kfid) {
            Some(account) => Ok(account),
            None => impossible(format!("there is no account `{open_kfid}`")),
        }
    }

    /// The customer with this id, who is a new one if there is none yet.
    pub(crate) fn known_or_new(&mut self, customer: &str) -> &mut Customer {
        self.customers.entry(customer.to_owned()).or_insert_with(|| Customer {
            nickname: customer.to_owned(),
            phone: Phone::default(),
        })
    }

    /// Whether anybody has this id (doc/90313).
    pub(crate) fn check_customer(&self, customer: &str) -> Result<(), Refusal> {
        match self.customers.contains_key(customer) {
            true => Ok(()),
            false => refuse(40096, "invalid external userid"),
        }
    }

    /// Whether anybody entered or wrote to any account within 48 hours (doc/95159).
    pub(crate) fn recent_session(&self, customer: &str, now: Timestamp) -> Option<&Session> {
        let sessions = self
            .accounts
            .values()
            .filter_map(|account| account.sessions.get(customer));
        sessions
            .filter(|session| session.is_recent(now))
            .max_by_key(|session| session.entered.max(session.wrote))
    }
}
