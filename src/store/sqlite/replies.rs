//! Settled messages and their replies, in SQLite.
//!
//! Many people get the same reply, word for word. Its text is stored once in a while and not with every message: that is more than half of
//! all that would be written. Which texts were stored lately is known in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, params};

use super::statements::Statements;

/// For so long a stored text is used for further messages.
pub(super) const SHARED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// So many texts are known at least, of those that were used last, and twice as many at most.
const MOST_KNOWN: usize = 2048;

/// Stores what messages were replied.
#[derive(Clone, Default)]
pub(super) struct Replies {
    known: Arc<Mutex<Known>>,
}

/// The words of a reply, and what names the knowledge that they were made of.
#[derive(Clone, Copy)]
pub(super) struct Made<'r> {
    pub(super) text: &'r str,
    pub(super) knowledge_version: &'r str,
}

/// Texts that one version of the knowledge has made and where they are stored: those that were used since the last change of places, and those
/// that were before.
#[derive(Default)]
struct Known {
    knowledge_version: Box<str>,
    lately: HashMap<Box<str>, Stored>,
    before: HashMap<Box<str>, Stored>,
}

#[derive(Clone, Copy)]
struct Stored {
    id: i64,
    first_at: i64,
}

impl Replies {
    /// Notes that a message is settled, and with which reply.
    pub(super) fn save(
        &self,
        connection: &Statements<'_>,
        message: &[u8],
        reply: Option<Made<'_>>,
        now: i64,
    ) -> Result<(), rusqlite::Error> {
        let reply = reply.map(|reply| self.stored(connection, reply, now)).transpose()?;
        let sql = "INSERT INTO messages (message, reply, settled_at) VALUES (?1, ?2, ?3)";
        connection.run(sql, |statement| {
            statement.execute(params![message, reply, now]).map(drop)
        })
    }

    /// The number of a text, which is stored if need be.
    fn stored(&self, connection: &Statements<'_>, reply: Made<'_>, now: i64) -> Result<i64, rusqlite::Error> {
        let Made {
            text,
            knowledge_version,
        } = reply;
        let mut known = self.known();
        if let Some(stored) = known.of_version(knowledge_version).stored(text, now) {
            return Ok(stored.id);
        }
        let sql = "INSERT INTO replies (text, first_at, knowledge_version) VALUES (?1, ?2, ?3)";
        let values = params![text, now, knowledge_version];
        let id = connection.run(sql, |statement| statement.insert(values))?;
        known.add(text.into(), Stored { id, first_at: now });
        Ok(id)
    }

