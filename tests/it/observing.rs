//! Figures, readiness and the log: what an admin sees of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::platform::{World, wait_until};
use crate::server::{Server, free_address};

const SAMPLES: &str = "allow_sample_credentials = true\n";

/// The value of a line of the figures.
#[track_caller]
fn figure(text: &str, line: &str) -> f64 {
    let found = text
        .lines()
        .find_map(|other| other.strip_prefix(line)?.strip_prefix(' '));
    found
        .unwrap_or_else(|| panic!("`{line}` is not in\n{text}"))
        .parse()
        .unwrap()
}

#[test]
fn every_step_of_a_callback_is_measured() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    server.says("LiXiaoyu", 1, "进不了群");
    server.says("LiXiaoyu", 1, "进不了群");
    let text = server.get("/metrics").body;
    for (step, count) in [("open", 2.0), ("store", 2.0), ("step", 1.0), ("seal", 2.0)] {
        let line = format!("jiefeng_callback_seconds_count{{step=\"{step}\"}}");
        assert!((figure(&text, &line) - count).abs() < f64::EPSILON, "{step}:\n{text}");
    }
    assert!(
        (figure(&text, "jiefeng_callback_answer_seconds_count") - 2.0).abs() < f64::EPSILON,
        "{text}"
    );
    let parts =
        ["open", "store", "step", "seal"].map(|step| format!("jiefeng_callback_seconds_sum{{step=\"{step}\"}}"));
    let of_steps: f64 = parts.iter().map(|line| figure(&text, line)).sum();
    let all = figure(&text, "jiefeng_callback_answer_seconds_sum");
    assert!(all >= of_steps, "{all} s, of which {of_steps} s:\n{text}");
    assert!(figure(&text, "jiefeng_ready{check=\"store\"}") > 0.5, "{text}");
    assert!(figure(&text, "jiefeng_disk_free_bytes") > 0.0, "{text}");
    for part in ["main", "wal"] {
        let line = format!("jiefeng_database_bytes{{part=\"{part}\"}}");
        assert!(figure(&text, &line) >= 4096.0, "{text}");
    }
    assert!(text.contains("jiefeng_knowledge_info{version=\""), "{text}");
    assert!(text.contains("jiefeng_build_info{version=\""), "{text}");
}

#[test]
fn the_figures_can_have_an_address_of_their_own() {
    let folder = TempDir::new().unwrap();
    let address = free_address();
    let keys = format!("{SAMPLES}metrics_listen = \"{address}\"");
    let mut server = Server::start_with(folder.path(), &keys, &[]);
    assert_eq!(server.get("/metrics").status, 404);
    let callbacks = std::mem::replace(&mut server.address, address);
    assert!(server.get("/metrics").body.contains("jiefeng_callbacks_total"));
    assert_eq!(server.get("/callback/support").status, 404);
    server.address = callbacks;
    assert_eq!(server.get("/readyz").body, "ready\n");
}

/// Makes the database impossible to write, as a full disk does.
fn take_away(folder: &TempDir) {
    fs::rename(folder.path().join("jiefeng.db"), folder.path().join("away.db")).unwrap();
}

#[test]
fn readiness_names_what_fails() {
    let folder = TempDir::new().unwrap();
    let server = Server::start_with(folder.path(), &format!("{SAMPLES}drain_seconds = 5"), &[]);
    take_away(&folder);
    wait_until("not ready", || server.get("/readyz").status == 503);
    assert_eq!(server.get("/readyz").body, "not ready: store\n");
    assert_eq!(server.get("/healthz").status, 200);
    let text = server.get("/metrics").body;
    assert!(figure(&text, "jiefeng_ready{check=\"store\"}") < 0.5, "{text}");
    server.signal("-TERM");
    wait_until("draining", || server.get("/readyz").body.contains("accepting"));
    assert_eq!(server.get("/readyz").body, "not ready: store, accepting\n");
}

/// The value of a field in a line of the log.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(&format!("{name}=\"")).nth(1)?.split('"').next()
}

