//! 微信客服 under load, with the real server against the real simulator: how soon callbacks are acknowledged, and how fast a backlog is
//! answered.
//!
//! `cargo bench --bench customers`

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails shall say so and stop"
)]

#[path = "../tests/it/platform.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod platform;
#[path = "../tests/it/program.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod program;
#[path = "../tests/it/server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod server;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use jiefeng::protocol::{Credentials, WireFormat, seal_callback};
use serde_json::json;

use platform::World;
use server::{CORP_ID, credentials, fresh, now};

/// Callbacks in a second, and for so many seconds.
const CALLBACKS_PER_SECOND: u32 = 200;
const SECONDS: u32 = 10;

/// Threads that post them.
const THREADS: u32 = 8;

/// Customers who wrote while the bot was away.
const BACKLOG: u64 = 4_000;

fn main() {
    acknowledging();
    draining();
}

fn acknowledging() {
    let world = World::with_kf();
    let address = world.server_address();
    let posting: Vec<_> = (0..THREADS)
        .map(|thread| std::thread::spawn(move || post_regularly(address, thread)))
        .collect();
    let mut times: Vec<Duration> = posting.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    times.sort_unstable();
    let share = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "{} callbacks at {CALLBACKS_PER_SECOND}/s: acknowledged in {:?} (median), {:?} (99 %), {:?} (all)",
        times.len(),
        share(50),
        share(99),
        share(100)
    );
}

fn post_regularly(address: SocketAddr, thread: u32) -> Vec<Duration> {
    let credentials = credentials();
    let pause = Duration::from_secs(1) * THREADS / CALLBACKS_PER_SECOND;
    let start = Instant::now();
    (0..SECONDS * CALLBACKS_PER_SECOND / THREADS)
        .map(|number| {
            let due = start + pause * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let request = callback(&credentials, u64::from(thread) << 32 | u64::from(number));
            let posted = Instant::now();
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            posted.elapsed()
        })
        .collect()
}

fn callback(credentials: &Credentials, number: u64) -> String {
    let now = now();
    let fresh = fresh(number, now);
    let plaintext = format!(
        "<xml><ToUserName>{CORP_ID}</ToUserName><CreateTime>{now}</CreateTime><MsgType>event</MsgType>\
         <Event>kf_msg_or_event</Event><Token>token{number}</Token><OpenKfId>wk1</OpenKfId></xml>"
    );
    let sealed = seal_callback(credentials, WireFormat::Xml, &plaintext, "1000002", &fresh);
    format!(
        "POST /callback/support?{} HTTP/1.1\r\nHost: bot\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
        sealed.query,
        sealed.body.len(),
        sealed.body
    )
}

fn draining() {
    let mut world = World::with_kf();
    world.writes("wmFirst", "封号了");
    world.answers_to("wmFirst", 1);
    world.kill_server();
    world.control(
        "bulk",
        json!({ "open_kfid": "wk1", "customers": BACKLOG, "messages": 1, "prefix": "wm", "callbacks": "none",
                "texts": ["加不了好友了，提示操作频繁", "封号了"], "ages_seconds": [3 * 3600] }),
    );
    world.start_server(&[]);
    let start = Instant::now();
    let last = format!("wm{}", BACKLOG - 1);
    platform::wait_until("the whole backlog", || !world.seen_by(&last).is_empty());
    let sent = world.counters()["calls"]["kf/send_msg"].as_u64().unwrap_or_default();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "a backlog of {BACKLOG} customers: {sent} messages sent in {seconds:.1} s, {:.0} a second",
        sent as f64 / seconds
    );
}
