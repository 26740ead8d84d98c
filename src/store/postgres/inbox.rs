//! Accounts of 微信客服 and what is fetched from them, in PostgreSQL: each item is kept once, together with the cursor.

use std::collections::{HashMap, HashSet};

use futures_util::future::try_join;
use tokio_postgres::Error;

use super::pool::Transaction;
use super::values::values;
use super::writes::Writes;
use super::{NOW, bytes, lock_persons, timestamp};
use crate::failpoint::failpoint;
use crate::store::hashes::{Hash, Hashes};
use crate::store::{Effect, Fetched, KeptPage, KfAccountKey, KfPage, KfProgress, Recalled, ServedBy};

/// A person whom a customer was handed to is thought to have ended after so long: no session lasts longer (doc/94669).
const LONGEST_SESSION: i64 = 48 * 3600 * 1000;

/// Counts a callback, unless it has been counted or a later one has.
pub(super) async fn want(
    transaction: Transaction<'_>,
    account: &KfAccountKey,
    token: Option<&str>,
    called_at: i64,
) -> Result<bool, Error> {
    let sql = "INSERT INTO kf_accounts AS stored (corp_id, app, open_kf_id, token, token_at, wanted) VALUES ($1, $2, $3, $4, $5, 1)
               ON CONFLICT (corp_id, app, open_kf_id) DO UPDATE SET wanted = stored.wanted + 1,
                 token = coalesce(excluded.token, stored.token),
                 token_at = CASE WHEN excluded.token IS NULL THEN stored.token_at ELSE excluded.token_at END
               WHERE stored.token IS NULL OR excluded.token_at > stored.token_at
                 OR excluded.token_at = stored.token_at AND excluded.token IS DISTINCT FROM stored.token";
    let values = values![&account.corp_id, &account.app, &account.open_kf_id, token, called_at];
    Ok(transaction.execute(sql, values).await? > 0)
}

pub(super) async fn accounts(transaction: Transaction<'_>) -> Result<Vec<KfAccountKey>, Error> {
    let sql = "SELECT corp_id, app, open_kf_id FROM kf_accounts ORDER BY corp_id, app, open_kf_id";
    let rows = transaction.rows(sql, Vec::new()).await?;
    let accounts = rows.iter().map(|row| {
        Ok(KfAccountKey {
            corp_id: row.try_get(0)?,
            app: row.try_get(1)?,
            open_kf_id: row.try_get(2)?,
        })
    });
    accounts.collect()
}

pub(super) async fn progress(transaction: Transaction<'_>, account: &KfAccountKey) -> Result<KfProgress, Error> {
    let sql = "SELECT cursor, token, token_at, wanted, done, complete FROM kf_accounts
               WHERE corp_id = $1 AND app = $2 AND open_kf_id = $3";
    let values = values![&account.corp_id, &account.app, &account.open_kf_id];
    let Some(row) = transaction.row_if_any(sql, values).await? else {
        return Ok(KfProgress::default());
    };
    let (token, token_at, complete): (Option<String>, Option<i64>, i64) =
        (row.try_get(1)?, row.try_get(2)?, row.try_get(5)?);
    Ok(KfProgress {
        cursor: row.try_get(0)?,
        token: token.zip(token_at.map(timestamp)),
        wanted: row.try_get(3)?,
        done: row.try_get(4)?,
        complete: complete != 0,
    })
}

