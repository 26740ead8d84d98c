//! What the app and its members do to each other: messages, cards, menu (doc/90236, doc/94888, doc/90231).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::app_message::{AppMessage, cut};
use super::cards::{Change, Pressed, words_of};
use super::company::Company;
use super::fields::{optional_number, optional_text, text, texts};
use super::phone::{Seen, Sender};
use super::refusal::{Impossible, Refusal, impossible, refuse};

/// Most members that one message is addressed to (doc/90236).
const MOST_RECIPIENTS: usize = 1000;

impl Company {
    /// `message/send` (doc/90236).
    pub(crate) fn send_app_message(&mut self, request: &Value, now: Timestamp) -> Result<Value, Refusal> {
        self.check_agent(optional_number(request, "agentid")?)?;
        let (valid, answer) = self.recipients(request)?;
        let message = AppMessage::parse(request)?;
        if let Some(msgid) = self.duplicates.former(request, now) {
            let answer = with(answer, "msgid", msgid);
            self.counters.duplicate_app_messages = self.counters.duplicate_app_messages.saturating_add(1);
            return Ok(answer);
        }
        let msgid = self.ids.opaque("msg-");
        let mut answer = with(answer, "msgid", &msgid);
        if let Some(card) = message.card() {
            let response_code = self.cards.send(&mut self.ids, card, &valid, now)?;
            answer = with(answer, "response_code", &response_code);
        }
        self.duplicates.remember(request, &msgid, now)?;
        for member in &valid {
            self.show_to_member(member, &message, &msgid, now);
        }
        Ok(answer)
    }

    /// Who gets a message, in lower case, and the answer as far as it names those who do not.
    fn recipients(&self, request: &Value) -> Result<(Vec<String>, Value), Refusal> {
        let list = |name: &str| Ok::<_, Refusal>(optional_text(request, name)?.unwrap_or_default());
        let (users, parties, tags) = (list("touser")?, list("toparty")?, list("totag")?);
        if users.is_empty() && parties.is_empty() && tags.is_empty() {
            return refuse(82001, "all user & party & tag is empty");
        }
        if users.split('|').count() > MOST_RECIPIENTS {
            return refuse(40032, "invalid user list size");
        }
        let (valid, invalid) = self.members.addressed(users);
        if valid.is_empty() {
            return refuse(81013, "user & party & tag all invalid");
        }
        // The simulated company has no departments and no tags.
        let answer = json!({"invaliduser": invalid.join("|"), "invalidparty": parties, "invalidtag": tags});
        Ok((valid, answer))
    }

    fn show_to_member(&mut self, member: &str, message: &AppMessage, msgid: &str, now: Timestamp) {
        let seen = Seen::new(Sender::Bot, &message.kind, message.text.clone(), message.body.clone()).with_id(msgid);
        let is_shown = self
            .members
            .get_mut(member)
            .is_some_and(|member| member.receive(now, seen));
        if !is_shown {
            self.counters.dropped_app_messages = self.counters.dropped_app_messages.saturating_add(1);
        }
    }

    /// `message/update_template_card` (doc/94888).
    pub(crate) fn update_card(&mut self, request: &Value, now: Timestamp) -> Result<Value, Refusal> {
        if self.check_agent(optional_number(request, "agentid")?).is_err() {
            return refuse(42015, "the card was sent by another agent");
        }
        let is_for_all = optional_number(request, "atall")? == Some(1);
        let users: Vec<String> = texts(request, "userids")?;
        let users: Vec<String> = users.iter().map(|user| user.to_ascii_lowercase()).collect();
        if users.is_empty() && !is_for_all {
            return refuse(82101, "no target to update");
        }
        let change = Change::parse(request)?;
        let task_id = self.cards.redeem(text(request, "response_code")?, now)?;
        let holders = self.cards.holders(&task_id);
        let (valid, invalid): (Vec<String>, Vec<String>) = match is_for_all {
            true => (holders, Vec::new()),
            false => users.into_iter().partition(|user| holders.contains(user)),
        };
        if valid.is_empty() {
            return refuse(82102, "the targets did not receive the card");
        }
        for member in &valid {
            self.change_card(&task_id, member, &change, now);
        }
        Ok(json!({"invaliduser": invalid}))
    }

