//! The whole job under load, with the real server as a process of its own: verify, decrypt, understand, remember, store durably, reply.
//!
//! `cargo bench --bench load` prints callbacks a second, how long they take, and the processor time that one costs the server. Every
//! callback is another message; the questions are those of `knowledge/eval`, asked by 50,000 people. Where there are two cores and
//! `taskset`, a server with SQLite has one of them and the load the other. Options: `-- --seconds 10 --connections 32`, for another build of
//! the server `-- --program FILE`, and for several servers that share an empty PostgreSQL database
//! `-- --storage postgresql://… --servers 2`. Only the servers' processor time is counted, not the database's.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails shall say so and stop"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiefeng::protocol::{
    CallbackToken, Credentials, EncodingAesKey, Fresh, Nonce, Seconds, WireFormat, open_reply, seal_callback,
};

const TOKEN: &str = "BenchToken7Q";
const KEY: &str = "BenchKeyabcdefghijklmnopqrstuvwxyz012345678";
const CORP_ID: &str = "ww0123456789abcdef";

/// People who ask.
const PEOPLE: u64 = 50_000;

/// One reply in so many is decrypted and looked at.
const LOOKED_AT: u64 = 997;

fn main() {
    let seconds = number("--seconds", 10);
    let connections = number("--connections", 32);
    let folder = tempfile::TempDir::new().unwrap();
    let storage = option("--storage");
    let servers: Vec<Server> = (0..number("--servers", 1))
        .map(|_| Server::start(folder.path(), storage.as_deref()))
        .collect();
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    let cpu_of_all = || servers.iter().map(Server::cpu).sum::<Duration>();
    let mut load = Load::new(&addresses, usize::try_from(connections).unwrap());
    load.run(Duration::from_secs(3));
    let cpu_before = cpu_of_all();
    let measured = load.run(Duration::from_secs(seconds));
    report(&measured, cpu_of_all() - cpu_before, connections);
    for server in &servers {
        println!("memory of a server: {:.1} MiB", server.resident_kib() as f64 / 1024.0);
    }
    let alone = Load::new(&addresses, 1).run(Duration::from_secs(3));
    println!(
        "one connection alone: {:?} (median), {:?} (99 %)",
        alone.share(50.0),
        alone.share(99.0)
    );
    for mut server in servers {
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
}

fn option(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

fn number(name: &str, default: u64) -> u64 {
    option(name).map_or(default, |value| value.parse().expect("a number"))
}

fn report(measured: &Measured, cpu: Duration, connections: u64) {
    let count = measured.times.len();
    println!(
        "{connections} connections: {:.0} callbacks a second; {:?} (median), {:?} (99 %), {:?} (99.9 %), {:?} (longest)",
        count as f64 / measured.lasted.as_secs_f64(),
        measured.share(50.0),
        measured.share(99.0),
        measured.share(99.9),
        measured.share(100.0)
    );
    println!(
        "processor time of the server: {:.1} µs a callback ({} callbacks)",
        cpu.as_secs_f64() * 1e6 / count as f64,
        count
    );
}

/// The server, with its data in a folder of its own.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// With a SQLite file in the folder, or the database of an address.
    fn start(folder: &Path, storage: Option<&str>) -> Self {
        let file = format!("sqlite://{}", folder.join("jiefeng.db").display());
        let config = folder.join("jiefeng.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[storage]\nurl = \"{}\"\n[knowledge]\ncache_dir = \"{}\"\n\
             [console]\nlisten = \"off\"\n[[apps]]\nname = \"support\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1000002\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n",
            storage.unwrap_or(&file),
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache").display()
        );
        std::fs::write(&config, text).unwrap();
        let program = option("--program").unwrap_or_else(|| env!("CARGO_BIN_EXE_jiefeng").to_owned());
        let mut command = match storage {
            None => on_core(1, &program),
            Some(_) => Command::new(program),
        };
        let mut child = command
            .args(["serve", "--config", config.to_str().unwrap()])
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the server did not start");
            if let Some((_, rest)) = line.split_once("address=") {
                break rest.split_whitespace().next().unwrap().parse().unwrap();
            }
        };
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        if storage.is_none() {
            pin_myself(0);
        }
        Self { child, address }
    }

    /// Processor time of the process so far (`/proc`, in ticks of 10 ms).
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<i64> = after_name
            .split_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        // Of the numeric fields behind the state letter, user and system time.
        Duration::from_millis(10 * (fields[10] + fields[11]).unsigned_abs())
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or_default()
    }
}

fn has_two_cores() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores >= 2 && Command::new("taskset").arg("-V").output().is_ok()
}

