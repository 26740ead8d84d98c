//! What the admin console keeps: who may use it, who is signed in, and what was done there. What it reads is in [`super::reading`].

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::{BoxFuture, StoreError};

/// What somebody may do in the console. Whoever may do more may do everything that those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsoleRole {
    /// Sees figures, and messages without what names people.
    Viewer,
    /// Also changes the knowledge and deals with dead letters.
    Editor,
    /// Also decides who may do what, sees what is masked, and reads the audit log.
    Admin,
}

impl ConsoleRole {
    /// Every role, from the one that may do least.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Editor, Self::Admin];

    /// As it is stored and sent by forms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for ConsoleRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Not the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no role; they are viewer, editor and admin")]
pub struct NoConsoleRole;

impl FromStr for ConsoleRole {
    type Err = NoConsoleRole;

    fn from_str(text: &str) -> Result<Self, NoConsoleRole> {
        let named = |role: &Self| role.name() == text;
        Self::ALL.into_iter().find(named).ok_or(NoConsoleRole)
    }
}

/// Hash of a random token of 256 bits: of a session's cookie, or of a link that works once. The token itself is stored nowhere.
pub type TokenHash = [u8; 32];

/// Somebody who may use the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleUser {
    /// Its number.
    pub id: i64,
    /// What it signs in with, in its one spelling.
    pub name: String,
    /// What it may do.
    pub role: ConsoleRole,
    /// Whether it may not sign in any more.
    pub is_disabled: bool,
    /// Whether it has chosen a password.
    pub has_password: bool,
    /// Whether it also needs a one-time code to sign in.
    pub has_second_factor: bool,
    /// Since when there is this user.
    pub created_at: Timestamp,
    /// When it signed in last.
    pub last_login_at: Option<Timestamp>,
}

/// A user and what its password is checked against.
#[derive(Clone)]
pub struct ConsoleCredentials {
    /// Who.
    pub user: ConsoleUser,
    /// Argon2id hash of the password, as a PHC string.
    pub password: Option<String>,
    /// Secret of the one-time codes that it also needs, in base32.
    pub second_factor: Option<String>,
}

/// A user who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleSession {
    /// Who.
    pub user: ConsoleUser,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it was last noted to have done something.
    pub seen_at: Timestamp,
}

/// What a link that works once is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// To make the first admin.
    FirstAdmin,
    /// To choose a password for this user.
    Password(ConsoleUser),
}

impl LinkPurpose {
    /// For whose password it is.
    pub fn user(&self) -> Option<&ConsoleUser> {
        match self {
            Self::FirstAdmin => None,
            Self::Password(user) => Some(user),
        }
    }
}

/// Something that was done in the console, for its audit log. No secret and nothing that employees wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The name of who did it; empty: nobody who is known.
    pub who: String,
    /// What: a constant word.
    pub action: String,
    /// To what: a name or a number.
    pub object: String,
}

/// An entry on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedAuditEntry {
    /// Grows with every entry.
    pub id: i64,
    /// What was done.
    pub entry: AuditEntry,
}

