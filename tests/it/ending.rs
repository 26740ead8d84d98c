//! Signals: the server ends in order, and whoever writes in the meantime notices nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiefeng::protocol::{WireFormat, open_reply, seal_callback};
use tempfile::TempDir;

use crate::long::{Progress, number, reached};
use crate::platform::{World, wait_until};
use crate::server::{Response, Server, credentials, fresh, now, text_message, text_of};

const SAMPLES: &str = "allow_sample_credentials = true\n";

/// A socket that outlives the servers that are started on it, as a service manager holds it.
struct Socket {
    listener: TcpListener,
    folder: TempDir,
}

impl Socket {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = TempDir::new().unwrap();
        Self { listener, folder }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// A server that gets the socket passed on, in the place of its standard input.
    fn start_server(&self, server_keys: &str) -> Server {
        let socket = OwnedFd::from(self.listener.try_clone().unwrap());
        let keys = format!("{SAMPLES}{server_keys}");
        let environment = [("LISTEN_FDS", "1"), ("LISTEN_FDS_FIRST_FD", "0")];
        Server::start_on(Stdio::from(socket), self.folder.path(), &[&keys, ""], &environment)
    }
}

/// A genuine callback, to be answered with a reply.
fn callback(number: u64, headers: &str) -> Vec<u8> {
    let plaintext = text_message(&format!("user{number}"), number, "加不了好友了，提示操作频繁");
    let sealed = seal_callback(
        &credentials(),
        WireFormat::Xml,
        &plaintext,
        "1000002",
        &fresh(number, now()),
    );
    let (query, body) = (sealed.query, sealed.body);
    let length = body.len();
    format!(
        "POST /callback/support?{query} HTTP/1.1\r\nHost: bot.example.com\r\nContent-Type: text/xml\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(address).map_err(|error| format!("not connected: {error}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    Ok(stream)
}

fn check_reply(response: &Response) -> Result<(), String> {
    let reply = open_reply(&credentials(), &response.body).map_err(|error| format!("{response:?}: {error}"))?;
    match text_of(&reply).contains("怎么回事") {
        true => Ok(()),
        false => Err(reply),
    }
}

/// Posts on a connection of its own.
fn post_once(address: SocketAddr, number: u64) -> Result<(), String> {
    let mut stream = connect(address)?;
    let mut answer = Vec::new();
    let posted = stream.write_all(&callback(number, "Connection: close\r\n"));
    let read = posted.and_then(|()| stream.read_to_end(&mut answer));
    read.map_err(|error| format!("callback {number}: {error}"))?;
    check_reply(&Response::parse(&answer))
}

/// Posts on a connection that is kept, as a reverse proxy keeps it, until a response ends it.
fn post_on_kept(kept: &mut Option<TcpStream>, address: SocketAddr, number: u64) -> Result<(), String> {
    let stream = match kept {
        Some(stream) => stream,
        None => kept.insert(connect(address)?),
    };
    let response = exchange(stream, &callback(number, "")).map_err(|error| format!("callback {number}: {error}"))?;
    if response.headers.contains("connection: close") {
        *kept = None;
    }
    check_reply(&response)
}

/// Reads one response with a length and leaves the connection open.
fn exchange(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<Response> {
    stream.write_all(request)?;
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = Response::parse(&bytes).headers;
    let length = head.split("content-length: ").nth(1).unwrap_or("0");
    let mut body = vec![0; length.split("\r\n").next().unwrap().parse().unwrap()];
    stream.read_exact(&mut body)?;
    Ok(Response::parse(&[bytes, body].concat()))
}

#[test]
fn no_callback_is_refused_reset_or_left_without_a_reply_while_the_server_is_ended_again_and_again() {
    let cycles = number("JIEFENG_SIGTERMS", 3);
    let mut progress = Progress::towards(cycles, "times ended");
    let socket = Socket::new();
    let address = socket.address();
    let (answered, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let failures = Mutex::new(Vec::new());
    let post = |thread: u64, post: &mut dyn FnMut(u64) -> Result<(), String>| {
        let mut number = thread << 32;
        while !is_over.load(Ordering::Relaxed) {
            number += 1;
            match post(number) {
                Ok(()) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                Err(failure) => failures.lock().unwrap().push(failure),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let post = &post;
    let mut slowest = Duration::ZERO;
    let last = std::thread::scope(|scope| {
        for thread in 1..=3 {
            scope.spawn(move || post(thread, &mut |number| post_once(address, number)));
        }
        scope.spawn(move || {
            let mut kept = None;
            post(4, &mut |number| post_on_kept(&mut kept, address, number));
        });
        for cycle in 1..=cycles {
            let mut server = socket.start_server("drain_seconds = 1");
            let before = answered.load(Ordering::Relaxed);
            wait_until("answers", || answered.load(Ordering::Relaxed) > before + 30);
            let told = Instant::now();
            server.signal("-TERM");
            assert!(server.process.wait().unwrap().success(), "{}", server.log());
            slowest = slowest.max(told.elapsed());
            progress.is_at(cycle);
        }
        is_over.store(true, Ordering::Relaxed);
        // Whatever waits in the socket now is answered by one more.
        socket.start_server("drain_seconds = 1")
    });
    assert_eq!(failures.into_inner().unwrap(), Vec::<String>::new(), "{}", last.log());
    let answered = answered.into_inner();
    reached(&format!(
        "ended {cycles} times under load: {answered} callbacks answered, none refused, reset or lost; ended after {slowest:.1?} at the latest"
    ));
}

/// The names of the messages of customers that a log says were answered.
fn answered_in(log: &str) -> Vec<String> {
    let lines = log
        .lines()
        .filter(|line| line.contains("message app=") && line.contains("open_kf_id=\"wk1\""));
    let answered = lines.filter(|line| line.contains("fate=\"answered\""));
    let name = |line: &str| line.split_once("message_hash=")?.1.split(' ').next().map(str::to_owned);
    answered.filter_map(name).collect()
}

#[test]
fn each_message_of_a_customer_is_told_once_though_the_server_is_ended_in_the_middle_again_and_again() {
    const AT_ONCE: [(&str, &str); 1] = [("JIEFENG__SERVER__DRAIN_SECONDS", "0")];
    let mut world = World::with_kf();
    let (mut told, mut customers) = (Vec::new(), Vec::new());
    for round in 0..8 {
        world.kill_server();
        world.start_server(&AT_ONCE);
        for number in 0..12 {
            let customer = format!("wm{round}x{number}");
            world.writes(&customer, "扫码进群失败");
            customers.push(customer);
        }
        std::thread::sleep(Duration::from_millis(5 * round));
        world.signal_server("-TERM");
        wait_until("the end", || !world.server_runs());
        told.extend(answered_in(&world.log()));
    }
    world.start_server(&AT_ONCE);
    for customer in &customers {
        world.answers_to(customer, 1);
    }
    told.extend(answered_in(&world.log()));
    let count = told.len();
    told.sort_unstable();
    told.dedup();
    assert_eq!(
        (told.len(), count),
        (customers.len(), customers.len()),
        "{}",
        world.log()
    );
}

#[test]
fn while_it_drains_the_server_is_not_ready_and_ends_connections_but_still_answers() {
    let socket = Socket::new();
    let mut server = socket.start_server("drain_seconds = 2");
    assert_eq!(server.get("/readyz").status, 200);
    server.signal("-TERM");
    wait_until("not ready", || server.get("/readyz").status == 503);
    assert_eq!(server.get("/healthz").body, "ok\n");
    let mut kept = Some(connect(socket.address()).unwrap());
    post_on_kept(&mut kept, socket.address(), 1).unwrap();
    assert!(kept.is_none(), "the connection was kept");
    assert!(server.process.wait().unwrap().success());
    server.assert_logs("stopped; everything that was acknowledged is stored");
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let socket = Socket::new();
    for signals in [["-TERM", "-TERM"], ["-INT", "-TERM"]] {
        let mut server = socket.start_server("drain_seconds = 60");
        server.signal(signals[0]);
        server.assert_logs("stopping");
        server.signal(signals[1]);
        assert_eq!(server.process.wait().unwrap().code(), Some(1));
        server.assert_logs("stopped at once by a second signal");
    }
}

#[test]
fn a_request_under_way_is_finished() {
    let socket = Socket::new();
    let mut server = socket.start_server("drain_seconds = 0");
    let request = callback(1, "Connection: close\r\n");
    let (first, rest) = request.split_at(request.len() - 40);
    let mut stream = connect(socket.address()).unwrap();
    stream.write_all(first).unwrap();
    // Whoever is answered after it was sent knows that the server has it.
    assert_eq!(server.get("/healthz").status, 200);
    server.signal("-TERM");
    server.assert_logs("stopping");
    std::thread::sleep(Duration::from_millis(500));
    stream.write_all(rest).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    check_reply(&Response::parse(&answer)).unwrap();
    assert!(server.process.wait().unwrap().success());
}
