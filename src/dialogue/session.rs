//! What the bot remembers between two messages of one person, what can happen, and what it then does.
//!
//! A session is read and written with every message. What is as it is at the beginning is left out when it is written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::circumstances::Circumstances;
use crate::knowledge::Language;

/// What is remembered of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Language of the last question; a bare "2" is answered in it.
    #[serde(skip_serializing_if = "is_default")]
    pub language: Language,
    /// Where the conversation stands.
    #[serde(skip_serializing_if = "is_default")]
    pub state: State,
    /// How many messages in a row were not understood.
    #[serde(skip_serializing_if = "is_default")]
    pub refusals: u8,
    /// The appeal that is being followed. It outlives the conversation, so the shell keeps it apart and puts it in before a step.
    #[serde(skip)]
    pub appeal: Option<Appeal>,
}

/// Where a conversation stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum State {
    /// Nothing is at hand.
    #[default]
    Start,
    /// Scenarios were offered and one is to be chosen.
    Choosing {
        /// The question that could mean several of them; empty after a welcome.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        question: String,
        /// Scenario ids in the order offered.
        options: Vec<String>,
        /// How often the reply was not one of them.
        #[serde(default, skip_serializing_if = "is_default")]
        misses: u8,
    },
    /// A scenario was answered and is at hand.
    Answered(AtHand),
}

/// The scenario that was answered last, with all that is known about the case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtHand {
    /// Scenario id.
    pub scenario: String,
    /// Slot values known so far.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, String>,
    /// The person's own words that led to it.
    pub said: String,
    /// What they tell about the restriction.
    #[serde(default, skip_serializing_if = "is_default")]
    pub circumstances: Circumstances,
    /// What the bot has asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub open: Open,
}

/// The one question of the bot that is open; there is never more than one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "question", rename_all = "snake_case")]
pub enum Open {
    /// None.
    #[default]
    Nothing,
    /// Which value a slot has.
    Slot {
        /// Slot id.
        slot: String,
        /// Ids of the values in the order offered.
        #[serde(default)]
        offered: Vec<String>,
    },
    /// Whether the other issue of the same message is to be answered as well.
    OtherIssue {
        /// Scenario id.
        scenario: String,
    },
    /// Whether an appeal may be kept and followed.
    Tracking {
        /// When it was submitted.
        submitted: Date,
    },
    /// On which day an appeal was submitted.
    SubmissionDay,
    /// How the appeal ended.
    Result,
}

/// An appeal that is being followed, with the person's consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appeal {
    /// Scenario id of what was appealed, as far as is known.
    pub scenario: String,
    /// The day it was submitted, in China.
    pub submitted: Date,
    /// In which a reminder is written.
    #[serde(default)]
    pub language: Language,
}

/// How following an appeal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppealOutcome {
    /// The restriction was lifted.
    Lifted,
    /// The appeal was refused.
    Refused,
    /// The person no longer wants it followed.
    Cancelled,
}

/// Something that becomes due while an appeal is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// Business days after the day of submission.
    pub business_day: u8,
    /// When it is due.
    pub due: Timestamp,
}

/// What somebody thought of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was of use.
    Useful,
    /// It was of no use.
    Useless,
    /// The trouble is over.
    Solved,
}

/// Something that happened in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The person opened the conversation.
    Entered,
    /// The person asked for the commonest situations.
    CommonSituations,
    /// The person tapped an option, perhaps of an older message.
    Tapped {
        /// Id of the option.
        id: String,
        /// What stood on it.
        label: String,
    },
    /// The person wrote something.
    Text(String),
    /// The person sent something that is not words.
    Attachment(Attachment),
}

/// What came instead of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// A picture.
    Image,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// A location.
    Location,
    /// A link.
    Link,
    /// A file.
    File,
    /// Something else that the bot cannot read.
    Other,
}

/// Something to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Say this.
    Reply(Reply),
    /// Keep how a question was understood.
    Record(Understanding),
    /// A person should take over.
    HandOver(Cause),
    /// Keep an appeal and make its reminders due.
    Track {
        /// The appeal.
        appeal: Appeal,
        /// What becomes due, in the order of time; none where the calendar is not on file.
        reminders: Vec<Reminder>,
    },
    /// Stop following the appeal and keep how it ended.
    CloseAppeal(AppealOutcome),
    /// Keep what the person thought of the last answer.
    Rate {
        /// Scenario id of that answer.
        scenario: String,
        /// What they thought.
        verdict: Verdict,
    },
}

/// Why a person should take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was asked for.
    Asked,
    /// The bot does not understand.
    NotUnderstood,
    /// The scenario that was answered says so.
    Scenario,
}

/// What the bot says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The words, without the options.
    pub text: String,
    /// What the person may choose; shown as a channel can show it.
    pub options: Vec<ReplyOption>,
}

/// One thing to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplyOption {
    /// Scenario id or slot value id.
    pub id: String,
    /// What the person reads.
    pub label: String,
}

/// How a question was understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Understanding {
    /// Kind of decision.
    pub decision: DecisionKind,
    /// Scenario ids, best first.
    pub scenarios: Vec<String>,
    /// Probability that the first one is right.
    pub confidence: f32,
    /// Language of the question.
    pub language: Language,
}

/// Kind of decision, as `ask --json` and `evaluate` name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// One scenario is answered.
    Answer,
    /// The person is asked which of several it is.
    AskBack,
    /// Outside the subject.
    #[default]
    Refuse,
    /// A friendly word back.
    Smalltalk,
    /// A person is asked for.
    Human,
}

/// Whether a value is as it is at the beginning.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl AppealOutcome {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lifted => "lifted",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Verdict {
    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Useful => "useful",
            Self::Useless => "useless",
            Self::Solved => "solved",
        }
    }
}

impl DecisionKind {
    /// The name in JSON and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::AskBack => "ask_back",
            Self::Refuse => "refuse",
            Self::Smalltalk => "smalltalk",
            Self::Human => "human",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_at_the_beginning_is_not_written() {
        assert_eq!(serde_json::to_string(&Session::default()).unwrap(), "{}");
        let session = Session {
            state: State::Answered(AtHand {
                scenario: "cheat-tools".to_owned(),
                said: "外挂".to_owned(),
                ..AtHand::default()
            }),
            ..Session::default()
        };
        let written = serde_json::to_string(&session).unwrap();
        assert_eq!(
            written,
            r#"{"state":{"at":"answered","scenario":"cheat-tools","said":"外挂"}}"#
        );
        assert_eq!(serde_json::from_str::<Session>(&written).unwrap(), session);
    }

    #[test]
    fn a_session_with_everything_written_out_is_read() {
        let written = r#"{"language":"english","state":{"at":"answered","scenario":"cheat-tools","slots":{},"said":"","circumstances":
            {"started":null,"term_hours":168,"ends":null,"offers_appeal":false},"open":{"question":"nothing"}},"refusals":0}"#;
        let session: Session = serde_json::from_str(written).unwrap();
        assert_eq!(session.language, Language::English);
        let State::Answered(at_hand) = session.state else {
            panic!("{session:?}")
        };
        assert_eq!(
            (at_hand.circumstances.term_hours, at_hand.open),
            (Some(168), Open::Nothing)
        );
    }
}
