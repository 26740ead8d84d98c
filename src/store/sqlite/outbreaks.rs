//! Several people with the same restriction within a short time, in SQLite.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::outbox::add_send;
use super::{SqliteStore, before, timestamp};
use crate::store::hashes::timed;
use crate::store::outbreaks::{CountingPeople, QUIET};
use crate::store::{BoxFuture, ConversationKey, NewSend, Outbreak, OutbreakStore, StoreError};

impl OutbreakStore for SqliteStore {
    fn people_by_scenario(&self, since: Timestamp) -> BoxFuture<'_, Result<BTreeMap<String, u32>, StoreError>> {
        self.reads.read(move |connection| {
            let sql = "SELECT person, record FROM questions WHERE message >= ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([timed(since.as_second(), &[])])?;
            let mut counting = CountingPeople::default();
            while let Some(row) = rows.next()? {
                counting.add(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_str()?);
            }
            Ok(counting.finish())
        })
    }

    fn keep_outbreak(
        &self,
        outbreak: Outbreak,
        notice: Option<(ConversationKey, NewSend)>,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        let notice = notice.map(|(to, send)| (self.hashes.person(&to), send));
        self.submit(move |connection| {
            let now = outbreak.noticed_at.as_millisecond();
            let sql = "INSERT INTO outbreaks (scenario, noticed_at, people) SELECT ?1, ?2, ?3
                       WHERE NOT EXISTS (SELECT 1 FROM outbreaks WHERE scenario = ?1 AND noticed_at > ?4)";
            let values = params![
                outbreak.scenario,
                now,
                outbreak.people,
                before(outbreak.noticed_at, QUIET)
            ];
            if connection.prepare_cached(sql)?.execute(values)? == 0 {
                return Ok(false);
            }
            if let Some((to, send)) = notice {
                add_send(connection, &to, (None, now), &send)?;
            }
            Ok(true)
        })
    }

    fn outbreaks(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Outbreak>, StoreError>> {
        self.reads.read(move |connection| {
            let sql = "SELECT scenario, noticed_at, people FROM outbreaks WHERE noticed_at >= ?1 ORDER BY noticed_at DESC, id DESC";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([since.as_millisecond()], |row| {
                Ok(Outbreak {
                    scenario: row.get(0)?,
                    noticed_at: timestamp(row.get(1)?),
                    people: row.get(2)?,
                })
            })?;
            rows.collect()
        })
    }
}
