//! Access tokens, in SQLite, so that all processes of an app share one.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::timestamp;
use crate::wecom::StoredToken;

pub(super) fn load(connection: &Connection, app: &str) -> Result<Option<StoredToken>, rusqlite::Error> {
    let sql = "SELECT token, generation, expires_at FROM tokens WHERE app = ?1 AND token IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let token = statement.query_row([app], |row| {
        Ok(StoredToken {
            sealed: row.get(0)?,
            generation: row.get(1)?,
            expires_at: timestamp(row.get(2)?),
        })
    });
    token.optional()
}

/// Grants the right to fetch the token after `generation`, to one process until `until`. A right that lasts much longer was granted before
/// the clock was put back.
pub(super) fn claim_refresh(
    connection: &Connection,
    app: &str,
    generation: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, rusqlite::Error> {
    let sql = "INSERT INTO tokens (app, generation, expires_at, refresh_until) VALUES (?1, ?2, 0, ?4)
               ON CONFLICT DO UPDATE SET refresh_until = excluded.refresh_until
                 WHERE generation <= excluded.generation AND refresh_until NOT BETWEEN ?3 + 1 AND ?4 + 60000";
    let values = params![app, generation, now.as_millisecond(), until.as_millisecond()];
    Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
}

/// Removes tokens that expired before a time, and with them those of Secrets that are used no longer.
pub(super) fn purge(connection: &Connection, before: i64) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM tokens WHERE expires_at < ?1 AND refresh_until < ?1";
    connection.execute(sql, [before]).map(drop)
}

pub(super) fn save(connection: &Connection, app: &str, token: &StoredToken) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO tokens (app, token, generation, expires_at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET token = excluded.token, generation = excluded.generation,
                 expires_at = excluded.expires_at, refresh_until = 0
                 WHERE generation < excluded.generation";
    let values = params![app, token.sealed, token.generation, token.expires_at.as_millisecond()];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}
