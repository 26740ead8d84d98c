//! What customers and servicers do on their phones, and the events that tell of it (doc/94670).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::company::Company;
use super::customer_message::click_item;
use super::event_codes::Occasion;
use super::kf::{Account, Servicer, Written};
use super::news::{News, UsedIds};
use super::phone::{Seen, Sender};
use super::refusal::{Impossible, impossible};
use super::sessions::State;

/// Something that a person writes.
#[derive(Clone, Copy)]
pub(crate) struct Writing<'a> {
    pub(crate) kind: &'a str,
    pub(crate) body: &'a Value,
}

impl Writing<'_> {
    fn words(&self) -> &str {
        self.body.get("content").and_then(Value::as_str).unwrap_or_default()
    }
}

/// One customer of one account.
#[derive(Clone, Copy)]
pub(crate) struct Conversation<'a> {
    pub(crate) open_kfid: &'a str,
    pub(crate) customer: &'a str,
}

impl Company {
    /// A new account without servicers.
    pub(crate) fn open_account(&mut self, open_kfid: Option<&str>, name: &str, is_granted: bool) -> String {
        let new_id = || self.ids.opaque("wk");
        let open_kfid = open_kfid.map(str::to_owned).unwrap_or_else(new_id);
        let account = Account {
            open_kfid: open_kfid.clone(),
            name: name.to_owned(),
            is_granted,
            servicers: std::collections::BTreeMap::new(),
            news: News::new(&mut self.ids),
            used_ids: UsedIds::default(),
            sessions: std::collections::BTreeMap::new(),
        };
        self.kf.accounts.entry(open_kfid.clone()).or_insert(account);
        open_kfid
    }

    /// A person looks after an account from now on.
    pub(crate) fn add_servicer(&mut self, open_kfid: &str, userid: &str, is_receiving: bool) -> Result<(), Impossible> {
        let servicer = Servicer {
            is_receiving,
            is_paused: false,
        };
        self.kf
            .account(open_kfid)?
            .servicers
            .insert(userid.to_owned(), servicer);
        Ok(())
    }

    /// A customer opens the conversation; the event, as it is reported.
    pub(crate) fn customer_enters(
        &mut self,
        at: Conversation<'_>,
        scene: &str,
        scene_param: Option<&str>,
        now: Timestamp,
    ) -> Result<Value, Impossible> {
        self.kf.known_or_new(at.customer);
        let session = self.kf.account(at.open_kfid)?.session(at.customer);
        session.entered = Some(now);
        session.scene = Some((scene.to_owned(), scene_param.unwrap_or_default().to_owned()));
        let mut event = json!({"event_type": "enter_session", "external_userid": at.customer, "scene": scene});
        let is_welcome = session.deserves_welcome(now);
        let mut add = |name: &str, value: &str| event.as_object_mut()?.insert(name.to_owned(), Value::from(value));
        if let Some(scene_param) = scene_param {
            add("scene_param", scene_param);
        }
        if is_welcome {
            add("welcome_code", &self.code(Occasion::Entered, at, now));
        }
        self.tell(at.open_kfid, event.clone(), now)?;
        Ok(event)
    }

    /// A customer writes, or wrote a while ago; the id of the message. Ringing is the caller's business.
    pub(crate) fn customer_writes(
        &mut self,
        at: Conversation<'_>,
        writing: Writing<'_>,
        sent: Timestamp,
    ) -> Result<String, Impossible> {
        let msgid = self.ids.opaque("from_msgid_");
        let account = self.kf.account(at.open_kfid)?;
        account.session(at.customer).customer_writes(sent);
        let written = Written {
            msgid: &msgid,
            customer: at.customer,
            servicer: None,
            kind: writing.kind,
            body: writing.body,
        };
        account.add_message(sent, written);
        self.show(
            at,
            Seen::new(Sender::Myself, writing.kind, writing.words(), writing.body.clone()),
            &msgid,
            sent,
        );
        Ok(msgid)
    }

