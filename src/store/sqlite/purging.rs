//! Removes what has been kept long enough, in SQLite: a little at a time, so that nobody waits for it.

use jiff::{SignedDuration, Timestamp};

use super::before;
use super::replies::{Replies, SHARED_FOR};
use super::sessions::Sessions;
use super::tokens;
use super::writer::Writer;
use crate::store::hashes::timed;
use crate::store::{Retention, StoreError};

/// Settled messages are kept much longer than WeCom delivers again, so that a repeated one is known for what it is.
const MESSAGES_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An appeal that nobody has closed is followed for so long, however short questions are kept: it was promised.
const APPEALS_FOLLOWED: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What was published from the console is known for so long, and can be rolled back.
const KNOWLEDGE_VERSIONS_KEPT: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

/// What somebody has changed and not published is kept for so long after the last change.
const KNOWLEDGE_DRAFTS_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What was done in the console is known for so long.
const AUDIT_KEPT: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

/// A session of the console ends after half a day at the latest.
const CONSOLE_SESSIONS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// So many rows are removed in one transaction.
const AT_ONCE: usize = 500;

pub(super) async fn purge(
    writer: &Writer,
    (sessions, replies): (&Sessions, &Replies),
    now: Timestamp,
    retention: Retention,
) -> Result<(), StoreError> {
    let questions_kept = SignedDuration::from_hours(i64::from(retention.questions_days).saturating_mul(24));
    let messages = before(now, MESSAGES_KEPT);
    let questions = before(now, questions_kept);
    let by_key = [("messages", messages), ("questions", questions)];
    for (table, before) in by_key {
        // Keys are in the order of time, and a question of the very second stays.
        let first_kept = timed(before.div_euclid(1000), &[]);
        remove(
            writer,
            &format!(
                "DELETE FROM {table} WHERE message IN (SELECT message FROM {table} WHERE message < ?1 LIMIT {AT_ONCE})"
            ),
            first_kept.to_vec(),
        )
        .await?;
    }
    let by_age = [
        ("ratings", "rated_at", questions),
        ("appeals", "closed_at", questions),
        ("appeals", "opened_at", before(now, APPEALS_FOLLOWED)),
        ("inbox", "received_at", messages),
        ("outbox", "settled_at", messages),
        ("callbacks_seen", "last_at", questions),
        ("outbreaks", "noticed_at", questions),
        ("console_audit", "at", before(now, AUDIT_KEPT)),
        (
            "knowledge_versions",
            "published_at",
            before(now, KNOWLEDGE_VERSIONS_KEPT),
        ),
    ];
    for (table, age, before) in by_age {
        let sql =
            format!("DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {age} < ?1 LIMIT {AT_ONCE})");
        remove(writer, &sql, before).await?;
    }
    let sessions_of_console = before(now, CONSOLE_SESSIONS_KEPT);
    let of_console = [
        ("console_links", "expires_at", now.as_millisecond()),
        ("console_sessions", "created_at", sessions_of_console),
    ];
    for (table, age, before) in of_console {
        let sql =
            format!("DELETE FROM {table} WHERE hash IN (SELECT hash FROM {table} WHERE {age} < ?1 LIMIT {AT_ONCE})");
        remove(writer, &sql, before).await?;
    }
    let drafts = before(now, KNOWLEDGE_DRAFTS_KEPT);
    remove(
        writer,
        &format!("DELETE FROM knowledge_drafts WHERE author IN (SELECT author FROM knowledge_drafts WHERE changed_at < ?1 LIMIT {AT_ONCE})"),
        drafts,
    )
    .await?;
    remove_replies(writer, replies, now).await?;
    remove_sessions(writer, sessions, now.as_millisecond()).await?;
    remove_customers(writer, messages).await?;
    writer
        .submit(move |connection| tokens::purge(connection, messages))
        .await
}

/// The oldest replies, once no message that may be known refers to one of them.
async fn remove_replies(writer: &Writer, replies: &Replies, now: Timestamp) -> Result<(), StoreError> {
    let before = before(now, MESSAGES_KEPT + 2 * SHARED_FOR);
    loop {
        let replies = replies.clone();
        let removed = writer.submit(move |connection| {
            let sql =
                format!("DELETE FROM replies WHERE id IN (SELECT id FROM replies WHERE first_at < ?1 LIMIT {AT_ONCE})");
            let removed = connection.prepare_cached(&sql)?.execute([before])?;
            if removed > 0 {
                // After a clock that was wrong by days, one of them may be known as new.
                replies.forget_known();
            }
            Ok(removed)
        });
        if removed.await? < AT_ONCE {
            return Ok(());
        }
    }
}

/// Runs a statement until it finds nothing more.
async fn remove(
    writer: &Writer,
    sql: &str,
    before: impl rusqlite::ToSql + Clone + Send + 'static,
) -> Result<(), StoreError> {
    loop {
        let (sql, before) = (sql.to_owned(), before.clone());
        let removed = writer.submit(move |connection| connection.prepare_cached(&sql)?.execute([before]));
        if removed.await? < AT_ONCE {
            return Ok(());
        }
    }
}

async fn remove_sessions(writer: &Writer, sessions: &Sessions, now: i64) -> Result<(), StoreError> {
    loop {
        let sessions = sessions.clone();
        let removed = writer.submit(move |connection| sessions.purge(connection, now, AT_ONCE));
        if removed.await? < AT_ONCE {
            return Ok(());
        }
    }
}

/// Customers have no order of time: they are gone through by the first byte of their hash.
async fn remove_customers(writer: &Writer, before: i64) -> Result<(), StoreError> {
    for first in u8::MIN..=u8::MAX {
        let (from, until) = (vec![first], first.checked_add(1).map(|next| vec![next]));
        let removed = writer.submit(move |connection| {
            let sql = "DELETE FROM customers WHERE person >= ?1 AND (?2 IS NULL OR person < ?2) AND served_from <= ?3";
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(rusqlite::params![from, until, before])
        });
        removed.await?;
    }
    Ok(())
}
