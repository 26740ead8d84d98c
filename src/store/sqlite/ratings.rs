//! What people thought of answers, in SQLite.

use rusqlite::{Connection, params};

use crate::store::{Rating, RatingCount};

pub(super) fn save_rating(
    connection: &Connection,
    message: &[u8],
    (corp_id, app): (&str, &str),
    now: i64,
    rating: &Rating,
) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO ratings (message, corp_id, app, rated_at, scenario, verdict, knowledge_version)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let values = params![
        message,
        corp_id,
        app,
        now,
        rating.scenario,
        rating.verdict,
        rating.knowledge_version
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// How answers were rated, by scenario and verdict.
pub(super) fn counts(connection: &Connection) -> Result<Vec<RatingCount>, rusqlite::Error> {
    let sql = "SELECT scenario, verdict, count(*) FROM ratings GROUP BY scenario, verdict ORDER BY scenario, verdict";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let count: i64 = row.get(2)?;
        Ok(RatingCount {
            scenario: row.get(0)?,
            verdict: row.get(1)?,
            count: u64::try_from(count).unwrap_or_default(),
        })
    })?;
    rows.collect()
}
