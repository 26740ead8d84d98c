//! What cannot be answered is kept for an admin, who can look at it, put it back or discard it.

use crate::platform::{World, wait_until};
use crate::program::Ran;
use crate::round::deliver;
use crate::server::credentials;
use serde_json::json;

fn lines(ran: &Ran) -> Vec<&str> {
    ran.out.lines().collect()
}

#[test]
fn a_genuine_message_that_cannot_be_read_is_acknowledged_and_kept() {
    let mut world = World::new("");
    world.start_server(&[]);
    let plaintext = "<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[\u{1b}[2J没有编号]]></Content></xml>";
    for delivery in 1..=2 {
        let reply = deliver(
            world.server_address(),
            &credentials(),
            plaintext,
            "unreadable",
            delivery,
        );
        assert_eq!(reply.as_deref(), Some(""), "{}", world.log());
    }
    let listed = world.run(&["messages", "list"]);
    assert_eq!((listed.status, lines(&listed).len()), (1, 1), "{}", listed.out);
    assert!(
        listed.out.starts_with("r1\t") && listed.out.contains("unreadable"),
        "{}",
        listed.out
    );
    assert!(!listed.out.contains("没有编号"), "{}", listed.out);
    let shown = world.run(&["messages", "show", "r1"]);
    assert_eq!(shown.status, 0);
    assert!(
        shown.out.contains("没有编号") && !shown.out.contains('\u{1b}'),
        "{}",
        shown.out
    );
    assert_eq!(world.run(&["messages", "discard", "r1"]).status, 0);
    assert_eq!(world.run(&["messages", "discard", "r1"]).status, 1);
    let listed = world.run(&["messages", "list", "--all"]);
    assert_eq!((listed.status, listed.out.as_str()), (0, ""));
    assert_eq!(world.run(&["messages", "show", "seven"]).status, 2);
}

#[test]
fn what_was_refused_is_sent_when_it_is_put_back() {
    let world = World::with_kf();
    world.control(
        "faults",
        json!({ "api": "kf/send_msg", "kind": "errcode", "value": 40_058, "count": 2 }),
    );
    // The menu is refused, and so is what is said instead of it.
    world.writes("wm1", "扫码进群失败");
    wait_until("a dead letter", || world.run(&["messages", "list"]).status == 1);
    assert!(world.seen_by("wm1").is_empty());
    let listed = world.run(&["messages", "list"]);
    let id = listed.out.split('\t').next().unwrap();
    assert!(listed.out.contains("errcode 40058"), "{}", listed.out);
    let shown = world.run(&["messages", "show", id]).out;
    let version = shown
        .lines()
        .nth(1)
        .and_then(|line| line.strip_prefix("made of knowledge "));
    assert!(version.is_some_and(|version| version.len() == 16), "{shown}");
    assert_eq!(world.run(&["messages", "requeue", id]).status, 0);
    world.answers_to("wm1", 1);
    assert_eq!(world.run(&["messages", "list", "--all"]).out, "");
}
