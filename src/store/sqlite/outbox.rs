//! What is to be sent, in SQLite: in order for each person, each once, by whoever holds it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::inbox::set_served_by;
use super::timestamp;
use crate::store::delivery::{IS_SWALLOWED, SWALLOWED_FOR};
use crate::store::{ClaimedSend, DueReminder, NewSend, SendClaim, SendResult, ServedBy};

/// Nothing waits so long for its next try, in milliseconds: a time that is further away was set before the clock was put back.
const LONGEST_PAUSE: i64 = 2 * 3600 * 1000;

/// Adds something to send. What has been added before under the same id is the same and stays as it is. What it answers was said at
/// `said_at`: if that was before a copy took the place of the file, it may have been sent by what is lost.
pub(super) fn add_send(
    connection: &Connection,
    person: &[u8],
    (message, said_at): (Option<&[u8]>, i64),
    send: &NewSend,
) -> Result<(), rusqlite::Error> {
    let sql = format!(
        "INSERT INTO outbox (send_id, person, way, api, body, instead_api, instead_body, urgency, next_at, not_after, replaces, unclear,
           knowledge_version)
         SELECT send_id, person, way, api, body, instead_api, instead_body, urgency, next_at,
           CASE WHEN unclear AND {IS_SWALLOWED} THEN min(not_after, ?12 + ?13) ELSE not_after END, replaces, unclear, ?14
         FROM (SELECT ?1 AS send_id, ?2 AS person, ?3 AS way, ?4 AS api, ?5 AS body, ?6 AS instead_api, ?7 AS instead_body,
                 ?8 AS urgency, ?9 AS next_at, ?10 AS not_after, ?11 AS replaces,
                 EXISTS (SELECT 1 FROM meta WHERE key = 'restored_at' AND CAST(value AS INTEGER) > ?12) AS unclear)
         WHERE true ON CONFLICT (send_id) DO NOTHING"
    );
    let values = params![
        send.send_id,
        person,
        send.way,
        send.api,
        send.body,
        send.instead.as_ref().map(|instead| &instead.api),
        send.instead.as_ref().map(|instead| &instead.body),
        send.urgency.rank(),
        send.next_at.as_millisecond(),
        send.not_after.as_millisecond(),
        message.filter(|_| send.replaces_reply),
        said_at,
        SWALLOWED_FOR,
        send.knowledge_version
    ];
    connection.prepare_cached(&sql)?.execute(values).map(drop)
}

/// How many messages to a person are still to be sent.
pub(super) fn unsent_of(connection: &Connection, person: &[u8]) -> Result<u32, rusqlite::Error> {
    let sql = "SELECT count(*) FROM outbox WHERE person = ?1 AND fate IS NULL";
    connection.prepare_cached(sql)?.query_row([person], |row| row.get(0))
}

/// Whether a reply may go out passively after all: not when the message that stands in for it is under way or sent.
/// When it may, that message is dropped.
pub(super) fn reply_instead(connection: &Connection, message: &[u8]) -> Result<bool, rusqlite::Error> {
    let sql = "UPDATE outbox SET fate = 'replied', settled_at = next_at, body = NULL, instead_body = NULL
               WHERE replaces = ?1 AND fate IS NULL AND attempts = 0";
    connection.prepare_cached(sql)?.execute([message])?;
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE replaces = ?1 AND fate IS NOT 'replied')";
    connection.prepare_cached(sql)?.query_row([message], |row| row.get(0))
}

/// A message of ours that the platform took did not arrive.
pub(super) fn fail_delivery(connection: &Connection, send_id: &str, reason: i64) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE outbox SET fate = 'undelivered', code = ?2 WHERE send_id = ?1 AND fate = 'sent'";
    connection
        .prepare_cached(sql)?
        .execute(params![send_id, reason])
        .map(drop)
}

