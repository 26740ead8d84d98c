//! Settings as people write them, and what they are told.

#![expect(clippy::string_slice, reason = "test texts are cut at known places")]

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::{Time, time};

use super::{ConsoleListen, Environment, Settings, load, raw};
use crate::checked_toml::Report;

const TOKEN: &str = "TokenForTests1";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn variables(pairs: &[(&str, &str)]) -> Environment {
    Environment::new(
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

fn loaded(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    load(file(text).path(), &variables(environment)).map_err(|error| error.to_string())
}

fn one_app(more: &str) -> String {
    format!(
        "[[apps]]\nname = \"support\"\ncorp_id = \"ww1\"\nagent_id = 1000002\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n{more}"
    )
}

#[track_caller]
fn check_problem(text: &str, environment: &[(&str, &str)], expected: &str) {
    let error = loaded(text, environment).expect_err("the settings are accepted");
    assert!(error.contains(expected), "`{expected}` is not in\n{error}");
    assert!(
        !error.contains(TOKEN) && !error.contains(KEY),
        "a secret is in\n{error}"
    );
}

#[test]
fn an_app_alone_is_enough() {
    let settings = loaded(&one_app(""), &[]).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.timestamp_window_seconds, 300);
    assert_eq!(settings.storage.address.to_string(), "sqlite://data/jiefeng.db");
    assert_eq!(settings.apps[0].credentials.receive_id(), "ww1");
}

#[test]
fn the_documented_file_loads_once_its_blanks_are_filled_in() {
    let filled = variables(&[
        ("JIEFENG__APPS__0__CORP_ID", "ww1"),
        ("JIEFENG__APPS__0__TOKEN", TOKEN),
        ("JIEFENG__APPS__0__ENCODING_AES_KEY", KEY),
    ]);
    load(Path::new("deploy/jiefeng.toml"), &filled).unwrap();
}

/// The documented file with its commented keys switched on.
fn documented_keys() -> String {
    let text = std::fs::read_to_string("deploy/jiefeng.toml").unwrap();
    // A commented key is `# key = value`; other comments have no `=` as their second word.
    let is_key = |line: &str| line.split(' ').nth(2) == Some("=");
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|_| is_key(line)).unwrap_or(line))
        .collect();
    uncommented.join("\n")
}

#[test]
fn the_documented_file_shows_exactly_the_keys_that_are_read() {
    let documented: toml::Table = documented_keys().parse().unwrap();
    let read = [
        ("server", raw::Server::KEYS),
        ("storage", raw::Storage::KEYS),
        ("knowledge", raw::Knowledge::KEYS),
        ("wecom", raw::Wecom::KEYS),
        ("hand_over", raw::HandOver::KEYS),
        ("notices", raw::Notices::KEYS),
        ("console", raw::Console::KEYS),
        ("apps", raw::App::KEYS),
    ];
    let sections: Vec<&String> = documented.keys().collect();
    assert_eq!(sections.len(), read.len(), "{sections:?}");
    for (section, keys) in read {
        let section = match &documented[section] {
            toml::Value::Array(tables) => tables[0].as_table().unwrap(),
            other => other.as_table().unwrap(),
        };
        let documented: BTreeSet<&str> = section.keys().map(String::as_str).collect();
        assert_eq!(documented, keys.iter().copied().collect());
    }
}

#[test]
fn the_documented_file_shows_defaults_that_load() {
    let keys = documented_keys();
    let without_files: Vec<&str> = keys.lines().filter(|line| !line.contains("_file = ")).collect();
    let filled = [
        ("JIEFENG__APPS__0__CORP_ID", "ww1"),
        ("JIEFENG__APPS__0__TOKEN", TOKEN),
        ("JIEFENG__APPS__0__ENCODING_AES_KEY", KEY),
        ("JIEFENG__APPS__0__PREVIOUS_TOKEN", "OldToken"),
        (
            "JIEFENG__APPS__0__PREVIOUS_ENCODING_AES_KEY",
            "OldKeyabcdefghijklmnopqrstuvwxyz01234567890",
        ),
    ];
    let settings = loaded(&without_files.join("\n"), &filled).unwrap();
    assert_eq!(settings.server.workers, Some(4));
    assert_eq!(settings.server.max_connections, 4096);
    assert_eq!(settings.adjustable.in_force().retention.questions_days, 180);
    assert!(settings.apps[0].secret.is_some());
}

