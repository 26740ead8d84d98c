//! What is fetched and what is to be sent: the records of inbox and outbox.

use std::time::Duration;

use jiff::Timestamp;

use super::{QuestionRecord, Remembered, Step};

/// For so long after the first try a message of the app that WeCom may or may not have taken is sent again. WeCom swallows the same message
/// for half an hour (doc/90236), counted by its own clock from when it took it. In milliseconds, as times are in a store.
pub(super) const SWALLOWED_FOR: i64 = 25 * 60 * 1000;

/// SQL for a message of the app that WeCom swallows for that long. A card it refuses for ever, by its number.
pub(super) const IS_SWALLOWED: &str =
    "api = 'message/send' AND body LIKE '%\"enable_duplicate_check\"%' AND body NOT LIKE '%\"task_id\"%'";

/// Names an account of 微信客服 as one app sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KfAccountKey {
    /// The company.
    pub corp_id: String,
    /// The app's name in the configuration.
    pub app: String,
    /// The account.
    pub open_kf_id: String,
}

impl KfAccountKey {
    /// What stands for the app in the keys of messages and conversations: customers of two accounts are two conversations. Without an
    /// account it is the app itself.
    pub fn conversation_app(&self) -> String {
        match self.open_kf_id.is_empty() {
            true => self.app.clone(),
            false => format!("{}/{}", self.app, self.open_kf_id),
        }
    }
}

/// How far the messages of an account have been fetched.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KfProgress {
    /// Where the next page starts; `None` before the first.
    pub cursor: Option<String>,
    /// What the latest callback brought for fetching, and when WeCom made it.
    pub token: Option<(String, Timestamp)>,
    /// Counts the callbacks.
    pub wanted: i64,
    /// Callbacks up to this one have been followed up.
    pub done: i64,
    /// Whether the account has ever been fetched to its end.
    pub complete: bool,
}

/// One page of fetched messages.
#[derive(Clone, Debug)]
pub struct KfPage {
    /// Whose messages.
    pub account: KfAccountKey,
    /// The claim under which it was fetched.
    pub claim: i64,
    /// The cursor it was fetched with; if another one is stored by now, the page is not kept.
    pub from: Option<String>,
    /// The cursor of the next page.
    pub next: String,
    /// What it contains, in order.
    pub items: Vec<Fetched>,
    /// Set with the last page: callbacks up to this one have been followed up.
    pub done: Option<i64>,
    /// When it was fetched.
    pub at: Timestamp,
}

/// What became of a page that was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptPage {
    /// What became of each item, in order: `waiting` for an answer, `repeated`, or the fate that it has at once.
    pub fates: Vec<&'static str>,
    /// What was waiting for an answer until an item of the page took it back.
    pub recalled: Vec<Recalled>,
}

/// A message that was taken back before it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Its key, as in [`Fetched::key`].
    pub key: String,
    /// When it was fetched.
    pub received_at: Timestamp,
}

/// One fetched message or event.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Tells it apart from all others of the account.
    pub key: String,
    /// Whom it is from or about; empty where it is about nobody.
    pub customer: String,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it does.
    pub effect: Effect,
}

/// What a fetched item does when it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It waits for an answer, with this content.
    Answer {
        /// JSON.
        item: String,
    },
    /// It is on record and nothing else: `skipped`, `servicer`, `noted`.
    Record(&'static str),
    /// It could not be read, and is kept for an admin to look at.
    Unreadable {
        /// As it was fetched.
        item: String,
    },
    /// From now on this one serves the customer.
    ServedBy(ServedBy),
    /// The customer took a message back; if it still waits, it is not answered.
    Recalled {
        /// Key of that message.
        key: String,
    },
    /// A message of ours did not arrive after all.
    SendFailed {
        /// Its id.
        send_id: String,
        /// The platform's number of the reason.
        reason: i64,
    },
}

/// Who talks with a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServedBy {
    /// The bot.
    #[default]
    Bot,
    /// Nobody yet: the customer waits for a person.
    Pool,
    /// A person; the bot is silent.
    Servicer,
}

impl ServedBy {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Pool => "pool",
            Self::Servicer => "servicer",
        }
    }

    /// The one with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Bot, Self::Pool, Self::Servicer]
            .into_iter()
            .find(|served_by| served_by.name() == name)
    }
}

/// A conversation in which something waits for an answer.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Which account it is; without an account's id it is the app itself.
    pub account: KfAccountKey,
    /// What waits, oldest first; never empty.
    pub items: Vec<WaitingItem>,
    /// What is remembered of the person.
    pub remembered: Remembered,
    /// So many messages to the person are still to be sent.
    pub unsent: u32,
    /// How often an answer has been begun, this time included; what ends the process never comes to an end.
    pub attempts: u32,
}

/// Something that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingItem {
    /// As it was fetched.
    pub item: String,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was fetched.
    pub received_at: Timestamp,
}

/// What was done about conversations in which something waited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnsweredBatch {
    /// How many conversations it were.
    pub conversations: u32,
    /// What waits no longer.
    pub settled: Vec<SettledItem>,
}