/// Takes what is due, the first of each person only.
pub(super) fn claim(
    connection: &Connection,
    owner: &str,
    now: i64,
    most: u32,
    paused: &[String],
) -> Result<Vec<ClaimedSend>, rusqlite::Error> {
    return_expired_transfers(connection, now)?;
    let sql = format!(
        "UPDATE outbox SET fate = CASE WHEN unclear AND {IS_SWALLOWED} THEN 'unclear' ELSE 'expired' END, settled_at = ?1
         WHERE fate IS NULL AND not_after < ?1 AND owner IS NULL"
    );
    connection.prepare_cached(&sql)?.execute([now])?;
    let sql = "SELECT EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_by_due WHERE fate IS NULL AND next_at <= ?1)
               OR EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_by_due WHERE fate IS NULL AND next_at > ?2)";
    let far = now.saturating_add(LONGEST_PAUSE);
    let is_due: bool = connection
        .prepare_cached(sql)?
        .query_row([now, far], |row| row.get(0))?;
    if !is_due {
        return Ok(Vec::new());
    }
    let sql = "UPDATE outbox SET owner = ?2, attempts = attempts + 1, next_at = ?1 WHERE id IN (
                 SELECT id FROM outbox AS one WHERE fate IS NULL AND (next_at <= ?1 OR next_at > ?5) AND owner IS NULL
                   AND way || ' ' || api NOT IN (SELECT value FROM json_each(?4))
                   AND NOT EXISTS (SELECT 1 FROM outbox AS earlier
                     WHERE earlier.person = one.person AND earlier.fate IS NULL AND earlier.id < one.id)
                 ORDER BY urgency, id LIMIT ?3)
               RETURNING id, way, api, body, attempts, not_after, unclear, send_id";
    let paused = serde_json::to_string(paused).unwrap_or_else(|_| "[]".to_owned());
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![now, owner, most, paused, far], |row| {
        let body: Option<String> = row.get(3)?;
        Ok(ClaimedSend {
            claim: SendClaim {
                id: row.get(0)?,
                attempts: row.get(4)?,
            },
            way: row.get(1)?,
            api: row.get(2)?,
            body: body.unwrap_or_default(),
            not_after: timestamp(row.get(5)?),
            unclear: row.get(6)?,
            send_id: row.get(7)?,
        })
    })?;
    rows.collect()
}

/// Customers whose handing over came too late are the bot's again.
fn return_expired_transfers(connection: &Connection, now: i64) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE customers SET served_by = 'bot' WHERE served_by = 'pool' AND person IN (
                 SELECT person FROM outbox WHERE fate IS NULL AND not_after < ?1 AND api = 'kf/service_state/trans')";
    connection.prepare_cached(sql)?.execute([now]).map(drop)
}

/// Gives back what a process held that is no more. Whether it was sent nobody knows; a message of the app that WeCom would show a second
/// time is not sent again, or not after WeCom has ceased to swallow it. How many it were.
pub(super) fn take_over(connection: &Connection) -> Result<usize, rusqlite::Error> {
    let sql = "UPDATE outbox SET fate = 'unclear', owner = NULL, settled_at = next_at
               WHERE fate IS NULL AND owner IS NOT NULL AND api = 'message/send'
                 AND body NOT LIKE '%\"enable_duplicate_check\"%' AND body NOT LIKE '%\"task_id\"%'";
    let given_up = connection.execute(sql, [])?;
    let sql = format!(
        "UPDATE outbox SET owner = NULL, unclear = 1,
           not_after = CASE WHEN NOT unclear AND {IS_SWALLOWED} THEN min(not_after, next_at + ?1) ELSE not_after END
         WHERE fate IS NULL AND owner IS NOT NULL"
    );
    let sent_again = connection.execute(&sql, [SWALLOWED_FOR])?;
    Ok(given_up.saturating_add(sent_again))
}

/// Says how sending went, unless somebody else has claimed it since.
pub(super) fn settle(
    connection: &Connection,
    claim: SendClaim,
    result: &SendResult,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let sql =
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE id = ?1 AND attempts = ?2 AND fate IS NULL AND owner IS NOT NULL)";
    let is_ours: bool = connection
        .prepare_cached(sql)?
        .query_row(params![claim.id, claim.attempts], |row| row.get(0))?;
    if !is_ours {
        return Ok(());
    }
    match result {
        SendResult::Sent => finish(connection, claim.id, "sent", None, now),
        SendResult::Later { at, code, unclear } => {
            let sql = format!(
                "UPDATE outbox SET owner = NULL, next_at = ?2, code = ?3, unclear = unclear OR ?4,
                   not_after = CASE WHEN ?4 AND NOT unclear AND {IS_SWALLOWED} THEN min(not_after, ?5) ELSE not_after END
                 WHERE id = ?1"
            );
            let until = now.saturating_add(SWALLOWED_FOR);
            let values = params![claim.id, at.as_millisecond(), code, unclear, until];
            connection.prepare_cached(&sql)?.execute(values).map(drop)
        }
        SendResult::Refused {
            code,
            served_by,
            closed,
        } => refuse(connection, claim.id, *code, *served_by, *closed, now),
    }
}

