//! Messages and events of 微信客服, as fetching them returns them (doc/94670).
//!
//! An item that cannot be read keeps its key where it has one, so that it is on record and does not stop the others.

use serde_json::Value;

use super::private::Private;

/// One fetched message or event.
#[derive(Clone, Debug, PartialEq)]
pub struct KfItem {
    /// Number of the message; events have one too.
    pub msg_id: String,
    /// The account.
    pub open_kf_id: String,
    /// The customer it is from or about; empty where it is about nobody.
    pub external_user_id: String,
    /// Unix seconds.
    pub sent_at: i64,
    /// Who sent it.
    pub origin: KfOrigin,
    /// What it says.
    pub content: KfContent,
}

/// Who sent an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KfOrigin {
    /// The customer.
    Customer,
    /// WeCom.
    System,
    /// A person of the company, in the client.
    Servicer,
    /// Another number than the documented ones.
    Unknown(i64),
}

/// What an item says.
#[derive(Clone, Debug, PartialEq)]
pub enum KfContent {
    /// Words, or a tapped entry of a menu.
    Text {
        /// The words; of an entry, its caption.
        text: Private,
        /// Id of the tapped entry.
        menu_id: Option<String>,
    },
    /// A picture.
    Image,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// A file.
    File,
    /// A place.
    Location,
    /// A link, a mini program or something else to open.
    Link,
    /// Something happened.
    Event(KfEvent),
    /// Another kind, by its name.
    Unknown(String),
}

/// Something that happened with a customer or an account (doc/94670).
#[derive(Clone, Debug, PartialEq)]
pub enum KfEvent {
    /// The customer opened the conversation.
    EnterSession {
        /// For one welcome within 20 seconds; only where a welcome is due.
        welcome_code: Option<Private>,
    },
    /// A message of ours did not arrive.
    SendFailed {
        /// Its id.
        msg_id: String,
        /// Number of the reason.
        reason: i64,
    },
    /// A servicer starts or stops receiving.
    ServicerStatus {
        /// Whether they receive now.
        receives: bool,
    },
    /// A servicer took, passed on, ended or opened a session again.
    SessionStatus(SessionChange),
    /// The customer took a message back.
    CustomerRecalled {
        /// Its number.
        msg_id: String,
    },
    /// Another one, by its name.
    Other(String),
}

/// What a servicer did with a session. What is done by API makes no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// Taken from the pool.
    Taken,
    /// Handed to another servicer.
    Transferred,
    /// Ended.
    Ended,
    /// Opened again.
    Reopened,
    /// Another number than the documented ones.
    Unknown(i64),
}

/// Why an item cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fetched item has no proper {field}")]
pub struct KfItemError {
    /// The field.
    pub field: &'static str,
    /// Number of the message, where it has one.
    pub msg_id: Option<String>,
}

impl KfItem {
    /// Reads one item of `msg_list`.
    ///
    /// # Errors
    ///
    /// When a field is missing without which the item means nothing.
    pub fn read(item: &Value) -> Result<Self, KfItemError> {
        // An empty one would make one item of all that have it.
        let msg_id = text(item, "msgid").filter(|id| !id.is_empty());
        let missing = |field| KfItemError {
            field,
            msg_id: msg_id.clone(),
        };
        let kind = text(item, "msgtype").ok_or_else(|| missing("msgtype"))?;
        let body = item.get(&kind).unwrap_or(&Value::Null);
        // Events carry both ids inside.
        let either = |field| text(item, field).or_else(|| text(body, field)).unwrap_or_default();
        let external_user_id = either("external_userid");
        let origin = KfOrigin::of(number(item, "origin").ok_or_else(|| missing("origin"))?);
        if origin == KfOrigin::Customer && external_user_id.is_empty() {
            return Err(missing("external_userid"));
        }
        Ok(Self {
            open_kf_id: either("open_kfid"),
            external_user_id,
            sent_at: number(item, "send_time").ok_or_else(|| missing("send_time"))?,
            origin,
            content: KfContent::read(&kind, body).ok_or_else(|| missing("content"))?,
            msg_id: msg_id.clone().ok_or_else(|| missing("msgid"))?,
        })
    }
}

impl KfOrigin {
    fn of(number: i64) -> Self {
        match number {
            3 => Self::Customer,
            4 => Self::System,
            5 => Self::Servicer,
            other => Self::Unknown(other),
        }
    }
}

impl KfContent {
    fn read(kind: &str, body: &Value) -> Option<Self> {
        Some(match kind {
            "text" => Self::Text {
                text: text(body, "content")?.into(),
                menu_id: text(body, "menu_id").filter(|id| !id.is_empty()),
            },
            "image" => Self::Image,
            "voice" => Self::Voice,
            "video" | "channels" => Self::Video,
            "file" => Self::File,
            "location" => Self::Location,
            "link" | "miniprogram" => Self::Link,
            "event" => Self::Event(KfEvent::read(body)?),
            other => Self::Unknown(other.to_owned()),
        })
    }
}