#[test]
fn the_documented_file_as_it_is_says_what_to_fill_in() {
    let error = load(Path::new("deploy/jiefeng.toml"), &Environment::default())
        .unwrap_err()
        .to_string();
    for key in ["apps[1].corp_id", "apps[1].token", "apps[1].encoding_aes_key"] {
        assert!(error.contains(key), "{key} is not in\n{error}");
    }
}

#[test]
fn all_problems_are_reported_at_once_with_their_lines() {
    let text = "[server]\nlisten = \"here\"\nworkers = 0\ncolour = 1\n[storage]\nurl = \"mysql://x\"\n";
    let error = loaded(text, &[]).unwrap_err();
    for expected in [
        ":2: server.listen: is no address",
        ":3: server.workers: is 0",
        ":4: server.colour: unknown key",
        ":6: storage.url: must be sqlite://",
        "apps: there is no [[apps]]",
        "has 5 problem(s)",
    ] {
        assert!(error.contains(expected), "`{expected}` is not in\n{error}");
    }
}

#[test]
fn apps_are_compared_whatever_else_is_wrong_with_them() {
    let sample = ("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C");
    let first = one_app("").replace("corp_id = \"ww1\"\n", "").replace(TOKEN, sample.0);
    let second = one_app("").replace("agent_id = 1000002", "agent_id = 0");
    let error = loaded(&format!("[server]\nlisten = 1\n{first}{second}"), &[]).unwrap_err();
    for expected in [
        ":2: server.listen: must be a text",
        ":3: apps[1].corp_id: is missing",
        ":6: apps[1].token: is published in WeCom's samples",
        ":9: apps[2].name: is that of apps[1] too",
        ":11: apps[2].agent_id: is 0",
        ":13: apps[2].encoding_aes_key: is that of apps[1] too",
        "has 6 problem(s)",
    ] {
        assert!(error.contains(expected), "`{expected}` is not in\n{error}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_not_called_missing() {
    let text = "[[apps]]\nname = 1\ncorp_id = true\nagent_id = \"1000002\"\ntoken = 5\nencoding_aes_key = \"\"\n";
    let error = loaded(text, &[]).unwrap_err();
    assert!(!error.contains("missing"), "{error}");
    assert!(
        error.contains(":4: apps[1].agent_id: must be a whole number"),
        "{error}"
    );
    assert!(error.contains("has 5 problem(s)"), "{error}");
    let from_environment = [("JIEFENG__APPS__0__AGENT_ID", "many")];
    check_problem(
        &one_app(""),
        &from_environment,
        "environment: apps[1].agent_id: must be a whole number",
    );
}

#[test]
fn what_an_app_lacks_is_reported_where_the_app_starts() {
    let error = loaded("\n\n[[apps]]\nname = \"a\"\n[[apps]]\n", &[]).unwrap_err();
    for expected in [
        ":3: apps[1].corp_id: is missing",
        ":3: apps[1].token: is missing",
        ":5: apps[2].name: is missing",
        ":5: apps[2].encoding_aes_key: is missing",
    ] {
        assert!(error.contains(expected), "`{expected}` is not in\n{error}");
    }
}

#[test]
fn the_environment_wins_and_can_bring_a_whole_app() {
    let settings = loaded(
        &one_app(""),
        &[
            ("JIEFENG__SERVER__LISTEN", "[::1]:9"),
            ("JIEFENG__APPS__0__AGENT_ID", "7"),
        ],
    )
    .unwrap();
    assert_eq!(settings.server.listen.port(), 9);
    assert_eq!(settings.apps[0].agent_id, 7);
    let all = [
        ("JIEFENG__APPS__0__NAME", "support"),
        ("JIEFENG__APPS__0__CORP_ID", "12345"),
        ("JIEFENG__APPS__0__AGENT_ID", "1"),
        ("JIEFENG__APPS__0__TOKEN", "1234567890"),
        ("JIEFENG__APPS__0__ENCODING_AES_KEY", KEY),
        ("OTHER__SERVER__LISTEN", "x"),
    ];
    assert_eq!(loaded("", &all).unwrap().apps[0].credentials.receive_id(), "12345");
}

#[test]
fn the_environment_brings_numbers_and_truths_under_every_key_that_holds_one() {
    let all = [
        ("JIEFENG__SERVER__WORKERS", "3"),
        ("JIEFENG__SERVER__MAX_CONNECTIONS", "100"),
        ("JIEFENG__SERVER__DRAIN_SECONDS", "2"),
        ("JIEFENG__SERVER__TIMESTAMP_WINDOW_SECONDS", "900"),
        ("JIEFENG__SERVER__ALLOW_SAMPLE_CREDENTIALS", "true"),
        ("JIEFENG__STORAGE__CONNECTIONS", "5"),
        ("JIEFENG__STORAGE__RETENTION_DAYS", "60"),
        ("JIEFENG__STORAGE__SESSION_MINUTES", "20"),
        ("JIEFENG__HAND_OVER__HOURS", "9:00-18:00"),
        ("JIEFENG__HAND_OVER__BUSINESS_DAYS_ONLY", "false"),
        ("JIEFENG__APPS__0__AGENT_ID", "7"),
        ("JIEFENG__APPS__0__SECRET", "1234567890"),
        ("JIEFENG__APPS__0__KF", "true"),
        ("JIEFENG__APPS__0__CARDS", "true"),
    ];
    let settings = loaded(&one_app(""), &all).unwrap();
    assert_eq!((settings.server.drain_seconds, settings.server.workers), (2, Some(3)));
    assert!(settings.apps[0].cards && settings.apps[0].kf);
}

#[test]
fn problems_of_the_environment_name_the_setting() {
    check_problem(
        &one_app(""),
        &[("JIEFENG__SERVER__WORKERS", "many")],
        "environment: server.workers",
    );
    check_problem(
        &one_app(""),
        &[("JIEFENG__LISTEN", "x")],
        "JIEFENG__LISTEN: is no setting",
    );
    check_problem(
        &one_app(""),
        &[("JIEFENG__APPS__ONE__TOKEN", "x")],
        "JIEFENG__APPS__ONE__TOKEN: is no setting",
    );
}

#[test]
fn secrets_come_from_files_too() {
    let (token, key) = (file(&format!("{TOKEN}\n")), file(KEY));
    let text = format!(
        "[[apps]]\nname = \"a\"\ncorp_id = \"ww1\"\nagent_id = 1\ntoken_file = {:?}\nencoding_aes_key_file = {:?}\n",
        token.path(),
        key.path()
    );
    loaded(&text, &[]).unwrap();
    check_problem(
        &one_app("token_file = \"/x\"\n"),
        &[],
        "apps[1].token_file: and `apps[1].token` are both set",
    );
    check_problem(
        &one_app("secret_file = \"/nowhere/secret\"\n"),
        &[],
        "apps[1].secret_file: cannot read `/nowhere/secret`",
    );
}

#[test]
fn a_secret_in_place_of_a_file_name_is_not_shown() {
    let (token, key) = (format!("token = \"{TOKEN}\""), format!("encoding_aes_key = \"{KEY}\""));
    let text = one_app("secret_file = \"canary-Secret_0\"\n")
        .replace(&token, &token.replace("token", "token_file"))
        .replace(&key, &key.replace("encoding_aes_key", "encoding_aes_key_file"));
    check_problem(&text, &[], "apps[1].token_file: cannot read what it names");
    check_problem(&text, &[], "apps[1].encoding_aes_key_file: cannot read what it names");
    check_problem(&text, &[], "apps[1].secret_file: cannot read what it names");
    assert!(!loaded(&text, &[]).unwrap_err().contains("canary"));
    check_problem(
        &one_app("").replace(&format!("\"{TOKEN}\""), TOKEN),
        &[],
        "not valid TOML",
    );
}

#[test]
fn wrong_credentials_are_described_without_being_shown() {
    check_problem(
        &one_app("").replace(KEY, &KEY[1..]),
        &[],
        "apps[1].encoding_aes_key: has 42 characters",
    );
    check_problem(
        &one_app("").replace(TOKEN, "Token with blank"),
        &[],
        "apps[1].token: has a character",
    );
    check_problem(&one_app("").replace("ww1", "ww 1"), &[], "apps[1].corp_id: must be");
    check_problem(
        &one_app("").replace("\"support\"", "\"支持\""),
        &[],
        "apps[1].name: must be",
    );
}

#[test]
fn published_or_shared_credentials_stop_the_start_unless_allowed() {
    let sample = one_app("")
        .replace(TOKEN, "QDG6eK")
        .replace(KEY, "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C");
    check_problem(&sample, &[], "published in WeCom's samples");
    let two = format!("{}{}", one_app(""), one_app("").replace("support", "sales"));
    check_problem(&two, &[], "apps[2].token: is that of apps[1] too");
    let allowed = [("JIEFENG__SERVER__ALLOW_SAMPLE_CREDENTIALS", "true")];
    assert!(loaded(&sample, &allowed).is_ok());
    assert_eq!(loaded(&two, &allowed).unwrap().apps.len(), 2);
    check_problem(
        &format!("{}{}", one_app(""), one_app("")),
        &allowed,
        "apps[2].name: is that of apps[1] too",
    );
}

#[test]
fn previous_credentials_are_others_than_the_current_ones_and_than_those_of_other_apps() {
    let old_key = "OldKeyabcdefghijklmnopqrstuvwxyz01234567890";
    let exchanged = |lines: &str| one_app(&format!("{lines}\n"));
    let settings = loaded(&exchanged("previous_token = \"OldToken\""), &[]).unwrap();
    assert_eq!(settings.apps[0].credentials.receive_id(), "ww1");
    check_problem(
        &exchanged(&format!("previous_token = \"{TOKEN}\"")),
        &[],
        "apps[1].previous_token: is the current one",
    );
    check_problem(
        &exchanged(&format!("previous_encoding_aes_key = \"{KEY}\"")),
        &[("JIEFENG__SERVER__ALLOW_SAMPLE_CREDENTIALS", "true")],
        "apps[1].previous_encoding_aes_key: is the current one",
    );
    check_problem(
        &exchanged("previous_token = \"QDG6eK\""),
        &[],
        "apps[1].previous_token: is published in WeCom's samples",
    );
    check_problem(
        &exchanged("previous_encoding_aes_key = \"short\""),
        &[],
        "apps[1].previous_encoding_aes_key: has 5 characters",
    );
    let other = "[[apps]]\nname = \"sales\"\ncorp_id = \"ww1\"\nagent_id = 2\n";
    check_problem(
        &format!(
            "{}{other}token = \"OtherToken\"\nencoding_aes_key = \"{old_key}\"\n",
            exchanged(&format!("previous_encoding_aes_key = \"{old_key}\""))
        ),
        &[],
        "apps[2].encoding_aes_key: is that of apps[1] too",
    );
    check_problem(
        &format!(
            "{}{other}token = \"OtherToken\"\nprevious_token = \"{TOKEN}\"\nencoding_aes_key = \"{old_key}\"\n",
            exchanged("")
        ),
        &[],
        "apps[2].previous_token: is that of apps[1] too",
    );
}

#[test]
fn proxies_are_trusted_by_address_or_network() {
    let trusted = |proxies: &str| format!("[server]\ntrusted_proxies = \"{proxies}\"\n{}", one_app(""));
    let trusts =
        |settings: &Settings, address: &str| settings.server.trusted_proxies.contains(address.parse().unwrap());
    let settings = loaded(&one_app(""), &[]).unwrap();
    assert!(trusts(&settings, "127.0.0.1") && !trusts(&settings, "10.1.2.3"));
    let settings = loaded(&trusted("10.0.0.0/8"), &[]).unwrap();
    assert!(!trusts(&settings, "127.0.0.1") && trusts(&settings, "10.1.2.3"));
    check_problem(
        &trusted("nginx"),
        &[],
        "server.trusted_proxies: `nginx` is neither an address",
    );
}

#[test]
fn an_insecure_api_base_is_refused() {
    check_problem(
        &format!("[wecom]\napi_base = \"http://qyapi.weixin.qq.com\"\n{}", one_app("")),
        &[],
        "wecom.api_base: must start with https://",
    );
    let settings = loaded(
        &format!("[wecom]\napi_base = \"http://127.0.0.1:9/\"\n{}", one_app("")),
        &[],
    )
    .unwrap();
    assert_eq!(settings.wecom.api_base.to_string(), "http://127.0.0.1:9");
}

#[test]
fn debug_output_has_no_secret() {
    let settings = loaded(&one_app("secret = \"canarysecret\"\n"), &[]).unwrap();
    let debug = format!("{settings:?}");
    assert!(
        !debug.contains(TOKEN) && !debug.contains(KEY) && !debug.contains("canarysecret"),
        "{debug}"
    );
}

#[test]
fn debug_output_of_what_is_not_checked_yet_has_no_secret() {
    let environment = variables(&[
        ("JIEFENG__APPS__0__SECRET", "canarysecret"),
        ("JIEFENG__SERVER__LISTEN", "canary"),
    ]);
    let debug = format!("{environment:?}");
    assert!(
        debug.contains("JIEFENG__APPS__0__SECRET") && !debug.contains("canary"),
        "{debug}"
    );
    let raw = raw::Settings::read(
        "a.toml",
        &one_app("secret = \"canary\"\n"),
        &environment,
        &Report::default(),
    );
    let debug = format!("{raw:?}");
    assert!(debug.contains("a.toml:5"), "{debug}");
    for secret in [TOKEN, KEY, "canary"] {
        assert!(!debug.contains(secret), "{secret} is in {debug}");
    }
}

#[test]
fn what_needs_the_secret_says_so() {
    for switch in ["kf", "cards"] {
        check_problem(
            &one_app(&format!("{switch} = true\n")),
            &[],
            &format!("apps[1].{switch}: needs the app's Secret"),
        );
        let with_secret = one_app(&format!("{switch} = true\nsecret = \"s\"\n"));
        assert!(loaded(&with_secret, &[]).is_ok());
    }
}

#[test]
fn duty_hours_are_two_times_of_day() {
    let hours = |hours: &str| format!("[hand_over]\nhours = \"{hours}\"\n{}", one_app(""));
    let duty = loaded(&hours("9:00-18:30"), &[])
        .unwrap()
        .adjustable
        .in_force()
        .duty
        .unwrap();
    assert_eq!((duty.from, duty.until), (time(9, 0, 0, 0), time(18, 30, 0, 0)));
    assert!(duty.business_days_only);
    assert_eq!(
        loaded(&hours("00:00-24:00"), &[])
            .unwrap()
            .adjustable
            .in_force()
            .duty
            .unwrap()
            .until,
        Time::MAX
    );
    for wrong in ["9-18", "18:00-9:00", "9:00", "25:00-26:00", "9:00-9:00"] {
        check_problem(&hours(wrong), &[], "hand_over.hours: must be two times of day");
    }
    assert_eq!(loaded(&one_app(""), &[]).unwrap().adjustable.in_force().duty, None);
}

#[test]
fn the_console_is_on_loopback_elsewhere_or_off() {
    let listen = |listen: &str| format!("[console]\nlisten = \"{listen}\"\n{}", one_app(""));
    let console = |text: &str| loaded(text, &[]).unwrap().console;
    let address = |text: &str| text.parse().unwrap();
    assert_eq!(console(&one_app("")), ConsoleListen::IfFree(address("127.0.0.1:8081")));
    assert_eq!(
        console(&listen("0.0.0.0:9000")),
        ConsoleListen::At(address("0.0.0.0:9000"))
    );
    assert_eq!(console(&listen("off")), ConsoleListen::Off);
    check_problem(&listen("on"), &[], "console.listen: is neither `off` nor an address");
}
