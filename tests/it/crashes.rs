//! The bot is killed in the middle of everything, and started again: nobody may be left without an answer, and nobody may see two.
//!
//! The moments are random, or named places (feature `failpoints`).

use std::time::{Duration, Instant};

use crate::long::{Progress, Random, number, reached};
use crate::platform::World;
#[cfg(feature = "failpoints")]
use crate::platform::wait_until;
use crate::round::{CUSTOMERS, MEMBERS, Round};

#[test]
fn whenever_the_bot_is_killed_everybody_is_answered_once() {
    let crashes = number("JIEFENG_CRASHES", 4);
    let mut random = Random::seeded();
    let mut progress = Progress::towards(crashes, "times killed");
    let mut world = World::with_kf();
    let mut slowest = Duration::ZERO;
    for crash in 1..=crashes {
        let round = Round::begin(&world, &format!("c{crash}"));
        std::thread::sleep(Duration::from_millis(random.below(250)));
        world.kill_server();
        let killed = Instant::now();
        world.start_server(&[]);
        slowest = slowest.max(killed.elapsed());
        round.end(&world);
        progress.is_at(crash);
    }
    world.assert_database_intact();
    let in_flight = MEMBERS + CUSTOMERS;
    reached(&format!(
        "killed {crashes} times with {in_flight} messages in flight: none lost, none answered twice, ready again after {slowest:.1?} at the latest"
    ));
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
        world.assert_database_intact();
    }
    reached(&format!(
        "ended at each of {} places: none lost, none answered twice",
        jiefeng::failpoint::ALL.len()
    ));
}

#[cfg(feature = "failpoints")]
#[test]
fn a_message_that_ends_the_bot_every_time_becomes_a_dead_letter_and_keeps_nobody_else_waiting() {
    let mut world = World::with_kf();
    world.kill_server();
    world.writes("wmPoison", "扫码进群失败");
    for begun in 1..=3 {
        world.start_server(&[("FAILPOINTS", "after_claim=return")]);
        wait_until(&format!("end number {begun}"), || !world.server_runs());
        world.kill_server();
    }
    world.writes("wmOther", "扫码进群失败");
    world.start_server(&[]);
    let apology = world.answers_to("wmPoison", 1);
    let answers = world.answers_to("wmOther", 1);
    assert_ne!(apology[0], answers[0]);
    let listed = world.run(&["messages", "list"]);
    assert_eq!((listed.status, listed.out.lines().count()), (1, 1), "{}", listed.out);
}
