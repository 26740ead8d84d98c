//! The file of questions: rows, labels, columns.

use super::answered::AnsweredQuestion;
use crate::dialogue::{Assistant, DecisionKind};
use crate::knowledge::OUTSIDE;

/// A question with its label.
#[derive(Clone)]
pub struct Row {
    /// As it is asked.
    pub question: String,
    /// The label as it is written.
    pub label_text: String,
    /// What would be right.
    pub label: Label,
    /// How it is written, if the file says so.
    pub style: Option<String>,
}

impl Row {
    /// An utterance of the knowledge as a row.
    pub fn of_utterance(text: &str, label: Label) -> Self {
        Self {
            question: text.to_owned(),
            label_text: label.text(),
            label,
            style: None,
        }
    }
}

/// What would be right.
#[derive(Clone)]
pub enum Label {
    /// This scenario.
    Scenario(String),
    /// A refusal: it is not the bot's subject.
    Outside,
    /// A friendly word back.
    Smalltalk,
    /// A person.
    Human,
    /// Asking back about one of these scenarios, or one of them.
    Ambiguous(Vec<String>),
}

impl Label {
    /// The names of the kinds, in the order in which they are explained.
    pub const KINDS: [&'static str; 5] = ["scenario", "none", "smalltalk", "human", "ambiguous"];

    fn parse(text: &str, assistants: &[&Assistant]) -> Result<Self, String> {
        let known = |id: &str| match assistants.iter().any(|assistant| assistant.scenario(id).is_some()) {
            true => Ok(id.to_owned()),
            false => Err(format!(
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

    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Scenario(_) => "scenario",
            Self::Outside => "none",
            Self::Smalltalk => "smalltalk",
            Self::Human => "human",
            Self::Ambiguous(_) => "ambiguous",
        }
    }

    /// As it is written in a file.
    fn text(&self) -> String {
        match self {
            Self::Scenario(id) => id.clone(),
            Self::Outside | Self::Smalltalk | Self::Human => self.kind().to_owned(),
            Self::Ambiguous(ids) => format!("ambiguous:{}", ids.join("|")),
        }
    }

    /// Whether a class of the matcher is what the label means.
    pub fn names(&self, class: &str) -> bool {
        match self {
            Self::Scenario(id) => id == class,
            Self::Outside => class == OUTSIDE,
            Self::Ambiguous(ids) => ids.iter().any(|id| id == class),
            Self::Smalltalk | Self::Human => false,
        }
    }

    /// Whether this is what would be right.
    pub fn is_met_by(&self, answered: &AnsweredQuestion) -> bool {
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

/// The rows of a file of this name; a label may name a scenario that any of the assistants knows.
///
/// # Errors
///
/// The first line that cannot be used, with the name of the file.
pub fn rows_of(name: &str, text: &str, assistants: &[&Assistant]) -> Result<Vec<Row>, anyhow::Error> {
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r'));
    let columns = Columns::parse(lines.next().unwrap_or_default(), name)?;
    let mut rows = Vec::new();
    for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
        let row = columns.row(line, assistants);
        rows.push(row.map_err(|problem| anyhow::anyhow!("{name}:{number}: {problem}"))?);
    }
    anyhow::ensure!(
        !rows.is_empty(),
        "{name}: has no rows below its header, so there is nothing to measure"
    );
    Ok(rows)
}

/// Which column holds what.
struct Columns {
    question: usize,
    label: usize,
    style: Option<usize>,
}

impl Columns {
    fn parse(header: &str, name: &str) -> Result<Self, anyhow::Error> {
        let place = |name: &str| header.split('\t').position(|column| column.trim() == name);
        let (Some(question), Some(label)) = (place("question"), place("label")) else {
            anyhow::bail!("{name}:1: the header must name the columns `question` and `label`, separated by tabs");
        };
        Ok(Self {
            question,
            label,
            style: place("style"),
        })
    }

    fn row(&self, line: &str, assistants: &[&Assistant]) -> Result<Row, String> {
        let fields: Vec<&str> = line.split('\t').collect();
        let field = |place: usize, name: &str| fields.get(place).copied().ok_or(format!("has no column `{name}`"));
        let label_text = field(self.label, "label")?.trim().to_owned();
        Ok(Row {
            question: field(self.question, "question")?.to_owned(),
            label: Label::parse(&label_text, assistants)?,
            label_text,
            style: self
                .style
                .and_then(|place| fields.get(place))
                .map(|style| style.trim().to_owned()),
        })
    }
}
