//! What an app sends to members through `message/send`, and its limits (doc/90236).

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::cards::{check_card, words_of};
use super::fields::{at_most, object, optional_number, optional_text};
use super::refusal::{Refusal, refuse};

/// A longer text is cut, a longer markdown refused: about the latter the document is silent (doc/90236).
const LONGEST_TEXT: usize = 2048;

/// How long the duplicate check remembers, unless the request says otherwise, and at most (doc/90236).
const USUAL_INTERVAL: i64 = 1800;
const LONGEST_INTERVAL: i64 = 4 * 3600;

/// A message as members will see it.
#[derive(Clone, Debug)]
pub(crate) struct AppMessage {
    pub(crate) kind: String,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl AppMessage {
    /// Checks what is sent.
    pub(crate) fn parse(request: &Value) -> Result<Self, Refusal> {
        let kind = optional_text(request, "msgtype")?.unwrap_or_default();
        let text = match kind {
            "text" => cut(content(request, kind)?),
            "markdown" => {
                let text = content(request, kind)?;
                at_most(text, LONGEST_TEXT, 45002, "markdown.content")?;
                text.to_owned()
            }
            "template_card" => {
                let card = object(request, kind)?;
                check_card(card)?;
                words_of(card)
            }
            _ => return refuse(40008, format!("invalid message type `{kind}`")),
        };
        Ok(Self {
            kind: kind.to_owned(),
            text,
            body: object(request, kind)?.clone(),
        })
    }

    /// The card, if it is one.
    pub(crate) fn card(&self) -> Option<&Value> {
        (self.kind == "template_card").then_some(&self.body)
    }
}

fn content<'a>(request: &'a Value, kind: &str) -> Result<&'a str, Refusal> {
    match optional_text(object(request, kind)?, "content")?.unwrap_or_default() {
        blank if blank.trim().is_empty() => refuse(44004, "text content is empty"),
        text => Ok(text),
    }
}

/// The platform cuts by bytes, in the middle of a character too (doc/90236), and so it looks on the phone.
pub(crate) fn cut(text: &str) -> String {
    let bytes = text.as_bytes();
    String::from_utf8_lossy(bytes.get(..LONGEST_TEXT).unwrap_or(bytes)).into_owned()
}

/// Remembers requests that asked for `enable_duplicate_check`.
#[derive(Debug, Default)]
pub(crate) struct DuplicateCheck {
    /// Until when which request is a repetition, and the `msgid` that it was answered with.
    seen: HashMap<String, (Timestamp, String)>,
}

impl DuplicateCheck {
    /// The `msgid` of the same request within the interval. Only requests with the check are compared: what becomes of a first one
    /// without is not documented, so nobody can rely on it.
    pub(crate) fn former(&self, request: &Value, now: Timestamp) -> Option<&str> {
        let (until, msgid) = self.seen.get(&fingerprint(request)?)?;
        (now < *until).then_some(msgid)
    }

    pub(crate) fn remember(&mut self, request: &Value, msgid: &str, now: Timestamp) -> Result<(), Refusal> {
        let Some(fingerprint) = fingerprint(request) else {
            return Ok(());
        };
        let seconds = optional_number(request, "duplicate_check_interval")?.unwrap_or(USUAL_INTERVAL);
        let interval = SignedDuration::from_secs(seconds.clamp(0, LONGEST_INTERVAL));
        let until = now.saturating_add(interval).unwrap_or(now);
        self.seen.insert(fingerprint, (until, msgid.to_owned()));
        Ok(())
    }
}

/// The same recipients and content; `None` without the check.
fn fingerprint(request: &Value) -> Option<String> {
    request
        .get("enable_duplicate_check")?
        .as_i64()
        .filter(|asked| *asked == 1)?;
    let mut compared = request.clone();
    compared.as_object_mut()?.remove("duplicate_check_interval");
    Some(compared.to_string())
}
