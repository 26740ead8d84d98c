//! What steps and answers lead to, collected, so that many of them are written with a few statements.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use futures_util::future::try_join_all;
use tokio_postgres::Error;

use super::pool::Transaction;
use super::values::{Value, values};
use crate::store::delivery::{IS_SWALLOWED, SWALLOWED_FOR};
use crate::store::hashes::{Hash, TimedHash};
use crate::store::{AppealChange, ConversationKey, NewSend, OpenedAppeal, QuestionRecord, Rating, ServedBy, SetAside};

/// What is to be written in one transaction.
#[derive(Default)]
pub(super) struct Writes {
    messages: Vec<Settled>,
    /// The state that each conversation is left in, with the end of its rest; `None` is forgotten.
    sessions: BTreeMap<Hash, Option<(String, i64)>>,
    questions: Vec<(Vec<u8>, Hash, Source, i64, String)>,
    appeals: Vec<(Hash, AppealWrite)>,
    ratings: Vec<(Vec<u8>, Source, i64, Rating)>,
    sends: Vec<Send>,
    asides: Vec<(TimedHash, Hash, Source, i64, SetAside)>,
    fates: Vec<(i64, &'static str, &'static str)>,
    served_by: BTreeMap<Hash, (ServedBy, i64)>,
}

/// A settled message, with its reply and what names the knowledge that this was made of.
pub(super) struct Settled {
    pub(super) message: TimedHash,
    pub(super) reply: Option<String>,
    pub(super) knowledge_version: String,
    pub(super) now: i64,
}

/// Something to send.
struct Send {
    person: Hash,
    send: NewSend,
    replaces: Option<TimedHash>,
    /// When what it answers was said.
    said_at: i64,
}

/// Where something was written: the company, and the app or its account.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) corp_id: String,
    pub(super) app: String,
}

enum AppealWrite {
    Forget,
    Close {
        outcome: String,
        now: i64,
    },
    Open {
        key: ConversationKey,
        opened: OpenedAppeal,
        now: i64,
    },
}

/// A statement with its values.
struct Statement<'a> {
    sql: &'static str,
    values: Vec<Value<'a>>,
}

impl Writes {
    pub(super) fn message(&mut self, settled: Settled) {
        self.messages.push(settled);
    }

    pub(super) fn session(&mut self, person: Hash, session: Option<(String, i64)>) {
        self.sessions.insert(person, session);
    }

    pub(super) fn question(&mut self, message: &[u8], person: Hash, source: &Source, question: &QuestionRecord) {
        let record = serde_json::to_string(question).unwrap_or_default();
        let asked_at = question.asked_at.as_millisecond();
        self.questions
            .push((message.to_vec(), person, source.clone(), asked_at, record));
    }

    pub(super) fn appeal(&mut self, person: Hash, key: &ConversationKey, now: i64, change: AppealChange) {
        match change {
            AppealChange::Unchanged => {}
            AppealChange::Forgotten => self.appeals.push((person, AppealWrite::Forget)),
            AppealChange::Closed { outcome } => self.appeals.push((person, AppealWrite::Close { outcome, now })),
            AppealChange::Opened(opened) => {
                let key = key.clone();
                self.appeals.push((person, AppealWrite::Forget));
                self.appeals.push((person, AppealWrite::Open { key, opened, now }));
            }
        }
    }

    pub(super) fn rating(&mut self, message: &[u8], source: &Source, now: i64, rating: Rating) {
        self.ratings.push((message.to_vec(), source.clone(), now, rating));
    }

    /// Something to send to a person: `replaces` is the message whose passive reply it may stand in for, and what it answers was said at
    /// `said_at`.
    pub(super) fn send(&mut self, person: Hash, send: NewSend, replaces: Option<TimedHash>, said_at: i64) {
        let replaces = replaces.filter(|_| send.replaces_reply);
        self.sends.push(Send {
            person,
            send,
            replaces,
            said_at,
        });
    }

    pub(super) fn aside(&mut self, message: TimedHash, person: Hash, source: &Source, now: i64, aside: SetAside) {
        self.asides.push((message, person, source.clone(), now, aside));
    }

    /// What became of a received message, and why if it has failed.
    pub(super) fn fate(&mut self, id: i64, fate: &'static str, reason: &'static str) {
        self.fates.push((id, fate, reason));
    }

    pub(super) fn served_by(&mut self, person: Hash, served_by: ServedBy, from: i64) {
        self.served_by.insert(person, (served_by, from));
    }

    /// Writes everything; all statements go out together.
    pub(super) async fn run(&self, transaction: Transaction<'_>) -> Result<(), Error> {
        let statements = self.statements().into_iter();
        let running = statements.map(|statement| transaction.execute(statement.sql, statement.values));
        try_join_all(running).await.map(drop)
    }

