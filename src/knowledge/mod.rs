//! Knowledge files to a checked catalogue: scenarios, slots, texts, lexicon, workdays.
//!
//! [`Catalogue::read`] takes the files as texts and gives back what could be read, and every problem. What cannot be seen without the
//! matcher or the composer (an utterance that another scenario wins, an answer that is too long) is checked by
//! [`crate::dialogue::Assistant`], which also sees to it that nothing is ever half-loaded.

mod faq;
mod intents;
mod language;
mod lexicon;
mod scenario;
mod template;
mod texts;
mod workdays;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

pub use faq::{Faq, FaqEntry, FaqError, FaqRow, Place};
pub use intents::{AmbiguousQuestions, Intent, IntentKind};
pub use language::{Bilingual, Language};
pub use lexicon::{ConversationWords, DecisionThresholds, Lexicon, Saying};
pub use scenario::{
    AccountKind, Answer, AppealPossible, CounterExample, KnowledgeSource, Role, Scenario, Section, SectionText,
    Sections, Slot, SlotEffect, SlotValue, SourceKind, TO_FILL_IN, is_identifier,
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

/// What a knowledge directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnowledgeFiles {
    /// The files that could be read, by path.
    pub files: Vec<KnowledgeFile>,
    /// What stands there and is none, or could not be read.
    pub problems: Vec<Problem>,
}

