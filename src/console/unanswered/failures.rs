//! Which questions were not answered, or not well: told from the messages of each person in the order in which they came.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::console::masking::without_names;
use crate::dialogue::Assistant;
use crate::matching::Decision;
use crate::store::{FoundQuestion, MessageName, QuestionId, UselessAnswer};

/// A conversation that has rested so long is over, as it is in the store unless the settings say otherwise.
const RESTS: SignedDuration = SignedDuration::from_mins(30);

/// A question is looked at up to so many characters: what is longer is a pasted notice, and no example for anything.
pub(super) const LONGEST: usize = 300;

/// How a question failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::console) enum Failure {
    /// It was not understood, or taken for another subject.
    Refused,
    /// The bot asked which of several it is, and nothing was chosen.
    AskedBack,
    /// It was answered, and the answer was said not to help.
    Useless,
}

impl Failure {
    /// Every way, in the order in which they are shown.
    pub(in crate::console) const ALL: [Self; 3] = [Self::Refused, Self::AskedBack, Self::Useless];

    /// As in `words.toml` and in addresses.
    pub(in crate::console) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::AskedBack => "asked-back",
            Self::Useless => "useless",
        }
    }
}

/// A question that was not answered, or not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Without what names somebody.
    pub(super) text: String,
    pub(super) person: String,
    pub(super) id: QuestionId,
    pub(super) failure: Failure,
    /// The scenario that was answered; empty where none was.
    pub(super) scenario: String,
}

/// The questions among these messages that failed. `now` says which conversations are over.
pub(super) fn failures(
    assistant: &Assistant,
    mut messages: Vec<FoundQuestion>,
    useless: Vec<UselessAnswer>,
    now: Timestamp,
) -> Vec<Failed> {
    let useless = useless.into_iter().map(|answer| (answer.said_in, answer.scenario));
    let mut search = Search {
        assistant,
        useless: useless.collect(),
        failed: Vec::new(),
    };
    // Ids know the second; what was written within one was answered in its order.
    messages.sort_by_key(|message| (message.id.made_at(), message.record.asked_at));
    let mut conversations: HashMap<String, Conversation> = HashMap::new();
    for message in messages {
        let conversation = conversations.entry(message.person.clone()).or_default();
        search.take(conversation, &message);
    }
    let mut failed = search.failed;
    let over = conversations
        .into_values()
        .filter(|conversation| conversation.is_over(now));
    failed.extend(over.filter_map(|conversation| conversation.open));
    failed
}

/// What has been said in the latest conversation of somebody.
#[derive(Default)]
struct Conversation {
    last_at: Option<Timestamp>,
    /// What was asked back about, while nothing has been chosen.
    open: Option<Failed>,
    answered: Vec<Failed>,
}

impl Conversation {
    fn is_over(&self, now: Timestamp) -> bool {
        self.last_at.is_some_and(|at| now.duration_since(at) > RESTS)
    }
}

struct Search<'a> {
    assistant: &'a Assistant,
    /// What was said not to help, by the message that says so.
    useless: HashMap<MessageName, String>,
    failed: Vec<Failed>,
}

impl Search<'_> {
    fn take(&mut self, conversation: &mut Conversation, message: &FoundQuestion) {
        let at = message.id.made_at();
        if conversation.is_over(at) {
            self.failed.extend(std::mem::take(conversation).open);
        }
        conversation.last_at = Some(at);
        match message.record.decision.as_str() {
            "answer" => {
                conversation.open = None;
                conversation.answered.extend(self.question(message, Failure::Useless));
            }
            // What comes while a choice is open replies to it: the question that was asked first stands for all of it.
            "ask_back" if conversation.open.is_none() => {
                conversation.open = self.question(message, Failure::AskedBack);
            }
            "refuse" if conversation.open.is_none() => self.failed.extend(self.question(message, Failure::Refused)),
            "refuse" | "human" => self.failed.extend(conversation.open.take()),
            _ => {}
        }
        if let Some(scenario) = self.useless.get(&message.id.name()) {
            let meant = conversation
                .answered
                .iter()
                .rposition(|answered| self.is_asked_by(answered, scenario));
            self.failed
                .extend(meant.map(|place| conversation.answered.remove(place)));
        }
    }

    /// Whether a question is one for this scenario by itself, and not a follow-up ("多久").
    fn is_asked_by(&self, answered: &Failed, scenario: &str) -> bool {
        let judgement = self.assistant.matcher.judge(&answered.text);
        matches!(&judgement.decision, Decision::Answer { scenario: judged } if judged == scenario)
    }

    fn question(&self, message: &FoundQuestion, failure: Failure) -> Option<Failed> {
        let text: String = without_names(&message.record.text).chars().take(LONGEST).collect();
        let says_something = text.chars().any(char::is_alphanumeric);
        let is_question = says_something && !self.assistant.is_only_a_reply(&text);
        let scenario = message.record.scenarios.first().filter(|_| failure == Failure::Useless);
        is_question.then(|| Failed {
            person: message.person.clone(),
            id: message.id,
            failure,
            scenario: scenario.cloned().unwrap_or_default(),
            text,
        })
    }
}
