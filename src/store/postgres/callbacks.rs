//! Requests to the callback addresses, in PostgreSQL. All servers count into the same rows.

use tokio_postgres::Error;

use super::pool::Transaction;
use super::timestamp;
use super::values::values;
use crate::store::SeenCallbacks;

/// The rows come in one order from every server, so that no two of them wait for each other.
pub(super) async fn note(transaction: Transaction<'_>, mut seen: Vec<SeenCallbacks>) -> Result<(), Error> {
    let key = |alike: &SeenCallbacks| {
        (
            alike.app.clone(),
            alike.method.clone(),
            alike.outcome.clone(),
            alike.likely.clone(),
        )
    };
    seen.sort_by_key(key);
    let sql = "INSERT INTO callbacks_seen AS stored (app, method, outcome, likely, detail, source, count, first_at, last_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (app, method, outcome, likely) DO UPDATE SET detail = excluded.detail, source = excluded.source,
                 count = stored.count + excluded.count, last_at = greatest(stored.last_at, excluded.last_at)";
    for alike in &seen {
        let values = values![
            &alike.app,
            &alike.method,
            &alike.outcome,
            &alike.likely,
            &alike.detail,
            &alike.source,
            i64::try_from(alike.count).unwrap_or(i64::MAX),
            alike.first_at.as_millisecond(),
            alike.last_at.as_millisecond()
        ];
        transaction.execute(sql, values).await?;
    }
    Ok(())
}

pub(super) async fn all(transaction: Transaction<'_>) -> Result<Vec<SeenCallbacks>, Error> {
    let sql = "SELECT app, method, outcome, likely, detail, source, count, first_at, last_at FROM callbacks_seen
               ORDER BY last_at DESC, id DESC";
    let rows = transaction.rows(sql, Vec::new()).await?;
    let seen = rows.iter().map(|row| {
        let count: i64 = row.try_get(6)?;
        Ok(SeenCallbacks {
            app: row.try_get(0)?,
            method: row.try_get(1)?,
            outcome: row.try_get(2)?,
            likely: row.try_get(3)?,
            detail: row.try_get(4)?,
            source: row.try_get(5)?,
            count: u64::try_from(count).unwrap_or_default(),
            first_at: timestamp(row.try_get(7)?),
            last_at: timestamp(row.try_get(8)?),
        })
    });
    seen.collect()
}
