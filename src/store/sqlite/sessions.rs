//! The state of conversations, in SQLite. One that rests too long starts anew.

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, params};

/// Loads and saves what is remembered of conversations.
#[derive(Clone, Copy)]
pub(super) struct Sessions {
    pub(super) ttl: SignedDuration,
}

impl Sessions {
    pub(super) fn load(
        self,
        connection: &Connection,
        person: &[u8],
        now: i64,
    ) -> Result<Option<String>, rusqlite::Error> {
        let sql = "SELECT state FROM sessions WHERE conversation = ?1 AND expires_at > ?2";
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row(params![person, now], |row| row.get(0)).optional()
    }

    /// `None` forgets the conversation.
    pub(super) fn save(
        self,
        connection: &Connection,
        person: &[u8],
        now: i64,
        session: Option<String>,
    ) -> Result<(), rusqlite::Error> {
        let Some(state) = session else {
            let mut statement = connection.prepare_cached("DELETE FROM sessions WHERE conversation = ?1")?;
            return statement.execute([person]).map(drop);
        };
        let ttl = i64::try_from(self.ttl.as_millis()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO sessions (conversation, state, expires_at) VALUES (?1, ?2, ?3)
                   ON CONFLICT (conversation) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at";
        connection
            .prepare_cached(sql)?
            .execute(params![person, state, now.saturating_add(ttl)])
            .map(drop)
    }
}
