//! What is to be sent, in PostgreSQL: in order for each person, each once, by whoever holds it.

use tokio_postgres::{Error, Row};

use super::inbox::may_claim;
use super::pool::Transaction;
use super::values::values;
use super::writes::Writes;
use super::{bytes, count, lock_persons, timestamp};
use crate::store::delivery::{IS_SWALLOWED, SWALLOWED_FOR};
use crate::store::hashes::Hash;
use crate::store::{ClaimedSend, SendClaim, SendResult, ServedBy};

/// Nothing waits so long for its next try, in milliseconds: a time that is further away was set by a clock that has been put back since.
const LONGEST_PAUSE: i64 = 2 * 3600 * 1000;

/// Takes what is due, the first of each person only. Of several processes each takes what the others have not.
pub(super) async fn claim(
    transaction: Transaction<'_>,
    owner: &str,
    now: i64,
    most: u32,
    paused: &[String],
) -> Result<Vec<ClaimedSend>, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE fate IS NULL AND not_after < $1),
                 EXISTS (SELECT 1 FROM outbox WHERE fate IS NULL AND next_at <= $1)
                   OR EXISTS (SELECT 1 FROM outbox WHERE fate IS NULL AND next_at > $2)";
    let far = now.saturating_add(LONGEST_PAUSE);
    let found = transaction.row_if_any(sql, values![now, far]).await?;
    let (is_late, is_due): (bool, bool) = match found {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (false, false),
    };
    if is_late {
        expire(transaction, now).await?;
    }
    if !is_due {
        return Ok(Vec::new());
    }
    let sql = format!(
        "WITH due AS MATERIALIZED (
           SELECT id FROM outbox AS one WHERE fate IS NULL AND (next_at <= $1 OR next_at > $5) AND owner IS NULL
             AND NOT way || ' ' || api = ANY($4)
             AND NOT EXISTS (SELECT 1 FROM outbox AS earlier
               WHERE earlier.person = one.person AND earlier.fate IS NULL AND earlier.id < one.id)
             AND {}
           ORDER BY urgency, id LIMIT $3 FOR UPDATE OF one SKIP LOCKED)
         UPDATE outbox SET owner = $2, attempts = attempts + 1, next_at = $1 FROM due WHERE outbox.id = due.id
         RETURNING outbox.id, way, api, body, attempts, not_after, unclear, urgency, send_id",
        may_claim("$2")
    );
    let paused: Vec<&str> = paused.iter().map(String::as_str).collect();
    let rows = transaction.rows(&sql, values![now, owner, most, paused, far]).await?;
    let claimed = rows.iter().map(|row| Ok((row.try_get(7)?, claimed(row)?)));
    let mut claimed: Vec<(i64, ClaimedSend)> = claimed.collect::<Result<_, Error>>()?;
    claimed.sort_by_key(|(urgency, send)| (*urgency, send.claim.id));
    Ok(claimed.into_iter().map(|(_, send)| send).collect())
}

fn claimed(row: &Row) -> Result<ClaimedSend, Error> {
    let (body, unclear): (Option<String>, i64) = (row.try_get(3)?, row.try_get(6)?);
    Ok(ClaimedSend {
        claim: SendClaim {
            id: row.try_get(0)?,
            attempts: count(row.try_get(4)?),
        },
        send_id: row.try_get(8)?,
        way: row.try_get(1)?,
        api: row.try_get(2)?,
        body: body.unwrap_or_default(),
        not_after: timestamp(row.try_get(5)?),
        unclear: unclear != 0,
    })
}

/// What comes too late is not sent, and customers whose handing over comes too late are the bot's again.
async fn expire(transaction: Transaction<'_>, now: i64) -> Result<(), Error> {
    let sql = "UPDATE customers SET served_by = 'bot' WHERE served_by = 'pool' AND person IN (
                 SELECT person FROM outbox WHERE fate IS NULL AND not_after < $1 AND api = 'kf/service_state/trans')";
    transaction.execute(sql, values![now]).await?;
    let sql = format!(
        "UPDATE outbox SET fate = CASE WHEN unclear <> 0 AND {IS_SWALLOWED} THEN 'unclear' ELSE 'expired' END, settled_at = $1
         WHERE id IN (
           SELECT id FROM outbox WHERE fate IS NULL AND not_after < $1 AND owner IS NULL ORDER BY id FOR UPDATE SKIP LOCKED)"
    );
    transaction.execute(&sql, values![now]).await.map(drop)
}

/// Gives back what this process claimed without knowing whether it did, before it sent any of it.
pub(super) async fn return_unsent(
    transaction: Transaction<'_>,
    owner: &str,
    claims: &[SendClaim],
) -> Result<(), Error> {
    let sql = "UPDATE outbox SET owner = NULL, attempts = outbox.attempts - 1
               FROM unnest($2::bigint[], $3::bigint[]) AS mine (id, attempts)
               WHERE outbox.id = mine.id AND outbox.attempts = mine.attempts AND owner = $1 AND fate IS NULL";
    let ids: Vec<i64> = claims.iter().map(|claim| claim.id).collect();
    let attempts: Vec<i64> = claims.iter().map(|claim| i64::from(claim.attempts)).collect();
    transaction.execute(sql, values![owner, ids, attempts]).await.map(drop)
}

