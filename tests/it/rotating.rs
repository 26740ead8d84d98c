//! Token and EncodingAESKey are exchanged while callbacks come in, from outside.

use jiefeng::protocol::{Credentials, WireFormat, open_reply, seal_callback, seal_verification};
use tempfile::TempDir;

use crate::server::{CORP_ID, KEY, Response, Server, TOKEN, credentials, credentials_of, fresh, now, text_message};

const OLD_TOKEN: &str = "CanaryToken6P";
const OLD_KEY: &str = "CanaryKeyoldabcdefghijklmnopqrstuvwxyz01234";

fn old_credentials() -> Credentials {
    credentials_of(OLD_TOKEN, OLD_KEY, CORP_ID)
}

fn server(folder: &TempDir, app_keys: &str) -> Server {
    Server::start_app(folder.path(), "", app_keys, &[])
}

fn both() -> String {
    format!("previous_token = \"{OLD_TOKEN}\"\nprevious_encoding_aes_key = \"{OLD_KEY}\"")
}

/// A message that is signed and encrypted with this set.
fn asks(server: &Server, set: &Credentials, number: u64) -> Response {
    let message = text_message("LiXiaoyu", number, "加好友太频繁，加不了人了");
    let sealed = seal_callback(set, WireFormat::Xml, &message, "1000002", &fresh(number, now()));
    server.post(&sealed.query, &sealed.body)
}

#[test]
fn a_callback_under_either_set_is_answered_under_the_same_set() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder, &both());
    for (number, set) in (1..).zip([credentials(), old_credentials()]) {
        let response = asks(&server, &set, number);
        assert_eq!(response.status, 200);
        assert!(open_reply(&set, &response.body).unwrap().contains("24 小时"));
        let sealed = seal_verification(&set, "1616140317555161061", &fresh(number, now()));
        let verified = server.get(&format!("/callback/support?{}", sealed.query));
        assert_eq!((verified.status, verified.body.as_str()), (200, "1616140317555161061"));
    }
    // A delivery that WeCom repeats after the exchange is the same message, answered under the set that it now comes with.
    let repeated = asks(&server, &credentials(), 2);
    assert!(open_reply(&credentials(), &repeated.body).unwrap().contains("24 小时"));
    assert_eq!(server.metric("repeated"), 1);
}

#[test]
fn a_mixture_of_both_sets_is_refused_like_everything_else() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder, &both());
    let mixtures = [
        (TOKEN, OLD_KEY),
        (OLD_TOKEN, KEY),
        ("OtherToken", KEY),
        ("OtherToken", OLD_KEY),
    ];
    for (number, (token, key)) in (1..).zip(mixtures) {
        let response = asks(&server, &credentials_of(token, key, CORP_ID), number);
        assert_eq!(
            (response.status, response.body.as_str()),
            (403, "Forbidden"),
            "{token} {key}"
        );
    }
    assert_eq!(server.metric("answered"), 0);
}

#[test]
fn the_token_or_the_key_can_be_exchanged_alone() {
    let folder = TempDir::new().unwrap();
    let exchanges = [
        (
            format!("previous_token = \"{OLD_TOKEN}\""),
            credentials_of(OLD_TOKEN, KEY, CORP_ID),
        ),
        (
            format!("previous_encoding_aes_key = \"{OLD_KEY}\""),
            credentials_of(TOKEN, OLD_KEY, CORP_ID),
        ),
    ];
    for (number, (app_keys, old_set)) in (1..).zip(exchanges) {
        let server = server(&folder, &app_keys);
        assert_eq!(asks(&server, &old_set, 10 * number).status, 200, "{app_keys}");
        assert_eq!(asks(&server, &credentials(), 10 * number + 1).status, 200, "{app_keys}");
        assert_eq!(
            asks(&server, &old_credentials(), 10 * number + 2).status,
            403,
            "{app_keys}"
        );
    }
}

#[test]
fn the_admin_is_told_once_that_the_old_set_is_still_in_use() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder, &both());
    asks(&server, &credentials(), 1);
    assert!(!server.log().contains("previous"), "{}", server.log());
    asks(&server, &old_credentials(), 2);
    asks(&server, &old_credentials(), 3);
    server.assert_logs("keep previous_* until this is not said any more");
    asks(&server, &credentials_of("OtherToken", KEY, CORP_ID), 4);
    server.assert_logs("reason=\"signature\"");
    assert_eq!(server.log().matches("keep previous_*").count(), 1, "{}", server.log());
}

#[test]
fn after_the_exchange_the_old_set_is_refused() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder, "");
    assert_eq!(asks(&server, &old_credentials(), 1).status, 403);
    assert_eq!(asks(&server, &credentials(), 2).status, 200);
}