/// Takes the right to fetch an account, unless somebody else has it, or this process has been silent too long to be trusted with it.
pub(super) async fn claim_pull(
    transaction: Transaction<'_>,
    account: &KfAccountKey,
    owner: &str,
) -> Result<Option<i64>, Error> {
    let key = || values![&account.corp_id, &account.app, &account.open_kf_id];
    let sql = "INSERT INTO kf_accounts (corp_id, app, open_kf_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    transaction.execute(sql, key()).await?;
    let sql = format!(
        "UPDATE kf_accounts SET owner = $4, claim = claim + 1
         WHERE corp_id = $1 AND app = $2 AND open_kf_id = $3 AND (owner IS NULL OR owner = $4)
           AND {} RETURNING claim",
        may_claim("$4")
    );
    let mut values = key();
    values.extend(values![owner]);
    let row = transaction.row_if_any(&sql, values).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// A condition: this process is heard.
pub(super) fn may_claim(owner: &str) -> String {
    let recent = format!("{NOW} - {}", super::instances::MAY_CLAIM);
    format!("EXISTS (SELECT 1 FROM instances WHERE id = {owner} AND beat_at >= {recent})")
}

pub(super) async fn return_pull(transaction: Transaction<'_>, account: &KfAccountKey, claim: i64) -> Result<(), Error> {
    let sql = "UPDATE kf_accounts SET owner = NULL WHERE corp_id = $1 AND app = $2 AND open_kf_id = $3 AND claim = $4";
    let values = values![&account.corp_id, &account.app, &account.open_kf_id, claim];
    transaction.execute(sql, values).await.map(drop)
}

/// Keeps a page and moves the cursor, unless somebody else has fetched in the meantime.
pub(super) async fn keep_page(
    transaction: Transaction<'_>,
    hashes: &Hashes,
    page: &KfPage,
) -> Result<Option<KeptPage>, Error> {
    if !move_cursor(transaction, page).await? {
        return Ok(None);
    }
    let items: Vec<Item<'_>> = page.items.iter().map(|item| Item::new(hashes, page, item)).collect();
    let served = items
        .iter()
        .filter(|item| matches!(item.fetched.effect, Effect::ServedBy(_)));
    let persons: Vec<Hash> = served.map(|item| item.person).collect();
    lock_persons(transaction, &persons).await?;
    let mut keeping = Keeping::load(transaction, page, &items).await?;
    let fates = items.iter().map(|item| keeping.keep(hashes, page, item)).collect();
    let recalled = keeping.write(transaction, page).await?;
    failpoint!("before_cursor");
    Ok(Some(KeptPage { fates, recalled }))
}

async fn move_cursor(transaction: Transaction<'_>, page: &KfPage) -> Result<bool, Error> {
    let sql = "UPDATE kf_accounts SET cursor = $4, pulled_at = $8, done = greatest(done, coalesce($5, done)),
                 complete = greatest(complete, ($5 IS NOT NULL)::int)
               WHERE corp_id = $1 AND app = $2 AND open_kf_id = $3 AND cursor IS NOT DISTINCT FROM $6 AND claim = $7";
    let values = values![
        &page.account.corp_id,
        &page.account.app,
        &page.account.open_kf_id,
        &page.next,
        page.done,
        page.from.as_deref(),
        page.claim,
        page.at.as_millisecond()
    ];
    Ok(transaction.execute(sql, values).await? > 0)
}

/// A fetched item with everything hashed.
struct Item<'a> {
    fetched: &'a Fetched,
    message: Hash,
    person: Hash,
}

impl<'a> Item<'a> {
    fn new(hashes: &Hashes, page: &KfPage, fetched: &'a Fetched) -> Self {
        Self {
            fetched,
            message: hashes.kf_message(&page.account, &fetched.key),
            person: hashes.customer(&page.account, &fetched.customer),
        }
    }
}

/// A row of the inbox to be.
struct NewRow<'a> {
    message: Hash,
    person: Hash,
    item: Option<&'a str>,
    sent_at: i64,
    fate: Option<&'static str>,
}

/// A page, item after item, as it will stand in the store.
#[derive(Default)]
struct Keeping<'a> {
    known: HashSet<Vec<u8>>,
    served_by: HashMap<Hash, ServedBy>,
    rows: Vec<NewRow<'a>>,
    /// Of this page, so that it never waited.
    recalled_at_once: Vec<&'a str>,
    /// Of earlier pages, if they still wait.
    to_recall: HashMap<Hash, &'a str>,
    failed: Vec<(&'a str, i64)>,
    writes: Writes,
}

