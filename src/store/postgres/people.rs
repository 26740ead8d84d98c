//! What is on file about one person, in PostgreSQL.

use tokio_postgres::Error;

use super::console::note;
use super::pool::Transaction;
use super::values::values;
use super::{PostgresStore, timestamp};
use crate::store::hashes::Hash;
use crate::store::people::{CONVERSATION_APPS, ERASED, NOBODY};
use crate::store::{
    AuditEntry, BoxFuture, ConversationKey, PeopleStore, PersonAppeal, PersonMessage, PersonQuestion, PersonRecords,
    StoreError,
};

impl PeopleStore for PostgresStore {
    fn person_records(&self, person: ConversationKey) -> BoxFuture<'_, Result<PersonRecords, StoreError>> {
        let person = self.hashes.person(&person);
        self.read(async move |transaction| records(transaction, &person).await)
    }

    fn conversation_apps(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, StoreError>> {
        self.read(async |transaction| {
            let rows = transaction.rows(CONVERSATION_APPS, Vec::new()).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
        })
    }

    fn erase_person(&self, people: Vec<ConversationKey>, entry: AuditEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        let people: Vec<Hash> = people.iter().map(|person| self.hashes.person(person)).collect();
        self.submit(async move |transaction| {
            for person in &people {
                erase(transaction, person).await?;
            }
            note(transaction, &entry).await
        })
    }
}

async fn records(transaction: Transaction<'_>, person: &Hash) -> Result<PersonRecords, Error> {
    let sql = "SELECT state FROM sessions WHERE conversation = $1";
    let session = transaction.row_if_any(sql, values![person.as_slice()]).await?;
    let received = "SELECT received_at, item, fate FROM inbox WHERE person = $1 ORDER BY id";
    let sent = "SELECT coalesce(settled_at, next_at), body, fate FROM outbox WHERE person = $1 ORDER BY id";
    Ok(PersonRecords {
        questions: questions(transaction, person).await?,
        session: session.map(|row| row.try_get(0)).transpose()?,
        appeals: appeals(transaction, person).await?,
        received: messages(transaction, received, person).await?,
        sent: messages(transaction, sent, person).await?,
    })
}

async fn questions(transaction: Transaction<'_>, person: &Hash) -> Result<Vec<PersonQuestion>, Error> {
    let sql =
        "SELECT record, reply FROM questions LEFT JOIN messages USING (message) WHERE person = $1 ORDER BY message";
    let mut questions = Vec::new();
    for row in transaction.rows(sql, values![person.as_slice()]).await? {
        if let Ok(question) = serde_json::from_str(row.try_get(0)?) {
            let reply = row.try_get(1)?;
            questions.push(PersonQuestion { question, reply });
        }
    }
    Ok(questions)
}

async fn appeals(transaction: Transaction<'_>, person: &Hash) -> Result<Vec<PersonAppeal>, Error> {
    let sql = "SELECT record, opened_at, closed_at, outcome FROM appeals WHERE person = $1 ORDER BY id";
    let rows = transaction.rows(sql, values![person.as_slice()]).await?;
    let appeals = rows.iter().map(|row| {
        let closed_at: Option<i64> = row.try_get(2)?;
        Ok(PersonAppeal {
            record: row.try_get(0)?,
            opened_at: timestamp(row.try_get(1)?),
            closed_at: closed_at.map(timestamp),
            outcome: row.try_get(3)?,
        })
    });
    appeals.collect()
}

async fn messages(transaction: Transaction<'_>, sql: &str, person: &Hash) -> Result<Vec<PersonMessage>, Error> {
    let rows = transaction.rows(sql, values![person.as_slice()]).await?;
    let messages = rows.iter().map(|row| {
        Ok(PersonMessage {
            at: timestamp(row.try_get(0)?),
            content: row.try_get(1)?,
            fate: row.try_get(2)?,
        })
    });
    messages.collect()
}

async fn erase(transaction: Transaction<'_>, person: &Hash) -> Result<(), Error> {
    let person = person.as_slice();
    let only_theirs = [
        "UPDATE messages SET reply = NULL WHERE message IN (SELECT message FROM questions WHERE person = $1)",
        "DELETE FROM questions WHERE person = $1",
        "DELETE FROM sessions WHERE conversation = $1",
        "DELETE FROM appeals WHERE person = $1",
        // Whoever waits for a person only because of a message that is not sent any more is the bot's again.
        "DELETE FROM customers WHERE person = $1 AND (served_by = 'bot' OR (served_by = 'pool' AND EXISTS
           (SELECT 1 FROM outbox WHERE person = $1 AND fate IS NULL AND api = 'kf/service_state/trans')))",
    ];
    for sql in only_theirs {
        transaction.execute(sql, values![person]).await?;
    }
    let without_them = [
        "UPDATE inbox SET fate = CASE WHEN fate IS NULL OR fate IN ('failed', 'unreadable') THEN $3 ELSE fate END,
           item = NULL, reason = NULL, owner = NULL, person = $2 WHERE person = $1",
        "UPDATE outbox SET settled_at = coalesce(settled_at, next_at), body = NULL, instead_body = NULL, person = $2,
           fate = CASE WHEN fate IS NULL OR fate IN ('refused', 'unclear') THEN $3 ELSE fate END WHERE person = $1",
    ];
    for sql in without_them {
        let values = values![person, NOBODY.as_slice(), ERASED];
        transaction.execute(sql, values).await?;
    }
    Ok(())
}
