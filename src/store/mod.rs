//! Durable state: settled messages with their replies, sessions, followed appeals, the questions that were asked and what people
//! thought of the answers.
//!
//! One trait for all stores; `conformance` holds what every one must do.

mod address;
mod callbacks;
#[cfg(test)]
mod conformance;
mod console;
mod copying;
mod dead_letters;
mod delivery;
mod figures;
mod hashes;
mod instances;
mod outbreaks;
mod people;
mod postgres;
mod reading;
mod settings;
mod sqlite;
mod workshop;

use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::wecom::TokenStore;

pub use address::{AddressError, PostgresAddress, StoreAddress};
pub use callbacks::SeenCallbacks;
pub use console::{
    AuditEntry, ConsoleChange, ConsoleChanged, ConsoleCredentials, ConsoleRole, ConsoleSession, ConsoleStore,
    ConsoleUser, LinkPurpose, NoConsoleRole, NumberedAuditEntry, TokenHash,
};
pub use copying::{CopiedTable, CopyError, copy_store};
pub use dead_letters::{DeadLetter, DeadLetterId};
pub use delivery::{
    AnswerFunction, Answered, AnsweredBatch, ClaimedSend, DueReminder, Effect, Fetched, Instead, KeptPage,
    KfAccountKey, KfPage, KfProgress, NewSend, Recalled, SendClaim, SendResult, ServedBy, SettledItem, Urgency,
    Waiting, WaitingItem,
};
pub use figures::{AccountFigures, Figures};
pub use instances::{Beat, Instance, InstanceReport, TakenOver};
pub use outbreaks::{Outbreak, OutbreakStore};
pub use people::{PeopleStore, PersonAppeal, PersonMessage, PersonQuestion, PersonRecords};
pub use postgres::{OpenError as PostgresOpenError, PostgresSettings, PostgresStore};
pub use reading::{
    Counted, FoundQuestion, FoundQuestions, MICROS_CLASSES, MessageName, NoQuestionId, QuestionCount, QuestionCourse,
    QuestionId, QuestionSearch, ReadingStore, ReceivedCourse, SentCourse, UselessAnswer,
};
pub use settings::SettingsStore;
pub use sqlite::{BackupError, OpenError as SqliteOpenError, ReadError, SqliteStore, back_up};
pub use workshop::{FileChange, KnowledgeVersion, NewKnowledgeVersion, WholeVersion, WorkshopStore};

/// What a store gives back: something to wait for, whichever store it is.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Names a message of an app for all time; its repeated deliveries have the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageKey {
    /// The company.
    pub corp_id: String,
    /// The app's name in the configuration.
    pub app: String,
    /// What tells messages of this app apart.
    pub deduplication_key: String,
    /// When WeCom says that it was made, in Unix seconds: the same with every delivery. Keys of one time stand together in the store.
    pub created_at: i64,
    /// WeCom's number of the message; 0 where it has none. Keys of one second stand in this order, so that what comes together stands
    /// together at any rate.
    pub number: u64,
}

/// Names the conversation of one person with one app.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ConversationKey {
    /// The company.
    pub corp_id: String,
    /// The app's name in the configuration.
    pub app: String,
    /// The person, in one spelling. It is stored as a keyed hash; only a followed appeal keeps it as it is.
    pub user: String,
}

impl std::fmt::Debug for ConversationKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("ConversationKey");
        shown.field("corp_id", &self.corp_id).field("app", &self.app);
        shown.finish_non_exhaustive()
    }
}

/// What one step of a conversation leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// The conversation's new state; `None` forgets it.
    pub session: Option<String>,
    /// What to reply; `None` says nothing.
    pub reply: Option<String>,
    /// Names the knowledge that the reply was made of.
    pub knowledge_version: String,
    /// The question to keep for later analysis.
    pub question: Option<QuestionRecord>,
    /// What becomes of the person's appeal.
    pub appeal: AppealChange,
    /// What the person thought of the last answer.
    pub rating: Option<Rating>,
    /// What to send besides the reply.
    pub sends: Vec<NewSend>,
    /// Set when the message could not be answered: it goes to the dead letters.
    pub set_aside: Option<SetAside>,
}

/// A message that could not be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The message as it was received, to be answered when it is put back.
    pub item: String,
    /// Why, in a few constant words.
    pub reason: &'static str,
    /// Whether it could not even be read.
    pub is_unreadable: bool,
}

/// What is remembered of a person when a message arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The conversation's state, unless it has rested too long.
    pub session: Option<String>,
    /// The appeal that is being followed; it does not expire with the conversation.
    pub appeal: Option<String>,
}

