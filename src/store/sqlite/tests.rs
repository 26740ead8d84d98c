//! What is of the SQLite file alone: who may read it, who may have it, what is done with a damaged one.

use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::conformance::{Place, SESSION_TTL, at, message, person, record, settle, step};
use crate::store::{Step, StoreAddress};

/// A folder for a file.
pub(in crate::store) struct Folder(pub(super) TempDir);

impl Folder {
    pub(in crate::store) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }
}

impl Place for Folder {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(open(&self.0)) as Arc<dyn Store> })
    }

    fn address(&self) -> StoreAddress {
        StoreAddress::Sqlite(file(&self.0))
    }

    fn execute(&self, sql: &str) -> BoxFuture<'_, ()> {
        let connection = Connection::open(file(&self.0)).unwrap();
        connection.execute(sql, []).unwrap();
        Box::pin(async {})
    }
}

pub(super) fn file(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("nested/store.db")
}

pub(super) fn open(directory: &TempDir) -> SqliteStore {
    SqliteStore::open(&file(directory), SESSION_TTL).unwrap()
}

#[test]
fn whoever_waits_for_a_commit_is_told_though_others_have_gone() {
    let directory = TempDir::new().unwrap();
    let store = Arc::new(open(&directory));
    let settle_many = |first: u32| {
        let store = Arc::clone(&store);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let numbers = (first..first + 300).map(|number| {
                let step = Box::new(|_| step("s", "r"));
                (number, store.settle(message(number), person("li"), at(0), step))
            });
            let waiting: Vec<_> = numbers.filter(|(number, _)| number % 3 > 0).collect();
            for (_, settling) in waiting {
                assert!(!runtime.block_on(settling).unwrap().repeated);
            }
        })
    };
    let threads = [0, 300, 600].map(settle_many);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let again = store.settle(message(3), person("li"), at(0), Box::new(|_| step("s", "r")));
    assert!(
        runtime.block_on(again).unwrap().repeated,
        "who has gone is answered at the next delivery"
    );
}

#[tokio::test]
async fn what_a_process_held_when_it_ended_is_told_to_the_next_one_once() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let account = KfAccountKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        open_kf_id: "wk1".to_owned(),
    };
    store.claim_kf_pull(account).await.unwrap().unwrap();
    let now = Timestamp::now();
    let until = now + SignedDuration::from_mins(1);
    for (app, until) in [("support", until), ("other", now)] {
        assert!(store.claim_token_refresh(app, 0, now, until).await.unwrap());
    }
    store.close().await.unwrap();
    drop(store);
    let store = open(&directory);
    let report = InstanceReport::default;
    let expected = TakenOver {
        accounts: 1,
        tokens: 1,
        ..TakenOver::default()
    };
    assert_eq!(store.beat(report()).await.unwrap().taken_over, expected);
    assert_eq!(store.beat(report()).await.unwrap().taken_over, TakenOver::default());
}

#[tokio::test]
async fn user_ids_are_nowhere_in_the_file() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let with_question = Step {
        question: Some(record("被封了", at(0))),
        ..step("s", "r")
    };
    let key = MessageKey {
        deduplication_key: "m:1000002:canary-user-id:77".to_owned(),
        ..message(1)
    };
    store
        .settle(key, person("canary-user-id"), at(0), Box::new(|_| with_question))
        .await
        .unwrap();
    store.close().await.unwrap();
    for entry in std::fs::read_dir(directory.path().join("nested")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"canary-user-id"));
    }
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let _store = open(&directory);
    for entry in std::fs::read_dir(directory.path().join("nested")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o077,
            0,
            "{:?}",
            entry.path()
        );
    }
}

#[test]
fn a_file_that_is_no_database_or_too_new_is_named() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("store.db");
    std::fs::write(&path, "this is not a database, it is a text of some length").unwrap();
    let error = SqliteStore::open(&path, SESSION_TTL).err().unwrap();
    assert!(error.to_string().contains("store.db"), "{error}");

    let newer = directory.path().join("newer.db");
    rusqlite::Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        SqliteStore::open(&newer, SESSION_TTL),
        Err(OpenError::Newer { found: 99, .. })
    ));
}

#[test]
fn a_command_makes_no_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("missing.db");
    assert!(SqliteStore::open_beside(&path).is_err());
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_is_for_one_server_and_any_number_of_commands() {
    let directory = TempDir::new().unwrap();
    let path = file(&directory);
    assert!(SqliteStore::open_beside(&path).is_err());
    let store = open(&directory);
    let second = SqliteStore::open(&path, SESSION_TTL);
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    let command = SqliteStore::open_beside(&path).unwrap();
    assert_eq!(command.request_reload().await.unwrap(), 1);
    store.close().await.unwrap();
    open(&directory).close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_said_to_be_stored_in_a_file_that_was_removed() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.probe().await.unwrap();
    std::fs::remove_file(file(&directory)).unwrap();
    assert!(store.probe().await.is_err());
}

#[tokio::test]
async fn nothing_is_said_to_be_stored_in_a_log_that_was_removed() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.probe().await.unwrap();
    let mut log = file(&directory).into_os_string();
    log.push("-wal");
    std::fs::remove_file(log).unwrap();
    assert!(store.probe().await.is_err());
}

/// What SQLite does when the disk is full: it takes back all that the messages before have stored in the same transaction.
#[tokio::test]
async fn nobody_gets_anothers_reply_after_the_disk_was_full_in_the_middle_of_a_commit() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let full = store.submit(|connection| {
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update(None, "max_page_count", pages + 1)
    });
    full.await.unwrap();
    let (begin, begun) = std::sync::mpsc::channel::<()>();
    let first = store.submit(move |_| Ok(begun.recv().is_ok()));
    let settle = |number: u32, user: &str, reply: &'static str| {
        store.settle(
            message(number),
            person(user),
            at(0),
            Box::new(move |_| step("s", reply)),
        )
    };
    let before = settle(1, "li", "one");
    let large = store.submit(|connection| {
        let sql = "INSERT INTO meta (key, value) VALUES ('large', hex(zeroblob(1000000)))";
        connection.execute(sql, []).map(drop)
    });
    let (same, other) = (settle(2, "wang", "one"), settle(3, "zhao", "other"));
    begin.send(()).unwrap();
    assert!(first.await.is_err(), "it shares the commit with what failed");
    assert!(before.await.is_err());
    assert!(large.await.is_err());
    drop((same.await, other.await));
    let roomy = store.submit(|connection| connection.pragma_update(None, "max_page_count", 1_000_000));
    roomy.await.unwrap();
    for (number, user, reply) in [(1, "li", "one"), (2, "wang", "one"), (3, "zhao", "other")] {
        let settled = settle(number, user, reply).await.unwrap();
        assert_eq!(settled.reply.as_deref(), Some(reply), "{user}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for number in 0..200 {
        settle(&store, message(number), "li", at(0), &"x".repeat(500)).await;
    }
    store.close().await.unwrap();
    let path = file(&directory);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].iter_mut().step_by(7).for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let opened = SqliteStore::open(&path, SESSION_TTL);
    assert!(matches!(
        opened,
        Err(OpenError::Damaged { .. } | OpenError::Open { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}
