//! What the bot remembers between two messages of one person, what can happen, and what it then does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::knowledge::Language;

/// What is remembered of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Language of the last question; a bare "2" is answered in it.
    pub language: Language,
    /// Where the conversation stands.
    pub state: State,
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
        question: String,
        /// Scenario ids in the order offered.
        options: Vec<String>,
        /// How often the reply was not one of them.
        misses: u8,
    },
    /// A scenario was answered and is at hand.
    Answered {
        /// Scenario id.
        scenario: String,
        /// Slot values known so far.
        slots: BTreeMap<String, String>,
        /// The slot just asked for.
        asked: Option<String>,
    },
}

/// Something that happened in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The person opened the conversation.
    Entered,
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
}

/// Something to carry out.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Say this.
    Reply(Reply),
    /// Keep how a question was understood.
    Record(Understanding),
    /// The person wants a person.
    HandOver,
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
