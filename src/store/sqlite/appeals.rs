//! Appeals that are followed, in SQLite. Everything here runs inside the transaction that settles a message.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::statements::Statements;
use super::timestamp;
use crate::store::{AppealChange, ConversationKey, OpenedAppeal, Reminder, TrackedAppeal};

/// The person's open appeal, as it was given.
pub(super) fn open_appeal(connection: &Statements<'_>, person: &[u8]) -> Result<Option<String>, rusqlite::Error> {
    let sql = "SELECT record FROM appeals WHERE person = ?1 AND closed_at IS NULL";
    let record = connection.run(sql, |statement| statement.query_row([person], |row| row.get(0)));
    record.optional()
}

/// Carries out what a step decided about the person's appeal.
pub(super) fn change_appeal(
    connection: &Connection,
    person: &[u8],
    conversation: &ConversationKey,
    now: i64,
    change: &AppealChange,
) -> Result<(), rusqlite::Error> {
    match change {
        AppealChange::Unchanged => Ok(()),
        AppealChange::Forgotten => forget(connection, person),
        AppealChange::Closed { outcome } => close(connection, person, now, outcome),
        AppealChange::Opened(opened) => {
            forget(connection, person)?;
            open(connection, person, conversation, now, opened)
        }
    }
}

fn open(
    connection: &Connection,
    person: &[u8],
    conversation: &ConversationKey,
    now: i64,
    opened: &OpenedAppeal,
) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO appeals (person, corp_id, app, user_id, record, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![
        person,
        conversation.corp_id,
        conversation.app,
        conversation.user,
        opened.record,
        now
    ];
    connection.prepare_cached(sql)?.execute(values)?;
    let appeal = connection.last_insert_rowid();
    let sql = "INSERT INTO reminders (appeal, business_day, due_at) VALUES (?1, ?2, ?3)";
    let mut statement = connection.prepare_cached(sql)?;
    for reminder in &opened.reminders {
        statement.execute(params![appeal, reminder.business_day, reminder.due.as_millisecond()])?;
    }
    Ok(())
}

fn forget(connection: &Connection, person: &[u8]) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM appeals WHERE person = ?1 AND closed_at IS NULL";
    connection.prepare_cached(sql)?.execute([person]).map(drop)
}

fn close(connection: &Connection, person: &[u8], now: i64, outcome: &str) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM reminders WHERE appeal IN (SELECT id FROM appeals WHERE person = ?1 AND closed_at IS NULL)";
    connection.prepare_cached(sql)?.execute([person])?;
    let sql = "UPDATE appeals SET closed_at = ?2, outcome = ?3, user_id = NULL WHERE person = ?1 AND closed_at IS NULL";
    connection
        .prepare_cached(sql)?
        .execute(params![person, now, outcome])
        .map(drop)
}

/// All appeals on file, the newest first.
pub(super) fn all_appeals(connection: &Connection) -> Result<Vec<TrackedAppeal>, rusqlite::Error> {
    let sql = "SELECT id, corp_id, app, user_id, record, opened_at, closed_at, outcome FROM appeals ORDER BY opened_at DESC, id DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let id: i64 = row.get(0)?;
        let closed_at: Option<i64> = row.get(6)?;
        let appeal = TrackedAppeal {
            id,
            corp_id: row.get(1)?,
            app: row.get(2)?,
            user_id: row.get(3)?,
            record: row.get(4)?,
            opened_at: timestamp(row.get(5)?),
            closed_at: closed_at.map(timestamp),
            outcome: row.get(7)?,
            reminders: Vec::new(),
        };
        Ok((id, appeal))
    })?;
    let mut appeals = Vec::new();
    for row in rows {
        let (id, mut appeal) = row?;
        appeal.reminders = reminders_of(connection, id)?;
        appeals.push(appeal);
    }
    Ok(appeals)
}

fn reminders_of(connection: &Connection, appeal: i64) -> Result<Vec<Reminder>, rusqlite::Error> {
    let sql = "SELECT business_day, due_at FROM reminders WHERE appeal = ?1 ORDER BY due_at";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([appeal], |row| {
        let due: Timestamp = timestamp(row.get(1)?);
        Ok(Reminder {
            business_day: row.get(0)?,
            due,
        })
    })?;
    rows.collect()
}