/// What becomes of a person's followed appeal. There is one at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AppealChange {
    /// Nothing.
    #[default]
    Unchanged,
    /// It is followed from now on; an earlier one is forgotten.
    Opened(OpenedAppeal),
    /// It has ended. What it was and how it ended is kept without the person's id.
    Closed {
        /// `lifted` or `refused`.
        outcome: String,
    },
    /// It is removed without a trace.
    Forgotten,
}

/// An appeal to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedAppeal {
    /// Comes back in [`Remembered::appeal`].
    pub record: String,
    /// What becomes due.
    pub reminders: Vec<Reminder>,
}

/// Something that becomes due while an appeal is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// Business days after the day of submission.
    pub business_day: u8,
    /// When it is due.
    pub due: Timestamp,
}

/// An appeal on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedAppeal {
    /// Its number.
    pub id: i64,
    /// The company.
    pub corp_id: String,
    /// The app's name in the configuration.
    pub app: String,
    /// The person to remind; gone once the appeal is closed.
    pub user_id: Option<String>,
    /// As it was given to the store.
    pub record: String,
    /// Since when it is followed.
    pub opened_at: Timestamp,
    /// Since when it is closed.
    pub closed_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<String>,
    /// What is still due, in the order of time.
    pub reminders: Vec<Reminder>,
}

/// What somebody thought of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    /// Scenario id of the answer.
    pub scenario: String,
    /// `useful`, `useless` or `solved`.
    pub verdict: String,
    /// Names the knowledge and the matcher that answered.
    pub knowledge_version: String,
}

/// How often answers were rated in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatingCount {
    /// Scenario id of the answers.
    pub scenario: String,
    /// `useful`, `useless` or `solved`.
    pub verdict: String,
    /// How often.
    pub count: u64,
}

/// Makes a step of what is remembered. It runs inside the store's transaction, so it must be quick and must not wait.
pub type StepFunction = Box<dyn FnOnce(Remembered) -> Step + Send>;

/// How a message was settled, now or at an earlier delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What to reply.
    pub reply: Option<String>,
    /// When it was settled first.
    pub settled_at: Timestamp,
    /// Whether that was at an earlier delivery.
    pub repeated: bool,
    /// Whether something is now to be sent for it, beside the reply or in its place.
    pub has_sends: bool,
}

/// A question and how it was understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionRecord {
    /// When it was asked.
    pub asked_at: Timestamp,
    /// As it was written.
    pub text: String,
    /// `zh`, `zh-Hant` or `en`.
    pub language: String,
    /// `answer`, `ask_back`, `refuse`, `smalltalk` or `human`.
    pub decision: String,
    /// Scenario ids, best first.
    pub scenarios: Vec<String>,
    /// Probability that the first one is right.
    pub confidence: f32,
    /// Names the knowledge and the matcher that decided.
    pub knowledge_version: String,
    /// How long understanding and composing took, in microseconds.
    pub micros: u64,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Questions, ratings, appeals and what came to the callback addresses, in days.
    pub questions_days: u32,
}

/// Why the store could not do what it was asked to. The message names no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too much is waiting already.
    #[error("the store is overloaded")]
    Overloaded,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// The step function panicked; nothing was stored.
    #[error("a step panicked; nothing was stored")]
    Panicked,
    /// The database failed, with what it says.
    #[error("the database failed: {0}")]
    Database(String),
}

