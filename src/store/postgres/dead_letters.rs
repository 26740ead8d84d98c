//! Messages that could not be answered or sent, in PostgreSQL.

use tokio_postgres::{Error, Row};

use super::pool::Transaction;
use super::values::values;
use super::{count, timestamp};
use crate::store::delivery::IS_SWALLOWED;
use crate::store::{DeadLetter, DeadLetterId};

/// What was received and could not be answered: app, account, and what both kinds have in common.
const RECEIVED: &str = "SELECT id, app, open_kf_id, person, received_at, fate, reason, attempts, item, '' FROM inbox";

/// What could not be sent: way, API, and what both kinds have in common.
const SENDS: &str =
    "SELECT id, way, api, person, coalesce(settled_at, next_at), fate, 'errcode ' || code, attempts, body,
       knowledge_version FROM outbox";

/// What an admin should look at, and what came too late or did not arrive.
const DEAD_RECEIVED: &str = "fate IN ('failed', 'unreadable')";
const DEAD_SENDS: &str = "fate IN ('refused', 'unclear')";
const ALL_SENDS: &str = "fate IN ('refused', 'unclear', 'expired', 'dropped', 'undelivered')";

pub(super) async fn list(transaction: Transaction<'_>, all: bool, most: u32) -> Result<Vec<DeadLetter>, Error> {
    let sends = if all { ALL_SENDS } else { DEAD_SENDS };
    let mut found = Vec::new();
    let sql = format!("{RECEIVED} WHERE {DEAD_RECEIVED} ORDER BY id DESC LIMIT $1");
    for row in transaction.rows(&sql, values![most]).await? {
        found.push(received(&row)?);
    }
    let sql = format!("{SENDS} WHERE {sends} ORDER BY id DESC LIMIT $1");
    for row in transaction.rows(&sql, values![most]).await? {
        found.push(send(&row)?);
    }
    found.sort_by_key(|letter| std::cmp::Reverse(letter.at));
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    for letter in &mut found {
        letter.content = None;
    }
    Ok(found)
}

pub(super) async fn one(transaction: Transaction<'_>, id: DeadLetterId) -> Result<Option<DeadLetter>, Error> {
    match id {
        DeadLetterId::Received(number) => {
            let sql = format!("{RECEIVED} WHERE id = $1 AND {DEAD_RECEIVED}");
            let row = transaction.row_if_any(&sql, values![number]).await?;
            row.map(|row| received(&row)).transpose()
        }
        DeadLetterId::Send(number) => {
            let sql = format!("{SENDS} WHERE id = $1 AND {ALL_SENDS}");
            let row = transaction.row_if_any(&sql, values![number]).await?;
            row.map(|row| send(&row)).transpose()
        }
    }
}

fn received(row: &Row) -> Result<DeadLetter, Error> {
    let (app, open_kf_id): (String, String) = (row.try_get(1)?, row.try_get(2)?);
    Ok(DeadLetter {
        app: match open_kf_id.is_empty() {
            true => app,
            false => format!("{app}/{open_kf_id}"),
        },
        ..letter(row, DeadLetterId::Received)?
    })
}

fn send(row: &Row) -> Result<DeadLetter, Error> {
    Ok(DeadLetter {
        app: row.try_get(1)?,
        api: Some(row.try_get(2)?),
        ..letter(row, DeadLetterId::Send)?
    })
}

/// What both have in common, in the same columns.
fn letter(row: &Row, id: impl Fn(i64) -> DeadLetterId) -> Result<DeadLetter, Error> {
    let (person, reason): (&[u8], Option<String>) = (row.try_get(3)?, row.try_get(6)?);
    Ok(DeadLetter {
        id: id(row.try_get(0)?),
        app: String::new(),
        api: None,
        person: crate::store::hashes::shown(person),
        at: timestamp(row.try_get(4)?),
        fate: row.try_get(5)?,
        reason: reason.unwrap_or_default(),
        attempts: count(row.try_get(7)?),
        content: row.try_get(8)?,
        knowledge_version: row.try_get(9)?,
    })
}

/// Puts it back as it was. It may be sent until `until` at least.
pub(super) async fn requeue(
    transaction: Transaction<'_>,
    id: DeadLetterId,
    now: i64,
    until: i64,
) -> Result<bool, Error> {
    let changed = match id {
        DeadLetterId::Received(number) => {
            let sql = format!(
                "UPDATE inbox SET fate = NULL, reason = NULL, owner = NULL, attempts = 0
                 WHERE id = $1 AND item IS NOT NULL AND {DEAD_RECEIVED}"
            );
            transaction.execute(&sql, values![number]).await?
        }
        DeadLetterId::Send(number) => {
            let sql = format!(
                "UPDATE outbox SET fate = NULL, owner = NULL, settled_at = NULL, code = NULL,
                   unclear = (attempts > 0 AND NOT ({IS_SWALLOWED}))::int,
                   next_at = $2, not_after = greatest(not_after, $3)
                 WHERE id = $1 AND body IS NOT NULL AND {ALL_SENDS}"
            );
            transaction.execute(&sql, values![number, now, until]).await?
        }
    };
    Ok(changed > 0)
}

pub(super) async fn discard(transaction: Transaction<'_>, id: DeadLetterId) -> Result<bool, Error> {
    let (sql, number) = match id {
        DeadLetterId::Received(number) => (
            format!("UPDATE inbox SET fate = 'discarded', item = NULL WHERE id = $1 AND {DEAD_RECEIVED}"),
            number,
        ),
        DeadLetterId::Send(number) => (
            format!(
                "UPDATE outbox SET fate = 'discarded', body = NULL, instead_body = NULL WHERE id = $1 AND {ALL_SENDS}"
            ),
            number,
        ),
    };
    Ok(transaction.execute(&sql, values![number]).await? > 0)
}
