//! Backup and restore: a copy made under load takes the place of the lost database.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::platform::{World, wait_until, words};

fn customers(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

/// Many customers write at once, and WeCom takes its time, so that the bot is in the middle of it for a while.
fn write_all(world: &World, prefix: &str, count: usize) {
    world.control(
        "bulk",
        json!({ "open_kfid": "wk1", "customers": count, "messages": 1, "prefix": prefix, "callbacks": "each",
                "texts": ["加不了好友了，提示操作频繁", "被封了", "扫码进群失败"] }),
    );
}

#[track_caller]
fn wait_for_answers(world: &World, customers: &[String]) {
    wait_until("an answer for everybody", || {
        customers.iter().all(|customer| !world.seen_by(customer).is_empty())
    });
}

fn said_to(world: &World, customer: &str) -> Vec<String> {
    world.seen_by(customer).iter().map(words).collect()
}

/// The database and what SQLite keeps beside it.
fn destroy(database: &str) {
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{database}{end}"));
    }
}

#[test]
fn after_a_restore_what_wecom_still_has_comes_back_and_nobody_is_answered_twice() {
    let mut world = World::with_kf();
    let database = world.path("jiefeng.db");
    let copy = world.path("copy.db");
    let latency = json!({ "api": "kf/send_msg", "kind": "latency_ms", "value": 150, "probability": 1.0 });
    world.control("faults", latency);
    let early = customers("wmEarly", 5);
    write_all(&world, "wmEarly", 5);
    wait_for_answers(&world, &early);
    write_all(&world, "wmDuring", 300);
    wait_until("the middle of it", || {
        let sent = world.counters()["calls"]["kf/send_msg"].as_u64().unwrap_or_default();
        sent > 30
    });
    let made = world.run(&["backup", "--to", copy.to_str().unwrap()]);
    assert_eq!(made.status, 0, "{}{}", made.out, made.err);
    assert!(made.out.contains("looked through and whole"), "{}", made.out);
    let (during, late) = (customers("wmDuring", 300), customers("wmLate", 40));
    write_all(&world, "wmLate", 40);
    wait_for_answers(&world, &during);
    wait_for_answers(&world, &late);
    wait_until("everything sent", || {
        let (_, metrics) = world.get_from_server("/metrics");
        metrics.contains("jiefeng_outbox_rows{state=\"waiting\"} 0")
    });
    let all: Vec<&String> = early.iter().chain(&during).chain(&late).collect();
    let before: Vec<Vec<String>> = all.iter().map(|customer| said_to(&world, customer)).collect();
    world.kill_server();
    destroy(database.to_str().unwrap());
    world.writes("wmWhileAway", "扫码进群失败");
    fs::copy(&copy, &database).unwrap();
    world.start_server(&[]);
    assert!(world.log().contains("the database is a copy"), "{}", world.log());
    world.answers_to("wmWhileAway", 1);
    wait_until("what was answered since the copy is tried again and refused", || {
        world.counters()["duplicate_msgids_refused"]
            .as_u64()
            .unwrap_or_default()
            >= 40
    });
    wait_until("everything sent again", || {
        let (_, metrics) = world.get_from_server("/metrics");
        metrics.contains("jiefeng_outbox_rows{state=\"waiting\"} 0")
    });
    let after: Vec<Vec<String>> = all.iter().map(|customer| said_to(&world, customer)).collect();
    assert_eq!(before, after);
    world.writes("wmEarly0", "群满了拉不进人");
    wait_until("life going on", || {
        said_to(&world, "wmEarly0").concat().contains("拉不进人")
    });
    let (_, metrics) = world.get_from_server("/metrics");
    assert!(metrics.contains("jiefeng_outbox_rows{state=\"dead\"} 0"), "{metrics}");
}

#[test]
fn a_copy_is_for_its_owner_alone_and_takes_no_other_files_place() {
    let world = World::with_kf();
    let copy = world.path("copy.db");
    let run = |to: &PathBuf| world.run(&["backup", "--to", to.to_str().unwrap()]);
    assert_eq!(run(&copy).status, 0);
    let metadata = fs::metadata(&copy).unwrap();
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777,
        0o600
    );
    let again = run(&copy);
    assert_eq!(again.status, 2);
    assert!(again.err.contains("exists already"), "{}", again.err);
    let nowhere = run(&world.path("no/such/folder/copy.db"));
    assert_eq!(nowhere.status, 2);
    assert!(nowhere.err.contains("cannot write"), "{}", nowhere.err);
    assert!(!world.path("copy.db.partial").exists());
    assert_eq!(fs::metadata(&copy).unwrap().len(), metadata.len());
}
