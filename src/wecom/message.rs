//! Bodies of messages that are sent: of an app (doc/90236), the update of a card (doc/94888), of 微信客服 (doc/94677, doc/95122).
//!
//! Every limit is checked when a part is made, so a whole body is one that WeCom accepts. Control characters are left out (40033).

use std::fmt;

use serde::{Serialize, Serializer};

use crate::protocol::{Private, UserId};

/// Longest text or markdown of a message, in bytes.
pub const LONGEST_TEXT: usize = 2048;

/// Most members that one message can go to.
const MOST_RECIPIENTS: usize = 1000;

/// Most buttons of a card.
pub const MOST_BUTTONS: usize = 6;

/// Longest words on a button, in characters; more would not be shown.
pub const LONGEST_BUTTON: usize = 10;

/// Longest words under the title of a card, in characters; more would not be shown.
const LONGEST_SUBTITLE: usize = 160;

/// Longest key of a button, in bytes.
const LONGEST_BUTTON_KEY: usize = 1024;

/// Longest task id of a card, in bytes.
const LONGEST_TASK_ID: usize = 128;

/// Most items of a menu in 微信客服.
const MOST_MENU_ITEMS: usize = 10;

/// Longest id, and longest words, of a menu item in 微信客服, in bytes.
pub const LONGEST_MENU_ITEM: usize = 128;

/// Longest words above and below a menu in 微信客服, in bytes.
pub const LONGEST_MENU_TEXT: usize = 1024;

/// Longest `msgid` in 微信客服, in bytes.
const LONGEST_MESSAGE_ID: usize = 32;

/// Why a body cannot be made. It names the limit, not the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Nothing, or white space alone, which WeCom refuses (44004).
    #[error("{0} is blank")]
    Blank(Part),
    /// Too long; WeCom would cut or refuse it.
    #[error("{part} is longer than {limit}")]
    TooLong {
        /// What.
        part: Part,
        /// The limit in the unit of this part.
        limit: usize,
    },
    /// Characters that WeCom does not accept there.
    #[error("{0} has characters that are not allowed there")]
    IllegalCharacters(Part),
    /// None, or more than WeCom accepts.
    #[error("the number of {part} is {count}; it must be from 1 to {limit}")]
    Count {
        /// What.
        part: Part,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Two of them have the same key.
    #[error("two of {0} have the same key")]
    Repeated(Part),
}

/// A part of a message, for errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The text.
    Text,
    /// The recipients.
    Recipients,
    /// The title of a card.
    Title,
    /// The task id of a card.
    TaskId,
    /// The buttons of a card.
    Buttons,
    /// The words on a button.
    ButtonText,
    /// The key of a button.
    ButtonKey,
    /// The items of a menu.
    MenuItems,
    /// The id of a menu item.
    MenuItemId,
    /// The words of a menu item.
    MenuItemText,
    /// The words above or below a menu.
    MenuText,
    /// The id of a message.
    MessageId,
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Text => "the text",
            Self::Recipients => "recipients",
            Self::Title => "the title",
            Self::TaskId => "the task id",
            Self::Buttons => "buttons",
            Self::ButtonText => "the text of a button",
            Self::ButtonKey => "the key of a button",
            Self::MenuItems => "menu items",
            Self::MenuItemId => "the id of a menu item",
            Self::MenuItemText => "the text of a menu item",
            Self::MenuText => "the text above or below the menu",
            Self::MessageId => "the message id",
        })
    }
}

/// The words of a message, without control characters, not blank and not too long.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    content: String,
}

impl Text {
    /// Checks the words.
    ///
    /// # Errors
    ///
    /// When they are blank or longer than [`LONGEST_TEXT`].
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let content = checked(Part::Text, text, LONGEST_TEXT)?;
        Ok(Self { content })
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Text({} bytes)", self.content.len())
    }
}

/// Members to send to, 1 to 1000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients(Vec<UserId>);

