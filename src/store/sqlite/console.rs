//! Who may use the admin console, who is signed in, and what was done there, in SQLite.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{SqliteStore, timestamp};
use crate::store::console::purpose;
use crate::store::{
    AuditEntry, BoxFuture, ConsoleChange, ConsoleChanged, ConsoleCredentials, ConsoleRole, ConsoleSession,
    ConsoleStore, ConsoleUser, LinkPurpose, NumberedAuditEntry, StoreError, TokenHash,
};

type Changed = Result<ConsoleChanged, rusqlite::Error>;

/// The columns of a user, with what it signs in with behind them.
const USER: &str = "console_users.id, name, role, disabled, password IS NOT NULL, console_users.created_at, last_login_at, password, second_factor";

impl ConsoleStore for SqliteStore {
    fn console_users(&self) -> BoxFuture<'_, Result<Vec<ConsoleUser>, StoreError>> {
        self.reads.read(|connection| {
            let sql = format!("SELECT {USER} FROM console_users ORDER BY name");
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map([], user)?.collect()
        })
    }

    fn console_credentials(&self, name: String) -> BoxFuture<'_, Result<Option<ConsoleCredentials>, StoreError>> {
        self.reads.read(move |connection| {
            let sql = format!("SELECT {USER} FROM console_users WHERE name = ?1");
            let found = connection.prepare_cached(&sql)?.query_row([name], |row| {
                Ok(ConsoleCredentials {
                    user: user(row)?,
                    password: row.get(7)?,
                    second_factor: row.get(8)?,
                })
            });
            found.optional()
        })
    }

    fn console_session(&self, session: TokenHash) -> BoxFuture<'_, Result<Option<ConsoleSession>, StoreError>> {
        self.reads.read(move |connection| {
            let sql = format!(
                "SELECT {USER}, console_sessions.created_at, seen_at FROM console_sessions
                 JOIN console_users ON console_users.id = user_id WHERE hash = ?1 AND disabled = 0"
            );
            let found = connection.prepare_cached(&sql)?.query_row([session], |row| {
                Ok(ConsoleSession {
                    user: user(row)?,
                    created_at: timestamp(row.get(9)?),
                    seen_at: timestamp(row.get(10)?),
                })
            });
            found.optional()
        })
    }

    fn touch_console_session(&self, session: TokenHash, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| {
            let sql = "UPDATE console_sessions SET seen_at = max(seen_at, ?2) WHERE hash = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            statement.execute(params![session, now.as_millisecond()]).map(drop)
        })
    }

    fn console_link(&self, link: TokenHash, now: Timestamp) -> BoxFuture<'_, Result<Option<LinkPurpose>, StoreError>> {
        self.reads
            .read(move |connection| link_purpose(connection, &link, now.as_millisecond()))
    }

    fn change_console(
        &self,
        change: ConsoleChange,
        entry: AuditEntry,
    ) -> BoxFuture<'_, Result<ConsoleChanged, StoreError>> {
        self.submit(move |connection| {
            let now = entry.at.as_millisecond();
            connection.execute_batch("SAVEPOINT console")?;
            let changed = change_now(connection, change, now)?;
            if changed == ConsoleChanged::Done && !has_admin_if_it_had(connection)? {
                connection.execute_batch("ROLLBACK TO console; RELEASE console")?;
                return Ok(ConsoleChanged::LastAdmin);
            }
            connection.execute_batch("RELEASE console")?;
            if changed == ConsoleChanged::Done {
                note(connection, &entry)?;
            }
            Ok(changed)
        })
    }

    fn audit(&self, entry: AuditEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        self.submit(move |connection| note(connection, &entry))
    }

    fn audit_entries(
        &self,
        before: Option<i64>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<NumberedAuditEntry>, StoreError>> {
        self.reads.read(move |connection| {
            let sql = "SELECT id, at, who, action, object FROM console_audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let entries = statement.query_map(params![before.unwrap_or(i64::MAX), most], |row| {
                Ok(NumberedAuditEntry {
                    id: row.get(0)?,
                    entry: AuditEntry {
                        at: timestamp(row.get(1)?),
                        who: row.get(2)?,
                        action: row.get(3)?,
                        object: row.get(4)?,
                    },
                })
            })?;
            entries.collect()
        })
    }
}

