//! `jiefeng evaluate`: answers measured against labels.

mod cross_validation;
mod figures;
mod rows;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::ask::AnsweredQuestion;
use super::{Failure, KnowledgeOption, print_line};
use cross_validation::cross_validate;
use figures::{Figures, Summary};
use rows::{Row, read_rows};

/// Measure answers against a file of questions with the right answers
#[derive(Args)]
#[command(
    after_help = "FILE is tab-separated with a header; columns `question` and `label`, others (such as `style`) are reported on.
Labels: a scenario id, `none` (outside the subject), `smalltalk`, `human`, or `ambiguous:id|id` (asking back is right).

  jiefeng evaluate knowledge/eval/development.tsv
  jiefeng evaluate questions.tsv --format jsonl | tail -1"
)]
pub(super) struct Evaluate {
    /// Tab-separated questions and labels
    #[arg(required_unless_present = "cross_validate")]
    file: Option<PathBuf>,
    /// Instead, hold back every N-th utterance of the knowledge in turn and judge it by the rest
    #[arg(long, value_name = "N", conflicts_with = "file", value_parser = clap::value_parser!(u8).range(2..=50))]
    cross_validate: Option<u8>,
    /// text: tables and the wrong rows; jsonl: a line a row and a summary
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with status 1 when fewer rows than this percentage are right
    #[arg(long, value_name = "PERCENT")]
    at_least: Option<f64>,
    #[command(flatten)]
    knowledge: KnowledgeOption,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Jsonl,
}

impl Evaluate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let assistant = self.knowledge.load()?;
        if let Some(folds) = self.cross_validate {
            cross_validate(&assistant, usize::from(folds));
            return Ok(());
        }
        let Some(file) = &self.file else { return Ok(()) };
        let rows = read_rows(file, &assistant)?;
        let now = Timestamp::now();
        let mut summary = Summary::default();
        for row in &rows {
            let answered = AnsweredQuestion::first(&assistant, &row.question, now);
            let right = row.label.is_met_by(&answered);
            summary.count(row, right, &answered);
            self.print_row(row, &answered, right)?;
        }
        self.print_summary(&summary)?;
        match self.at_least {
            Some(percent) if summary.all.percentage() < percent => Err(Failure::FoundProblems),
            _ => Ok(()),
        }
    }

    fn print_row(&self, row: &Row, answered: &AnsweredQuestion, right: bool) -> Result<(), anyhow::Error> {
        match self.format {
            Format::Jsonl => print_line(&serde_json::to_string(&RowLine {
                answered,
                label: &row.label_text,
                right,
            })?),
            Format::Text if !right => {
                let scenarios = answered.scenarios.iter().take(3).cloned().collect::<Vec<_>>().join("|");
                let decision = answered.decision.name();
                print_line(&format!(
                    "✗ {}\n    is {}, got {decision} {scenarios} ({:.2})",
                    row.question, row.label_text, answered.confidence
                ));
            }
            Format::Text => {}
        }
        Ok(())
    }

    fn print_summary(&self, summary: &Summary) -> Result<(), anyhow::Error> {
        match self.format {
            Format::Jsonl => print_line(&serde_json::to_string(&SummaryLine {
                summary: summary.figures(),
            })?),
            Format::Text => summary.print(),
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct RowLine<'a> {
    #[serde(flatten)]
    answered: &'a AnsweredQuestion,
    label: &'a str,
    right: bool,
}

#[derive(Serialize)]
struct SummaryLine {
    summary: Figures,
}
