//! The admin console over 100,000 messages: how long each page takes, how large it is, and what callbacks notice of it.
//!
//! `cargo bench --bench console` starts the real server as a process of its own, fills its store with a month of questions, and asks for
//! every page 30 times. Then it sends a callback every ten milliseconds: alone, while four pages a second are loaded, and while pages are
//! loaded without a pause.
//! Options: `-- --messages 100000 --seconds 10`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails shall say so and stop"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiefeng::protocol::{CallbackToken, Credentials, EncodingAesKey, Fresh, Nonce, Seconds, WireFormat, seal_callback};
use rusqlite::{Connection, params};

const TOKEN: &str = "BenchToken7Q";
const KEY: &str = "BenchKeyabcdefghijklmnopqrstuvwxyz012345678";
const CORP_ID: &str = "ww0123456789abcdef";
const PASSWORD: &str = "correct horse battery staple";

/// Each page is asked for so often.
const TIMES: usize = 30;

/// A callback is sent so often: a busy company.
const BETWEEN_CALLBACKS: Duration = Duration::from_millis(10);

/// Between two pages while the console is used: several admins who look at one after the other.
const READING: Duration = Duration::from_millis(250);

/// The pages, the searches that look at everything they may among them.
const PAGES: [(&str, &str); 14] = [
    ("overview, 7 days", "/console?days=7"),
    ("overview, 30 days", "/console"),
    ("messages", "/console/messages"),
    ("messages, one decision", "/console/messages?decision=refuse"),
    (
        "messages, text that nobody wrote",
        "/console/messages?text=nobody-wrote-this",
    ),
    ("unanswered, 7 days", "/console/unanswered"),
    ("unanswered, 30 days", "/console/unanswered?days=30"),
    ("knowledge", "/console/knowledge"),
    (
        "knowledge, a scenario's file",
        "/console/knowledge/file?path=scenarios/avoid-restriction.toml",
    ),
    ("doctor, what is on record", "/console/doctor"),
    ("settings", "/console/settings"),
    ("appeals", "/console/appeals"),
    ("dead letters", "/console/dead-letters"),
    ("audit", "/console/audit"),
];

