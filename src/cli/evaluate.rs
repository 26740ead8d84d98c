//! `jiefeng evaluate`: answers measured against labels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::ask::AnsweredQuestion;
use super::{Failure, KnowledgeOption, print_line};
use crate::dialogue::{Assistant, DecisionKind};

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
    file: PathBuf,
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
        let rows = read_rows(&self.file, &assistant)?;
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
                let scenarios = answered.scenarios.join("|");
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

/// One row of the file.
struct Row {
    question: String,
    label_text: String,
    label: Label,
    style: Option<String>,
}

/// What would be right.
enum Label {
    Scenario(String),
    Outside,
    Smalltalk,
    Human,
    Ambiguous(Vec<String>),
}

impl Label {
    fn parse(text: &str, assistant: &Assistant) -> Result<Self, String> {
        let known = |id: &str| match assistant.scenario(id) {
            Some(_) => Ok(id.to_owned()),
            None => Err(format!(
                "`{id}` is neither a scenario nor none, smalltalk, human or ambiguous:id|id"
            )),
        };
        match text {
            "none" => Ok(Self::Outside),
            "smalltalk" => Ok(Self::Smalltalk),
            "human" => Ok(Self::Human),
            _ => match text.strip_prefix("ambiguous:") {
                Some(ids) => Ok(Self::Ambiguous(ids.split('|').map(known).collect::<Result<_, _>>()?)),
                None => Ok(Self::Scenario(known(text)?)),
            },
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Scenario(_) => "scenario",
            Self::Outside => "none",
            Self::Smalltalk => "smalltalk",
            Self::Human => "human",
            Self::Ambiguous(_) => "ambiguous",
        }
    }

    fn is_met_by(&self, answered: &AnsweredQuestion) -> bool {
        let first = answered.scenarios.first();
        match (self, answered.decision) {
            (Self::Scenario(id), DecisionKind::Answer) => first == Some(id),
            (Self::Outside, decision) => !matches!(decision, DecisionKind::Answer | DecisionKind::AskBack),
            (Self::Smalltalk, decision) => decision == DecisionKind::Smalltalk,
            (Self::Human, decision) => decision == DecisionKind::Human,
            (Self::Ambiguous(ids), DecisionKind::Answer) => first.is_some_and(|id| ids.contains(id)),
            (Self::Ambiguous(ids), DecisionKind::AskBack) => {
                answered.options.iter().any(|option| ids.contains(&option.id))
            }
            (Self::Scenario(_) | Self::Ambiguous(_), _) => false,
        }
    }
}

fn read_rows(file: &Path, assistant: &Assistant) -> Result<Vec<Row>, anyhow::Error> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(|line| line.trim_end_matches('\r'));
    let columns = Columns::parse(lines.next().unwrap_or_default(), file)?;
    let mut rows = Vec::new();
    for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
        let row = columns
            .row(line, assistant)
            .map_err(|problem| anyhow::anyhow!("{}:{number}: {problem}", file.display()))?;
        rows.push(row);
    }
    Ok(rows)
}

/// Which column holds what.
struct Columns {
    question: usize,
    label: usize,
    style: Option<usize>,
}

impl Columns {
    fn parse(header: &str, file: &Path) -> Result<Self, anyhow::Error> {
        let place = |name: &str| header.split('\t').position(|column| column.trim() == name);
        let (Some(question), Some(label)) = (place("question"), place("label")) else {
            anyhow::bail!(
                "{}:1: the header must name the columns `question` and `label`, separated by tabs",
                file.display()
            );
        };
        Ok(Self {
            question,
            label,
            style: place("style"),
        })
    }

    fn row(&self, line: &str, assistant: &Assistant) -> Result<Row, String> {
        let fields: Vec<&str> = line.split('\t').collect();
        let field = |place: usize, name: &str| fields.get(place).copied().ok_or(format!("has no column `{name}`"));
        let label_text = field(self.label, "label")?.trim().to_owned();
        Ok(Row {
            question: field(self.question, "question")?.to_owned(),
            label: Label::parse(&label_text, assistant)?,
            label_text,
            style: self
                .style
                .and_then(|place| fields.get(place))
                .map(|style| style.trim().to_owned()),
        })
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

#[derive(Serialize)]
struct Figures {
    rows: usize,
    right: usize,
    wrong_answers: usize,
    by_label_kind: BTreeMap<&'static str, Share>,
    by_style: BTreeMap<String, Share>,
}

/// How many of some rows are right.
#[derive(Clone, Copy, Default, Serialize)]
struct Share {
    rows: usize,
    right: usize,
}

impl Share {
    fn add(&mut self, right: bool) {
        self.rows = self.rows.saturating_add(1);
        self.right = self.right.saturating_add(usize::from(right));
    }

    fn percentage(self) -> f64 {
        percentage(self.right, self.rows)
    }
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
fn percentage(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[derive(Default)]
struct Summary {
    all: Share,
    /// Rows answered with the wrong scenario, or answered though outside the subject: the error that misleads.
    wrong_answers: usize,
    by_label_kind: BTreeMap<&'static str, Share>,
    by_style: BTreeMap<String, Share>,
}

impl Summary {
    fn count(&mut self, row: &Row, right: bool, answered: &AnsweredQuestion) {
        self.all.add(right);
        self.by_label_kind.entry(row.label.kind()).or_default().add(right);
        if let Some(style) = &row.style {
            self.by_style.entry(style.clone()).or_default().add(right);
        }
        if !right && answered.decision == DecisionKind::Answer {
            self.wrong_answers = self.wrong_answers.saturating_add(1);
        }
    }

    fn figures(&self) -> Figures {
        Figures {
            rows: self.all.rows,
            right: self.all.right,
            wrong_answers: self.wrong_answers,
            by_label_kind: self.by_label_kind.clone(),
            by_style: self.by_style.clone(),
        }
    }

    fn print(&self) {
        let print = |name: &str, share: &Share| {
            print_line(&format!(
                "{name:<14}{:>6}{:>8}{:>8.1} %",
                share.rows,
                share.right,
                share.percentage()
            ));
        };
        print_line(&format!("\n{:<14}{:>6}{:>8}{:>10}", "label", "rows", "right", "share"));
        self.by_label_kind.iter().for_each(|(kind, share)| print(kind, share));
        if !self.by_style.is_empty() {
            print_line(&format!("\n{:<14}{:>6}{:>8}{:>10}", "style", "rows", "right", "share"));
            self.by_style.iter().for_each(|(style, share)| print(style, share));
        }
        print_line("");
        print("all", &self.all);
        let wrong = percentage(self.wrong_answers, self.all.rows);
        print_line(&format!(
            "{:<14}{:>6}{:>8}{wrong:>8.1} %",
            "wrong answers", "", self.wrong_answers
        ));
    }
}
