//! Fetched messages of 微信客服, in SQLite: each is kept once, together with the cursor, and answered once, together with what to send.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::appeals::{change_appeal, open_appeal};
use super::outbox::{add_send, fail_delivery, unsent_of};
use super::ratings::save_rating;
use super::sessions::Sessions;
use super::statements::Statements;
use super::writer::in_savepoint;
use super::{save_question, timestamp};
use crate::failpoint::failpoint;
use crate::store::hashes::{Hashes, timed};
use crate::store::{
    Answered, ConversationKey, Effect, Fetched, KeptPage, KfAccountKey, KfPage, KfProgress, Recalled, Remembered,
    ServedBy, SetAside, SettledItem, Waiting, WaitingItem,
};

/// A person whom a customer was handed to is thought to have ended after so long: no session lasts longer (doc/94669).
const LONGEST_SESSION: i64 = 48 * 3600 * 1000;

/// Counts a callback, unless it has been counted or a later one has.
pub(super) fn want(
    connection: &Connection,
    account: &KfAccountKey,
    token: Option<&str>,
    called_at: i64,
) -> Result<bool, rusqlite::Error> {
    let sql =
        "INSERT INTO kf_accounts (corp_id, app, open_kf_id, token, token_at, wanted) VALUES (?1, ?2, ?3, ?4, ?5, 1)
               ON CONFLICT DO UPDATE SET wanted = wanted + 1, token = coalesce(excluded.token, token),
                 token_at = CASE WHEN excluded.token IS NULL THEN token_at ELSE excluded.token_at END
               WHERE token IS NULL OR excluded.token_at > token_at OR excluded.token_at = token_at AND excluded.token IS NOT token";
    let values = params![account.corp_id, account.app, account.open_kf_id, token, called_at];
    Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
}

pub(super) fn accounts(connection: &Connection) -> Result<Vec<KfAccountKey>, rusqlite::Error> {
    let sql = "SELECT corp_id, app, open_kf_id FROM kf_accounts ORDER BY corp_id, app, open_kf_id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(KfAccountKey {
            corp_id: row.get(0)?,
            app: row.get(1)?,
            open_kf_id: row.get(2)?,
        })
    })?;
    rows.collect()
}

