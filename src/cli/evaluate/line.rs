//! One row as a line of the JSON format.

use serde::Serialize;

use super::comparison::ChangeOfRow;
use crate::evaluation::{AnsweredQuestion, Measured};
use crate::matching::Explanation;

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
