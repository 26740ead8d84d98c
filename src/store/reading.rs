//! What the admin console reads of messages: how many there were of which kind, single ones, and what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Deserialize;

use super::hashes::{SHORT, TIME, TimedHash, shown, timed};
use super::{BoxFuture, QuestionRecord, StoreError};

/// Names a question: the key of its message, which begins with the time at which it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuestionId(pub(super) TimedHash);

impl QuestionId {
    /// Before every question of this second, and behind those of the seconds before.
    pub fn start_of(at: Timestamp) -> Self {
        Self(timed(at.as_second(), &[]))
    }

    /// When the message was made, by the platform's word.
    pub fn made_at(self) -> Timestamp {
        let mut seconds = [0; 8];
        let (_, time) = seconds.split_at_mut(size_of::<u64>() - TIME);
        time.iter_mut().zip(self.0).for_each(|(place, byte)| *place = byte);
        let seconds = i64::try_from(u64::from_be_bytes(seconds)).unwrap_or_default();
        Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn of_stored(bytes: &[u8]) -> Self {
        let mut id = TimedHash::default();
        id.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        Self(id)
    }

    /// As a message of 微信客服 is named where it was received: without the time.
    pub(super) fn bare(&self) -> &[u8] {
        self.0.get(TIME..).unwrap_or_default()
    }

    /// The message's name without its time.
    pub fn name(&self) -> MessageName {
        self.0.last_chunk().copied().unwrap_or_default()
    }
}

/// Names a message without its time, whatever it was received from.
pub type MessageName = [u8; SHORT];

/// The name of a message by its stored key: one of an app has its time in front, one of 微信客服 is a whole hash.
pub(super) fn name_of_stored(key: &[u8]) -> MessageName {
    let without_time = if key.len() == TIME + SHORT {
        key.get(TIME..)
    } else {
        Some(key)
    };
    let name = without_time.and_then(|name| name.first_chunk());
    name.copied().unwrap_or_default()
}

/// An answer of which somebody said that it did not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UselessAnswer {
    /// The message that says so. The answer is an earlier one to the same person.
    pub said_in: MessageName,
    /// The scenario that was answered.
    pub scenario: String,
}

impl fmt::Display for QuestionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// Not the name of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no name of a question")]
pub struct NoQuestionId;

impl FromStr for QuestionId {
    type Err = NoQuestionId;

    fn from_str(text: &str) -> Result<Self, NoQuestionId> {
        let mut id = TimedHash::default();
        if text.len() != 2 * id.len() {
            return Err(NoQuestionId);
        }
        for (place, byte) in id.iter_mut().enumerate() {
            let digits = text.get(2 * place..2 * place + 2).ok_or(NoQuestionId)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NoQuestionId)?;
        }
        Ok(Self(id))
    }
}

/// Upper ends of the classes by which the time that understanding took is counted, in microseconds. A last class has no end.
pub const MICROS_CLASSES: [u64; 14] = [
    25, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_500, 5_000, 10_000, 100_000,
];

/// How many questions of a time were understood in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionCount {
    /// As in [`QuestionRecord::decision`].
    pub decision: String,
    /// The best scenario; empty where there was none.
    pub scenario: String,
    /// Which of [`MICROS_CLASSES`] the time belongs to that understanding took.
    pub micros_class: usize,
    /// How many.
    pub count: u64,
}

/// What was asked in a time, and what people thought of the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The questions.
    pub questions: Vec<QuestionCount>,
    /// How often each verdict was given.
    pub verdicts: Vec<(String, u64)>,
}

/// Which questions are looked for. What is empty does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuestionSearch {
    /// Only older ones.
    pub before: Option<QuestionId>,
    /// Only of this time on.
    pub since: Option<Timestamp>,
    /// This is written in it, in capital or small letters.
    pub text: String,
    /// As in [`QuestionRecord::decision`].
    pub decision: String,
    /// The best scenario, or one of those offered.
    pub scenario: String,
    /// The app, or the app and its account.
    pub app: String,
    /// The beginning of the person's hash, as [`FoundQuestion::person`] has it.
    pub person: String,
    /// As in [`QuestionRecord::language`].
    pub language: String,
    /// How many are wanted.
    pub most: usize,
    /// How many are looked at; the search may be continued behind them.
    pub most_looked_at: usize,
}

