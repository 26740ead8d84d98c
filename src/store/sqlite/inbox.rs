//! Fetched messages of 微信客服, in SQLite: each is kept once, together with the cursor, and answered once, together with what to send.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::appeals::{change_appeal, open_appeal};
use super::outbox::{add_send, fail_delivery, unsent_of};
use super::sessions::Sessions;
use super::{in_savepoint, save_question, save_rating, timestamp};
use crate::store::hashes::Hashes;
use crate::store::{
    Answered, ConversationKey, Effect, Fetched, KfAccountKey, KfPage, KfProgress, Remembered, ServedBy, Waiting,
    WaitingItem,
};

/// A person whom a customer was handed to is thought to have ended after so long: no session lasts longer (doc/94669).
const LONGEST_SESSION: i64 = 48 * 3600 * 1000;

pub(super) fn want(
    connection: &Connection,
    account: &KfAccountKey,
    token: Option<&str>,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let sql =
        "INSERT INTO kf_accounts (corp_id, app, open_kf_id, token, token_at, wanted) VALUES (?1, ?2, ?3, ?4, ?5, 1)
               ON CONFLICT DO UPDATE SET wanted = wanted + 1, token = coalesce(excluded.token, token),
                 token_at = CASE WHEN excluded.token IS NULL THEN token_at ELSE excluded.token_at END";
    let values = params![account.corp_id, account.app, account.open_kf_id, token, now];
    connection.prepare_cached(sql)?.execute(values).map(drop)
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

/// Keeps a page and moves the cursor, unless somebody else has moved it.
pub(super) fn keep_page(connection: &Connection, hashes: &Hashes, page: &KfPage) -> Result<bool, rusqlite::Error> {
    if !move_cursor(connection, page)? {
        return Ok(false);
    }
    for item in &page.items {
        keep(connection, hashes, page, item)?;
    }
    Ok(true)
}

fn move_cursor(connection: &Connection, page: &KfPage) -> Result<bool, rusqlite::Error> {
    let KfAccountKey {
        corp_id,
        app,
        open_kf_id,
    } = &page.account;
    let sql = "INSERT INTO kf_accounts (corp_id, app, open_kf_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    connection
        .prepare_cached(sql)?
        .execute(params![corp_id, app, open_kf_id])?;
    let sql = "UPDATE kf_accounts SET cursor = ?4, done = max(done, coalesce(?5, done)), complete = complete OR ?5 IS NOT NULL
               WHERE corp_id = ?1 AND app = ?2 AND open_kf_id = ?3 AND cursor IS ?6";
    let values = params![corp_id, app, open_kf_id, page.next, page.done, page.from];
    Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
}

/// Keeps one item. What came before, with an earlier page or in this one, has had its effect.
fn keep(connection: &Connection, hashes: &Hashes, page: &KfPage, fetched: &Fetched) -> Result<(), rusqlite::Error> {
    let account = &page.account;
    let person = hashes.customer(account, &fetched.customer);
    let fate = match &fetched.effect {
        // Who is only about to be handed over may still come back to the bot.
        Effect::Answer { .. } => match served_by(connection, &person, page.at.as_millisecond())? {
            ServedBy::Bot | ServedBy::Pool => None,
            ServedBy::Servicer => Some("human"),
        },
        Effect::Record(fate) => Some(*fate),
        Effect::ServedBy(_) | Effect::Recalled { .. } | Effect::SendFailed { .. } => Some("noted"),
    };
    let item = match (&fetched.effect, fate) {
        (Effect::Answer { item }, None) => Some(item),
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
        return Ok(());
    }
    take_effect(connection, hashes, page, fetched, &person)
}

fn take_effect(
    connection: &Connection,
    hashes: &Hashes,
    page: &KfPage,
    fetched: &Fetched,
    person: &[u8],
) -> Result<(), rusqlite::Error> {
    match &fetched.effect {
        Effect::Answer { .. } | Effect::Record(_) => Ok(()),
        Effect::ServedBy(served_by) => set_served_by(connection, person, *served_by, fetched.sent_at.as_millisecond()),
        Effect::Recalled { key } => {
            let sql = "UPDATE inbox SET fate = 'recalled', item = NULL WHERE message = ?1 AND fate IS NULL";
            let message = hashes.kf_message(&page.account, key);
            connection.prepare_cached(sql)?.execute([message]).map(drop)
        }
        Effect::SendFailed { send_id, reason } => fail_delivery(connection, send_id, *reason),
    }
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

/// A conversation with something that waits.
struct Conversation {
    person: Vec<u8>,
    account: KfAccountKey,
}

/// Answers conversations in which something waits: those with fresh messages first, and of these whoever has waited longest.
pub(super) fn answer_waiting(
    connection: &Connection,
    sessions: Sessions,
    (now, fresh_since): (Timestamp, Timestamp),
    most: u32,
    answer: &mut (dyn FnMut(Waiting) -> Answered + Send),
) -> Result<u32, rusqlite::Error> {
    let conversations = waiting_conversations(connection, fresh_since.as_millisecond(), most)?;
    let count = u32::try_from(conversations.len()).unwrap_or(u32::MAX);
    for conversation in conversations {
        let answering = || answer_conversation(connection, sessions, now.as_millisecond(), &conversation, &mut *answer);
        if in_savepoint(connection, "conversation", answering).is_err() {
            set_aside(connection, &conversation.person)?;
        }
    }
    Ok(count)
}

fn waiting_conversations(
    connection: &Connection,
    fresh_since: i64,
    most: u32,
) -> Result<Vec<Conversation>, rusqlite::Error> {
    let sql = "SELECT person, corp_id, app, open_kf_id FROM inbox WHERE fate IS NULL
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.person = inbox.person AND outbox.fate IS NULL
                   AND api = 'kf/service_state/trans')
               GROUP BY person ORDER BY max(sent_at) < ?1, min(id) LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![fresh_since, most], |row| {
        Ok(Conversation {
            person: row.get(0)?,
            account: KfAccountKey {
                corp_id: row.get(1)?,
                app: row.get(2)?,
                open_kf_id: row.get(3)?,
            },
        })
    })?;
    rows.collect()
}

