//! What goes on for long: many messages that are delivered again and again, and many requests of every kind.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;

use jiefeng::protocol::{WireFormat, seal_callback};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::long::{Progress, number, reached};
use crate::platform::wait_until;
use crate::round::{asked_by, deliver, message_of};
use crate::server::{CORP_ID, KEY, Server, TOKEN, credentials, credentials_of, fresh, now, post_request, text_message};

/// Threads that send.
const THREADS: u64 = 8;

/// Requests after which everything has its memory.
const WARM: u64 = 50_000;

/// How much more memory there may be after that.
const MOST_GROWTH: u64 = 32 << 20;

/// Files that the server opens for itself once it has something to do; one for every request would be many more.
const OPENED_LATER: usize = 16;

/// Does something for every number, many at a time.
fn for_all(
    numbers: std::ops::Range<u64>,
    progress: &Mutex<Progress>,
    act: impl Fn(u64, &mut Option<TcpStream>) + Sync,
) {
    let (act, first) = (&act, numbers.start);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let numbers = numbers.clone();
            scope.spawn(move || {
                let mut kept = None;
                for number in numbers.filter(|number| number % THREADS == thread) {
                    act(number, &mut kept);
                    if thread == 0 {
                        progress.lock().unwrap().is_at(number - first);
                    }
                }
            });
        }
    });
}

#[test]
fn a_message_that_is_delivered_four_times_is_one_row_and_has_one_reply() {
    let messages = number("JIEFENG_MESSAGES", 200);
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let (address, credentials) = (server.address, credentials());
    let progress = Mutex::new(Progress::towards(messages, "messages delivered four times"));
    for_all(0..messages, &progress, |number, _| {
        let user = format!("member{number}");
        let plaintext = message_of(&user);
        let once = |delivery| {
            let reply = deliver(address, &credentials, &plaintext, &user, delivery);
            reply.unwrap_or_else(|| panic!("delivery {delivery} to {user} was not received"))
        };
        let mut replies = BTreeSet::new();
        // Two at once, and two at once again.
        for first in [1, 3] {
            std::thread::scope(|scope| {
                let beside = scope.spawn(|| once(first));
                replies.extend([once(first + 1), beside.join().unwrap()]);
            });
        }
        assert_eq!(replies.len(), 1, "{user} got {replies:?}");
        let (question, words) = asked_by(&user);
        assert!(
            replies.iter().all(|reply| reply.contains(words)),
            "{user}, who asked {question}, got {replies:?}"
        );
    });
    assert_eq!(
        (server.metric("answered"), server.metric("repeated")),
        (messages, 3 * messages)
    );
    let database = Connection::open(folder.path().join("jiefeng.db")).unwrap();
    for table in ["messages", "questions"] {
        let count = format!("SELECT count(*) FROM {table}");
        let rows: i64 = database.query_row(&count, [], |row| row.get(0)).unwrap();
        assert_eq!(u64::try_from(rows).unwrap(), messages, "rows of {table}");
    }
    reached(&format!(
        "{messages} messages delivered four times each: one row and one reply each"
    ));
}

#[test]
fn of_many_requests_of_which_a_fifth_is_hostile_none_leaves_memory_or_a_file_behind() {
    let requests = number("JIEFENG_REQUESTS", 5_000);
    let warm = WARM.min(requests / 2);
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let address = server.address;
    let progress = Mutex::new(Progress::towards(requests, "requests, four of five genuine"));
    let send = |number: u64, kept: &mut Option<TcpStream>| match number / THREADS % 5 {
        4 => send_hostile(address, number),
        _ => exchange_kept(address, kept, &request(TOKEN, number)),
    };
    let files_at_first = open_files(&server);
    for_all(0..warm, &progress, send);
    let memory = server.memory_bytes();
    for_all(warm..requests, &progress, send);
    let grown = server.memory_bytes().saturating_sub(memory);
    assert!(grown <= MOST_GROWTH, "{grown} bytes more");
    let most_files = files_at_first + OPENED_LATER;
    wait_until("closed connections", || open_files(&server) <= most_files);
    assert_eq!(server.metric("failed"), 0);
    assert!(!server.log().contains("panicked"), "{}", server.log());
    reached(&format!(
        "{requests} requests, four of five genuine: {:.1} MiB more in memory after the first {warm}, no file left open",
        grown as f64 / f64::from(1 << 20)
    ));
}

fn open_files(server: &Server) -> usize {
    let folder = format!("/proc/{}/fd", server.process.id());
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn send_hostile(address: SocketAddr, number: u64) {
    let request = match number / THREADS / 5 % 4 {
        0 => request("OtherToken", number),
        1 => post_request("msg_signature=x&timestamp=1", "<xml>", ""),
        2 => request(TOKEN, number).split_last().unwrap().1.to_vec(),
        _ => b"GET /callback/nobody HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
    };
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&request).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    // What is cut off gets none.
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

fn request(token: &str, number: u64) -> Vec<u8> {
    let message = text_message(&format!("member{}", number % 1000), number, "加好友太频繁，加不了人了");
    let credentials = credentials_of(token, KEY, CORP_ID);
    let fresh = fresh(number, now());
    let sealed = seal_callback(&credentials, WireFormat::Xml, &message, "1000002", &fresh);
    post_request(&sealed.query, &sealed.body, "")
}

/// Sends a genuine callback over a connection that is kept.
fn exchange_kept(address: SocketAddr, kept: &mut Option<TcpStream>, request: &[u8]) {
    let request = String::from_utf8(request.to_vec()).unwrap();
    let request = request.replace("Connection: close\r\n", "");
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