fn on_core(core: u32, program: &str) -> Command {
    if !has_two_cores() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

fn pin_myself(core: u32) {
    if has_two_cores() {
        let myself = std::process::id().to_string();
        let _ = Command::new("taskset")
            .args(["-cp", &core.to_string(), &myself])
            .output();
    }
}

/// The other side: connections that each have one callback under way, looked at in turn without ever sleeping.
struct Load {
    credentials: Credentials,
    questions: Vec<String>,
    connections: Vec<Connection>,
    sent: u64,
}

struct Connection {
    stream: TcpStream,
    begun: Instant,
    answer: Vec<u8>,
}

struct Measured {
    times: Vec<Duration>,
    lasted: Duration,
}

impl Measured {
    fn share(&self, percent: f64) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        sorted[((sorted.len() - 1) as f64 * percent / 100.0) as usize]
    }
}

impl Load {
    /// Connections to the servers in turn.
    fn new(servers: &[SocketAddr], connections: usize) -> Self {
        let connect = |address| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream.set_nodelay(true).unwrap();
            Connection {
                stream,
                begun: Instant::now(),
                answer: Vec::new(),
            }
        };
        Self {
            credentials: Credentials::new(
                CallbackToken::parse(TOKEN).unwrap(),
                EncodingAesKey::parse(KEY).unwrap(),
                CORP_ID,
            ),
            questions: questions(),
            connections: servers.iter().cycle().take(connections).map(connect).collect(),
            sent: u64::from(std::process::id()) << 32
                | u64::from(jiff::Timestamp::now().subsec_nanosecond().unsigned_abs()),
        }
    }

    fn run(&mut self, lasting: Duration) -> Measured {
        let start = Instant::now();
        let mut times = Vec::new();
        for place in 0..self.connections.len() {
            self.send(place);
        }
        let mut under_way = self.connections.len();
        while under_way > 0 {
            for place in 0..self.connections.len() {
                let Some(time) = self.receive(place) else { continue };
                times.push(time);
                if start.elapsed() < lasting {
                    self.send(place);
                } else {
                    under_way -= 1;
                }
            }
        }
        Measured {
            times,
            lasted: start.elapsed(),
        }
    }

    fn send(&mut self, place: usize) {
        self.sent += 1;
        let number = self.sent;
        let request = self.request(number);
        let connection = &mut self.connections[place];
        connection.answer.clear();
        connection.begun = Instant::now();
        connection.stream.write_all(request.as_bytes()).unwrap();
    }

    fn request(&self, number: u64) -> String {
        let now = jiff::Timestamp::now().as_second();
        let question = &self.questions[usize::try_from(number).unwrap() % self.questions.len()];
        let person = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % PEOPLE;
        let mut random_prefix = [7; 16];
        random_prefix[..8].copy_from_slice(&number.to_be_bytes());
        let fresh = Fresh {
            random_prefix,
            nonce: Nonce::parse(&number.to_string()).unwrap(),
            timestamp: Seconds::from_unix(now).unwrap(),
        };
        let plaintext = format!(
            "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[person{person}]]></FromUserName>\
             <CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{question}]]></Content>\
             <MsgId>{number}</MsgId><AgentID>1000002</AgentID></xml>"
        );
        let sealed = seal_callback(&self.credentials, WireFormat::Xml, &plaintext, "1000002", &fresh);
        format!(
            "POST /callback/support?{} HTTP/1.1\r\nHost: bot\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{}",
            sealed.query,
            sealed.body.len(),
            sealed.body
        )
    }

    /// How long the callback took, once its answer is there.
    fn receive(&mut self, place: usize) -> Option<Duration> {
        let connection = &mut self.connections[place];
        let mut bytes = [0; 16 * 1024];
        match connection.stream.read(&mut bytes) {
            Ok(0) => panic!("the server closed the connection"),
            Ok(count) => connection.answer.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("{error}"),
        }
        let body = whole_body(&connection.answer)?;
        let time = connection.begun.elapsed();
        if self.sent.is_multiple_of(LOOKED_AT) {
            open_reply(&self.credentials, body).expect("a reply that fits");
        }
        connection.begun = Instant::now();
        connection.answer.clear();
        Some(time)
    }
}

/// The body of an answer that has arrived to its end.
fn whole_body(answer: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")
            .map(str::to_owned)
    })?;
    (body.len() == length.parse::<usize>().unwrap()).then_some(body)
}

/// Questions in random order (with a fixed seed), so that the kinds are mixed.
fn questions() -> Vec<String> {
    let mut questions: Vec<String> = Vec::new();
    for file in ["development.tsv", "blind.tsv"] {
        let text = std::fs::read_to_string(Path::new("knowledge/eval").join(file)).unwrap();
        let header: Vec<&str> = text.lines().next().unwrap().split('\t').collect();
        let column = header.iter().position(|name| *name == "question").unwrap();
        let rows = text.lines().skip(1).filter_map(|line| line.split('\t').nth(column));
        questions.extend(rows.map(str::to_owned));
    }
    let mut state = 7u64;
    for place in (1..questions.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        questions.swap(place, usize::try_from(state >> 33).unwrap() % (place + 1));
    }
    questions
}
