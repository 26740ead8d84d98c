//! Settings as people write them, and what they are told.

#![expect(clippy::string_slice, reason = "test texts are cut at known places")]

use std::path::Path;

use super::{Environment, Settings, load};

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
    assert_eq!(settings.storage.path, Path::new("data/jiefeng.db"));
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

#[test]
fn the_documented_file_shows_every_key_with_its_default() {
    let text = std::fs::read_to_string("deploy/jiefeng.toml").unwrap();
    // A commented key is `# key = value`; other comments have no `=` as their second word.
    let is_key = |line: &str| line.split(' ').nth(2) == Some("=");
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|_| is_key(line)).unwrap_or(line))
        .collect();
    let filled = [
        ("JIEFENG__APPS__0__CORP_ID", "ww1"),
        ("JIEFENG__APPS__0__TOKEN", TOKEN),
        ("JIEFENG__APPS__0__ENCODING_AES_KEY", KEY),
    ];
    let settings = loaded(&uncommented.join("\n"), &filled).unwrap();
    assert_eq!(settings.server.workers, Some(4));
    assert_eq!(settings.storage.retention.questions_days, 180);
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
    check_problem(&two, &[], "shares Token or EncodingAESKey with another app");
    let allowed = [("JIEFENG__SERVER__ALLOW_SAMPLE_CREDENTIALS", "true")];
    assert!(loaded(&sample, &allowed).is_ok());
    assert_eq!(loaded(&two, &allowed).unwrap().apps.len(), 2);
    check_problem(
        &format!("{}{}", one_app(""), one_app("")),
        &allowed,
        "is the name of another app too",
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
    assert_eq!(settings.wecom.api_base, "http://127.0.0.1:9");
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
