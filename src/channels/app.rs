//! The self-built app (自建应用): callbacks in, passive replies out.

use crate::dialogue::{Action, Assistant, Attachment, Event, Session};
use crate::protocol::event::ContactChange;
use crate::protocol::{Content, Event as WireEvent};

/// What a wire message means for the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something the dialogue answers.
    Event(Event),
    /// Known, but nothing to say to: it is acknowledged.
    Nothing,
    /// Of a kind that is not known; its name is kept for the log.
    Unknown(String),
}

/// What the content of a callback means for the conversation.
pub fn heard(content: &Content) -> Heard {
    match content {
        Content::Text { text, .. } => Heard::Event(Event::Text(text.to_string())),
        Content::Image { .. } => attachment(Attachment::Image),
        Content::Voice { .. } => attachment(Attachment::Voice),
        Content::Video { .. } => attachment(Attachment::Video),
        Content::Location { .. } => attachment(Attachment::Location),
        Content::Link { .. } => attachment(Attachment::Link),
        Content::Event(WireEvent::EnterAgent) => Heard::Event(Event::Entered),
        Content::Event(WireEvent::Unknown { event, .. }) => Heard::Unknown(event.clone()),
        Content::Event(WireEvent::ChangeContact(ContactChange::Unknown { change_type, .. })) => {
            Heard::Unknown(format!("change_contact/{change_type}"))
        }
        Content::Event(_) => Heard::Nothing,
        Content::Unknown { message_type, .. } => Heard::Unknown(message_type.clone()),
    }
}

fn attachment(attachment: Attachment) -> Heard {
    Heard::Event(Event::Attachment(attachment))
}

/// The text of a passive reply: everything that was said, options as numbered lines; `None` when nothing was said.
pub fn reply_text(
    assistant: &Assistant,
    session: &Session,
    actions: &[Action],
    now: jiff::Timestamp,
) -> Option<String> {
    let composer = assistant.composer(session.language, now);
    let said = actions.iter().filter_map(|action| match action {
        Action::Reply(reply) => Some(composer.as_plain_text(reply)),
        _ => None,
    });
    let texts: Vec<String> = said.collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
