//! The outer envelope of a callback and of a reply, in XML or JSON (doc/90930, doc/90241; JSON by doc/96466).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::crypto::{Credentials, DecryptError, Fresh, Signature};
use super::query::{Nonce, Seconds, percent_encoded};
use super::xml::{Element, XmlError, read_xml, write_text, write_verbatim};

/// How the other side writes; the reply is written the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    /// The default.
    Xml,
    /// What some apps can be switched to.
    Json,
}

/// What comes around a ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// XML or JSON.
    pub format: WireFormat,
    /// The ciphertext, base64. Everything else in the envelope is unsigned and therefore ignored.
    pub encrypted: Cow<'a, str>,
}

/// Why a body is no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not XML as WeCom writes it.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// Not JSON as WeCom writes it.
    #[error("not the JSON of an envelope")]
    Json,
    /// Neither XML nor JSON.
    #[error("body is neither XML nor JSON")]
    UnknownFormat,
    /// Something else than the one `xml` element, or text beside its elements.
    #[error("envelope is not one element `xml` of elements")]
    Root,
    /// Something inside an element of the envelope.
    #[error("envelope is not flat")]
    NotFlat,
    /// No ciphertext.
    #[error("Encrypt is missing")]
    Missing,
    /// A name that occurs more than once, also in other letters' case: which of them counts would be a guess.
    #[error("an element of the envelope occurs more than once")]
    Repeated,
}

impl<'a> Envelope<'a> {
    /// Takes the one ciphertext out of a body.
    ///
    /// # Errors
    ///
    /// What makes it no envelope.
    pub fn parse(body: &'a str) -> Result<Self, EnvelopeError> {
        let (format, outer) = Outer::parse(body)?;
        let name = match format {
            WireFormat::Xml => "Encrypt",
            WireFormat::Json => "encrypt",
        };
        let encrypted = outer.field(name).cloned().ok_or(EnvelopeError::Missing)?;
        Ok(Self { format, encrypted })
    }
}

/// The fields of an envelope: each name once, each with a text.
struct Outer<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Outer<'a> {
    fn parse(body: &'a str) -> Result<(WireFormat, Self), EnvelopeError> {
        match body.trim_start().chars().next() {
            Some('<') => Ok((WireFormat::Xml, Self::of_xml(read_xml(body)?)?)),
            Some('{') => Ok((WireFormat::Json, Self::of_json(body)?)),
            _ => Err(EnvelopeError::UnknownFormat),
        }
    }

    fn of_xml(root: Element<'a>) -> Result<Self, EnvelopeError> {
        if root.name != "xml" || !root.text.trim().is_empty() {
            return Err(EnvelopeError::Root);
        }
        if root.children.iter().any(|child| !child.children.is_empty()) {
            return Err(EnvelopeError::NotFlat);
        }
        let fields = root.children.into_iter().map(|child| (child.name, trimmed(child.text)));
        Self::of_fields(fields.collect())
    }

    fn of_json(body: &str) -> Result<Self, EnvelopeError> {
        let Entries(entries) = serde_json::from_str(body).map_err(|_| EnvelopeError::Json)?;
        let fields = entries.into_iter().map(|(name, value)| match value {
            Value::Array(_) | Value::Object(_) => Err(EnvelopeError::NotFlat),
            Value::String(text) => Ok((name.into(), text.into())),
            // The number of the app may be one.
            other => Ok((name.into(), other.to_string().into())),
        });
        Self::of_fields(fields.collect::<Result<_, _>>()?)
    }

    fn of_fields(mut fields: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Result<Self, EnvelopeError> {
        fields.sort_unstable_by(|(one, _), (other, _)| in_small_letters(one).cmp(in_small_letters(other)));
        match fields.is_sorted_by(|(one, _), (next, _)| !one.eq_ignore_ascii_case(next)) {
            true => Ok(Self(fields)),
            false => Err(EnvelopeError::Repeated),
        }
    }

    fn field(&self, name: &str) -> Option<&Cow<'a, str>> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, text)| text)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.field(name).map(|text| &**text)
    }
}

fn in_small_letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// A JSON object with every entry it was written with; serde's own map would keep the last of those with the same name.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

/// More than what stands around the ciphertext of a reply, and what is encrypted beside the plaintext.
const ROOM_AROUND_CIPHERTEXT: usize = 512;