fn change_now(connection: &Connection, change: ConsoleChange, now: i64) -> Changed {
    match change {
        ConsoleChange::OfferFirstAdmin { link, until } => match has_admin(connection)? {
            true => Ok(ConsoleChanged::NotFound),
            false => offer(connection, link, None, until),
        },
        ConsoleChange::Invite {
            name,
            role,
            link,
            until,
        } => {
            let sql =
                "INSERT INTO console_users (name, role, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING";
            if run(connection, sql, params![name, role.name(), now])? == ConsoleChanged::NotFound {
                return Ok(ConsoleChanged::NameTaken);
            }
            offer(connection, link, Some(connection.last_insert_rowid()), until)
        }
        ConsoleChange::OfferPassword { user, link, until } => {
            let sql = "UPDATE console_users SET disabled = disabled WHERE id = ?1 AND disabled = 0";
            if run(connection, sql, [user])? == ConsoleChanged::NotFound {
                return Ok(ConsoleChanged::NotFound);
            }
            run(connection, "DELETE FROM console_links WHERE user_id = ?1", [user])?;
            offer(connection, link, Some(user), until)
        }
        ConsoleChange::UseLink {
            link,
            name,
            password,
            session,
        } => use_link(connection, &link, (&name, &password), session, now),
        ConsoleChange::SignIn {
            user,
            session,
            second_factor_step,
        } => sign_in(connection, user, session, second_factor_step, now),
        ConsoleChange::ChangePassword {
            user,
            password,
            session,
        } => {
            let sql = "DELETE FROM console_sessions WHERE user_id = ?1 AND hash <> ?2";
            run(connection, sql, params![user, session])?;
            set_password(connection, user, &password)
        }
        ConsoleChange::SetSecondFactor {
            user,
            present_step,
            secret,
            session,
        } => {
            let (secret, step) = secret.unzip();
            let sql = "UPDATE console_users SET second_factor = ?2, second_factor_step = ?3
                       WHERE id = ?1 AND (second_factor IS NULL OR coalesce(second_factor_step, 0) < ?4)";
            if run(connection, sql, params![user, secret, step, present_step])? == ConsoleChanged::NotFound {
                return Ok(ConsoleChanged::NotFound);
            }
            let sql = "DELETE FROM console_sessions WHERE user_id = ?1 AND hash <> ?2";
            run(connection, sql, params![user, session])?;
            Ok(ConsoleChanged::Done)
        }
        ConsoleChange::SignOut { session } => {
            run(connection, "DELETE FROM console_sessions WHERE hash = ?1", [session])
        }
        ConsoleChange::SignOutEverywhere { user } => sign_out_everywhere(connection, user),
        ConsoleChange::SetRole { user, role } => {
            sign_out_everywhere(connection, user)?;
            let sql = "UPDATE console_users SET role = ?2 WHERE id = ?1";
            run(connection, sql, params![user, role.name()])
        }
        ConsoleChange::SetDisabled { user, is_disabled } => {
            sign_out_everywhere(connection, user)?;
            run(connection, "DELETE FROM console_links WHERE user_id = ?1", [user])?;
            let sql = "UPDATE console_users SET disabled = ?2 WHERE id = ?1";
            run(connection, sql, params![user, is_disabled])
        }
    }
}

