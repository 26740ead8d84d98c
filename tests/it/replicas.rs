//! Several bots that share one PostgreSQL, against the real simulator: whoever writes is answered once, whichever of them is asked, and
//! whichever of them ends.
//!
//! Bots are killed at random moments, and end at named places (feature `failpoints`): a few of them in the suite, all in the long form.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiefeng::protocol::{WireFormat, open_reply, read_text_reply, seal_callback};

use crate::long::{Progress, Random, number, reached};
use crate::platform::{Replica, World, wait_until, words};
use crate::postgres_server::PostgresServer;
use crate::round::{CUSTOMERS, MEMBERS, QUESTION, Round};
use crate::server::{CORP_ID, credentials, fresh, now};

/// A company with 微信客服, two bots that share a new database, and what stands before them.
struct Company {
    world: World,
    url: String,
    replicas: Vec<Replica>,
    balancer: Balancer,
}

impl Company {
    fn new(environment: &[(&str, &str)]) -> Self {
        Self::with_bots(PostgresServer::shared().new_database(), &[environment, environment])
    }

    /// One bot for each of these environments.
    fn with_bots(url: String, environments: &[&[(&str, &str)]]) -> Self {
        let world = World::new("kf = true");
        world.open_account();
        let started = environments
            .iter()
            .map(|environment| world.start_replica(&url, environment));
        let replicas: Vec<Replica> = started.collect();
        let balancer = Balancer::start(world.server_address());
        let company = Self {
            world,
            url,
            replicas,
            balancer,
        };
        company.balance();
        company
    }

    fn balance(&self) {
        let addresses = self.replicas.iter().map(|replica| replica.address).collect();
        *self.balancer.replicas.lock().unwrap() = addresses;
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.replicas.iter().map(|replica| replica.address).collect()
    }

    /// A member writes to one of the bots; the words of the reply.
    fn member_writes(&self, replica: usize, member: &str, text: &str, number: u64) -> String {
        words_of(&self.receives(replica, &Written::now(member, text, number)))
    }

    /// One of the bots is delivered a message; the plaintext of its reply.
    fn receives(&self, replica: usize, message: &Written) -> String {
        let reply = message.deliver(&[self.replicas[replica].address]);
        reply.unwrap_or_else(|error| panic!("{error}"))
    }

    fn logs(&self) -> String {
        self.replicas.iter().map(Replica::log).collect()
    }
}

/// Passes connections on to one replica after the other, and to the next one where nobody listens.
struct Balancer {
    replicas: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    fn start(address: SocketAddr) -> Self {
        let replicas: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
        let (listener, known) = (TcpListener::bind(address).unwrap(), Arc::clone(&replicas));
        let turn = AtomicUsize::new(0);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut backends = known.lock().unwrap().clone();
                if !backends.is_empty() {
                    let first = turn.fetch_add(1, Ordering::Relaxed) % backends.len();
                    backends.rotate_left(first);
                }
                if let Some(server) = backends.iter().find_map(|backend| TcpStream::connect(backend).ok()) {
                    pass_on(client, server);
                }
            }
        });
        Self { replicas }
    }
}

fn pass_on(client: TcpStream, server: TcpStream) {
    let both = [
        (client.try_clone().unwrap(), server.try_clone().unwrap()),
        (server, client),
    ];
    for (mut from, mut to) in both {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
    }
}

/// What a member writes: the same with every delivery.
struct Written {
    plaintext: String,
    number: u64,
}

impl Written {
    fn now(member: &str, text: &str, number: u64) -> Self {
        let plaintext = format!(
            "<xml><ToUserName>{CORP_ID}</ToUserName><FromUserName>{member}</FromUserName><CreateTime>{now}</CreateTime>\
             <MsgType>text</MsgType><Content>{text}</Content><MsgId>{number}</MsgId><AgentID>1000002</AgentID></xml>",
            now = now()
        );
        Self { plaintext, number }
    }

    /// Delivers it to the first of these that takes it; the plaintext of the reply.
    fn deliver(&self, replicas: &[SocketAddr]) -> Result<String, String> {
        let fresh = fresh(self.number, now());
        let sealed = seal_callback(&credentials(), WireFormat::Xml, &self.plaintext, "1000002", &fresh);
        let request = format!(
            "POST /callback/support?{} HTTP/1.1\r\nHost: bot\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
            sealed.query,
            sealed.body.len(),
            sealed.body
        );
        let mut answer = String::new();
        for replica in replicas {
            // What is refused, or broken off without a byte of an answer, goes to the next one.
            match exchange(*replica, &request) {
                Ok(text) if !text.is_empty() => {
                    answer = text;
                    break;
                }
                Ok(_) => {}
                Err(error) => assert!(is_no_answer(error.kind()), "{error}"),
            }
        }
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        if !head.starts_with("HTTP/1.1 200") {
            return Err(format!("`{head}`"));
        }
        open_reply(&credentials(), body).map_err(|error| format!("{error:?}"))
    }
}

