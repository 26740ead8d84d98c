//! Requests to the callback addresses, in SQLite.

use rusqlite::{Connection, params};

use super::timestamp;
use crate::store::SeenCallbacks;

pub(super) fn note(connection: &Connection, seen: &[SeenCallbacks]) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO callbacks_seen (app, method, outcome, likely, detail, source, count, first_at, last_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
               ON CONFLICT (app, method, outcome, likely) DO UPDATE SET detail = excluded.detail, source = excluded.source,
                 count = count + excluded.count, last_at = max(last_at, excluded.last_at)";
    let mut statement = connection.prepare_cached(sql)?;
    for alike in seen {
        statement.execute(params![
            alike.app,
            alike.method,
            alike.outcome,
            alike.likely,
            alike.detail,
            alike.source,
            i64::try_from(alike.count).unwrap_or(i64::MAX),
            alike.first_at.as_millisecond(),
            alike.last_at.as_millisecond()
        ])?;
    }
    Ok(())
}

pub(super) fn all(connection: &Connection) -> Result<Vec<SeenCallbacks>, rusqlite::Error> {
    let sql = "SELECT app, method, outcome, likely, detail, source, count, first_at, last_at FROM callbacks_seen
               ORDER BY last_at DESC, id DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let count: i64 = row.get(6)?;
        Ok(SeenCallbacks {
            app: row.get(0)?,
            method: row.get(1)?,
            outcome: row.get(2)?,
            likely: row.get(3)?,
            detail: row.get(4)?,
            source: row.get(5)?,
            count: u64::try_from(count).unwrap_or_default(),
            first_at: timestamp(row.get(7)?),
            last_at: timestamp(row.get(8)?),
        })
    })?;
    rows.collect()
}
