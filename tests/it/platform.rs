//! The real server against the real simulator, both as processes of their own, as the bot meets WeCom.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiefeng::protocol::{WireFormat, seal_callback};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, jiefeng, run};
use crate::server::{
    CORP_ID, KEY, TOKEN, assert_tells_nothing, credentials, free_address, fresh, has_access_token, now,
};

/// The longest that anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// A company with one app, its bot and the platform.
pub(crate) struct World {
    folder: TempDir,
    platform: Process,
    platform_address: SocketAddr,
    server_address: SocketAddr,
    server: Option<Process>,
    /// What people wrote.
    said: Arc<Mutex<Vec<String>>>,
}

/// A process that ends with the test, and must have told nothing by then that it should not.
struct Process {
    child: Mutex<Child>,
    log: Arc<Mutex<String>>,
    reading: Vec<JoinHandle<()>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts a command and waits for a line that has this text.
    fn start(arguments: &[&str], environment: &[(&str, &str)], until: &str, said: &Arc<Mutex<Vec<String>>>) -> Self {
        let mut command = jiefeng(arguments);
        command.env_remove("RUST_LOG").envs(environment.iter().copied());
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let reading = vec![
            keep(child.stdout.take().unwrap(), &log),
            keep(child.stderr.take().unwrap(), &log),
        ];
        let process = Self {
            child: Mutex::new(child),
            log,
            reading,
            said: Arc::clone(said),
        };
        // Whoever is made to end may end before the line is written.
        let may_end = environment.iter().any(|(name, _)| *name == "FAILPOINTS");
        wait_until(&format!("`{until}` from {arguments:?}"), || {
            process.log().contains(until) || may_end && !process.runs()
        });
        process
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    fn kill(&mut self) {
        let child = self.child.get_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.lock().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn runs(&self) -> bool {
        let mut child = self.child.lock().unwrap();
        child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
        for reading in self.reading.drain(..) {
            let _ = reading.join();
        }
        if !std::thread::panicking() {
            assert_tells_nothing(&self.log(), &self.said.lock().unwrap());
        }
    }
}

fn keep(from: impl Read + Send + 'static, log: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            log.lock().unwrap().push_str(&format!("{line}\n"));
        }
    })
}

