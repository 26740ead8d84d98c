//! Knowledge files to a checked catalogue: scenarios, slots, texts, lexicon, workdays.
//!
//! [`Catalogue::read`] takes the files as texts and gives back either everything or every problem; it never half-loads. What cannot be
//! seen without the matcher or the composer (an utterance that another scenario wins, an answer that is too long) is checked by
//! [`crate::dialogue::Assistant`].

mod faq;
mod intents;
mod language;
mod lexicon;
mod scenario;
mod texts;
mod workdays;

use std::collections::BTreeMap;

pub use faq::{Faq, FaqEntry, FaqError, FaqRow, Place};
pub use intents::{AmbiguousQuestions, Intent, IntentKind};
pub use language::{Bilingual, Language};
pub use lexicon::{ConversationWords, Lexicon, Saying};
pub use scenario::{
    AccountKind, Answer, AppealPossible, CounterExample, KnowledgeSource, Role, Scenario, Section, SectionText,
    Sections, Slot, SlotEffect, SlotValue, SourceKind,
};
pub use texts::{TextKey, Texts};
pub use workdays::Workdays;

use crate::checked_toml::{Problem, Report, Source};

/// What `is` says in a counter-example that belongs to no scenario.
pub const OUTSIDE: &str = "none";

/// One file of the knowledge directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnowledgeFile {
    /// Path below the directory, with `/`.
    pub path: String,
    /// Whole text.
    pub text: String,
}

/// Everything the bot knows, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// All scenarios by id.
    pub scenarios: BTreeMap<String, Scenario>,
    /// Small talk and the request for a person.
    pub intents: Vec<Intent>,
    /// Example questions outside the subject.
    pub outside: Vec<String>,
    /// Example questions that several scenarios could be meant by.
    pub ambiguous: Vec<AmbiguousQuestions>,
    /// The bot's own sentences.
    pub texts: Texts,
    /// Aliases, fillers and denials.
    pub lexicon: Lexicon,
    /// Words that continue a conversation.
    pub conversation: ConversationWords,
    /// Business-day calendar.
    pub workdays: Workdays,
}

impl Catalogue {
    /// Reads all files of a knowledge directory.
    ///
    /// # Errors
    ///
    /// Every problem of every file.
    pub fn read(files: &[KnowledgeFile]) -> Result<Self, Vec<Problem>> {
        let report = Report::default();
        let mut catalogue = Self::default();
        for file in files {
            catalogue.read_file(file, &report);
        }
        report_missing_files(files, &report);
        catalogue.check_references(&report);
        let problems = report.into_problems();
        if problems.is_empty() {
            Ok(catalogue)
        } else {
            Err(problems)
        }
    }

    /// The commonest scenarios, for a welcome.
    pub fn commonest(&self, count: usize) -> Vec<&Scenario> {
        let mut scenarios: Vec<&Scenario> = self.scenarios.values().filter(|one| one.commonness > 0).collect();
        scenarios.sort_by_key(|scenario| std::cmp::Reverse(scenario.commonness));
        scenarios.truncate(count);
        scenarios
    }

    /// The scenario that plays a part in following an appeal; imported knowledge may have none.
    pub fn with_role(&self, role: Role) -> Option<&Scenario> {
        self.scenarios.values().find(|scenario| scenario.role == Some(role))
    }

