//! The file of questions: rows, labels, columns.

use std::path::Path;

use anyhow::Context;

use crate::cli::ask::AnsweredQuestion;
use crate::dialogue::{Assistant, DecisionKind};

/// One row of the file.
pub(super) struct Row {
    pub(super) question: String,
    pub(super) label_text: String,
    pub(super) label: Label,
    pub(super) style: Option<String>,
}

/// What would be right.
pub(super) enum Label {
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

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scenario(_) => "scenario",
            Self::Outside => "none",
            Self::Smalltalk => "smalltalk",
            Self::Human => "human",
            Self::Ambiguous(_) => "ambiguous",
        }
    }

    pub(super) fn is_met_by(&self, answered: &AnsweredQuestion) -> bool {
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

pub(super) fn read_rows(file: &Path, assistant: &Assistant) -> Result<Vec<Row>, anyhow::Error> {
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