impl KfEvent {
    fn read(body: &Value) -> Option<Self> {
        let kind = text(body, "event_type")?;
        Some(match kind.as_str() {
            "enter_session" => Self::EnterSession {
                welcome_code: text(body, "welcome_code")
                    .filter(|code| !code.is_empty())
                    .map(Private::from),
            },
            "msg_send_fail" => Self::SendFailed {
                msg_id: text(body, "fail_msgid")?,
                reason: number(body, "fail_type").unwrap_or_default(),
            },
            // Here 1 is receiving; in the list of servicers it is 0.
            "servicer_status_change" => Self::ServicerStatus {
                receives: number(body, "status") == Some(1),
            },
            "session_status_change" => Self::SessionStatus(SessionChange::of(number(body, "change_type")?)),
            "user_recall_msg" => Self::CustomerRecalled {
                msg_id: text(body, "recall_msgid")?,
            },
            _ => Self::Other(kind),
        })
    }
}

impl SessionChange {
    fn of(number: i64) -> Self {
        match number {
            1 => Self::Taken,
            2 => Self::Transferred,
            3 => Self::Ended,
            4 => Self::Reopened,
            other => Self::Unknown(other),
        }
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

/// Numbers are written as numbers, in some examples as texts.
fn number(value: &Value, key: &str) -> Option<i64> {
    let value = value.get(key)?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(kind: &str, body: Value) -> Value {
        let mut item = json!({"msgid": "m1", "open_kfid": "wk1", "external_userid": "wm1", "send_time": 1615478585, "origin": 3, "msgtype": kind});
        item[kind] = body;
        item
    }

    fn content(kind: &str, body: Value) -> KfContent {
        KfItem::read(&item(kind, body)).unwrap().content
    }

    #[test]
    fn a_text_and_a_tapped_menu_entry_are_told_apart() {
        let read = KfItem::read(&item("text", json!({"content": "加不了人"}))).unwrap();
        assert_eq!((read.msg_id.as_str(), read.external_user_id.as_str()), ("m1", "wm1"));
        assert_eq!((read.origin, read.sent_at), (KfOrigin::Customer, 1_615_478_585));
        assert_eq!(
            read.content,
            KfContent::Text {
                text: "加不了人".into(),
                menu_id: None
            }
        );
        let tapped = content("text", json!({"content": "群满了", "menu_id": "s:pull-group-full"}));
        assert!(matches!(tapped, KfContent::Text { menu_id: Some(id), .. } if id == "s:pull-group-full"));
    }

    #[test]
    fn events_carry_their_ids_inside() {
        let event = json!({"msgid": "m2", "send_time": 1615478585, "origin": 4, "msgtype": "event", "event": {
            "event_type": "enter_session", "open_kfid": "wk1", "external_userid": "wm1", "scene": "123", "welcome_code": "c"}});
        let read = KfItem::read(&event).unwrap();
        assert_eq!(
            (read.open_kf_id.as_str(), read.external_user_id.as_str()),
            ("wk1", "wm1")
        );
        assert!(
            matches!(read.content, KfContent::Event(KfEvent::EnterSession { welcome_code: Some(code) }) if &*code == "c")
        );
    }

    #[test]
    fn what_is_not_documented_is_read_by_its_name() {
        assert_eq!(content("note", Value::Null), KfContent::Unknown("note".to_owned()));
        let event = content("event", json!({"event_type": "something_new"}));
        assert_eq!(event, KfContent::Event(KfEvent::Other("something_new".to_owned())));
        let change = content(
            "event",
            json!({"event_type": "session_status_change", "change_type": 9}),
        );
        assert_eq!(
            change,
            KfContent::Event(KfEvent::SessionStatus(SessionChange::Unknown(9)))
        );
    }

    #[test]
    fn an_item_that_cannot_be_read_keeps_its_number() {
        let broken = json!({
            "msgid": "m9", "external_userid": "wm1", "origin": 3, "send_time": 1, "msgtype": "text", "text": {"content": 7}
        });
        let error = KfItem::read(&broken).unwrap_err();
        assert_eq!((error.field, error.msg_id.as_deref()), ("content", Some("m9")));
        assert_eq!(KfItem::read(&json!([])).unwrap_err().msg_id, None);
    }

    #[test]
    fn one_receives_with_status_1_in_the_event() {
        let event = |status| {
            content(
                "event",
                json!({"event_type": "servicer_status_change", "status": status}),
            )
        };
        assert_eq!(event(1), KfContent::Event(KfEvent::ServicerStatus { receives: true }));
        assert_eq!(event(2), KfContent::Event(KfEvent::ServicerStatus { receives: false }));
    }
}
