//! A list of questions into a draft: known scenarios get more example questions, the others begin as drafts of scenarios.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::draft::Draft;
use super::edit::{Duplicate, EditError};
use super::known::{KnownAt, KnownQuestions};
use super::new_scenario::NewScenario;
use super::toml_text::TomlText;
use crate::knowledge::{AccountKind, Catalogue, Faq, FaqEntry, KnowledgeFiles};

/// What an import does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportPlan {
    /// The example questions that scenarios get.
    pub added: BTreeMap<String, Vec<String>>,
    /// The scenarios that are begun, with the number of their questions.
    pub begun: BTreeMap<String, usize>,
    /// Questions that stand somewhere already.
    pub duplicates: Vec<Duplicate>,
    /// Entries that cannot be imported, and why.
    pub refused: Vec<(String, EditError)>,
}

/// Imports a list into a draft. To see what would be done, do it with a copy.
pub fn plan_import(draft: &mut Draft, files: &KnowledgeFiles, list: &Faq, today: Date) -> ImportPlan {
    let over = draft.over(files);
    let (catalogue, _) = Catalogue::read(&over);
    let mut known = KnownQuestions::of(&catalogue);
    let mut plan = ImportPlan::default();
    for (id, entry) in &list.entries {
        let Ok(new) = known.without_known(entry.phrasings.clone(), &mut plan.duplicates) else {
            continue;
        };
        for question in &new {
            known.note(question, KnownAt::Scenario(id.clone()));
        }
        let imported = match catalogue.scenarios.get(id) {
            _ if new.is_empty() => Ok(()),
            Some(scenario) => add(draft, files, &scenario.file, &new).map(|()| {
                plan.added.insert(id.clone(), new);
            }),
            None => begin(draft, files, (&catalogue, &over), id, entry, &new, today).map(|()| {
                plan.begun.insert(id.clone(), new.len());
            }),
        };
        plan.refused.extend(imported.err().map(|error| (id.clone(), error)));
    }
    plan
}

fn add(draft: &mut Draft, files: &KnowledgeFiles, file: &str, questions: &[String]) -> Result<(), EditError> {
    let mut text = TomlText::parse(file, draft.text(files, file).unwrap_or_default())?;
    text.add_to_list("examples", "utterances", questions)?;
    draft.put(files, file, Some(text.text()))
}

fn begin(
    draft: &mut Draft,
    files: &KnowledgeFiles,
    (catalogue, over): (&Catalogue, &KnowledgeFiles),
    id: &str,
    entry: &FaqEntry,
    questions: &[String],
    today: Date,
) -> Result<(), EditError> {
    let new = NewScenario {
        id: id.to_owned(),
        title: String::new(),
        account: AccountKind::Any,
        questions: questions.to_vec(),
        answer: entry.answer.clone(),
    };
    let file = new.file(catalogue, over)?;
    draft.put(files, &file, Some(new.text(today)))
}
