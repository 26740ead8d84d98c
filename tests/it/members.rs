//! What the app sends on its own account: reminders, cards, answers to its menu.

use serde_json::{Value, json};

use crate::platform::{World, wait_until, words};

fn writes(world: &World, text: &str) -> String {
    let delivered = world.control("member/write", json!({ "member": "LiXiaoyu", "text": text }));
    delivered["reply"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_appeal_that_is_followed_brings_a_reminder_on_the_third_business_day() {
    let mut world = World::new("");
    world.start_server(&[("JIEFENG_NOW", "2026-11-23T09:50:00+08:00")]);
    let standing = writes(&world, "我昨天提交申诉了");
    assert!(standing.contains("要我记下"), "{standing}");
    let kept = writes(&world, "好");
    assert!(kept.contains("记下了"), "{kept}");
    world.kill_server();
    world.start_server(&[("JIEFENG_NOW", "2026-11-25T10:00:30+08:00")]);
    wait_until("the reminder", || !reminders(&world).is_empty());
    assert!(
        reminders(&world)[0].contains("第 3 个工作日"),
        "{:?}",
        reminders(&world)
    );
    world.kill_server();
    world.start_server(&[("JIEFENG_NOW", "2026-11-25T10:05:00+08:00")]);
    assert_eq!(writes(&world, "取消"), "取消了，记下的申诉已经删掉。");
    assert_eq!(reminders(&world).len(), 1, "{:?}", reminders(&world));
}

fn reminders(world: &World) -> Vec<String> {
    let seen = world.seen_by_member("LiXiaoyu");
    seen.iter()
        .map(words)
        .filter(|text| text.starts_with("申诉提醒"))
        .collect()
}

fn kinds(world: &World) -> Vec<String> {
    let seen = world.seen_by_member("LiXiaoyu");
    seen.iter()
        .filter_map(|message| message["kind"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn options_are_buttons_of_a_card_where_that_is_switched_on() {
    let mut world = World::new("cards = true");
    world.start_server(&[]);
    let reply = writes(&world, "被封了");
    assert!(!reply.contains("【1】"), "{reply}");
    wait_until("the card", || kinds(&world).iter().any(|kind| kind == "template_card"));
    let seen = world.seen_by_member("LiXiaoyu");
    let card = seen.iter().find(|message| message["kind"] == "template_card").unwrap();
    let card = card["body"].clone();
    let key = card["button_list"][0]["key"].clone();
    world.control(
        "member/press",
        json!({ "member": "LiXiaoyu", "task_id": card["task_id"], "key": key }),
    );
    let is_answer = |message: &Value| message["kind"] == "text" && words(message).starts_with('【');
    wait_until("the answer and the changed card", || {
        let is_changed = kinds(&world).iter().any(|kind| kind == "card_update");
        is_changed && world.seen_by_member("LiXiaoyu").iter().any(is_answer)
    });
}

#[test]
fn the_menu_is_set_and_its_entries_are_answered() {
    let mut world = World::new("");
    world.start_server(&[]);
    let applied = world.run(&["menu", "apply"]);
    assert_eq!(applied.status, 0, "{}", applied.err);
    let clicked = |key: &str| {
        let delivered = world.control("member/click", json!({ "member": "LiXiaoyu", "key": key }));
        delivered["reply"].as_str().unwrap_or_default().to_owned()
    };
    let common = clicked("jiefeng:common");
    assert!(common.contains("常见情况") && common.contains("【1】"), "{common}");
    let human = clicked("jiefeng:human");
    assert!(human.contains("管理员"), "{human}");
    let progress = clicked("jiefeng:progress");
    assert!(progress.contains("哪天提交") || progress.contains("申诉"), "{progress}");
}

#[test]
fn a_wrong_secret_is_explained_and_not_tried_again_and_again() {
    let mut world = World::new("");
    world.start_server(&[
        ("JIEFENG_NOW", "2026-11-25T10:05:00+08:00"),
        ("JIEFENG__APPS__0__SECRET", "WrongSecret"),
    ]);
    writes(&world, "我18号提交申诉了");
    writes(&world, "好");
    world.kill_server();
    world.start_server(&[
        ("JIEFENG_NOW", "2026-11-27T10:05:00+08:00"),
        ("JIEFENG__APPS__0__SECRET", "WrongSecret"),
    ]);
    wait_until("the explanation", || world.log().contains("40001"));
    assert_eq!(world.counters()["gettoken"], 1);
    assert!(writes(&world, "封号了").len() > 10, "replies need no token");
}
