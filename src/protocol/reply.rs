//! Passive replies: what may stand in the HTTP response to a message (doc/90241, doc/96469).

use super::envelope::WireFormat;
use super::xml::{write_number, write_text, write_verbatim};

/// Most bytes of a text; WeCom cuts off the rest.
const LONGEST_TEXT: usize = 2048;

/// A text reply of at most 2048 bytes of UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextReply(String);

impl TextReply {
    /// Keeps as many whole characters as fit.
    pub fn fit(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The plaintext to encrypt: addressed to the member who wrote, from the company.
    pub fn to_plaintext(&self, format: WireFormat, to_user: &str, from_corp: &str, created_at: i64) -> String {
        match format {
            WireFormat::Xml => self.to_xml(to_user, from_corp, created_at),
            WireFormat::Json => self.to_json(to_user, from_corp, created_at),
        }
    }

    fn to_xml(&self, to_user: &str, from_corp: &str, created_at: i64) -> String {
        let mut out = String::with_capacity(self.0.len().saturating_add(256));
        out.push_str("<xml>");
        write_text(&mut out, "ToUserName", to_user);
        write_text(&mut out, "FromUserName", from_corp);
        write_number(&mut out, "CreateTime", created_at);
        write_verbatim(&mut out, "MsgType", "text");
        write_text(&mut out, "Content", &self.0);
        out.push_str("</xml>");
        out
    }

    fn to_json(&self, to_user: &str, from_corp: &str, created_at: i64) -> String {
        let reply = serde_json::json!({
            "ToUserName": to_user,
            "FromUserName": from_corp,
            "CreateTime": created_at,
            "MsgType": "text",
            "Content": self.0,
        });
        reply.to_string()
    }
}

/// The text of a passive text reply. For the simulator and for tests.
pub fn read_text_reply(plaintext: &str) -> Option<String> {
    let fields = super::fields::Fields::parse(plaintext).ok()?;
    (fields.text("MsgType")? == "text").then(|| fields.raw_text("Content"))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let reply = TextReply::fit("长".repeat(1000));
        assert_eq!(reply.as_str().len(), 2046);
        assert!(reply.as_str().chars().all(|character| character == '长'));
    }

    proptest! {
        #[test]
        fn any_text_stays_inside_its_field(text in "\\PC{0,300}", user in "[a-z]{1,10}") {
            for format in [WireFormat::Xml, WireFormat::Json] {
                let plaintext = TextReply::fit(&text).to_plaintext(format, &user, "ww1", 1);
                prop_assert_eq!(read_text_reply(&plaintext), Some(TextReply::fit(&text).0));
            }
        }
    }
}
