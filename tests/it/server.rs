//! The real server in a process of its own, and callbacks to send to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
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

/// An address to listen on later. Connections and port 0 draw from the same ports, so what is free on 127.0.0.1 may be taken a moment
/// later; each of these has a loopback address of its own.
pub(crate) fn free_address() -> SocketAddr {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let [high, low] = TAKEN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let [_, _, _, process] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, process | 1, high, low);
    TcpListener::bind((own, 0)).unwrap().local_addr().unwrap()
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

/// What no log, error or metric may show: the secrets of every configuration here, and how they would look in an address.
const CANARIES: [&str; 6] = [
    "CanaryToken",
    "CanaryKey",
    "CanarySecret",
    "canary-password",
    "access_token=",
    "corpsecret=",
];

/// Shorter texts may stand in a log by chance.
const LONG_ENOUGH: usize = 9;

/// Fails when a text that others see has a secret, an access token, or something of what was said.
#[track_caller]
pub(crate) fn assert_tells_nothing(text: &str, said: &[String]) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "`{canary}` is in\n{text}");
    }
    assert!(!has_access_token(text.as_bytes()), "an access token is in\n{text}");
    for said in said.iter().filter(|said| said.len() >= LONG_ENOUGH) {
        assert!(!text.contains(said.as_str()), "`{said}` is in\n{text}");
    }
}

/// Whether there is an access token of the simulator: parts of a hyphen and 32 hexadecimal digits each, eight of them.
pub(crate) fn has_access_token(bytes: &[u8]) -> bool {
    let is_part = |part: &[u8]| part.len() == 32 && part.iter().all(u8::is_ascii_hexdigit);
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'-').collect();
    parts.windows(2).any(|pair| pair.iter().all(|part| is_part(part)))
}

/// A server process with its data in a folder that outlives it. At its end it must have told nothing that it should not.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
    said: Mutex<Vec<String>>,
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
        Self::start_on(Stdio::null(), folder, &[server_keys, app_keys], environment)
    }

    /// The same with a standard input, by which a socket can be passed on. The keys are those of server and app.
    pub(crate) fn start_on(input: Stdio, folder: &Path, keys: &[&str; 2], environment: &[(&str, &str)]) -> Self {
        let [server_keys, app_keys] = keys;
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
        command.stdin(input);
        Self::launch(command)
    }

    /// A server whose log is JSON.
    pub(crate) fn start_logging_json(folder: &Path) -> Self {
        drop(Self::start(folder));
        let config = folder.join("jiefeng.toml");
        Self::launch(jiefeng(&[
            "serve",
            "--log",
            "json",
            "--config",
            config.to_str().unwrap(),
        ]))
    }

    /// A server that may open so many files.
    pub(crate) fn start_with_descriptors(folder: &Path, descriptors: u32) -> Self {
        drop(Self::start(folder));
        let config = folder.join("jiefeng.toml");
        let serve = jiefeng(&["serve", "--config", config.to_str().unwrap()]);
        let mut limited = std::process::Command::new("sh");
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        limited
            .args(["-c", &script])
            .arg(serve.get_program())
            .args(serve.get_args());
        limited.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::launch(limited)
    }

    fn launch(mut command: std::process::Command) -> Self {
        command.stderr(Stdio::piped()).stdout(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("the server ended early:\n{}", log.lock().unwrap())
            };
            log.lock().unwrap().push_str(&format!("{line}\n"));
            if let Some(rest) = line.split("address").nth(1) {
                let is_of_address = |letter: char| letter.is_ascii_digit() || ".:".contains(letter);
                let address = rest.trim_start_matches(|letter: char| !letter.is_ascii_digit());
                break address
                    .split(|letter| !is_of_address(letter))
                    .next()
                    .unwrap()
                    .parse()
                    .unwrap();
            }
        };
        let kept = Arc::clone(&log);
        let reading = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self {
            process,
            address,
            log,
            reading: Some(reading),
            said: Mutex::default(),
        }
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
        let response = Response::parse(&bytes);
        if response.status >= 400 {
            assert_tells_nothing(&format!("{}{}", response.headers, response.body), &[]);
        }
        response
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
        self.said.lock().unwrap().extend([user.to_owned(), text.to_owned()]);
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

    /// What the process has in memory. 0 where the system does not tell it in a file.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1024
    }

    fn metrics_if_running(&self) -> String {
        let mut metrics = String::new();
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let _ = stream.read_to_string(&mut metrics);
        }
        metrics
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
        let has_ended = matches!(self.process.try_wait(), Ok(Some(_)));
        let metrics = match std::thread::panicking() || has_ended {
            true => String::new(),
            false => self.metrics_if_running(),
        };
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
        if !std::thread::panicking() {
            assert_tells_nothing(&format!("{}{metrics}", self.log()), &self.said.lock().unwrap());
        }
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