/// A question that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundQuestion {
    /// Its name.
    pub id: QuestionId,
    /// The app, or the app and its account.
    pub app: String,
    /// Whose it is: the beginning of the stored hash.
    pub person: String,
    /// The question.
    pub record: QuestionRecord,
}

/// What a search brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundQuestions {
    /// The newest first.
    pub found: Vec<FoundQuestion>,
    /// Behind which question the search is to be continued; `None`: there are no more.
    pub rest: Option<QuestionId>,
}

/// What is known of one message: the question and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionCourse {
    /// The question.
    pub question: FoundQuestion,
    /// What was said to a message of an app, while that is on file, and when that was settled.
    pub reply: Option<(Option<String>, Timestamp)>,
    /// Of a message of 微信客服, or one that could not be answered: what became of it.
    pub received: Option<ReceivedCourse>,
    /// What was sent because the reply was not ready in time.
    pub sent: Vec<SentCourse>,
}

/// What became of a message that waited for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedCourse {
    /// When it was received.
    pub received_at: Timestamp,
    /// What became of it; `None`: it waits.
    pub fate: Option<String>,
    /// Why it could not be answered.
    pub reason: String,
    /// How often an answer was begun.
    pub attempts: u32,
}

/// What became of something that was to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCourse {
    /// By which API.
    pub api: String,
    /// What became of it; `None`: it waits.
    pub fate: Option<String>,
    /// The platform's error code.
    pub code: Option<i64>,
    /// When that was settled.
    pub settled_at: Option<Timestamp>,
}

/// What the console reads of messages. It is read beside everything else, and keeps no message waiting.
pub trait ReadingStore: Send + Sync {
    /// Counts what was asked from one time until another, both in whole seconds.
    fn count_questions(&self, from: Timestamp, until: Timestamp) -> BoxFuture<'_, Result<Counted, StoreError>>;

    /// Looks for questions.
    fn find_questions(&self, search: QuestionSearch) -> BoxFuture<'_, Result<FoundQuestions, StoreError>>;

    /// Answers that were said not to help since then, the latest `most` of them.
    fn useless_answers(&self, since: Timestamp, most: u32) -> BoxFuture<'_, Result<Vec<UselessAnswer>, StoreError>>;

    /// One question, with what became of it.
    fn question_course(&self, id: QuestionId) -> BoxFuture<'_, Result<Option<QuestionCourse>, StoreError>>;
}

/// What of a stored record is counted.
#[derive(Deserialize)]
pub(super) struct Countable<'a> {
    #[serde(borrow)]
    pub(super) decision: &'a str,
    #[serde(default, borrow)]
    pub(super) scenarios: Vec<&'a str>,
    micros: u64,
}

/// Counts stored records.
#[derive(Default)]
pub(super) struct Counting {
    counts: BTreeMap<(String, String), [u64; MICROS_CLASSES.len() + 1]>,
}

impl Counting {
    /// Counts a record. One that a later version wrote and this one cannot read counts for nothing.
    pub(super) fn add(&mut self, record: &str) {
        let Ok(seen) = serde_json::from_str::<Countable<'_>>(record) else {
            return;
        };
        let scenario = seen.scenarios.first().copied().unwrap_or_default();
        let class = MICROS_CLASSES.partition_point(|end| *end < seen.micros);
        let key = (seen.decision.to_owned(), scenario.to_owned());
        if let Some(count) = self.counts.entry(key).or_default().get_mut(class) {
            *count += 1;
        }
    }

    pub(super) fn finish(self) -> Vec<QuestionCount> {
        let of_key = |((decision, scenario), classes): ((String, String), [u64; MICROS_CLASSES.len() + 1])| {
            let counted = classes.into_iter().enumerate().filter(|(_, count)| *count > 0);
            counted.map(move |(micros_class, count)| QuestionCount {
                decision: decision.clone(),
                scenario: scenario.clone(),
                micros_class,
                count,
            })
        };
        self.counts.into_iter().flat_map(of_key).collect()
    }
}

