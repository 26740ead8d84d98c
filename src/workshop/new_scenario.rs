//! A scenario that is still to be written: what is known of it, and a mark wherever an admin has to write something.

use jiff::civil::Date;
use toml_edit::Value;

use super::edit::EditError;
use crate::knowledge::{AccountKind, Catalogue, KnowledgeFiles, TO_FILL_IN, is_identifier};

/// What is known of a new scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewScenario {
    /// Its id, which is also the name of its file.
    pub id: String,
    /// Its heading in Chinese.
    pub title: String,
    /// Whose account it is about.
    pub account: AccountKind,
    /// What people ask.
    pub questions: Vec<String>,
    /// What is answered, if that is known.
    pub answer: Option<String>,
}

impl NewScenario {
    /// The file that it will stand in.
    pub(super) fn file(&self, catalogue: &Catalogue, files: &KnowledgeFiles) -> Result<String, EditError> {
        if !is_identifier(&self.id) {
            return Err(EditError::Id(self.id.clone()));
        }
        let file = format!("scenarios/{}.toml", self.id);
        match catalogue.scenarios.contains_key(&self.id) || files.text(&file).is_some() {
            true => Err(EditError::ScenarioExists(self.id.clone())),
            false => Ok(file),
        }
    }

    /// Its text.
    pub(super) fn text(&self, today: Date) -> String {
        let unwritten = quoted(TO_FILL_IN);
        let title = quoted(match self.title.trim() {
            "" => TO_FILL_IN,
            title => title,
        });
        let what = self.answer.as_deref().map_or(unwritten.clone(), quoted);
        let questions: String = self
            .questions
            .iter()
            .map(|question| format!("  {},\n", quoted(question)))
            .collect();
        let (id, account) = (quoted(&self.id), quoted(self.account.name()));
        format!(
            r#"# Everything that is marked is to be written; nothing can be published before. See README.md for what belongs where.
id = {id}
draft = true                # take this line out once there are 30 example questions
account = {account}
appeal_possible = "no"      # no, yes, depends, self-service
appeal_window = false       # true: the answer ends with the two dates after 3 to 7 business days

sources = [
  # kind: official, restated, business, client, case, inferred
  {{ name = {unwritten}, kind = "business", checked = {today} }},
]

[zh]
title = {title}
label = {title}
what = {what}
who = {unwritten}
steps = [
  {unwritten},
]
time = {unwritten}
appeal = {unwritten}
avoid = {unwritten}

[en]
title = {unwritten}
label = {unwritten}
what = {unwritten}
who = {unwritten}
steps = [
  {unwritten},
]
time = {unwritten}
appeal = {unwritten}
avoid = {unwritten}

[examples]
utterances = [
{questions}]
"#
        )
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
