//! 微信客服 from outside: customers, servicers and a platform that fails, with the real server.

use serde_json::{Value, json};

use crate::platform::{World, wait_until};
use crate::server::{CORP_ID, assert_tells_nothing, has_access_token, now};

fn menu_of(message: &Value) -> Vec<Value> {
    message["body"]["list"].as_array().cloned().unwrap_or_default()
}

#[track_caller]
fn assert_once_and_in_order(world: &World, customers: impl Iterator<Item = String>) {
    for customer in customers {
        let seen = world.seen_by(&customer);
        assert!(!seen.is_empty(), "{customer} was not answered\n{}", world.log());
        let mut ids: Vec<&str> = seen.iter().filter_map(|message| message["msgid"].as_str()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{customer} got something twice: {seen:?}");
    }
}

#[test]
fn a_question_is_answered_and_the_entry_that_is_tapped_leads_on() {
    let world = World::with_kf();
    world.writes("wm1", "被封了");
    let asked_back = world.answers_to("wm1", 1);
    let menu = &world.seen_by("wm1")[0];
    assert_eq!(menu["kind"], "msgmenu", "{asked_back:?}");
    let entries = menu_of(menu);
    assert!(entries.len() >= 2, "{menu}");
    let item = entries[0]["click"]["id"].clone();
    world.control(
        "customer/tap",
        json!({ "open_kfid": "wk1", "customer": "wm1", "item": item }),
    );
    let answers = world.answers_to("wm1", 2);
    assert!(answers[1].starts_with('【'), "{answers:?}");
    assert_eq!(world.counters()["gettoken"], 1);
}

#[test]
fn whoever_opens_the_conversation_is_welcomed_once() {
    let world = World::with_kf();
    world.control("customer/enter", json!({ "open_kfid": "wk1", "customer": "wm1" }));
    world.answers_to("wm1", 1);
    let welcome = &world.seen_by("wm1")[0];
    assert_eq!(menu_of(welcome).len(), 6, "{welcome}");
    world.control("customer/enter", json!({ "open_kfid": "wk1", "customer": "wm1" }));
    world.writes("wm1", "2");
    let answers = world.answers_to("wm1", 2);
    assert!(
        answers[1].starts_with('【'),
        "a number chooses of the welcome: {answers:?}"
    );
}

fn session_state(world: &World, customer: &str) -> Value {
    let sessions = world.read("sessions");
    let session = sessions["sessions"]
        .as_array()
        .and_then(|sessions| sessions.iter().find(|session| session["customer"] == customer));
    session.map_or(Value::Null, |session| session["state"].clone())
}

#[test]
fn a_person_takes_over_and_the_bot_is_silent_until_they_have_ended() {
    let world = World::with_kf();
    world.writes("wm1", "加不了好友了，提示操作频繁");
    world.answers_to("wm1", 2);
    world.writes("wm1", "转人工");
    let goodbye = world.answers_to("wm1", 3).remove(2);
    assert!(
        goodbye.contains("转给同事") && goodbye.contains("操作频繁"),
        "{goodbye}"
    );
    wait_until("the customer in the pool", || session_state(&world, "wm1") == 2);
    let with = |action: &str, more: Value| {
        let mut request = json!({ "open_kfid": "wk1", "customer": "wm1", "servicer": "zhangsan" });
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        world.control(action, request);
    };
    with("servicer/take", json!({}));
    world.writes("wm1", "群里发不了消息");
    with("servicer/write", json!({ "text": "我来看看" }));
    with("servicer/end", json!({}));
    world.writes("wm1", "加不了好友了，提示操作频繁");
    wait_until("the bot again", || {
        let seen = world.seen_by("wm1");
        seen.last().is_some_and(|last| last["sender"] == "bot") && seen.len() > 4
    });
    let seen = world.seen_by("wm1");
    let about_groups = |message: &Value| message["sender"] == "bot" && message.to_string().contains("群聊违规");
    assert!(
        !seen.iter().any(about_groups),
        "the bot spoke while a person served: {seen:?}"
    );
}

#[test]
fn when_nobody_receives_whoever_asks_for_a_person_is_told_so() {
    let world = World::with_kf();
    world.control(
        "servicer/duty",
        json!({ "open_kfid": "wk1", "servicer": "zhangsan", "on_duty": false }),
    );
    world.writes("wm9", "在吗");
    world.answers_to("wm9", 1);
    world.writes("wm1", "转人工");
    let told = world.answers_to("wm1", 1);
    assert!(told[0].contains("没有同事在接待"), "{told:?}");
    assert_ne!(session_state(&world, "wm1"), 2);
}

#[track_caller]
fn check_refused_transfer(code: i64) {
    let world = World::with_kf();
    world.control(
        "faults",
        json!({ "api": "kf/service_state/trans", "kind": "errcode", "value": code, "probability": 1.0 }),
    );
    world.writes("wm1", "转人工");
    let told = world.answers_to("wm1", 2);
    assert!(told[1].contains("没有同事在接待"), "{told:?}");
    world.writes("wm1", "加不了好友了，提示操作频繁");
    let answered = world.answers_to("wm1", 3);
    assert!(answered[2].contains("24"), "{answered:?}");
}

#[test]
fn when_the_transfer_is_refused_the_customer_is_told_and_the_bot_answers_on() {
    check_refused_transfer(95_014);
    check_refused_transfer(95_016);
    check_refused_transfer(95_013);
}

#[test]
fn a_thousand_customers_at_once_are_each_answered_once() {
    let world = World::with_kf();
    world.control(
        "bulk",
        json!({ "open_kfid": "wk1", "customers": 1000, "messages": 1, "prefix": "wm", "callbacks": "each",
                "texts": ["加不了好友了，提示操作频繁", "扫码进群失败", "封号了"] }),
    );
    wait_until("the last answer", || {
        let counters = world.counters();
        counters["calls"]["kf/send_msg"].as_u64().unwrap_or_default() >= 1000
            && !world.seen_by("wm999").is_empty()
            && !world.seen_by("wm500").is_empty()
    });
    wait_until("everything sent", || {
        (0..1000).all(|number| !world.seen_by(&format!("wm{number}")).is_empty())
    });
    assert_once_and_in_order(&world, (0..1000).map(|number| format!("wm{number}")));
    let counters = world.counters();
    assert_eq!(counters["gettoken"], 1, "{counters}");
    assert_eq!(counters["most_pulls_in_flight"]["wk1"], 1, "{counters}");
    assert_eq!(counters["duplicate_msgids_refused"], 0, "{counters}");
}

#[test]
fn a_platform_that_fails_three_times_in_ten_loses_and_repeats_nothing() {
    let world = World::with_kf();
    for (kind, value, carried_out) in [
        ("status", json!(503), false),
        ("status", json!(502), true),
        ("reset", Value::Null, true),
        ("errcode", json!(-1), false),
        ("wrong_json", Value::Null, false),
    ] {
        world.control(
            "faults",
            json!({ "api": "kf/*", "kind": kind, "value": value, "probability": 0.06, "seed": 7, "carried_out": carried_out }),
        );
    }
    world.control(
        "bulk",
        json!({ "open_kfid": "wk1", "customers": 60, "messages": 1, "prefix": "wm", "callbacks": "each",
                "texts": ["加不了好友了，提示操作频繁"] }),
    );
    // The answer, and the entries that lead on from it.
    wait_until("every answer complete", || {
        (0..60).all(|number| world.seen_by(&format!("wm{number}")).len() == 2)
    });
    assert_once_and_in_order(&world, (0..60).map(|number| format!("wm{number}")));
}

#[test]
fn a_token_that_ends_early_is_fetched_once_more() {
    let world = World::with_kf();
    world.writes("wm1", "封号了");
    world.answers_to("wm1", 1);
    world.control("token/expire", json!({}));
    for number in 2..12 {
        world.writes(&format!("wm{number}"), "封号了");
    }
    for number in 2..12 {
        world.answers_to(&format!("wm{number}"), 1);
    }
    assert_eq!(world.counters()["gettoken"], 2);
}

#[test]
fn callbacks_that_are_lost_repeated_or_overtake_each_other_change_nothing() {
    let world = World::with_kf();
    for kind in ["drop", "duplicate", "reorder"] {
        world.control(
            "faults",
            json!({ "api": "callback/kf_msg_or_event", "kind": kind, "probability": 0.3, "seed": 5 }),
        );
    }
    for number in 0..20 {
        world.writes(&format!("wm{number}"), "扫码进群失败");
    }
    world.clear_faults();
    world.control("ring", json!({ "open_kfid": "wk1" }));
    for number in 0..20 {
        world.answers_to(&format!("wm{number}"), 1);
    }
    assert_once_and_in_order(&world, (0..20).map(|number| format!("wm{number}")));
}

fn pulls(world: &World) -> u64 {
    world.counters()["calls"]["kf/sync_msg"].as_u64().unwrap_or_default()
}

fn refused_pulls(world: &World, code: &str) -> u64 {
    world.counters()["refused"]["kf/sync_msg"][code]
        .as_u64()
        .unwrap_or_default()
}

/// So many looks in a row must find nothing under way. Each goes through the bot and its store, as what leads to a pull does.
const QUIET_LOOKS: u32 = 20;

/// Waits until everything that makes the bot fetch is over, and gives the number of pulls by then.
///
/// The answer to a message does not say that: the pull that found it may have been that of the start, so that those for the listed account
/// and for the callback are still to come.
fn pulls_once_quiet(world: &World) -> u64 {
    let (mut count, mut quiet_looks) = (0, 0);
    wait_until("the end of all fetching", || {
        let before = std::mem::replace(&mut count, pulls(world));
        let is_quiet = before == count && nothing_is_under_way(world);
        quiet_looks = if is_quiet { quiet_looks + 1 } else { 0 };
        quiet_looks >= QUIET_LOOKS
    });
    count
}

/// Whether the accounts have been listed, no callback and no pull is on its way, and nothing was called for that has not been fetched.
fn nothing_is_under_way(world: &World) -> bool {
    let counters = world.counters();
    let (_, figures) = world.get_from_server("/metrics");
    counters["calls"]["kf/account/list"].is_u64()
        && counters["callbacks"]["in_flight"] == 0
        && counters["pulls_in_flight"]["wk1"] == 0
        && figures.contains("jiefeng_account_has_news{account=\"wk1\",app=\"support\"} 0\n")
}

#[test]
fn a_replayed_callback_burns_no_calls() {
    let world = World::with_kf();
    world.writes("wm1", "封号了");
    world.answers_to("wm1", 1);
    let before = pulls_once_quiet(&world);
    let callback = |token: &str, created_at: i64| {
        format!(
            "<xml><ToUserName>{CORP_ID}</ToUserName><CreateTime>{created_at}</CreateTime><MsgType>event</MsgType>\
             <Event>kf_msg_or_event</Event><Token>{token}</Token><OpenKfId>wk1</OpenKfId></xml>"
        )
    };
    let (dead, older) = (callback("DeadToken", now()), callback("OlderToken", now() - 200));
    for number in 0..50 {
        assert_eq!(world.deliver(&dead, number), 200);
        assert_eq!(world.deliver(&older, number), 200);
    }
    world.writes("wm2", "封号了");
    world.answers_to("wm2", 1);
    assert_eq!(refused_pulls(&world, "95007"), 1, "the dead token is tried once");
    let after = pulls_once_quiet(&world);
    assert!(after - before <= 4, "{} calls for 100 replays", after - before);
}

#[test]
fn a_backlog_without_a_callback_is_read_below_the_limit_and_the_next_callback_reads_on_at_once() {
    let mut world = World::new("kf = true");
    world.open_account();
    world.control("limits", json!({ "tokenless_pulls_per_minute": 6 }));
    world.control(
        "bulk",
        json!({ "open_kfid": "wk1", "customers": 9000, "messages": 1, "prefix": "wm", "callbacks": "none",
                "texts": ["封号了"], "ages_seconds": [200_000] }),
    );
    world.start_server(&[]);
    wait_until("six pages", || pulls(&world) >= 6);
    world.writes("wmNew", "封号了");
    world.answers_to("wmNew", 1);
    assert!(pulls(&world) >= 10, "{} pages of 9,001 messages", pulls(&world));
    assert_eq!(refused_pulls(&world, "45009"), 0);
}

#[test]
fn what_cannot_be_read_is_said_to_be_so_and_stops_nobody() {
    let world = World::with_kf();
    world.control(
        "customer/write",
        json!({ "open_kfid": "wk1", "customer": "wm1", "msgtype": "note", "body": {} }),
    );
    let told = world.answers_to("wm1", 1);
    assert!(told[0].contains("看不了"), "{told:?}");
    world.writes("wm2", "封号了");
    world.answers_to("wm2", 1);
}

#[test]
fn a_message_that_is_taken_back_before_it_was_read_is_not_answered() {
    let world = World::with_kf();
    world.control(
        "faults",
        json!({ "api": "kf/sync_msg", "kind": "latency_ms", "value": 400, "count": 1 }),
    );
    let written = world.writes("wm1", "封号了");
    world.control(
        "customer/recall",
        json!({ "open_kfid": "wk1", "customer": "wm1", "msgid": written["msgid"] }),
    );
    world.writes("wm1", "扫码进群失败");
    world.answers_to("wm1", 1);
    let said = world.answers_to("wm1", 1).concat();
    assert!(said.contains("扫码") && !said.contains("外挂"), "{said}");
}

#[test]
fn a_message_that_wecom_fails_to_deliver_is_not_sent_again() {
    let world = World::with_kf();
    world.control(
        "faults",
        json!({ "api": "kf/send_msg", "kind": "send_fail", "value": 13, "count": 1 }),
    );
    world.writes("wm1", "扫码进群失败");
    wait_until("the first message", || {
        world.counters()["send_attempts"].as_u64().unwrap_or_default() >= 1
    });
    world.writes("wm2", "扫码进群失败");
    let complete = world.answers_to("wm2", 1).len();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let attempts = world.counters()["send_attempts"].as_u64().unwrap_or_default();
    let seen = world.seen_by("wm1").len() + world.seen_by("wm2").len();
    assert!(attempts <= 2 * complete as u64 + 2, "{attempts} attempts, {seen} seen");
    assert_eq!(world.counters()["duplicate_msgids_refused"], 0);
}

#[test]
fn what_a_crash_interrupts_is_done_once_after_it() {
    let mut world = World::with_kf();
    world.control(
        "faults",
        json!({ "api": "kf/send_msg", "kind": "latency_ms", "value": 300, "probability": 1.0 }),
    );
    for round in 0..4 {
        world.control(
            "bulk",
            json!({ "open_kfid": "wk1", "customers": 30, "messages": 1, "prefix": format!("wm{round}x"), "callbacks": "each",
                    "texts": ["加不了好友了，提示操作频繁"] }),
        );
        std::thread::sleep(std::time::Duration::from_millis(120 + 170 * round));
        world.kill_server();
        world.start_server(&[]);
    }
    let customers = || (0..4).flat_map(|round| (0..30).map(move |number| format!("wm{round}x{number}")));
    wait_until("every customer answered", || {
        customers().all(|customer| !world.seen_by(&customer).is_empty())
    });
    assert_once_and_in_order(&world, customers());
}

#[test]
fn after_three_days_the_backlog_is_answered_once_for_each_customer_and_new_messages_first() {
    let mut world = World::new("kf = true");
    world.open_account();
    world.start_server(&[]);
    world.writes("wmFirst", "封号了");
    world.answers_to("wmFirst", 1);
    world.kill_server();
    let hour = 3600;
    world.control(
        "bulk",
        json!({ "open_kfid": "wk1", "customers": 2000, "messages": 5, "prefix": "wm", "callbacks": "none",
                "texts": ["封号了", "加不了好友了，提示操作频繁"],
                "ages_seconds": [70 * hour, 60 * hour, 30 * hour, 20 * hour, 3 * hour] }),
    );
    world.control(
        "faults",
        json!({ "api": "kf/send_msg", "kind": "latency_ms", "value": 60, "probability": 1.0 }),
    );
    world.start_server(&[]);
    wait_until("the backlog being answered", || {
        world.counters()["calls"]["kf/send_msg"].as_u64().unwrap_or_default() > 50
    });
    world.writes("wmNew", "扫码进群失败");
    world.answers_to("wmNew", 1);
    let sent_before = world.counters()["calls"]["kf/send_msg"].as_u64().unwrap();
    assert!(
        sent_before < 2000,
        "the new message waited for the backlog: {sent_before}"
    );
    wait_until("the whole backlog", || {
        (0..2000).all(|number| !world.seen_by(&format!("wm{number}")).is_empty())
    });
    assert_once_and_in_order(&world, (0..2000).map(|number| format!("wm{number}")));
    let refused = world.counters()["refused"]["kf/send_msg"].clone();
    assert!(refused.get("95001").is_none(), "the budget was exceeded: {refused}");
}

#[test]
fn a_bot_that_starts_for_the_first_time_leaves_old_messages_alone() {
    let mut world = World::new("kf = true");
    world.open_account();
    world.control(
        "customer/write",
        json!({ "open_kfid": "wk1", "customer": "wmOld", "text": "封号了", "age_seconds": 660 }),
    );
    world.control(
        "customer/write",
        json!({ "open_kfid": "wk1", "customer": "wmNow", "text": "封号了", "age_seconds": 60 }),
    );
    world.start_server(&[]);
    world.answers_to("wmNow", 1);
    assert_eq!(world.seen_by("wmOld"), Vec::<Value>::new());
}

#[test]
fn the_accounts_are_listed_with_what_keeps_them_from_being_served() {
    let world = World::with_kf();
    world.control("kf/accounts", json!({ "open_kfid": "wk2", "granted": false }));
    let listed = world.run(&["kf"]);
    assert_eq!(listed.status, 1, "{}{}", listed.out, listed.err);
    assert!(
        listed.out.contains("1 of 1 servicer(s) receive now") && listed.out.contains("link https://"),
        "{}",
        listed.out
    );
    assert!(listed.out.contains("this app may not serve it"), "{}", listed.out);
}

#[test]
fn no_log_has_a_secret_or_what_somebody_wrote_at_any_level() {
    let mut world = World::new("kf = true");
    world.open_account();
    world.start_server(&[("RUST_LOG", "trace")]);
    world.writes("wmCanaryOfACustomer", "canarytext 封号了");
    world.answers_to("wmCanaryOfACustomer", 1);
    let (status, metrics) = world.get_from_server("/metrics");
    assert_eq!(status, 200);
    assert_tells_nothing(&metrics, &["canarytext".to_owned(), "wmCanaryOfACustomer".to_owned()]);
    assert!(world.log().contains("TRACE"), "{}", world.log());
}

#[test]
fn a_token_of_the_simulator_would_be_recognised() {
    let world = World::new("");
    let given = world.get_from_platform(&format!("/cgi-bin/gettoken?corpid={CORP_ID}&corpsecret=CanarySecret9Z"));
    assert!(has_access_token(given.as_bytes()), "{given}");
    assert!(!has_access_token(given.replace('-', "").as_bytes()));
}