/// Encrypts and signs a passive reply.
pub fn seal_reply(credentials: &Credentials, format: WireFormat, plaintext: &str, fresh: &Fresh) -> String {
    match format {
        WireFormat::Xml => xml_reply(credentials, plaintext, fresh),
        WireFormat::Json => {
            let mut encrypted = String::new();
            let signature = credentials.seal_behind(&mut encrypted, plaintext, fresh);
            json_reply(&encrypted, &signature, fresh)
        }
    }
}

fn xml_reply(credentials: &Credentials, plaintext: &str, fresh: &Fresh) -> String {
    // Base64 takes four characters for three bytes, and the rest is less than what is left.
    let mut out = String::with_capacity((plaintext.len().saturating_mul(4) / 3).saturating_add(ROOM_AROUND_CIPHERTEXT));
    out.push_str("<xml><Encrypt><![CDATA[");
    let signature = credentials.seal_behind(&mut out, plaintext, fresh);
    out.push_str("]]></Encrypt>");
    write_verbatim(&mut out, "MsgSignature", signature.as_str());
    out.extend(["<TimeStamp>", fresh.timestamp.as_str(), "</TimeStamp>"]);
    write_verbatim(&mut out, "Nonce", fresh.nonce.as_str());
    out.push_str("</xml>");
    out
}

fn json_reply(encrypted: &str, signature: &Signature, fresh: &Fresh) -> String {
    let reply = serde_json::json!({
        "encrypt": encrypted,
        "msgsignature": signature.as_str(),
        "timestamp": fresh.timestamp.value(),
        "nonce": fresh.nonce.as_str(),
    });
    reply.to_string()
}

/// A callback as WeCom sends it: query and body. For the simulator and for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedCallback {
    /// The query, percent-encoded, without `?`.
    pub query: String,
    /// The body; empty for a URL verification.
    pub body: String,
}

/// Encrypts and signs a message as WeCom does.
pub fn seal_callback(
    credentials: &Credentials,
    format: WireFormat,
    message: &str,
    agent_id: &str,
    fresh: &Fresh,
) -> SealedCallback {
    let encrypted = credentials.encrypt(message, fresh.random_prefix);
    let query = signed_query(credentials, &encrypted, fresh);
    let body = match format {
        WireFormat::Xml => xml_callback(credentials.receive_id(), agent_id, &encrypted),
        WireFormat::Json => {
            serde_json::json!({"tousername": credentials.receive_id(), "encrypt": encrypted, "agentid": agent_id})
                .to_string()
        }
    };
    SealedCallback { query, body }
}

/// The query of a URL verification as WeCom sends it.
pub fn seal_verification(credentials: &Credentials, echo: &str, fresh: &Fresh) -> SealedCallback {
    let encrypted = credentials.encrypt(echo, fresh.random_prefix);
    let query = format!(
        "{}&echostr={}",
        signed_query(credentials, &encrypted, fresh),
        percent_encoded(&encrypted)
    );
    SealedCallback {
        query,
        body: String::new(),
    }
}

fn signed_query(credentials: &Credentials, encrypted: &str, fresh: &Fresh) -> String {
    let signature = credentials.signature(&fresh.timestamp, &fresh.nonce, encrypted);
    let (signature, timestamp, nonce) = (signature.as_str(), fresh.timestamp.as_str(), fresh.nonce.as_str());
    format!("msg_signature={signature}&timestamp={timestamp}&nonce={nonce}")
}

fn xml_callback(to: &str, agent_id: &str, encrypted: &str) -> String {
    let mut out = String::from("<xml>");
    write_text(&mut out, "ToUserName", to);
    write_text(&mut out, "Encrypt", encrypted);
    write_text(&mut out, "AgentID", agent_id);
    out.push_str("</xml>");
    out
}

