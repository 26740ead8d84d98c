//! What is not from WeCom, from outside: forged, mutated, slow and oversized requests.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiefeng::protocol::{Credentials, Envelope, Fresh, WireFormat, seal_callback};
use tempfile::TempDir;

use crate::server::{CORP_ID, KEY, Server, TOKEN, credentials, credentials_of, fresh, message, now, text_message};

#[test]
fn whatever_is_not_genuine_gets_one_constant_refusal() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let plaintext = text_message("LiXiaoyu", 1, "加好友太频繁");
    let sealed = |credentials: &Credentials, timestamp: i64| {
        seal_callback(
            credentials,
            WireFormat::Xml,
            &plaintext,
            "1000002",
            &fresh(1, timestamp),
        )
    };
    let other_key = "OtherKeyabcdefghijklmnopqrstuvwxyz012345678";
    let forged = [
        ("signature", sealed(&credentials_of("OtherToken", KEY, CORP_ID), now())),
        ("decryption", sealed(&credentials_of(TOKEN, other_key, CORP_ID), now())),
        ("receive_id", sealed(&credentials_of(TOKEN, KEY, "ww_another"), now())),
        ("timestamp", sealed(&credentials(), now() - 400)),
        ("timestamp", sealed(&credentials(), now() + 400)),
    ];
    for (reason, callback) in forged {
        let response = server.post(&callback.query, &callback.body);
        assert_eq!(
            (response.status, response.body.as_str()),
            (403, "Forbidden"),
            "{reason}"
        );
        server.assert_logs(&format!("reason=\"{reason}\""));
        let verification = server.get(&format!("/callback/support?{}&echostr=abcd", callback.query));
        assert_eq!(
            (verification.status, verification.body.as_str()),
            (403, "Forbidden"),
            "{reason}"
        );
    }
    assert_eq!(server.metric("answered"), 0);
}

#[test]
fn a_captured_message_or_reply_is_not_decrypted_for_whoever_sends_it_as_an_echostr() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let as_verification = |query: &str, ciphertext: &str| {
        let response = server.get(&format!("/callback/support?{query}&echostr={ciphertext}"));
        (response.status, response.body)
    };
    let refused = (403, "Forbidden".to_owned());
    let messages = [
        (WireFormat::Xml, text_message("LiXiaoyu", 1, "加好友太频繁")),
        (WireFormat::Json, "{\"MsgType\":\"text\"}".to_owned()),
        (WireFormat::Xml, "9".repeat(129)),
    ];
    for (number, (format, plaintext)) in (1..).zip(messages) {
        let sealed = seal_callback(&credentials(), format, &plaintext, "1000002", &fresh(number, now()));
        let ciphertext = Envelope::parse(&sealed.body).unwrap().encrypted;
        assert_eq!(as_verification(&sealed.query, &ciphertext), refused, "{plaintext}");
    }
    let message = text_message("LiXiaoyu", 9, "你好");
    let reply = server.deliver(WireFormat::Xml, &message, 9).body;
    let field = |name: &str| {
        let rest = reply.split(&format!("<{name}>")).nth(1).unwrap();
        let text = rest.split("</").next().unwrap();
        text.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
    };
    let (signature, timestamp, nonce) = (field("MsgSignature"), field("TimeStamp"), field("Nonce"));
    let query = format!("msg_signature={signature}&timestamp={timestamp}&nonce={nonce}");
    assert_eq!(as_verification(&query, &field("Encrypt")), refused);
    server.assert_logs("reason=\"echo\"");
    assert!(!server.log().contains("reason=\"signature\""), "{}", server.log());
    assert_eq!(server.metric("verified"), 0);
}