fn refuse(
    connection: &Connection,
    id: i64,
    code: Option<i64>,
    served_by: Option<ServedBy>,
    closed: bool,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let sql = "SELECT person FROM outbox WHERE id = ?1";
    let person: Option<Vec<u8>> = connection
        .prepare_cached(sql)?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let Some(person) = person else { return Ok(()) };
    if !closed && send_instead(connection, id, now)? {
        return Ok(());
    }
    finish(connection, id, "refused", code, now)?;
    match served_by {
        Some(served_by) => set_served_by(connection, &person, served_by, now)?,
        // Who was to be handed over with what is dropped here has not been.
        None => return_from_pool(connection, &person)?,
    }
    if closed {
        let sql = "UPDATE outbox SET fate = 'dropped', code = ?2, settled_at = ?3 WHERE person = ?1 AND fate IS NULL AND owner IS NULL";
        connection.prepare_cached(sql)?.execute(params![person, code, now])?;
    }
    Ok(())
}

/// What was to be sent instead takes the place of what was refused. A customer who could not be handed over is the bot's again.
fn send_instead(connection: &Connection, id: i64, now: i64) -> Result<bool, rusqlite::Error> {
    let sql =
        "UPDATE outbox SET api = instead_api, body = instead_body, instead_body = NULL, owner = NULL, unclear = 0,
                 next_at = ?2
               WHERE id = ?1 AND fate IS NULL AND instead_body IS NOT NULL RETURNING person";
    let person: Option<Vec<u8>> = connection
        .prepare_cached(sql)?
        .query_row(params![id, now], |row| row.get(0))
        .optional()?;
    let Some(person) = person else { return Ok(false) };
    return_from_pool(connection, &person)?;
    Ok(true)
}

fn return_from_pool(connection: &Connection, person: &[u8]) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE customers SET served_by = 'bot' WHERE person = ?1 AND served_by = 'pool'";
    connection.prepare_cached(sql)?.execute([person]).map(drop)
}

/// What was sent is not kept any longer; what was not can still be looked at.
fn finish(connection: &Connection, id: i64, fate: &str, code: Option<i64>, now: i64) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE outbox SET fate = ?2, owner = NULL, code = ?3, settled_at = ?4, instead_body = NULL,
                 body = CASE ?2 WHEN 'sent' THEN NULL ELSE body END
               WHERE id = ?1 AND fate IS NULL";
    connection
        .prepare_cached(sql)?
        .execute(params![id, fate, code, now])
        .map(drop)
}

pub(super) fn due_reminders(
    connection: &Connection,
    now: i64,
    apps: &[(String, String)],
) -> Result<Vec<DueReminder>, rusqlite::Error> {
    let sql = "SELECT appeal, corp_id, app, user_id, record, business_day, due_at FROM reminders
               JOIN appeals ON appeals.id = reminders.appeal
               WHERE due_at <= ?1 AND user_id IS NOT NULL
                 AND json_array(corp_id, substr(app, 1, instr(app || '/', '/') - 1)) IN (SELECT value FROM json_each(?2))
               ORDER BY due_at, appeal LIMIT 100";
    let apps = serde_json::to_string(apps).unwrap_or_else(|_| "[]".to_owned());
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![now, apps], |row| {
        let due: Timestamp = timestamp(row.get(6)?);
        Ok(DueReminder {
            appeal: row.get(0)?,
            corp_id: row.get(1)?,
            app: row.get(2)?,
            user_id: row.get(3)?,
            record: row.get(4)?,
            business_day: row.get(5)?,
            due,
        })
    })?;
    rows.collect()
}

pub(super) fn remind(
    connection: &Connection,
    reminder: &DueReminder,
    send: Option<&NewSend>,
) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM reminders WHERE appeal = ?1 AND business_day = ?2";
    let taken = connection
        .prepare_cached(sql)?
        .execute(params![reminder.appeal, reminder.business_day])?;
    // Closed in the meantime, or somebody else's.
    if taken == 0 {
        return Ok(());
    }
    let Some(send) = send else { return Ok(()) };
    let sql = "SELECT person FROM appeals WHERE id = ?1";
    let person: Vec<u8> = connection
        .prepare_cached(sql)?
        .query_row([reminder.appeal], |row| row.get(0))?;
    add_send(connection, &person, (None, reminder.due.as_millisecond()), send)
}
