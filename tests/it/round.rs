//! Members and customers who each write one message while something goes wrong: each must see one answer.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiefeng::protocol::{Credentials, Fresh, Nonce, Seconds, WireFormat, open_reply, read_text_reply, seal_callback};

use crate::platform::{World, words as words_of};
use crate::server::{CORP_ID, credentials};

/// How many of each there are.
pub(crate) const MEMBERS: u32 = 12;
pub(crate) const CUSTOMERS: u32 = 12;

/// It is answered in one message.
pub(crate) const QUESTION: &str = "扫码进群失败";

/// What members ask, each something else than the next, and words of the answer that nobody else's has.
const ASKED: [(&str, &str); 3] = [
    (QUESTION, "是哪一种？"),
    ("群满了拉不进人", "【群满 500，拉不进人】"),
    ("加好友提示操作频繁", "【加好友太频繁，被限流】"),
];

/// How long a member's message is tried again until it is received. The platform gives up sooner; who tries longer finds more.
const PATIENCE: Duration = Duration::from_secs(90);

/// Everybody who writes.
pub(crate) struct Round {
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
    pub(crate) fn begin(world: &World, name: &str) -> Self {
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

    pub(crate) fn one_more(&mut self, world: &World) {
        world.writes(&format!("{}c{}", self.name, self.customers), QUESTION);
        self.customers += 1;
    }

    pub(crate) fn customers(&self) -> Vec<String> {
        let customer = |number| format!("{}c{number}", self.name);
        (0..self.customers).map(customer).collect()
    }

    /// Waits until everybody has been answered, and looks whether it was once.
    pub(crate) fn end(self, world: &World) {
        for customer in self.customers() {
            let answers = world.answers_to(&customer, 1);
            assert_eq!(answers.len(), 1, "{customer} saw more than one answer: {answers:?}");
        }
        for member in self.members {
            let received = member.join().unwrap();
            let (user, replies) = (&received.user, &received.replies);
            let sent: Vec<String> = world.seen_by_member(user).iter().map(words_of).collect();
            let received = replies.iter().filter(|reply| !reply.is_empty());
            let visible = usize::from(received.clone().next().is_some()) + sent.len();
            assert_eq!(visible, 1, "{user} saw {visible} answers: {replies:?} and {sent:?}");
            let (question, words) = asked_by(user);
            for answer in received.chain(&sent) {
                assert!(answer.contains(words), "{user}, who asked {question}, got {answer}");
            }
            let different: BTreeSet<&String> = replies.iter().collect();
            assert_eq!(different.len(), 1, "{user} got different replies: {replies:?}");
        }
    }
}

fn number_of(user: &str) -> u64 {
    user.bytes().fold(7u64, |number, byte| {
        number.wrapping_mul(31).wrapping_add(u64::from(byte))
    })
}

/// The question of a member, and words of its answer.
pub(crate) fn asked_by(user: &str) -> (&'static str, &'static str) {
    ASKED[number_of(user) as usize % ASKED.len()]
}

/// A member's message, made now.
pub(crate) fn message_of(user: &str) -> String {
    let created_at = jiff::Timestamp::now().as_second();
    let (number, (question, _)) = (number_of(user), asked_by(user));
    format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>{created_at}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{question}]]></Content>\
         <MsgId>{number}</MsgId><AgentID>1000002</AgentID></xml>"
    )
}

/// The same message again and again until it is received, and once more.
fn write_until_received(address: SocketAddr, user: String) -> Received {
    let (credentials, plaintext) = (credentials(), message_of(&user));
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
