//! What people say that is no question about one restriction: small talk, asking for a person, other subjects, and what several
//! scenarios could be meant by.

use super::language::Bilingual;
use super::scenario::{is_identifier, read_bilingual, report_repeated};
use crate::checked_toml::{Located, Report, Source, read_document};

/// A greeting, thanks, a request for a person and the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Identifier.
    pub id: String,
    /// Small talk or the request for a person.
    pub kind: IntentKind,
    /// What the bot says to it.
    pub reply: Bilingual<String>,
    /// How people say it.
    pub utterances: Vec<String>,
}

/// What an intent asks of the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentKind {
    /// A friendly word back.
    Smalltalk,
    /// A person.
    Human,
}

/// Reads `smalltalk.toml`.
pub(super) fn read_intents(source: Source<'_>, report: &Report) -> Option<Vec<Intent>> {
    read_document(source, report, |table| {
        let intents = table.tables("intents", |intent| {
            let id = intent.text("id");
            let kind = intent.choice(
                "kind",
                &[("smalltalk", IntentKind::Smalltalk), ("human", IntentKind::Human)],
            );
            let reply = read_bilingual(intent, "reply");
            let utterances = intent.required_texts("utterances");
            let id = id?;
            if !is_identifier(&id) {
                intent.problem("id", "may only have lower-case letters, digits and hyphens");
            }
            let utterances = utterances?.into_iter().map(|text| text.value).collect();
            Some(Intent {
                id,
                kind: kind?,
                reply: reply?,
                utterances,
            })
        });
        report_repeated(table, "intents", intents.iter().map(|intent| intent.id.as_str()));
        if intents.iter().filter(|intent| intent.kind == IntentKind::Human).count() != 1 {
            table.problem("intents", "exactly one intent must have kind = \"human\"");
        }
        Some(intents)
    })
}

/// Questions that leave open which of several scenarios is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmbiguousQuestions {
    /// Ids of the scenarios that may be meant; at least two.
    pub scenarios: Vec<Located<String>>,
    /// How people ask.
    pub utterances: Vec<String>,
}

/// Reads `ambiguous.toml`.
pub(super) fn read_ambiguous(source: Source<'_>, report: &Report) -> Option<Vec<AmbiguousQuestions>> {
    read_document(source, report, |table| {
        let questions = table.tables("questions", |questions| {
            questions.text("about");
            let scenarios = questions.required_texts("scenarios");
            let utterances = questions.required_texts("utterances");
            let (scenarios, utterances) = (scenarios?, utterances?);
            if scenarios.len() < 2 {
                questions.problem(
                    "scenarios",
                    "names one scenario; a question that means one belongs into its file",
                );
            }
            Some(AmbiguousQuestions {
                scenarios,
                utterances: utterances.into_iter().map(|text| text.value).collect(),
            })
        });
        Some(questions)
    })
}

/// Reads the example questions of `outside.toml`.
pub(super) fn read_outside(source: Source<'_>, report: &Report) -> Option<Vec<String>> {
    read_document(source, report, |table| {
        let topics = table.tables("topics", |topic| {
            topic.text("id");
            topic.text("about");
            topic.required_texts("utterances")
        });
        Some(topics.into_iter().flatten().map(|text| text.value).collect())
    })
}
