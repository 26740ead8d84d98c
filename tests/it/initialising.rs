//! `jiefeng init`: from four answers to a verified callback address and an answered message.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use jiefeng::config::{Environment, load};
use jiefeng::protocol::{Credentials, WireFormat, seal_callback, seal_verification};
use tempfile::TempDir;

use crate::browser::{Browser, Page};
use crate::program::{jiefeng, run, run_with_input};
use crate::server::{credentials_of, free_address, fresh, now, post_request, text_message};

const CORP_ID: &str = "ww0123456789abcdef";

#[test]
fn four_answers_make_a_configuration_for_its_owner_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("jiefeng.toml");
    let init = [
        "init",
        "--config",
        file.to_str().unwrap(),
        "--write-only",
        "--lang",
        "en",
    ];
    let ran = run_with_input(
        &init,
        &format!("1000002\n{CORP_ID}\nsupport\n1000002\nbot.example.com\n\n"),
    );
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.out.contains("this looks like something else"), "{}", ran.out);
    assert!(ran.out.contains("An AgentId is a number"), "{}", ran.out);
    let settings = load(&file, &Environment::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(settings.apps[0].agent_id, 1_000_002);
    assert_eq!(
        settings.server.public_url.unwrap().to_string(),
        "https://bot.example.com"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_input_that_ends_early_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("jiefeng.toml");
    let ran = run_with_input(&["init", "--config", file.to_str().unwrap(), "--lang", "en"], CORP_ID);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("nothing was written"), "{}", ran.err);
    assert!(!file.exists());
}

/// `jiefeng init` at work.
struct Guided {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Drop for Guided {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Guided {
    fn start(folder: &Path, address: SocketAddr) -> Self {
        let (file, url) = (folder.join("jiefeng.toml"), format!("http://{address}"));
        let init = [
            ["init", "--lang"],
            ["en", "--config"],
            [file.to_str().unwrap(), "--corp-id"],
            [CORP_ID, "--agent-id"],
            ["1000002", "--url"],
            [&url, "--listen"],
        ];
        let mut command = jiefeng(init.as_flattened());
        command.arg(address.to_string());
        Self::run(command, folder)
    }

    /// On a page in the browser, with the configuration of this folder.
    fn start_in_browser(folder: &Path) -> Self {
        let file = folder.join("jiefeng.toml");
        let init = [
            ["init", "--browser"],
            ["--lang", "en"],
            ["--config", file.to_str().unwrap()],
            ["--console-listen", "127.0.0.1:0"],
        ];
        Self::run(jiefeng(init.as_flattened()), folder)
    }

    fn run(mut command: Command, folder: &Path) -> Self {
        command.env(
            "JIEFENG__STORAGE__URL",
            format!("sqlite://{}", folder.join("jiefeng.db").display()),
        );
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let said = String::new();
        Self { child, lines, said }
    }

    /// Waits until it says this.
    fn says(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.said.contains(text) {
            let left = Duration::from_secs(120).saturating_sub(begun.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said += &(line + "\n"),
                Err(_) => panic!("it never said {text}:\n{}", self.said),
            }
        }
    }

    /// What it says to paste under this name.
    fn to_paste(&self, name: &str) -> String {
        let line = self
            .said
            .lines()
            .find(|line| line.contains(&format!("│  {name} ")))
            .unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }
}

fn status_of(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).chars().skip(9).take(3).collect()
}

fn verify(address: SocketAddr, credentials: &Credentials) -> String {
    let query = seal_verification(credentials, "1234567890123456789", &fresh(1, now())).query;
    let request = format!("GET /callback/support?{query} HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n");
    status_of(address, request.as_bytes())
}

#[test]
fn it_leads_to_a_verified_address_and_an_answered_message_and_says_why_not() {
    let folder = TempDir::new().unwrap();
    let free = free_address();
    let mut guided = Guided::start(folder.path(), free);
    // A loopback address is none that WeCom could reach, which keeps nobody from going on.
    guided.says("Not yet:");
    guided.says("Waiting for WeCom's verification");
    assert_eq!(guided.to_paste("URL"), format!("http://{free}/callback/support"));
    let (token, key) = (guided.to_paste("Token"), guided.to_paste("EncodingAESKey"));

    assert_eq!(verify(free, &credentials_of("AnotherToken", &key, CORP_ID)), "403");
    guided.says("A request came and was refused");
    assert!(guided.said.contains("Token"), "{}", guided.said);

    let credentials = credentials_of(&token, &key, CORP_ID);
    assert_eq!(verify(free, &credentials), "200");
    guided.says("WeCom has verified the callback address");

    let message = text_message("LiXiaoyu", 1, "加不了好友");
    let sealed = seal_callback(&credentials, WireFormat::Xml, &message, "1000002", &fresh(2, now()));
    let request = post_request(&sealed.query, &sealed.body, "");
    assert_eq!(status_of(free, &request), "200");
    guided.says("The set-up is complete");
}

/// The page, as soon as it shows this.
fn page_with(browser: &mut Browser, text: &str) -> Page {
    let begun = Instant::now();
    loop {
        let page = browser.get("/console/first");
        if page.body.contains(text) {
            return page;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "never {text}:\n{}",
            page.body
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_page_is_its_owners_alone_changes_no_configuration_and_outlives_a_failed_start() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("jiefeng.toml");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let configuration = format!(
        "[server]\nlisten = \"{}\"\n[[apps]]\nname = \"support\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1000002\n\
         token = \"TokenForThisTest\"\nencoding_aes_key = \"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\"\n",
        taken.local_addr().unwrap()
    );
    std::fs::write(&file, &configuration).unwrap();
    let mut guided = Guided::start_in_browser(folder.path());
    guided.says("/console/first/link/");
    let (_, rest) = guided.said.split_once("http://").unwrap();
    let (address, link) = rest.lines().next().unwrap().trim().split_once('/').unwrap();
    let (address, link): (SocketAddr, String) = (address.parse().unwrap(), format!("/{link}"));

    let (mut owner, mut stranger) = (Browser::at(address), Browser::at(address));
    assert_eq!(
        stranger.get("/console/first").status,
        403,
        "nobody has followed the link yet"
    );
    assert_eq!(stranger.get(&format!("{link}x")).status, 403);
    assert_eq!(owner.get(&link).location(), "/console/first");
    assert_eq!(
        owner.get(&link).location(),
        "/console/first",
        "who is in may follow it again"
    );
    for path in [link.as_str(), "/console/first", "/console/first/part"] {
        let refused = stranger.get(path);
        assert_eq!(refused.status, 403, "{path}");
        assert!(!refused.body.contains("TokenForThisTest"), "{path}");
    }

    let page = page_with(&mut owner, "data-testid=\"failure\"");
    assert!(page.body.contains("cannot listen on"), "{}", page.body);
    drop(taken);
    assert_eq!(
        owner.post("/console/first/start", &[]).status,
        403,
        "a form of another site"
    );
    let token = page.form_token();
    let start = [("form_token", token.as_str())];
    assert_eq!(stranger.post("/console/first/start", &start).status, 403);
    assert_eq!(owner.post("/console/first/start", &start).status, 303);

    let page = page_with(&mut owner, "TokenForThisTest");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("script-src 'self'")
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), configuration);
    assert!(page.body.contains("jiefeng.toml 已经有了"), "{}", page.body);
    assert_eq!(stranger.get("/console").location(), "/console/login?back=/console");
}

#[test]
fn without_a_configuration_serve_says_how_to_get_one() {
    let ran = run(&["serve", "--config", "/nowhere/jiefeng.toml"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("jiefeng init --browser"), "{}", ran.err);
}
