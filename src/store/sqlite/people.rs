//! What is on file about one person, in SQLite.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::console::note;
use super::sessions::Sessions;
use super::statements::Statements;
use super::{SqliteStore, timestamp};
use crate::store::hashes::Hash;
use crate::store::people::{CONVERSATION_APPS, ERASED, NOBODY};
use crate::store::{
    AuditEntry, BoxFuture, ConversationKey, PeopleStore, PersonAppeal, PersonMessage, PersonQuestion, PersonRecords,
    StoreError,
};

impl PeopleStore for SqliteStore {
    fn person_records(&self, person: ConversationKey) -> BoxFuture<'_, Result<PersonRecords, StoreError>> {
        let person = self.hashes.person(&person);
        self.reads.read(move |connection| records(connection, &person))
    }

    fn conversation_apps(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, StoreError>> {
        self.reads.read(|connection| {
            let mut statement = connection.prepare_cached(CONVERSATION_APPS)?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    /// The questions are looked for beside the writer, because there is no index of people.
    fn erase_person(&self, people: Vec<ConversationKey>, entry: AuditEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let people: Vec<Hash> = people.iter().map(|person| self.hashes.person(person)).collect();
            let found = people.clone();
            let questions = self.reads.read(move |connection| {
                let sql = "SELECT message FROM questions WHERE person = ?1";
                let mut statement = connection.prepare_cached(sql)?;
                let mut messages: Vec<Vec<u8>> = Vec::new();
                for person in found {
                    for message in statement.query_map([person], |row| row.get(0))? {
                        messages.push(message?);
                    }
                }
                Ok(messages)
            });
            let questions = questions.await?;
            let (sessions, replies) = (self.sessions.clone(), self.replies.clone());
            let erased = self.submit(move |connection| {
                replies.forget_known();
                erase_questions(connection, &questions)?;
                for person in people {
                    erase(connection, &sessions, &person)?;
                }
                note(connection, &entry)
            });
            erased.await
        })
    }
}

fn records(connection: &Connection, person: &Hash) -> Result<PersonRecords, rusqlite::Error> {
    let sql = "SELECT state FROM sessions WHERE conversation = ?1 ORDER BY id DESC LIMIT 1";
    let session = connection.prepare_cached(sql)?.query_row([person], |row| row.get(0));
    let received = "SELECT received_at, item, fate FROM inbox WHERE person = ?1 ORDER BY id";
    let sent = "SELECT coalesce(settled_at, next_at), body, fate FROM outbox WHERE person = ?1 ORDER BY id";
    Ok(PersonRecords {
        questions: questions(connection, person)?,
        session: session.optional()?,
        appeals: appeals(connection, person)?,
        received: messages(connection, received, person)?,
        sent: messages(connection, sent, person)?,
    })
}

fn questions(connection: &Connection, person: &Hash) -> Result<Vec<PersonQuestion>, rusqlite::Error> {
    let sql =
        "SELECT record, text FROM questions LEFT JOIN messages USING (message) LEFT JOIN replies ON replies.id = reply
               WHERE person = ?1 ORDER BY message";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([person])?;
    let mut questions = Vec::new();
    while let Some(row) = rows.next()? {
        if let Ok(question) = serde_json::from_str(row.get_ref(0)?.as_str()?) {
            let reply = row.get(1)?;
            questions.push(PersonQuestion { question, reply });
        }
    }
    Ok(questions)
}

fn appeals(connection: &Connection, person: &Hash) -> Result<Vec<PersonAppeal>, rusqlite::Error> {
    let sql = "SELECT record, opened_at, closed_at, outcome FROM appeals WHERE person = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([person], |row| {
        let closed_at: Option<i64> = row.get(2)?;
        Ok(PersonAppeal {
            record: row.get(0)?,
            opened_at: timestamp(row.get(1)?),
            closed_at: closed_at.map(timestamp),
            outcome: row.get(3)?,
        })
    })?;
    rows.collect()
}

fn messages(connection: &Connection, sql: &str, person: &Hash) -> Result<Vec<PersonMessage>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([person], |row| {
        Ok(PersonMessage {
            at: timestamp(row.get(0)?),
            content: row.get(1)?,
            fate: row.get(2)?,
        })
    })?;
    rows.collect()
}

/// Erases questions with their replies, as far as nobody else was told the same.
fn erase_questions(connection: &Connection, questions: &[Vec<u8>]) -> Result<(), rusqlite::Error> {
    let mut told: BTreeSet<i64> = BTreeSet::new();
    for message in questions {
        let sql = "DELETE FROM questions WHERE message = ?1";
        connection.prepare_cached(sql)?.execute([message])?;
        let sql = "SELECT reply FROM messages WHERE message = ?1";
        let reply = connection
            .prepare_cached(sql)?
            .query_row([message], |row| row.get::<_, Option<i64>>(0));
        told.extend(reply.optional()?.flatten());
        let sql = "UPDATE messages SET reply = NULL WHERE message = ?1";
        connection.prepare_cached(sql)?.execute([message])?;
    }
    let sql = "SELECT DISTINCT reply FROM messages WHERE reply IN (SELECT value FROM json_each(?1))";
    let mut statement = connection.prepare_cached(sql)?;
    let told_to_others = statement.query_map([json!(told).to_string()], |row| row.get(0))?;
    let told_to_others: BTreeSet<i64> = told_to_others.collect::<Result<_, _>>()?;
    for reply in told.difference(&told_to_others) {
        let sql = "DELETE FROM replies WHERE id = ?1";
        connection.prepare_cached(sql)?.execute([reply])?;
    }
    Ok(())
}

fn erase(connection: &Statements<'_>, sessions: &Sessions, person: &Hash) -> Result<(), rusqlite::Error> {
    sessions.save(connection, person, 0, None)?;
    let sql = "DELETE FROM appeals WHERE person = ?1";
    connection.prepare_cached(sql)?.execute([person])?;
    // Whoever waits for a person only because of a message that is not sent any more is the bot's again.
    let sql = "DELETE FROM customers WHERE person = ?1 AND (served_by = 'bot' OR (served_by = 'pool' AND EXISTS
                 (SELECT 1 FROM outbox WHERE person = ?1 AND fate IS NULL AND api = 'kf/service_state/trans')))";
    connection.prepare_cached(sql)?.execute([person])?;
    let sql =
        "UPDATE inbox SET fate = CASE WHEN fate IS NULL OR fate IN ('failed', 'unreadable') THEN ?3 ELSE fate END,
                 item = NULL, reason = NULL, owner = NULL, person = ?2 WHERE person = ?1";
    let values = params![person, NOBODY, ERASED];
    connection.prepare_cached(sql)?.execute(values)?;
    let sql = "UPDATE outbox SET settled_at = coalesce(settled_at, next_at), body = NULL, instead_body = NULL, person = ?2,
                 fate = CASE WHEN fate IS NULL OR fate IN ('refused', 'unclear') THEN ?3 ELSE fate END WHERE person = ?1";
    let values = params![person, NOBODY, ERASED];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}
