//! Who may use the admin console, who is signed in, and what was done there, in PostgreSQL.

use jiff::Timestamp;
use tokio_postgres::{Error, Row};

use super::pool::Transaction;
use super::values::{Value, values};
use super::{PostgresStore, timestamp};
use crate::store::console::purpose;
use crate::store::{
    AuditEntry, BoxFuture, ConsoleChange, ConsoleChanged, ConsoleCredentials, ConsoleRole, ConsoleSession,
    ConsoleStore, ConsoleUser, LinkPurpose, NumberedAuditEntry, StoreError, TokenHash,
};

type Changed = Result<ConsoleChanged, Error>;

/// The columns of a user, with what it signs in with behind them.
const USER: &str = "console_users.id, name, role, disabled, password IS NOT NULL, console_users.created_at, last_login_at, password, second_factor";

/// Changes of who may do what come one after the other, so that no two of them take away the last admin together. The number is anything
/// that nobody else uses.
const CHANGING: i64 = 0x6a69_6566_656e_6701;

impl ConsoleStore for PostgresStore {
    fn console_users(&self) -> BoxFuture<'_, Result<Vec<ConsoleUser>, StoreError>> {
        self.read(async |transaction| {
            let sql = format!("SELECT {USER} FROM console_users ORDER BY name COLLATE \"C\"");
            let rows = transaction.rows(&sql, Vec::new()).await?;
            rows.iter().map(user).collect()
        })
    }

    fn console_credentials(&self, name: String) -> BoxFuture<'_, Result<Option<ConsoleCredentials>, StoreError>> {
        self.read(async move |transaction| {
            let sql = format!("SELECT {USER} FROM console_users WHERE name = $1");
            let row = transaction.row_if_any(&sql, values![&name]).await?;
            let credentials = row.map(|row| {
                Ok(ConsoleCredentials {
                    user: user(&row)?,
                    password: row.try_get(7)?,
                    second_factor: row.try_get(8)?,
                })
            });
            credentials.transpose()
        })
    }

    fn console_session(&self, session: TokenHash) -> BoxFuture<'_, Result<Option<ConsoleSession>, StoreError>> {
        self.read(async move |transaction| {
            let sql = format!(
                "SELECT {USER}, console_sessions.created_at, seen_at FROM console_sessions
                 JOIN console_users ON console_users.id = user_id WHERE hash = $1 AND disabled = 0"
            );
            let row = transaction.row_if_any(&sql, values![session.as_slice()]).await?;
            let session = row.map(|row| {
                Ok(ConsoleSession {
                    user: user(&row)?,
                    created_at: timestamp(row.try_get(9)?),
                    seen_at: timestamp(row.try_get(10)?),
                })
            });
            session.transpose()
        })
    }

    fn touch_console_session(&self, session: TokenHash, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(async move |transaction| {
            let sql = "UPDATE console_sessions SET seen_at = greatest(seen_at, $2) WHERE hash = $1";
            let values = values![session.as_slice(), now.as_millisecond()];
            transaction.execute(sql, values).await.map(drop)
        })
    }

    fn console_link(&self, link: TokenHash, now: Timestamp) -> BoxFuture<'_, Result<Option<LinkPurpose>, StoreError>> {
        self.read(async move |transaction| link_purpose(transaction, &link, now.as_millisecond()).await)
    }

    fn change_console(
        &self,
        change: ConsoleChange,
        entry: AuditEntry,
    ) -> BoxFuture<'_, Result<ConsoleChanged, StoreError>> {
        self.submit(async move |transaction| {
            transaction
                .rows("SELECT pg_advisory_xact_lock($1)", values![CHANGING])
                .await?;
            transaction.script("SAVEPOINT console").await?;
            let changed = change_now(transaction, change, entry.at.as_millisecond()).await?;
            if changed == ConsoleChanged::Done && !has_admin_if_it_had(transaction).await? {
                transaction.script("ROLLBACK TO console").await?;
                return Ok(ConsoleChanged::LastAdmin);
            }
            if changed == ConsoleChanged::Done {
                note(transaction, &entry).await?;
            }
            Ok(changed)
        })
    }

    fn audit(&self, entry: AuditEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(async move |transaction| note(transaction, &entry).await)
    }

    fn audit_entries(
        &self,
        before: Option<i64>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<NumberedAuditEntry>, StoreError>> {
        self.read(async move |transaction| {
            let sql = "SELECT id, at, who, action, object FROM console_audit WHERE id < $1 ORDER BY id DESC LIMIT $2";
            let rows = transaction.rows(sql, values![before.unwrap_or(i64::MAX), most]).await?;
            let entries = rows.iter().map(|row| {
                Ok(NumberedAuditEntry {
                    id: row.try_get(0)?,
                    entry: AuditEntry {
                        at: timestamp(row.try_get(1)?),
                        who: row.try_get(2)?,
                        action: row.try_get(3)?,
                        object: row.try_get(4)?,
                    },
                })
            });
            entries.collect()
        })
    }
}

