//! Messages that could not be answered or sent, for an admin to look at, put back or discard.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

/// Names a dead letter: `r12` is a received message, `s7` one that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterId {
    /// A received message that could not be answered.
    Received(i64),
    /// A message that could not be sent.
    Send(i64),
}

impl fmt::Display for DeadLetterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received(number) => write!(out, "r{number}"),
            Self::Send(number) => write!(out, "s{number}"),
        }
    }
}

/// Not the name of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no message id; they look like r12 (received) or s7 (to be sent)")]
pub struct NoDeadLetterId;

impl FromStr for DeadLetterId {
    type Err = NoDeadLetterId;

    fn from_str(text: &str) -> Result<Self, NoDeadLetterId> {
        let number = |digits: &str| digits.parse().map_err(|_| NoDeadLetterId);
        match (text.strip_prefix('r'), text.strip_prefix('s')) {
            (Some(digits), _) => number(digits).map(Self::Received),
            (_, Some(digits)) => number(digits).map(Self::Send),
            _ => Err(NoDeadLetterId),
        }
    }
}

/// A message that could not be answered or sent.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name.
    pub id: DeadLetterId,
    /// The app, or the app and its account as in [`super::KfAccountKey::conversation_app`].
    pub app: String,
    /// For a message to send: the name of the API.
    pub api: Option<String>,
    /// Whose it is: the beginning of the stored hash, so that messages of one person can be told to be.
    pub person: String,
    /// When it was received, or when sending it was given up.
    pub at: Timestamp,
    /// What became of it: `failed`, `unreadable`, `refused`, `unclear`, `expired`, `dropped`, `undelivered`.
    pub fate: String,
    /// Why: in a few words, or the platform's error code.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// For a message to send: names the knowledge that it was made of; empty where that was not noted.
    pub knowledge_version: String,
    /// The message itself, where it is still on file. It is what somebody wrote: for an admin's eyes, never for the log.
    pub content: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_shown() {
        for id in [DeadLetterId::Received(12), DeadLetterId::Send(7)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["", "r", "12", "x1", "r1x", "received"] {
            assert_eq!(text.parse::<DeadLetterId>(), Err(NoDeadLetterId), "{text}");
        }
    }
}
