//! The real server, from outside: genuine callbacks, forged ones, repeated ones, crashes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiefeng::protocol::{
    CallbackToken, Credentials, EncodingAesKey, Envelope, Fresh, Nonce, Seconds, WireFormat, open_reply,
    read_text_reply, seal_callback, seal_verification,
};
use tempfile::TempDir;

use crate::dialogues::{self, Line};
use crate::program::jiefeng;

const TOKEN: &str = "CanaryToken7Q";
const KEY: &str = "CanaryKeyabcdefghijklmnopqrstuvwxyz01234567";
const CORP_ID: &str = "ww0123456789abcdef";

fn credentials_of(token: &str, key: &str, corp_id: &str) -> Credentials {
    Credentials::new(
        CallbackToken::parse(token).unwrap(),
        EncodingAesKey::parse(key).unwrap(),
        corp_id,
    )
}

fn credentials() -> Credentials {
    credentials_of(TOKEN, KEY, CORP_ID)
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn fresh(number: u64, timestamp: i64) -> Fresh {
    let mut random_prefix = [7; 16];
    random_prefix[..8].copy_from_slice(&number.to_be_bytes());
    Fresh {
        random_prefix,
        nonce: Nonce::parse(&format!("nonce{number}")).unwrap(),
        timestamp: Seconds::from_unix(timestamp).unwrap(),
    }
}

/// A server process with its data in a folder that outlives it.
struct Server {
    process: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    fn start(folder: &Path) -> Self {
        Self::start_with(
            folder,
            "allow_sample_credentials = true",
            &[("JIEFENG_NOW", "2026-11-22T10:00:00+08:00")],
        )
    }

    fn start_with(folder: &Path, server_keys: &str, environment: &[(&str, &str)]) -> Self {
        let config = folder.join("jiefeng.toml");
        let database = folder.join("jiefeng.db");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n{server_keys}\n[storage]\nurl = \"sqlite://{}\"\n\
             [[apps]]\nname = \"support\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1000002\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n",
            database.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = jiefeng(&["serve", "--config", config.to_str().unwrap()]);
        command.env_remove("RUST_LOG").envs(environment.iter().copied());
        let mut process = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the server ended early:\n{}", log.lock().unwrap())
            };
            log.lock().unwrap().push_str(&format!("{line}\n"));
            if let Some(rest) = line.split("address=").nth(1) {
                break rest.split_whitespace().next().unwrap().parse().unwrap();
            }
        };
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self { process, address, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has this text: its lines arrive through a pipe, a little after the response.
    #[track_caller]
    fn assert_logs(&self, text: &str) {
        let patience = Instant::now() + Duration::from_secs(10);
        while !self.log().contains(text) {
            assert!(Instant::now() < patience, "`{text}` is not in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends raw bytes and returns what comes back until the server closes.
    fn raw(&self, request: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Response::parse(&bytes)
    }

    fn get(&self, target: &str) -> Response {
        self.raw(format!("GET {target} HTTP/1.1\r\nHost: bot.example.com\r\nConnection: close\r\n\r\n").as_bytes())
    }

    fn post(&self, query: &str, body: &str) -> Response {
        self.post_with(query, body, "")
    }

    fn post_with(&self, query: &str, body: &str, headers: &str) -> Response {
        self.raw(&post_request(query, body, headers))
    }

    /// Delivers a plaintext as WeCom does.
    fn deliver(&self, format: WireFormat, plaintext: &str, number: u64) -> Response {
        let sealed = seal_callback(&credentials(), format, plaintext, "1000002", &fresh(number, now()));
        self.post(&sealed.query, &sealed.body)
    }

    /// A member writes; the decrypted plaintext of the reply.
    fn says(&self, user: &str, message_id: u64, text: &str) -> String {
        let response = self.deliver(WireFormat::Xml, &text_message(user, message_id, text), message_id);
        assert_eq!(response.status, 200, "{}", response.body);
        open_reply(&credentials(), &response.body).unwrap()
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    fn metric(&self, fate: &str) -> u64 {
        let text = self.get("/metrics").body;
        let line = text
            .lines()
            .find(|line| line.contains(&format!("fate=\"{fate}\"")))
            .unwrap()
            .to_owned();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Debug)]
struct Response {
    status: u16,
    headers: String,
    body: String,
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (headers, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = headers
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_default();
        Self {
            status,
            headers: headers.to_lowercase(),
            body: body.to_owned(),
        }
    }
}

fn post_request(query: &str, body: &str, headers: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /callback/support?{query} HTTP/1.1\r\nHost: bot.example.com\r\nConnection: close\r\n\
         Content-Type: text/xml\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn text_message(user: &str, message_id: u64, text: &str) -> String {
    message(
        user,
        &format!("<MsgType>text</MsgType><Content><![CDATA[{text}]]></Content><MsgId>{message_id}</MsgId>"),
    )
}

fn message(user: &str, rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>1795312800</CreateTime>{rest}<AgentID>1000002</AgentID></xml>"
    )
}

fn text_of(plaintext: &str) -> String {
    read_text_reply(plaintext).unwrap()
}

#[test]
fn a_url_verification_is_answered_with_the_bare_plaintext() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let sealed = seal_verification(&credentials(), "1616140317555161061", &fresh(1, now()));
    let response = server.get(&format!("/callback/support?{}", sealed.query));
    assert_eq!((response.status, response.body.as_str()), (200, "1616140317555161061"));
    server.assert_logs("verified app=\"support\"");
}

#[test]
fn a_question_gets_the_right_answer_in_the_same_response() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let plaintext = server.says("LiXiaoyu", 1, "被投诉了群里发不了消息");
    let text = text_of(&plaintext);
    assert!(
        text.contains("若今天（11月22日 周日）提交，预计 11月25日（周三）至 12月1日（周二）有处理结果"),
        "{text}"
    );
    assert!(text.len() <= 2048);
    assert!(
        plaintext.contains("<ToUserName><![CDATA[LiXiaoyu]]></ToUserName>"),
        "{plaintext}"
    );
    assert!(
        plaintext.contains(&format!("<FromUserName><![CDATA[{CORP_ID}]]></FromUserName>")),
        "{plaintext}"
    );
}

#[test]
fn json_is_answered_in_json() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let plaintext = format!(
        "{{\"ToUserName\":\"{CORP_ID}\",\"FromUserName\":\"LiXiaoyu\",\"CreateTime\":1795312800,\"MsgType\":\"text\",\
         \"Content\":\"加好友太频繁，加不了人了\",\"MsgId\":77,\"AgentID\":1000002}}"
    );
    let response = server.deliver(WireFormat::Json, &plaintext, 77);
    assert!(
        response.headers.contains("content-type: application/json"),
        "{}",
        response.headers
    );
    let reply = open_reply(&credentials(), &response.body).unwrap();
    assert!(reply.starts_with('{') && text_of(&reply).contains("24 小时"), "{reply}");
}

#[test]
fn a_conversation_goes_on_over_several_messages() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let offered = text_of(&server.says("LiXiaoyu", 1, "进不了群"));
    assert!(offered.contains("【1】") && offered.contains("【2】"), "{offered}");
    let answer = text_of(&server.says("LiXiaoyu", 2, "第一个"));
    assert!(answer.contains("怎么回事"), "{answer}");
    let other = text_of(&server.says("WangWei", 3, "1"));
    assert!(
        !other.contains("怎么回事"),
        "another person's conversation was continued: {other}"
    );
    let thanks = text_of(&server.says("lixiaoyu", 4, "多久"));
    assert!(thanks.starts_with("多久："), "{thanks}");
}

#[test]
fn a_followed_appeal_is_listed_while_the_server_runs() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    server.says("zhangsan", 1, "11月18号提交了申诉");
    server.says("zhangsan", 2, "好");
    let config = folder.path().join("jiefeng.toml");
    let list = |extra: &[&str]| {
        let arguments = [&["appeals", "--config", config.to_str().unwrap()], extra].concat();
        crate::program::run(&arguments)
    };
    let ran = list(&[]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(
        ran.out.contains("support\tzh…\tappeal-progress\tsubmitted 2026-11-18"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("zhangsan"), "{}", ran.out);
    server.says("zhangsan", 3, "取消");
    assert_eq!(list(&[]).out, "");
    server.says("zhangsan", 4, "群满500人拉不了客户");
    server.says("zhangsan", 5, "有用");
    assert_eq!(list(&["--ratings"]).out, "pull-group-full\tuseful\t1\n");
}

#[test]
fn scripted_conversations_go_the_same_through_the_running_server() {
    let folder = TempDir::new().unwrap();
    let server = Server::start_with(
        folder.path(),
        "allow_sample_credentials = true",
        &[("JIEFENG_NOW", dialogues::START)],
    );
    let scripts: Vec<dialogues::Script> = dialogues::scripts()
        .into_iter()
        .filter(|script| script.through_the_server)
        .collect();
    assert!(scripts.len() >= 12, "only {} conversations", scripts.len());
    let mut message_id = 0;
    for (person, script) in scripts.iter().enumerate() {
        let user = format!("member{person}");
        let mut reply = String::new();
        for (number, line) in &script.lines {
            message_id += 1;
            match line {
                Line::Entered => {
                    let entered = "<MsgType>event</MsgType><Event>enter_agent</Event>";
                    let response = server.deliver(WireFormat::Xml, &message(&user, entered), message_id);
                    reply = text_of(&open_reply(&credentials(), &response.body).unwrap());
                }
                Line::Says(text) => reply = text_of(&server.says(&user, message_id, text)),
                Line::Holds(words) => assert!(reply.contains(words), "{}, line {number}: {reply}", script.name),
                Line::Lacks(words) => assert!(!reply.contains(words), "{}, line {number}: {reply}", script.name),
                // Decisions and actions are not seen from outside; the server's clock cannot be moved while it runs.
                Line::Decides(_) | Line::Does(_) => {}
                Line::Clock(_) => panic!("{}, line {number}: a server's clock stays", script.name),
            }
        }
    }
}

#[test]
fn a_repeated_message_gets_the_same_plaintext_and_no_second_step() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    server.says("LiXiaoyu", 1, "进不了群");
    let first = server.says("LiXiaoyu", 2, "2");
    std::thread::sleep(Duration::from_millis(1100));
    let again = server.says("LiXiaoyu", 2, "2");
    assert_eq!(first, again);
    assert_eq!(server.metric("repeated"), 1);
    assert_eq!(server.metric("answered"), 2);
}

#[test]
fn what_was_answered_is_known_after_kill_9() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let first = server.says("LiXiaoyu", 1, "被投诉了群里发不了消息");
    server.signal("-KILL");
    drop(server);
    let server = Server::start(folder.path());
    assert_eq!(server.says("LiXiaoyu", 1, "被投诉了群里发不了消息"), first);
    assert_eq!(server.metric("repeated"), 1);
    let follow_up = text_of(&server.says("LiXiaoyu", 2, "多久"));
    assert!(follow_up.starts_with("多久："), "{follow_up}");
}