fn main() {
    let messages = option("--messages", 100_000);
    let seconds = option("--seconds", 10);
    let folder = tempfile::TempDir::new().unwrap();
    let mut server = Server::start(folder.path());
    let filling = Instant::now();
    fill(&folder.path().join("jiefeng.db"), messages);
    println!("{messages} messages in {:.1?}", filling.elapsed());
    let browser = server.admin();

    println!(
        "\n{:<34} {:>10} {:>10} {:>10} {:>10} {:>9}",
        "page", "first", "complete", "median", "longest", "bytes"
    );
    let first_message = path_of_first_message(&browser.get("/console/messages"));
    let one = [("one message", first_message.as_str())];
    for (name, path) in PAGES.iter().chain(&one) {
        measure(&browser, name, path);
    }

    println!("\ncallbacks, one every {BETWEEN_CALLBACKS:?} for {seconds} s");
    let lasting = Duration::from_secs(seconds);
    let credentials = credentials();
    callbacks(&credentials, server.address, Duration::from_secs(2));
    report("alone", &callbacks(&credentials, server.address, lasting));
    for (name, pause) in [
        ("while the console is used", READING),
        ("without a pause", Duration::ZERO),
    ] {
        let (stop, pages) = (Arc::new(AtomicBool::new(false)), browser.clone());
        let stopped = Arc::clone(&stop);
        let loading = std::thread::spawn(move || load_pages(&pages, pause, &stopped));
        report(name, &callbacks(&credentials, server.address, lasting));
        stop.store(true, Ordering::Relaxed);
        println!("pages loaded meanwhile: {}", loading.join().unwrap());
    }
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

fn option(name: &str, default: u64) -> u64 {
    let arguments: Vec<String> = std::env::args().collect();
    let place = arguments.iter().position(|argument| argument == name);
    place.map_or(default, |place| arguments[place + 1].parse().expect("a number"))
}

fn measure(browser: &Browser, name: &str, path: &str) {
    let asked = Instant::now();
    let mut page = browser.get(path);
    let first = asked.elapsed();
    wait_until_found(browser, path);
    let whole = asked.elapsed();
    let mut times = vec![first];
    for _ in 1..TIMES {
        let start = Instant::now();
        page = browser.get(path);
        times.push(start.elapsed());
        assert!(page.starts_with("HTTP/1.1 200"), "{path}: {page}");
    }
    times.sort_unstable();
    let (median, longest, size) = (times[TIMES / 2], times[TIMES - 1], page.len());
    println!("{name:<34} {first:>10.1?} {whole:>10.1?} {median:>10.1?} {longest:>10.1?} {size:>9}");
}

/// Asks again until what is found out in the background is there.
fn wait_until_found(browser: &Browser, path: &str) {
    while browser.get(path).contains("data-testid=\"soon\"") {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn load_pages(browser: &Browser, pause: Duration, stop: &AtomicBool) -> usize {
    let mut loaded = 0;
    while !stop.load(Ordering::Relaxed) {
        browser.get(PAGES[loaded % PAGES.len()].1);
        loaded += 1;
        std::thread::sleep(pause);
    }
    loaded
}

fn report(name: &str, times: &[Duration]) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let share = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "{name:<24} {:>10.1?} (median) {:>10.1?} (90 %) {:>10.1?} (99 %)",
        share(50),
        share(90),
        share(99)
    );
}

/// The questions of `knowledge/eval`.
fn questions() -> Vec<String> {
    let of_file = |file| {
        let text = std::fs::read_to_string(Path::new("knowledge/eval").join(file)).unwrap();
        let rows = text
            .lines()
            .skip(1)
            .map(|row| row.split('\t').next().unwrap().to_owned());
        rows.collect::<Vec<_>>()
    };
    ["development.tsv", "blind.tsv"].into_iter().flat_map(of_file).collect()
}

/// A month of questions, a quarter of them refused or asked back.
fn fill(database: &Path, messages: u64) {
    let mut store = Connection::open(database).unwrap();
    store.busy_timeout(Duration::from_secs(20)).unwrap();
    let transaction = store.transaction().unwrap();
    let now = jiff::Timestamp::now().as_second();
    let start = now - 30 * 86_400;
    let questions = questions();
    let reply = "INSERT INTO replies (id, text, first_at) VALUES (1, 'a reply', ?1)";
    transaction.execute(reply, params![now * 1000]).unwrap();
    for number in 0..messages {
        let at = start + i64::try_from(number * 30 * 86_400 / messages).unwrap();
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut key = at.to_be_bytes()[3..].to_vec();
        key.extend(spread.to_be_bytes());
        key.extend(number.to_be_bytes());
        let text = &questions[(spread >> 16) as usize % questions.len()];
        let decision = [
            "answer", "answer", "answer", "answer", "answer", "ask_back", "refuse", "human",
        ][(spread % 8) as usize];
        let scenario = ["friend-add-throttled", "pull-group-full", "appeal-progress"][(spread % 3) as usize];
        let record = serde_json::json!({
            "asked_at": jiff::Timestamp::from_second(at).unwrap(), "text": format!("{text} {}", number % 7),
            "language": "zh", "decision": decision, "scenarios": [scenario, "account-banned"], "confidence": 0.87,
            "knowledge_version": "0123456789abcdef", "micros": 40 + spread % 200
        });
        let person = spread.to_be_bytes().repeat(4);
        transaction
            .prepare_cached("INSERT INTO questions (message, person, corp_id, app, asked_at, record) VALUES (?1, ?2, ?3, 'support', ?4, ?5)")
            .unwrap()
            .execute(params![key, person, CORP_ID, at * 1000, record.to_string()])
            .unwrap();
        transaction
            .prepare_cached("INSERT INTO messages (message, reply, settled_at) VALUES (?1, 1, ?2)")
            .unwrap()
            .execute(params![key, at * 1000])
            .unwrap();
    }
    transaction.commit().unwrap();
}

fn credentials() -> Credentials {
    Credentials::new(
        CallbackToken::parse(TOKEN).unwrap(),
        EncodingAesKey::parse(KEY).unwrap(),
        CORP_ID,
    )
}

/// How long each callback took, from the first byte sent to the last one received, on a connection that is kept.
fn callbacks(credentials: &Credentials, address: SocketAddr, lasting: Duration) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < lasting {
        let request = callback(credentials);
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 16 * 1024];
        let mut read = 0;
        while !is_whole(&answer[..read]) {
            let more = stream.read(&mut answer[read..]).unwrap();
            assert!(
                more > 0,
                "the server closed: {}",
                String::from_utf8_lossy(&answer[..read])
            );
            read += more;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        times.push(sent.elapsed());
        std::thread::sleep(BETWEEN_CALLBACKS);
    }
    times
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.to_lowercase();
    let length = length
        .split_once("content-length: ")
        .and_then(|(_, rest)| rest.lines().next()?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

fn callback(credentials: &Credentials) -> String {
    let now = jiff::Timestamp::now();
    let number = now.as_nanosecond().unsigned_abs() as u64;
    let mut random_prefix = [7; 16];
    random_prefix[..8].copy_from_slice(&number.to_be_bytes());
    let fresh = Fresh {
        random_prefix,
        nonce: Nonce::parse(&number.to_string()).unwrap(),
        timestamp: Seconds::from_unix(now.as_second()).unwrap(),
    };
    let plaintext = format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[person{}]]></FromUserName>\
         <CreateTime>{}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[加好友太频繁]]></Content>\
         <MsgId>{number}</MsgId><AgentID>1000002</AgentID></xml>",
        number % 50_000,
        now.as_second()
    );
    let sealed = seal_callback(credentials, WireFormat::Xml, &plaintext, "1000002", &fresh);
    format!(
        "POST /callback/support?{} HTTP/1.1\r\nHost: bench\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{}",
        sealed.query,
        sealed.body.len(),
        sealed.body
    )
}