#[test]
fn what_is_no_callback_is_refused_before_any_cryptography() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let genuine = seal_callback(
        &credentials(),
        WireFormat::Xml,
        &text_message("Li", 1, "x"),
        "1000002",
        &fresh(1, now()),
    );
    let (query, body) = (genuine.query.as_str(), genuine.body.as_str());
    let doctype = format!("<!DOCTYPE xml [<!ENTITY a \"b\">]>{body}");
    let doubled = body.replace("<Encrypt>", "<Encrypt>x</Encrypt><Encrypt>");
    let long = format!("<xml><Encrypt>{}</Encrypt></xml>", "A".repeat(256 * 1024));
    assert_eq!(server.post(query, &doctype).status, 400);
    assert_eq!(server.post(query, &doubled).status, 400);
    assert_eq!(server.post(query, "").status, 400);
    assert_eq!(server.post(&format!("{query}&nonce=2"), body).status, 400);
    assert_eq!(server.post("", body).status, 400);
    assert_eq!(server.post(query, &long).status, 413);
    assert_eq!(server.post_with(query, body, "Content-Encoding: gzip\r\n").status, 415);
    assert_eq!(server.post(query, &format!("{body}x")).status, 400);
    assert_eq!(server.post(query, &body.replace("xml>", "root>")).status, 400);
    let refused = server.metric("refused");
    assert_eq!(refused, 9);
    assert_eq!(server.get("/").status, 404);
    assert_eq!(server.metric("refused"), refused, "not a callback path");
    assert_eq!(server.get("/callback/unknown?x=1").status, 404);
    assert_eq!(server.get("/callback/support/?x=1").status, 404);
    assert_eq!(server.get("/callback/").status, 404);
    server.assert_logs("name=\"/support/\"");
    assert_eq!(
        server
            .raw(b"DELETE /callback/support HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .status,
        405
    );
    server.assert_logs("method=\"DELETE\"");
    assert_eq!(server.metric("refused"), refused + 4);
    assert_eq!(server.post(query, body).status, 200, "the genuine one must still pass");
}

#[test]
fn a_body_that_does_not_arrive_in_time_is_refused() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let started = Instant::now();
    let request =
        "POST /callback/support?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n\r\n<xml>";
    assert_eq!(server.raw(request.as_bytes()).status, 408);
    assert!(started.elapsed() >= Duration::from_secs(5));
}

/// A small generator, so that a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// Pieces that a parser could stumble over.
const NASTY: [&[u8]; 16] = [
    b"\0",
    b"\r\n",
    b" ",
    b"%",
    b"%00",
    b"&",
    b"=",
    b"]]>",
    b"<!--",
    b"<?xml?>",
    b"<Encrypt>",
    b"</xml>",
    b"\"",
    b"\xff",
    b"\xe4\xbd",
    b"\xc0\xaf",
];

/// Changes one place of these bytes, to anything, broken UTF-8 included.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let any = u8::try_from(random.below(256)).unwrap();
    // Earlier changes may have left nothing.
    if bytes.is_empty() {
        bytes.push(any);
        return;
    }
    let place = random.below(bytes.len());
    match random.below(6) {
        0 => drop(bytes.remove(place)),
        1 => bytes.insert(place, any),
        2 => {
            let other = random.below(bytes.len());
            bytes.swap(place, other);
        }
        3 => drop(bytes.splice(place..place, NASTY[random.below(NASTY.len())].iter().copied())),
        4 => bytes.truncate(place.max(1)),
        _ => bytes[place] = any,
    }
}