    /// The intent with this id.
    pub fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.id == id)
    }

    fn read_file(&mut self, file: &KnowledgeFile, report: &Report) {
        let source = Source {
            file: &file.path,
            text: &file.text,
        };
        match file.path.split_once('/') {
            Some(("scenarios", _)) => self.read_scenario(source, report),
            Some(("workdays", _)) => self.workdays.read(source, report),
            Some(_) => report_unknown_file(source, report),
            None => self.read_single_file(source, report),
        }
    }

    fn read_single_file(&mut self, source: Source<'_>, report: &Report) {
        match source.file {
            "texts.toml" => self.texts = texts::read_texts(source, report).unwrap_or_default(),
            "smalltalk.toml" => self.intents = intents::read_intents(source, report).unwrap_or_default(),
            "outside.toml" => self.outside = intents::read_outside(source, report).unwrap_or_default(),
            "ambiguous.toml" => self.ambiguous = intents::read_ambiguous(source, report).unwrap_or_default(),
            "lexicon.toml" => self.lexicon = lexicon::read_lexicon(source, report).unwrap_or_default(),
            "conversation.toml" => {
                self.conversation = lexicon::read_conversation_words(source, report).unwrap_or_default();
            }
            _ => report_unknown_file(source, report),
        }
    }

    fn read_scenario(&mut self, source: Source<'_>, report: &Report) {
        let Some(scenario) = scenario::read_scenario(source, report) else {
            return;
        };
        if let Some(other) = self.scenarios.get(&scenario.id) {
            let message = format!("`{}` is already the id of {}", scenario.id, other.file);
            report.add(Problem {
                file: scenario.file,
                line: None,
                key: "id".to_owned(),
                message,
            });
            return;
        }
        self.scenarios.insert(scenario.id.clone(), scenario);
    }

    fn check_references(&self, report: &Report) {
        for scenario in self.scenarios.values() {
            self.check_slots(scenario, report);
            self.check_siblings(scenario, report);
            self.check_counter_examples(scenario, report);
        }
        self.check_ambiguous(report);
        self.check_repeated_utterances(report);
    }

    fn check_ambiguous(&self, report: &Report) {
        let named = self.ambiguous.iter().flat_map(|questions| &questions.scenarios);
        for id in named.filter(|id| !self.scenarios.contains_key(&id.value)) {
            report.add(Problem {
                file: "ambiguous.toml".to_owned(),
                line: Some(id.line),
                key: "questions.scenarios".to_owned(),
                message: format!("`{}` is not the id of a scenario", id.value),
            });
        }
    }

    fn check_slots(&self, scenario: &Scenario, report: &Report) {
        for value in scenario.slots.iter().flat_map(|slot| &slot.values) {
            let SlotEffect::GoesTo(target) = &value.effect else {
                continue;
            };
            if !self.scenarios.contains_key(target) || *target == scenario.id {
                let message = format!("`{target}` is not the id of another scenario");
                report.add(problem_of(scenario, None, "slots.values.goes_to", message));
            }
        }
    }

    fn check_siblings(&self, scenario: &Scenario, report: &Report) {
        for target in scenario.siblings.values() {
            if !self.scenarios.contains_key(target) || *target == scenario.id {
                let message = format!("`{target}` is not the id of another scenario");
                report.add(problem_of(scenario, None, "siblings", message));
            }
        }
    }

    fn check_counter_examples(&self, scenario: &Scenario, report: &Report) {
        for example in &scenario.not_this {
            let known = example.belongs_to == OUTSIDE || self.scenarios.contains_key(&example.belongs_to);
            if !known || example.belongs_to == scenario.id {
                let message = format!(
                    "`{}` is neither another scenario's id nor `{OUTSIDE}`",
                    example.belongs_to
                );
                report.add(problem_of(
                    scenario,
                    Some(example.line),
                    "examples.not_this.is",
                    message,
                ));
            }
        }
    }

    /// The same question in two scenarios teaches the matcher nothing.
    fn check_repeated_utterances(&self, report: &Report) {
        let mut owners: BTreeMap<&str, &Scenario> = BTreeMap::new();
        for scenario in self.scenarios.values() {
            for utterance in &scenario.utterances {
                let Some(owner) = owners.insert(utterance.value.as_str(), scenario) else {
                    continue;
                };
                let message = format!("`{}` stands in {} too; keep one of them", utterance.value, owner.file);
                report.add(problem_of(
                    scenario,
                    Some(utterance.line),
                    "examples.utterances",
                    message,
                ));
            }
        }
    }
}

/// The words of one file, for tests of what reads them.
#[cfg(test)]
pub(crate) fn conversation_words_of(file: &KnowledgeFile) -> ConversationWords {
    let report = Report::default();
    let source = Source {
        file: &file.path,
        text: &file.text,
    };
    let words = lexicon::read_conversation_words(source, &report);
    assert_eq!(report.into_problems(), []);
    words.unwrap_or_default()
}

fn problem_of(scenario: &Scenario, line: Option<usize>, key: &str, message: String) -> Problem {
    Problem {
        file: scenario.file.clone(),
        line,
        key: key.to_owned(),
        message,
    }
}

fn report_unknown_file(source: Source<'_>, report: &Report) {
    let message = "is no file of the knowledge; see README.md beside it for what may stand here".to_owned();
    report.add(Problem {
        file: source.file.to_owned(),
        line: None,
        key: String::new(),
        message,
    });
}

fn report_missing_files(files: &[KnowledgeFile], report: &Report) {
    let missing = |file: &str, found: bool| {
        if !found {
            let message = "is missing".to_owned();
            report.add(Problem {
                file: file.to_owned(),
                line: None,
                key: String::new(),
                message,
            });
        }
    };
    for name in [
        "texts.toml",
        "smalltalk.toml",
        "outside.toml",
        "lexicon.toml",
        "conversation.toml",
    ] {
        missing(name, files.iter().any(|file| file.path == name));
    }
    for folder in ["scenarios/", "workdays/"] {
        missing(
            &format!("{folder}*.toml"),
            files.iter().any(|file| file.path.starts_with(folder)),
        );
    }
}
