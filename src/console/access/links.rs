//! Links that work once: for the first admin, for whoever is invited, for a new password.

use jiff::{SignedDuration, Timestamp};

use super::passwords::name_of;
use super::tokens::new_token;
use crate::store::{AuditEntry, ConsoleChange, ConsoleChanged, Store, StoreError, TokenHash};

/// How long a link works, in hours.
pub const LINK_HOURS: i64 = 24;

/// Who did what a command did, in the audit log.
const COMMAND: &str = "(command line)";

/// A link to make the first admin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstLink {
    /// There is an admin already.
    NotNeeded,
    /// The path of the link, with its token; to be shown to the admin alone.
    Path(String),
}

/// A token for a link, its hash, and until when it works. `None`: this machine has no random numbers.
pub(in crate::console) fn new_link(now: Timestamp) -> Option<(String, TokenHash, Timestamp)> {
    let (token, hash) = new_token()?;
    let until = now.checked_add(SignedDuration::from_hours(LINK_HOURS)).ok()?;
    Some((token, hash, until))
}

pub(in crate::console) fn path_of_link(token: &str) -> String {
    format!("{}/link/{token}", crate::console::ROOT)
}

/// Makes a link for the first admin, unless there is one.
///
/// # Errors
///
/// What keeps the store from noting it.
pub async fn first_link(store: &dyn Store) -> Result<FirstLink, StoreError> {
    let now = Timestamp::now();
    let (token, link, until) = new_link(now).ok_or_else(no_random_numbers)?;
    let change = ConsoleChange::OfferFirstAdmin { link, until };
    match store.change_console(change, by_command(now, "link", "")).await? {
        ConsoleChanged::Done => Ok(FirstLink::Path(path_of_link(&token))),
        _ => Ok(FirstLink::NotNeeded),
    }
}

/// Makes a link for a new password of this user; `None`: there is no such user who may sign in.
///
/// # Errors
///
/// What keeps the store from noting it.
pub async fn password_link(store: &dyn Store, name: &str) -> Result<Option<String>, StoreError> {
    let Some(name) = name_of(name) else { return Ok(None) };
    let Some(found) = store.console_credentials(name.clone()).await? else {
        return Ok(None);
    };
    let now = Timestamp::now();
    let (token, link, until) = new_link(now).ok_or_else(no_random_numbers)?;
    let user = found.user.id;
    let change = ConsoleChange::OfferPassword { user, link, until };
    match store.change_console(change, by_command(now, "reset", &name)).await? {
        ConsoleChanged::Done => Ok(Some(path_of_link(&token))),
        _ => Ok(None),
    }
}

fn by_command(at: Timestamp, action: &str, object: &str) -> AuditEntry {
    AuditEntry {
        at,
        who: COMMAND.to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
    }
}

fn no_random_numbers() -> StoreError {
    StoreError::Database("this machine has no random numbers".to_owned())
}
