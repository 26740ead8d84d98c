//! The fields of an inner message, read alike from XML and JSON.

use serde_json::Value;

use super::xml::{Element, XmlError, read_xml};

/// Why a decrypted text has no fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// Not XML as WeCom writes it.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Not a JSON object.
    #[error("not a JSON object")]
    Json,
}

/// One level of a message: texts, and further levels, by name. Names are matched without regard to case, because WeCom itself writes
/// `AgentID` and `AgentId`; what is missing and what is empty are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields<'a>(Element<'a>);

impl<'a> Fields<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, FieldsError> {
        if text.trim_start().starts_with('{') {
            let value: Value = serde_json::from_str(text).map_err(|_| FieldsError::Json)?;
            return Ok(Self(element_of("xml", &value)));
        }
        Ok(Self(read_xml(text)?))
    }

    /// The text of a field, without blanks around it.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.trimmed(name).map(str::to_owned)
    }

    /// The same where it is only looked at.
    pub(super) fn trimmed(&self, name: &str) -> Option<&str> {
        let text = self.named(name).next()?.text.trim();
        Some(text).filter(|text| !text.is_empty())
    }

    /// The text of a field exactly as it was written.
    pub(super) fn raw_text(&self, name: &str) -> Option<String> {
        self.named(name).next().map(|element| element.text.to_string())
    }

    /// The text of a field, empty when missing.
    pub(super) fn text_or_empty(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.trimmed(name)?.parse().ok()
    }

    pub(super) fn decimal(&self, name: &str) -> Option<f64> {
        self.trimmed(name)?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
    }

    /// The level below a field; empty when missing.
    pub(super) fn inside(&self, name: &str) -> Self {
        Self(self.named(name).next().cloned().unwrap_or_default())
    }

    /// All levels of this name, for lists of repeated elements.
    pub(super) fn all(&self, name: &str) -> Vec<Self> {
        self.named(name).cloned().map(Self).collect()
    }

    /// The texts of all fields of this name.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.named(name).map(|element| element.text.trim().to_owned()).collect()
    }

    /// A list written with commas.
    pub(super) fn comma_list(&self, name: &str) -> Vec<String> {
        let text = self.text_or_empty(name);
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Element<'a>> {
        self.0
            .children
            .iter()
            .filter(move |child| child.name.eq_ignore_ascii_case(name))
    }
}

/// A JSON value as the element that XML would have: lists become repeated elements.
fn element_of(name: &str, value: &Value) -> Element<'static> {
    let mut element = Element {
        name: name.to_owned().into(),
        ..Element::default()
    };
    match value {
        Value::Null => {}
        Value::String(text) => element.text = text.clone().into(),
        Value::Bool(_) | Value::Number(_) => element.text = value.to_string().into(),
        Value::Array(items) => element.children = items.iter().map(|item| element_of(name, item)).collect(),
        Value::Object(entries) => {
            element.children = entries
                .iter()
                .flat_map(|(key, value)| elements_of(key, value))
                .collect()
        }
    }
    element
}

fn elements_of(name: &str, value: &Value) -> Vec<Element<'static>> {
    match value {
        Value::Array(items) => items.iter().map(|item| element_of(name, item)).collect(),
        other => vec![element_of(name, other)],
    }
}
