//! What has really come: refused requests with one wrong field each, sent to a server.

use std::path::Path;

use jiefeng::doctor::Cause;
use jiefeng::protocol::{Credentials, WireFormat, seal_callback, seal_verification};
use tempfile::TempDir;

use super::{Examined, Fault, assert_all_are_named};
use crate::platform::wait_until;
use crate::server::{CORP_ID, KEY, Server, TOKEN, credentials, credentials_of, fresh, message, now};

const OTHER_KEY: &str = "OtherKeyabcdefghijklmnopqrstuvwxyz012345678";
const SALES_KEY: &str = "SalesKeyabcdefghijklmnopqrstuvwxyz012345678";

/// In tests there is no proxy that could say for whom it stands.
const OF_TESTS: &[Cause] = &[Cause::ProxyHeaderMissing];

/// A second app.
fn sales() -> String {
    format!(
        "[[apps]]\nname = \"sales\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1000003\ntoken = \"SalesToken\"\nencoding_aes_key = \"{SALES_KEY}\""
    )
}

/// Has this sent to a server with two apps, and looks at what is on record.
fn after(cause: Cause, send: impl Fn(&Server) + Send + Sync + 'static) -> Fault {
    with_keys(cause, 1, "", send)
}

/// The same with keys of the server, once so many kinds of requests are on record.
fn with_keys(
    cause: Cause,
    rows: u32,
    server_keys: &'static str,
    send: impl Fn(&Server) + Send + Sync + 'static,
) -> Fault {
    let provoke = move || {
        let folder = TempDir::new().unwrap();
        let server = Server::start_app(folder.path(), server_keys, &sales(), &[]);
        send(&server);
        let database = folder.path().join("jiefeng.db");
        wait_until("everything on record", || on_record(&database) >= rows);
        let config = folder.path().join("jiefeng.toml");
        let without_wecom = [("JIEFENG__WECOM__API_BASE", "http://127.0.0.1:1")];
        let mut examined = Examined::with(&["--config", config.to_str().unwrap()], &without_wecom);
        // Nothing has come for the other app.
        examined.findings.retain(|finding| finding["app"] != "sales");
        examined
    };
    Fault::new(cause, provoke).beside(OF_TESTS)
}