/// Something that waits no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledItem {
    /// Which account it is of; without an account's id, the app itself.
    pub account: KfAccountKey,
    /// What it was.
    pub item: WaitingItem,
    /// As in [`Answered::fates`]; `human` where a person serves the customer by now.
    pub fate: &'static str,
    /// As in [`Answered::took`]; nothing where no answer was made.
    pub took: Duration,
}

impl SettledItem {
    /// Items of one account, each with its fate and how long it took.
    pub(super) fn all<'a>(
        account: &'a KfAccountKey,
        items: impl IntoIterator<Item = WaitingItem> + 'a,
        outcomes: impl IntoIterator<Item = (&'static str, Duration)> + 'a,
    ) -> impl Iterator<Item = Self> + 'a {
        let settled = |(item, (fate, took))| Self {
            account: account.clone(),
            item,
            fate,
            took,
        };
        items.into_iter().zip(outcomes).map(settled)
    }
}

/// What an answer leads to.
#[derive(Debug, Default)]
pub struct Answered {
    /// Why, where items have failed: a few constant words.
    pub reason: &'static str,
    /// What becomes of each waiting item, in their order: `answered`, `covered`, `expired`; `failed` or `unreadable`
    /// makes it a dead letter.
    pub fates: Vec<&'static str>,
    /// How long understanding each of them and composing its answer took; for the log.
    pub took: Vec<Duration>,
    /// Questions to keep, each with the place of its item.
    pub questions: Vec<(usize, QuestionRecord)>,
    /// Session, appeal, rating and what to send; `reply` and `question` are not looked at.
    pub step: Step,
    /// Who serves the customer from now on, if that changes.
    pub served_by: Option<ServedBy>,
    /// The person's id, for a followed appeal.
    pub customer: String,
}

impl Answered {
    /// What becomes of so many items, and how long each took.
    pub(super) fn outcomes(&self, count: usize) -> Vec<(&'static str, Duration)> {
        let fates = self.fates.iter().copied().chain(std::iter::repeat("answered"));
        let took = self.took.iter().copied().chain(std::iter::repeat(Duration::ZERO));
        fates.zip(took).take(count).collect()
    }
}

/// Makes an answer of what waits. It runs inside the store's transaction, so it must be quick and must not wait.
pub type AnswerFunction = Box<dyn FnMut(Waiting) -> Answered + Send>;

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSend {
    /// Names it for all time; made of what it answers, so that making it again makes the same.
    pub send_id: String,
    /// By which way it goes: the app, or the app and its account as in [`KfAccountKey::conversation_app`].
    pub way: String,
    /// Name of the API.
    pub api: String,
    /// The exact body, JSON.
    pub body: String,
    /// What to send to the same person when this is refused for good.
    pub instead: Option<Instead>,
    /// The least goes first.
    pub urgency: Urgency,
    /// Not before.
    pub next_at: Timestamp,
    /// Not later.
    pub not_after: Timestamp,
    /// Stands in for the passive reply to the message it is settled with: whichever of the two goes out first is the only one.
    pub replaces_reply: bool,
    /// Names the knowledge that it was made of.
    pub knowledge_version: String,
}

/// What is sent in the place of something that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    /// Name of the API.
    pub api: String,
    /// The exact body, JSON.
    pub body: String,
}

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Of use for seconds only.
    Greeting,
    /// Somebody waits for it.
    Fresh,
    /// Nobody is looking at the phone.
    Backlog,
}

impl Urgency {
    pub(super) fn rank(self) -> i64 {
        match self {
            Self::Greeting => 0,
            Self::Fresh => 1,
            Self::Backlog => 2,
        }
    }
}

/// The right to send one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendClaim {
    /// The message's number in the store.
    pub id: i64,
    /// How often it has been claimed, this time included: whoever claims it later has a greater number.
    pub attempts: u32,
}

/// Something that is being sent.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedSend {
    /// What to settle it with.
    pub claim: SendClaim,
    /// Its id.
    pub send_id: String,
    /// By which way it goes.
    pub way: String,
    /// Name of the API.
    pub api: String,
    /// The exact body, JSON.
    pub body: String,
    /// Whether an earlier try may have been carried out.
    pub unclear: bool,
    /// Not later.
    pub not_after: Timestamp,
}

/// How sending went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// The platform took it.
    Sent,
    /// To be tried again.
    Later {
        /// When.
        at: Timestamp,
        /// Error code of the platform.
        code: Option<i64>,
        /// Whether this try may have been carried out.
        unclear: bool,
    },
    /// Not to be tried again.
    Refused {
        /// Error code of the platform.
        code: Option<i64>,
        /// Who serves the customer, where that is the reason; everything else that waits for them is dropped as well.
        served_by: Option<ServedBy>,
        /// Whether nothing can be sent to this person at all for now; everything that waits for them is dropped.
        closed: bool,
    },
}

/// A reminder whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueReminder {
    /// Number of the appeal in the store.
    pub appeal: i64,
    /// The company.
    pub corp_id: String,
    /// The app's name in the configuration, or that of an account.
    pub app: String,
    /// The person.
    pub user_id: String,
    /// The appeal, as it was given.
    pub record: String,
    /// Business days after the day of submission.
    pub business_day: u8,
    /// When it was due.
    pub due: Timestamp,
}
