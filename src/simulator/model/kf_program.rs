//! What the program behind the accounts does: it reads, answers, and moves sessions (doc/94670, doc/94677, doc/95122, doc/94669).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::company::Company;
use super::customer_message::CustomerMessage;
use super::event_codes::Occasion;
use super::fields::{at_most, has_only, optional_number, optional_text, text, texts};
use super::kf::Account;
use super::phone::{Seen, Sender};
use super::refusal::{Refusal, refuse};
use super::sessions::State;

impl Company {
    /// `kf/sync_msg` (doc/94670).
    pub(crate) fn pull(&mut self, request: &Value, shorter: Option<usize>, now: Timestamp) -> Result<Value, Refusal> {
        let account = self
            .kf
            .granted(optional_text(request, "open_kfid")?.unwrap_or_default())?;
        let checked = optional_text(request, "token")?
            .filter(|token| !token.is_empty())
            .map(|token| account.news.check_token(token, now));
        if !matches!(checked, Some(Ok(()))) {
            self.frequency.count_tokenless_pull(&self.limits, now)?;
        }
        checked.unwrap_or(Ok(()))?;
        let cursor = optional_text(request, "cursor")?.unwrap_or_default();
        at_most(cursor, 64, 40058, "cursor")?;
        let page = account
            .news
            .page(cursor, optional_number(request, "limit")?, shorter, now)?;
        Ok(json!({
            "next_cursor": page.next_cursor,
            "has_more": i32::from(page.has_more),
            "msg_list": page.items,
        }))
    }

    /// `kf/send_msg` (doc/94677). With a `fail_type` the message is accepted and fails afterwards (doc/94670).
    pub(crate) fn send_to_customer(
        &mut self,
        request: &Value,
        fail_type: Option<i64>,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        self.counters.send_attempts = self.counters.send_attempts.saturating_add(1);
        let customer = text(request, "touser")?;
        let open_kfid = optional_text(request, "open_kfid")?.unwrap_or_default();
        self.kf.granted(open_kfid)?;
        let message = CustomerMessage::parse(request)?;
        self.kf.check_customer(customer)?;
        // First of all: a repetition is told as one, whatever became of session and budget since. Which comes first is not documented.
        self.check_own_id(open_kfid, &message)?;
        let session = self.kf.granted(open_kfid)?.session(customer);
        session.check_sending(now)?;
        session.spend();
        let msgid = self.accept(open_kfid, &message)?;
        match fail_type {
            None => self.show_to_customer(open_kfid, customer, &message, &msgid, now),
            Some(fail_type) => {
                let event = json!({"event_type": "msg_send_fail", "external_userid": customer,
                    "fail_msgid": msgid, "fail_type": fail_type});
                self.kf.granted(open_kfid)?.add_event(&mut self.ids, now, event);
                self.ring(open_kfid, now);
            }
        }
        Ok(json!({"msgid": msgid}))
    }

    /// `kf/send_msg_on_event` (doc/95122).
    pub(crate) fn send_on_event(&mut self, request: &Value, now: Timestamp) -> Result<Value, Refusal> {
        self.counters.send_attempts = self.counters.send_attempts.saturating_add(1);
        let name = text(request, "code")?;
        let message = CustomerMessage::parse(request)?;
        let code = self.kf.codes.find(name, now)?;
        let account = self.kf.granted(&code.open_kfid)?;
        code.check(&message.kind, account.session(&code.customer).state(now))?;
        self.check_own_id(&code.open_kfid, &message)?;
        self.kf.codes.use_up(name);
        let msgid = self.accept(&code.open_kfid, &message)?;
        if code.occasion == Occasion::Entered {
            self.kf.granted(&code.open_kfid)?.session(&code.customer).welcomed = Some(now);
        }
        self.show_to_customer(&code.open_kfid, &code.customer, &message, &msgid, now);
        Ok(json!({"msgid": msgid}))
    }

    fn check_own_id(&mut self, open_kfid: &str, message: &CustomerMessage) -> Result<(), Refusal> {
        let Some(msgid) = &message.msgid else {
            return Ok(());
        };
        let checked = self.kf.granted(open_kfid)?.used_ids.check(msgid);
        if checked.is_err() {
            self.counters.duplicate_msgids_refused = self.counters.duplicate_msgids_refused.saturating_add(1);
        }
        checked
    }

    /// The id of a message that will be delivered: the sender's own, else a new one.
    fn accept(&mut self, open_kfid: &str, message: &CustomerMessage) -> Result<String, Refusal> {
        let msgid = message.msgid.clone().unwrap_or_else(|| self.ids.opaque(""));
        self.kf.granted(open_kfid)?.used_ids.add(&msgid);
        Ok(msgid)
    }

    fn show_to_customer(
        &mut self,
        open_kfid: &str,
        customer: &str,
        message: &CustomerMessage,
        msgid: &str,
        now: Timestamp,
    ) {
        let seen = Seen::new(Sender::Bot, &message.kind, message.text.clone(), message.body.clone());
        let seen = seen.in_account(open_kfid).with_id(msgid);
        self.kf.known_or_new(customer).phone.show(now, seen);
    }

