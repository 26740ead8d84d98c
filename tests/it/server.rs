//! The real server in a process of its own, and callbacks to send to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiefeng::protocol::{
    CallbackToken, Credentials, EncodingAesKey, Fresh, Nonce, Seconds, WireFormat, open_reply, read_text_reply,
    seal_callback,
};

use crate::program::jiefeng;

pub(crate) const TOKEN: &str = "CanaryToken7Q";
pub(crate) const KEY: &str = "CanaryKeyabcdefghijklmnopqrstuvwxyz01234567";
pub(crate) const CORP_ID: &str = "ww0123456789abcdef";

pub(crate) fn credentials_of(token: &str, key: &str, corp_id: &str) -> Credentials {
    Credentials::new(
        CallbackToken::parse(token).unwrap(),
        EncodingAesKey::parse(key).unwrap(),
        corp_id,
    )
}

pub(crate) fn credentials() -> Credentials {
    credentials_of(TOKEN, KEY, CORP_ID)
}

pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub(crate) fn fresh(number: u64, timestamp: i64) -> Fresh {
    let mut random_prefix = [7; 16];
    random_prefix[..8].copy_from_slice(&number.to_be_bytes());
    Fresh {
        random_prefix,
        nonce: Nonce::parse(&format!("nonce{number}")).unwrap(),
        timestamp: Seconds::from_unix(timestamp).unwrap(),
    }
}

/// A server process with its data in a folder that outlives it.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(
            folder,
            "allow_sample_credentials = true",
            &[("JIEFENG_NOW", "2026-11-22T10:00:00+08:00")],
        )
    }

    pub(crate) fn start_with(folder: &Path, server_keys: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_app(folder, server_keys, "", environment)
    }

    /// `app_keys` go into the app's section of the configuration.
    pub(crate) fn start_app(folder: &Path, server_keys: &str, app_keys: &str, environment: &[(&str, &str)]) -> Self {
        let config = folder.join("jiefeng.toml");
        let database = folder.join("jiefeng.db");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n{server_keys}\n[storage]\nurl = \"sqlite://{}\"\n\
             [[apps]]\nname = \"support\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1000002\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n\
             {app_keys}\n",
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

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has this text: its lines arrive through a pipe, a little after the response.
    #[track_caller]
    pub(crate) fn assert_logs(&self, text: &str) {
        let patience = Instant::now() + Duration::from_secs(10);
        while !self.log().contains(text) {
            assert!(Instant::now() < patience, "`{text}` is not in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends raw bytes and returns what comes back until the server closes.
    pub(crate) fn raw(&self, request: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Response::parse(&bytes)
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.raw(format!("GET {target} HTTP/1.1\r\nHost: bot.example.com\r\nConnection: close\r\n\r\n").as_bytes())
    }

    pub(crate) fn post(&self, query: &str, body: &str) -> Response {
        self.post_with(query, body, "")
    }

    pub(crate) fn post_with(&self, query: &str, body: &str, headers: &str) -> Response {
        self.raw(&post_request(query, body, headers))
    }

    /// Delivers a plaintext as WeCom does.
    pub(crate) fn deliver(&self, format: WireFormat, plaintext: &str, number: u64) -> Response {
        let sealed = seal_callback(&credentials(), format, plaintext, "1000002", &fresh(number, now()));
        self.post(&sealed.query, &sealed.body)
    }

    /// A member writes; the decrypted plaintext of the reply.
    pub(crate) fn says(&self, user: &str, message_id: u64, text: &str) -> String {
        let response = self.deliver(WireFormat::Xml, &text_message(user, message_id, text), message_id);
        assert_eq!(response.status, 200, "{}", response.body);
        open_reply(&credentials(), &response.body).unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn metric(&self, fate: &str) -> u64 {
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
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
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

pub(crate) fn post_request(query: &str, body: &str, headers: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /callback/support?{query} HTTP/1.1\r\nHost: bot.example.com\r\nConnection: close\r\n\
         Content-Type: text/xml\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

pub(crate) fn text_message(user: &str, message_id: u64, text: &str) -> String {
    message(
        user,
        &format!("<MsgType>text</MsgType><Content><![CDATA[{text}]]></Content><MsgId>{message_id}</MsgId>"),
    )
}

pub(crate) fn message(user: &str, rest: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>1795312800</CreateTime>{rest}<AgentID>1000002</AgentID></xml>"
    )
}

pub(crate) fn text_of(plaintext: &str) -> String {
    read_text_reply(plaintext).unwrap()
}
