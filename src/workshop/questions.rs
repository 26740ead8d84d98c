//! The questions that a draft is tried with: what employees asked, and what the knowledge directory is measured with.

use std::collections::HashSet;
use std::path::Path;

use crate::dialogue::Assistant;
use crate::evaluation::{Row, rows_of};
use crate::store::QuestionRecord;

/// A question to try a draft with.
#[derive(Clone)]
pub struct TrialQuestion {
    /// As it was written.
    pub text: String,
    /// The file that it stands in, with its label; nothing for what an employee asked.
    pub labelled: Option<(String, Row)>,
}

/// What could be found to try a draft with.
#[derive(Clone, Default)]
pub struct TrialQuestions {
    /// The questions, those of employees first, the newest of them on top.
    pub questions: Vec<TrialQuestion>,
    /// Why a file was left out.
    pub left_out: Vec<String>,
}

impl TrialQuestions {
    /// Adds what employees asked, every text once, and not more than `most`.
    pub(super) fn add_asked(&mut self, asked: Vec<QuestionRecord>, most: usize) {
        let mut seen = HashSet::new();
        let texts = asked.into_iter().map(|question| question.text);
        let new = texts.filter(|text| seen.insert(text.clone())).take(most);
        self.questions
            .extend(new.map(|text| TrialQuestion { text, labelled: None }));
    }

    /// Adds the rows of `eval/*.tsv`. A label may name a scenario that any of the assistants knows.
    pub(super) fn add_files(&mut self, directory: &Path, assistants: &[&Assistant]) {
        let Ok(entries) = std::fs::read_dir(directory.join("eval")) else {
            return;
        };
        let mut files: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        for file in files
            .iter()
            .filter(|file| file.extension().is_some_and(|end| end == "tsv"))
        {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(file).map_err(|error| anyhow::anyhow!("{name}: {error}"));
            match text.and_then(|text| rows_of(&name, &text, assistants)) {
                Ok(rows) => self.questions.extend(rows.into_iter().map(|row| TrialQuestion {
                    text: row.question.clone(),
                    labelled: Some((name.clone(), row)),
                })),
                Err(error) => self.left_out.push(error.to_string()),
            }
        }
    }
}
