//! What is done with fuzzed input, and what must hold of it. The test suite runs the same over the inputs in `corpus/`.
//!
//! Everything takes any bytes. A panic is a finding; so is an assertion.

mod answer;
mod diagnosis;
mod matcher_cache;
mod source;
mod workshop;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use jiefeng::channels::app::{heard, reply_text};
use jiefeng::channels::kf::fetched;
use jiefeng::config::Environment;
use jiefeng::dialogue::{Action, Assistant, Event, Reply, Session};
use jiefeng::knowledge::{Catalogue, KnowledgeFile, KnowledgeFiles, Texts};
use jiefeng::learning::{MatcherFiles, load_assistant};
use jiefeng::protocol::kf::KfItem;
use jiefeng::protocol::{
    CallbackToken, Credentials, EncodingAesKey, Envelope, Fresh, IncomingMessage, Nonce, Seconds, SignedQuery,
    TextReply, VerificationQuery, WireFormat, is_echo, open_reply, read_text_reply, seal_reply,
};
use serde_json::Value;

pub use answer::answer;
pub use diagnosis::diagnosis;
pub use matcher_cache::matcher_cache;
pub use source::source;
pub use workshop::{list, notice};

/// A name and what is done with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target by its name, which is that of its folder in `corpus/`.
pub const TARGETS: [Target; 16] = [
    ("query", query),
    ("envelope", envelope),
    ("ciphertext", ciphertext),
    ("inner_xml", inner_xml),
    ("inner_json", inner_json),
    ("kf_item", kf_item),
    ("reply", reply),
    ("knowledge", knowledge),
    ("config", config),
    ("dialogue", dialogue),
    ("diagnosis", diagnosis),
    ("source", source),
    ("answer", answer),
    ("matcher_cache", matcher_cache),
    ("list", list),
    ("notice", notice),
];

const TOKEN: &str = "FuzzToken";
const KEY: &str = "FuzzKeyabcdefghijklmnopqrstuvwxyz0123456788";
const RECEIVE_ID: &str = "ww0123456789abcdef";

/// So many bytes of body are read at most.
const LARGEST_BODY: usize = 256 * 1024;

fn credentials() -> &'static Credentials {
    static CREDENTIALS: OnceLock<Credentials> = OnceLock::new();
    CREDENTIALS.get_or_init(|| {
        let token = CallbackToken::parse(TOKEN).expect("a Token");
        let key = EncodingAesKey::parse(KEY).expect("a key");
        Credentials::new(token, key, RECEIVE_ID)
    })
}

/// A text, where the bytes are one. What is no UTF-8 is refused before anything else looks at it.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// The query of a callback. What is accepted has its form, and reads the same when it is written out again.
pub fn query(data: &[u8]) {
    let Some(raw) = text(data) else { return };
    if let Ok(query) = SignedQuery::parse(raw) {
        check_signed(&query);
    }
    if let Ok(query) = VerificationQuery::parse(raw) {
        check_signed(&query.signed);
        assert!((1..=4096).contains(&query.echo.len()) && !query.echo.contains(' '));
        let _ = is_echo(&query.echo);
        let _ = credentials().decrypt(&query.echo);
    }
}

fn check_signed(query: &SignedQuery) {
    let (signature, timestamp, nonce) = (&query.signature, &query.timestamp, &query.nonce);
    assert_eq!(timestamp.as_str(), format!("{:010}", timestamp.value()));
    assert!((1..=64).contains(&nonce.as_str().len()) && nonce.as_str().is_ascii());
    let again = format!(
        "msg_signature={}&timestamp={}&nonce={}",
        signature.as_str(),
        timestamp.as_str(),
        nonce.as_str()
    );
    let again = SignedQuery::parse(&again).expect("what was accepted is accepted again");
    assert!(again.signature.matches(signature) && again.nonce == *nonce && again.timestamp == *timestamp);
    let expected = credentials().signature(timestamp, nonce, "ciphertext");
    assert!(!signature.matches(&expected), "forged");
    let _ = timestamp.is_within(300, i64::MAX);
    let _ = timestamp.is_within(300, i64::MIN);
}

