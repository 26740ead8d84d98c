//! What people say that is no question about one restriction: small talk, asking for a person, other subjects, and what several
//! scenarios could be meant by.

use super::language::Bilingual;
use super::lexicon::plain;
use super::scenario::{is_identifier, read_bilingual, report_repeated};
use crate::checked_toml::{Located, Report, Source, Table, read_document};

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
        let intents = table.tables("intents", |intent| Some(read_intent(intent)));
        report_repeated(table, "intents", intents.iter().map(|(_, intent)| intent.id.as_str()));
        let is_every_kind_known = intents.iter().all(|(kind, _)| kind.is_some());
        let humans = intents
            .iter()
            .filter(|(kind, _)| *kind == Some(IntentKind::Human))
            .count();
        if is_every_kind_known && humans != 1 {
            table.problem("intents", "exactly one intent must have kind = \"human\"");
        }
        Some(intents.into_iter().map(|(_, intent)| intent).collect())
    })
}

/// An intent and its kind as far as that can be read; what is missing is reported and left empty.
fn read_intent(table: &mut Table<'_>) -> (Option<IntentKind>, Intent) {
    let kinds = [("smalltalk", IntentKind::Smalltalk), ("human", IntentKind::Human)];
    let id = table.text("id").unwrap_or_default();
    if !id.is_empty() && !is_identifier(&id) {
        table.problem("id", "may only have lower-case letters, digits and hyphens");
    }
    let kind = table.choice("kind", &kinds);
    let intent = Intent {
        id,
        kind: kind.unwrap_or(IntentKind::Smalltalk),
        reply: read_bilingual(table, "reply"),
        utterances: plain(table.required_texts("utterances").unwrap_or_default()),
    };
    (kind, intent)
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
            let scenarios = scenarios.unwrap_or_default();
            if scenarios.len() == 1 {
                questions.problem(
                    "scenarios",
                    "names one scenario; a question that means one belongs into its file",
                );
            }
            Some(AmbiguousQuestions {
                scenarios,
                utterances: plain(utterances.unwrap_or_default()),
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
