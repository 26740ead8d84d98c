//! The state of conversations, in SQLite. One that rests too long starts anew.
//!
//! The table is a log: every new state is added at its end, so that the messages of a batch change few pages, whoever they are from. Where
//! the newest state of a person stands is known in memory; only one server has the file, so nobody else adds to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, params};

use super::statements::Statements;

/// Enough of a person's hash to tell people apart. A row is asked for by all of it, so that should two be the same by chance nobody meets
/// another's conversation.
type Person = [u8; 8];

/// Loads and saves what is remembered of conversations.
#[derive(Clone)]
pub(super) struct Sessions {
    ttl: i64,
    newest: Arc<Mutex<Newest>>,
}

/// The row of each person's newest state; `None`: the log has to be read.
#[derive(Default)]
struct Newest(Option<HashMap<Person, i64>>);

impl Sessions {
    pub(super) fn with_ttl(ttl: SignedDuration) -> Self {
        Self {
            ttl: i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX),
            newest: Arc::default(),
        }
    }

    pub(super) fn load(
        &self,
        connection: &Statements<'_>,
        person: &[u8],
        now: i64,
    ) -> Result<Option<String>, rusqlite::Error> {
        let Some(row) = self.newest().known(connection, now)?.get(&short(person)).copied() else {
            return Ok(None);
        };
        let sql = "SELECT state FROM sessions WHERE id = ?1 AND conversation = ?2 AND expires_at > ?3";
        let state = connection.run(sql, |statement| {
            statement.query_row(params![row, person, now], |row| row.get(0))
        });
        state.optional()
    }

    /// `None` forgets the conversation.
    pub(super) fn save(
        &self,
        connection: &Statements<'_>,
        person: &[u8],
        now: i64,
        session: Option<&str>,
    ) -> Result<(), rusqlite::Error> {
        let mut newest = self.newest();
        let known = newest.known(connection, now)?;
        let Some(state) = session else {
            known.remove(&short(person));
            let mut statement = connection.prepare_cached("DELETE FROM sessions WHERE conversation = ?1")?;
            return statement.execute([person]).map(drop);
        };
        let sql = "INSERT INTO sessions (conversation, state, expires_at) VALUES (?1, ?2, ?3)";
        let expires_at = now.saturating_add(self.ttl);
        let row = connection.run(sql, |statement| statement.insert(params![person, state, expires_at]))?;
        known.insert(short(person), row);
        Ok(())
    }

    /// Something was rolled back: what is known in memory may not be so.
    pub(super) fn forget_known(&self) {
        self.newest().0 = None;
    }

    /// Removes what has expired, up to `most` rows, and says how many it were. States in the log expire in its order.
    pub(super) fn purge(&self, connection: &Connection, now: i64, most: usize) -> Result<usize, rusqlite::Error> {
        let sql =
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions ORDER BY id LIMIT ?2) AND expires_at <= ?1";
        let most_rows = i64::try_from(most).unwrap_or(i64::MAX);
        let removed = connection.prepare_cached(sql)?.execute(params![now, most_rows])?;
        if removed < most {
            let sql = "SELECT coalesce(min(id), 0) FROM sessions";
            let first: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            self.newest()
                .known(connection, now)?
                .retain(|_, row| *row >= first.max(1));
        }
        Ok(removed)
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Newest {
    fn known(&mut self, connection: &Connection, now: i64) -> Result<&mut HashMap<Person, i64>, rusqlite::Error> {
        let known = match self.0.take() {
            Some(known) => known,
            None => read(connection, now)?,
        };
        Ok(self.0.insert(known))
    }
}

fn read(connection: &Connection, now: i64) -> Result<HashMap<Person, i64>, rusqlite::Error> {
    let sql = "SELECT conversation, id FROM sessions WHERE expires_at > ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([now], |row| {
        let person: Vec<u8> = row.get(0)?;
        Ok((short(&person), row.get(1)?))
    })?;
    rows.collect()
}

fn short(person: &[u8]) -> Person {
    let mut short = Person::default();
    short.iter_mut().zip(person).for_each(|(place, byte)| *place = *byte);
    short
}
