//! The server goes away and comes back, is not there at all, or has another schema.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::conformance::{at, message, person};
use crate::store::{Remembered, Step};

/// Adds the message's number to the session, so that it shows what has been stepped, and how often.
fn noting(number: u32) -> StepFunction {
    Box::new(move |remembered: Remembered| {
        let noted = format!("{} {number}", remembered.session.unwrap_or_default());
        Step {
            session: Some(noted),
            reply: Some(format!("reply to {number}")),
            ..Step::default()
        }
    })
}

/// Delivers messages of one person until each has been acknowledged, as WeCom would if it had the patience.
async fn deliver(stores: Arc<[PostgresStore; 2]>, user: usize, over: Arc<AtomicBool>) -> (usize, Vec<u32>) {
    let mut acknowledged = Vec::new();
    for turn in 0.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let number = u32::try_from(user * 100_000 + turn).unwrap();
        let who = || person(&format!("user{user}"));
        for attempt in turn.. {
            let store = &stores[attempt % 2];
            let settled = store.settle(message(number), who(), at(0), noting(number)).await;
            if let Ok(settled) = settled {
                assert_eq!(settled.reply, Some(format!("reply to {number}")));
                break;
            }
        }
        acknowledged.push(number);
    }
    (user, acknowledged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_is_there_once_however_often_the_server_goes_away() {
    let server = PostgresServer::start();
    let url = server.new_database();
    let stores = Arc::new([open(&url), open(&url)]);
    let over = Arc::new(AtomicBool::new(false));
    let delivering: Vec<_> = (0..16)
        .map(|user| tokio::spawn(deliver(Arc::clone(&stores), user, Arc::clone(&over))))
        .collect();
    for round in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        match round % 2 {
            0 => server.crash(),
            _ => server.stop(),
        }
        server.start_again();
    }
    over.store(true, Ordering::SeqCst);
    for delivering in delivering {
        let (user, acknowledged) = delivering.await.unwrap();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let look = move |remembered: Remembered| {
            let _ = sender.send(remembered.session.unwrap_or_default());
            Step::default()
        };
        let last = message(u32::try_from(user * 100_000 + 99_999).unwrap());
        let settled = stores[0].settle(last, person(&format!("user{user}")), at(0), Box::new(look));
        settled.await.unwrap();
        let noted: Vec<u32> = receiver
            .await
            .unwrap()
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect();
        assert_eq!(noted, acknowledged, "each once, in order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_server_is_away_the_store_says_so_and_afterwards_it_works_by_itself() {
    let server = PostgresServer::start();
    let store = open(&server.new_database());
    store.probe().await.unwrap();
    server.stop();
    let begun = std::time::Instant::now();
    let settling = store.settle(message(1), person("li"), at(0), noting(1));
    let (probed, settled) = tokio::join!(store.probe(), settling);
    assert!(matches!(probed, Err(StoreError::Database(_))), "{probed:?}");
    assert!(matches!(settled, Err(StoreError::Database(_))), "{settled:?}");
    assert!(begun.elapsed() >= PATIENCE, "it waits for a server that restarts");
    server.start_again();
    store.probe().await.unwrap();
    let settled = store.settle(message(1), person("li"), at(0), noting(1)).await.unwrap();
    assert!(!settled.repeated);
    store.close().await.unwrap();
}

#[test]
fn a_database_that_cannot_be_used_is_named_without_the_password() {
    let url = PostgresServer::shared().url("missing");
    let settings = PostgresSettings {
        connections: 2,
        session_ttl: SESSION_TTL,
    };
    let error = PostgresStore::open(&address(&url), settings).err().unwrap().to_string();
    assert!(
        error.contains("/jiefeng-postgres-") && error.contains("missing"),
        "{error}"
    );
    let password = url.split(':').nth(2).unwrap().split('@').next().unwrap();
    assert!(!error.contains(password), "{error}");
    let wrong = url
        .replace(password, "canary-of-a-wrong-one")
        .replace("missing", "postgres");
    let error = PostgresStore::open(&address(&wrong), settings)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("28P01") && !error.contains("canary"), "{error}");
}

fn in_pool<T: Send + 'static>(
    url: &str,
    work: impl AsyncFnOnce(pool::Pool) -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let (connector, name) = (Connector::new(&address(url)).unwrap(), url.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let pool = opening::reach(connector, 2, &name).await?;
        work(pool).await
    })
}

/// The schema, then a later one that only adds.
const LATER: [&str; 7] = [
    opening::MIGRATIONS[0],
    opening::MIGRATIONS[1],
    opening::MIGRATIONS[2],
    opening::MIGRATIONS[3],
    opening::MIGRATIONS[4],
    opening::MIGRATIONS[5],
    "ALTER TABLE sessions ADD COLUMN language TEXT; CREATE INDEX sessions_by_age ON sessions (expires_at)",
];

#[test]
fn of_many_servers_that_start_at_once_each_finds_the_schema() {
    let url = PostgresServer::shared().new_database();
    let opening = (0..6).map(|_| {
        let url = url.clone();
        std::thread::spawn(move || open(&url))
    });
    let stores: Vec<PostgresStore> = opening
        .collect::<Vec<_>>()
        .into_iter()
        .map(|open| open.join().unwrap())
        .collect();
    assert_eq!(stores.len(), 6);
    assert!(
        stores
            .iter()
            .all(|store| store.hashes.message(&message(1)) == stores[0].hashes.message(&message(1)))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_running_program_goes_on_with_the_schema_of_a_later_one_and_a_starting_one_refuses_it() {
    let url = PostgresServer::shared().new_database();
    let running = open(&url);
    running
        .settle(message(1), person("li"), at(0), noting(1))
        .await
        .unwrap();
    let migrating = url.clone();
    let migrated =
        std::thread::spawn(move || in_pool(&migrating, async |pool| opening::migrate(&pool, &LATER, "x").await));
    migrated.join().unwrap().unwrap();
    let settled = running
        .settle(message(2), person("li"), at(0), noting(2))
        .await
        .unwrap();
    assert_eq!(settled.reply.as_deref(), Some("reply to 2"));
    let starting = url.clone();
    let refused = std::thread::spawn(move || {
        let settings = PostgresSettings {
            connections: 2,
            session_ttl: SESSION_TTL,
        };
        PostgresStore::open(&address(&starting), settings).err()
    });
    assert!(matches!(
        refused.join().unwrap(),
        Some(OpenError::Newer { found, .. }) if found == LATER.len()
    ));
    let beside = std::thread::spawn(move || PostgresStore::open_beside(&address(&url)).err());
    assert!(matches!(beside.join().unwrap(), Some(OpenError::Newer { .. })));
}

#[test]
fn a_migration_that_fails_leaves_the_schema_as_it_was() {
    let url = PostgresServer::shared().new_database();
    let broken = [opening::MIGRATIONS[0], "CREATE TABLE half (x BIGINT); SELECT 1 / 0"];
    let failed = in_pool(&url, async move |pool| opening::migrate(&pool, &broken, "x").await);
    assert!(matches!(failed, Err(OpenError::Database { .. })));
    assert!(execute(&url, "SELECT * FROM half").is_err(), "it was undone");
    open(&url);
}

#[test]
fn a_command_finds_no_database_that_no_server_has_made() {
    let url = PostgresServer::shared().new_database();
    let opened = PostgresStore::open_beside(&address(&url));
    assert!(matches!(opened.err(), Some(OpenError::Older { found: 0, .. })));
}