#[test]
fn a_message_can_be_followed_from_its_callback_to_what_is_sent() {
    let mut world = World::new("cards = true");
    world.start_server(&[]);
    let asked = serde_json::json!({ "member": "LiXiaoyu", "text": "被封了" });
    world.control("member/write", asked);
    wait_until("the card being sent", || world.log().contains(": sent "));
    let log = world.log();
    let received = log.lines().find(|line| line.contains(": message ")).unwrap();
    let sent = log.lines().find(|line| line.contains(": sent ")).unwrap();
    let name = field(received, "message_hash").unwrap();
    assert!(name.len() >= 8, "{received}");
    assert_eq!(field(sent, "message_hash"), Some(name), "{log}");
    let request = received.split("callback{request=").nth(1).unwrap();
    assert_eq!(request.find('}'), Some(8), "{received}");
    for step in ["open=", "store=", "step=", "seal=", "fate=\"answered\""] {
        assert!(received.contains(step), "{received}");
    }
}

#[test]
fn a_fetched_message_can_be_followed_to_what_is_sent() {
    let mut world = World::new("kf = true");
    world.open_account();
    world.start_server(&[("RUST_LOG", "jiefeng=debug")]);
    world.writes("wm1", "扫码进群失败");
    world.answers_to("wm1", 1);
    wait_until("the line of it", || world.log().contains(": sent "));
    let log = world.log();
    let name_in = |words: &str| {
        let line = log
            .lines()
            .find(|line| line.contains(words))
            .unwrap_or_else(|| panic!("{log}"));
        field(line, "message_hash").unwrap().to_owned()
    };
    let name = name_in(": waits for an answer ");
    assert_eq!(name_in("open_kf_id=\"wk1\" fate=\"answered\""), name, "{log}");
    assert_eq!(name_in(": sent "), name, "{log}");
}

/// The lines of a log that tell the ends of messages that were fetched.
fn ends_in(log: &str) -> Vec<&str> {
    let is_end = |line: &&str| line.contains(": message ") && line.contains(" open_kf_id=\"wk1\"");
    log.lines().filter(is_end).collect()
}

/// The value of a field that is a number, in a line of the log.
fn number(line: &str, name: &str) -> Option<u64> {
    let rest = line.split(&format!(" {name}=")).nth(1)?;
    rest.split(' ').next()?.parse().ok()
}

/// How often each fate is told.
fn fates_in(log: &str) -> BTreeMap<String, usize> {
    let mut fates = BTreeMap::new();
    for end in ends_in(log) {
        *fates.entry(field(end, "fate").unwrap().to_owned()).or_default() += 1;
    }
    fates
}

/// How many items the pages had that a log tells.
fn items_in(log: &str) -> usize {
    let pages = log.lines().filter(|line| line.contains(": fetched a page "));
    let items = pages.filter_map(|page| number(page, "items"));
    items.map(|count| usize::try_from(count).unwrap()).sum()
}

/// A bot that has found messages of every kind: what it left to a person, what was taken back, what came too late.
fn with_every_fate() -> World {
    let mut world = World::with_kf();
    world.writes("wm0", "扫码进群失败");
    world.answers_to("wm0", 1);
    world.kill_server();
    for _ in 0..5 {
        world.writes("wm1", "加不了好友了，提示操作频繁");
    }
    let written = world.writes("wm2", "封号了");
    let of = |customer: &str, more: Value| {
        let mut request = json!({ "open_kfid": "wk1", "customer": customer });
        request
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        request
    };
    world.control("customer/recall", of("wm2", json!({ "msgid": written["msgid"] })));
    let long_ago = json!({ "text": "封号了", "age_seconds": 49 * 3600 });
    world.control("customer/write", of("wm3", long_ago));
    world.start_server(&[]);
    world.control("customer/enter", json!({ "open_kfid": "wk1", "customer": "wm5" }));
    world.writes("wm4", "转人工");
    let is_handed_over = |session: &Value| session["customer"] == "wm4" && session["state"] == 2;
    wait_until("the customer in the pool", || {
        let sessions = world.read("sessions");
        sessions["sessions"]
            .as_array()
            .is_some_and(|all| all.iter().any(is_handed_over))
    });
    world.control("servicer/take", of("wm4", json!({ "servicer": "zhangsan" })));
    world.writes("wm4", "群里发不了消息");
    let said = json!({ "servicer": "zhangsan", "text": "我来看看" });
    world.control("servicer/write", of("wm4", said));
    wait_until("every message at its end", || {
        fates_in(&world.log()).contains_key("servicer") && ends_in(&world.log()).len() == items_in(&world.log())
    });
    world
}