/// The body of a callback, and of a reply. What is accepted holds its ciphertext, and JSON holds it once.
pub fn envelope(data: &[u8]) {
    let Some(body) = text(data).filter(|body| body.len() <= LARGEST_BODY) else {
        return;
    };
    if let Ok(envelope) = Envelope::parse(body) {
        match envelope.format {
            WireFormat::Json => {
                let value: Value = serde_json::from_str(body).expect("JSON was accepted");
                let encrypt = &value["encrypt"];
                assert_eq!(encrypt.as_str().unwrap_or(&encrypt.to_string()), envelope.encrypted);
            }
            WireFormat::Xml => assert!(body.contains("<Encrypt"), "a ciphertext out of nothing"),
        }
        let _ = credentials().decrypt(&envelope.encrypted);
    }
    assert!(open_reply(credentials(), body).is_err(), "a forged reply");
}

/// A ciphertext: as text where the first byte is `t`, else what stands behind it is what was encrypted, with whatever form.
pub fn ciphertext(data: &[u8]) {
    match data.split_first() {
        Some((b't', rest)) => {
            if let Some(text) = text(rest) {
                assert!(credentials().decrypt(text).is_err(), "forged");
            }
        }
        Some((_, rest)) => opened(rest),
        None => {}
    }
}

/// What decrypts must say of itself how long it is and for whom.
fn opened(plain: &[u8]) {
    let mut blocks = plain.to_vec();
    blocks.truncate(plain.len() / 16 * 16);
    if let Ok(message) = credentials().decrypt(&encrypted(&mut blocks)) {
        let length = plain[16..20]
            .iter()
            .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        assert_eq!(length, message.len());
        let rest = &plain[20 + length..plain.len() / 16 * 16];
        let padding = rest.strip_prefix(RECEIVE_ID.as_bytes()).expect("for another company");
        assert!((1..=32).contains(&padding.len()) && padding.iter().all(|byte| usize::from(*byte) == padding.len()));
    }
}

/// AES-256-CBC as in callbacks, of whole blocks.
fn encrypted(blocks: &mut [u8]) -> String {
    let key: [u8; 32] = STANDARD
        .decode(format!("{KEY}="))
        .expect("the key is base64")
        .try_into()
        .expect("of 32 bytes");
    let vector: [u8; 16] = key[..16].try_into().expect("16 bytes");
    let length = blocks.len();
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &vector.into());
    let sealed = cipher
        .encrypt_padded::<NoPadding>(blocks, length)
        .expect("whole blocks");
    STANDARD.encode(sealed)
}

/// The decrypted message in XML.
pub fn inner_xml(data: &[u8]) {
    if let Some(plaintext) = text(data).filter(|text| !text.trim_start().starts_with('{')) {
        message(plaintext);
    }
}

/// The decrypted message in JSON.
pub fn inner_json(data: &[u8]) {
    if let Some(plaintext) = text(data).filter(|text| text.trim_start().starts_with('{')) {
        message(plaintext);
    }
}

/// A message has one key, whoever reads it.
fn message(plaintext: &str) {
    let Ok(message) = IncomingMessage::parse(plaintext) else {
        return;
    };
    let key = message.deduplication_key(plaintext);
    assert!(!key.as_str().is_empty());
    let again = IncomingMessage::parse(plaintext).expect("what was read is read again");
    assert_eq!(again.deduplication_key(plaintext), key);
    let _ = heard(&message.content, texts());
    let _ = format!("{message:?}");
}

fn texts() -> &'static Texts {
    &assistant().catalogue.texts
}

/// One item of a fetched page. Whatever it is, there is something to keep, under a key.
pub fn kf_item(data: &[u8]) {
    let Ok(raw) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let item = KfItem::read(&raw);
    let _ = format!("{item:?}");
    let kept = fetched(&raw, item, |_| "of its content".to_owned());
    assert!(!kept.key.is_empty(), "without a key it could not be told apart");
}