/// Runs a statement; it is done when it changed something.
fn run(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Changed {
    Ok(match connection.prepare_cached(sql)?.execute(values)? {
        0 => ConsoleChanged::NotFound,
        _ => ConsoleChanged::Done,
    })
}

fn offer(connection: &Connection, link: TokenHash, user: Option<i64>, until: Timestamp) -> Changed {
    let sql = "INSERT INTO console_links (hash, user_id, expires_at) VALUES (?1, ?2, ?3)";
    run(connection, sql, params![link, user, until.as_millisecond()])
}

fn use_link(
    connection: &Connection,
    link: &TokenHash,
    (name, password): (&str, &str),
    session: TokenHash,
    now: i64,
) -> Changed {
    let user = match link_purpose(connection, link, now)? {
        None => return Ok(ConsoleChanged::NotFound),
        Some(LinkPurpose::Password(user)) => user.id,
        Some(LinkPurpose::FirstAdmin) => {
            let sql = "INSERT INTO console_users (name, role, created_at) VALUES (?1, 'admin', ?2) ON CONFLICT (name) DO NOTHING";
            if run(connection, sql, params![name, now])? == ConsoleChanged::NotFound {
                return Ok(ConsoleChanged::NameTaken);
            }
            connection.last_insert_rowid()
        }
    };
    run(connection, "DELETE FROM console_links WHERE hash = ?1", [link])?;
    sign_out_everywhere(connection, user)?;
    set_password(connection, user, password)?;
    let sql = "UPDATE console_users SET second_factor = NULL, second_factor_step = NULL WHERE id = ?1";
    run(connection, sql, [user])?;
    sign_in(connection, user, session, None, now)
}

fn set_password(connection: &Connection, user: i64, password: &str) -> Changed {
    let sql = "UPDATE console_users SET password = ?2 WHERE id = ?1";
    run(connection, sql, params![user, password])
}

fn sign_in(connection: &Connection, user: i64, session: TokenHash, step: Option<i64>, now: i64) -> Changed {
    let sql = "UPDATE console_users SET last_login_at = ?2, second_factor_step = coalesce(?3, second_factor_step)
               WHERE id = ?1 AND disabled = 0 AND (second_factor IS NULL OR coalesce(second_factor_step, 0) < ?3)";
    if run(connection, sql, params![user, now, step])? == ConsoleChanged::NotFound {
        return Ok(ConsoleChanged::NotFound);
    }
    let sql = "INSERT INTO console_sessions (hash, user_id, created_at, seen_at) VALUES (?1, ?2, ?3, ?3)";
    run(connection, sql, params![session, user, now])
}

/// Done whether or not there is any.
fn sign_out_everywhere(connection: &Connection, user: i64) -> Changed {
    run(connection, "DELETE FROM console_sessions WHERE user_id = ?1", [user])?;
    Ok(ConsoleChanged::Done)
}

/// Whether somebody can sign in who may decide who may do what.
fn has_admin(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let sql = "SELECT 1 FROM console_users WHERE role = 'admin' AND disabled = 0 AND password IS NOT NULL";
    connection.prepare_cached(sql)?.exists([])
}

/// Nobody with a password: there has not been an admin yet.
fn has_admin_if_it_had(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let sql = "SELECT 1 FROM console_users WHERE password IS NOT NULL";
    Ok(has_admin(connection)? || !connection.prepare_cached(sql)?.exists([])?)
}

fn link_purpose(connection: &Connection, link: &TokenHash, now: i64) -> Result<Option<LinkPurpose>, rusqlite::Error> {
    let sql = "SELECT user_id FROM console_links WHERE hash = ?1 AND expires_at > ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found: Option<Option<i64>> = statement.query_row(params![link, now], |row| row.get(0)).optional()?;
    match found {
        None => Ok(None),
        Some(None) if has_admin(connection)? => Ok(None),
        Some(None) => Ok(purpose(None)),
        Some(Some(id)) => {
            let sql = format!("SELECT {USER} FROM console_users WHERE id = ?1");
            let found = connection.prepare_cached(&sql)?.query_row([id], user).optional()?;
            Ok(found.and_then(|user| purpose(Some(user))))
        }
    }
}

fn user(row: &Row<'_>) -> Result<ConsoleUser, rusqlite::Error> {
    let (role, last_login_at): (String, Option<i64>) = (row.get(2)?, row.get(6)?);
    Ok(ConsoleUser {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role.parse().unwrap_or(ConsoleRole::Viewer),
        is_disabled: row.get(3)?,
        has_password: row.get(4)?,
        created_at: timestamp(row.get(5)?),
        last_login_at: last_login_at.map(timestamp),
        has_second_factor: row.get_ref(8)? != rusqlite::types::ValueRef::Null,
    })
}

pub(super) fn note(connection: &Connection, entry: &AuditEntry) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO console_audit (at, who, action, object) VALUES (?1, ?2, ?3, ?4)";
    let values = params![entry.at.as_millisecond(), entry.who, entry.action, entry.object];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}