/// A row of the table of questions.
pub(super) struct StoredQuestion<'a> {
    pub(super) message: &'a [u8],
    pub(super) person: &'a [u8],
    pub(super) app: &'a str,
    pub(super) record: &'a str,
}

impl StoredQuestion<'_> {
    pub(super) fn read(&self) -> Option<FoundQuestion> {
        Some(FoundQuestion {
            id: QuestionId::of_stored(self.message),
            app: self.app.to_owned(),
            person: shown(self.person),
            record: serde_json::from_str(self.record).ok()?,
        })
    }
}

/// A search on its way.
pub(super) struct Searching {
    search: QuestionSearch,
    text: String,
    looked_at: usize,
    found: FoundQuestions,
}

impl Searching {
    pub(super) fn new(search: QuestionSearch) -> Self {
        Self {
            text: search.text.to_lowercase(),
            looked_at: 0,
            found: FoundQuestions::default(),
            search,
        }
    }

    /// Where the keys of what is looked at lie: from the first one up to, not including, the second.
    pub(super) fn range(&self) -> (TimedHash, TimedHash) {
        let since = self.search.since.map(QuestionId::start_of);
        let since = since.map_or(TimedHash::default(), |id| id.0);
        (since, self.search.before.map_or([u8::MAX; _], |before| before.0))
    }

    /// Looks at the next older question; whether to go on.
    pub(super) fn goes_on(&mut self, row: &StoredQuestion<'_>) -> bool {
        // Only another one shows that there are more.
        if self.found.found.len() >= self.search.most || self.looked_at >= self.search.most_looked_at {
            return false;
        }
        self.looked_at += 1;
        self.found.rest = Some(QuestionId::of_stored(row.message));
        let is_wanted = |found: &FoundQuestion| self.is_wanted(found);
        let found = self.may_be_wanted(row).then(|| row.read()).flatten().filter(is_wanted);
        self.found.found.extend(found);
        true
    }

    /// What can be said without reading the record.
    fn may_be_wanted(&self, row: &StoredQuestion<'_>) -> bool {
        let search = &self.search;
        (search.app.is_empty() || row.app == search.app)
            && (search.person.is_empty() || shown(row.person) == search.person)
            && (search.scenario.is_empty() || row.record.contains(&search.scenario))
    }

    fn is_wanted(&self, found: &FoundQuestion) -> bool {
        let (search, record) = (&self.search, &found.record);
        (search.decision.is_empty() || record.decision == search.decision)
            && (search.language.is_empty() || record.language == search.language)
            && (search.scenario.is_empty() || record.scenarios.contains(&search.scenario))
            && (self.text.is_empty() || record.text.to_lowercase().contains(&self.text))
    }

    /// What was found; `is_all`: there was no further question to look at.
    pub(super) fn finish(mut self, is_all: bool) -> FoundQuestions {
        if is_all {
            self.found.rest = None;
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_named_by_its_key_and_knows_its_time() {
        let at: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
        let id = QuestionId(timed(at.as_second(), &[7; 32]));
        assert_eq!(id.made_at(), at);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(QuestionId::start_of(at) < id);
        for wrong in ["", "00", &"g".repeat(42), &"0".repeat(43), &"é".repeat(21)] {
            assert_eq!(wrong.parse::<QuestionId>(), Err(NoQuestionId), "{wrong}");
        }
    }

    #[test]
    fn a_message_has_one_name_wherever_it_is_stored() {
        let hash: Vec<u8> = (0..32).collect();
        let id = QuestionId(timed(1_764_000_000, &hash));
        assert_eq!(name_of_stored(&id.0), id.name());
        assert_eq!(name_of_stored(&hash), id.name());
    }
}
