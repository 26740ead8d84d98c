//! How things stand at the moment when somebody reads the figures.

use std::path::Path;

use jiff::Timestamp;
use prometheus::{Gauge, GaugeVec, IntGauge, IntGaugeVec};

use super::Making;

/// So many accounts of 微信客服 have figures of their own.
const MOST_ACCOUNTS: usize = 200;

/// What is not counted but looked at.
pub struct State {
    inbox: IntGaugeVec,
    outbox: IntGaugeVec,
    oldest: GaugeVec,
    cursor_age: GaugeVec,
    has_news: IntGaugeVec,
    ways_closed: IntGauge,
    knowledge: IntGaugeVec,
    knowledge_refused: IntGauge,
    ready: IntGaugeVec,
    disk_free: Gauge,
    disk: Gauge,
    database: GaugeVec,
}

/// How many wait, since when the oldest, and how many are dead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue {
    /// How many wait.
    pub waiting: u32,
    /// How many nobody will get to unless an admin does something.
    pub dead: u32,
    /// Since when the oldest one waits.
    pub oldest: Option<Timestamp>,
}

/// How far an account of 微信客服 has been fetched.
#[derive(Clone, Debug)]
pub struct Account {
    /// The app's name in the configuration.
    pub app: String,
    /// The account.
    pub open_kf_id: String,
    /// When it was fetched last.
    pub pulled_at: Option<Timestamp>,
    /// Whether there is news that has not been followed up.
    pub has_news: bool,
}

impl State {
    pub(super) fn new(made: &Making<'_>) -> Self {
        let build = made.integers("jiefeng_build_info", "The program; always 1.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let start = made.gauge(
            "process_start_time_seconds",
            "When the process started, in Unix seconds.",
        );
        start.set(Timestamp::now().as_duration().as_secs_f64());
        Self {
            inbox: made.integers("jiefeng_inbox_rows", "Received messages by how they stand.", &["state"]),
            outbox: made.integers("jiefeng_outbox_rows", "Messages to send by how they stand.", &["state"]),
            oldest: made.gauges(
                "jiefeng_oldest_waiting_seconds",
                "For how long the oldest one waits that could go on now; 0 when none does.",
                &["queue"],
            ),
            cursor_age: made.gauges(
                "jiefeng_account_cursor_age_seconds",
                "How long ago an account of 微信客服 was fetched last.",
                &["app", "account"],
            ),
            has_news: made.integers(
                "jiefeng_account_has_news",
                "1 while an account of 微信客服 has news that has not been fetched.",
                &["app", "account"],
            ),
            ways_closed: made.integer(
                "jiefeng_ways_closed",
                "Ways of sending (an app or account, and an API) that are closed for now.",
            ),
            knowledge: made.integers(
                "jiefeng_knowledge_info",
                "The version of the knowledge that answers; always 1.",
                &["version"],
            ),
            knowledge_refused: made.integer(
                "jiefeng_knowledge_refused",
                "1 while the knowledge on disk is refused and another version answers.",
            ),
            ready: made.integers("jiefeng_ready", "1 where the check of /readyz holds.", &["check"]),
            disk_free: made.gauge("jiefeng_disk_free_bytes", "Room left where the database is."),
            disk: made.gauge("jiefeng_disk_bytes", "All room where the database is."),
            database: made.gauges(
                "jiefeng_database_bytes",
                "The SQLite file (main) and what is not yet in it (wal).",
                &["part"],
            ),
        }
    }

    /// How the queues stand at `now`, named `inbox` and `outbox`.
    pub fn queues(&self, inbox: Queue, outbox: Queue, now: Timestamp) {
        for (name, gauges, queue) in [("inbox", &self.inbox, inbox), ("outbox", &self.outbox, outbox)] {
            gauges.with_label_values(&["waiting"]).set(queue.waiting.into());
            gauges.with_label_values(&["dead"]).set(queue.dead.into());
            let age = queue.oldest.map_or(0.0, |oldest| seconds_between(oldest, now));
            self.oldest.with_label_values(&[name]).set(age);
        }
    }

