//! The processes that use the database, by its clock: each beats, and what silent ones hold is taken over.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Error;

use super::pool::Transaction;
use super::values::values;
use super::{NOW, count, outbox, timestamp};
use crate::store::{Beat, Instance, InstanceReport, TakenOver};

/// Who has beaten less than so long ago may claim something: long enough before it is taken for dead.
pub(super) const MAY_CLAIM: &str = "10000";

/// Since when this process has been beating without a longer pause. Only then are others known to be silent: after an outage of the database,
/// or a pause of this very process, nobody has beaten for a while.
pub(super) struct Watch {
    since: Cell<Instant>,
    last: Cell<Instant>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            since: Cell::new(now),
            last: Cell::new(now),
        }
    }

    /// Whether others have had time to beat; called when this process could.
    pub(super) fn has_watched(&self, silence: Duration) -> bool {
        let now = Instant::now();
        if now.duration_since(self.last.get()) > silence * 2 / 3 {
            self.since.set(now);
        }
        self.last.set(now);
        now.duration_since(self.since.get()) >= silence
    }
}

/// Says that a process is there, before it claims anything.
pub(super) async fn join(transaction: Transaction<'_>, id: &str) -> Result<(), Error> {
    beat(transaction, id, &InstanceReport::default()).await
}

/// Says that a process is alive.
pub(super) async fn beat(transaction: Transaction<'_>, id: &str, report: &InstanceReport) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO instances (id, started_at, beat_at, program_version, knowledge_version, knowledge_refusal, reload)
         VALUES ($1, {NOW}, {NOW}, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at, program_version = excluded.program_version,
           knowledge_version = excluded.knowledge_version, knowledge_refusal = excluded.knowledge_refusal, reload = excluded.reload"
    );
    let values = values![
        id,
        &report.program_version,
        &report.knowledge_version,
        &report.knowledge_refusal,
        report.reload
    ];
    transaction.execute(&sql, values).await.map(drop)
}

/// What a process is told that has beaten, and has taken over so much with it.
pub(super) async fn told(
    transaction: Transaction<'_>,
    silence: Duration,
    taken_over: TakenOver,
) -> Result<Beat, Error> {
    let sql = format!("SELECT count(*) FROM instances WHERE beat_at >= {NOW} - $1");
    let row = transaction.row_if_any(&sql, values![milliseconds(silence)]).await?;
    let live = row.map(|row| row.try_get(0)).transpose()?;
    Ok(Beat {
        live: count(live.unwrap_or(1)),
        reload: requested_reload(transaction).await?,
        taken_over,
    })
}

/// Takes back what processes hold that have been silent too long, and what those have left that have been removed already. What one of them
/// is writing this very moment stays for the next time.
pub(super) async fn take_over(transaction: Transaction<'_>, silence: Duration) -> Result<TakenOver, Error> {
    let sql = format!("DELETE FROM instances WHERE beat_at < {NOW} - $1");
    transaction.execute(&sql, values![milliseconds(silence)]).await?;
    let sql = "SELECT owner FROM (SELECT owner FROM inbox WHERE fate IS NULL AND owner IS NOT NULL
                 UNION SELECT owner FROM outbox WHERE fate IS NULL AND owner IS NOT NULL
                 UNION SELECT owner FROM kf_accounts WHERE owner IS NOT NULL
                 UNION SELECT owner FROM tokens WHERE owner IS NOT NULL) AS held
               WHERE owner NOT IN (SELECT id FROM instances)";
    let rows = transaction.rows(sql, Vec::new()).await?;
    let gone: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if gone.is_empty() {
        return Ok(TakenOver::default());
    }
    tracing::warn!(
        processes = gone.len(),
        "taking over from processes that are silent or have ended"
    );
    give_back(transaction, &gone).await
}

/// Frees what these processes hold, and says how much it was.
async fn give_back(transaction: Transaction<'_>, owners: &[String]) -> Result<TakenOver, Error> {
    let owners = || owners.iter().map(String::as_str).collect::<Vec<&str>>();
    let sql = "UPDATE kf_accounts SET owner = NULL WHERE owner = ANY($1)";
    let accounts = transaction.execute(sql, values![owners()]).await?;
    // A right that has run out was not held any more.
    let sql = format!("SELECT count(*) FROM tokens WHERE owner = ANY($1) AND refresh_until > {NOW}");
    let tokens = transaction.row_if_any(&sql, values![owners()]).await?;
    let tokens = tokens.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    let sql = "UPDATE tokens SET owner = NULL, refresh_until = 0 WHERE owner = ANY($1)";
    transaction.execute(sql, values![owners()]).await?;
    let sql = "UPDATE inbox SET owner = NULL WHERE id IN (
                 SELECT id FROM inbox WHERE fate IS NULL AND owner = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED)";
    Ok(TakenOver {
        accounts,
        tokens: count(tokens).into(),
        answers: transaction.execute(sql, values![owners()]).await?,
        sends: outbox::give_back(transaction, owners()).await?,
    })
}

/// A process ends as it should: nobody need wait for its silence.
pub(super) async fn leave(transaction: Transaction<'_>, id: &str) -> Result<(), Error> {
    let sql = "UPDATE inbox SET attempts = attempts - 1 WHERE fate IS NULL AND owner = $1 AND attempts > 0";
    // What was begun and not answered has not been begun in vain by a defect.
    transaction.execute(sql, values![id]).await?;
    give_back(transaction, &[id.to_owned()]).await?;
    let sql = "DELETE FROM instances WHERE id = $1";
    transaction.execute(sql, values![id]).await.map(drop)
}

async fn requested_reload(transaction: Transaction<'_>) -> Result<i64, Error> {
    let sql = "SELECT coalesce(max(value::bigint), 0) FROM meta WHERE key = 'reload'";
    let row = transaction.row_if_any(sql, Vec::new()).await?;
    row.map_or(Ok(0), |row| row.try_get(0))
}

pub(super) async fn request_reload(transaction: Transaction<'_>) -> Result<i64, Error> {
    let sql = "INSERT INTO meta AS stored (key, value) VALUES ('reload', '1')
               ON CONFLICT (key) DO UPDATE SET value = (stored.value::bigint + 1)::text";
    transaction.execute(sql, Vec::new()).await?;
    requested_reload(transaction).await
}

pub(super) async fn live(transaction: Transaction<'_>, silence: Duration) -> Result<Vec<Instance>, Error> {
    let sql = format!(
        "SELECT id, started_at, program_version, knowledge_version, knowledge_refusal, reload FROM instances
         WHERE beat_at >= {NOW} - $1 ORDER BY started_at, id"
    );
    let rows = transaction.rows(&sql, values![milliseconds(silence)]).await?;
    let instances = rows.iter().map(|row| {
        Ok(Instance {
            id: row.try_get(0)?,
            started_at: timestamp(row.try_get(1)?),
            report: InstanceReport {
                program_version: row.try_get(2)?,
                knowledge_version: row.try_get(3)?,
                knowledge_refusal: row.try_get(4)?,
                reload: row.try_get(5)?,
            },
        })
    });
    instances.collect()
}

fn milliseconds(silence: Duration) -> i64 {
    i64::try_from(silence.as_millis()).unwrap_or(i64::MAX)
}
