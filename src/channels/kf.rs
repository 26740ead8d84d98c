//! 微信客服: fetched messages in, messages and menus out.
//!
//! A reply with options becomes a menu whose entries come back by their id when they are tapped; the numbers on them are for whoever
//! types instead. What does not fit on a menu stands in a message before it.

use serde_json::{Value, json};

use crate::dialogue::{Attachment, Composer, Event, Reply, ReplyOption};
use crate::knowledge::TextKey;
use crate::protocol::Private;
use crate::protocol::kf::{KfContent, KfEvent, KfItem, KfItemError, KfOrigin, SessionChange};
use crate::store::{Effect, Fetched, ServedBy};
use crate::wecom::message::{
    KfContent as WireContent, KfEventMessage, KfMenu, KfMenuItem, KfMessage, LONGEST_MENU_ITEM, LONGEST_MENU_TEXT,
    LONGEST_TEXT, MessageError, MessageId, Text,
};

/// Stands before the id of an option: entries of menus that a later version writes otherwise are told apart by it.
const ENTRY_PREFIX: &str = "v1:";

/// What a fetched item does when it is stored.
pub fn fetched(
    raw: &Value,
    item: Result<KfItem, KfItemError>,
    key_of_unreadable: impl FnOnce(&Value) -> String,
) -> Fetched {
    match item {
        Ok(item) => Fetched {
            effect: effect(raw, &item),
            key: item.msg_id,
            customer: item.external_user_id,
            sent_at: seconds(item.sent_at),
        },
        Err(error) => Fetched {
            key: error.msg_id.unwrap_or_else(|| key_of_unreadable(raw)),
            customer: String::new(),
            sent_at: jiff::Timestamp::UNIX_EPOCH,
            effect: Effect::Unreadable { item: raw.to_string() },
        },
    }
}

fn effect(raw: &Value, item: &KfItem) -> Effect {
    let waits = || Effect::Answer { item: raw.to_string() };
    match (item.origin, &item.content) {
        (_, KfContent::Event(event)) => effect_of_event(event, waits),
        (KfOrigin::Customer, _) => waits(),
        (KfOrigin::Servicer, _) => Effect::Record("servicer"),
        (KfOrigin::System | KfOrigin::Unknown(_), _) => Effect::Record("noted"),
    }
}

fn effect_of_event(event: &KfEvent, waits: impl FnOnce() -> Effect) -> Effect {
    match event {
        KfEvent::EnterSession { welcome_code: Some(_) } => waits(),
        KfEvent::SessionStatus(SessionChange::Ended) => Effect::ServedBy(ServedBy::Bot),
        KfEvent::SessionStatus(SessionChange::Taken | SessionChange::Transferred | SessionChange::Reopened) => {
            Effect::ServedBy(ServedBy::Servicer)
        }
        KfEvent::SendFailed { msg_id, reason } => Effect::SendFailed {
            send_id: msg_id.clone(),
            reason: *reason,
        },
        KfEvent::CustomerRecalled { msg_id } => Effect::Recalled { key: msg_id.clone() },
        KfEvent::EnterSession { welcome_code: None }
        | KfEvent::SessionStatus(SessionChange::Unknown(_))
        | KfEvent::ServicerStatus { .. }
        | KfEvent::Other(_) => Effect::Record("noted"),
    }
}

fn seconds(unix: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(unix).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// What a waiting item means for the conversation.
pub fn heard(content: &KfContent) -> Event {
    let attachment = |kind| Event::Attachment(kind);
    match content {
        KfContent::Text { text, menu_id } => match menu_id.as_deref().and_then(|id| id.strip_prefix(ENTRY_PREFIX)) {
            Some(id) => Event::Tapped {
                id: id.to_owned(),
                label: without_number(text).to_owned(),
            },
            None => Event::Text(text.to_string()),
        },
        KfContent::Image => attachment(Attachment::Image),
        KfContent::Voice => attachment(Attachment::Voice),
        KfContent::Video => attachment(Attachment::Video),
        KfContent::File => attachment(Attachment::File),
        KfContent::Location => attachment(Attachment::Location),
        KfContent::Link => attachment(Attachment::Link),
        KfContent::Event(_) => Event::Entered,
        KfContent::Unknown(_) => attachment(Attachment::Other),
    }
}

/// One message to a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// Words.
    Text(String),
    /// Words with entries to tap.
    Menu {
        /// Above the entries.
        head: String,
        /// The entries.
        entries: Vec<ReplyOption>,
        /// Below the entries.
        tail: String,
        /// The same as words alone, for where the menu is refused.
        in_words: String,
    },
}

/// A reply as messages: one where it fits, a text and a menu otherwise.
pub fn messages_of(reply: &Reply, composer: &Composer<'_>) -> Vec<Outgoing> {
    let in_words = composer.as_plain_text(reply);
    if reply.options.is_empty() {
        return vec![Outgoing::Text(in_words)];
    }
    let tail = composer.words(TextKey::HowToChoose);
    let menu = |head: String, in_words| Outgoing::Menu {
        head,
        entries: reply.options.clone(),
        tail,
        in_words,
    };
    let text = reply.text.trim_end();
    if text.len() <= LONGEST_MENU_TEXT {
        return vec![menu(text.to_owned(), in_words)];
    }
    let rest = Reply {
        text: composer.words(TextKey::PleaseChoose),
        options: reply.options.clone(),
    };
    let rest_in_words = composer.as_plain_text(&rest);
    vec![Outgoing::Text(text.to_owned()), menu(rest.text, rest_in_words)]
}

