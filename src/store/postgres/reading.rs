//! What the admin console reads of messages, in PostgreSQL.

use jiff::Timestamp;
use tokio_postgres::{Error, Row};

use super::pool::Transaction;
use super::values::values;
use super::{PostgresStore, count, timestamp};
use crate::store::hashes::timed;
use crate::store::reading::{Counting, Searching, StoredQuestion, name_of_stored};
use crate::store::{
    BoxFuture, Counted, FoundQuestion, FoundQuestions, QuestionCount, QuestionCourse, QuestionId, QuestionSearch,
    ReadingStore, ReceivedCourse, SentCourse, StoreError, UselessAnswer,
};

/// So many questions are fetched at a time.
const AT_ONCE: u32 = 1_000;

impl ReadingStore for PostgresStore {
    fn count_questions(&self, from: Timestamp, until: Timestamp) -> BoxFuture<'_, Result<Counted, StoreError>> {
        self.read(async move |transaction| {
            Ok(Counted {
                questions: questions(transaction, from, until).await?,
                verdicts: verdicts(transaction, from, until).await?,
            })
        })
    }

    fn find_questions(&self, search: QuestionSearch) -> BoxFuture<'_, Result<FoundQuestions, StoreError>> {
        self.read(async move |transaction| {
            let mut searching = Searching::new(search);
            let (first, mut end) = searching.range();
            loop {
                let sql = "SELECT message, person, app, record FROM questions WHERE message >= $1 AND message < $2
                           ORDER BY message DESC LIMIT $3";
                let values = values![first.as_slice(), end.as_slice(), AT_ONCE];
                let rows = transaction.rows(sql, values).await?;
                for row in &rows {
                    let row = stored(row)?;
                    if !searching.goes_on(&row) {
                        return Ok(searching.finish(false));
                    }
                    end = QuestionId::of_stored(row.message).0;
                }
                if u32::try_from(rows.len()).is_ok_and(|found| found < AT_ONCE) {
                    return Ok(searching.finish(true));
                }
            }
        })
    }

    fn useless_answers(&self, since: Timestamp, most: u32) -> BoxFuture<'_, Result<Vec<UselessAnswer>, StoreError>> {
        self.read(async move |transaction| {
            let sql = "SELECT message, scenario FROM ratings WHERE verdict = 'useless' AND rated_at >= $1
                       ORDER BY rated_at DESC LIMIT $2";
            let rows = transaction.rows(sql, values![since.as_millisecond(), most]).await?;
            let answers = rows.iter().map(|row| {
                Ok(UselessAnswer {
                    said_in: name_of_stored(row.try_get(0)?),
                    scenario: row.try_get(1)?,
                })
            });
            answers.collect()
        })
    }

    fn question_course(&self, id: QuestionId) -> BoxFuture<'_, Result<Option<QuestionCourse>, StoreError>> {
        self.read(async move |transaction| {
            let Some(question) = question(transaction, id).await? else {
                return Ok(None);
            };
            Ok(Some(QuestionCourse {
                question,
                reply: reply(transaction, id).await?,
                received: received(transaction, id).await?,
                sent: sent(transaction, id).await?,
            }))
        })
    }
}

/// A day may have many: they come a little at a time.
async fn questions(
    transaction: Transaction<'_>,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<QuestionCount>, Error> {
    let (mut first, end) = (timed(from.as_second(), &[]), timed(until.as_second(), &[]));
    let mut counting = Counting::default();
    loop {
        let sql = "SELECT message, record FROM questions WHERE message > $1 AND message < $2 ORDER BY message LIMIT $3";
        let values = values![first.as_slice(), end.as_slice(), AT_ONCE];
        let rows = transaction.rows(sql, values).await?;
        for row in &rows {
            first = QuestionId::of_stored(row.try_get(0)?).0;
            counting.add(row.try_get(1)?);
        }
        if u32::try_from(rows.len()).is_ok_and(|found| found < AT_ONCE) {
            return Ok(counting.finish());
        }
    }
}

async fn verdicts(
    transaction: Transaction<'_>,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(String, u64)>, Error> {
    let sql = "SELECT verdict, count(*) FROM ratings WHERE rated_at >= $1 AND rated_at < $2
               GROUP BY verdict ORDER BY verdict COLLATE \"C\"";
    let values = values![from.as_millisecond(), until.as_millisecond()];
    let rows = transaction.rows(sql, values).await?;
    let counts = rows.iter().map(|row| {
        let count: i64 = row.try_get(1)?;
        Ok((row.try_get(0)?, u64::try_from(count).unwrap_or_default()))
    });
    counts.collect()
}

fn stored(row: &Row) -> Result<StoredQuestion<'_>, Error> {
    Ok(StoredQuestion {
        message: row.try_get(0)?,
        person: row.try_get(1)?,
        app: row.try_get(2)?,
        record: row.try_get(3)?,
    })
}

async fn question(transaction: Transaction<'_>, id: QuestionId) -> Result<Option<FoundQuestion>, Error> {
    let sql = "SELECT message, person, app, record FROM questions WHERE message = $1";
    let row = transaction.row_if_any(sql, values![id.0.as_slice()]).await?;
    let found = row.as_ref().map(stored).transpose()?;
    Ok(found.and_then(|row| row.read()))
}

async fn reply(transaction: Transaction<'_>, id: QuestionId) -> Result<Option<(Option<String>, Timestamp)>, Error> {
    let sql = "SELECT reply, settled_at FROM messages WHERE message = $1";
    let row = transaction.row_if_any(sql, values![id.0.as_slice()]).await?;
    row.map(|row| Ok((row.try_get(0)?, timestamp(row.try_get(1)?))))
        .transpose()
}

/// One of an app is known by its whole key, one of 微信客服 by a hash that begins as the rest of it.
async fn received(transaction: Transaction<'_>, id: QuestionId) -> Result<Option<ReceivedCourse>, Error> {
    let sql = "SELECT received_at, fate, coalesce(reason, ''), attempts FROM inbox
               WHERE message = $1 OR (message >= $2 AND message < $3) LIMIT 1";
    let (first, mut end) = (id.bare(), id.bare().to_vec());
    end.resize(32, u8::MAX);
    let values = values![id.0.as_slice(), first, end.as_slice()];
    let row = transaction.row_if_any(sql, values).await?;
    let received = row.map(|row| {
        Ok(ReceivedCourse {
            received_at: timestamp(row.try_get(0)?),
            fate: row.try_get(1)?,
            reason: row.try_get(2)?,
            attempts: count(row.try_get(3)?),
        })
    });
    received.transpose()
}

async fn sent(transaction: Transaction<'_>, id: QuestionId) -> Result<Vec<SentCourse>, Error> {
    let sql = "SELECT api, fate, code, settled_at FROM outbox WHERE replaces = $1 ORDER BY id";
    let rows = transaction.rows(sql, values![id.0.as_slice()]).await?;
    let sent = rows.iter().map(|row| {
        let settled_at: Option<i64> = row.try_get(3)?;
        Ok(SentCourse {
            api: row.try_get(0)?,
            fate: row.try_get(1)?,
            code: row.try_get(2)?,
            settled_at: settled_at.map(timestamp),
        })
    });
    sent.collect()
}
