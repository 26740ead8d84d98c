//! The self-built app (自建应用): callbacks in, passive replies out.

use serde_json::{Value, json};

use crate::dialogue::{Assistant, Attachment, Composer, Event, Reply, ReplyOption, Session};
use crate::knowledge::{Language, TextKey, Texts};
use crate::protocol::event::{CardEvent, ContactChange, MenuEvent, MenuKind};
use crate::protocol::{Content, Event as WireEvent, Private, UserId};
use crate::wecom::message::{
    AppContent, AppMessage, Button, ButtonCard, CardUpdate, Chosen, LONGEST_BUTTON, LONGEST_TEXT, MOST_BUTTONS,
    MessageError, Recipients, Text,
};
use crate::wecom::split_text;

/// Stands before what a button's key says, so that buttons which a later version writes otherwise are told apart.
const KEY_PREFIX: &str = "v1:";

/// Stands between the id of an option and its label in a button's key.
const KEY_SEPARATOR: char = '|';

/// What a wire message means for the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something the dialogue answers.
    Event(Event),
    /// A button of a card was pressed: the dialogue answers, and the card shows what was chosen.
    Card {
        /// What was chosen.
        event: Event,
        /// For changing the card once.
        response_code: Private,
    },
    /// Known, but nothing to say to: it is acknowledged.
    Nothing,
    /// Of a kind that is not known; its name is kept for the log.
    Unknown(String),
}

/// What the content of a callback means for the conversation.
pub fn heard(content: &Content, texts: &Texts) -> Heard {
    match content {
        Content::Text { text, .. } => Heard::Event(Event::Text(text.to_string())),
        Content::Image { .. } => attachment(Attachment::Image),
        Content::Voice { .. } => attachment(Attachment::Voice),
        Content::Video { .. } => attachment(Attachment::Video),
        Content::Location { .. } => attachment(Attachment::Location),
        Content::Link { .. } => attachment(Attachment::Link),
        Content::Event(WireEvent::EnterAgent) => Heard::Event(Event::Entered),
        Content::Event(WireEvent::Menu(menu)) => clicked(menu, texts),
        Content::Event(WireEvent::TemplateCard(card)) => pressed(card),
        Content::Event(WireEvent::Unknown { event, .. }) => Heard::Unknown(event.clone()),
        Content::Event(WireEvent::ChangeContact(ContactChange::Unknown { change_type, .. })) => {
            Heard::Unknown(format!("change_contact/{change_type}"))
        }
        Content::Event(_) => Heard::Nothing,
        Content::Unknown { message_type, .. } => Heard::Unknown(message_type.clone()),
    }
}

/// An entry of our own menu stands for what somebody would write.
fn clicked(menu: &MenuEvent, texts: &Texts) -> Heard {
    let entry = MENU
        .iter()
        .find(|(name, _)| menu.kind == MenuKind::Click && *name == menu.key);
    match entry {
        Some((_, TextKey::MenuCommon)) => Heard::Event(Event::CommonSituations),
        Some((_, key)) => Heard::Event(Event::Text(texts.template(*key, Language::Chinese).to_owned())),
        None => Heard::Nothing,
    }
}

fn pressed(card: &CardEvent) -> Heard {
    let key = card
        .key
        .strip_prefix(KEY_PREFIX)
        .and_then(|key| key.split_once(KEY_SEPARATOR));
    match key {
        Some((id, label)) => Heard::Card {
            event: Event::Tapped {
                id: id.to_owned(),
                label: label.to_owned(),
            },
            response_code: card.response_code.clone(),
        },
        None => Heard::Nothing,
    }
}

/// Keys of the menu's entries with what stands on them.
const MENU: [(&str, TextKey); 3] = [
    ("jiefeng:common", TextKey::MenuCommon),
    ("jiefeng:progress", TextKey::MenuProgress),
    ("jiefeng:human", TextKey::MenuHuman),
];