#[test]
fn every_kind_of_message_gets_a_kind_reply() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let kinds = [
        (
            "<MsgType>image</MsgType><PicUrl>u</PicUrl><MediaId>m</MediaId><MsgId>1</MsgId>",
            "看不了图",
        ),
        (
            "<MsgType>voice</MsgType><MediaId>m</MediaId><Format>amr</Format><MsgId>2</MsgId>",
            "听不了",
        ),
        (
            "<MsgType>video</MsgType><MediaId>m</MediaId><ThumbMediaId>t</ThumbMediaId><MsgId>3</MsgId>",
            "视频收到了",
        ),
        (
            "<MsgType>location</MsgType><Location_X>1.5</Location_X><Location_Y>2</Location_Y><Scale>9</Scale><Label>x</Label><MsgId>4</MsgId>",
            "位置收到了",
        ),
        (
            "<MsgType>link</MsgType><Title>t</Title><Description>d</Description><Url>u</Url><PicUrl>p</PicUrl><MsgId>5</MsgId>",
            "链接",
        ),
        (
            "<MsgType>event</MsgType><Event>enter_agent</Event><EventKey></EventKey>",
            "你好",
        ),
    ];
    for (number, (kind, expected)) in (1..).zip(kinds) {
        let response = server.deliver(WireFormat::Xml, &message("LiXiaoyu", kind), number);
        let text = text_of(&open_reply(&credentials(), &response.body).unwrap());
        assert!(text.contains(expected), "{kind}: {text}");
    }
}