    /// Changes a card on one phone.
    pub(crate) fn change_card(&mut self, task_id: &str, member: &str, change: &Change, now: Timestamp) {
        let Some(card) = self.cards.change(task_id, member, change) else {
            return;
        };
        let mut seen = Seen::new(Sender::Bot, "card_update", words_of(&card), card);
        if let Some(fields) = seen.body.as_object_mut() {
            fields.insert("task_id".to_owned(), Value::from(task_id));
        }
        if let Some(member) = self.members.get_mut(member) {
            member.phone.show(now, seen);
        }
    }

    /// A member writes to the app; the callback is the caller's business.
    pub(crate) fn member_writes(&mut self, member: &str, kind: &str, words: &str, msgid: &str, now: Timestamp) {
        let seen = Seen::new(Sender::Myself, kind, words, Value::Null).with_id(msgid);
        self.members.known_or_new(member).phone.show(now, seen);
    }

    /// A passive reply appears on the phone; what is over 2048 bytes is cut off (doc/90241).
    pub(crate) fn member_is_answered(&mut self, member: &str, reply: &str, now: Timestamp) {
        let seen = Seen::new(Sender::Bot, "text", cut(reply), json!({"content": reply}));
        self.members.known_or_new(member).phone.show(now, seen);
    }

    /// A member presses a button of a card.
    pub(crate) fn press(
        &mut self,
        member: &str,
        task_id: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Pressed, Impossible> {
        let member = member.to_ascii_lowercase();
        self.cards.press(&mut self.ids, &member, task_id, key, now)
    }

    /// A member taps a button of the menu.
    pub(crate) fn click(&self, key: &str) -> Result<(), Impossible> {
        match self.menu.as_ref().and_then(|menu| menu.click_button(key)) {
            Some(_) => Ok(()),
            None => impossible(format!("the menu has no button `{key}` to click")),
        }
    }
}

/// An answer with one more field.
fn with(mut answer: Value, name: &str, value: &str) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.insert(name.to_owned(), Value::from(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::super::company::tests::{company, second};
    use super::super::refusal::tests::errcode;
    use super::*;

    fn with_members(names: &[&str]) -> Company {
        let mut company = company();
        for name in names {
            company.members.known_or_new(name);
        }
        company
    }

    fn text_to(users: &str, content: &str) -> Value {
        json!({"touser": users, "agentid": 1_000_002, "msgtype": "text", "text": {"content": content}})
    }

    fn card_to(users: &str, task_id: &str) -> Value {
        json!({"touser": users, "agentid": 1_000_002, "msgtype": "template_card", "template_card": {
            "card_type": "button_interaction", "task_id": task_id, "main_title": {"title": "有用吗"},
            "button_list": [{"text": "有用", "key": "yes"}, {"text": "没用", "key": "no"}]}})
    }

    fn texts_of(company: &Company, member: &str) -> Vec<String> {
        let messages = company.members.get(member).unwrap().phone.messages().iter();
        messages.map(|message| message.text.clone()).collect()
    }

    #[test]
    fn whom_it_does_not_reach_is_named_in_lower_case_doc_90236() {
        let mut company = with_members(&["LiXiaoyu"]);
        let answer = company
            .send_app_message(&text_to("lixiaoyu|Nobody|NoOne", "你好"), second(0))
            .unwrap();
        assert_eq!(answer["invaliduser"], "nobody|noone");
        assert_eq!(texts_of(&company, "LiXiaoyu"), ["你好"]);
        let mut send = |request: Value| errcode(company.send_app_message(&request, second(0)));
        assert_eq!(send(text_to("Nobody", "你好")), 81013);
        assert_eq!(send(text_to("", "你好")), 82001);
        assert_eq!(send(text_to("LiXiaoyu", " ")), 44004);
    }

    #[test]
    fn a_text_is_cut_at_2048_bytes_doc_90236() {
        let mut company = with_members(&["Li"]);
        company
            .send_app_message(&text_to("Li", &"字".repeat(700)), second(0))
            .unwrap();
        let shown = texts_of(&company, "Li").remove(0);
        assert_eq!(shown, format!("{}\u{fffd}", "字".repeat(682)));
    }

    #[test]
    fn the_31st_message_in_a_minute_is_dropped_without_a_word_doc_90236() {
        let mut company = with_members(&["Li", "Wang"]);
        for number in 0..31 {
            let request = text_to("Li", &number.to_string());
            assert_eq!(errcode(company.send_app_message(&request, second(number))), 0);
        }
        assert_eq!(texts_of(&company, "Li").len(), 30);
        assert_eq!(company.counters.dropped_app_messages, 1);
        company
            .send_app_message(&text_to("Li|Wang", "later"), second(61))
            .unwrap();
        assert_eq!(
            (texts_of(&company, "Li").len(), texts_of(&company, "Wang").len()),
            (31, 1)
        );
    }

    #[test]
    fn the_duplicate_check_delivers_once_within_the_interval_doc_90236() {
        let mut company = with_members(&["Li"]);
        let mut request = text_to("Li", "一次");
        request["enable_duplicate_check"] = json!(1);
        let first = company.send_app_message(&request, second(0)).unwrap();
        let again = company.send_app_message(&request, second(1799)).unwrap();
        assert_eq!((first, texts_of(&company, "Li").len()), (again, 1));
        company.send_app_message(&request, second(1800)).unwrap();
        company.send_app_message(&text_to("Li", "一次"), second(1801)).unwrap();
        assert_eq!(texts_of(&company, "Li").len(), 3);
    }

    #[test]
    fn a_task_id_is_used_once_doc_90236() {
        let mut company = with_members(&["Li"]);
        let mut send = |request: &Value| errcode(company.send_app_message(request, second(0)));
        assert_eq!([send(&card_to("Li", "t1")), send(&card_to("Li", "t1"))], [0, 42014]);
        assert_eq!(send(&card_to("Li", "t 2")), 42014);
        let mut card = card_to("Li", "t3");
        card["template_card"]["button_list"] = json!([{"text": "a", "key": "k"}, {"text": "b", "key": "k"}]);
        assert_eq!(send(&card), 42018);
        card["template_card"]["card_type"] = json!("poem");
        assert_eq!(send(&card), 42031);
    }

    #[test]
    fn a_press_can_be_answered_once_by_an_update_doc_94888() {
        let mut company = with_members(&["Li", "Wang"]);
        company.send_app_message(&card_to("Li|Wang", "t1"), second(0)).unwrap();
        let pressed = company.press("Li", "t1", "yes", second(1)).unwrap();
        let update = json!({"userids": ["Li", "Zhao"], "agentid": 1_000_002, "response_code": pressed.response_code,
            "button": {"replace_name": "谢谢"}});
        assert_eq!(
            company.update_card(&update, second(2)).unwrap()["invaliduser"],
            json!(["zhao"])
        );
        assert_eq!(errcode(company.update_card(&update, second(3))), 60140);
        assert_eq!(texts_of(&company, "Li"), ["有用吗\n有用\n没用", "有用吗\n谢谢"]);
        assert_eq!(texts_of(&company, "Wang").len(), 1, "the other's card is as it was");
        assert!(company.press("Li", "t1", "yes", second(4)).is_err());
        assert!(company.press("Wang", "t1", "yes", second(4)).is_ok());
        assert!(company.press("Wang", "t1", "maybe", second(4)).is_err());
    }

    #[test]
    fn a_response_code_is_good_for_72_hours_doc_94888() {
        let mut company = with_members(&["Li"]);
        let sent = company.send_app_message(&card_to("Li", "t1"), second(0)).unwrap();
        let update = json!({"userids": ["Li"], "agentid": 1_000_002, "response_code": sent["response_code"],
            "button": {"replace_name": "谢谢"}});
        assert_eq!(errcode(company.update_card(&update, second(72 * 3600))), 60140);
        let mut to_nobody = update;
        to_nobody["userids"] = json!([]);
        assert_eq!(errcode(company.update_card(&to_nobody, second(1))), 82101);
    }
}