/// A change of who may use the console or is signed in.
#[derive(Clone)]
pub enum ConsoleChange {
    /// A link that makes the first admin.
    OfferFirstAdmin {
        /// Of the link.
        link: TokenHash,
        /// Until when it works.
        until: Timestamp,
    },
    /// A new user, who is to choose a password.
    Invite {
        /// Its name.
        name: String,
        /// What it may do.
        role: ConsoleRole,
        /// Of the link for the password.
        link: TokenHash,
        /// Until when it works.
        until: Timestamp,
    },
    /// A link for a new password. Links that were made for this user before work no more; the password before still does.
    OfferPassword {
        /// Whose.
        user: i64,
        /// Of the link.
        link: TokenHash,
        /// Until when it works.
        until: Timestamp,
    },
    /// The link is used: the first admin is made under this name, or the user whose it is has a new password and needs no one-time codes any
    /// more (the phone may be lost). Whoever was signed in as this user is so no more.
    UseLink {
        /// Of the link.
        link: TokenHash,
        /// The first admin's name.
        name: String,
        /// Hash of the password.
        password: String,
        /// Of the session that begins.
        session: TokenHash,
    },
    /// Somebody signs in. Whoever needs a one-time code cannot without one, and with each only once.
    SignIn {
        /// Who.
        user: i64,
        /// Of the session that begins.
        session: TokenHash,
        /// The step of the one-time code that was given.
        second_factor_step: Option<i64>,
    },
    /// Somebody chooses another password; this session goes on, all others of the user end.
    ChangePassword {
        /// Who.
        user: i64,
        /// Hash of the password.
        password: String,
        /// Of the session that goes on.
        session: TokenHash,
    },
    /// Somebody needs one-time codes from now on, or no more; all other sessions of the user end. Whoever needs them already has to give
    /// one for it.
    SetSecondFactor {
        /// Who.
        user: i64,
        /// The step of the one-time code that was given.
        present_step: Option<i64>,
        /// Secret of the codes in base32, and the step of the one that was given; `None`: no codes any more.
        secret: Option<(String, i64)>,
        /// Of the session that goes on.
        session: TokenHash,
    },
    /// A session ends.
    SignOut {
        /// Of the session.
        session: TokenHash,
    },
    /// All sessions of a user end.
    SignOutEverywhere {
        /// Whose.
        user: i64,
    },
    /// A user may do something else from now on; its sessions end.
    SetRole {
        /// Whose.
        user: i64,
        /// What it may do.
        role: ConsoleRole,
    },
    /// A user may not sign in any more, or may again; its sessions and links end.
    SetDisabled {
        /// Who.
        user: i64,
        /// Whether it may not.
        is_disabled: bool,
    },
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleChanged {
    /// It is made, and in the audit log.
    Done,
    /// There is no such user, session or link (any more).
    NotFound,
    /// Somebody has this name already.
    NameTaken,
    /// Nobody would be left who may decide who may do what.
    LastAdmin,
}

/// State of the admin console.
pub trait ConsoleStore: Send + Sync {
    /// Everybody who may use the console or might once, by name.
    fn console_users(&self) -> BoxFuture<'_, Result<Vec<ConsoleUser>, StoreError>>;

    /// The user of this name, with what its password is checked against.
    fn console_credentials(&self, name: String) -> BoxFuture<'_, Result<Option<ConsoleCredentials>, StoreError>>;

    /// Who is signed in with this token, however long ago.
    fn console_session(&self, session: TokenHash) -> BoxFuture<'_, Result<Option<ConsoleSession>, StoreError>>;

    /// Notes that a session has been used.
    fn touch_console_session(&self, session: TokenHash, now: Timestamp) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What a link is for, while it works.
    fn console_link(&self, link: TokenHash, now: Timestamp) -> BoxFuture<'_, Result<Option<LinkPurpose>, StoreError>>;

    /// Makes a change and notes it in the audit log, in one transaction. What comes to nothing is not noted.
    fn change_console(
        &self,
        change: ConsoleChange,
        entry: AuditEntry,
    ) -> BoxFuture<'_, Result<ConsoleChanged, StoreError>>;

    /// Notes something in the audit log.
    fn audit(&self, entry: AuditEntry) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The audit log, the newest first; of entries older than `before`, if it is given.
    fn audit_entries(
        &self,
        before: Option<i64>,
        most: u32,
    ) -> BoxFuture<'_, Result<Vec<NumberedAuditEntry>, StoreError>>;
}

/// What a link is for, of the user that it names, if it names one.
pub(super) fn purpose(user: Option<ConsoleUser>) -> Option<LinkPurpose> {
    match user {
        None => Some(LinkPurpose::FirstAdmin),
        Some(user) if user.is_disabled => None,
        Some(user) => Some(LinkPurpose::Password(user)),
    }
}