#[test]
fn what_needs_no_answer_or_is_unknown_is_acknowledged_with_an_empty_200() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let silent = [
        "<MsgType>event</MsgType><Event>subscribe</Event>",
        "<MsgType>event</MsgType><Event>LOCATION</Event><Latitude>1</Latitude><Longitude>2</Longitude><Precision>3</Precision>",
        "<MsgType>event</MsgType><Event>click</Event><EventKey>K</EventKey>",
        "<MsgType>event</MsgType><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>x</UserID>",
        "<MsgType>event</MsgType><Event>batch_job_result</Event><BatchJob><JobId>1</JobId><JobType>sync_user</JobType><ErrCode>0</ErrCode><ErrMsg>ok</ErrMsg></BatchJob>",
        "<MsgType>event</MsgType><Event>an_event_of_next_year</Event><New><Deep>1</Deep></New>",
        "<MsgType>event</MsgType><Event>change_contact</Event><ChangeType>of_next_year</ChangeType>",
        "<MsgType>hologram</MsgType><MsgId>9</MsgId>",
    ];
    for (number, kind) in (1..).zip(silent) {
        let response = server.deliver(WireFormat::Xml, &message("sys", kind), number);
        assert_eq!((response.status, response.body.as_str()), (200, ""), "{kind}");
    }
    assert_eq!(server.metric("unknown"), 3);
    server.assert_logs("kind=\"change_contact/of_next_year\"");
    let from_nobody =
        "<xml><MsgType>event</MsgType><Event>kf_msg_or_event</Event><Token>T</Token><OpenKfId>wk1</OpenKfId></xml>";
    assert_eq!(server.deliver(WireFormat::Xml, from_nobody, 98).status, 200);
    assert_eq!(server.metric("acknowledged"), 6);
    let unreadable = server.deliver(WireFormat::Xml, "this is no XML", 99);
    assert_eq!((unreadable.status, unreadable.body.as_str()), (200, ""));
    assert_eq!(server.metric("unreadable"), 1);
}

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
fn the_operator_is_told_when_wecom_suspends_or_restricts_the_app() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let events = [
        ("inactive_alert", "will suspend"),
        ("low_active_alert", "will restrict"),
        ("close_inactive_agent", "has suspended"),
        ("low_active", "has restricted"),
        ("reopen_inactive_agent", "has restored"),
        ("active_restored", "has lifted"),
    ];
    for (number, (event, meaning)) in (1..).zip(events) {
        let rest = format!("<MsgType>event</MsgType><Event>{event}</Event><EffectTime>1795399200</EffectTime>");
        let response = server.deliver(WireFormat::Xml, &message("sys", &rest), number);
        assert_eq!((response.status, response.body.as_str()), (200, ""), "{event}");
        server.assert_logs(&format!("event=\"{event}\" at=2026-11-23T02:00:00Z"));
        let log = server.log();
        let line = log.lines().find(|line| line.contains(&format!("\"{event}\""))).unwrap();
        assert!(line.contains("WARN") && line.contains(meaning), "{line}");
    }
    let without_time = "<MsgType>event</MsgType><Event>close_inactive_agent</Event>";
    server.deliver(WireFormat::Xml, &message("sys", without_time), 9);
    server.assert_logs("event=\"close_inactive_agent\" at=2026-11-22T02:00:00Z");
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
        let ciphertext = Envelope::parse(&sealed.body).unwrap().encrypted;
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
    let seed = match std::env::var("MUTATION_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::try_from(jiff::Timestamp::now().as_nanosecond() & 0xffff_ffff).unwrap() | 1,
    };
    eprintln!("to run this again: MUTATION_SEED={seed}");
    let threads = 4;
    let accepted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (server, accepted) = (&server, &accepted);
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_mul(thread + 1) | 1);
                for number in 0..10_000 / threads {
                    let format = [WireFormat::Xml, WireFormat::Json][random.below(2)];
                    if send_mutated(server, &Genuine::new(number, format), &mut random) {
                        accepted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let settled = server.metric("answered") + server.metric("repeated");
    assert_eq!(settled, accepted.into_inner());
    assert_eq!(
        server.metric("failed") + server.metric("unreadable") + server.metric("unknown"),
        0
    );
    assert_eq!(server.get("/healthz").body, "ok\n");
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

#[test]
fn health_and_readiness_are_told() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    assert_eq!(server.get("/healthz").body, "ok\n");
    assert_eq!(server.get("/readyz").body, "ready\n");
    assert!(server.get("/metrics").headers.contains("text/plain; version=0.0.4"));
}

#[test]
fn a_stop_signal_ends_the_server_well() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path());
    server.says("LiXiaoyu", 1, "你好");
    server.signal("-TERM");
    assert!(server.process.wait().unwrap().success());
}