#[test]
fn of_every_fetched_message_the_log_tells_its_fate_and_its_times_once() {
    let world = with_every_fate();
    let log = world.log();
    let (ends, fates) = (ends_in(&log), fates_in(&log));
    let names: BTreeSet<&str> = ends.iter().map(|end| field(end, "message_hash").unwrap()).collect();
    assert_eq!(names.len(), ends.len(), "one is told twice:\n{log}");
    let told: Vec<&str> = fates.keys().map(String::as_str).collect();
    let all = [
        "answered", "covered", "expired", "human", "noted", "recalled", "servicer",
    ];
    assert_eq!(told, all, "{log}");
    for end in &ends {
        let fate = field(end, "fate").unwrap();
        let [waited, step, store, micros] = ["waited", "step", "store", "micros"].map(|name| number(end, name));
        assert!(step.is_some() || fate != "answered", "{end}");
        let waits = ["answered", "covered", "expired", "recalled"].contains(&fate);
        assert_eq!(waited.is_some(), waits, "{end}");
        let known = waited.unwrap_or_default() + store.unwrap();
        assert!(micros.unwrap() >= known, "{end}");
    }
    let (_, text) = world.get_from_server("/metrics");
    for (fate, count) in &fates {
        let line = format!("jiefeng_fetched_messages_total{{fate=\"{fate}\"}}");
        assert!(
            (figure(&text, &line) - *count as f64).abs() < f64::EPSILON,
            "{fate}:\n{text}"
        );
    }
    for since in ["sent", "fetched"] {
        let line = format!("jiefeng_customer_answer_seconds_count{{since=\"{since}\"}}");
        // One of them is the welcome.
        let answered = fates["answered"] as f64 - 1.0;
        assert!(
            (figure(&text, &line) - answered).abs() < f64::EPSILON,
            "{since}:\n{text}"
        );
    }
}

#[test]
fn what_is_fetched_a_second_time_is_counted_and_not_told() {
    let mut world = World::with_kf();
    for number in 0..3 {
        let customer = format!("wm{number}");
        world.writes(&customer, "扫码进群失败");
        world.answers_to(&customer, 1);
    }
    wait_until("three in the log", || items_in(&world.log()) == 3);
    world.kill_server();
    let database = rusqlite::Connection::open(world.database()).unwrap();
    database.execute("UPDATE kf_accounts SET cursor = NULL", []).unwrap();
    drop(database);
    world.start_server(&[]);
    wait_until("the page", || items_in(&world.log()) == 3);
    let (_, text) = world.get_from_server("/metrics");
    let repeated = figure(&text, "jiefeng_fetched_messages_total{fate=\"repeated\"}");
    assert!((repeated - 3.0).abs() < f64::EPSILON, "{text}");
    assert_eq!(ends_in(&world.log()), [""; 0]);
}

#[test]
fn what_wecom_suspends_is_told() {
    let world = World::with_kf();
    let line = "jiefeng_gate_closed_until_timestamp_seconds{api=\"kf/send_msg\",app=\"support\"}";
    let closed_until = || figure(&world.get_from_server("/metrics").1, line);
    assert!(closed_until() < 1.0);
    // Too many calls: for a minute.
    world.control(
        "faults",
        json!({ "api": "kf/send_msg", "kind": "errcode", "value": 45_009, "count": 1 }),
    );
    let begun = crate::server::now();
    world.writes("wm1", "扫码进群失败");
    wait_until("the suspension", || closed_until() > begun as f64);
    let (_, text) = world.get_from_server("/metrics");
    let suspensions = figure(&text, "jiefeng_gates_closed_total{api=\"kf/send_msg\"}");
    assert!((suspensions - 1.0).abs() < f64::EPSILON, "{text}");
}