    /// How far these accounts have been fetched at `now`.
    pub fn accounts(&self, accounts: &[Account], now: Timestamp) {
        self.cursor_age.reset();
        self.has_news.reset();
        for account in accounts.iter().take(MOST_ACCOUNTS) {
            let labels = [account.app.as_str(), account.open_kf_id.as_str()];
            self.has_news.with_label_values(&labels).set(account.has_news.into());
            if let Some(pulled_at) = account.pulled_at {
                self.cursor_age
                    .with_label_values(&labels)
                    .set(seconds_between(pulled_at, now));
            }
        }
    }

    /// So many ways of sending are closed.
    pub fn ways_closed(&self, count: usize) {
        self.ways_closed.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// This version answers; perhaps another one stands on disk and is refused.
    pub fn knowledge(&self, version: &str, is_refused: bool) {
        self.knowledge.reset();
        self.knowledge.with_label_values(&[version]).set(1);
        self.knowledge_refused.set(is_refused.into());
    }

    /// Whether a check of `/readyz` holds.
    pub fn ready(&self, check: &'static str, holds: bool) {
        self.ready.with_label_values(&[check]).set(holds.into());
    }

    /// How large a SQLite file and its log are; what is not there has no bytes.
    pub fn database(&self, file: &Path) {
        let mut log = file.as_os_str().to_owned();
        log.push("-wal");
        for (part, file) in [("main", file), ("wal", Path::new(&log))] {
            let bytes = file.metadata().map_or(0, |metadata| metadata.len());
            self.database.with_label_values(&[part]).set(bytes as f64);
        }
    }

    /// How much room there is where a file is. Systems that do not say it leave it at 0.
    pub fn disk(&self, file: &Path) {
        #[cfg(unix)]
        if let Ok(disk) = rustix::fs::statvfs(file) {
            let bytes = |blocks: u64| blocks as f64 * disk.f_frsize as f64;
            self.disk_free.set(bytes(disk.f_bavail));
            self.disk.set(bytes(disk.f_blocks));
        }
    }
}

fn seconds_between(earlier: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(earlier).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn how_things_stand_is_told_as_of_now() {
        let metrics = Metrics::default();
        let now = Timestamp::from_second(1_000).unwrap();
        let inbox = Queue {
            waiting: 3,
            dead: 1,
            oldest: Timestamp::from_second(940).ok(),
        };
        metrics.state().queues(inbox, Queue::default(), now);
        metrics.state().knowledge("aa", false);
        metrics.state().knowledge("bb", true);
        metrics.state().disk(Path::new("Cargo.toml"));
        let text = metrics.as_text();
        for line in [
            "jiefeng_inbox_rows{state=\"waiting\"} 3",
            "jiefeng_inbox_rows{state=\"dead\"} 1",
            "jiefeng_oldest_waiting_seconds{queue=\"inbox\"} 60",
            "jiefeng_oldest_waiting_seconds{queue=\"outbox\"} 0",
            "jiefeng_knowledge_info{version=\"bb\"} 1",
            "jiefeng_knowledge_refused 1",
        ] {
            assert!(text.lines().any(|other| other == line), "`{line}` is not in\n{text}");
        }
        assert!(
            !text.contains("version=\"aa\"") && !text.contains("jiefeng_disk_bytes 0"),
            "{text}"
        );
    }

    #[test]
    fn an_account_that_is_gone_is_not_told_any_longer() {
        let metrics = Metrics::default();
        let now = Timestamp::from_second(1_000).unwrap();
        let account = Account {
            app: "support".to_owned(),
            open_kf_id: "wk1".to_owned(),
            pulled_at: Timestamp::from_second(400).ok(),
            has_news: true,
        };
        metrics.state().accounts(&[account], now);
        let age = "jiefeng_account_cursor_age_seconds{account=\"wk1\",app=\"support\"} 600";
        assert!(metrics.as_text().contains(age), "{}", metrics.as_text());
        metrics.state().accounts(&[], now);
        assert!(!metrics.as_text().contains("wk1"));
    }
}