fn contains(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

/// A genuine callback: query and body, and what the signature covers of each.
struct Genuine {
    query: String,
    body: String,
    signed: Vec<String>,
    ciphertext: String,
}

impl Genuine {
    fn new(number: u64, format: WireFormat) -> Self {
        let plaintext = text_message("LiXiaoyu", number, "加好友太频繁，加不了人了");
        let sealed = seal_callback(&credentials(), format, &plaintext, "1000002", &fresh(number, now()));
        let values = sealed.query.split('&').map(|pair| pair.split_once('=').unwrap().1);
        let signed = values.map(str::to_owned).collect();
        let ciphertext = Envelope::parse(&sealed.body).unwrap().encrypted.into_owned();
        Self {
            query: sealed.query,
            body: sealed.body,
            signed,
            ciphertext,
        }
    }

    /// Whether everything that is signed is still there, in which case the rest may have been changed without being noticed.
    fn is_in(&self, query: &[u8], body: &[u8]) -> bool {
        self.signed.iter().all(|value| contains(query, value)) && contains(body, &self.ciphertext)
    }
}

/// Sends a callback with 1 to 4 changes to its query, its body or both. Whether it was accepted; whether it may be is asserted.
fn send_mutated(server: &Server, genuine: &Genuine, random: &mut Random) -> bool {
    let (mut query, mut body) = (genuine.query.clone().into_bytes(), genuine.body.clone().into_bytes());
    for _ in 0..=random.below(4) {
        match random.below(2) {
            0 => mutate(&mut query, random),
            _ => mutate(&mut body, random),
        }
    }
    let mut request = b"POST /callback/support?".to_vec();
    request.extend_from_slice(&query);
    let headers = format!(
        " HTTP/1.1\r\nHost: bot.example.com\r\nConnection: close\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    request.extend_from_slice(headers.as_bytes());
    request.extend_from_slice(&body);
    let status = server.raw(&request).status;
    let shown = String::from_utf8_lossy(&request);
    assert!(status == 200 || (400..500).contains(&status), "{status} for {shown}");
    assert!(status != 200 || genuine.is_in(&query, &body), "accepted: {shown}");
    status == 200
}

#[test]
fn of_10_000_mutated_callbacks_none_is_accepted_whose_signed_part_changed_and_none_is_a_server_error() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let seed = crate::long::seed() | 1;
    // Threads and caches have their memory after the first requests.
    let mut accepted = send_many_mutated(&server, seed, 500);
    let before = server.memory_bytes();
    accepted += send_many_mutated(&server, seed.wrapping_add(1), 10_000);
    let grown = server.memory_bytes().saturating_sub(before);
    assert!(grown <= 16 << 20, "{grown} bytes more");
    assert_eq!(server.metric("answered") + server.metric("repeated"), accepted);
    assert_eq!(
        server.metric("failed") + server.metric("unreadable") + server.metric("unknown"),
        0
    );
    assert_eq!(server.get("/healthz").body, "ok\n");
    server.says("LiXiaoyu", 20_000, "加好友太频繁");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// How many were accepted.
fn send_many_mutated(server: &Server, seed: u64, count: u64) -> u64 {
    let threads = 4;
    let accepted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let accepted = &accepted;
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_mul(thread + 1) | 1);
                for number in 0..count / threads {
                    let format = [WireFormat::Xml, WireFormat::Json][random.below(2)];
                    if send_mutated(server, &Genuine::new(number, format), &mut random) {
                        accepted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    accepted.into_inner()
}

/// A ciphertext that is signed as by somebody who has the Token, whatever it is.
fn signed(ciphertext: &str, timestamp: i64) -> String {
    let Fresh { nonce, timestamp, .. } = fresh(1, timestamp);
    let signature = credentials().signature(&timestamp, &nonce, ciphertext);
    let (signature, timestamp, nonce) = (signature.as_str(), timestamp.as_str(), nonce.as_str());
    format!("msg_signature={signature}&timestamp={timestamp}&nonce={nonce}")
}

#[test]
fn every_cryptographic_failure_looks_the_same_to_the_byte() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let message = text_message("LiXiaoyu", 1, "加好友太频繁");
    let genuine = credentials().encrypt(&message, [7; 16]);
    let encrypted = |key: &str, corp_id: &str| credentials_of(TOKEN, key, corp_id).encrypt(&message, [7; 16]);
    let other_key = "OtherKeyabcdefghijklmnopqrstuvwxyz012345678";
    let cut = |length: usize| genuine.get(..length).unwrap().to_owned();
    let changed = |place: usize| {
        let mut characters = genuine.clone().into_bytes();
        characters[place] = if characters[place] == b'A' { b'B' } else { b'A' };
        String::from_utf8(characters).unwrap()
    };
    let ciphertexts = [
        encrypted(other_key, CORP_ID),
        encrypted(KEY, "ww_another"),
        encrypted(KEY, ""),
        cut(64),
        cut(genuine.len() - 64),
        cut(63),
        "QUJDREVGR0hJSktMTU5PUB==".to_owned(),
        "QUJDREVGR0hJSktMTU5PUA==".to_owned(),
        "====".to_owned(),
        "不是密文".to_owned(),
        changed(0),
        changed(24),
        changed(genuine.len() / 2),
        changed(genuine.len() - 20),
    ];
    let requests = ciphertexts
        .iter()
        .map(|ciphertext| (signed(ciphertext, now()), ciphertext));
    let others = [
        (signed("another ciphertext", now()), &genuine),
        (signed(&genuine, now() - 400), &genuine),
        (signed(&genuine, now() + 400), &genuine),
        (signed(&genuine, 1_000_000_000), &genuine),
    ];
    let mut answers = BTreeSet::new();
    for (query, ciphertext) in requests.chain(others) {
        let body = format!("<xml><Encrypt><![CDATA[{ciphertext}]]></Encrypt></xml>");
        let json = serde_json::json!({ "encrypt": ciphertext }).to_string();
        let echo = ciphertext.replace('+', "%2B").replace("不是密文", "%E4%B8%8D%E6%98%AF");
        let echo = format!("/callback/support?{query}&echostr={echo}");
        for response in [
            server.post(&query, &body),
            server.post(&query, &json),
            server.get(&echo),
        ] {
            let headers = response.headers.lines().filter(|line| !line.starts_with("date: "));
            answers.insert(format!("{}\n{}", headers.collect::<Vec<_>>().join("\n"), response.body));
        }
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(
        answers.iter().all(|answer| answer.starts_with("http/1.1 403")),
        "{answers:#?}"
    );
    for reason in ["signature", "timestamp", "decryption", "receive_id"] {
        server.assert_logs(&format!("reason=\"{reason}\""));
    }
}

#[test]
fn nothing_that_is_sent_makes_a_line_of_the_log() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let nasty = "a\r\n2026-11-22T00:00:00Z FORGED\u{1b}]0;x\u{7}\u{1b}[31m\u{85}\u{2028}\u{202e}b";
    let encoded: String = nasty.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for target in [
        format!("/callback/{encoded}"),
        format!("/callback/support/{encoded}"),
        format!("/callback/support?{encoded}={encoded}"),
        format!("/{encoded}"),
    ] {
        assert!((400..500).contains(&server.get(&target).status), "{target}");
    }
    for raw in [
        "GET /callback/\u{1b}[31mFORGED HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "FORGED\u{1b} /callback/support HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "FORGED /callback/support HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(),
        format!("GET /callback/x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: \u{1b}{encoded}\r\nConnection: close\r\n\r\n"),
        "GET /callback/x HTTP/1.1\r\nHost: x\r\nUser-Agent: \u{9b}31mFORGED\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        assert!((400..500).contains(&server.raw(raw.as_bytes()).status), "{raw}");
    }
    let in_xml = nasty.replace(['\u{1b}', '\u{7}'], "");
    let messages = [
        format!("<MsgType>{in_xml}</MsgType><MsgId>1</MsgId>"),
        format!("<MsgType>event</MsgType><Event>{in_xml}</Event>"),
        format!(
            "<MsgType>event</MsgType><Event>kf_msg_or_event</Event><Token>{in_xml}</Token><OpenKfId>{in_xml}</OpenKfId>"
        ),
        format!("<MsgType>event</MsgType><Event>change_contact</Event><ChangeType>{in_xml}</ChangeType>"),
        format!("<MsgType>text</MsgType><Content>{in_xml}</Content><MsgId>{in_xml}</MsgId>"),
    ];
    for (number, rest) in (1..).zip(messages) {
        server.deliver(WireFormat::Xml, &message("LiXiaoyu", &rest), number);
        server.deliver(WireFormat::Xml, &message(&in_xml, &rest), number);
    }
    let json = serde_json::json!({ "FromUserName": "LiXiaoyu", "CreateTime": 1, "MsgType": nasty, "AgentID": nasty });
    server.deliver(WireFormat::Json, &json.to_string(), 9);
    server.deliver(WireFormat::Json, nasty, 10);
    server.assert_logs("another agent_id");
    server.assert_logs("unreadable");
    for line in server.log().lines() {
        let is_ours = line.contains(" jiefeng::") && !line.starts_with("2026-11-22T00");
        assert!(is_ours && !line.chars().any(char::is_control), "{line:?}");
        assert!(!line.contains(['\u{2028}', '\u{202e}']), "{line:?}");
    }
}

#[test]
fn no_secret_and_no_word_of_a_user_is_in_the_log_at_any_level() {
    let folder = TempDir::new().unwrap();
    let server = Server::start_with(folder.path(), "", &[("RUST_LOG", "trace")]);
    server.says("canaryuser", 1, "canarytext 加好友太频繁");
    let forged = seal_callback(
        &credentials_of("OtherToken", KEY, CORP_ID),
        WireFormat::Xml,
        &text_message("canaryuser", 2, "canarytext"),
        "1000002",
        &fresh(2, now()),
    );
    server.post(&forged.query, &forged.body);
    server.deliver(WireFormat::Xml, "canarytext is no XML", 3);
    server.get("/callback/can%1Bary%0Aforged-line?canarytext");
    server.assert_logs("reason=\"signature\"");
    server.assert_logs("unreadable");
    server.assert_logs("names no configured app");
    let log = server.log();
    assert!(log.contains("message") && log.contains("refused"), "{log}");
    for secret in [TOKEN, KEY, "canarytext", "canaryuser"] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
    assert!(!log.lines().any(|line| line.starts_with("forged-line")), "{log}");
}