#[test]
fn the_clock_is_moved_only_where_sample_credentials_are_allowed() {
    let moved = [("JIEFENG_NOW", "2026-11-22T10:00:00+08:00")];
    let folder = TempDir::new().unwrap();
    let server = Server::start_with(folder.path(), "", &moved);
    let text = text_of(&server.says("LiXiaoyu", 1, "被投诉了群里发不了消息"));
    assert!(!text.contains("若今天（11月22日 周日）提交"), "{text}");
    server.assert_logs("JIEFENG_NOW is ignored");
}

#[test]
fn published_credentials_stop_the_start() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("jiefeng.toml");
    let text = "[[apps]]\nname = \"a\"\ncorp_id = \"wx5823bf96d3bd56c7\"\nagent_id = 1\ntoken = \"QDG6eK\"\n\
                encoding_aes_key = \"jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C\"\n";
    std::fs::write(&config, text).unwrap();
    let ran = crate::program::run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("published in WeCom's samples"), "{}", ran.err);
    assert!(!ran.err.contains("QDG6eK"), "{}", ran.err);
}

#[test]
fn broken_knowledge_stops_the_server_with_the_report() {
    let folder = TempDir::new().unwrap();
    let knowledge = crate::program::KnowledgeCopy::new();
    knowledge.append("texts.toml", "\n[no-such-text]\nzh = \"x\"\nen = \"x\"\n");
    let config = folder.path().join("jiefeng.toml");
    let text = format!(
        "[knowledge]\ndir = \"{}\"\n[[apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nagent_id = 1\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n",
        knowledge.argument()
    );
    std::fs::write(&config, text).unwrap();
    let ran = crate::program::run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("texts.toml:"), "{}", ran.err);
}
