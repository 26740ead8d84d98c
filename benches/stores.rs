//! What the stores can do alone: messages settled in a second, each made durable with a session, a reply and a question.
//!
//! `cargo bench --bench stores`; PostgreSQL is started in a temporary folder. Options: `-- --seconds 5 --waiting 256`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails shall say so and stop"
)]

#[path = "../tests/it/postgres_server.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod postgres_server;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiefeng::store::{
    ConversationKey, MessageKey, PostgresSettings, PostgresStore, QuestionRecord, Remembered, SqliteStore, Step, Store,
    StoreAddress,
};
use jiff::{SignedDuration, Timestamp};

use postgres_server::PostgresServer;

/// People who ask.
const PEOPLE: u32 = 50_000;

const SESSION_TTL: SignedDuration = SignedDuration::from_mins(30);

fn main() {
    let seconds = option("--seconds", 5);
    let waiting = option("--waiting", 256);
    let folder = tempfile::TempDir::new().unwrap();
    let file = SqliteStore::open(&folder.path().join("store.db"), SESSION_TTL).unwrap();
    measure("SQLite, one server", vec![Arc::new(file)], seconds, waiting);
    let server = PostgresServer::start();
    server.restart_with("fsync = on\n");
    for stores in [1, 2] {
        let url = server.new_database();
        let all = (0..stores)
            .map(|_| Arc::new(postgres(&url)) as Arc<dyn Store>)
            .collect();
        measure(&format!("PostgreSQL, servers: {stores}"), all, seconds, waiting);
    }
}

fn option(name: &str, default: u64) -> u64 {
    let arguments: Vec<String> = std::env::args().collect();
    let place = arguments.iter().position(|argument| argument == name);
    place.map_or(default, |place| arguments[place + 1].parse().expect("a number"))
}

fn postgres(url: &str) -> PostgresStore {
    let Ok(StoreAddress::Postgres(address)) = StoreAddress::parse(url) else {
        panic!("no address of a PostgreSQL")
    };
    let settings = PostgresSettings {
        connections: 4,
        session_ttl: SESSION_TTL,
    };
    PostgresStore::open(&address, settings).unwrap()
}

/// Has so many messages wait in each store at any time.
fn measure(name: &str, stores: Vec<Arc<dyn Store>>, seconds: u64, waiting: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (next, settled) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut times: Vec<Duration> = runtime.block_on(async {
        let mut tasks = Vec::new();
        for store in &stores {
            for _ in 0..waiting {
                let (store, next, settled) = (Arc::clone(store), Arc::clone(&next), Arc::clone(&settled));
                tasks.push(tokio::spawn(async move {
                    let mut times = Vec::new();
                    while Instant::now() < end {
                        let begun = Instant::now();
                        settle(&*store, next.fetch_add(1, Ordering::Relaxed)).await;
                        settled.fetch_add(1, Ordering::Relaxed);
                        times.push(begun.elapsed());
                    }
                    times
                }));
            }
        }
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        for store in &stores {
            store.close().await.unwrap();
        }
        times
    });
    times.sort_unstable();
    let share = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "{name}: {} messages a second; {:?} (median), {:?} (99 %)",
        settled.load(Ordering::Relaxed) / seconds,
        share(50),
        share(99)
    );
}

async fn settle(store: &dyn Store, number: u32) {
    let now = Timestamp::now();
    let key = MessageKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        deduplication_key: format!("m:{number}"),
        created_at: now.as_second(),
        number: number.into(),
    };
    let conversation = ConversationKey {
        corp_id: "ww1".to_owned(),
        app: "support".to_owned(),
        user: format!("user{}", number.wrapping_mul(2_654_435_761) % PEOPLE),
    };
    let step = move |remembered: Remembered| Step {
        session: Some(remembered.session.unwrap_or_else(|| "s".repeat(300))),
        reply: Some("r".repeat(400)),
        question: Some(QuestionRecord {
            asked_at: now,
            text: "加不了好友了，提示操作频繁".to_owned(),
            language: "zh".to_owned(),
            decision: "answer".to_owned(),
            scenarios: vec!["add-friend-frequent".to_owned()],
            confidence: 0.9,
            knowledge_version: "0123456789abcdef".to_owned(),
            micros: 50,
        }),
        ..Step::default()
    };
    store.settle(key, conversation, now, Box::new(step)).await.unwrap();
}