/// A conversation that cannot be answered must not keep the others from it.
fn set_aside(connection: &Connection, person: &[u8]) -> Result<(), rusqlite::Error> {
    tracing::error!("a conversation could not be answered and has been set aside");
    let sql = "UPDATE inbox SET fate = 'failed', item = NULL WHERE person = ?1 AND fate IS NULL";
    connection.prepare_cached(sql)?.execute([person]).map(drop)
}

/// What waits, with the number and the hash of each.
fn waiting_items(connection: &Connection, person: &[u8]) -> Result<Vec<(i64, Vec<u8>, WaitingItem)>, rusqlite::Error> {
    let sql = "SELECT id, message, item, sent_at FROM inbox WHERE person = ?1 AND fate IS NULL ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([person], |row| {
        let item: Option<String> = row.get(2)?;
        let item = WaitingItem {
            item: item.unwrap_or_default(),
            sent_at: timestamp(row.get(3)?),
        };
        Ok((row.get(0)?, row.get(1)?, item))
    })?;
    rows.collect()
}

fn answer_conversation(
    connection: &Connection,
    sessions: Sessions,
    now: i64,
    conversation: &Conversation,
    answer: &mut (dyn FnMut(Waiting) -> Answered + Send),
) -> Result<(), rusqlite::Error> {
    let Conversation { person, account } = conversation;
    let waiting = waiting_items(connection, person)?;
    if served_by(connection, person, now)? != ServedBy::Bot {
        return waiting
            .iter()
            .try_for_each(|(id, _, _)| settle(connection, *id, "human"));
    }
    let answered = answer(Waiting {
        account: account.clone(),
        items: waiting.iter().map(|(_, _, item)| item.clone()).collect(),
        remembered: Remembered {
            session: sessions.load(connection, person, now)?,
            appeal: open_appeal(connection, person)?,
        },
        unsent: unsent_of(connection, person)?,
    });
    let mut fates = answered.fates.iter();
    for (id, _, _) in &waiting {
        settle(connection, *id, fates.next().unwrap_or(&"answered"))?;
    }
    let app = account.conversation_app();
    for (place, question) in &answered.questions {
        if let Some((_, message, _)) = waiting.get(*place) {
            save_question(connection, message, person, (&account.corp_id, &app), question)?;
        }
    }
    let key = ConversationKey {
        corp_id: account.corp_id.clone(),
        app,
        user: answered.customer,
    };
    let step = answered.step;
    sessions.save(connection, person, now, step.session)?;
    change_appeal(connection, person, &key, now, &step.appeal)?;
    if let (Some(rating), Some((_, message, _))) = (&step.rating, waiting.last()) {
        save_rating(connection, message, (&key.corp_id, &key.app), now, rating)?;
    }
    for send in &step.sends {
        add_send(connection, person, None, send)?;
    }
    match answered.served_by {
        Some(served_by) => set_served_by(connection, person, served_by, now),
        None => Ok(()),
    }
}

/// What was said is not kept any longer than it waits.
fn settle(connection: &Connection, id: i64, fate: &str) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE inbox SET fate = ?2, item = NULL WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![id, fate]).map(drop)
}
