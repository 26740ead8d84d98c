//! A decrypted message, typed (doc/90239, doc/96467).

use sha2::{Digest, Sha256};

use super::event::Event;
use super::fields::{Fields, FieldsError};
use super::private::Private;

/// The id of a member: 1–64 characters, letters, digits and `_ - @ .`, starting with a letter or digit (doc/90665).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserId(Private);

/// Sender of the events that no member causes.
const SYSTEM: &str = "sys";

impl UserId {
    /// Checks the form. Anything else could be a list of recipients (`a|b`, `@all`) or end up in another field.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-@.".contains(&byte);
        let starts_well = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        let fits = (1..=64).contains(&text.len()) && starts_well && text.bytes().all(allowed);
        fits.then(|| Self(text.into()))
    }

    /// As WeCom wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For comparing: WeCom treats ids as equal without regard to case.
    pub fn canonical(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// A genuine message or event.
#[derive(Clone, Debug, PartialEq)]
pub struct IncomingMessage {
    /// The company.
    pub to_user: String,
    /// Who sent it; `sys` for events that no member caused, also where WeCom names nobody.
    pub from_user: UserId,
    /// Unix seconds at which WeCom made it.
    pub created_at: i64,
    /// The app; missing in some events of the whole company.
    pub agent_id: Option<String>,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Words.
    Text {
        /// Number of the message.
        msg_id: String,
        /// The words as they were written.
        text: Private,
    },
    /// A picture.
    Image {
        /// Number of the message.
        msg_id: String,
        /// Address of the picture.
        picture_url: Private,
        /// To fetch it with `media/get`, for three days.
        media_id: String,
    },
    /// A voice message.
    Voice {
        /// Number of the message.
        msg_id: String,
        /// To fetch it with `media/get`, for three days.
        media_id: String,
        /// `amr`, `speex` and the like.
        format: String,
    },
    /// A video.
    Video {
        /// Number of the message.
        msg_id: String,
        /// To fetch it with `media/get`, for three days.
        media_id: String,
        /// The same for its first picture.
        thumbnail_media_id: String,
    },
    /// A place.
    Location {
        /// Number of the message.
        msg_id: String,
        /// Degrees.
        latitude: f64,
        /// Degrees.
        longitude: f64,
        /// Zoom of the map.
        scale: i64,
        /// Address.
        label: Private,
        /// `wxwork` from WeCom, missing from WeChat.
        app_type: Option<String>,
    },
    /// A link.
    Link {
        /// Number of the message.
        msg_id: String,
        /// Heading.
        title: Private,
        /// Text below it.
        description: Private,
        /// Where it leads.
        url: Private,
        /// Its picture.
        picture_url: Private,
    },
    /// Something happened.
    Event(Event),
    /// A kind that is not documented.
    Unknown {
        /// What `MsgType` says.
        message_type: String,
        /// Number of the message, if it has one.
        msg_id: Option<String>,
        /// The whole decrypted text.
        raw: Private,
    },
}

/// Why a genuine message cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Neither XML nor JSON as WeCom writes it.
    #[error("decrypted message: {0}")]
    Fields(#[from] FieldsError),
    /// A field that every message has.
    #[error("decrypted message has no proper {0}")]
    Field(&'static str),
}

/// Names a message so that its repeated deliveries can be told from other messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeduplicationKey(String);

impl DeduplicationKey {
    /// Names a message that cannot be read.
    pub fn of_unreadable(plaintext: &str) -> Self {
        Self(format!("e:{}", hexadecimal(&Sha256::digest(plaintext))))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl IncomingMessage {
    /// Reads a decrypted text.
    ///
    /// # Errors
    ///
    /// When a field is missing without which nobody could be answered.
    pub fn parse(plaintext: &str) -> Result<Self, MessageError> {
        let fields = Fields::parse(plaintext)?;
        let message_type = fields.trimmed("MsgType").ok_or(MessageError::Field("MsgType"))?;
        let content = Content::read(message_type, &fields, plaintext)?;
        Ok(Self {
            to_user: fields.text_or_empty("ToUserName"),
            from_user: sender(&fields, &content).ok_or(MessageError::Field("FromUserName"))?,
            created_at: fields.number("CreateTime").unwrap_or_default(),
            agent_id: fields.text("AgentID"),
            content,
        })
    }

    /// Number of the message; events have none.
    pub fn msg_id(&self) -> Option<&str> {
        match &self.content {
            Content::Text { msg_id, .. }
            | Content::Image { msg_id, .. }
            | Content::Voice { msg_id, .. }
            | Content::Video { msg_id, .. }
            | Content::Location { msg_id, .. }
            | Content::Link { msg_id, .. } => Some(msg_id),
            Content::Unknown { msg_id, .. } => msg_id.as_deref(),
            Content::Event(_) => None,
        }
    }

    /// Names this message. Messages go by app, sender and number; events, whose sender and second are often shared by several, by a
    /// hash of the decrypted text, which is the same in every delivery.
    pub fn deduplication_key(&self, plaintext: &str) -> DeduplicationKey {
        let agent = self.agent_id.as_deref().unwrap_or_default();
        DeduplicationKey(match self.msg_id() {
            Some(msg_id) => format!("m:{agent}:{}:{msg_id}", self.from_user.canonical()),
            None => return DeduplicationKey::of_unreadable(plaintext),
        })
    }
}

impl Content {
    fn read(message_type: &str, fields: &Fields<'_>, plaintext: &str) -> Result<Self, MessageError> {
        if message_type == "event" {
            return Event::read(fields, plaintext).map(Self::Event);
        }
        let msg_id = || fields.text("MsgId").ok_or(MessageError::Field("MsgId"));
        Ok(match message_type {
            "text" => Self::Text {
                msg_id: msg_id()?,
                text: fields.raw_text("Content").unwrap_or_default().into(),
            },
            "image" => Self::Image {
                msg_id: msg_id()?,
                picture_url: fields.text_or_empty("PicUrl").into(),
                media_id: fields.text_or_empty("MediaId"),
            },
            "voice" => Self::Voice {
                msg_id: msg_id()?,
                media_id: fields.text_or_empty("MediaId"),
                format: fields.text_or_empty("Format"),
            },
            "video" => Self::Video {
                msg_id: msg_id()?,
                media_id: fields.text_or_empty("MediaId"),
                thumbnail_media_id: fields.text_or_empty("ThumbMediaId"),
            },
            "location" => Self::Location {
                msg_id: msg_id()?,
                latitude: fields.decimal("Location_X").unwrap_or_default(),
                longitude: fields.decimal("Location_Y").unwrap_or_default(),
                scale: fields.number("Scale").unwrap_or_default(),
                label: fields.text_or_empty("Label").into(),
                app_type: fields.text("AppType"),
            },
            "link" => Self::Link {
                msg_id: msg_id()?,
                title: fields.text_or_empty("Title").into(),
                description: fields.text_or_empty("Description").into(),
                url: fields.text_or_empty("Url").into(),
                picture_url: fields.text_or_empty("PicUrl").into(),
            },
            other => Self::Unknown {
                message_type: other.to_owned(),
                msg_id: fields.text("MsgId"),
                raw: plaintext.into(),
            },
        })
    }
}

/// Who sent it. Events that no member causes may name nobody, `kf_msg_or_event` for one (doc/94670); all that is answered names somebody.
fn sender(fields: &Fields<'_>, content: &Content) -> Option<UserId> {
    let is_answered = !matches!(content, Content::Event(event) if *event != Event::EnterAgent);
    match fields.trimmed("FromUserName") {
        Some(name) => UserId::parse(name),
        None if is_answered => None,
        None => UserId::parse(SYSTEM),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