impl<'a> Keeping<'a> {
    async fn load(transaction: Transaction<'_>, page: &KfPage, items: &[Item<'a>]) -> Result<Self, Error> {
        let messages: Vec<&[u8]> = items.iter().map(|item| item.message.as_slice()).collect();
        let persons: Vec<&[u8]> = items.iter().map(|item| item.person.as_slice()).collect();
        let (known, customers) = try_join(
            transaction.rows("SELECT message FROM inbox WHERE message = ANY($1)", values![messages]),
            transaction.rows(SERVED_BY, values![persons, served_after(page.at.as_millisecond())]),
        )
        .await?;
        Ok(Self {
            known: known.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
            served_by: read_served_by(&customers)?,
            ..Self::default()
        })
    }

    /// Keeps one item and says what became of it. What came before, with an earlier page or in this one, has had its effect.
    fn keep(&mut self, hashes: &Hashes, page: &KfPage, item: &Item<'a>) -> &'static str {
        if !self.known.insert(item.message.to_vec()) {
            return "repeated";
        }
        let served_by = self.served_by.get(&item.person).copied().unwrap_or_default();
        let (item_text, fate) = match &item.fetched.effect {
            // Who is only about to be handed over may still come back to the bot.
            Effect::Answer { item } if served_by != ServedBy::Servicer => (Some(item.as_str()), None),
            Effect::Answer { .. } => (None, Some("human")),
            Effect::Record(fate) => (None, Some(*fate)),
            Effect::Unreadable { item } => (Some(item.as_str()), Some("unreadable")),
            Effect::ServedBy(_) | Effect::Recalled { .. } | Effect::SendFailed { .. } => (None, Some("noted")),
        };
        let sent_at = item.fetched.sent_at.as_millisecond();
        self.rows.push(NewRow {
            message: item.message,
            person: item.person,
            item: item_text,
            sent_at,
            fate,
        });
        match &item.fetched.effect {
            Effect::Answer { .. } | Effect::Record(_) | Effect::Unreadable { .. } => {}
            Effect::ServedBy(served_by) => {
                self.served_by.insert(item.person, *served_by);
                self.writes.served_by(item.person, *served_by, sent_at);
            }
            Effect::Recalled { key } => self.recall(hashes.kf_message(&page.account, key), key),
            Effect::SendFailed { send_id, reason } => self.failed.push((send_id, *reason)),
        }
        fate.unwrap_or("waiting")
    }

    fn recall(&mut self, message: Hash, key: &'a str) {
        let waits = |row: &&mut NewRow<'a>| row.message == message && row.fate.is_none();
        match self.rows.iter_mut().find(waits) {
            Some(row) => {
                (row.fate, row.item) = (Some("recalled"), None);
                self.recalled_at_once.push(key);
            }
            None => drop(self.to_recall.insert(message, key)),
        }
    }

    /// Writes the page, and says what was waiting and was taken back.
    async fn write(&self, transaction: Transaction<'_>, page: &KfPage) -> Result<Vec<Recalled>, Error> {
        let sql = "INSERT INTO inbox (message, person, corp_id, app, open_kf_id, item, sent_at, received_at, fate)
                   SELECT message, person, $3, $4, $5, item, sent_at, $8, fate
                   FROM unnest($1::bytea[], $2::bytea[], $6::text[], $7::bigint[], $9::text[]) WITH ORDINALITY
                     AS new (message, person, item, sent_at, fate, place) ORDER BY place";
        let rows = &self.rows;
        let values = values![
            rows.iter().map(|row| row.message.as_slice()).collect::<Vec<_>>(),
            rows.iter().map(|row| row.person.as_slice()).collect::<Vec<_>>(),
            &page.account.corp_id,
            &page.account.app,
            &page.account.open_kf_id,
            rows.iter().map(|row| row.item).collect::<Vec<_>>(),
            rows.iter().map(|row| row.sent_at).collect::<Vec<_>>(),
            page.at.as_millisecond(),
            rows.iter().map(|row| row.fate).collect::<Vec<_>>(),
        ];
        transaction.execute(sql, values).await?;
        failpoint!("mid_page");
        self.writes.run(transaction).await?;
        // Before anything in the outbox, as whoever erases a person does: else each could wait for the other.
        let mut recalled = self.recall_earlier(transaction).await?;
        // A message of ours that the platform took did not arrive.
        let sql = "UPDATE outbox SET fate = 'undelivered', code = $2 WHERE send_id = $1 AND fate = 'sent'";
        for (send_id, reason) in &self.failed {
            transaction.execute(sql, values![*send_id, *reason]).await?;
        }
        recalled.extend(self.recalled_at_once.iter().map(|key| Recalled {
            key: (*key).to_owned(),
            received_at: page.at,
        }));
        Ok(recalled)
    }

    /// Takes back what earlier pages brought and what still waits.
    async fn recall_earlier(&self, transaction: Transaction<'_>) -> Result<Vec<Recalled>, Error> {
        if self.to_recall.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "UPDATE inbox SET fate = 'recalled', item = NULL WHERE message = ANY($1) AND fate IS NULL
                   RETURNING message, received_at";
        let messages: Vec<&[u8]> = self.to_recall.keys().map(Hash::as_slice).collect();
        let rows = transaction.rows(sql, values![messages]).await?;
        let recalled = rows.iter().map(|row| {
            let key = self.to_recall.get(&bytes(row.try_get(0)?)).copied().unwrap_or_default();
            Ok(Recalled {
                key: key.to_owned(),
                received_at: timestamp(row.try_get(1)?),
            })
        });
        recalled.collect()
    }
}

/// Who talks with customers; the second value is [`served_after`].
pub(super) const SERVED_BY: &str =
    "SELECT person, served_by FROM customers WHERE person = ANY($1) AND served_from > $2";

/// Whoever has served a customer since before this has ended.
pub(super) fn served_after(now: i64) -> i64 {
    now.saturating_sub(LONGEST_SESSION)
}

pub(super) fn read_served_by(rows: &[tokio_postgres::Row]) -> Result<HashMap<Hash, ServedBy>, Error> {
    let served = rows.iter().map(|row| {
        let (person, name): (&[u8], &str) = (row.try_get(0)?, row.try_get(1)?);
        Ok((bytes(person), ServedBy::from_name(name).unwrap_or_default()))
    });
    served.collect()
}
