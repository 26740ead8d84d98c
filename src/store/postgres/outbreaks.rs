//! Several people with the same restriction within a short time, in PostgreSQL.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::values::values;
use super::writes::Writes;
use super::{PostgresStore, timestamp};
use crate::store::hashes::timed;
use crate::store::outbreaks::{CountingPeople, QUIET};
use crate::store::{BoxFuture, ConversationKey, NewSend, Outbreak, OutbreakStore, QuestionId, StoreError, earlier};

/// So many questions are fetched at a time.
const AT_ONCE: u32 = 1_000;

impl OutbreakStore for PostgresStore {
    fn people_by_scenario(&self, since: Timestamp) -> BoxFuture<'_, Result<BTreeMap<String, u32>, StoreError>> {
        self.read(async move |transaction| {
            let mut last = timed(since.as_second(), &[]);
            let mut counting = CountingPeople::default();
            loop {
                let sql = "SELECT message, person, record FROM questions WHERE message > $1 ORDER BY message LIMIT $2";
                let rows = transaction.rows(sql, values![last.as_slice(), AT_ONCE]).await?;
                for row in &rows {
                    last = QuestionId::of_stored(row.try_get(0)?).0;
                    counting.add(row.try_get(1)?, row.try_get(2)?);
                }
                if u32::try_from(rows.len()).is_ok_and(|found| found < AT_ONCE) {
                    return Ok(counting.finish());
                }
            }
        })
    }

    /// Processes that notice the same at once come one after the other.
    fn keep_outbreak(
        &self,
        outbreak: Outbreak,
        notice: Option<(ConversationKey, NewSend)>,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        let notice = notice.map(|(to, send)| (self.hashes.person(&to), send));
        self.submit(async move |transaction| {
            transaction
                .script("LOCK TABLE outbreaks IN SHARE ROW EXCLUSIVE MODE")
                .await?;
            let now = outbreak.noticed_at.as_millisecond();
            let sql = "INSERT INTO outbreaks (scenario, noticed_at, people) SELECT $1, $2, $3
                       WHERE NOT EXISTS (SELECT 1 FROM outbreaks WHERE scenario = $1 AND noticed_at > $4)";
            let quiet_since = earlier(outbreak.noticed_at, QUIET).as_millisecond();
            let values = values![&outbreak.scenario, now, outbreak.people, quiet_since];
            if transaction.execute(sql, values).await? == 0 {
                return Ok(false);
            }
            let mut writes = Writes::default();
            if let Some((to, send)) = notice {
                writes.send(to, send, None, now);
            }
            writes.run(transaction).await?;
            Ok(true)
        })
    }

    fn outbreaks(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Outbreak>, StoreError>> {
        self.read(async move |transaction| {
            let sql = "SELECT scenario, noticed_at, people FROM outbreaks WHERE noticed_at >= $1 ORDER BY noticed_at DESC, id DESC";
            let rows = transaction.rows(sql, values![since.as_millisecond()]).await?;
            let outbreaks = rows.iter().map(|row| {
                let people: i64 = row.try_get(2)?;
                Ok(Outbreak {
                    scenario: row.try_get(0)?,
                    noticed_at: timestamp(row.try_get(1)?),
                    people: u32::try_from(people).unwrap_or_default(),
                })
            });
            outbreaks.collect()
        })
    }
}