impl Recipients {
    /// Checks their number.
    ///
    /// # Errors
    ///
    /// When there are none or too many.
    pub fn new(members: Vec<UserId>) -> Result<Self, MessageError> {
        counted(Part::Recipients, members.len(), MOST_RECIPIENTS)?;
        Ok(Self(members))
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(UserId::as_str)
    }
}

/// Sending wants one text (doc/90236), updating a card an array (doc/94888).
fn joined<S: Serializer>(recipients: &Recipients, serializer: S) -> Result<S::Ok, S::Error> {
    let ids: Vec<&str> = recipients.ids().collect();
    serializer.serialize_str(&ids.join("|"))
}

fn listed<S: Serializer>(recipients: &Recipients, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(recipients.ids())
}

/// A message of the app to members, the body of `message/send`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppMessage {
    /// Who gets it.
    #[serde(rename = "touser", serialize_with = "joined")]
    pub recipients: Recipients,
    /// The app's number in its company.
    #[serde(rename = "agentid")]
    pub agent_id: u32,
    /// What it says.
    #[serde(flatten)]
    pub content: AppContent,
    /// Whether WeCom swallows the same message to the same members within half an hour. Also honest repetitions are swallowed.
    #[serde(
        rename = "enable_duplicate_check",
        skip_serializing_if = "std::ops::Not::not",
        serialize_with = "as_number"
    )]
    pub checks_duplicates: bool,
}

/// What a message of the app says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "msgtype", rename_all = "snake_case")]
pub enum AppContent {
    /// Plain words.
    Text {
        /// The words.
        text: Text,
    },
    /// WeCom's subset of markdown, which members in WeChat do not see.
    Markdown {
        /// The words.
        markdown: Text,
    },
    /// A card with buttons, which members in WeChat may not see.
    TemplateCard {
        /// The card.
        template_card: ButtonCard,
    },
}

fn private<S: Serializer>(text: &Private, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn as_number<S: Serializer>(value: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(u8::from(*value))
}

/// A card of the kind `button_interaction`: a title and 1 to 6 buttons that report a click.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ButtonCard {
    card_type: &'static str,
    main_title: Title,
    #[serde(skip_serializing_if = "String::is_empty")]
    sub_title_text: String,
    task_id: String,
    button_list: Vec<Button>,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
struct Title {
    title: String,
}

impl ButtonCard {
    /// A card; an empty `subtitle` is left out, and a longer one is cut. Its `task_id` is unique in the app and has 1 to 128 letters, digits, `_`, `-` and `@`; a client cuts a title of more than 36
    /// characters.
    ///
    /// # Errors
    ///
    /// When a limit is not kept.
    pub fn new(title: &str, subtitle: &str, task_id: &str, buttons: Vec<Button>) -> Result<Self, MessageError> {
        let title = checked(Part::Title, title, LONGEST_TEXT)?;
        let subtitle = limited(Part::Title, subtitle, LONGEST_TEXT)?;
        let task_id = identifier(Part::TaskId, task_id, LONGEST_TASK_ID, b"_-@")?;
        counted(Part::Buttons, buttons.len(), MOST_BUTTONS)?;
        let mut keys: Vec<&str> = buttons.iter().map(|button| button.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() < buttons.len() {
            return Err(MessageError::Repeated(Part::Buttons));
        }
        Ok(Self {
            card_type: "button_interaction",
            main_title: Title { title },
            sub_title_text: subtitle.chars().take(LONGEST_SUBTITLE).collect(),
            task_id,
            button_list: buttons,
        })
    }
}

impl fmt::Debug for ButtonCard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ButtonCard({} buttons)", self.button_list.len())
    }
}

/// A button of a card.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Button {
    text: String,
    key: String,
}

impl Button {
    /// A button with up to 10 characters on it and a key of 1 to 1024 bytes, which the click reports.
    ///
    /// # Errors
    ///
    /// When a limit is not kept.
    pub fn new(text: &str, key: &str) -> Result<Self, MessageError> {
        let text = button_words(text)?;
        let key = checked(Part::ButtonKey, key, LONGEST_BUTTON_KEY)?;
        Ok(Self { text, key })
    }
}

