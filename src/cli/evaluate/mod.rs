//! `jiefeng evaluate`: answers measured against labels.
//!
//! [`crate::evaluation`] asks and judges (or [`folds`] takes the questions from the utterances), [`figures`] counts, [`tables`] prints. [`worst`] explains the worst rows, [`comparison`] says what another knowledge made of the same
//! rows, [`gates`] decides whether it is good enough.

mod comparison;
mod figures;
mod folds;
mod gates;
mod line;
mod tables;
mod worst;

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::text_file::read_text;
use super::{Failure, KnowledgeOption, load_knowledge, print_error, print_line};
use crate::dialogue::Assistant;
use crate::evaluation::{Measured, Row, rows_of};
use comparison::{Comparison, Side};
use figures::{Figures, Summary};
use folds::{Folds, validate};
use gates::Gates;
use line::RowLine;

/// Measure answers against a file of questions with the right answers
#[derive(Args)]
#[command(
    group = ArgGroup::new("source").args(["file", "folds", "leave_one_out"]).required(true),
    after_help = "FILE is tab-separated with a header; columns `question` and `label`, others (such as `style`) are reported on.
Labels: a scenario id, `none` (outside the subject), `smalltalk`, `human`, or `ambiguous:id|id` (asking back is right).

  jiefeng evaluate knowledge/eval/development.tsv
  jiefeng evaluate questions.tsv --worst 10                what misled it, and which utterance is to blame
  jiefeng evaluate questions.tsv --compare old-knowledge   what changes if ./knowledge replaces old-knowledge
  jiefeng evaluate --folds 10                              no file: the utterances, by matchers that have not seen them
  jiefeng evaluate questions.tsv --at-least 96 --at-least none=90 --at-most-wrong 3
  jiefeng evaluate questions.tsv --format jsonl | tail -1"
)]
pub(super) struct Evaluate {
    /// Tab-separated questions and labels
    file: Option<PathBuf>,
    /// Instead, deal the utterances of the knowledge into N parts, and judge each by a matcher trained on the others
    #[arg(long, alias = "cross-validate", value_name = "N", value_parser = parse_folds)]
    folds: Option<usize>,
    /// The same with a matcher for every single utterance: for small knowledge, or for a long break
    #[arg(long)]
    leave_one_out: bool,
    /// Say what would change if the knowledge replaced that of OLD_DIR: rows gained, lost and changed
    #[arg(long, value_name = "OLD_DIR", requires = "file")]
    compare: Option<PathBuf>,
    /// Explain the N worst rows, the most confidently wrong first, instead of naming every wrong one
    #[arg(long, value_name = "N")]
    worst: Option<usize>,
    /// text: tables and the wrong rows; jsonl: a line a row and a summary
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    gates: Gates,
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
        let mut assistant = self.knowledge.load()?;
        match &self.file {
            Some(file) => self.measure_file(file, &assistant),
            None => self.measure_utterances(&mut assistant),
        }
    }

    fn measure_file(&self, file: &Path, assistant: &Assistant) -> Result<(), Failure> {
        let old = self.compare.as_deref().map(load_knowledge).transpose()?;
        let assistants: Vec<&Assistant> = [assistant].into_iter().chain(&old).collect();
        let rows = rows_of(&file.display().to_string(), &read_text(file)?, &assistants)?;
        let now = Timestamp::now();
        let measure = |assistant: &Assistant, rows: Vec<Row>, explain: bool| -> Vec<Measured> {
            let measured = rows.into_iter().map(|row| Measured::of(assistant, row, now, explain));
            measured.collect()
        };
        let before = old.as_ref().map(|old| measure(old, rows.clone(), false));
        let measured = measure(assistant, rows, self.worst.is_some());
        let comparison = old.as_ref().zip(before.as_deref()).map(|(old, rows)| {
            let old = Side { assistant: old, rows };
            let new = Side {
                assistant,
                rows: &measured,
            };
            Comparison::of(&old, &new, Summary::of(rows).figures())
        });
        self.report(&measured, before.as_deref().zip(comparison))
    }

    fn measure_utterances(&self, assistant: &mut Assistant) -> Result<(), Failure> {
        let folds = self.folds.map_or(Folds::OneEach, Folds::Count);
        let validated = validate(assistant, folds, self.worst.is_some())?;
        if matches!(self.format, Format::Text) {
            let (rows, folds) = (validated.rows.len(), validated.folds);
            print_line(&format!(
                "{rows} utterances, each judged by a matcher that has not seen it ({folds} folds)"
            ));
        }
        self.report(&validated.rows, None)
    }

    fn report(&self, measured: &[Measured], old: Option<(&[Measured], Comparison)>) -> Result<(), Failure> {
        let summary = Summary::of(measured);
        let figures = summary.figures();
        match self.format {
            Format::Jsonl => self.print_lines(measured, &figures, old.as_ref())?,
            Format::Text => self.print_report(measured, &summary, &figures, old.as_ref()),
        }
        let missed = self.gates.missed(&figures, old.map(|(_, comparison)| comparison.lost));
        if missed.is_empty() {
            return Ok(());
        }
        missed
            .into_iter()
            .for_each(|sentence| print_error(&anyhow::anyhow!(sentence)));
        Err(Failure::FoundProblems)
    }

    fn print_lines(
        &self,
        measured: &[Measured],
        figures: &Figures,
        old: Option<&(&[Measured], Comparison)>,
    ) -> Result<(), anyhow::Error> {
        let worst = worst::worst(measured, self.worst.unwrap_or_default());
        for (place, row) in measured.iter().enumerate() {
            let rank = worst.iter().position(|worst| *worst == place);
            let before = old.and_then(|(before, _)| before.get(place));
            let line = RowLine::of(row, rank.map(|rank| rank.saturating_add(1)), before);
            print_line(&serde_json::to_string(&line)?);
        }
        let compare = old.map(|(_, comparison)| comparison);
        print_line(&serde_json::to_string(&SummaryLine {
            summary: SummaryFigures { figures, compare },
        })?);
        Ok(())
    }

    fn print_report(
        &self,
        measured: &[Measured],
        summary: &Summary,
        figures: &Figures,
        old: Option<&(&[Measured], Comparison)>,
    ) {
        match self.worst {
            Some(count) => worst::print_worst(measured, count),
            None if self.file.is_some() && old.is_none() => print_wrong(measured),
            None => {}
        }
        tables::print_tables(summary, figures);
        if let Some((before, comparison)) = old {
            comparison.print(before, measured, figures);
        }
    }
}

fn print_wrong(measured: &[Measured]) {
    for row in measured.iter().filter(|row| !row.right) {
        let (question, label) = (&row.row.question, &row.row.label_text);
        print_line(&format!(
            "✗ {question}\n    is {label}, got {}",
            row.answered.in_words()
        ));
    }
}

fn parse_folds(text: &str) -> Result<usize, String> {
    let folds = text.parse::<usize>().ok().filter(|folds| *folds >= 2);
    folds.ok_or_else(|| format!("`{text}` is no number of parts; write 2 or more"))
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    summary: SummaryFigures<'a>,
}

#[derive(Serialize)]
struct SummaryFigures<'a> {
    #[serde(flatten)]
    figures: &'a Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    compare: Option<&'a Comparison>,
}