pub(super) fn progress(connection: &Connection, account: &KfAccountKey) -> Result<KfProgress, rusqlite::Error> {
    let sql = "SELECT cursor, token, token_at, wanted, done, complete FROM kf_accounts
               WHERE corp_id = ?1 AND app = ?2 AND open_kf_id = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(params![account.corp_id, account.app, account.open_kf_id], |row| {
        let token: Option<String> = row.get(1)?;
        let token_at: Option<i64> = row.get(2)?;
        Ok(KfProgress {
            cursor: row.get(0)?,
            token: token.zip(token_at.map(timestamp)),
            wanted: row.get(3)?,
            done: row.get(4)?,
            complete: row.get(5)?,
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

/// Takes the right to fetch an account, unless somebody else has it.
pub(super) fn claim_pull(
    connection: &Connection,
    account: &KfAccountKey,
    owner: &str,
) -> Result<Option<i64>, rusqlite::Error> {
    add_account(connection, account)?;
    let sql = "UPDATE kf_accounts SET owner = ?4, claim = claim + 1
               WHERE corp_id = ?1 AND app = ?2 AND open_kf_id = ?3 AND (owner IS NULL OR owner = ?4) RETURNING claim";
    let values = params![account.corp_id, account.app, account.open_kf_id, owner];
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row(values, |row| row.get(0)).optional()
}

pub(super) fn return_pull(connection: &Connection, account: &KfAccountKey, claim: i64) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE kf_accounts SET owner = NULL WHERE corp_id = ?1 AND app = ?2 AND open_kf_id = ?3 AND claim = ?4";
    let values = params![account.corp_id, account.app, account.open_kf_id, claim];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

fn add_account(connection: &Connection, account: &KfAccountKey) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO kf_accounts (corp_id, app, open_kf_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let values = params![account.corp_id, account.app, account.open_kf_id];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// Keeps a page and moves the cursor, unless somebody else has fetched in the meantime.
pub(super) fn keep_page(
    connection: &Connection,
    hashes: &Hashes,
    page: &KfPage,
) -> Result<Option<KeptPage>, rusqlite::Error> {
    if !move_cursor(connection, page)? {
        return Ok(None);
    }
    let mut kept = KeptPage::default();
    for item in &page.items {
        let fate = keep(connection, hashes, page, item, &mut kept.recalled)?;
        kept.fates.push(fate);
        failpoint!("mid_page");
    }
    failpoint!("before_cursor");
    Ok(Some(kept))
}

fn move_cursor(connection: &Connection, page: &KfPage) -> Result<bool, rusqlite::Error> {
    let KfAccountKey {
        corp_id,
        app,
        open_kf_id,
    } = &page.account;
    let sql = "UPDATE kf_accounts SET cursor = ?4, pulled_at = ?8, done = max(done, coalesce(?5, done)),
                 complete = complete OR ?5 IS NOT NULL
               WHERE corp_id = ?1 AND app = ?2 AND open_kf_id = ?3 AND cursor IS ?6 AND claim = ?7";
    let at = page.at.as_millisecond();
    let values = params![
        corp_id, app, open_kf_id, page.next, page.done, page.from, page.claim, at
    ];
    Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
}

/// Keeps one item and says what became of it. What came before, with an earlier page or in this one, has had its effect.
fn keep(
    connection: &Connection,
    hashes: &Hashes,
    page: &KfPage,
    fetched: &Fetched,
    recalled: &mut Vec<Recalled>,
) -> Result<&'static str, rusqlite::Error> {
    let account = &page.account;
    let person = hashes.customer(account, &fetched.customer);
    let fate = match &fetched.effect {
        // Who is only about to be handed over may still come back to the bot.
        Effect::Answer { .. } => match served_by(connection, &person, page.at.as_millisecond())? {
            ServedBy::Bot | ServedBy::Pool => None,
            ServedBy::Servicer => Some("human"),
        },
        Effect::Record(fate) => Some(*fate),
        Effect::Unreadable { .. } => Some("unreadable"),
        Effect::ServedBy(_) | Effect::Recalled { .. } | Effect::SendFailed { .. } => Some("noted"),
    };
    let item = match (&fetched.effect, fate) {
        (Effect::Answer { item }, None) | (Effect::Unreadable { item }, _) => Some(item),
        _ => None,
    };
    let sql = "INSERT INTO inbox (message, person, corp_id, app, open_kf_id, item, sent_at, received_at, fate)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (message) DO NOTHING";
    let values = params![
        hashes.kf_message(account, &fetched.key),
        person,
        account.corp_id,
        account.app,
        account.open_kf_id,
        item,
        fetched.sent_at.as_millisecond(),
        page.at.as_millisecond(),
        fate
    ];
    if connection.prepare_cached(sql)?.execute(values)? == 0 {
        return Ok("repeated");
    }
    match &fetched.effect {
        Effect::Answer { .. } | Effect::Record(_) | Effect::Unreadable { .. } => {}
        Effect::ServedBy(served_by) => {
            set_served_by(connection, &person, *served_by, fetched.sent_at.as_millisecond())?;
        }
        Effect::Recalled { key } => recalled.extend(recall(connection, hashes, page, key)?),
        Effect::SendFailed { send_id, reason } => fail_delivery(connection, send_id, *reason)?,
    }
    Ok(fate.unwrap_or("waiting"))
}

/// Takes a message back, if it still waits.
fn recall(
    connection: &Connection,
    hashes: &Hashes,
    page: &KfPage,
    key: &str,
) -> Result<Option<Recalled>, rusqlite::Error> {
    let sql =
        "UPDATE inbox SET fate = 'recalled', item = NULL WHERE message = ?1 AND fate IS NULL RETURNING received_at";
    let message = hashes.kf_message(&page.account, key);
    let mut statement = connection.prepare_cached(sql)?;
    let recalled = statement.query_row([message], |row| {
        Ok(Recalled {
            key: key.to_owned(),
            received_at: timestamp(row.get(0)?),
        })
    });
    recalled.optional()
}

/// Who talks with a customer at `now`.
fn served_by(connection: &Connection, person: &[u8], now: i64) -> Result<ServedBy, rusqlite::Error> {
    let sql = "SELECT served_by FROM customers WHERE person = ?1 AND served_from > ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let name: Option<String> = statement
        .query_row(params![person, now.saturating_sub(LONGEST_SESSION)], |row| row.get(0))
        .optional()?;
    Ok(name.and_then(|name| ServedBy::from_name(&name)).unwrap_or_default())
}

pub(super) fn set_served_by(
    connection: &Connection,
    person: &[u8],
    served_by: ServedBy,
    from: i64,
) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO customers (person, served_by, served_from) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET served_by = excluded.served_by, served_from = excluded.served_from";
    connection
        .prepare_cached(sql)?
        .execute(params![person, served_by.name(), from])
        .map(drop)
}

/// A message of an app that could not be answered.
pub(super) fn set_aside(
    connection: &Connection,
    (message, person): (&[u8], &[u8]),
    (corp_id, app): (&str, &str),
    now: i64,
    aside: &SetAside,
) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO inbox (message, person, corp_id, app, open_kf_id, item, sent_at, received_at, fate, reason, attempts)
               VALUES (?1, ?2, ?3, ?4, '', ?5, ?6, ?6, ?7, ?8, 1) ON CONFLICT (message) DO NOTHING";
    let fate = if aside.is_unreadable { "unreadable" } else { "failed" };
    let values = params![message, person, corp_id, app, aside.item, now, fate, aside.reason];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// A conversation with something that waits.
pub(super) struct Conversation {
    person: Vec<u8>,
    account: KfAccountKey,
    /// How often an answer has been begun, this time included.
    attempts: u32,
}

/// Takes conversations in which something waits: those with fresh messages first, and of these whoever has waited longest. What was begun
/// before without coming to an end is taken alone, so that nothing else is begun in vain with it. This is committed before any of it is
/// answered.
pub(super) fn claim_waiting(
    connection: &Connection,
    owner: &str,
    fresh_since: i64,
    most: u32,
) -> Result<Vec<Conversation>, rusqlite::Error> {
    let mut found: Vec<Conversation> = Vec::new();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let fresh = "INDEXED BY inbox_fresh WHERE fate IS NULL AND sent_at >= ?1";
    let others = "INDEXED BY inbox_in_order WHERE fate IS NULL AND sent_at < ?1";
    for rows in [fresh, others] {
        add_waiting(connection, rows, fresh_since, most, &mut found)?;
    }
    if found.iter().any(|conversation| conversation.attempts > 1) {
        found.sort_by_key(|conversation| std::cmp::Reverse(conversation.attempts));
        found.truncate(1);
    }
    let sql = "UPDATE inbox SET owner = ?2, attempts = attempts + 1 WHERE person = ?1 AND fate IS NULL";
    let mut statement = connection.prepare_cached(sql)?;
    for conversation in &found {
        statement.execute(params![conversation.person, owner])?;
    }
    Ok(found)
}

/// Adds the conversations of these rows, in their order, until there are `most`.
fn add_waiting(
    connection: &Connection,
    rows: &str,
    fresh_since: i64,
    most: usize,
    found: &mut Vec<Conversation>,
) -> Result<(), rusqlite::Error> {
    let sql = format!(
        "SELECT person, corp_id, app, open_kf_id, attempts FROM inbox {rows} AND owner IS NULL
           AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.person = inbox.person AND outbox.fate IS NULL
             AND api = 'kf/service_state/trans')
         ORDER BY id"
    );
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    for (place, conversation) in found.iter().enumerate() {
        known.insert(conversation.person.clone(), place);
    }
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([fresh_since])?;
    while let Some(row) = rows.next()? {
        let person: Vec<u8> = row.get(0)?;
        let attempts = row.get::<_, u32>(4)?.saturating_add(1);
        if let Some(conversation) = known.get(&person).and_then(|place| found.get_mut(*place)) {
            conversation.attempts = conversation.attempts.max(attempts);
            continue;
        }
        if found.len() >= most {
            break;
        }
        known.insert(person.clone(), found.len());
        let (corp_id, app, open_kf_id) = (row.get(1)?, row.get(2)?, row.get(3)?);
        let account = KfAccountKey {
            corp_id,
            app,
            open_kf_id,
        };
        found.push(Conversation {
            person,
            account,
            attempts,
        });
    }
    Ok(())
}

/// Answers conversations that were taken, and says what became of what waited. One that cannot be answered must not keep the others from it.
pub(super) fn answer(
    connection: &Statements<'_>,
    sessions: &Sessions,
    now: Timestamp,
    conversations: &[Conversation],
    answer: &mut (dyn FnMut(Waiting) -> Answered + Send),
) -> Result<Vec<SettledItem>, rusqlite::Error> {
    failpoint!("after_claim");
    let mut settled = Vec::new();
    for conversation in conversations {
        let answering = || answer_conversation(connection, sessions, now.as_millisecond(), conversation, &mut *answer);
        match in_savepoint(connection, "conversation", answering) {
            Ok(items) => settled.extend(items),
            // The disk is full or fails, and SQLite has taken back the whole transaction: it is no fault of this conversation.
            Err(_) if connection.is_autocommit() => {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
                    None,
                ));
            }
            Err(_) => {
                sessions.forget_known();
                settled.extend(give_up(connection, conversation)?);
            }
        }
        failpoint!("after_answer");
    }
    Ok(settled)
}

/// What waits of this conversation goes to the dead letters.
fn give_up(connection: &Connection, conversation: &Conversation) -> Result<Vec<SettledItem>, rusqlite::Error> {
    tracing::error!("an answer could not be stored; see `jiefeng messages list`");
    let waiting = waiting_items(connection, &conversation.person)?;
    let sql = "UPDATE inbox SET fate = 'failed', reason = 'its answer could not be stored', owner = NULL
               WHERE person = ?1 AND fate IS NULL AND owner IS NOT NULL";
    connection.prepare_cached(sql)?.execute([&conversation.person])?;
    let outcomes = vec![("failed", Duration::ZERO); waiting.len()];
    Ok(settled(conversation, waiting, outcomes))
}

/// What waited, as it is told.
fn settled(
    conversation: &Conversation,
    waiting: Vec<(i64, Vec<u8>, WaitingItem)>,
    outcomes: Vec<(&'static str, Duration)>,
) -> Vec<SettledItem> {
    let items = waiting.into_iter().map(|(_, _, item)| item);
    SettledItem::all(&conversation.account, items, outcomes).collect()
}

/// What waits, with the number and the hash of each.
fn waiting_items(connection: &Connection, person: &[u8]) -> Result<Vec<(i64, Vec<u8>, WaitingItem)>, rusqlite::Error> {
    let sql = "SELECT id, message, item, sent_at, received_at FROM inbox
               WHERE person = ?1 AND fate IS NULL AND owner IS NOT NULL ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([person], |row| {
        let item: Option<String> = row.get(2)?;
        let item = WaitingItem {
            item: item.unwrap_or_default(),
            sent_at: timestamp(row.get(3)?),
            received_at: timestamp(row.get(4)?),
        };
        Ok((row.get(0)?, row.get(1)?, item))
    })?;
    rows.collect()
}

/// Answers one of them, unless a person serves the customer, and says what became of what waited.
fn answer_conversation(
    connection: &Statements<'_>,
    sessions: &Sessions,
    now: i64,
    conversation: &Conversation,
    answer: &mut (dyn FnMut(Waiting) -> Answered + Send),
) -> Result<Vec<SettledItem>, rusqlite::Error> {
    let Conversation { person, account, .. } = conversation;
    let waiting = waiting_items(connection, person)?;
    if served_by(connection, person, now)? != ServedBy::Bot {
        for (id, _, _) in &waiting {
            settle(connection, *id, "human", "")?;
        }
        let outcomes = vec![("human", Duration::ZERO); waiting.len()];
        return Ok(settled(conversation, waiting, outcomes));
    }
    let answered = answer(Waiting {
        account: account.clone(),
        items: waiting.iter().map(|(_, _, item)| item.clone()).collect(),
        remembered: Remembered {
            session: sessions.load(connection, person, now)?,
            appeal: open_appeal(connection, person)?,
        },
        unsent: unsent_of(connection, person)?,
        attempts: conversation.attempts,
    });
    let outcomes = answered.outcomes(waiting.len());
    for ((id, _, _), (fate, _)) in waiting.iter().zip(&outcomes) {
        settle(connection, *id, fate, answered.reason)?;
    }
    let app = account.conversation_app();
    for (place, question) in &answered.questions {
        if let Some((_, message, item)) = waiting.get(*place) {
            let message = timed(item.sent_at.as_second(), message);
            save_question(connection, &message, person, (&account.corp_id, &app), question)?;
        }
    }
    let key = ConversationKey {
        corp_id: account.corp_id.clone(),
        app,
        user: answered.customer,
    };
    let step = answered.step;
    sessions.save(connection, person, now, step.session.as_deref())?;
    change_appeal(connection, person, &key, now, &step.appeal)?;
    if let (Some(rating), Some((_, message, _))) = (&step.rating, waiting.last()) {
        save_rating(connection, message, (&key.corp_id, &key.app), now, rating)?;
    }
    let said_at = waiting.iter().map(|(_, _, item)| item.sent_at.as_millisecond()).min();
    for send in &step.sends {
        add_send(connection, person, (None, said_at.unwrap_or(now)), send)?;
    }
    if let Some(served_by) = answered.served_by {
        set_served_by(connection, person, served_by, now)?;
    }
    Ok(settled(conversation, waiting, outcomes))
}

/// What was said is not kept any longer than it waits, unless it is a dead letter.
fn settle(connection: &Connection, id: i64, fate: &str, reason: &str) -> Result<(), rusqlite::Error> {
    let is_dead = matches!(fate, "failed" | "unreadable");
    let sql =
        "UPDATE inbox SET fate = ?2, owner = NULL, item = CASE WHEN ?3 THEN item END, reason = CASE WHEN ?3 THEN ?4 END
               WHERE id = ?1";
    connection
        .prepare_cached(sql)?
        .execute(params![id, fate, is_dead, reason])
        .map(drop)
}