impl fmt::Debug for Button {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Button({} bytes)", self.text.len())
    }
}

/// Disables the buttons of a card and shows the chosen one, the body of `message/update_template_card`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CardUpdate {
    /// Whose card.
    #[serde(rename = "userids", serialize_with = "listed")]
    pub recipients: Recipients,
    /// The app's number in its company.
    #[serde(rename = "agentid")]
    pub agent_id: u32,
    /// From the click or from the answer to sending; it works once.
    #[serde(serialize_with = "private")]
    pub response_code: Private,
    /// The words of the chosen button.
    #[serde(rename = "button")]
    pub chosen: Chosen,
}

/// What a card shows in place of its buttons.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    replace_name: String,
}

impl Chosen {
    /// Checks the words.
    ///
    /// # Errors
    ///
    /// When they are blank or longer than a button.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let replace_name = button_words(text)?;
        Ok(Self { replace_name })
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Chosen({} bytes)", self.replace_name.len())
    }
}

/// The sender's own number of a message in 微信客服: 1 to 32 letters, digits, `_` and `-`, unique in the account. WeCom refuses a second
/// message with the same one, so a message that has one can be sent again when nobody knows whether it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageId(String);

impl MessageId {
    /// Checks the form.
    ///
    /// # Errors
    ///
    /// When it is empty, too long or has other characters.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        identifier(Part::MessageId, text, LONGEST_MESSAGE_ID, b"_-").map(Self)
    }
}

/// A message to a customer, the body of `kf/send_msg`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KfMessage {
    /// The customer.
    #[serde(rename = "touser", serialize_with = "private")]
    pub external_user_id: Private,
    /// The account that sends.
    #[serde(rename = "open_kfid")]
    pub open_kf_id: String,
    /// The sender's own number of the message.
    #[serde(rename = "msgid", skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// What it says.
    #[serde(flatten)]
    pub content: KfContent,
}

/// A message on an event, such as a customer entering, the body of `kf/send_msg_on_event`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KfEventMessage {
    /// From the event; it stands for customer and account and works once.
    #[serde(serialize_with = "private")]
    pub code: Private,
    /// The sender's own number of the message.
    #[serde(rename = "msgid", skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// What it says.
    #[serde(flatten)]
    pub content: KfContent,
}

/// What a message in 微信客服 says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "msgtype", rename_all = "lowercase")]
pub enum KfContent {
    /// Plain words.
    Text {
        /// The words.
        text: Text,
    },
    /// Words with items to tap; a tap sends the item's words as the customer's.
    MsgMenu {
        /// The menu.
        msgmenu: KfMenu,
    },
}

/// Items to tap, between two texts.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct KfMenu {
    #[serde(skip_serializing_if = "String::is_empty")]
    head_content: String,
    list: Vec<KfMenuItem>,
    #[serde(skip_serializing_if = "String::is_empty")]
    tail_content: String,
}

impl KfMenu {
    /// A menu of 1 to 10 items. The words above and below have up to 1024 bytes each; an empty text is left out.
    ///
    /// # Errors
    ///
    /// When a limit is not kept.
    pub fn new(head: &str, items: Vec<KfMenuItem>, tail: &str) -> Result<Self, MessageError> {
        counted(Part::MenuItems, items.len(), MOST_MENU_ITEMS)?;
        Ok(Self {
            head_content: limited(Part::MenuText, head, LONGEST_MENU_TEXT)?,
            list: items,
            tail_content: limited(Part::MenuText, tail, LONGEST_MENU_TEXT)?,
        })
    }
}

impl fmt::Debug for KfMenu {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KfMenu({} items)", self.list.len())
    }
}

/// An item to tap.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct KfMenuItem {
    #[serde(rename = "type")]
    kind: &'static str,
    click: Click,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
