//! Settles one message of an app, once: everything it leads to is stored with its reply.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::OptionalExtension;

use super::appeals::{change_appeal, open_appeal};
use super::inbox::set_aside;
use super::outbox;
use super::ratings::save_rating;
use super::replies::{self, Made, Replies};
use super::sessions::Sessions;
use super::statements::Statements;
use super::writer::{Failed, database_error};
use super::{save_question, timestamp};
use crate::failpoint::failpoint;
use crate::store::hashes::{Hash, TimedHash};
use crate::store::{ConversationKey, MessageKey, Remembered, Settlement, Step, StepFunction, StoreError};

/// A message to settle, with everything hashed.
pub(super) struct Settling {
    pub(super) message: TimedHash,
    pub(super) person: Hash,
    pub(super) sessions: Sessions,
    pub(super) replies: Replies,
    pub(super) conversation: ConversationKey,
    pub(super) key: MessageKey,
    pub(super) now: i64,
}

impl Settling {
    /// Everything that may fail for a reason of its own comes before the first write, so no savepoint is needed.
    pub(super) fn run(self, connection: &Statements<'_>, step: StepFunction) -> Result<Settlement, Failed> {
        let intact = |error| Failed {
            error: database_error(error),
            spoils: false,
        };
        if let Some(earlier) = self.earlier(connection).map_err(intact)? {
            return self.reply_at_most_once(connection, earlier).map_err(intact);
        }
        let remembered = self.remembered(connection).map_err(intact)?;
        let step = catch_unwind(AssertUnwindSafe(|| step(remembered))).map_err(|_| Failed {
            error: StoreError::Panicked,
            spoils: false,
        })?;
        failpoint!("after_step");
        let kept = self.keep(connection, step).map_err(|error| Failed {
            error: database_error(error),
            spoils: true,
        });
        failpoint!("before_commit");
        kept
    }

    fn remembered(&self, connection: &Statements<'_>) -> Result<Remembered, rusqlite::Error> {
        Ok(Remembered {
            session: self.sessions.load(connection, &self.person, self.now)?,
            appeal: open_appeal(connection, &self.person)?,
        })
    }

    fn keep(&self, connection: &Statements<'_>, step: Step) -> Result<Settlement, rusqlite::Error> {
        let reply = step.reply.as_deref().map(|text| Made {
            text,
            knowledge_version: &step.knowledge_version,
        });
        self.replies.save(connection, &self.message, reply, self.now)?;
        self.sessions
            .save(connection, &self.person, self.now, step.session.as_deref())?;
        let app = (self.key.corp_id.as_str(), self.key.app.as_str());
        if let Some(question) = &step.question {
            save_question(connection, &self.message, &self.person, app, question)?;
        }
        change_appeal(connection, &self.person, &self.conversation, self.now, &step.appeal)?;
        if let Some(rating) = &step.rating {
            save_rating(connection, &self.message, app, self.now, rating)?;
        }
        for send in &step.sends {
            outbox::add_send(connection, &self.person, (Some(&self.message), self.now), send)?;
        }
        if let Some(aside) = &step.set_aside {
            set_aside(connection, (&self.message, &self.person), app, self.now, aside)?;
        }
        // Whoever asked for a reply that is sent instead waits for it no longer; the next delivery may get it.
        let stands_in = step.sends.iter().any(|send| send.replaces_reply);
        Ok(Settlement {
            reply: step.reply.filter(|_| !stands_in),
            settled_at: timestamp(self.now),
            repeated: false,
            has_sends: !step.sends.is_empty(),
        })
    }

    fn earlier(&self, connection: &Statements<'_>) -> Result<Option<Settlement>, rusqlite::Error> {
        let sql = "SELECT reply, settled_at FROM messages WHERE message = ?1";
        let found = connection.run(sql, |statement| {
            statement.query_row([&self.message], |row| Ok((row.get(0)?, row.get(1)?)))
        });
        let Some((reply, settled_at)) = found.optional()? else {
            return Ok(None);
        };
        Ok(Some(Settlement {
            reply: replies::text(connection, reply)?,
            settled_at: timestamp(settled_at),
            repeated: true,
            has_sends: false,
        }))
    }

    fn reply_at_most_once(
        &self,
        connection: &Statements<'_>,
        earlier: Settlement,
    ) -> Result<Settlement, rusqlite::Error> {
        let may_reply = outbox::reply_instead(connection, &self.message)?;
        Ok(Settlement {
            reply: earlier.reply.filter(|_| may_reply),
            ..earlier
        })
    }
}