    /// A customer taps an item of a menu that was sent, given by its id or caption: a text with the caption and `menu_id` (doc/94670). An
    /// old menu can be tapped too.
    pub(crate) fn customer_taps(
        &mut self,
        at: Conversation<'_>,
        item: &str,
        now: Timestamp,
    ) -> Result<String, Impossible> {
        let messages = self.kf.known_or_new(at.customer).phone.messages().iter().rev();
        let is_menu_here =
            |message: &&Seen| message.kind == "msgmenu" && message.open_kfid.as_deref() == Some(at.open_kfid);
        let mut items = messages
            .filter(is_menu_here)
            .filter_map(|menu| click_item(&menu.body, item));
        let body = match items.next() {
            Some((Some(id), caption)) => json!({"content": caption, "menu_id": id}),
            Some((None, caption)) => json!({"content": caption}),
            None => {
                return impossible(format!(
                    "no menu on the phone of `{}` has an item `{item}`",
                    at.customer
                ));
            }
        };
        let writing = Writing {
            kind: "text",
            body: &body,
        };
        let msgid = self.customer_writes(at, writing, now)?;
        self.ring(at.open_kfid, now);
        Ok(msgid)
    }

    /// A customer takes a message back.
    pub(crate) fn customer_recalls(
        &mut self,
        at: Conversation<'_>,
        msgid: &str,
        now: Timestamp,
    ) -> Result<(), Impossible> {
        self.recall(at, msgid, Sender::Myself)?;
        let event = json!({"event_type": "user_recall_msg", "external_userid": at.customer, "recall_msgid": msgid});
        self.tell(at.open_kfid, event, now)
    }

    /// A servicer takes a customer from the pool.
    pub(crate) fn servicer_takes(
        &mut self,
        at: Conversation<'_>,
        userid: &str,
        now: Timestamp,
    ) -> Result<(), Impossible> {
        self.check_servicer(at, userid)?;
        let session = self.kf.account(at.open_kfid)?.session(at.customer);
        if session.state(now) != State::Pool {
            return impossible(format!("`{}` is not in the pool", at.customer));
        }
        session.become_state(State::Human, Some(userid));
        let code = self.code(Occasion::Taken, at, now);
        let event = json!({"event_type": "session_status_change", "external_userid": at.customer,
            "change_type": 1, "new_servicer_userid": userid, "msg_code": code});
        self.tell(at.open_kfid, event, now)
    }

    /// A servicer writes to a customer: one's own, or one whose session ended, which opens it again (doc/94669).
    pub(crate) fn servicer_writes(
        &mut self,
        at: Conversation<'_>,
        userid: &str,
        writing: Writing<'_>,
        now: Timestamp,
    ) -> Result<String, Impossible> {
        self.check_servicer(at, userid)?;
        let session = self.kf.account(at.open_kfid)?.session(at.customer);
        match session.state(now) {
            State::Human => self.check_own(at, userid, now)?,
            State::Ended => {
                let before = session.last_servicer().unwrap_or_default().to_owned();
                session.reopen(userid, now);
                let event = json!({"event_type": "session_status_change", "external_userid": at.customer,
                    "change_type": 4, "old_servicer_userid": before, "new_servicer_userid": userid});
                self.kf.account(at.open_kfid)?.add_event(&mut self.ids, now, event);
            }
            State::New | State::Assistant | State::Pool => {
                return impossible(format!("`{}` is not with a servicer", at.customer));
            }
        }
        let msgid = self.ids.opaque("from_servicer_");
        let written = Written {
            msgid: &msgid,
            customer: at.customer,
            servicer: Some(userid),
            kind: writing.kind,
            body: writing.body,
        };
        self.kf.account(at.open_kfid)?.add_message(now, written);
        let seen = Seen::new(Sender::Servicer, writing.kind, writing.words(), writing.body.clone());
        self.show(at, seen.by_servicer(userid), &msgid, now);
        self.ring(at.open_kfid, now);
        Ok(msgid)
    }

    /// A servicer takes a message back.
    pub(crate) fn servicer_recalls(
        &mut self,
        at: Conversation<'_>,
        userid: &str,
        msgid: &str,
        now: Timestamp,
    ) -> Result<(), Impossible> {
        self.recall(at, msgid, Sender::Servicer)?;
        let event = json!({"event_type": "servicer_recall_msg", "external_userid": at.customer,
            "recall_msgid": msgid, "servicer_userid": userid});
        self.tell(at.open_kfid, event, now)
    }

