//! What the admin console reads of messages, in SQLite.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{SqliteStore, timestamp};
use crate::store::hashes::timed;
use crate::store::reading::{Counting, Searching, StoredQuestion, name_of_stored};
use crate::store::{
    BoxFuture, Counted, FoundQuestion, FoundQuestions, QuestionCourse, QuestionId, QuestionSearch, ReadingStore,
    ReceivedCourse, SentCourse, StoreError, UselessAnswer,
};

impl ReadingStore for SqliteStore {
    fn count_questions(&self, from: Timestamp, until: Timestamp) -> BoxFuture<'_, Result<Counted, StoreError>> {
        self.reads.read(move |connection| {
            Ok(Counted {
                questions: count(connection, from, until)?.finish(),
                verdicts: verdicts(connection, from, until)?,
            })
        })
    }

    fn find_questions(&self, search: QuestionSearch) -> BoxFuture<'_, Result<FoundQuestions, StoreError>> {
        self.reads.read(move |connection| {
            let mut searching = Searching::new(search);
            let (first, end) = searching.range();
            let sql = "SELECT message, person, app, record FROM questions WHERE message >= ?1 AND message < ?2 ORDER BY message DESC";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![first, end])?;
            while let Some(row) = rows.next()? {
                if !searching.goes_on(&stored(row)?) {
                    return Ok(searching.finish(false));
                }
            }
            Ok(searching.finish(true))
        })
    }

    fn useless_answers(&self, since: Timestamp, most: u32) -> BoxFuture<'_, Result<Vec<UselessAnswer>, StoreError>> {
        self.reads.read(move |connection| {
            let sql = "SELECT message, scenario FROM ratings WHERE verdict = 'useless' AND rated_at >= ?1
                       ORDER BY rated_at DESC LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![since.as_millisecond(), most], |row| {
                Ok(UselessAnswer {
                    said_in: name_of_stored(row.get_ref(0)?.as_blob()?),
                    scenario: row.get(1)?,
                })
            })?;
            rows.collect()
        })
    }

    fn question_course(&self, id: QuestionId) -> BoxFuture<'_, Result<Option<QuestionCourse>, StoreError>> {
        self.reads.read(move |connection| {
            let Some(question) = question(connection, id)? else {
                return Ok(None);
            };
            Ok(Some(QuestionCourse {
                question,
                reply: reply(connection, id)?,
                received: received(connection, id)?,
                sent: sent(connection, id)?,
            }))
        })
    }
}

fn count(connection: &Connection, from: Timestamp, until: Timestamp) -> Result<Counting, rusqlite::Error> {
    let sql = "SELECT record FROM questions WHERE message >= ?1 AND message < ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let (first, end) = (timed(from.as_second(), &[]), timed(until.as_second(), &[]));
    let mut rows = statement.query(params![first, end])?;
    let mut counting = Counting::default();
    while let Some(row) = rows.next()? {
        counting.add(row.get_ref(0)?.as_str()?);
    }
    Ok(counting)
}

fn verdicts(connection: &Connection, from: Timestamp, until: Timestamp) -> Result<Vec<(String, u64)>, rusqlite::Error> {
    let sql = "SELECT verdict, count(*) FROM ratings WHERE rated_at >= ?1 AND rated_at < ?2 GROUP BY verdict ORDER BY verdict";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![from.as_millisecond(), until.as_millisecond()];
    let counts = statement.query_map(values, |row| {
        let count: i64 = row.get(1)?;
        Ok((row.get(0)?, u64::try_from(count).unwrap_or_default()))
    })?;
    counts.collect()
}

fn stored<'a>(row: &'a Row<'_>) -> Result<StoredQuestion<'a>, rusqlite::Error> {
    Ok(StoredQuestion {
        message: row.get_ref(0)?.as_blob()?,
        person: row.get_ref(1)?.as_blob()?,
        app: row.get_ref(2)?.as_str()?,
        record: row.get_ref(3)?.as_str()?,
    })
}

fn question(connection: &Connection, id: QuestionId) -> Result<Option<FoundQuestion>, rusqlite::Error> {
    let sql = "SELECT message, person, app, record FROM questions WHERE message = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([id.0], |row| Ok(stored(row)?.read()));
    Ok(found.optional()?.flatten())
}

fn reply(connection: &Connection, id: QuestionId) -> Result<Option<(Option<String>, Timestamp)>, rusqlite::Error> {
    let sql = "SELECT text, settled_at FROM messages LEFT JOIN replies ON replies.id = reply WHERE message = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([id.0], |row| Ok((row.get(0)?, timestamp(row.get(1)?))));
    found.optional()
}

/// One of an app is known by its whole key, one of 微信客服 by a hash that begins as the rest of it.
fn received(connection: &Connection, id: QuestionId) -> Result<Option<ReceivedCourse>, rusqlite::Error> {
    let sql = "SELECT received_at, fate, coalesce(reason, ''), attempts FROM inbox
               WHERE message = ?1 OR (message >= ?2 AND message < ?3) LIMIT 1";
    let (first, mut end) = (id.bare(), id.bare().to_vec());
    end.resize(32, u8::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(params![id.0, first, end], |row| {
        Ok(ReceivedCourse {
            received_at: timestamp(row.get(0)?),
            fate: row.get(1)?,
            reason: row.get(2)?,
            attempts: row.get(3)?,
        })
    });
    found.optional()
}

fn sent(connection: &Connection, id: QuestionId) -> Result<Vec<SentCourse>, rusqlite::Error> {
    let sql = "SELECT api, fate, code, settled_at FROM outbox WHERE replaces = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([id.0], |row| {
        let settled_at: Option<i64> = row.get(3)?;
        Ok(SentCourse {
            api: row.get(0)?,
            fate: row.get(1)?,
            code: row.get(2)?,
            settled_at: settled_at.map(timestamp),
        })
    })?;
    rows.collect()
}