async fn change_now(transaction: Transaction<'_>, change: ConsoleChange, now: i64) -> Changed {
    match change {
        ConsoleChange::OfferFirstAdmin { link, until } => match has_admin(transaction).await? {
            true => Ok(ConsoleChanged::NotFound),
            false => offer(transaction, &link, None, until).await,
        },
        ConsoleChange::Invite {
            name,
            role,
            link,
            until,
        } => match insert_user(transaction, &name, role, now).await? {
            None => Ok(ConsoleChanged::NameTaken),
            Some(user) => offer(transaction, &link, Some(user), until).await,
        },
        ConsoleChange::OfferPassword { user, link, until } => {
            let sql = "UPDATE console_users SET disabled = disabled WHERE id = $1 AND disabled = 0";
            if run(transaction, sql, values![user]).await? == ConsoleChanged::NotFound {
                return Ok(ConsoleChanged::NotFound);
            }
            remove_links(transaction, user).await?;
            offer(transaction, &link, Some(user), until).await
        }
        ConsoleChange::UseLink {
            link,
            name,
            password,
            session,
        } => use_link(transaction, &link, (&name, &password), &session, now).await,
        ConsoleChange::SignIn {
            user,
            session,
            second_factor_step,
        } => sign_in(transaction, user, &session, second_factor_step, now).await,
        ConsoleChange::ChangePassword {
            user,
            password,
            session,
        } => {
            let sql = "DELETE FROM console_sessions WHERE user_id = $1 AND hash <> $2";
            run(transaction, sql, values![user, session.as_slice()]).await?;
            set_password(transaction, user, &password).await
        }
        ConsoleChange::SetSecondFactor {
            user,
            present_step,
            secret,
            session,
        } => {
            let (secret, step) = secret.unzip();
            let sql = "UPDATE console_users SET second_factor = $2, second_factor_step = $3
                       WHERE id = $1 AND (second_factor IS NULL OR coalesce(second_factor_step, 0) < $4)";
            let values = values![user, secret.as_deref(), step, present_step];
            if run(transaction, sql, values).await? == ConsoleChanged::NotFound {
                return Ok(ConsoleChanged::NotFound);
            }
            let sql = "DELETE FROM console_sessions WHERE user_id = $1 AND hash <> $2";
            run(transaction, sql, values![user, session.as_slice()]).await?;
            Ok(ConsoleChanged::Done)
        }
        ConsoleChange::SignOut { session } => {
            let sql = "DELETE FROM console_sessions WHERE hash = $1";
            run(transaction, sql, values![session.as_slice()]).await
        }
        ConsoleChange::SignOutEverywhere { user } => sign_out_everywhere(transaction, user).await,
        ConsoleChange::SetRole { user, role } => {
            sign_out_everywhere(transaction, user).await?;
            let sql = "UPDATE console_users SET role = $2 WHERE id = $1";
            run(transaction, sql, values![user, role.name()]).await
        }
        ConsoleChange::SetDisabled { user, is_disabled } => {
            sign_out_everywhere(transaction, user).await?;
            remove_links(transaction, user).await?;
            let sql = "UPDATE console_users SET disabled = $2 WHERE id = $1";
            run(transaction, sql, values![user, i64::from(is_disabled)]).await
        }
    }
}

/// Runs a statement; it is done when it changed something.
async fn run(transaction: Transaction<'_>, sql: &str, values: Vec<Value<'_>>) -> Changed {
    Ok(match transaction.execute(sql, values).await? {
        0 => ConsoleChanged::NotFound,
        _ => ConsoleChanged::Done,
    })
}

async fn insert_user(
    transaction: Transaction<'_>,
    name: &str,
    role: ConsoleRole,
    now: i64,
) -> Result<Option<i64>, Error> {
    let sql = "INSERT INTO console_users (name, role, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING
               RETURNING id";
    let row = transaction.row_if_any(sql, values![name, role.name(), now]).await?;
    row.map(|row| row.try_get(0)).transpose()
}

async fn offer(transaction: Transaction<'_>, link: &TokenHash, user: Option<i64>, until: Timestamp) -> Changed {
    let sql = "INSERT INTO console_links (hash, user_id, expires_at) VALUES ($1, $2, $3)";
    run(transaction, sql, values![link.as_slice(), user, until.as_millisecond()]).await
}

async fn remove_links(transaction: Transaction<'_>, user: i64) -> Changed {
    run(
        transaction,
        "DELETE FROM console_links WHERE user_id = $1",
        values![user],
    )
    .await
}