struct Click {
    id: String,
    content: String,
}

impl KfMenuItem {
    /// An item; the customer reads `text`, the message that a tap sends carries `id`. Both have 1 to 128 bytes.
    ///
    /// # Errors
    ///
    /// When a limit is not kept.
    pub fn new(id: &str, text: &str) -> Result<Self, MessageError> {
        let click = Click {
            id: checked(Part::MenuItemId, id, LONGEST_MENU_ITEM)?,
            content: checked(Part::MenuItemText, text, LONGEST_MENU_ITEM)?,
        };
        Ok(Self { kind: "click", click })
    }
}

impl fmt::Debug for KfMenuItem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KfMenuItem({} bytes)", self.click.content.len())
    }
}

/// Words without control characters, neither blank nor longer than `limit` bytes.
fn checked(part: Part, text: &str, limit: usize) -> Result<String, MessageError> {
    let text = limited(part, text, limit)?;
    if text.trim().is_empty() {
        return Err(MessageError::Blank(part));
    }
    Ok(text)
}

fn button_words(text: &str) -> Result<String, MessageError> {
    let words = checked(Part::ButtonText, text, LONGEST_TEXT)?;
    if words.chars().count() > LONGEST_BUTTON {
        return Err(too_long(Part::ButtonText, LONGEST_BUTTON));
    }
    Ok(words)
}

fn limited(part: Part, text: &str, limit: usize) -> Result<String, MessageError> {
    let is_shown = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let text: String = text.chars().filter(is_shown).collect();
    if text.len() > limit {
        return Err(too_long(part, limit));
    }
    Ok(text)
}

