//! The processes that use the file, in SQLite. There is one server at most; commands look on.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::timestamp;
use crate::store::{Beat, Instance, InstanceReport, TakenOver};

/// Only one server has the file, so whatever others held is free.
pub(super) fn take_over(connection: &Connection) -> Result<TakenOver, rusqlite::Error> {
    connection.execute("DELETE FROM instances", [])?;
    let accounts = "UPDATE kf_accounts SET owner = NULL WHERE owner IS NOT NULL";
    let answers = "UPDATE inbox SET owner = NULL WHERE fate IS NULL AND owner IS NOT NULL";
    // A right that has run out was not held any more.
    let sql = "SELECT count(*) FROM tokens WHERE refresh_until > ?1";
    let now = Timestamp::now().as_millisecond();
    let tokens: u32 = connection.query_row(sql, [now], |row| row.get(0))?;
    let taken_over = TakenOver {
        answers: counted(connection.execute(answers, [])?),
        sends: counted(super::outbox::take_over(connection)?),
        accounts: counted(connection.execute(accounts, [])?),
        tokens: tokens.into(),
    };
    connection.execute("UPDATE tokens SET refresh_until = 0", [])?;
    Ok(taken_over)
}

fn counted(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

pub(super) fn beat(
    connection: &Connection,
    id: &str,
    report: &InstanceReport,
    now: i64,
) -> Result<Beat, rusqlite::Error> {
    let sql =
        "INSERT INTO instances (id, started_at, beat_at, program_version, knowledge_version, knowledge_refusal, reload)
               VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT DO UPDATE SET beat_at = excluded.beat_at, knowledge_version = excluded.knowledge_version,
                 knowledge_refusal = excluded.knowledge_refusal, reload = excluded.reload";
    connection.prepare_cached(sql)?.execute(params![
        id,
        now,
        report.program_version,
        report.knowledge_version,
        report.knowledge_refusal,
        report.reload
    ])?;
    let reload = requested_reload(connection)?;
    Ok(Beat {
        live: 1,
        reload,
        taken_over: TakenOver::default(),
    })
}

fn requested_reload(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let sql = "SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'reload'";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

pub(super) fn request_reload(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ('reload', '1')
               ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)";
    connection.execute(sql, [])?;
    requested_reload(connection)
}

pub(super) fn live(connection: &Connection, silent_since: i64) -> Result<Vec<Instance>, rusqlite::Error> {
    let sql = "SELECT id, started_at, program_version, knowledge_version, knowledge_refusal, reload FROM instances
               WHERE beat_at > ?1 ORDER BY started_at, id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([silent_since], |row| {
        Ok(Instance {
            id: row.get(0)?,
            started_at: timestamp(row.get(1)?),
            report: InstanceReport {
                program_version: row.get(2)?,
                knowledge_version: row.get(3)?,
                knowledge_refusal: row.get(4)?,
                reload: row.get(5)?,
            },
        })
    })?;
    rows.collect()
}