impl KnowledgeFiles {
    /// The text of a file, if it could be read.
    pub fn text(&self, path: &str) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == path)?;
        Some(&file.text)
    }

    /// The same with another text in a file, which need not be there yet; or without a file.
    #[must_use]
    pub fn with(mut self, path: &str, text: Option<&str>) -> Self {
        self.files.retain(|file| file.path != path);
        self.problems.retain(|problem| problem.file != path);
        self.files.extend(text.map(|text| KnowledgeFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }));
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self
    }

    /// Identifies the whole content: every name and every text.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for file in &self.files {
            for part in [&file.path, &file.text] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        digest.finalize().into()
    }
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
    /// Reads all files of a knowledge directory: what could be read, and every problem of every file. A catalogue with problems is only
    /// good for finding more of them.
    pub fn read(files: &KnowledgeFiles) -> (Self, Report) {
        let report = Report::default();
        for problem in &files.problems {
            report.add(problem.clone());
            report.note_unreadable();
        }
        let mut catalogue = Self::default();
        let mut ids = KnownIds::default();
        for file in &files.files {
            catalogue.read_file(file, &mut ids, &report);
        }
        report_missing_files(files, &report);
        catalogue.check_references(&ids, &report);
        (catalogue, report)
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

    fn read_file(&mut self, file: &KnowledgeFile, ids: &mut KnownIds, report: &Report) {
        let source = Source {
            file: &file.path,
            text: &file.text,
        };
        match file.path.split_once('/') {
            Some(("scenarios", _)) => self.read_scenario(source, ids, report),
            Some(("workdays", _)) => self.workdays.read(source, report),
            Some(_) => report.add(unknown_file(source.file)),
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
            _ => report.add(unknown_file(source.file)),
        }
    }

    fn read_scenario(&mut self, source: Source<'_>, ids: &mut KnownIds, report: &Report) {
        let stem = scenario::stem(source.file);
        let Some(mut scenario) = scenario::read_scenario(source, report) else {
            // Others may name a scenario that cannot be read: only its own file is to blame.
            ids.entry(stem.to_owned()).or_insert_with(|| source.file.to_owned());
            return;
        };
        let owner = ids.entry(scenario.id.clone()).or_insert_with(|| source.file.to_owned());
        if owner != source.file {
            report.about(
                source.file,
                "id",
                format!("`{}` is already the id of {owner}", scenario.id),
            );
        }
        if !scenario.draft {
            // Under the name of its file also a scenario with a wrong id can be checked.
            stem.clone_into(&mut scenario.id);
            ids.entry(stem.to_owned()).or_insert_with(|| source.file.to_owned());
        }
        let other = scenario.role.and_then(|role| self.with_role(role));
        if let (Some(role), Some(other)) = (scenario.role, other) {
            let message = format!(
                "`{}` is already the role of {}; only one scenario may have it",
                role.name(),
                other.file
            );
            report.about(source.file, "role", message);
        }
        self.scenarios.insert(scenario.id.clone(), scenario);
    }

    fn check_references(&self, ids: &KnownIds, report: &Report) {
        for scenario in self.scenarios.values() {
            if scenario.utterances.is_empty() {
                report.note_unreadable();
            }
            check_slots(scenario, ids, report);
            check_siblings(scenario, ids, report);
            check_counter_examples(scenario, ids, report);
        }
        self.check_ambiguous(ids, report);
        self.check_repeated_utterances(report);
    }

    fn check_ambiguous(&self, ids: &KnownIds, report: &Report) {
        let named = self.ambiguous.iter().flat_map(|questions| &questions.scenarios);
        for id in named.filter(|id| !ids.contains_key(&id.value)) {
            report.add(Problem {
                file: "ambiguous.toml".to_owned(),
                line: Some(id.line),
                key: "questions.scenarios".to_owned(),
                message: format!("`{}` is not the id of a scenario", id.value),
            });
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
                report.add(Problem {
                    file: scenario.file.clone(),
                    line: Some(utterance.line),
                    key: "examples.utterances".to_owned(),
                    message,
                });
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

/// Ids of all scenarios with their files, also of those that could not be read.
type KnownIds = BTreeMap<String, String>;

fn check_slots(scenario: &Scenario, ids: &KnownIds, report: &Report) {
    for (slot_number, slot) in (1_usize..).zip(&scenario.slots) {
        for (number, value) in (1_usize..).zip(&slot.values) {
            if let SlotEffect::GoesTo(target) = &value.effect {
                let key = format!("slots[{slot_number}].values[{number}].goes_to");
                check_is_another(scenario, target, &key, ids, report);
            }
        }
    }
}

fn check_siblings(scenario: &Scenario, ids: &KnownIds, report: &Report) {
    for (account, target) in &scenario.siblings {
        check_is_another(scenario, target, &format!("siblings.{}", account.name()), ids, report);
    }
}

fn check_is_another(scenario: &Scenario, target: &str, key: &str, ids: &KnownIds, report: &Report) {
    if !ids.contains_key(target) || target == scenario.id {
        report.about(
            &scenario.file,
            key,
            format!("`{target}` is not the id of another scenario"),
        );
    }
}

fn check_counter_examples(scenario: &Scenario, ids: &KnownIds, report: &Report) {
    for (number, example) in (1_usize..).zip(&scenario.not_this) {
        let target = example.belongs_to.as_str();
        let is_known = target.is_empty() || target == OUTSIDE || ids.contains_key(target);
        if !is_known || target == scenario.id {
            let message = format!("`{target}` is neither another scenario's id nor `{OUTSIDE}`");
            report.about(&scenario.file, &format!("examples.not_this[{number}].is"), message);
        }
    }
}

/// Whether a file of this path, with `/`, may be part of the knowledge.
pub fn is_knowledge_path(path: &str) -> bool {
    let Some((folder, name)) = path.split_once('/') else {
        return SINGLE_FILES.contains(&path);
    };
    let stem = name.strip_suffix(".toml").unwrap_or_default();
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '%');
    matches!(folder, "scenarios" | "workdays") && !stem.is_empty() && stem.chars().all(is_plain)
}

/// Something in the knowledge directory that the bot does not read.
pub fn unknown_file(path: &str) -> Problem {
    problem_of_file(
        path,
        "is no file of the knowledge; see README.md beside it for what may stand here and how it must be called",
    )
}

/// A problem of a file as a whole.
pub fn problem_of_file(path: &str, message: impl Into<String>) -> Problem {
    Problem {
        file: path.to_owned(),
        line: None,
        key: String::new(),
        message: message.into(),
    }
}

/// Files that must be there beside the scenarios and the calendar.
const SINGLE_FILES: [&str; 6] = [
    "texts.toml",
    "smalltalk.toml",
    "outside.toml",
    "ambiguous.toml",
    "lexicon.toml",
    "conversation.toml",
];

fn report_missing_files(files: &KnowledgeFiles, report: &Report) {
    let paths = || {
        let read = files.files.iter().map(|file| file.path.as_str());
        read.chain(files.problems.iter().map(|problem| problem.file.as_str()))
    };
    for name in SINGLE_FILES.iter().filter(|name| !paths().any(|path| path == **name)) {
        report.add(problem_of_file(name, "is missing"));
    }
    for folder in ["scenarios/", "workdays/"] {
        if !paths().any(|path| path.starts_with(folder)) {
            report.add(problem_of_file(&format!("{folder}*.toml"), "is missing"));
        }
    }
}
