//! What is on file about one person: to be given to them, and to be erased.

use jiff::Timestamp;
use serde::Serialize;

use super::{AuditEntry, BoxFuture, ConversationKey, QuestionRecord, StoreError};

/// What stands in place of a person's hash in rows that have to stay: they keep a message from being answered twice.
pub(super) const NOBODY: [u8; 32] = [0; 32];

/// What was to be sent or answered and was erased.
pub(super) const ERASED: &str = "erased";

/// Where somebody has ever been heard: companies, and apps or their accounts.
pub(super) const CONVERSATION_APPS: &str = "SELECT corp_id, app FROM questions UNION SELECT corp_id, app FROM appeals
     UNION SELECT corp_id, CASE open_kf_id WHEN '' THEN app ELSE app || '/' || open_kf_id END FROM inbox";

/// Everything on file about one person in one conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PersonRecords {
    /// What was asked, the oldest first.
    pub questions: Vec<PersonQuestion>,
    /// The conversation's state, until it has rested too long.
    pub session: Option<String>,
    /// Appeals that were followed.
    pub appeals: Vec<PersonAppeal>,
    /// What was received and waits for an answer, or got none.
    pub received: Vec<PersonMessage>,
    /// What was to be sent.
    pub sent: Vec<PersonMessage>,
}

/// A question of a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PersonQuestion {
    /// The question, and how it was understood.
    pub question: QuestionRecord,
    /// What was replied, while that is on file.
    pub reply: Option<String>,
}

/// An appeal of a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PersonAppeal {
    /// What it is about.
    pub record: String,
    /// Since when it is followed.
    pub opened_at: Timestamp,
    /// Since when it is closed.
    pub closed_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<String>,
}

/// A message of a person, or to them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PersonMessage {
    /// When it was received, or is to be sent or was.
    pub at: Timestamp,
    /// What it says, while that is on file.
    pub content: Option<String>,
    /// What became of it; `None`: it waits.
    pub fate: Option<String>,
}

impl PersonRecords {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The rights of the people whose messages are on file.
pub trait PeopleStore: Send + Sync {
    /// Everything about the person of a conversation. Ratings are linked to nobody, nor is a reply without a question.
    fn person_records(&self, person: ConversationKey) -> BoxFuture<'_, Result<PersonRecords, StoreError>>;

    /// The companies and apps, or accounts of apps, of whom anything is on file, whether or not they are still configured.
    fn conversation_apps(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, StoreError>>;

    /// Erases it. What keeps a message from being answered twice stays without the person, as does who serves a customer now. What is noted
    /// in the audit log is noted with it.
    fn erase_person(&self, people: Vec<ConversationKey>, entry: AuditEntry) -> BoxFuture<'_, Result<(), StoreError>>;
}