fn identifier(part: Part, text: &str, limit: usize, others: &[u8]) -> Result<String, MessageError> {
    if text.is_empty() {
        return Err(MessageError::Blank(part));
    }
    if text.len() > limit {
        return Err(too_long(part, limit));
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
    if !text.bytes().all(is_allowed) {
        return Err(MessageError::IllegalCharacters(part));
    }
    Ok(text.to_owned())
}

fn too_long(part: Part, limit: usize) -> MessageError {
    MessageError::TooLong { part, limit }
}

fn counted(part: Part, count: usize, limit: usize) -> Result<(), MessageError> {
    if !(1..=limit).contains(&count) {
        return Err(MessageError::Count { part, count, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn to(ids: &[&str]) -> Recipients {
        Recipients::new(ids.iter().map(|id| UserId::parse(id).unwrap()).collect()).unwrap()
    }

    fn text(words: &str) -> Text {
        Text::parse(words).unwrap()
    }

    #[track_caller]
    fn check(body: &impl Serialize, expected: Value) {
        assert_eq!(serde_json::to_value(body).unwrap(), expected);
    }

    #[test]
    fn a_text_goes_to_members_joined_by_bars() {
        let message = AppMessage {
            recipients: to(&["ZhangSan", "lisi"]),
            agent_id: 1_000_002,
            content: AppContent::Text { text: text("你好") },
            checks_duplicates: false,
        };
        check(
            &message,
            json!({"touser": "ZhangSan|lisi", "agentid": 1_000_002, "msgtype": "text", "text": {"content": "你好"}}),
        );
        let once = AppMessage {
            content: AppContent::Markdown {
                markdown: text("**好**"),
            },
            checks_duplicates: true,
            ..message
        };
        check(
            &once,
            json!({"touser": "ZhangSan|lisi", "agentid": 1_000_002, "msgtype": "markdown", "markdown": {"content": "**好**"},
                   "enable_duplicate_check": 1}),
        );
    }

    #[test]
    fn a_card_has_its_buttons_and_its_update_names_members_in_an_array() {
        let buttons = vec![
            Button::new("有用", "useful").unwrap(),
            Button::new("没用", "useless").unwrap(),
        ];
        let message = AppMessage {
            recipients: to(&["lisi"]),
            agent_id: 7,
            content: AppContent::TemplateCard {
                template_card: ButtonCard::new("有帮助吗？", "", "task-1@a", buttons).unwrap(),
            },
            checks_duplicates: false,
        };
        check(
            &message,
            json!({"touser": "lisi", "agentid": 7, "msgtype": "template_card", "template_card": {
                "card_type": "button_interaction", "main_title": {"title": "有帮助吗？"}, "task_id": "task-1@a",
                "button_list": [{"text": "有用", "key": "useful"}, {"text": "没用", "key": "useless"}]}}),
        );
        let update = CardUpdate {
            recipients: to(&["lisi"]),
            agent_id: 7,
            response_code: "code".into(),
            chosen: Chosen::parse("有用").unwrap(),
        };
        check(
            &update,
            json!({"userids": ["lisi"], "agentid": 7, "response_code": "code", "button": {"replace_name": "有用"}}),
        );
    }

    #[test]
    fn a_message_of_kf_leaves_out_what_it_does_not_have() {
        let message = KfMessage {
            external_user_id: "wm1".into(),
            open_kf_id: "wk1".to_owned(),
            message_id: None,
            content: KfContent::Text { text: text("好") },
        };
        check(
            &message,
            json!({"touser": "wm1", "open_kfid": "wk1", "msgtype": "text", "text": {"content": "好"}}),
        );
        let menu = KfMenu::new("哪一个？", vec![KfMenuItem::new("v1:a", "个人微信").unwrap()], "").unwrap();
        let message = KfEventMessage {
            code: "c".into(),
            message_id: Some(MessageId::parse("m_1-a").unwrap()),
            content: KfContent::MsgMenu { msgmenu: menu },
        };
        check(
            &message,
            json!({"code": "c", "msgid": "m_1-a", "msgtype": "msgmenu", "msgmenu": {"head_content": "哪一个？",
                   "list": [{"type": "click", "click": {"id": "v1:a", "content": "个人微信"}}]}}),
        );
    }

    #[test]
    fn control_characters_are_left_out_and_blank_texts_refused() {
        assert_eq!(text("a\u{0}\r\nb\tc\u{85}").content, "a\nb\tc");
        assert_eq!(Text::parse(" \n\u{1}"), Err(MessageError::Blank(Part::Text)));
        assert!(Text::parse(&"好".repeat(682)).is_ok());
        assert_eq!(Text::parse(&"好".repeat(683)), Err(too_long(Part::Text, 2048)));
    }

    #[test]
    fn limits_are_kept() {
        assert!(Button::new("一二三四五六七八九十", "k").is_ok());
        assert_eq!(
            Button::new("一二三四五六七八九十一", "k"),
            Err(too_long(Part::ButtonText, 10))
        );
        assert!(KfMenuItem::new(&"i".repeat(129), "x").is_err());
        assert!(KfMenuItem::new("i", &"好".repeat(43)).is_err());
        let item = KfMenuItem::new("i", &"好".repeat(42)).unwrap();
        assert!(KfMenu::new("", vec![item.clone(); 10], "").is_ok());
        assert!(KfMenu::new("", vec![item; 11], "").is_err());
        assert!(MessageId::parse(&"a".repeat(32)).is_ok());
        for id in ["", "a b", "好", &"a".repeat(33)] {
            assert!(MessageId::parse(id).is_err(), "{id}");
        }
        let button = Button::new("a", "k").unwrap();
        let twice = ButtonCard::new("t", "", "id", vec![button.clone(), button]);
        assert_eq!(twice, Err(MessageError::Repeated(Part::Buttons)));
        assert!(Recipients::new(Vec::new()).is_err());
    }

    #[test]
    fn debug_output_has_no_content() {
        let message = KfMessage {
            external_user_id: "wm1".into(),
            open_kf_id: "wk1".to_owned(),
            message_id: None,
            content: KfContent::Text { text: text("canary") },
        };
        assert!(!format!("{message:?}").contains("canary"));
    }
}