    fn statements(&self) -> Vec<Statement<'_>> {
        let batches = [
            self.messages(),
            self.kept_sessions(),
            self.forgotten_sessions(),
            self.questions(),
            self.ratings(),
            self.sends(),
            self.asides(),
            self.fates(),
            self.customers(),
        ];
        let appeals = self.appeals.iter().flat_map(|(person, write)| write.statements(person));
        batches.into_iter().flatten().chain(appeals).collect()
    }

    fn messages(&self) -> Option<Statement<'_>> {
        let all = &self.messages;
        let sql = "INSERT INTO messages (message, reply, settled_at, knowledge_version)
                   SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::text[])";
        statement(sql, all, || {
            values![
                column(all, |settled| settled.message.as_slice()),
                column(all, |settled| settled.reply.as_deref()),
                column(all, |settled| settled.now),
                column(all, |settled| settled.knowledge_version.as_str()),
            ]
        })
    }

    fn kept_sessions(&self) -> Option<Statement<'_>> {
        let kept = self.sessions.iter();
        let all: Vec<(&Hash, &(String, i64))> = kept
            .filter_map(|(person, kept)| Some((person, kept.as_ref()?)))
            .collect();
        let sql = "INSERT INTO sessions (conversation, state, expires_at) SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[])
                   ON CONFLICT (conversation) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at";
        statement(sql, &all, || {
            values![
                column(&all, |(person, _)| person.as_slice()),
                column(&all, |(_, (state, _))| state.as_str()),
                column(&all, |(_, (_, expires_at))| *expires_at),
            ]
        })
    }

    fn forgotten_sessions(&self) -> Option<Statement<'_>> {
        let forgotten = self.sessions.iter().filter(|(_, kept)| kept.is_none());
        let all: Vec<&[u8]> = forgotten.map(|(person, _)| person.as_slice()).collect();
        let sql = "DELETE FROM sessions WHERE conversation = ANY($1)";
        statement(sql, &all.clone(), || values![all])
    }

    fn questions(&self) -> Option<Statement<'_>> {
        let all = &self.questions;
        let sql = "INSERT INTO questions (message, person, corp_id, app, asked_at, record)
                   SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::bigint[], $6::text[])
                   ON CONFLICT (message) DO NOTHING";
        statement(sql, all, || {
            values![
                column(all, |(message, ..)| message.as_slice()),
                column(all, |(_, person, ..)| person.as_slice()),
                column(all, |(_, _, source, ..)| source.corp_id.as_str()),
                column(all, |(_, _, source, ..)| source.app.as_str()),
                column(all, |(.., asked_at, _)| *asked_at),
                column(all, |(.., record)| record.as_str()),
            ]
        })
    }

    fn ratings(&self) -> Option<Statement<'_>> {
        let all = &self.ratings;
        let sql = "INSERT INTO ratings (message, corp_id, app, rated_at, scenario, verdict, knowledge_version)
                   SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[])
                   ON CONFLICT (message) DO NOTHING";
        statement(sql, all, || {
            values![
                column(all, |(message, ..)| message.as_slice()),
                column(all, |(_, source, ..)| source.corp_id.as_str()),
                column(all, |(_, source, ..)| source.app.as_str()),
                column(all, |(_, _, now, _)| *now),
                column(all, |(.., rating)| rating.scenario.as_str()),
                column(all, |(.., rating)| rating.verdict.as_str()),
                column(all, |(.., rating)| rating.knowledge_version.as_str()),
            ]
        })
    }

    /// What has been added before under the same id is the same and stays as it is.
    fn sends(&self) -> Option<Statement<'_>> {
        let all = &self.sends;
        statement(&ADD_SENDS, all, || {
            values![
                column(all, |new| new.send.send_id.as_str()),
                column(all, |new| new.person.as_slice()),
                column(all, |new| new.send.way.as_str()),
                column(all, |new| new.send.api.as_str()),
                column(all, |new| new.send.body.as_str()),
                column(all, |new| new.send.instead.as_ref().map(|instead| instead.api.as_str())),
                column(all, |new| new
                    .send
                    .instead
                    .as_ref()
                    .map(|instead| instead.body.as_str())),
                column(all, |new| new.send.urgency.rank()),
                column(all, |new| new.send.next_at.as_millisecond()),
                column(all, |new| new.send.not_after.as_millisecond()),
                column(all, |new| new.replaces.as_ref().map(TimedHash::as_slice)),
                column(all, |new| new.said_at),
                column(all, |new| new.send.knowledge_version.as_str()),
            ]
        })
    }

    /// Messages of an app that could not be answered.
    fn asides(&self) -> Option<Statement<'_>> {
        let all = &self.asides;
        let sql = "INSERT INTO inbox (message, person, corp_id, app, open_kf_id, item, sent_at, received_at, fate, reason, attempts)
                   SELECT message, person, corp_id, app, '', item, at, at, fate, reason, 1
                   FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[])
                     AS new (message, person, corp_id, app, item, at, fate, reason)
                   ON CONFLICT (message) DO NOTHING";
        let fate = |aside: &SetAside| if aside.is_unreadable { "unreadable" } else { "failed" };
        statement(sql, all, || {
            values![
                column(all, |(message, ..)| message.as_slice()),
                column(all, |(_, person, ..)| person.as_slice()),
                column(all, |(_, _, source, ..)| source.corp_id.as_str()),
                column(all, |(_, _, source, ..)| source.app.as_str()),
                column(all, |(.., aside)| aside.item.as_str()),
                column(all, |(.., now, _)| *now),
                column(all, |(.., aside)| fate(aside)),
                column(all, |(.., aside)| aside.reason),
            ]
        })
    }

    /// What was said is not kept any longer than it waits, unless it is a dead letter.
    fn fates(&self) -> Option<Statement<'_>> {
        let all = &self.fates;
        let sql = "UPDATE inbox SET fate = new.fate, owner = NULL,
                     item = CASE WHEN new.fate IN ('failed', 'unreadable') THEN item END,
                     reason = CASE WHEN new.fate IN ('failed', 'unreadable') THEN new.reason END
                   FROM unnest($1::bigint[], $2::text[], $3::text[]) AS new (id, fate, reason) WHERE inbox.id = new.id";
        statement(sql, all, || {
            values![
                column(all, |(id, ..)| *id),
                column(all, |(_, fate, _)| *fate),
                column(all, |(.., reason)| *reason),
            ]
        })
    }

    fn customers(&self) -> Option<Statement<'_>> {
        let all: Vec<(&Hash, &(ServedBy, i64))> = self.served_by.iter().collect();
        let sql = "INSERT INTO customers (person, served_by, served_from) SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[])
                   ON CONFLICT (person) DO UPDATE SET served_by = excluded.served_by, served_from = excluded.served_from";
        statement(sql, &all, || {
            values![
                column(&all, |(person, _)| person.as_slice()),
                column(&all, |(_, (served_by, _))| served_by.name()),
                column(&all, |(_, (_, from))| *from),
            ]
        })
    }
}