/// The server, with its data in a folder of its own.
struct Server {
    child: Child,
    address: SocketAddr,
    console: SocketAddr,
    link: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let config = folder.join("jiefeng.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[console]\nlisten = \"127.0.0.1:0\"\n[storage]\nurl = \"sqlite://{}\"\n\
             [knowledge]\ncache_dir = \"{}\"\n\
             [[apps]]\nname = \"support\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1000002\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n",
            folder.join("jiefeng.db").display(),
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_jiefeng"))
            .args(["serve", "--config", config.to_str().unwrap()])
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("/console/link/") {
            assert!(
                log.read_line(&mut said).unwrap() > 0,
                "the server did not start:\n{said}"
            );
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let after = |mark: &str, end: char| {
            let (_, rest) = said.split_once(mark).unwrap();
            rest.split(end).next().unwrap().trim().to_owned()
        };
        Self {
            child,
            address: after("address=", ' ').parse().unwrap(),
            console: after("page=\"http://", '/').parse().unwrap(),
            link: format!("/console/link/{}", after("/console/link/", '\n')),
        }
    }

    /// A browser in which the first admin is signed in.
    fn admin(&self) -> Browser {
        let form = format!("name=root&password={0}&again={0}", PASSWORD.replace(' ', "+"));
        let made = request(self.console, "POST", &self.link, "", &form);
        let cookie = made.split_once("__Host-jiefeng-session=").unwrap().1;
        let cookie = cookie.split(';').next().unwrap();
        Browser {
            console: self.console,
            cookie: format!("__Host-jiefeng-session={cookie}"),
        }
    }
}

#[derive(Clone)]
struct Browser {
    console: SocketAddr,
    cookie: String,
}

impl Browser {
    fn get(&self, path: &str) -> String {
        request(self.console, "GET", path, &self.cookie, "")
    }
}

fn path_of_first_message(list: &str) -> String {
    let (_, rest) = list.split_once("href=\"/console/messages/").unwrap();
    format!("/console/messages/{}", rest.split('"').next().unwrap())
}

fn request(address: SocketAddr, method: &str, path: &str, cookie: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\nCookie: {cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
