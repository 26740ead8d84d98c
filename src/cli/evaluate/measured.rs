//! One question with its label and what came of it.

use jiff::Timestamp;
use serde::Serialize;

use super::comparison::ChangeOfRow;
use super::rows::Row;
use crate::cli::ask::AnsweredQuestion;
use crate::dialogue::{Assistant, DecisionKind};
use crate::matching::Explanation;

/// A row, judged.
pub(super) struct Measured {
    pub(super) row: Row,
    pub(super) answered: AnsweredQuestion,
    pub(super) right: bool,
    /// What the judgement rests on, where it is wrong and somebody wants to know.
    pub(super) evidence: Option<Explanation>,
}

impl Measured {
    /// Asks the row's question in a new conversation.
    pub(super) fn of(assistant: &Assistant, row: Row, now: Timestamp, explain: bool) -> Self {
        let answered = AnsweredQuestion::first(assistant, &row.question, now);
        let right = row.label.is_met_by(&answered);
        let evidence = (explain && !right).then(|| assistant.matcher.explain(&row.question));
        Self {
            row,
            answered,
            right,
            evidence,
        }
    }

    /// What came out, as labels name it: the scenario that was answered, else the decision.
    pub(super) fn outcome(&self) -> String {
        match self.answered.decision {
            DecisionKind::Answer => self.answered.scenarios.first().cloned().unwrap_or_default(),
            other => other.name().to_owned(),
        }
    }

    /// The decision with the scenarios it was taken among, for people.
    pub(super) fn in_words(&self) -> String {
        let places = if self.answered.decision == DecisionKind::Answer {
            1
        } else {
            3
        };
        let scenarios: Vec<&str> = self
            .answered
            .scenarios
            .iter()
            .take(places)
            .map(String::as_str)
            .collect();
        let (decision, confidence) = (self.answered.decision.name(), self.answered.confidence);
        format!("{decision} {} ({confidence:.2})", scenarios.join("|"))
    }

    /// How sure the bot was of what is not right.
    pub(super) fn certainty(&self) -> f32 {
        match self.answered.decision {
            DecisionKind::Answer | DecisionKind::Smalltalk | DecisionKind::Human => self.answered.confidence,
            DecisionKind::AskBack | DecisionKind::Refuse => 1.0 - self.answered.confidence,
        }
    }
}

/// A line of the JSON format.
#[derive(Serialize)]
pub(super) struct RowLine<'a> {
    #[serde(flatten)]
    answered: &'a AnsweredQuestion,
    label: &'a str,
    right: bool,
    /// The place among the worst rows, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    worst: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a Explanation>,
    #[serde(flatten)]
    change: Option<ChangeOfRow<'a>>,
}

impl<'a> RowLine<'a> {
    pub(super) fn of(measured: &'a Measured, worst: Option<usize>, old: Option<&'a Measured>) -> Self {
        Self {
            answered: &measured.answered,
            label: &measured.row.label_text,
            right: measured.right,
            worst,
            evidence: worst.and(measured.evidence.as_ref()),
            change: old.map(|old| ChangeOfRow::between(old, measured)),
        }
    }
}