fn words_of(reply: &str) -> String {
    read_text_reply(reply).unwrap_or_default()
}

fn exchange(replica: SocketAddr, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(replica)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn is_no_answer(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

#[track_caller]
fn assert_answered_once(company: &Company, customer: &str) {
    wait_until(&format!("an answer to {customer}"), || {
        !company.world.seen_by(customer).is_empty()
    });
    let seen = company.world.seen_by(customer);
    assert_eq!(seen.len(), 1, "{customer}: {seen:?}\n{}", company.logs());
}

#[test]
fn two_bots_share_the_work_and_everybody_is_answered_once() {
    let company = Company::new(&[]);
    let customers: Vec<String> = (0..30).map(|number| format!("wmShared{number}")).collect();
    for (customer, number) in customers.iter().zip(0..) {
        company.world.writes(customer, QUESTION);
        let replica = usize::try_from(number % 2).unwrap();
        let reply = company.member_writes(replica, &format!("member{number}"), QUESTION, number);
        assert!(!reply.is_empty());
    }
    for customer in &customers {
        assert_answered_once(&company, customer);
    }
    let counters = company.world.counters();
    assert_eq!(counters["gettoken"], 1, "{counters}");
    assert_eq!(counters["most_pulls_in_flight"]["wk1"], 1, "{counters}");
}

#[test]
fn a_conversation_goes_on_at_the_other_bot_and_a_repeated_delivery_gets_the_same_reply() {
    let mut company = Company::new(&[]);
    let question = Written::now("LiXiaoyu", "加不了好友了，提示操作频繁", 1);
    let asked = company.receives(0, &question);
    assert_eq!(company.receives(1, &question), asked);
    company.replicas.remove(0).kill();
    assert_eq!(company.receives(0, &question), asked, "whoever gave it first is gone");
    let followed = company.member_writes(0, "LiXiaoyu", "多久", 2);
    assert!(followed != words_of(&asked) && followed.contains("小时"), "{followed}");
}

#[test]
fn when_a_bot_is_killed_the_other_one_takes_over_what_it_held() {
    let mut company = Company::new(&[]);
    for number in 0..20 {
        company.world.writes(&format!("wmKilled{number}"), QUESTION);
    }
    let killed = company.replicas.remove(0);
    company.balance();
    killed.kill();
    let begun = Instant::now();
    for number in 0..20 {
        assert_answered_once(&company, &format!("wmKilled{number}"));
    }
    println!("everybody was answered {:?} after a bot was killed", begun.elapsed());
    company.world.writes("wmAfter", QUESTION);
    assert_answered_once(&company, "wmAfter");
}

#[test]
fn whenever_one_of_two_bots_is_killed_everybody_is_answered_once() {
    let crashes = number("JIEFENG_CRASHES", 2);
    let mut random = Random::seeded();
    let mut company = Company::new(&[]);
    let mut progress = Progress::towards(crashes, "times killed");
    for first in (0..crashes).step_by(2) {
        // What two of them held is taken over after the same while.
        let rounds = (first..crashes.min(first + 2)).map(|crash| {
            let round = Round::begin(&company.world, &format!("r{crash}"));
            std::thread::sleep(Duration::from_millis(random.below(250)));
            let killed = usize::try_from(random.below(2)).unwrap();
            company.replicas.remove(killed).kill();
            company.balance();
            let started = company.world.start_replica(&company.url, &[]);
            company.replicas.push(started);
            company.balance();
            round
        });
        let rounds: Vec<Round> = rounds.collect();
        progress.is_at(first + u64::try_from(rounds.len()).unwrap());
        rounds.into_iter().for_each(|round| round.end(&company.world));
    }
    let in_flight = MEMBERS + CUSTOMERS;
    reached(&format!(
        "one of two bots killed {crashes} times with {in_flight} messages in flight: none lost, none answered twice"
    ));
}

/// Where bots end, one at each place, unless `JIEFENG_EVERY_PLACE` is set. Some end with an account in their hands, and each time the next
/// one has to wait until that one is taken for dead.
#[cfg(feature = "failpoints")]
const PLACES: [&str; 4] = ["after_step", "before_commit", "after_commit", "after_send"];

/// So many bots end beside one that does not.
#[cfg(feature = "failpoints")]
const ENDING_AT_A_TIME: usize = 5;

#[cfg(feature = "failpoints")]
#[test]
fn wherever_bots_end_the_one_that_is_left_answers_everybody_once() {
    let mut random = Random::seeded();
    let places: &[&str] = match std::env::var_os("JIEFENG_EVERY_PLACE") {
        Some(_) => &jiefeng::failpoint::ALL,
        None => &PLACES,
    };
    for places in places.chunks(ENDING_AT_A_TIME) {
        let ending = places.iter().map(|place| {
            let earlier = match *place {
                // A bot commits while it starts, too.
                "after_commit" => 30 + random.below(30),
                _ => 1 + random.below(3),
            };
            format!("{place}={earlier}*off->return")
        });
        let ending: Vec<String> = ending.collect();
        let ending: Vec<[(&str, &str); 1]> = ending.iter().map(|place| [("FAILPOINTS", place.as_str())]).collect();
        let mut bots: Vec<&[(&str, &str)]> = ending.iter().map(<[_; 1]>::as_slice).collect();
        bots.push(&[]);
        let company = Company::with_bots(PostgresServer::shared().new_database(), &bots);
        let ending = &company.replicas[..places.len()];
        // The platform keeps its connection, so that one of them has all customers until it ends.
        let addresses = ending.iter().map(|bot| bot.address).collect();
        *company.balancer.replicas.lock().unwrap() = addresses;
        let (mut round, mut looks) = (Round::begin(&company.world, places[0]), 0);
        wait_until(&format!("the ends at {places:?}"), || {
            if looks % 10 == 0 {
                round.one_more(&company.world);
                for bot in ending.iter().filter(|bot| bot.runs()) {
                    // It may end with this very message, and WeCom would deliver that one to another bot.
                    let message = Written::now(&format!("one-of-{}", bot.address.port()), QUESTION, looks);
                    let _ = message.deliver(&[bot.address]);
                }
            }
            looks += 1;
            ending.iter().all(|bot| !bot.runs())
        });
        company.balance();
        // What was said when nobody was there to hear of it is fetched with the next callback.
        round.one_more(&company.world);
        round.end(&company.world);
    }
    let places = places.len();
    reached(&format!(
        "bots ended at each of {places} places: none lost, none answered twice"
    ));
}

#[test]
fn while_the_database_is_away_callbacks_are_refused_and_afterwards_everybody_is_answered_once() {
    let server = PostgresServer::start();
    let company = Company::with_bots(server.new_database(), &[&[], &[]]);
    let ends: [fn(&PostgresServer); 2] = [PostgresServer::crash, PostgresServer::stop];
    for (end, number) in ends.iter().zip(1..) {
        let round = Round::begin(&company.world, &format!("d{number}"));
        end(&server);
        let message = Written::now("LiXiaoyu", QUESTION, number);
        let refused = message.deliver(&[company.replicas[0].address]).unwrap_err();
        assert!(refused.starts_with("`HTTP/1.1 503"), "{refused}");
        server.start_again();
        let reply = message.deliver(&[company.replicas[1].address]).unwrap();
        assert!(!words_of(&reply).is_empty(), "{reply}");
        round.end(&company.world);
    }
}

#[test]
fn a_bot_that_stands_still_for_a_while_answers_nobody_a_second_time() {
    let company = Company::new(&[]);
    for number in 0..10 {
        company.world.writes(&format!("wmStill{number}"), QUESTION);
    }
    company.replicas[0].signal("-STOP");
    *company.balancer.replicas.lock().unwrap() = vec![company.replicas[1].address];
    for number in 0..10 {
        assert_answered_once(&company, &format!("wmStill{number}"));
    }
    wait_until("the other bot's taking over", || {
        company.replicas[1].log().contains("processes=1")
    });
    company.replicas[0].signal("-CONT");
    company.balance();
    company.world.writes("wmAfter", QUESTION);
    assert_answered_once(&company, "wmAfter");
    wait_until("both bots", || {
        company.replicas[1].log().matches("processes=2").count() > 1
    });
    for number in 0..10 {
        assert_answered_once(&company, &format!("wmStill{number}"));
    }
}

#[test]
fn while_one_bot_after_the_other_is_replaced_no_callback_fails() {
    let mut company = Company::new(&[]);
    let over = Arc::new(AtomicBool::new(false));
    let addresses = Arc::new(Mutex::new(company.addresses()));
    let delivering: Vec<_> = (0..4u64)
        .map(|thread| {
            let (over, addresses) = (Arc::clone(&over), Arc::clone(&addresses));
            std::thread::spawn(move || {
                let mut number = thread << 32;
                while !over.load(Ordering::SeqCst) {
                    let mut replicas = addresses.lock().unwrap().clone();
                    let first = usize::try_from(number).unwrap() % replicas.len();
                    replicas.rotate_left(first);
                    number += 1;
                    let message = Written::now(&format!("rolling{thread}"), QUESTION, number);
                    let reply = message.deliver(&replicas);
                    assert!(reply.is_ok(), "{reply:?}");
                }
                number - (thread << 32)
            })
        })
        .collect();
    for _ in 0..2 {
        let replaced = company.replicas.remove(0);
        replaced.stop();
        let started = company.world.start_replica(&company.url, &[]);
        company.replicas.push(started);
        *addresses.lock().unwrap() = company.addresses();
        company.balance();
    }
    over.store(true, Ordering::SeqCst);
    let delivered: Vec<u64> = delivering.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(delivered.iter().all(|count| *count > 0), "{delivered:?}");
}

#[test]
fn of_two_bots_one_reminds() {
    let mut company = Company::new(&[("JIEFENG_NOW", "2026-11-23T09:50:00+08:00")]);
    let asked = company.member_writes(0, "LiXiaoyu", "我昨天提交申诉了", 1);
    assert!(asked.contains("要我记下"), "{asked}");
    let kept = company.member_writes(1, "LiXiaoyu", "好", 2);
    assert!(kept.contains("记下了"), "{kept}");
    company.replicas.drain(..).for_each(Replica::stop);
    let later = [("JIEFENG_NOW", "2026-11-25T10:00:30+08:00")];
    company.replicas = (0..2)
        .map(|_| company.world.start_replica(&company.url, &later))
        .collect();
    let reminders = || {
        let seen = company.world.seen_by_member("LiXiaoyu");
        seen.iter()
            .filter(|message| words(message).starts_with("申诉提醒"))
            .count()
    };
    wait_until("the reminder", || reminders() > 0);
    // Both have looked for reminders by the time that both have beaten twice.
    wait_until("both bots", || company.logs().matches("processes=2").count() > 0);
    let cancelled = company.member_writes(1, "LiXiaoyu", "取消", 3);
    assert!(cancelled.contains("取消了"), "{cancelled}");
    assert_eq!(reminders(), 1);
}

/// What answers a message is put to be sent together, so that whoever has seen a part of it has seen all of it then.
fn wait_until_nothing_is_unsent(world: &World) {
    wait_until("the end of what is to be sent", || {
        let (_, metrics) = world.get_from_server("/metrics");
        metrics.contains("jiefeng_outbox_rows{state=\"waiting\"} 0\n")
    });
}

#[test]
fn after_a_move_from_a_file_to_a_database_everything_goes_on_and_nobody_is_answered_twice() {
    let mut world = World::with_kf();
    world.writes("wmMoved", "加不了好友了，提示操作频繁");
    world.answers_to("wmMoved", 1);
    wait_until_nothing_is_unsent(&world);
    let before = world.seen_by("wmMoved").len();
    let asked = Written::now("LiXiaoyu", QUESTION, 1);
    let reply = asked.deliver(&[world.server_address()]).unwrap();
    let url = PostgresServer::shared().new_database();
    let file = format!("sqlite://{}", world.database().display());
    let secret = world.path("store-url");
    std::fs::write(&secret, &url).unwrap();
    let to = format!("@{}", secret.display());
    let too_early = crate::program::run(&["store", "copy", "--from", &file, "--to", &to]);
    assert!(
        too_early.status == 2 && too_early.err.contains("another server uses"),
        "{}",
        too_early.err
    );
    world.kill_server();
    world.writes("wmWaiting", QUESTION);
    let copied = crate::program::run(&["store", "copy", "--from", &file, "--to", &to]);
    assert_eq!(copied.status, 0, "{}", copied.err);
    assert!(copied.out.contains("kf_accounts\t1\n"), "{}", copied.out);
    assert!(!copied.out.contains(crate::postgres_server::PASSWORD), "{}", copied.out);
    let again = crate::program::run(&["store", "copy", "--from", &file, "--to", &to]);
    assert!(again.status == 2 && again.err.contains("is not empty"), "{}", again.err);

    let replica = world.start_replica(&url, &[]);
    let balancer = Balancer::start(world.server_address());
    balancer.replicas.lock().unwrap().push(replica.address);
    assert_eq!(asked.deliver(&[replica.address]), Ok(reply));
    world.writes("wmMoved", "多久");
    let answers = world.answers_to("wmMoved", before + 1);
    assert!(answers[before].contains("小时"), "{answers:?}");
    world.answers_to("wmWaiting", 1);
    wait_until_nothing_is_unsent(&world);
    for customer in ["wmMoved", "wmWaiting"] {
        let seen: Vec<String> = world.seen_by(customer).iter().map(words).collect();
        let different: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(different.len(), seen.len(), "{customer}: {seen:?}");
    }
    let in_use = crate::program::run(&["store", "copy", "--from", &to, "--to", "sqlite://unused.db"]);
    assert!(
        in_use.status == 2 && in_use.err.contains("a server uses"),
        "{}",
        in_use.err
    );
}
