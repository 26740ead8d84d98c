//! The bot is killed in the middle of everything, and started again: nobody may be left without an answer, and nobody may see two.
//!
//! The moments are random, from a seed that is printed (`JIEFENG_SEED` replays it), or named places (feature `failpoints`). How often:
//! `JIEFENG_CRASHES`, a few times in the suite.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiefeng::protocol::{Credentials, Fresh, Nonce, Seconds, WireFormat, open_reply, read_text_reply, seal_callback};

use crate::platform::World;
#[cfg(feature = "failpoints")]
use crate::platform::wait_until;
use crate::server::{CORP_ID, credentials};

/// Members and customers who each write one message while the bot is being killed.
const MEMBERS: u32 = 12;
const CUSTOMERS: u32 = 12;

/// It is answered in one message.
const QUESTION: &str = "扫码进群失败";

/// How long a member's message is tried again until it is received. The platform gives up sooner; who tries longer finds more.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn whenever_the_bot_is_killed_everybody_is_answered_once() {
    let crashes = number("JIEFENG_CRASHES", 4);
    let mut random = Random::seeded();
    let mut world = World::with_kf();
    let mut slowest = Duration::ZERO;
    for crash in 0..crashes {
        let round = Round::begin(&world, &format!("c{crash}"));
        std::thread::sleep(Duration::from_millis(random.below(250)));
        world.kill_server();
        let killed = Instant::now();
        world.start_server(&[]);
        slowest = slowest.max(killed.elapsed());
        round.end(&world);
    }
    assert_intact(&world);
    println!("killed {crashes} times; ready again after {slowest:?} at the latest");
}

#[cfg(feature = "failpoints")]
#[test]
fn wherever_the_bot_ends_everybody_is_answered_once() {
    let mut random = Random::seeded();
    for place in jiefeng::failpoint::ALL {
        let mut world = World::with_kf();
        world.kill_server();
        let earlier = 1 + random.below(3);
        world.start_server(&[("FAILPOINTS", &format!("{place}={earlier}*off->return"))]);
        let mut round = Round::begin(&world, place);
        wait_until(&format!("the end at {place}"), || {
            round.one_more(&world);
            !world.server_runs()
        });
        world.kill_server();
        world.start_server(&[]);
        round.end(&world);
        assert_intact(&world);
    }
}

/// Everybody who writes while the bot is killed once.
struct Round {
    name: String,
    customers: u32,
    members: Vec<JoinHandle<Received>>,
}

/// What came of a member's message.
struct Received {
    user: String,
    /// The reply of every delivery that was received.
    replies: Vec<String>,
}

impl Round {
    fn begin(world: &World, name: &str) -> Self {
        let address = world.server_address();
        let member = |number: u32| {
            let user = format!("{name}m{number}");
            std::thread::spawn(move || write_until_received(address, user))
        };
        let members = (0..MEMBERS).map(member).collect();
        let mut round = Self {
            name: name.to_owned(),
            customers: 0,
            members,
        };
        for _ in 0..CUSTOMERS {
            round.one_more(world);
        }
        round
    }

    fn one_more(&mut self, world: &World) {
        world.writes(&format!("{}c{}", self.name, self.customers), QUESTION);
        self.customers += 1;
    }

    fn customers(&self) -> impl Iterator<Item = String> {
        let name = self.name.clone();
        (0..self.customers).map(move |number| format!("{name}c{number}"))
    }

    fn end(self, world: &World) {
        for customer in self.customers() {
            let answers = world.answers_to(&customer, 1);
            assert_eq!(answers.len(), 1, "{customer} saw more than one answer: {answers:?}");
        }
        for member in self.members {
            let received = member.join().unwrap();
            let (user, replies) = (&received.user, &received.replies);
            let sent = world.seen_by_member(user).len();
            let visible = usize::from(replies.iter().any(|reply| !reply.is_empty())) + sent;
            assert_eq!(
                visible, 1,
                "{user} saw {visible} answers: {replies:?} and {sent} messages"
            );
            let different: BTreeMap<&String, ()> = replies.iter().map(|reply| (reply, ())).collect();
            assert_eq!(different.len(), 1, "{user} got different replies: {replies:?}");
        }
    }
}

/// The same message again and again until it is received, and once more.
fn write_until_received(address: SocketAddr, user: String) -> Received {
    let credentials = credentials();
    let created_at = jiff::Timestamp::now().as_second();
    let plaintext = format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>{created_at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{QUESTION}]]></Content>\
         <MsgId>{}</MsgId><AgentID>1000002</AgentID></xml>",
        user.bytes().fold(7u64, |number, byte| number
            .wrapping_mul(31)
            .wrapping_add(u64::from(byte)))
    );
    let end = Instant::now() + PATIENCE;
    let mut replies = Vec::new();
    let mut delivery = 0;
    while replies.len() < 2 {
        assert!(Instant::now() < end, "the message of {user} was never received");
        delivery += 1;
        match deliver(address, &credentials, &plaintext, &user, delivery) {
            Some(reply) => replies.push(reply),
            None => std::thread::sleep(Duration::from_millis(30)),
        }
    }
    Received { user, replies }
}

/// One delivery; the reply, if the whole response arrived and was a 200.
pub(crate) fn deliver(
    address: SocketAddr,
    credentials: &Credentials,
    plaintext: &str,
    user: &str,
    delivery: u32,
) -> Option<String> {
    let fresh = Fresh {
        random_prefix: [7; 16],
        nonce: Nonce::parse(&format!("{user}-{delivery}"))?,
        timestamp: Seconds::from_unix(jiff::Timestamp::now().as_second())?,
    };
    let sealed = seal_callback(credentials, WireFormat::Xml, plaintext, "1000002", &fresh);
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!(
        "POST /callback/support?{} HTTP/1.1\r\nHost: bot\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
        sealed.query,
        sealed.body.len(),
        sealed.body
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    if body.is_empty() {
        return Some(String::new());
    }
    let reply = open_reply(credentials, body).ok()?;
    read_text_reply(&reply)
}

fn assert_intact(world: &World) {
    let connection = rusqlite::Connection::open(world.database()).unwrap();
    let found: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "ok");
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().expect("a number"))
}

/// Numbers that a seed brings again.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let now = jiff::Timestamp::now().as_nanosecond();
        let seed = number("JIEFENG_SEED", u64::try_from(now & i128::from(u32::MAX)).unwrap());
        println!("JIEFENG_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