/// How many messages are being sent, as the database of the bot says.
fn under_way(world: &World) -> u32 {
    let database = rusqlite::Connection::open(world.database()).unwrap();
    let sql = "SELECT count(*) FROM outbox WHERE fate IS NULL AND owner IS NOT NULL";
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_bot_tells_what_it_took_over_from_one_that_was_killed() {
    let mut world = World::with_kf();
    let told = |world: &World, line: &str| figure(&world.get_from_server("/metrics").1, line);
    let (sends, fetched, found) = (
        "jiefeng_taken_over_total{what=\"send\"}",
        "jiefeng_token_refreshes_total{result=\"fetched\"}",
        "jiefeng_token_refreshes_total{result=\"found\"}",
    );
    world.control(
        "faults",
        json!({ "api": "kf/send_msg", "kind": "latency_ms", "value": 60_000, "count": 1 }),
    );
    world.writes("wm1", "扫码进群失败");
    wait_until("a message under way", || under_way(&world) == 1);
    assert!(told(&world, sends) < 0.5 && told(&world, fetched) > 0.5 && told(&world, found) < 0.5);
    world.kill_server();
    world.clear_faults();
    world.start_server(&[]);
    wait_until("what was taken over", || told(&world, sends) > 0.5);
    world.answers_to("wm1", 1);
    assert!(told(&world, sends) < 1.5 && told(&world, fetched) < 0.5 && told(&world, found) > 0.5);
}

#[test]
fn in_json_every_line_of_the_log_is_an_object() {
    let folder = TempDir::new().unwrap();
    let server = Server::start_logging_json(folder.path());
    server.says("LiXiaoyu", 1, "进不了群");
    server.get("/callback/no%1Bwhere?x=1");
    server.assert_logs("\"fate\":\"answered\"");
    server.assert_logs("names no configured app");
    for line in server.log().lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object["timestamp"].is_string() && object["level"].is_string(), "{line}");
        assert_eq!(
            line.matches("\"message\":").count(),
            1,
            "a field hides the words of {line}"
        );
    }
}

#[test]
fn a_server_that_has_run_out_of_descriptors_answers_once_there_are_some_again() {
    let folder = TempDir::new().unwrap();
    let server = Server::start_with_descriptors(folder.path(), 64);
    let idle: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let mut last = idle.last().unwrap();
    last.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    last.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(
        last.read(&mut [0]).is_err(),
        "the last one was answered; too few are open"
    );
    drop(idle);
    assert_eq!(server.get("/healthz").body, "ok\n");
    server.says("LiXiaoyu", 1, "进不了群");
}

/// What `/metrics` tells of a server that has an account of 微信客服: every name.
fn names_told() -> BTreeSet<String> {
    let world = World::with_kf();
    world.writes("wm1", "扫码进群失败");
    world.answers_to("wm1", 1);
    let (_, text) = world.get_from_server("/metrics");
    let names = text.lines().filter(|line| !line.starts_with('#'));
    let name = |line: &str| line.split(['{', ' ']).next().unwrap().to_owned();
    names.map(name).collect()
}

/// Every name of ours, and of the process, in an expression.
fn names_in(expression: &str) -> Vec<String> {
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = expression.split(|letter| !is_of_name(letter));
    let is_ours = |word: &&str| word.starts_with("jiefeng_") || word.starts_with("process_");
    words.filter(is_ours).map(str::to_owned).collect()
}

/// All texts under `expr` in a document.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("expr", Value::String(text)) => found.push(text.clone()),
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn dashboard_and_alerts_ask_for_figures_that_exist() {
    let dashboard = fs::read_to_string("deploy/grafana-dashboard.json").unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let alerts = fs::read_to_string("deploy/alerts.yml").unwrap();
    let alerts: Value = serde_yaml_ng::from_str(&alerts).unwrap();
    let mut asked = Vec::new();
    for document in [&dashboard, &alerts] {
        let before = asked.len();
        expressions(document, &mut asked);
        assert!(asked.len() >= before + 8, "only {} expressions", asked.len() - before);
    }
    let told = names_told();
    for name in asked.iter().flat_map(|expression| names_in(expression)) {
        assert!(told.contains(&name), "`{name}` is not among {told:?}");
    }
}

#[test]
fn every_rule_for_an_alert_says_what_is_the_matter_and_what_to_do() {
    let alerts = fs::read_to_string("deploy/alerts.yml").unwrap();
    let alerts: Value = serde_yaml_ng::from_str(&alerts).unwrap();
    let groups = alerts["groups"].as_array().unwrap();
    let rules: Vec<&Value> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap())
        .collect();
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(names.len(), rules.len(), "two rules have one name");
    for rule in rules {
        assert!(rule["labels"]["severity"].is_string(), "{rule}");
        assert!(rule["annotations"]["summary"].as_str().unwrap().len() > 10, "{rule}");
        assert!(
            rule["annotations"]["description"].as_str().unwrap().len() > 20,
            "{rule}"
        );
    }
}
