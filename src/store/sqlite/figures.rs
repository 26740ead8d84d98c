//! What waits, in SQLite. Every count goes over an index of what waits alone.

use rusqlite::Connection;

use super::timestamp;
use crate::store::{AccountFigures, Figures, KfAccountKey};

pub(super) fn figures(connection: &Connection) -> Result<Figures, rusqlite::Error> {
    let mut figures = Figures {
        accounts: accounts(connection)?,
        ..Figures::default()
    };
    let sql = "SELECT count(*), (SELECT received_at FROM inbox WHERE fate IS NULL ORDER BY id LIMIT 1)
               FROM inbox INDEXED BY inbox_in_order WHERE fate IS NULL";
    connection.prepare_cached(sql)?.query_row([], |row| {
        let oldest: Option<i64> = row.get(1)?;
        figures.waiting = row.get(0)?;
        figures.oldest_waiting = oldest.map(timestamp);
        Ok(())
    })?;
    let sql = "SELECT count(*), min(next_at) FROM outbox INDEXED BY outbox_by_due WHERE fate IS NULL";
    connection.prepare_cached(sql)?.query_row([], |row| {
        let oldest: Option<i64> = row.get(1)?;
        figures.unsent = row.get(0)?;
        figures.oldest_due = oldest.map(timestamp);
        Ok(())
    })?;
    let count = |sql| connection.prepare_cached(sql)?.query_row([], |row| row.get(0));
    figures.dead_received = count("SELECT count(*) FROM inbox WHERE fate IN ('failed', 'unreadable')")?;
    figures.dead_sends = count("SELECT count(*) FROM outbox WHERE fate IN ('refused', 'unclear')")?;
    Ok(figures)
}

fn accounts(connection: &Connection) -> Result<Vec<AccountFigures>, rusqlite::Error> {
    let sql =
        "SELECT corp_id, app, open_kf_id, pulled_at, wanted > done FROM kf_accounts ORDER BY corp_id, app, open_kf_id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let pulled_at: Option<i64> = row.get(3)?;
        Ok(AccountFigures {
            account: KfAccountKey {
                corp_id: row.get(0)?,
                app: row.get(1)?,
                open_kf_id: row.get(2)?,
            },
            pulled_at: pulled_at.map(timestamp),
            has_news: row.get(4)?,
        })
    })?;
    rows.collect()
}