    /// Something was rolled back or erased: what is known in memory may not be so.
    pub(super) fn forget_known(&self) {
        *self.known() = Known::default();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of a reply; none if there was no reply, or if it is erased.
pub(super) fn text(connection: &Connection, reply: Option<i64>) -> Result<Option<String>, rusqlite::Error> {
    let Some(reply) = reply else { return Ok(None) };
    let mut statement = connection.prepare_cached("SELECT text FROM replies WHERE id = ?1")?;
    statement.query_row([reply], |row| row.get(0)).optional()
}

impl Known {
    /// What this version of the knowledge has made; what another has is known no longer.
    fn of_version(&mut self, knowledge_version: &str) -> &mut Self {
        if *self.knowledge_version != *knowledge_version {
            *self = Self {
                knowledge_version: knowledge_version.into(),
                ..Self::default()
            };
        }
        self
    }

    /// Where a text is stored, if it is and may be used once more.
    fn stored(&mut self, text: &str, now: i64) -> Option<Stored> {
        let is_usable =
            |stored: &Stored| SignedDuration::from_millis(now.abs_diff(stored.first_at) as i64) < SHARED_FOR;
        if let Some(stored) = self.lately.get(text) {
            return Some(*stored).filter(is_usable);
        }
        let (text, stored) = self.before.remove_entry(text)?;
        is_usable(&stored).then(|| self.add(text, stored))
    }

    fn add(&mut self, text: Box<str>, stored: Stored) -> Stored {
        if self.lately.len() >= MOST_KNOWN {
            self.before = std::mem::take(&mut self.lately);
        }
        self.lately.insert(text, stored);
        stored
    }
}

#[cfg(test)]
mod tests {
    use super::super::opening::MIGRATIONS;
    use super::super::tests::{Folder, file, open};
    use super::*;
    use crate::store::conformance::{at, message, person, record, settle, step};
    use crate::store::{AuditEntry, PeopleStore, Retention, Step, Store};

    fn texts(folder: &Folder) -> Vec<String> {
        let connection = Connection::open(file(&folder.0)).unwrap();
        let mut statement = connection.prepare("SELECT text FROM replies ORDER BY id").unwrap();
        let texts = statement.query_map([], |row| row.get(0)).unwrap();
        texts.collect::<Result<_, _>>().unwrap()
    }

    async fn ask(store: &dyn Store, number: u32, user: &str, reply: &str) {
        let step = Step {
            question: Some(record("被封了", at(0))),
            ..step("s", reply)
        };
        let settling = store.settle(message(number), person(user), at(0), Box::new(|_| step));
        settling.await.unwrap();
    }

    async fn erase(store: &dyn PeopleStore, user: &str) {
        let entry = AuditEntry {
            at: at(0),
            who: String::new(),
            action: "erase".to_owned(),
            object: String::new(),
        };
        store.erase_person(vec![person(user)], entry).await.unwrap();
    }

    #[tokio::test]
    async fn a_reply_that_many_get_is_stored_once_a_day() {
        let folder = Folder::new();
        let store = open(&folder.0);
        for number in 0..20 {
            let reply = if number % 2 == 0 { "even" } else { "odd" };
            settle(&store, message(number), "li", at(i64::from(number)), reply).await;
        }
        assert_eq!(texts(&folder), ["even", "odd"]);
        let next_day = at(25 * 60);
        settle(&store, message(20), "li", next_day, "even").await;
        assert_eq!(texts(&folder), ["even", "odd", "even"]);
        for number in [0, 7, 20] {
            let reply = if number == 7 { "odd" } else { "even" };
            let repeated = settle(&store, message(number), "li", next_day, "another").await;
            assert_eq!(repeated, (Some(reply.to_owned()), true));
        }
    }

    #[tokio::test]
    async fn of_what_two_versions_of_the_knowledge_say_alike_each_says_which_it_was() {
        let folder = Folder::new();
        let store = open(&folder.0);
        for (number, knowledge_version) in [(1, "a"), (2, "a"), (3, "b"), (4, "a")] {
            let step = Step {
                knowledge_version: knowledge_version.to_owned(),
                ..step("s", "same")
            };
            let settling = store.settle(message(number), person("li"), at(0), Box::new(|_| step));
            settling.await.unwrap();
        }
        let connection = Connection::open(file(&folder.0)).unwrap();
        let sql = "SELECT knowledge_version FROM messages JOIN replies ON replies.id = reply ORDER BY message";
        let mut statement = connection.prepare(sql).unwrap();
        let versions: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().flatten().collect();
        assert_eq!(versions, ["a", "a", "b", "a"]);
    }

    #[tokio::test]
    async fn a_reply_is_erased_with_the_last_who_got_it() {
        let folder = Folder::new();
        let store = open(&folder.0);
        ask(&store, 1, "li", "same").await;
        ask(&store, 2, "wang", "same").await;
        erase(&store, "li").await;
        let repeated = settle(&store, message(2), "wang", at(1), "another").await;
        assert_eq!(repeated, (Some("same".to_owned()), true));
        erase(&store, "wang").await;
        assert_eq!(texts(&folder), [""; 0]);
        ask(&store, 3, "zhao", "other").await;
        ask(&store, 4, "zhao", "same").await;
        let repeated = settle(&store, message(4), "zhao", at(1), "another").await;
        assert_eq!(repeated, (Some("same".to_owned()), true));
    }

    #[tokio::test]
    async fn old_replies_go_after_the_messages_that_had_them() {
        let folder = Folder::new();
        let store = open(&folder.0);
        settle(&store, message(1), "li", at(0), "r").await;
        let day = |day: i64| at(day * 24 * 60);
        let retention = Retention { questions_days: 1 };
        store.purge(day(8), retention).await.unwrap();
        assert_eq!(texts(&folder), ["r"], "a message of the first day after may have it");
        store.purge(day(10), retention).await.unwrap();
        assert_eq!(texts(&folder), [""; 0]);
    }

    #[tokio::test]
    async fn nobody_gets_anothers_reply_after_a_clock_was_wrong() {
        let folder = Folder::new();
        let store = open(&folder.0);
        settle(&store, message(1), "li", at(0), "r").await;
        let retention = Retention { questions_days: 1 };
        store.purge(at(20 * 24 * 60), retention).await.unwrap();
        assert_eq!(texts(&folder), [""; 0]);
        settle(&store, message(2), "wang", at(1), "other").await;
        settle(&store, message(3), "li", at(1), "r").await;
        for (number, reply) in [(2, "other"), (3, "r")] {
            let repeated = settle(&store, message(number), "li", at(2), "another").await;
            assert_eq!(repeated, (Some(reply.to_owned()), true));
        }
    }

    #[test]
    fn those_that_were_used_last_are_known() {
        let mut known = Known::default();
        let text = |number: usize| format!("reply {number}");
        for number in 0..3 * MOST_KNOWN {
            let stored = Stored {
                id: number as i64,
                first_at: 0,
            };
            known.add(text(number).into(), stored);
            assert!(known.stored(&text(0), 1).is_some(), "it is used all the time");
        }
        let id = |known: &mut Known, number: usize| known.stored(&text(number), 1).map(|stored| stored.id);
        for number in 2 * MOST_KNOWN..3 * MOST_KNOWN {
            assert_eq!(id(&mut known, number), Some(number as i64));
        }
        assert_eq!(id(&mut known, 1), None);
        assert!(known.lately.len() + known.before.len() <= 2 * MOST_KNOWN);
    }

    /// A file as a former version left it.
    fn of_version(folder: &Folder, version: usize) -> Connection {
        let path = file(&folder.0);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let connection = Connection::open(&path).unwrap();
        for migration in &MIGRATIONS[..version] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", version as u32).unwrap();
        connection
    }

    #[test]
    fn replies_of_a_former_version_are_kept() {
        let folder = Folder::new();
        let connection = of_version(&folder, 8);
        let sql = "INSERT INTO messages (message, reply, settled_at) VALUES (x'03', 'b', 1), (x'01', NULL, 2), (x'02', 'a', 3), (x'04', 'b', 4)";
        connection.execute(sql, []).unwrap();
        drop(open(&folder.0));
        let sql = "SELECT hex(message) || coalesce(text, '') || settled_at FROM messages LEFT JOIN replies ON replies.id = reply
                   ORDER BY message";
        let mut statement = connection.prepare(sql).unwrap();
        let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().flatten().collect();
        assert_eq!(rows, ["012", "02a3", "03b1", "04b4"]);
    }

    #[test]
    fn a_reply_that_was_shared_stays_shared() {
        let folder = Folder::new();
        let connection = of_version(&folder, 9);
        let sql = "INSERT INTO replies (id, text, first_at) VALUES (7, 'a', 1);
                   INSERT INTO messages (message, reply, settled_at) VALUES (x'02', 7, 2), (x'01', 7, 3), (x'03', NULL, 4);";
        connection.execute_batch(sql).unwrap();
        drop(open(&folder.0));
        let sql = "SELECT hex(message) || coalesce(reply, '') || settled_at FROM messages ORDER BY message";
        let mut statement = connection.prepare(sql).unwrap();
        let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().flatten().collect();
        assert_eq!(rows, ["0173", "0272", "034"]);
    }
}
