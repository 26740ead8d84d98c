//! Removes what has been kept long enough, in PostgreSQL: a little at a time, so that nobody waits for it.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Error;

use super::pool::{Pool, Transaction};
use super::tokens;
use super::values::values;
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
const AT_ONCE: u32 = 500;

pub(super) async fn purge(pool: &Pool, now: Timestamp, retention: Retention) -> Result<(), StoreError> {
    let questions_kept = SignedDuration::from_hours(i64::from(retention.questions_days).saturating_mul(24));
    let messages = before(now, MESSAGES_KEPT);
    let questions = before(now, questions_kept);
    for (table, before) in [("messages", messages), ("questions", questions)] {
        // Keys are in the order of time, and a question of the very second stays.
        let first_kept = timed(before.div_euclid(1000), &[]);
        repeat(pool, async |transaction| {
            let sql = removal(table, "message", &format!("message < $1 LIMIT {AT_ONCE}"));
            transaction.execute(&sql, values![first_kept.as_slice()]).await
        })
        .await?;
    }
    let by_age = [
        ("ratings", "message", "rated_at", questions),
        ("appeals", "id", "closed_at", questions),
        ("appeals", "id", "opened_at", before(now, APPEALS_FOLLOWED)),
        ("inbox", "id", "received_at", messages),
        ("outbox", "id", "settled_at", messages),
        ("callbacks_seen", "id", "last_at", questions),
        ("outbreaks", "id", "noticed_at", questions),
        ("console_audit", "id", "at", before(now, AUDIT_KEPT)),
        ("console_links", "hash", "expires_at", now.as_millisecond()),
        (
            "console_sessions",
            "hash",
            "created_at",
            before(now, CONSOLE_SESSIONS_KEPT),
        ),
        (
            "knowledge_versions",
            "id",
            "published_at",
            before(now, KNOWLEDGE_VERSIONS_KEPT),
        ),
        (
            "knowledge_drafts",
            "author",
            "changed_at",
            before(now, KNOWLEDGE_DRAFTS_KEPT),
        ),
    ];
    for (table, key, age, before) in by_age {
        repeat(pool, async |transaction| {
            let sql = removal(table, key, &format!("{age} < $1 LIMIT {AT_ONCE}"));
            transaction.execute(&sql, values![before]).await
        })
        .await?;
    }
    by_person(pool, "sessions", "conversation", "expires_at", now.as_millisecond()).await?;
    by_person(pool, "customers", "person", "served_from", messages).await?;
    pool.transaction(async |transaction| tokens::purge(transaction, messages).await)
        .await?;
    Ok(())
}

/// What another process is removing or changing just now stays for the next time.
fn removal(table: &str, key: &str, rows: &str) -> String {
    let (from, rows) = (
        format!("SELECT {key} FROM {table}"),
        format!("{rows} FOR UPDATE SKIP LOCKED"),
    );
    format!("DELETE FROM {table} WHERE {key} = ANY(ARRAY({from} WHERE {rows}))")
}

/// Removes until there is nothing more.
async fn repeat(pool: &Pool, remove: impl AsyncFn(Transaction<'_>) -> Result<u64, Error>) -> Result<(), StoreError> {
    loop {
        let removed = pool.transaction(async |transaction| remove(transaction).await).await?;
        if removed < u64::from(AT_ONCE) {
            return Ok(());
        }
    }
}

/// Goes through a table that has no order of time, by the first byte of the person's hash.
async fn by_person(pool: &Pool, table: &str, person: &str, age: &str, before: i64) -> Result<(), StoreError> {
    for first in u8::MIN..=u8::MAX {
        let (from, until) = ([first], first.checked_add(1).map(|next| [next]));
        let sql = removal(
            table,
            person,
            &format!("{person} >= $1 AND ($2::bytea IS NULL OR {person} < $2) AND {age} <= $3"),
        );
        let until = until.as_ref().map(<[u8; 1]>::as_slice);
        pool.transaction(async |transaction| transaction.execute(&sql, values![from.as_slice(), until, before]).await)
            .await?;
    }
    Ok(())
}

/// Milliseconds as they are stored, so long before.
fn before(now: Timestamp, age: SignedDuration) -> i64 {
    now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond()
}