impl Outgoing {
    /// What WeCom is to show; words alone where a menu cannot be made of it. `None` when there is nothing to say.
    fn content(&self) -> Option<WireContent> {
        match self {
            Self::Text(text) => Text::parse(cut(text, LONGEST_TEXT))
                .ok()
                .map(|text| WireContent::Text { text }),
            Self::Menu {
                head,
                entries,
                tail,
                in_words,
            } => match menu(head, entries, tail) {
                Ok(msgmenu) => Some(WireContent::MsgMenu { msgmenu }),
                Err(_) => Self::Text(in_words.clone()).content(),
            },
        }
    }

    /// Body of `kf/send_msg`.
    pub fn to_customer(&self, open_kf_id: &str, customer: &str, send_id: &str) -> Option<String> {
        let message = KfMessage {
            external_user_id: customer.into(),
            open_kf_id: open_kf_id.to_owned(),
            message_id: MessageId::parse(send_id).ok(),
            content: self.content()?,
        };
        serde_json::to_string(&message).ok()
    }

    /// Body of `kf/send_msg_on_event`; the code stands for the customer.
    pub fn on_event(&self, code: &Private, send_id: &str) -> Option<String> {
        let message = KfEventMessage {
            code: code.clone(),
            message_id: MessageId::parse(send_id).ok(),
            content: self.content()?,
        };
        serde_json::to_string(&message).ok()
    }

    /// The same as words alone, where it is anything else.
    pub fn in_words(&self) -> Option<Self> {
        match self {
            Self::Text(_) => None,
            Self::Menu { in_words, .. } => Some(Self::Text(in_words.clone())),
        }
    }
}

fn menu(head: &str, entries: &[ReplyOption], tail: &str) -> Result<KfMenu, MessageError> {
    let entry = |(number, option): (usize, &ReplyOption)| {
        let caption = format!("{number}. {}", option.label);
        KfMenuItem::new(
            &format!("{ENTRY_PREFIX}{}", option.id),
            cut(&caption, LONGEST_MENU_ITEM),
        )
    };
    let entries: Result<Vec<KfMenuItem>, MessageError> = (1..).zip(entries).map(entry).collect();
    KfMenu::new(head, entries?, tail)
}

/// Body of `kf/service_state/trans` that puts a customer into the pool of those who wait for a person.
pub fn to_pool(open_kf_id: &str, customer: &str) -> String {
    const WAITING_IN_THE_POOL: u8 = 2;
    json!({ "open_kfid": open_kf_id, "external_userid": customer, "service_state": WAITING_IN_THE_POOL }).to_string()
}

/// The label of a caption as the menu has it.
fn without_number(caption: &str) -> &str {
    let without_digits = caption.trim_start_matches(|letter: char| letter.is_ascii_digit());
    match without_digits.strip_prefix(". ") {
        Some(label) if without_digits.len() < caption.len() => label,
        _ => caption,
    }
}

/// As much as fits, whole characters only.
fn cut(text: &str, most: usize) -> &str {
    let end = text.floor_char_boundary(most);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_tapped_entry_loses_its_number_and_nothing_else() {
        for (caption, label) in [
            ("1. 群满了", "群满了"),
            ("12. x", "x"),
            ("群满了", "群满了"),
            ("3天", "3天"),
            (". x", ". x"),
        ] {
            assert_eq!(without_number(caption), label);
        }
    }

    #[test]
    fn a_cut_text_ends_with_a_whole_character() {
        assert_eq!(cut("群满了", 7), "群满");
        assert_eq!(cut("群满了", 9), "群满了");
    }

    #[test]
    fn a_tap_comes_back_as_the_option_that_was_offered() {
        let option = ReplyOption {
            id: "pull-group-full".to_owned(),
            label: "群满了".to_owned(),
        };
        let menu = Outgoing::Menu {
            head: "哪一种？".to_owned(),
            entries: vec![option],
            tail: String::new(),
            in_words: String::new(),
        };
        let body: Value = serde_json::from_str(&menu.to_customer("wk", "wm", "j1").unwrap()).unwrap();
        let click = &body["msgmenu"]["list"][0]["click"];
        let content = KfContent::Text {
            text: click["content"].as_str().unwrap().into(),
            menu_id: Some(click["id"].as_str().unwrap().to_owned()),
        };
        assert_eq!(
            heard(&content),
            Event::Tapped {
                id: "pull-group-full".to_owned(),
                label: "群满了".to_owned()
            }
        );
    }

    #[test]
    fn what_servicers_say_and_what_nobody_knows_is_not_answered() {
        let item = |origin: i64, kind: &str, body: Value| {
            let mut raw = json!({"msgid": "m", "open_kfid": "wk", "external_userid": "wm", "send_time": 1, "origin": origin, "msgtype": kind});
            raw[kind] = body;
            fetched(&raw, KfItem::read(&raw), |_| String::new()).effect
        };
        let text = json!({"content": "x"});
        assert!(matches!(item(3, "text", text.clone()), Effect::Answer { .. }));
        assert_eq!(item(5, "text", text.clone()), Effect::Record("servicer"));
        assert_eq!(item(9, "text", text), Effect::Record("noted"));
        assert_eq!(
            item(4, "event", json!({"event_type": "brand_new"})),
            Effect::Record("noted")
        );
        assert!(matches!(item(3, "text", json!({})), Effect::Unreadable { .. }));
    }
}
