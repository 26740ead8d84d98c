//! Messages that could not be answered or sent, in SQLite.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::timestamp;
use crate::store::delivery::IS_SWALLOWED;
use crate::store::{DeadLetter, DeadLetterId};

/// What was received and could not be answered.
const RECEIVED: &str =
    "SELECT id, app, open_kf_id, person, received_at, fate, coalesce(reason, ''), attempts, item, '' FROM inbox";

/// What could not be sent.
const SENDS: &str =
    "SELECT id, way, api, person, coalesce(settled_at, next_at), fate, coalesce(code, ''), attempts, body,
       knowledge_version FROM outbox";

/// What an admin should look at, and what came too late or did not arrive.
const DEAD_RECEIVED: &str = "fate IN ('failed', 'unreadable')";
const DEAD_SENDS: &str = "fate IN ('refused', 'unclear')";
const ALL_SENDS: &str = "fate IN ('refused', 'unclear', 'expired', 'dropped', 'undelivered')";

pub(super) fn list(connection: &Connection, all: bool, most: u32) -> Result<Vec<DeadLetter>, rusqlite::Error> {
    let sends = if all { ALL_SENDS } else { DEAD_SENDS };
    let mut found = Vec::new();
    let sql = format!("{RECEIVED} WHERE {DEAD_RECEIVED} ORDER BY id DESC LIMIT ?1");
    for letter in connection.prepare_cached(&sql)?.query_map([most], received)? {
        found.push(letter?);
    }
    let sql = format!("{SENDS} WHERE {sends} ORDER BY id DESC LIMIT ?1");
    for letter in connection.prepare_cached(&sql)?.query_map([most], send)? {
        found.push(letter?);
    }
    found.sort_by_key(|letter| std::cmp::Reverse(letter.at));
    found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    for letter in &mut found {
        letter.content = None;
    }
    Ok(found)
}

pub(super) fn one(connection: &Connection, id: DeadLetterId) -> Result<Option<DeadLetter>, rusqlite::Error> {
    match id {
        DeadLetterId::Received(number) => {
            let sql = format!("{RECEIVED} WHERE id = ?1 AND {DEAD_RECEIVED}");
            connection
                .prepare_cached(&sql)?
                .query_row([number], received)
                .optional()
        }
        DeadLetterId::Send(number) => {
            let sql = format!("{SENDS} WHERE id = ?1 AND {ALL_SENDS}");
            connection.prepare_cached(&sql)?.query_row([number], send).optional()
        }
    }
}

fn received(row: &Row<'_>) -> Result<DeadLetter, rusqlite::Error> {
    let (app, open_kf_id): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(DeadLetter {
        id: DeadLetterId::Received(row.get(0)?),
        app: match open_kf_id.is_empty() {
            true => app,
            false => format!("{app}/{open_kf_id}"),
        },
        api: None,
        ..letter(row)?
    })
}

fn send(row: &Row<'_>) -> Result<DeadLetter, rusqlite::Error> {
    let code: rusqlite::types::Value = row.get(6)?;
    Ok(DeadLetter {
        id: DeadLetterId::Send(row.get(0)?),
        app: row.get(1)?,
        api: Some(row.get(2)?),
        reason: match code {
            rusqlite::types::Value::Integer(code) => format!("errcode {code}"),
            _ => String::new(),
        },
        ..letter(row)?
    })
}

/// What both have in common, in the same columns.
fn letter(row: &Row<'_>) -> Result<DeadLetter, rusqlite::Error> {
    let person: Vec<u8> = row.get(3)?;
    let reason: rusqlite::types::Value = row.get(6)?;
    Ok(DeadLetter {
        id: DeadLetterId::Received(0),
        app: String::new(),
        api: None,
        person: crate::store::hashes::shown(&person),
        at: timestamp(row.get(4)?),
        fate: row.get(5)?,
        reason: match reason {
            rusqlite::types::Value::Text(reason) => reason,
            _ => String::new(),
        },
        attempts: row.get(7)?,
        content: row.get(8)?,
        knowledge_version: row.get(9)?,
    })
}

/// Puts it back as it was. It may be sent until `until` at least.
pub(super) fn requeue(
    connection: &Connection,
    id: DeadLetterId,
    now: i64,
    until: i64,
) -> Result<bool, rusqlite::Error> {
    let changed = match id {
        DeadLetterId::Received(number) => {
            let sql = format!(
                "UPDATE inbox SET fate = NULL, reason = NULL, owner = NULL, attempts = 0
                 WHERE id = ?1 AND item IS NOT NULL AND {DEAD_RECEIVED}"
            );
            connection.prepare_cached(&sql)?.execute([number])?
        }
        DeadLetterId::Send(number) => {
            let sql = format!(
                "UPDATE outbox SET fate = NULL, owner = NULL, settled_at = NULL, code = NULL,
                   unclear = attempts > 0 AND NOT ({IS_SWALLOWED}), next_at = ?2,
                   not_after = max(not_after, ?3)
                 WHERE id = ?1 AND body IS NOT NULL AND {ALL_SENDS}"
            );
            connection.prepare_cached(&sql)?.execute(params![number, now, until])?
        }
    };
    Ok(changed > 0)
}

pub(super) fn discard(connection: &Connection, id: DeadLetterId) -> Result<bool, rusqlite::Error> {
    let (sql, number) = match id {
        DeadLetterId::Received(number) => (
            format!("UPDATE inbox SET fate = 'discarded', item = NULL WHERE id = ?1 AND {DEAD_RECEIVED}"),
            number,
        ),
        DeadLetterId::Send(number) => (
            format!(
                "UPDATE outbox SET fate = 'discarded', body = NULL, instead_body = NULL WHERE id = ?1 AND {ALL_SENDS}"
            ),
            number,
        ),
    };
    Ok(connection.prepare_cached(&sql)?.execute([number])? > 0)
}
