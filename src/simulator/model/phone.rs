//! What a person sees on the phone: every message of a conversation in the order in which it appeared.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// Who a message is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sender {
    /// The owner of the phone.
    Myself,
    /// The program behind the app or the account.
    Bot,
    /// A person of the company.
    Servicer,
}

/// One message.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Seen {
    /// Counted from 1 on every phone.
    pub(crate) number: u64,
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) sender: Sender,
    /// The person who wrote it, where it was one of several.
    pub(crate) servicer: Option<String>,
    /// The account of 微信客服; `None` in an app's conversation.
    pub(crate) open_kfid: Option<String>,
    pub(crate) msgid: Option<String>,
    /// `text`, `msgmenu`, `template_card`, …; `card_update` for a card that looks different from now on.
    pub(crate) kind: String,
    /// All words that can be read on it, a line each.
    pub(crate) text: String,
    /// As it was sent.
    pub(crate) body: Value,
    pub(crate) recalled: bool,
}

impl Seen {
    pub(crate) fn new(sender: Sender, kind: &str, text: impl Into<String>, body: Value) -> Self {
        Self {
            number: 0,
            at: 0,
            sender,
            servicer: None,
            open_kfid: None,
            msgid: None,
            kind: kind.to_owned(),
            text: text.into(),
            body,
            recalled: false,
        }
    }

    pub(crate) fn in_account(mut self, open_kfid: &str) -> Self {
        self.open_kfid = Some(open_kfid.to_owned());
        self
    }

    pub(crate) fn with_id(mut self, msgid: &str) -> Self {
        self.msgid = Some(msgid.to_owned());
        self
    }

    pub(crate) fn by_servicer(mut self, userid: &str) -> Self {
        self.servicer = Some(userid.to_owned());
        self
    }
}

/// Everything on one phone, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Phone {
    messages: Vec<Seen>,
}

impl Phone {
    /// Shows a message.
    pub(crate) fn show(&mut self, now: Timestamp, mut message: Seen) -> u64 {
        let number = self.newest().saturating_add(1);
        message.number = number;
        message.at = now.as_millisecond();
        self.messages.push(message);
        number
    }

    /// The number of the newest message; 0 when there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.messages.last().map_or(0, |message| message.number)
    }

    pub(crate) fn messages(&self) -> &[Seen] {
        &self.messages
    }

    /// Takes a message back; the message as it was shown.
    pub(crate) fn recall(&mut self, msgid: &str, by: Sender) -> Option<&Seen> {
        let theirs = |message: &&mut Seen| message.sender == by && message.msgid.as_deref() == Some(msgid);
        let message = self.messages.iter_mut().find(theirs)?;
        message.recalled = true;
        Some(message)
    }
}