/// Body of `menu/create`: the app's menu (doc/90231).
pub fn menu(texts: &Texts) -> Value {
    let button = |(key, text): &(&str, TextKey)| json!({ "type": "click", "name": texts.template(*text, Language::Chinese), "key": key });
    json!({ "button": MENU.iter().map(button).collect::<Vec<Value>>() })
}

fn attachment(attachment: Attachment) -> Heard {
    Heard::Event(Event::Attachment(attachment))
}

/// The text of a passive reply: everything that was said, options as numbered lines; `None` when nothing was said.
pub fn reply_text(assistant: &Assistant, session: &Session, replies: &[Reply], now: jiff::Timestamp) -> Option<String> {
    let composer = assistant.composer(session.language, now);
    let (first, others) = replies.split_first()?;
    let mut text = composer.as_plain_text(first);
    for reply in others {
        text.push('\n');
        composer.write_plain_text(&mut text, reply);
    }
    Some(text)
}

/// The first reply whose options fit on a card.
pub fn options_for_card(replies: &[Reply]) -> Option<&Reply> {
    let fits = |reply: &&Reply| (1..=MOST_BUTTONS).contains(&reply.options.len());
    replies.iter().find(fits)
}

/// Replies without their options, for when these are on a card.
pub fn without_options(replies: &[Reply]) -> Vec<Reply> {
    let text_alone = |reply: &Reply| Reply {
        text: reply.text.trim_end().to_owned(),
        options: Vec::new(),
    };
    replies.iter().map(text_alone).collect()
}

/// Body of `message/send` with a text. `once` has WeCom swallow a second one within half an hour: for what is written once and may have
/// to be sent again.
pub fn text_message(agent_id: u32, user: &str, text: &str, once: bool) -> Option<String> {
    let text = split_text(text, LONGEST_TEXT).first().copied().unwrap_or_default();
    let content = AppContent::Text {
        text: Text::parse(text).ok()?,
    };
    body(agent_id, user, content, once)
}

/// Body of `message/send` with options as buttons of a card; what is too long for a button stands above them in full.
pub fn card_message(
    agent_id: u32,
    user: &str,
    task_id: &str,
    options: &[ReplyOption],
    composer: &Composer<'_>,
) -> Option<String> {
    let button = |option: &ReplyOption| {
        let key = format!("{KEY_PREFIX}{}{KEY_SEPARATOR}{}", option.id, option.label);
        Button::new(&on_button(&option.label), &key)
    };
    let buttons: Result<Vec<Button>, MessageError> = options.iter().map(button).collect();
    let is_cut = |option: &ReplyOption| on_button(&option.label) != option.label;
    let in_full = match options.iter().any(is_cut) {
        true => composer.numbered(options),
        false => String::new(),
    };
    let title = composer.words(TextKey::CardTitle);
    let template_card = ButtonCard::new(&title, &in_full, task_id, buttons.ok()?).ok()?;
    body(agent_id, user, AppContent::TemplateCard { template_card }, false)
}

fn body(agent_id: u32, user: &str, content: AppContent, checks_duplicates: bool) -> Option<String> {
    let message = AppMessage {
        recipients: recipient(user)?,
        agent_id,
        content,
        checks_duplicates,
    };
    serde_json::to_string(&message).ok()
}

/// Body of `message/update_template_card`: the buttons give way to what was chosen.
pub fn chosen_on_card(agent_id: u32, user: &str, response_code: &Private, chosen: &str) -> Option<String> {
    let update = CardUpdate {
        recipients: recipient(user)?,
        agent_id,
        response_code: response_code.clone(),
        chosen: Chosen::parse(&on_button(chosen)).ok()?,
    };
    serde_json::to_string(&update).ok()
}

fn recipient(user: &str) -> Option<Recipients> {
    Recipients::new(vec![UserId::parse(user)?]).ok()
}

/// As much as a button shows.
fn on_button(label: &str) -> String {
    label.chars().take(LONGEST_BUTTON).collect()
}
