//! What is inside of a callback before it is encrypted (doc/90239, doc/90240, doc/94670).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::model::cards::Pressed;
use super::model::company::Bell;
use crate::protocol::UserId;
use crate::protocol::xml::{write_number, write_text};

/// What a person can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Words.
    Text,
    /// A picture.
    Image,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// A place.
    Location,
    /// A link.
    Link,
}

impl MessageKind {
    /// As the platform names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::Location => "location",
            Self::Link => "link",
        }
    }
}

/// From which company and app a callback comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letterhead<'a> {
    pub(super) corp_id: &'a str,
    pub(super) agent_id: u32,
}

impl Letterhead<'_> {
    /// A member sent something.
    pub(super) fn message(
        &self,
        user: &UserId,
        kind: MessageKind,
        text: &str,
        message_id: &str,
        at: Timestamp,
    ) -> String {
        self.of_app(user, kind.name(), at, |out| {
            write_content(out, kind, text, message_id);
            write_text(out, "MsgId", message_id);
        })
    }

    /// A member opened the conversation.
    pub(super) fn entered(&self, user: &UserId, at: Timestamp) -> String {
        self.of_app(user, "event", at, |out| {
            write_text(out, "Event", "enter_agent");
            write_text(out, "EventKey", "");
        })
    }

    /// A member tapped a button of the menu.
    pub(super) fn clicked(&self, user: &UserId, key: &str, at: Timestamp) -> String {
        self.of_app(user, "event", at, |out| {
            write_text(out, "Event", "click");
            write_text(out, "EventKey", key);
        })
    }

    /// A member pressed a button of a card.
    pub(super) fn pressed(&self, user: &UserId, task_id: &str, key: &str, pressed: &Pressed, at: Timestamp) -> String {
        self.of_app(user, "event", at, |out| {
            write_text(out, "Event", "template_card_event");
            write_text(out, "EventKey", key);
            write_text(out, "TaskId", task_id);
            write_text(out, "CardType", &pressed.card_type);
            write_text(out, "ResponseCode", &pressed.response_code);
        })
    }

    /// An account of 微信客服 has news. Nobody is named as the sender, and no app (doc/94670).
    pub(super) fn bell(&self, bell: &Bell) -> String {
        let mut out = String::from("<xml>");
        write_text(&mut out, "ToUserName", self.corp_id);
        write_number(&mut out, "CreateTime", bell.at.as_second());
        write_text(&mut out, "MsgType", "event");
        write_text(&mut out, "Event", "kf_msg_or_event");
        write_text(&mut out, "Token", &bell.token);
        write_text(&mut out, "OpenKfId", &bell.open_kfid);
        out.push_str("</xml>");
        out
    }

    fn of_app(&self, user: &UserId, kind: &str, at: Timestamp, content: impl FnOnce(&mut String)) -> String {
        let mut out = String::from("<xml>");
        write_text(&mut out, "ToUserName", self.corp_id);
        write_text(&mut out, "FromUserName", user.as_str());
        write_number(&mut out, "CreateTime", at.as_second());
        write_text(&mut out, "MsgType", kind);
        content(&mut out);
        write_number(&mut out, "AgentID", i64::from(self.agent_id));
        out.push_str("</xml>");
        out
    }
}

fn write_content(out: &mut String, kind: MessageKind, text: &str, message_id: &str) {
    let media_id = format!("simulated-media-{message_id}");
    match kind {
        MessageKind::Text => write_text(out, "Content", text),
        MessageKind::Image => {
            write_text(out, "PicUrl", "https://wework.qpic.cn/simulated");
            write_text(out, "MediaId", &media_id);
        }
        MessageKind::Voice => {
            write_text(out, "MediaId", &media_id);
            write_text(out, "Format", "amr");
        }
        MessageKind::Video => {
            write_text(out, "MediaId", &media_id);
            write_text(out, "ThumbMediaId", &media_id);
        }
        MessageKind::Location => {
            write_text(out, "Location_X", "23.134521");
            write_text(out, "Location_Y", "113.358803");
            write_number(out, "Scale", 15);
            write_text(out, "Label", "广州市海珠区");
            write_text(out, "AppType", "wxwork");
        }
        MessageKind::Link => {
            write_text(out, "Title", "一个链接");
            write_text(out, "Description", "链接的说明");
            write_text(out, "Url", "https://example.com/");
            write_text(out, "PicUrl", "https://wework.qpic.cn/simulated");
        }
    }
}
