//! Access tokens, in PostgreSQL, so that all processes of an app share one.

use jiff::Timestamp;
use tokio_postgres::Error;

use super::pool::Transaction;
use super::values::values;
use super::{NOW, timestamp};
use crate::wecom::StoredToken;

pub(super) async fn load(transaction: Transaction<'_>, app: &str) -> Result<Option<StoredToken>, Error> {
    let sql = "SELECT token, generation, expires_at FROM tokens WHERE app = $1 AND token IS NOT NULL";
    let Some(row) = transaction.row_if_any(sql, values![app]).await? else {
        return Ok(None);
    };
    Ok(Some(StoredToken {
        sealed: row.try_get(0)?,
        generation: row.try_get(1)?,
        expires_at: timestamp(row.try_get(2)?),
    }))
}

/// Grants the right to fetch the token after `generation` to one process, for so long by the database's clock: the clocks of machines differ.
/// A right that lasts much longer was granted before that clock was put back.
pub(super) async fn claim_refresh(
    transaction: Transaction<'_>,
    owner: &str,
    (app, generation): (&str, i64),
    (now, until): (Timestamp, Timestamp),
) -> Result<bool, Error> {
    let granted = i64::try_from(until.duration_since(now).as_millis()).unwrap_or(i64::MAX);
    let sql = format!(
        "INSERT INTO tokens AS stored (app, generation, expires_at, refresh_until, owner) VALUES ($1, $2, 0, {NOW} + $3, $4)
         ON CONFLICT (app) DO UPDATE SET refresh_until = excluded.refresh_until, owner = excluded.owner
           WHERE stored.generation <= excluded.generation AND stored.refresh_until NOT BETWEEN {NOW} + 1 AND {NOW} + $3 + 60000"
    );
    let values = values![app, generation, granted, owner];
    Ok(transaction.execute(&sql, values).await? > 0)
}

/// Removes tokens that expired before a time, and with them those of Secrets that are used no longer.
pub(super) async fn purge(transaction: Transaction<'_>, before: i64) -> Result<(), Error> {
    let sql = "DELETE FROM tokens WHERE expires_at < $1 AND refresh_until < $1";
    transaction.execute(sql, values![before]).await.map(drop)
}

pub(super) async fn save(transaction: Transaction<'_>, app: &str, token: &StoredToken) -> Result<(), Error> {
    let sql = "INSERT INTO tokens AS stored (app, token, generation, expires_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (app) DO UPDATE SET token = excluded.token, generation = excluded.generation,
                 expires_at = excluded.expires_at, refresh_until = 0, owner = NULL
                 WHERE stored.generation < excluded.generation";
    let values = values![app, &token.sealed, token.generation, token.expires_at.as_millisecond()];
    transaction.execute(sql, values).await.map(drop)
}