/// Why a reply is not one that WeCom would accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The envelope.
    #[error("reply has no proper envelope: {0}")]
    Envelope(#[from] EnvelopeError),
    /// One of the fields beside the ciphertext.
    #[error("reply has no proper {0}")]
    Field(&'static str),
    /// The signature.
    #[error("reply is not signed with this Token")]
    Signature,
    /// The encryption.
    #[error("reply cannot be decrypted: {0}")]
    Decrypt(#[from] DecryptError),
}

/// Verifies and decrypts a reply as WeCom does. For the simulator and for tests.
///
/// # Errors
///
/// Why WeCom would drop it.
pub fn open_reply(credentials: &Credentials, body: &str) -> Result<String, ReplyError> {
    let (format, outer) = Outer::parse(body)?;
    let [encrypted, signature, timestamp, nonce] = match format {
        WireFormat::Xml => ["Encrypt", "MsgSignature", "TimeStamp", "Nonce"],
        WireFormat::Json => ["encrypt", "msgsignature", "timestamp", "nonce"],
    };
    let encrypted = outer.text(encrypted).ok_or(EnvelopeError::Missing)?;
    let timestamp = outer.text(timestamp).and_then(Seconds::parse);
    let timestamp = timestamp.ok_or(ReplyError::Field("TimeStamp"))?;
    let nonce = outer.text(nonce).and_then(Nonce::parse);
    let nonce = nonce.ok_or(ReplyError::Field("Nonce"))?;
    let signature = outer.text(signature).and_then(Signature::parse);
    let signature = signature.ok_or(ReplyError::Field("MsgSignature"))?;
    let expected = credentials.signature(&timestamp, &nonce, encrypted);
    if !signature.matches(&expected) {
        return Err(ReplyError::Signature);
    }
    Ok(credentials.decrypt(encrypted)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_refused(body: &str, expected: EnvelopeError) {
        assert_eq!(Envelope::parse(body).unwrap_err(), expected, "{body}");
    }

    #[test]
    fn both_formats_are_read() {
        let xml = "<xml><AgentID><![CDATA[1]]></AgentID>\n<Encrypt><![CDATA[abc=]]></Encrypt></xml>";
        assert_eq!(
            Envelope::parse(xml).unwrap(),
            Envelope {
                format: WireFormat::Xml,
                encrypted: "abc=".into()
            }
        );
        let json = "{\"tousername\":\"ww\",\"encrypt\":\"abc=\",\"agentid\":\"1\"}";
        assert_eq!(
            Envelope::parse(json).unwrap(),
            Envelope {
                format: WireFormat::Json,
                encrypted: "abc=".into()
            }
        );
    }

    #[test]
    fn an_ambiguous_or_nested_envelope_is_refused() {
        check_refused(
            "<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
            EnvelopeError::Repeated,
        );
        check_refused("<xml><A><Encrypt>a</Encrypt></A></xml>", EnvelopeError::NotFlat);
        check_refused("<xml><encrypt>a</encrypt></xml>", EnvelopeError::Missing);
        check_refused("{\"encrypt\":{\"encrypt\":\"a\"}}", EnvelopeError::NotFlat);
        check_refused("{\"encrypt\":\"a\",\"agentid\":[1]}", EnvelopeError::NotFlat);
        check_refused("{\"encrypt\":\"a\"} x", EnvelopeError::Json);
        check_refused("encrypt=a", EnvelopeError::UnknownFormat);
        check_refused("", EnvelopeError::UnknownFormat);
    }

    #[test]
    fn a_name_may_occur_once_however_it_is_written() {
        for body in [
            "<xml><ToUserName>a</ToUserName><Encrypt>a</Encrypt><ToUserName>b</ToUserName></xml>",
            "<xml><encrypt>a</encrypt><Encrypt>b</Encrypt></xml>",
            "{\"encrypt\":\"a\",\"encrypt\":\"b\"}",
            "{\"encrypt\":\"a\",\"Encrypt\":\"b\"}",
            "{\"agentid\":1,\"encrypt\":\"a\",\"agentid\":2}",
        ] {
            check_refused(body, EnvelopeError::Repeated);
        }
    }

    #[test]
    fn the_root_is_xml_and_holds_nothing_but_elements() {
        check_refused("<root><Encrypt>a</Encrypt></root>", EnvelopeError::Root);
        check_refused("<xml>a<Encrypt>a</Encrypt></xml>", EnvelopeError::Root);
        check_refused("<xml><Encrypt>a</Encrypt><![CDATA[a]]></xml>", EnvelopeError::Root);
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(body in any::<String>()) {
            let _ = Envelope::parse(&body);
        }
    }
}
