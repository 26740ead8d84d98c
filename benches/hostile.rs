//! The server under what is not from WeCom: whether comparing signatures tells how much of one was right, how genuine callbacks fare
//! beside thousands of slow connections, and what a million requests leave behind.
//!
//! `cargo bench --bench hostile`; `HOSTILE_REQUESTS=100000` makes it shorter.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails shall say so and stop"
)]

#[path = "../tests/it/program.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod program;
#[path = "../tests/it/server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod server;
#[path = "../tests/it/slow.rs"]
mod slow;

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiefeng::protocol::{Signature, WireFormat, seal_callback};
use tempfile::TempDir;

use server::{CORP_ID, KEY, Server, TOKEN, credentials_of, fresh, now, post_request, text_message};

/// Connections that take their time.
const SLOW: usize = 2_000;

/// Requests after which everything has its memory.
const WARM: u64 = 50_000;

/// Threads that send.
const THREADS: u64 = 8;

/// Comparisons of a signature, and how many make one sample: a single one is shorter than a clock can tell.
const SAMPLES: usize = 1_000_000;
const COMPARED_AT_ONCE: usize = 32;

fn main() {
    comparing_signatures();
    beside_slow_connections();
    after_many_requests();
}

/// Compares with signatures that are wrong from the first digit or in the last one alone. If the times of both are of one kind, Welch's t
/// stays below 4.5.
fn comparing_signatures() {
    let expected = Signature::parse(&"a".repeat(40)).unwrap();
    let wrong = [format!("b{}", "a".repeat(39)), format!("{}b", "a".repeat(39))];
    let wrong = wrong.map(|text| Signature::parse(&text).unwrap());
    let mut times = [Vec::with_capacity(SAMPLES / 2), Vec::with_capacity(SAMPLES / 2)];
    // A fixed alternation could fall in step with something else on the machine.
    let mut random = 1_u64;
    for _ in 0..SAMPLES {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let which = usize::from(random.is_multiple_of(2));
        let signature = &wrong[which];
        let started = Instant::now();
        for _ in 0..COMPARED_AT_ONCE {
            assert!(!black_box(black_box(signature).matches(black_box(&expected))));
        }
        times[which].push(started.elapsed().as_nanos() as f64);
    }
    let [first, last] = times.map(without_interruptions);
    println!(
        "comparing a signature {SAMPLES} times: {:.1} ns wrong from the first digit, {:.1} ns in the last alone, t = {:.2}",
        first.mean / COMPARED_AT_ONCE as f64,
        last.mean / COMPARED_AT_ONCE as f64,
        (first.mean - last.mean) / (first.error + last.error).sqrt()
    );
}

/// Mean, and the square of its standard error.
struct Measured {
    mean: f64,
    error: f64,
}

/// Without the slowest tenth, in which the machine did something else.
fn without_interruptions(mut times: Vec<f64>) -> Measured {
    times.sort_unstable_by(f64::total_cmp);
    times.truncate(times.len() * 9 / 10);
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Measured {
        mean,
        error: variance / count,
    }
}

fn beside_slow_connections() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let over = AtomicBool::new(false);
    let (lasted, times) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask_until(&over, server.address));
        let mut connections = slow::Slow::open(server.address, SLOW);
        let lasted = slow::outlast(&mut connections, Duration::from_secs(60));
        over.store(true, Ordering::Relaxed);
        (
            lasted.expect("connections that are never closed"),
            asking.join().unwrap(),
        )
    });
    println!(
        "{SLOW} slow connections: all closed after {lasted:.1?}; {} genuine callbacks meanwhile, answered in {:?} (median), {:?} (99 %)",
        times.len(),
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
}

/// Sends genuine callbacks until it is over; how long each took, sorted.
fn ask_until(over: &AtomicBool, address: SocketAddr) -> Vec<Duration> {
    let mut times = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        assert_eq!(exchange(address, &request(TOKEN, times.len() as u64)), 200);
        times.push(asked.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    times.sort_unstable();
    times
}

fn after_many_requests() {
    let count = std::env::var("HOSTILE_REQUESTS").map_or(1_000_000, |count| count.parse().expect("a number"));
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let started = Instant::now();
    send_mixture(&server, 0, WARM.min(count));
    let (memory, files) = (server.memory_bytes(), open_files(&server));
    send_mixture(&server, WARM, count);
    let seconds = started.elapsed().as_secs_f64();
    let grown = (server.memory_bytes() as f64 - memory as f64) / f64::from(1 << 20);
    println!(
        "{count} requests, four of five genuine: {:.0} a second, {grown:.1} MiB more after the first {WARM}, {files} open files, {} at the end",
        count as f64 / seconds,
        open_files(&server)
    );
}

fn open_files(server: &Server) -> usize {
    let folder = format!("/proc/{}/fd", server.process.id());
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Sends the requests from one number to another, four of five genuine.
fn send_mixture(server: &Server, from: u64, until: u64) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let mut kept = None;
                for number in (from..until).filter(|number| number % THREADS == thread) {
                    match number / THREADS % 5 {
                        4 => send_hostile(server.address, number),
                        _ => exchange_kept(server.address, &mut kept, &request(TOKEN, number)),
                    }
                }
            });
        }
    });
}

fn send_hostile(address: SocketAddr, number: u64) {
    let request = match number / THREADS / 5 % 4 {
        0 => request("OtherToken", number),
        1 => post_request("msg_signature=x&timestamp=1", "<xml>", ""),
        2 => request(TOKEN, number).split_last().unwrap().1.to_vec(),
        _ => b"GET /callback/nobody HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
    };
    let status = exchange(address, &request);
    assert!((400..500).contains(&status) || status == 0, "{status}");
}

fn request(token: &str, number: u64) -> Vec<u8> {
    let message = text_message(&format!("member{}", number % 1000), number, "加好友太频繁，加不了人了");
    let credentials = credentials_of(token, KEY, CORP_ID);
    let sealed = seal_callback(
        &credentials,
        WireFormat::Xml,
        &message,
        "1000002",
        &fresh(number, now()),
    );
    post_request(&sealed.query, &sealed.body, "")
}

/// The status of the answer; 0 when there is none.
fn exchange(address: SocketAddr, request: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// Sends a genuine callback over a connection that is kept.
fn exchange_kept(address: SocketAddr, kept: &mut Option<TcpStream>, request: &[u8]) {
    let request = String::from_utf8(request.to_vec())
        .unwrap()
        .replace("Connection: close\r\n", "");
    let stream = kept.get_or_insert_with(|| TcpStream::connect(address).unwrap());
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut some) = (Vec::new(), [0; 8192]);
    while !answer.ends_with(b"</xml>") {
        let count = stream.read(&mut some).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&some[..count]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}