async fn use_link(
    transaction: Transaction<'_>,
    link: &TokenHash,
    (name, password): (&str, &str),
    session: &TokenHash,
    now: i64,
) -> Changed {
    let user = match link_purpose(transaction, link, now).await? {
        None => return Ok(ConsoleChanged::NotFound),
        Some(LinkPurpose::Password(user)) => user.id,
        Some(LinkPurpose::FirstAdmin) => match insert_user(transaction, name, ConsoleRole::Admin, now).await? {
            None => return Ok(ConsoleChanged::NameTaken),
            Some(user) => user,
        },
    };
    let sql = "DELETE FROM console_links WHERE hash = $1";
    run(transaction, sql, values![link.as_slice()]).await?;
    sign_out_everywhere(transaction, user).await?;
    set_password(transaction, user, password).await?;
    let sql = "UPDATE console_users SET second_factor = NULL, second_factor_step = NULL WHERE id = $1";
    run(transaction, sql, values![user]).await?;
    sign_in(transaction, user, session, None, now).await
}

async fn set_password(transaction: Transaction<'_>, user: i64, password: &str) -> Changed {
    let sql = "UPDATE console_users SET password = $2 WHERE id = $1";
    run(transaction, sql, values![user, password]).await
}

async fn sign_in(transaction: Transaction<'_>, user: i64, session: &TokenHash, step: Option<i64>, now: i64) -> Changed {
    let sql = "UPDATE console_users SET last_login_at = $2, second_factor_step = coalesce($3, second_factor_step)
               WHERE id = $1 AND disabled = 0 AND (second_factor IS NULL OR coalesce(second_factor_step, 0) < $3)";
    if run(transaction, sql, values![user, now, step]).await? == ConsoleChanged::NotFound {
        return Ok(ConsoleChanged::NotFound);
    }
    let sql = "INSERT INTO console_sessions (hash, user_id, created_at, seen_at) VALUES ($1, $2, $3, $3)";
    run(transaction, sql, values![session.as_slice(), user, now]).await
}

/// Done whether or not there is any.
async fn sign_out_everywhere(transaction: Transaction<'_>, user: i64) -> Changed {
    let sql = "DELETE FROM console_sessions WHERE user_id = $1";
    run(transaction, sql, values![user]).await?;
    Ok(ConsoleChanged::Done)
}

/// Whether somebody can sign in who may decide who may do what.
async fn has_admin(transaction: Transaction<'_>) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM console_users WHERE role = 'admin' AND disabled = 0 AND password IS NOT NULL LIMIT 1";
    Ok(transaction.row_if_any(sql, Vec::new()).await?.is_some())
}

/// Nobody with a password: there has not been an admin yet.
async fn has_admin_if_it_had(transaction: Transaction<'_>) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM console_users WHERE password IS NOT NULL LIMIT 1";
    Ok(has_admin(transaction).await? || transaction.row_if_any(sql, Vec::new()).await?.is_none())
}

async fn link_purpose(transaction: Transaction<'_>, link: &TokenHash, now: i64) -> Result<Option<LinkPurpose>, Error> {
    let sql = "SELECT user_id FROM console_links WHERE hash = $1 AND expires_at > $2";
    let found = transaction.row_if_any(sql, values![link.as_slice(), now]).await?;
    let Some(found) = found else { return Ok(None) };
    let Some(id): Option<i64> = found.try_get(0)? else {
        return Ok(match has_admin(transaction).await? {
            true => None,
            false => purpose(None),
        });
    };
    let sql = format!("SELECT {USER} FROM console_users WHERE id = $1");
    let found = transaction.row_if_any(&sql, values![id]).await?;
    let user = found.map(|row| user(&row)).transpose()?;
    Ok(user.and_then(|user| purpose(Some(user))))
}

fn user(row: &Row) -> Result<ConsoleUser, Error> {
    let (role, disabled, last_login_at): (&str, i64, Option<i64>) = (row.try_get(2)?, row.try_get(3)?, row.try_get(6)?);
    Ok(ConsoleUser {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        role: role.parse().unwrap_or(ConsoleRole::Viewer),
        is_disabled: disabled != 0,
        has_password: row.try_get(4)?,
        created_at: timestamp(row.try_get(5)?),
        last_login_at: last_login_at.map(timestamp),
        has_second_factor: row.try_get::<_, Option<&str>>(8)?.is_some(),
    })
}

pub(super) async fn note(transaction: Transaction<'_>, entry: &AuditEntry) -> Result<(), Error> {
    let sql = "INSERT INTO console_audit (at, who, action, object) VALUES ($1, $2, $3, $4)";
    let values = values![entry.at.as_millisecond(), &entry.who, &entry.action, &entry.object];
    transaction.execute(sql, values).await.map(drop)
}
