//! What is known of appeals, ratings and questions, in PostgreSQL. How they change stands in [`super::writes`].

use std::collections::HashMap;

use tokio_postgres::Error;

use super::pool::Transaction;
use super::values::values;
use super::{small, timestamp};
use crate::store::{DueReminder, NewSend, QuestionRecord, RatingCount, Reminder, TrackedAppeal};

/// All appeals on file, the newest first.
pub(super) async fn all_appeals(transaction: Transaction<'_>) -> Result<Vec<TrackedAppeal>, Error> {
    let sql = "SELECT appeal, business_day, due_at FROM reminders ORDER BY due_at";
    let mut reminders: HashMap<i64, Vec<Reminder>> = HashMap::new();
    for row in transaction.rows(sql, Vec::new()).await? {
        reminders.entry(row.try_get(0)?).or_default().push(Reminder {
            business_day: small(row.try_get(1)?),
            due: timestamp(row.try_get(2)?),
        });
    }
    let sql = "SELECT id, corp_id, app, user_id, record, opened_at, closed_at, outcome FROM appeals ORDER BY opened_at DESC, id DESC";
    let rows = transaction.rows(sql, Vec::new()).await?;
    let appeals = rows.iter().map(|row| {
        let (id, closed_at): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(6)?);
        Ok(TrackedAppeal {
            id,
            corp_id: row.try_get(1)?,
            app: row.try_get(2)?,
            user_id: row.try_get(3)?,
            record: row.try_get(4)?,
            opened_at: timestamp(row.try_get(5)?),
            closed_at: closed_at.map(timestamp),
            outcome: row.try_get(7)?,
            reminders: reminders.remove(&id).unwrap_or_default(),
        })
    });
    appeals.collect()
}

/// How answers were rated, by scenario and verdict.
pub(super) async fn ratings(transaction: Transaction<'_>) -> Result<Vec<RatingCount>, Error> {
    let sql = "SELECT scenario, verdict, count(*) FROM ratings GROUP BY scenario, verdict
               ORDER BY scenario COLLATE \"C\", verdict COLLATE \"C\"";
    let rows = transaction.rows(sql, Vec::new()).await?;
    let counts = rows.iter().map(|row| {
        let count: i64 = row.try_get(2)?;
        Ok(RatingCount {
            scenario: row.try_get(0)?,
            verdict: row.try_get(1)?,
            count: u64::try_from(count).unwrap_or_default(),
        })
    });
    counts.collect()
}

pub(super) async fn question(transaction: Transaction<'_>, message: &[u8]) -> Result<Option<QuestionRecord>, Error> {
    let sql = "SELECT record FROM questions WHERE message = $1";
    let Some(row) = transaction.row_if_any(sql, values![message]).await? else {
        return Ok(None);
    };
    let record: String = row.try_get(0)?;
    Ok(serde_json::from_str(&record).ok())
}

pub(super) async fn due_reminders(
    transaction: Transaction<'_>,
    now: i64,
    apps: &[(String, String)],
) -> Result<Vec<DueReminder>, Error> {
    let sql = "SELECT appeal, corp_id, app, user_id, record, business_day, due_at FROM reminders
               JOIN appeals ON appeals.id = reminders.appeal
               WHERE due_at <= $1 AND user_id IS NOT NULL
                 AND (corp_id, split_part(app, '/', 1)) IN (SELECT * FROM unnest($2::text[], $3::text[]))
               ORDER BY due_at, appeal LIMIT 100";
    let corp_ids: Vec<&str> = apps.iter().map(|(corp_id, _)| corp_id.as_str()).collect();
    let names: Vec<&str> = apps.iter().map(|(_, name)| name.as_str()).collect();
    let rows = transaction.rows(sql, values![now, corp_ids, names]).await?;
    let reminders = rows.iter().map(|row| {
        Ok(DueReminder {
            appeal: row.try_get(0)?,
            corp_id: row.try_get(1)?,
            app: row.try_get(2)?,
            user_id: row.try_get(3)?,
            record: row.try_get(4)?,
            business_day: small(row.try_get(5)?),
            due: timestamp(row.try_get(6)?),
        })
    });
    reminders.collect()
}

/// Takes a reminder off and puts what it says to be sent. Of several processes that have read it, one takes it off.
pub(super) async fn remind(
    transaction: Transaction<'_>,
    reminder: &DueReminder,
    send: Option<NewSend>,
) -> Result<(), Error> {
    let sql = "SELECT person FROM appeals WHERE id = $1";
    let Some(row) = transaction.row_if_any(sql, values![reminder.appeal]).await? else {
        return Ok(());
    };
    let person = super::bytes(row.try_get(0)?);
    super::lock_persons(transaction, &[person]).await?;
    let sql = "DELETE FROM reminders WHERE appeal = $1 AND business_day = $2";
    let taken = transaction
        .execute(sql, values![reminder.appeal, i64::from(reminder.business_day)])
        .await?;
    // Closed in the meantime, or somebody else's.
    let Some(send) = send.filter(|_| taken > 0) else {
        return Ok(());
    };
    let mut writes = super::writes::Writes::default();
    writes.send(person, send, None, reminder.due.as_millisecond());
    writes.run(transaction).await
}
