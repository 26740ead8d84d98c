//! What is wrong on the machine itself.

use jiefeng::doctor::Cause;
use tempfile::TempDir;

use super::proxy::{Proxy, Response};
use super::{Examined, Fault, assert_all_are_named};
use crate::server::{CORP_ID, KEY, Server, TOKEN};

/// There is no server, and its database need not be there.
const OF_TESTS: &[Cause] = &[Cause::StoreMissing];

/// Examines a configuration with these sections and keys of the app, and what stands in its folder.
fn examined(sections: &str, app: &str, prepare: impl Fn(&TempDir)) -> Examined {
    let folder = TempDir::new().unwrap();
    prepare(&folder);
    let config = folder.path().join("jiefeng.toml");
    let database = folder.path().join("jiefeng.db");
    let text = format!(
        "[storage]\nurl = \"sqlite://{}\"\n[wecom]\napi_base = \"http://127.0.0.1:1\"\n{sections}\n\
         [[apps]]\nname = \"support\"\nagent_id = 1\n{app}\n",
        database.display()
    );
    std::fs::write(&config, text).unwrap();
    Examined::with(&["--config", config.to_str().unwrap()], &[])
}

fn keys(corp_id: &str, token: &str, key: &str) -> String {
    format!("corp_id = \"{corp_id}\"\ntoken = \"{token}\"\nencoding_aes_key = \"{key}\"")
}

/// A configuration with a wrong value.
fn written(cause: Cause, corp_id: &'static str, token: &'static str, key: &'static str) -> Fault {
    let app = keys(corp_id, token, key);
    Fault::new(cause, move || {
        examined("[server]\nlisten = \"127.0.0.1:0\"", &app, |_| {})
    })
    .beside(OF_TESTS)
}

/// A good app, with other sections.
fn set_up(cause: Cause, sections: &'static str, prepare: fn(&TempDir)) -> Fault {
    let app = keys(CORP_ID, TOKEN, KEY);
    Fault::new(cause, move || examined(sections, &app, prepare)).beside(OF_TESTS)
}

const NOWHERE: &str = "[server]\nlisten = \"127.0.0.1:0\"";

pub(super) fn faults() -> Vec<Fault> {
    vec![
        written(Cause::ConfigurationToken, CORP_ID, "CanaryToken7Q ", KEY),
        written(Cause::ConfigurationToken, CORP_ID, KEY, KEY),
        written(
            Cause::ConfigurationKey,
            CORP_ID,
            TOKEN,
            "CanaryKeyabcdefghijklmnopqrstuvwxyz0123456",
        ),
        written(
            Cause::ConfigurationKey,
            CORP_ID,
            TOKEN,
            "CanaryKeyabcdefghijklmnopqrstuvwxyz 0123456",
        ),
        written(Cause::ConfigurationCorpId, "ww 1", TOKEN, KEY),
        set_up(Cause::ConfigurationProblem, "[server]\nlisten = \"here\"", |_| {}),
        set_up(Cause::StoreMissing, NOWHERE, |_| {}),
        set_up(Cause::StoreUnusable, NOWHERE, |folder| {
            std::fs::write(
                folder.path().join("jiefeng.db"),
                "this is no database, and never was one",
            )
            .unwrap();
        }),
        set_up(
            Cause::KnowledgeProblems,
            "[server]\nlisten = \"127.0.0.1:0\"\n[knowledge]\ndir = \"/no/knowledge\"",
            |_| {},
        ),
        set_up(Cause::ServerNotRunning, "[server]\nlisten = \"127.0.0.1:1\"", |_| {}),
        Fault::new(Cause::PortTaken, || {
            let other = Proxy::start(|_| Response::new(200, "text/html", "<html>another program</html>"));
            let app = keys(CORP_ID, TOKEN, KEY);
            examined(&format!("[server]\nlisten = \"{}\"", other.address), &app, |_| {})
        })
        .beside(OF_TESTS),
        with_server(
            Cause::ServerOtherCredentials,
            &[("JIEFENG__APPS__0__TOKEN", "AnotherToken")],
            |_| {},
        ),
        with_server(Cause::DeadLetters, &[], |folder| {
            let connection = rusqlite::Connection::open(folder.path().join("jiefeng.db")).unwrap();
            let sql = "INSERT INTO inbox (message, person, corp_id, app, open_kf_id, item, sent_at, received_at, fate)
                       VALUES (x'01', x'02', 'ww1', 'support', '', 'x', 1, unixepoch() * 1000, 'failed')";
            connection.execute(sql, []).unwrap();
        }),
        with_server(Cause::StoreReadOnly, &[], |folder| {
            let connection = rusqlite::Connection::open(folder.path().join("jiefeng.db")).unwrap();
            let sql = "CREATE TRIGGER full BEFORE INSERT ON meta WHEN NEW.key = 'probe' BEGIN SELECT RAISE(ABORT, 'disk full'); END";
            connection.execute(sql, []).unwrap();
        }),
    ]
}

/// A server that runs, and something done to its files.
fn with_server(cause: Cause, environment: &'static [(&str, &str)], prepare: fn(&TempDir)) -> Fault {
    Fault::new(cause, move || {
        let folder = TempDir::new().unwrap();
        let server = Server::start(folder.path());
        prepare(&folder);
        let config = folder.path().join("jiefeng.toml");
        let listen = server.address.to_string();
        let more = [
            ("JIEFENG__SERVER__LISTEN", listen.as_str()),
            ("JIEFENG__WECOM__API_BASE", "http://127.0.0.1:1"),
        ];
        let environment: Vec<_> = environment.iter().copied().chain(more).collect();
        Examined::with(&["--config", config.to_str().unwrap()], &environment)
    })
}

#[test]
fn what_is_wrong_on_the_machine_is_named() {
    assert_all_are_named(faults());
}
