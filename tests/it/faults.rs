//! What happens to a machine: the process stands still, the database is held, the disk is full or read-only, the clock jumps. Nothing may
//! be acknowledged that is not stored, and once it is over everything goes on by itself, and nobody has been left out or answered twice.
//!
//! How often each of it happens: `JIEFENG_FAULTS`, once in the suite.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::Connection;
use rustix::io::Errno;
use serde_json::json;

use crate::faulty_system::FaultySystem;
use crate::long::{Progress, Random, number, reached};
use crate::platform::{World, wait_until, words};
use crate::round::{CUSTOMERS, Round, deliver, message_of};
use crate::server::credentials;

/// What a process holds is taken from it after 15 seconds of silence.
const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(17);

const A_DAY: i64 = 24 * 3600;

/// Has it happen as often as is wanted, and says so.
fn again_and_again(what: &'static str, mut happen: impl FnMut(&str)) {
    let times = number("JIEFENG_FAULTS", 1);
    let mut progress = Progress::towards(times, what);
    for time in 1..=times {
        happen(&format!("r{time}"));
        progress.is_at(time);
    }
    reached(&format!("{times} times {what}: none lost, none answered twice"));
}

/// A company on a system that can be made faulty.
fn world_on(system: &FaultySystem, environment: &[(&str, &str)]) -> World {
    let mut world = World::new("kf = true");
    world.open_account();
    world.start_server(&[&system.environment(), environment].concat());
    world
}

/// The platform takes its time, so that there is something under way.
fn send_slowly(world: &World) {
    let latency = json!({ "api": "kf/send_msg", "kind": "latency_ms", "value": 700 });
    world.control("faults", latency);
}

fn sends(world: &World) -> u64 {
    let counters = world.counters();
    counters["calls"]["kf/send_msg"].as_u64().unwrap_or_default()
}

/// Waits until the bot has taken something that waits in this table and has not come to an end with it.
fn wait_until_taken_from(table: &str, world: &World) {
    let beside = Connection::open(world.database()).unwrap();
    let taken = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE owner IS NOT NULL AND fate IS NULL)");
    wait_until(&format!("something under way from the {table}"), || {
        beside.query_row(&taken, [], |row| row.get(0)).unwrap()
    });
}

fn delivered(world: &World, user: &str, delivery: u32) -> Option<String> {
    let address = world.server_address();
    deliver(address, &credentials(), &message_of(user), user, delivery)
}

fn wait_until_ready(world: &World) {
    wait_until("readiness", || world.get_from_server("/readyz").0 == 200);
}

/// Whoever was answered asks again: nothing of theirs is in the way.
fn ask_again(world: &World, customers: &[String]) {
    for customer in customers {
        world.writes(customer, "群满了拉不进人");
    }
    for customer in customers {
        let answers = world.answers_to(customer, 2);
        let different: BTreeSet<&String> = answers.iter().collect();
        assert_eq!(different.len(), answers.len(), "{customer} saw {answers:?}");
    }
}

#[track_caller]
fn assert_nothing_panicked(world: &World) {
    assert!(!world.log().contains("panicked"), "{}", world.log());
}

#[test]
fn a_process_that_stood_still_for_longer_than_a_lease_goes_on_as_if_nothing_had_been() {
    let world = World::with_kf();
    send_slowly(&world);
    let mut random = Random::seeded();
    again_and_again("stopped for longer than a lease", |time| {
        let before = Round::begin(&world, &format!("{time}before"));
        std::thread::sleep(Duration::from_millis(random.below(400)));
        world.signal_server("-STOP");
        let during = Round::begin(&world, &format!("{time}during"));
        std::thread::sleep(LONGER_THAN_A_LEASE);
        world.signal_server("-CONT");
        let customers = [before.customers(), during.customers()].concat();
        before.end(&world);
        during.end(&world);
        ask_again(&world, &customers);
    });
    assert_nothing_panicked(&world);
    world.assert_database_intact();
}

#[test]
fn while_another_process_holds_the_database_nothing_is_acknowledged() {
    let world = World::with_kf();
    send_slowly(&world);
    let another = Connection::open(world.database()).unwrap();
    another.busy_timeout(Duration::from_secs(30)).unwrap();
    again_and_again("held the database", |time| {
        let before = Round::begin(&world, &format!("{time}before"));
        wait_until_taken_from("outbox", &world);
        another.execute_batch("BEGIN IMMEDIATE").unwrap();
        let during = Round::begin(&world, &format!("{time}during"));
        assert_eq!(delivered(&world, &format!("{time}early"), 1), None);
        wait_until("not ready", || {
            world.get_from_server("/readyz") == (503, "not ready: store\n".to_owned())
        });
        assert_eq!(world.get_from_server("/healthz").0, 200);
        another.execute_batch("ROLLBACK").unwrap();
        wait_until_ready(&world);
        let customers = [before.customers(), during.customers()].concat();
        before.end(&world);
        during.end(&world);
        ask_again(&world, &customers);
    });
    assert!(world.log().contains("database is locked"), "{}", world.log());
    assert_nothing_panicked(&world);
    world.assert_database_intact();
}