/// Waits for something that will come to be.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl World {
    /// A platform and no bot yet. `app_keys` go into the app's section of the configuration.
    pub(crate) fn new(app_keys: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (platform_address, server_address) = (free_address(), free_address());
        let config = format!(
            "[server]\nlisten = \"{server_address}\"\nallow_sample_credentials = true\n\
             [storage]\nurl = \"sqlite://{database}\"\n[wecom]\napi_base = \"http://{platform_address}\"\n\
             [hand_over]\nhours = \"0:00-24:00\"\nbusiness_days_only = false\n\
             [[apps]]\nname = \"support\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1000002\nsecret = \"CanarySecret9Z\"\n\
             token = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n{app_keys}\n",
            database = folder.path().join("jiefeng.db").display()
        );
        std::fs::write(folder.path().join("jiefeng.toml"), config).unwrap();
        let config = folder.path().join("jiefeng.toml");
        let listen = platform_address.to_string();
        let arguments = ["simulate", "--config", config.to_str().unwrap(), "--listen", &listen];
        let said = Arc::default();
        let platform = Process::start(&arguments, &[], "Open the chat page", &said);
        Self {
            folder,
            platform,
            platform_address,
            server_address,
            server: None,
            said,
        }
    }

    /// A platform with an account of 微信客服 (`wk1`) and a servicer on duty (`zhangsan`), and the bot.
    pub(crate) fn with_kf() -> Self {
        let mut world = Self::new("kf = true");
        world.open_account();
        world.start_server(&[]);
        world
    }

    pub(crate) fn open_account(&self) {
        self.control("kf/accounts", json!({ "open_kfid": "wk1" }));
        self.control(
            "kf/servicers",
            json!({ "open_kfid": "wk1", "userid": "zhangsan", "on_duty": true }),
        );
    }

    fn config(&self) -> PathBuf {
        self.path("jiefeng.toml")
    }

    /// A file beside the bot's configuration and database.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start_server(&mut self, environment: &[(&str, &str)]) {
        let config = self.config();
        let arguments = ["serve", "--config", config.to_str().unwrap()];
        self.server = Some(Process::start(&arguments, environment, "address=", &self.said));
    }

    /// Starts one of several bots, which share the database of this address.
    pub(crate) fn start_replica(&self, url: &str, environment: &[(&str, &str)]) -> Replica {
        let (config, address) = (self.config(), free_address());
        let listen = address.to_string();
        let of_replica = [
            ("JIEFENG__STORAGE__URL", url),
            ("JIEFENG__SERVER__LISTEN", listen.as_str()),
        ];
        let environment: Vec<(&str, &str)> = environment.iter().copied().chain(of_replica).collect();
        let arguments = ["serve", "--config", config.to_str().unwrap()];
        Replica {
            process: Process::start(&arguments, &environment, "address=", &self.said),
            address,
        }
    }

    /// Ends the bot in the middle of whatever it does.
    pub(crate) fn kill_server(&mut self) {
        if let Some(server) = &mut self.server {
            server.kill();
        }
        self.server = None;
    }

    /// Sends a signal to the bot.
    pub(crate) fn signal_server(&self, signal: &str) {
        self.server.as_ref().unwrap().signal(signal);
    }

    /// Whether the bot has not ended by itself.
    pub(crate) fn server_runs(&self) -> bool {
        self.server.as_ref().is_some_and(Process::runs)
    }

    /// The bot's database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("jiefeng.db")
    }

    pub(crate) fn assert_database_intact(&self) {
        let connection = rusqlite::Connection::open(self.database()).unwrap();
        let found: String = connection
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(found, "ok");
    }

    pub(crate) fn log(&self) -> String {
        self.server.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Runs a command with the bot's configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let config = self.config();
        let all: Vec<&str> = arguments
            .iter()
            .copied()
            .chain(["--config", config.to_str().unwrap()])
            .collect();
        run(&all)
    }

    /// Has somebody act.
    #[track_caller]
    pub(crate) fn control(&self, action: &str, request: Value) -> Value {
        let said = ["text", "customer", "member"]
            .into_iter()
            .filter_map(|name| request[name].as_str());
        self.said.lock().unwrap().extend(said.map(str::to_owned));
        self.request("POST", &format!("/control/{action}"), &request.to_string())
    }

    #[track_caller]
    pub(crate) fn read(&self, what: &str) -> Value {
        self.request("GET", &format!("/control/{what}"), "")
    }

    pub(crate) fn clear_faults(&self) {
        self.request("DELETE", "/control/faults", "");
    }

    #[track_caller]
    fn request(&self, method: &str, target: &str, body: &str) -> Value {
        let (status, body) = http(self.platform_address, method, target, body);
        assert_eq!(status, 200, "{method} {target}: {body}\n{}", self.platform.log());
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }

    /// A customer writes.
    pub(crate) fn writes(&self, customer: &str, text: &str) -> Value {
        self.control(
            "customer/write",
            json!({ "open_kfid": "wk1", "customer": customer, "text": text }),
        )
    }

    /// What a customer has seen of others, in order.
    pub(crate) fn seen_by(&self, customer: &str) -> Vec<Value> {
        self.seen(&format!("customer={customer}"))
    }

    /// What a member has seen of the app.
    pub(crate) fn seen_by_member(&self, member: &str) -> Vec<Value> {
        self.seen(&format!("member={member}"))
    }

    fn seen(&self, whose: &str) -> Vec<Value> {
        let seen = self.read(&format!("seen?{whose}"));
        let messages = seen["messages"].as_array().cloned().unwrap_or_default();
        messages
            .into_iter()
            .filter(|message| message["sender"] != "myself")
            .collect()
    }

    /// Waits until a customer has seen so many messages, and gives the words of each.
    #[track_caller]
    pub(crate) fn answers_to(&self, customer: &str, count: usize) -> Vec<String> {
        wait_until(&format!("{count} messages to {customer}"), || {
            self.seen_by(customer).len() >= count
        });
        self.seen_by(customer).iter().map(words).collect()
    }

    pub(crate) fn counters(&self) -> Value {
        self.read("counters")
    }

    /// An answer of the platform.
    pub(crate) fn get_from_platform(&self, target: &str) -> String {
        http(self.platform_address, "GET", target, "").1
    }

    /// Where the bot listens.
    pub(crate) fn server_address(&self) -> SocketAddr {
        self.server_address
    }

    /// Delivers a callback that the platform does not know of.
    pub(crate) fn deliver(&self, plaintext: &str, number: u64) -> u16 {
        let fresh = fresh(number, now());
        let sealed = seal_callback(&credentials(), WireFormat::Xml, plaintext, "1000002", &fresh);
        let target = format!("/callback/support?{}", sealed.query);
        http(self.server_address(), "POST", &target, &sealed.body).0
    }

    /// An answer of the bot's own HTTP server.
    pub(crate) fn get_from_server(&self, target: &str) -> (u16, String) {
        http(self.server_address(), "GET", target, "")
    }
}

/// One of several bots of a company.
pub(crate) struct Replica {
    process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Replica {
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// Stops it as an operator does, and waits for its end.
    pub(crate) fn stop(self) {
        self.signal("-TERM");
        wait_until("the end of a replica", || !self.runs());
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&self) -> bool {
        self.process.runs()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        self.process.signal(signal);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server = None;
        if std::thread::panicking() {
            return;
        }
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = file.unwrap().path();
            let is_of_database = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().contains(".db"));
            let has_token = is_of_database && has_access_token(&std::fs::read(&path).unwrap());
            assert!(!has_token, "an access token is in {}", path.display());
        }
    }
}

/// What a message says, whatever kind it is of.
pub(crate) fn words(message: &Value) -> String {
    let text = |pointer: &str| {
        message["body"]
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    message["text"]
        .as_str()
        .map(str::to_owned)
        .filter(|text| !text.is_empty())
        .or_else(|| text("/head_content"))
        .or_else(|| text("/content"))
        .unwrap_or_default()
}

fn http(address: SocketAddr, method: &str, target: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), body.to_owned())
}