/// Durable state, access tokens included. Whatever a method reports as done survives a crash and a loss of power.
pub trait Store:
    TokenStore + ConsoleStore + ReadingStore + WorkshopStore + SettingsStore + PeopleStore + OutbreakStore
{
    /// Settles a message once: at its first delivery `step` is run on the conversation's state, and what it returns is stored in one
    /// transaction; at every further delivery the stored reply comes back and `step` is not run.
    fn settle(
        &self,
        key: MessageKey,
        conversation: ConversationKey,
        now: Timestamp,
        step: StepFunction,
    ) -> BoxFuture<'_, Result<Settlement, StoreError>>;

    /// Notes that an account has news, with what a callback of `called_at` brought for fetching it. `false`: this callback or a later one
    /// has been noted before, so that there is nothing to fetch for it.
    fn want_kf_messages(
        &self,
        account: KfAccountKey,
        token: Option<String>,
        called_at: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// The accounts that have ever had news.
    fn kf_accounts(&self) -> BoxFuture<'_, Result<Vec<KfAccountKey>, StoreError>>;

    /// How far an account has been fetched.
    fn kf_progress(&self, account: KfAccountKey) -> BoxFuture<'_, Result<KfProgress, StoreError>>;

    /// Takes the right to fetch an account's messages, unless another live process has it. Comes with a number that grows each time; it
    /// holds until it is given back, or until this process has been silent too long.
    fn claim_kf_pull(&self, account: KfAccountKey) -> BoxFuture<'_, Result<Option<i64>, StoreError>>;

    /// Gives the right back, if it is still the one of this number.
    fn return_kf_pull(&self, account: KfAccountKey, claim: i64) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Keeps a page: every item once, and the cursor, in one transaction. Comes with what became of it. Nothing comes, and nothing was kept,
    /// when somebody else has fetched or moved the cursor.
    fn keep_kf_page(&self, page: KfPage) -> BoxFuture<'_, Result<Option<KeptPage>, StoreError>>;

    /// Answers up to `most` conversations in which something waits, those with fresh messages first, and says what became of what waited:
    /// each message once, when that is durable. What is begun is counted before, and whoever has been begun in vain is answered alone.
    fn answer_waiting(
        &self,
        now: Timestamp,
        fresh_since: Timestamp,
        most: u32,
        answer: AnswerFunction,
    ) -> BoxFuture<'_, Result<AnsweredBatch, StoreError>>;

    /// Takes up to `most` messages that are due, in order for each person. They are ours until they are settled, or until this process
    /// has been silent too long. What goes by a paused way stays.
    fn claim_sends(
        &self,
        now: Timestamp,
        most: u32,
        paused: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<ClaimedSend>, StoreError>>;

    /// Says how the sending of a claimed message went. Nothing happens if it was taken over by another process in the meantime.
    fn settle_send(
        &self,
        claim: SendClaim,
        result: SendResult,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Reminders whose time has come, oldest first; of these apps, each named by its company and itself, and of their accounts.
    fn due_reminders(
        &self,
        now: Timestamp,
        apps: Vec<(String, String)>,
    ) -> BoxFuture<'_, Result<Vec<DueReminder>, StoreError>>;

    /// Takes a reminder off and puts what it says to be sent, in one transaction; nothing to send only takes it off.
    fn remind(&self, reminder: DueReminder, send: Option<NewSend>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Says that this process is alive and what it runs, and takes back what processes hold that are not. To be said every few seconds.
    fn beat(&self, report: InstanceReport) -> BoxFuture<'_, Result<Beat, StoreError>>;

    /// The live processes that use the store, the oldest first.
    fn instances(&self) -> BoxFuture<'_, Result<Vec<Instance>, StoreError>>;

    /// Asks all processes to look at the knowledge again; the number of the request.
    fn request_reload(&self) -> BoxFuture<'_, Result<i64, StoreError>>;

    /// Messages that could not be answered or sent, the newest first; `all`: also those that came too late or did not arrive.
    fn dead_letters(&self, all: bool, most: u32) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>>;

    /// One of them, with its content.
    fn dead_letter(&self, id: DeadLetterId) -> BoxFuture<'_, Result<Option<DeadLetter>, StoreError>>;

    /// Has it answered or sent after all, under the same id. `false`: there is no such dead letter, or its content is gone.
    fn requeue(&self, id: DeadLetterId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Forgets its content; it is listed no more. `false`: there is no such dead letter.
    fn discard(&self, id: DeadLetterId) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Notes requests to the callback addresses; what is alike is counted together.
    fn note_callbacks(&self, seen: Vec<SeenCallbacks>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// All requests to the callback addresses that are on record, the latest first.
    fn seen_callbacks(&self) -> BoxFuture<'_, Result<Vec<SeenCallbacks>, StoreError>>;

    /// What waits, for how long, and what is dead.
    fn figures(&self) -> BoxFuture<'_, Result<Figures, StoreError>>;

    /// A short name for what must not stand in a log itself: the same in all processes that use the store, and nothing can be told of it.
    fn pseudonym(&self, of: &str) -> String;

    /// All appeals on file, the newest first.
    fn appeals(&self) -> BoxFuture<'_, Result<Vec<TrackedAppeal>, StoreError>>;

    /// How answers were rated, by scenario and verdict.
    fn ratings(&self) -> BoxFuture<'_, Result<Vec<RatingCount>, StoreError>>;

    /// The question that came with a message, if it is kept.
    fn question(&self, key: MessageKey) -> BoxFuture<'_, Result<Option<QuestionRecord>, StoreError>>;

    /// Removes what has been kept long enough.
    fn purge(&self, now: Timestamp, retention: Retention) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Whether something can be made durable now.
    fn probe(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Finishes what is waiting and takes nothing more.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