/// How many kinds of requests are on record.
fn on_record(database: &Path) -> u32 {
    let connection = rusqlite::Connection::open(database).unwrap();
    let sql = "SELECT count(*) FROM callbacks_seen";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A verification, which a console would send, at this address.
fn verify_at(server: &Server, path: &str, credentials: &Credentials, at: i64) {
    let query = seal_verification(credentials, "1616140317555161061", &fresh(1, at)).query;
    server.get(&format!("{path}?{query}"));
}

fn verify(server: &Server, credentials: &Credentials) {
    verify_at(server, "/callback/support", credentials, now());
}

/// A message.
fn deliver(server: &Server, credentials: &Credentials) {
    let event = message("sys", "<MsgType>event</MsgType><Event>subscribe</Event>");
    let sealed = seal_callback(credentials, WireFormat::Xml, &event, "1000002", &fresh(2, now()));
    server.post(&sealed.query, &sealed.body);
}

/// A verification and a message that are signed and encrypted like this.
fn both(cause: Cause, token: &'static str, key: &'static str, corp_id: &'static str) -> [Fault; 2] {
    let sent = move || credentials_of(token, key, corp_id);
    [
        after(cause, move |server| verify(server, &sent())),
        after(cause, move |server| deliver(server, &sent())),
    ]
}

pub(super) fn faults() -> Vec<Fault> {
    let mut faults: Vec<Fault> = [
        both(Cause::LifeToken, "OtherToken", KEY, CORP_ID),
        both(Cause::LifeKey, TOKEN, OTHER_KEY, CORP_ID),
        both(Cause::LifeKeyOfOther, TOKEN, SALES_KEY, CORP_ID),
        both(Cause::LifeTokenAndKey, "OtherToken", OTHER_KEY, CORP_ID),
        both(Cause::LifeCorpId, TOKEN, KEY, "ww_another"),
        both(Cause::LifeCorpIdEmpty, TOKEN, KEY, ""),
        both(Cause::LifePath, "SalesToken", SALES_KEY, CORP_ID),
    ]
    .into_iter()
    .flatten()
    .collect();
    faults.extend(changed());
    faults.extend(histories());
    faults
}

fn changed() -> Vec<Fault> {
    let nothing = &[Cause::LifeNothing, Cause::ProxyHeaderMissing];
    let queried = |change: fn(String) -> String| {
        move |server: &Server| {
            let sealed = seal_verification(&credentials(), "1616140317555161061", &fresh(1, now()));
            server.get(&format!("/callback/support?{}", change(sealed.query)));
        }
    };
    vec![
        after(Cause::LifePath, |server| {
            verify_at(server, "/callback/suport", &credentials(), now())
        })
        .beside(nothing),
        after(Cause::LifePath, |server| {
            verify_at(server, "/callback/support/", &credentials(), now())
        })
        .beside(nothing),
        after(Cause::LifePath, |server| {
            verify_at(server, "/support", &credentials(), now())
        })
        .beside(nothing),
        after(Cause::LifeUnknownPath, |server| {
            verify_at(
                server,
                "/callback/suport",
                &credentials_of("OtherToken", OTHER_KEY, CORP_ID),
                now(),
            );
        })
        .beside(nothing),
        after(Cause::LifeQuery, queried(|query| query.replace("nonce=", "once="))),
        after(Cause::LifeQuery, queried(|query| format!("{query}&timestamp=1"))),
        after(Cause::LifeQueryStripped, queried(|_| String::new())),
        after(Cause::LifeCiphertext, queried(|query| query.replace('%', "%25"))),
        after(Cause::LifeClock, |server| {
            verify_at(server, "/callback/support", &credentials(), now() - 900)
        }),
        after(Cause::LifeReplay, |server| {
            let sealed = seal_verification(&credentials(), "<xml></xml>", &fresh(1, now()));
            server.get(&format!("/callback/support?{}", sealed.query));
        }),
        after(Cause::LifeBody, |server| {
            let sealed = seal_callback(&credentials(), WireFormat::Xml, "<xml/>", "1", &fresh(1, now()));
            server.post_with(&sealed.query, &sealed.body, "Content-Encoding: gzip\r\n");
        }),
        after(Cause::LifeBody, |server| {
            let sealed = seal_callback(&credentials(), WireFormat::Xml, "<xml/>", "1", &fresh(1, now()));
            server.post(&sealed.query, "<html>another body</html>");
        }),
        after(Cause::LifeMethod, |server| {
            server.raw(b"PUT /callback/support HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }),
    ]
}

fn histories() -> Vec<Fault> {
    let everything = |server: &Server| {
        verify(server, &credentials());
        deliver(server, &credentials());
    };
    vec![
        with_keys(Cause::LifeNothing, 0, "", |_| {}),
        after(Cause::LifeNeverUsed, |server| verify(server, &credentials())),
        with_keys(Cause::LifePast, 3, "", move |server| {
            verify(server, &credentials_of("OtherToken", KEY, CORP_ID));
            everything(server);
        }),
        with_keys(Cause::ProxyHeaderMissing, 2, "", everything),
        with_keys(
            Cause::ProxyNotTrusted,
            2,
            "trusted_proxies = \"10.0.0.0/8\"",
            everything,
        ),
        with_keys(Cause::PlatformNoSecret, 2, "", everything).beside(&[Cause::ClockUnknown]),
    ]
}

#[test]
fn the_wrong_field_of_real_requests_is_named() {
    assert_all_are_named(faults());
}

#[test]
fn what_the_doctor_sends_is_not_taken_for_wecom() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    let config = folder.path().join("jiefeng.toml");
    let url = format!("http://{}", server.address);
    let arguments = ["--config", config.to_str().unwrap(), "--url", &url];
    let without_wecom = [("JIEFENG__WECOM__API_BASE", "http://127.0.0.1:1")];
    for _ in 0..2 {
        let examined = Examined::with(&arguments, &without_wecom);
        assert!(
            examined.find(Cause::VerificationGood).is_some(),
            "{:?}",
            examined.findings
        );
        assert!(examined.find(Cause::LifeNothing).is_some(), "{:?}", examined.findings);
    }
}

#[test]
fn the_log_says_what_was_most_likely_wrong() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path());
    for _ in 0..3 {
        verify(&server, &credentials_of(TOKEN, OTHER_KEY, CORP_ID));
    }
    server.assert_logs("likely=\"encoding_aes_key\"");
}

#[test]
fn servers_that_share_a_database_count_together() {
    let database = crate::postgres_server::PostgresServer::shared().new_database();
    let world = crate::platform::World::new("");
    let replicas = [world.start_replica(&database, &[]), world.start_replica(&database, &[])];
    for replica in &replicas {
        let query = seal_verification(&credentials(), "1616140317555161061", &fresh(1, now())).query;
        crate::doctor::proxy::get(replica.address, &format!("/callback/support?{query}"));
    }
    wait_until("both verifications on record", || {
        let examined = Examined::of(&world, &[], &[("JIEFENG__STORAGE__URL", &database)]);
        let found = examined.find(Cause::LifeVerified);
        found.is_some_and(|found| found["values"]["count"] == "2")
    });
}