/// A reply says to WeCom what was to be said, whatever that is. The first line is who asked.
pub fn reply(data: &[u8]) {
    let Some((user, said)) = text(data).and_then(|text| text.split_once('\n')) else {
        return;
    };
    let reply = TextReply::fit(said);
    assert!(reply.as_str().len() <= 2048 && said.starts_with(reply.as_str()));
    let fresh = Fresh {
        random_prefix: [7; 16],
        nonce: Nonce::parse("1").expect("a nonce"),
        timestamp: Seconds::from_unix(1_764_000_000).expect("ten digits"),
    };
    for format in [WireFormat::Xml, WireFormat::Json] {
        let plaintext = reply.to_plaintext(format, user, RECEIVE_ID, 1_764_000_000);
        let body = seal_reply(credentials(), format, &plaintext, &fresh);
        let opened = open_reply(credentials(), &body).expect("our own reply");
        assert_eq!(opened, plaintext);
        let read = read_text_reply(&opened).expect("a text");
        match format {
            WireFormat::Json => assert_eq!(read, reply.as_str()),
            WireFormat::Xml => assert_eq!(read, as_in_xml(reply.as_str())),
        }
    }
}

/// XML holds few control characters, and one kind of line end.
fn as_in_xml(text: &str) -> String {
    let holds = |character: &char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let held: String = text.chars().filter(holds).collect();
    held.replace("\r\n", "\n").replace('\r', "\n")
}

/// A file of the knowledge directory; the first line is its path. Every problem is in a file that there is.
pub fn knowledge(data: &[u8]) {
    let Some((path, content)) = text(data).and_then(|text| text.split_once('\n')) else {
        return;
    };
    let file = KnowledgeFile {
        path: path.to_owned(),
        text: content.to_owned(),
    };
    let files = KnowledgeFiles {
        files: vec![file],
        problems: Vec::new(),
    };
    let (_, report) = Catalogue::read(&files);
    for problem in report.into_problems() {
        let is_in_it = problem
            .line
            .is_none_or(|line| line >= 1 && line <= content.lines().count().max(1) + 1);
        assert!(is_in_it || problem.file != path, "{problem}");
    }
}

/// A configuration. It is good, or there is something to say.
pub fn config(data: &[u8]) {
    let Some(content) = text(data) else { return };
    match jiefeng::config::read("fuzz.toml", content, &Environment::default()) {
        Ok(settings) => assert!(!settings.apps.is_empty()),
        Err(error) => assert!(error.to_string().lines().count() > 1, "{error}"),
    }
}

/// A stored session in the first line, a followed appeal in the second, and what is said next in the others. A step ends in a session
/// that is stored and read again.
pub fn dialogue(data: &[u8]) {
    let mut lines = text(data).unwrap_or_default().splitn(3, '\n');
    let (Some(stored), Some(appeal), Some(said)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let mut session: Session = serde_json::from_str(stored).unwrap_or_default();
    session.appeal = serde_json::from_str(appeal).ok();
    let now = "2026-11-22T10:00:00+08:00".parse().expect("a time");
    let events = [
        Event::Text(said.to_owned()),
        Event::Tapped {
            id: said.to_owned(),
            label: said.to_owned(),
        },
    ];
    for event in events {
        let (next, actions) = assistant().step(session.clone(), &event, now);
        let written = serde_json::to_string(&next).expect("a session");
        let mut read: Session = serde_json::from_str(&written).expect("the session as it was written");
        read.appeal.clone_from(&next.appeal);
        assert_eq!(read, next);
        let is_reply = |action| match action {
            Action::Reply(reply) => Some(reply),
            _ => None,
        };
        let replies: Vec<Reply> = actions.into_iter().filter_map(is_reply).collect();
        let _ = reply_text(assistant(), &next, &replies, now);
    }
}

/// The bot with its own knowledge; trained once and then cached.
fn assistant() -> &'static Assistant {
    static ASSISTANT: OnceLock<Assistant> = OnceLock::new();
    ASSISTANT.get_or_init(|| {
        let cache = MatcherFiles::new(Some(cache()));
        load_assistant(&repository().join("knowledge"), &cache).unwrap_or_else(|_| panic!("the knowledge is broken"))
    })
}

/// This file is part of two packages.
fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    match package.ends_with("fuzz") {
        true => package.join(".."),
        false => package.to_owned(),
    }
}

fn cache() -> PathBuf {
    let folder = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    folder.join("cache").join("jiefeng")
}