    /// `kf/service_state/get` (doc/94669).
    pub(crate) fn service_state(&mut self, request: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let customer = text(request, "external_userid")?;
        self.kf.check_customer(customer)?;
        let account = self
            .kf
            .granted(optional_text(request, "open_kfid")?.unwrap_or_default())?;
        let session = account.session(customer);
        let state = session.state(now).number();
        Ok(match session.servicer(now) {
            Some(servicer) => json!({"service_state": state, "servicer_userid": servicer}),
            None => json!({"service_state": state}),
        })
    }

    /// `kf/service_state/trans` (doc/94669). No event tells of it.
    pub(crate) fn move_session(&mut self, request: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let customer = text(request, "external_userid")?;
        self.kf.check_customer(customer)?;
        let open_kfid = optional_text(request, "open_kfid")?.unwrap_or_default();
        let account = self.kf.granted(open_kfid)?;
        let number = optional_number(request, "service_state")?;
        let Some(next) = number.and_then(State::from_number) else {
            return refuse(40058, "invalid parameter: service_state");
        };
        let before = account.session(customer).state(now);
        account.session(customer).check_step(next, now)?;
        let servicer = match next {
            State::Human => Some(receiving_servicer(account, request)?),
            _ => None,
        };
        account.session(customer).become_state(next, servicer.as_deref());
        let occasion = match next {
            State::Pool => Some(Occasion::Pooled),
            State::Human if before != State::Human => Some(Occasion::Taken),
            State::Ended => Some(Occasion::Ended),
            State::New | State::Assistant | State::Human => None,
        };
        Ok(match occasion {
            Some(occasion) => {
                let ids = &mut self.ids;
                json!({"msg_code": self.kf.codes.make(ids, occasion, open_kfid, customer, now)})
            }
            None => json!({}),
        })
    }

    /// `kf/customer/batchget`: who entered or wrote within 48 hours (doc/95159).
    pub(crate) fn customers(&self, request: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let wanted = texts(request, "external_userid_list")?;
        if !(1..=100).contains(&wanted.len()) {
            return refuse(40058, "external_userid_list has 1 to 100 entries");
        }
        let with_context = optional_number(request, "need_enter_session_context")? == Some(1);
        let (mut known, mut invalid) = (Vec::new(), Vec::new());
        for id in wanted {
            let session = self.kf.recent_session(&id, now);
            let (Some(customer), Some(session)) = (self.kf.customers.get(&id), session) else {
                invalid.push(id);
                continue;
            };
            let mut shown = json!({"external_userid": id, "nickname": customer.nickname, "avatar": "", "gender": 0});
            let context = session.scene.as_ref().filter(|_| with_context);
            if let (Some((scene, scene_param)), Some(fields)) = (context, shown.as_object_mut()) {
                let context = json!({"scene": scene, "scene_param": scene_param});
                fields.insert("enter_session_context".to_owned(), context);
            }
            known.push(shown);
        }
        Ok(json!({"customer_list": known, "invalid_external_userid": invalid}))
    }

    /// `kf/account/list` (doc/94661).
    pub(crate) fn accounts(&self, request: &Value) -> Result<Value, Refusal> {
        let offset = optional_number(request, "offset")?.unwrap_or(0);
        let limit = optional_number(request, "limit")?.unwrap_or(100);
        let (Ok(offset), true) = (usize::try_from(offset), (1..=100).contains(&limit)) else {
            return refuse(40058, "invalid parameter: offset or limit");
        };
        let limit = usize::try_from(limit).unwrap_or_default();
        let shown = |account: &Account| {
            json!({"open_kfid": account.open_kfid, "name": account.name, "avatar": "",
                "manage_privilege": account.is_granted})
        };
        let accounts = self.kf.accounts.values().skip(offset).take(limit);
        Ok(json!({"account_list": accounts.map(shown).collect::<Vec<Value>>()}))
    }

    /// `kf/servicer/list` (doc/94645): 0 receives, 1 does not.
    pub(crate) fn servicers(&mut self, open_kfid: &str) -> Result<Value, Refusal> {
        let account = self.kf.granted(open_kfid)?;
        let shown = account.servicers.iter().map(|(userid, servicer)| {
            json!({"userid": userid, "status": i32::from(!servicer.is_receiving),
                "stop_type": i32::from(servicer.is_paused)})
        });
        Ok(json!({"servicer_list": shown.collect::<Vec<Value>>()}))
    }

    /// `kf/add_contact_way` (doc/94665).
    pub(crate) fn contact_way(&mut self, request: &Value) -> Result<Value, Refusal> {
        let scene = optional_text(request, "scene")?.unwrap_or_default();
        if scene.len() > 32 || !has_only(scene, "_-") {
            return refuse(40058, "invalid parameter: scene has at most 32 bytes of [0-9a-zA-Z_-]");
        }
        let open_kfid = optional_text(request, "open_kfid")?.unwrap_or_default();
        self.kf.granted(open_kfid)?;
        let link = self.ids.opaque("kfc");
        Ok(json!({"url": format!("https://work.weixin.qq.com/kf/{link}?enc_scene=ENC{scene}")}))
    }
}

/// The person who is to take over: one of the account (95014) who receives (95019) (doc/94669, doc/90313).
fn receiving_servicer(account: &Account, request: &Value) -> Result<String, Refusal> {
    let userid = text(request, "servicer_userid")?;
    match account.servicers.get(userid) {
        None => refuse(95014, "the user is not servicer"),
        Some(servicer) if !servicer.is_receiving => refuse(95019, "the servicer stopped or paused receiving"),
        Some(_) => Ok(userid.to_owned()),
    }
}
