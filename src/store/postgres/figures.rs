//! What waits, in PostgreSQL. Every count goes over an index of what waits alone.

use tokio_postgres::Error;

use super::pool::Transaction;
use super::{count, timestamp};
use crate::store::{AccountFigures, Figures, KfAccountKey};

pub(super) async fn figures(transaction: Transaction<'_>) -> Result<Figures, Error> {
    let sql = "SELECT (SELECT count(*) FROM inbox WHERE fate IS NULL),
                 (SELECT received_at FROM inbox WHERE fate IS NULL ORDER BY id LIMIT 1),
                 (SELECT count(*) FROM outbox WHERE fate IS NULL),
                 (SELECT min(next_at) FROM outbox WHERE fate IS NULL),
                 (SELECT count(*) FROM inbox WHERE fate IN ('failed', 'unreadable')),
                 (SELECT count(*) FROM outbox WHERE fate IN ('refused', 'unclear'))";
    let accounts = accounts(transaction).await?;
    let Some(row) = transaction.row_if_any(sql, Vec::new()).await? else {
        return Ok(Figures::default());
    };
    let (oldest_waiting, oldest_due): (Option<i64>, Option<i64>) = (row.try_get(1)?, row.try_get(3)?);
    Ok(Figures {
        waiting: count(row.try_get(0)?),
        oldest_waiting: oldest_waiting.map(timestamp),
        unsent: count(row.try_get(2)?),
        oldest_due: oldest_due.map(timestamp),
        dead_received: count(row.try_get(4)?),
        dead_sends: count(row.try_get(5)?),
        accounts,
    })
}

async fn accounts(transaction: Transaction<'_>) -> Result<Vec<AccountFigures>, Error> {
    let sql =
        "SELECT corp_id, app, open_kf_id, pulled_at, wanted > done FROM kf_accounts ORDER BY corp_id, app, open_kf_id";
    let rows = transaction.rows(sql, Vec::new()).await?;
    let figures = rows.iter().map(|row| {
        let pulled_at: Option<i64> = row.try_get(3)?;
        Ok(AccountFigures {
            account: KfAccountKey {
                corp_id: row.try_get(0)?,
                app: row.try_get(1)?,
                open_kf_id: row.try_get(2)?,
            },
            pulled_at: pulled_at.map(timestamp),
            has_news: row.try_get(4)?,
        })
    });
    figures.collect()
}
