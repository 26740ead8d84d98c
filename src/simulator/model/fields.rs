//! Reading the fields of a request, with the error numbers of doc/90313 for what is missing or of the wrong kind.

use serde_json::Value;

use super::refusal::{Refusal, refuse};

/// A text that must be there and must not be empty.
pub(crate) fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    match optional_text(body, name)? {
        Some("") => refuse(40063, format!("empty parameter: {name}")),
        Some(text) => Ok(text),
        None => refuse(40058, format!("missing parameter: {name}")),
    }
}

/// A text that may be missing.
pub(crate) fn optional_text<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => refuse(40035, format!("invalid parameter: {name} must be a string")),
    }
}

/// A whole number that may be missing.
pub(crate) fn optional_number(body: &Value, name: &str) -> Result<Option<i64>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) => Ok(Some(number)),
            None => refuse(40035, format!("invalid parameter: {name} must be an integer")),
        },
    }
}

/// A list; a missing one is empty.
pub(crate) fn list<'a>(body: &'a Value, name: &str) -> Result<&'a [Value], Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(entries)) => Ok(entries),
        Some(_) => refuse(40035, format!("invalid parameter: {name} must be an array")),
    }
}

/// A list of texts.
pub(crate) fn texts(body: &Value, name: &str) -> Result<Vec<String>, Refusal> {
    let text = |entry: &Value| match entry.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => refuse(40035, format!("invalid parameter: {name} must hold strings")),
    };
    list(body, name)?.iter().map(text).collect()
}

/// An object that must be there.
pub(crate) fn object<'a>(body: &'a Value, name: &str) -> Result<&'a Value, Refusal> {
    match body.get(name) {
        Some(value) if value.is_object() => Ok(value),
        Some(_) => refuse(40035, format!("invalid parameter: {name} must be an object")),
        None => refuse(40063, format!("empty parameter: {name}")),
    }
}

/// Only so many bytes of UTF-8, else this number.
pub(crate) fn at_most(text: &str, bytes: usize, errcode: i64, name: &str) -> Result<(), Refusal> {
    match text.len() <= bytes {
        true => Ok(()),
        false => refuse(errcode, format!("{name} has {} bytes, {bytes} are allowed", text.len())),
    }
}

/// Whether a text has only letters, digits and these.
pub(crate) fn has_only(text: &str, others: &str) -> bool {
    text.chars()
        .all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
}