impl AppealWrite {
    fn statements<'a>(&'a self, person: &'a Hash) -> Vec<Statement<'a>> {
        let person = person.as_slice();
        match self {
            Self::Forget => vec![Statement {
                sql: "DELETE FROM appeals WHERE person = $1 AND closed_at IS NULL",
                values: values![person],
            }],
            Self::Close { outcome, now } => vec![
                Statement {
                    sql: "DELETE FROM reminders WHERE appeal IN (SELECT id FROM appeals WHERE person = $1 AND closed_at IS NULL)",
                    values: values![person],
                },
                Statement {
                    sql: "UPDATE appeals SET closed_at = $2, outcome = $3, user_id = NULL WHERE person = $1 AND closed_at IS NULL",
                    values: values![person, *now, outcome],
                },
            ],
            Self::Open { key, opened, now } => vec![Statement {
                sql: "WITH opened AS (INSERT INTO appeals (person, corp_id, app, user_id, record, opened_at)
                        VALUES ($1, $2, $3, $4, $5, $6) RETURNING id)
                      INSERT INTO reminders (appeal, business_day, due_at)
                      SELECT id, business_day, due_at FROM opened, unnest($7::bigint[], $8::bigint[]) AS due (business_day, due_at)",
                values: values![
                    person,
                    &key.corp_id,
                    &key.app,
                    &key.user,
                    &opened.record,
                    *now,
                    column(&opened.reminders, |reminder| i64::from(reminder.business_day)),
                    column(&opened.reminders, |reminder| reminder.due.as_millisecond()),
                ],
            }],
        }
    }
}

/// What answers something that was said before a copy took the place of the store may have been sent by what is lost.
static ADD_SENDS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO outbox (send_id, person, way, api, body, instead_api, instead_body, urgency, next_at, not_after, replaces, unclear,
           knowledge_version)
         SELECT send_id, person, way, api, body, instead_api, instead_body, urgency, next_at,
           CASE WHEN is_restored AND {IS_SWALLOWED} THEN least(not_after, said_at + {SWALLOWED_FOR}) ELSE not_after END, replaces, is_restored::int,
           knowledge_version
         FROM (
           SELECT *, EXISTS (SELECT 1 FROM meta WHERE key = 'restored_at' AND value::bigint > said_at) AS is_restored
           FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
             $9::bigint[], $10::bigint[], $11::bytea[], $12::bigint[], $13::text[]) WITH ORDINALITY AS given (send_id, person, way, api,
             body, instead_api, instead_body, urgency, next_at, not_after, replaces, said_at, knowledge_version, place)) AS new
         ORDER BY place ON CONFLICT (send_id) DO NOTHING"
    )
});

/// A statement for all of these, unless there are none.
fn statement<'a, T>(sql: &'static str, all: &[T], values: impl FnOnce() -> Vec<Value<'a>>) -> Option<Statement<'a>> {
    let is_needed = !all.is_empty();
    is_needed.then(|| Statement { sql, values: values() })
}

fn column<'a, T, U>(all: &'a [T], value_of: impl Fn(&'a T) -> U) -> Vec<U> {
    all.iter().map(value_of).collect()
}