/// Frees what processes held that are no more. Whether it was sent nobody knows; a message of the app that WeCom would show a second time is
/// not sent again, or not after WeCom has ceased to swallow it.
pub(super) async fn give_back(transaction: Transaction<'_>, owners: Vec<&str>) -> Result<u64, Error> {
    let sql = format!(
        "UPDATE outbox SET owner = NULL,
                 fate = CASE WHEN shown_twice THEN 'unclear' END,
                 settled_at = CASE WHEN shown_twice THEN next_at END,
                 not_after = CASE WHEN unclear = 0 AND {IS_SWALLOWED} THEN least(not_after, next_at + $2) ELSE not_after END,
                 unclear = CASE WHEN shown_twice THEN unclear ELSE 1 END
               FROM (SELECT id AS held, api = 'message/send' AND body NOT LIKE '%\"enable_duplicate_check\"%'
                       AND body NOT LIKE '%\"task_id\"%' AS shown_twice
                     FROM outbox WHERE fate IS NULL AND owner = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED) AS held_ones
               WHERE id = held"
    );
    transaction.execute(&sql, values![owners, SWALLOWED_FOR]).await
}

/// Says how sending went, unless somebody else has claimed it since, or taken it over.
pub(super) async fn settle(
    transaction: Transaction<'_>,
    owner: &str,
    claim: SendClaim,
    result: &SendResult,
    now: i64,
) -> Result<(), Error> {
    let is_ours = "id = $1 AND attempts = $2 AND owner = $3 AND fate IS NULL";
    let key = || values![claim.id, claim.attempts, owner];
    match result {
        SendResult::Sent => {
            let sql = format!(
                "UPDATE outbox SET fate = 'sent', owner = NULL, code = NULL, settled_at = $4, body = NULL, instead_body = NULL
                 WHERE {is_ours}"
            );
            let mut values = key();
            values.extend(values![now]);
            transaction.execute(&sql, values).await.map(drop)
        }
        SendResult::Later { at, code, unclear } => {
            let sql = format!(
                "UPDATE outbox SET owner = NULL, next_at = $4, code = $5, unclear = greatest(unclear, $6),
                   not_after = CASE WHEN $6 <> 0 AND unclear = 0 AND {IS_SWALLOWED} THEN least(not_after, $7) ELSE not_after END
                 WHERE {is_ours}"
            );
            let until = now.saturating_add(SWALLOWED_FOR);
            let mut values = key();
            values.extend(values![at.as_millisecond(), *code, i64::from(*unclear), until]);
            transaction.execute(&sql, values).await.map(drop)
        }
        SendResult::Refused {
            code,
            served_by,
            closed,
        } => {
            let sql = format!("SELECT person FROM outbox WHERE {is_ours}");
            let Some(row) = transaction.row_if_any(&sql, key()).await? else {
                return Ok(());
            };
            let person: Hash = bytes(row.try_get(0)?);
            lock_persons(transaction, &[person]).await?;
            // It may have been taken over while the lock was waited for.
            let sql = format!("SELECT 1 FROM outbox WHERE {is_ours} FOR UPDATE");
            if transaction.row_if_any(&sql, key()).await?.is_none() {
                return Ok(());
            }
            let refusal = Refusal {
                id: claim.id,
                person,
                code: *code,
                now,
            };
            refusal.settle(transaction, *served_by, *closed).await
        }
    }
}

/// Something that was refused for good; its person is locked.
struct Refusal {
    id: i64,
    person: Hash,
    code: Option<i64>,
    now: i64,
}

impl Refusal {
    async fn settle(
        &self,
        transaction: Transaction<'_>,
        served_by: Option<ServedBy>,
        closed: bool,
    ) -> Result<(), Error> {
        if !closed && self.send_instead(transaction).await? {
            return Ok(());
        }
        let sql = "UPDATE outbox SET fate = 'refused', owner = NULL, code = $2, settled_at = $3, instead_body = NULL WHERE id = $1";
        transaction.execute(sql, values![self.id, self.code, self.now]).await?;
        match served_by {
            Some(served_by) => {
                let mut writes = Writes::default();
                writes.served_by(self.person, served_by, self.now);
                writes.run(transaction).await?;
            }
            // Who was to be handed over with what is dropped here has not been.
            None => self.return_from_pool(transaction).await?,
        }
        if closed {
            let sql = "UPDATE outbox SET fate = 'dropped', code = $2, settled_at = $3 WHERE id IN (
                         SELECT id FROM outbox WHERE person = $1 AND fate IS NULL AND owner IS NULL ORDER BY id FOR UPDATE)";
            transaction
                .execute(sql, values![self.person.as_slice(), self.code, self.now])
                .await?;
        }
        Ok(())
    }

    /// What was to be sent instead takes the place of what was refused. A customer who could not be handed over is the bot's again.
    async fn send_instead(&self, transaction: Transaction<'_>) -> Result<bool, Error> {
        let sql =
            "UPDATE outbox SET api = instead_api, body = instead_body, instead_body = NULL, owner = NULL, unclear = 0,
                     next_at = $2
                   WHERE id = $1 AND instead_body IS NOT NULL";
        if transaction.execute(sql, values![self.id, self.now]).await? == 0 {
            return Ok(false);
        }
        self.return_from_pool(transaction).await?;
        Ok(true)
    }

    async fn return_from_pool(&self, transaction: Transaction<'_>) -> Result<(), Error> {
        let sql = "UPDATE customers SET served_by = 'bot' WHERE person = $1 AND served_by = 'pool'";
        transaction
            .execute(sql, values![self.person.as_slice()])
            .await
            .map(drop)
    }
}