    /// A servicer hands a customer to another one.
    pub(crate) fn servicer_transfers(
        &mut self,
        at: Conversation<'_>,
        userid: &str,
        other: &str,
        now: Timestamp,
    ) -> Result<(), Impossible> {
        self.check_own(at, userid, now)?;
        self.check_servicer(at, other)?;
        self.kf
            .account(at.open_kfid)?
            .session(at.customer)
            .become_state(State::Human, Some(other));
        let event = json!({"event_type": "session_status_change", "external_userid": at.customer,
            "change_type": 2, "old_servicer_userid": userid, "new_servicer_userid": other});
        self.tell(at.open_kfid, event, now)
    }

    /// A servicer ends a session.
    pub(crate) fn servicer_ends(
        &mut self,
        at: Conversation<'_>,
        userid: &str,
        now: Timestamp,
    ) -> Result<(), Impossible> {
        self.check_own(at, userid, now)?;
        self.kf
            .account(at.open_kfid)?
            .session(at.customer)
            .become_state(State::Ended, None);
        let code = self.code(Occasion::Ended, at, now);
        let event = json!({"event_type": "session_status_change", "external_userid": at.customer,
            "change_type": 3, "old_servicer_userid": userid, "msg_code": code});
        self.tell(at.open_kfid, event, now)
    }

    /// A servicer begins or stops to receive customers. In the event 1 means receiving, unlike in the list (doc/94670, doc/94645).
    pub(crate) fn servicer_changes_duty(
        &mut self,
        open_kfid: &str,
        userid: &str,
        servicer: Servicer,
        now: Timestamp,
    ) -> Result<(), Impossible> {
        let account = self.kf.account(open_kfid)?;
        let Some(known) = account.servicers.get_mut(userid) else {
            return impossible(format!("`{userid}` is not a servicer of `{open_kfid}`"));
        };
        *known = servicer;
        let status = if servicer.is_receiving { 1 } else { 2 };
        let event = json!({"event_type": "servicer_status_change", "servicer_userid": userid, "status": status,
            "stop_type": i32::from(servicer.is_paused)});
        self.tell(open_kfid, event, now)
    }

    fn check_servicer(&mut self, at: Conversation<'_>, userid: &str) -> Result<(), Impossible> {
        match self.kf.account(at.open_kfid)?.servicers.contains_key(userid) {
            true => Ok(()),
            false => impossible(format!("`{userid}` is not a servicer of `{}`", at.open_kfid)),
        }
    }

    fn check_own(&mut self, at: Conversation<'_>, userid: &str, now: Timestamp) -> Result<(), Impossible> {
        match self.kf.account(at.open_kfid)?.session(at.customer).servicer(now) == Some(userid) {
            true => Ok(()),
            false => impossible(format!("`{}` is not with `{userid}`", at.customer)),
        }
    }

    fn code(&mut self, occasion: Occasion, at: Conversation<'_>, now: Timestamp) -> String {
        let ids = &mut self.ids;
        self.kf.codes.make(ids, occasion, at.open_kfid, at.customer, now)
    }

    /// Reports an event and rings.
    fn tell(&mut self, open_kfid: &str, event: Value, now: Timestamp) -> Result<(), Impossible> {
        self.kf.account(open_kfid)?.add_event(&mut self.ids, now, event);
        self.ring(open_kfid, now);
        Ok(())
    }

    fn show(&mut self, at: Conversation<'_>, seen: Seen, msgid: &str, now: Timestamp) {
        let seen = seen.in_account(at.open_kfid).with_id(msgid);
        self.kf.known_or_new(at.customer).phone.show(now, seen);
    }

    fn recall(&mut self, at: Conversation<'_>, msgid: &str, by: Sender) -> Result<(), Impossible> {
        match self.kf.known_or_new(at.customer).phone.recall(msgid, by) {
            Some(_) => Ok(()),
            None => impossible(format!("`{}` has no such message `{msgid}` to recall", at.customer)),
        }
    }
}