/// Has the disk fail while answers are made and while they are sent.
fn survive_a_disk(error: Errno, what: &'static str, told: &str) {
    let system = FaultySystem::new();
    // With the feature `failpoints` there is time enough to find answers being made.
    let world = world_on(&system, &[("FAILPOINTS", "after_claim=sleep(300)")]);
    send_slowly(&world);
    again_and_again(what, |time| {
        #[cfg(feature = "failpoints")]
        fail_while_taken_from("inbox", &world, &system, error, time);
        fail_while_taken_from("outbox", &world, &system, error, time);
    });
    assert!(world.log().contains(told), "{}", world.log());
    assert_nothing_panicked(&world);
    world.assert_database_intact();
}

/// Has the disk fail while everybody writes, until WeCom has given up on the callbacks of customers.
fn fail_while_taken_from(table: &str, world: &World, system: &FaultySystem, error: Errno, time: &str) {
    let before = Round::begin(world, &format!("{time}{table}before"));
    wait_until_taken_from(table, world);
    let refused = || world.log().matches("WeCom will deliver the event again").count();
    let unsettled = || world.log().matches("how sending went cannot be stored").count();
    let (refused_before, unsettled_before) = (refused(), unsettled());
    system.writing_fails(error);
    let during = Round::begin(world, &format!("{time}{table}during"));
    assert_eq!(delivered(world, &format!("{time}{table}early"), 1), None);
    wait_until("not ready", || {
        world.get_from_server("/readyz") == (503, "not ready: store\n".to_owned())
    });
    assert_eq!(world.get_from_server("/healthz").0, 200);
    let all_tries = 3 * CUSTOMERS as usize;
    wait_until("the last try", || refused() >= refused_before + all_tries);
    if table == "outbox" {
        wait_until("a send that cannot be settled", || unsettled() > unsettled_before);
    }
    system.writing_works();
    wait_until_ready(world);
    let customers = [before.customers(), during.customers()].concat();
    before.end(world);
    during.end(world);
    ask_again(world, &customers);
}

#[test]
fn a_full_disk_is_told_and_nothing_acknowledged_until_there_is_room_again() {
    survive_a_disk(Errno::NOSPC, "filled the disk", "database or disk is full");
}

#[test]
fn a_disk_that_becomes_read_only_is_told_and_nothing_acknowledged_until_it_can_be_written_again() {
    survive_a_disk(Errno::ROFS, "made the disk read-only", "disk I/O error");
}

#[test]
fn on_a_read_only_disk_the_server_does_not_start_and_says_why() {
    let system = FaultySystem::new();
    let mut world = world_on(&system, &[]);
    world.kill_server();
    system.writing_fails(Errno::ROFS);
    let config = world.path("jiefeng.toml");
    let mut serve = crate::program::jiefeng(&["serve", "--config", config.to_str().unwrap()]);
    let ended = serve.envs(system.environment()).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    let database = world.database();
    let expected = format!("`{}`: Read-only file system", database.display());
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_clock_that_jumps_by_a_day_and_back_delays_and_repeats_nothing() {
    let system = FaultySystem::new();
    let world = world_on(&system, &[("JIEFENG_NOW", "2026-11-24T10:05:00+08:00")]);
    for text in ["我22号提交申诉了", "好"] {
        world.control("member/write", json!({ "member": "LiXiaoyu", "text": text }));
    }
    let old = message_of("old");
    let delivered_old = |delivery| deliver(world.server_address(), &credentials(), &old, "old", delivery).unwrap();
    let reply = delivered_old(1);
    let mut deliveries = 1;
    again_and_again(
        "put the clock a day forward and back, and a day back and forward",
        |time| {
            for (name, seconds) in [("forward", A_DAY), ("back", -A_DAY)] {
                world.control(
                    "faults",
                    json!({ "api": "kf/send_msg", "kind": "status", "value": 503 }),
                );
                let before = Round::begin(&world, &format!("{time}{name}"));
                let sent = sends(&world);
                wait_until("something that waits", || sends(&world) > sent);
                system.clock_is_wrong_by(seconds);
                assert_eq!(delivered(&world, &format!("{time}{name}early"), 1), None);
                let sent = sends(&world);
                wait_until("something that waits by the wrong clock", || sends(&world) > sent);
                if seconds > 0 {
                    wait_until("the reminder", || reminders(&world) == 1);
                    // What is noted of the token by the wrong clock keeps nobody from fetching another.
                    world.control("token/expire", json!({}));
                }
                system.clock_is_wrong_by(0);
                world.clear_faults();
                let customers = before.customers();
                before.end(&world);
                deliveries += 1;
                assert_eq!(delivered_old(deliveries), reply);
                ask_again(&world, &customers);
            }
        },
    );
    assert_eq!(reminders(&world), 1);
    assert!(world.log().contains("is the clock right?"), "{}", world.log());
    assert_nothing_panicked(&world);
    world.assert_database_intact();
}

fn reminders(world: &World) -> usize {
    let seen = world.seen_by_member("LiXiaoyu");
    seen.iter()
        .filter(|message| words(message).starts_with("申诉提醒"))
        .count()
}
