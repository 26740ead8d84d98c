//! One question with its label and what came of it.

use jiff::Timestamp;

use super::answered::AnsweredQuestion;
use super::rows::Row;
use crate::dialogue::{Assistant, DecisionKind};
use crate::matching::Explanation;

/// A row, judged.
pub struct Measured {
    /// What was asked, and what would be right.
    pub row: Row,
    /// What came of it.
    pub answered: AnsweredQuestion,
    /// Whether that is right.
    pub right: bool,
    /// What the judgement rests on, where it is wrong and somebody wants to know.
    pub evidence: Option<Explanation>,
}

impl Measured {
    /// Asks the row's question in a new conversation.
    pub fn of(assistant: &Assistant, row: Row, now: Timestamp, explain: bool) -> Self {
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

    /// How sure the bot was of what is not right.
    pub fn certainty(&self) -> f32 {
        match self.answered.decision {
            DecisionKind::Answer | DecisionKind::Smalltalk | DecisionKind::Human => self.answered.confidence,
            DecisionKind::AskBack | DecisionKind::Refuse => 1.0 - self.answered.confidence,
        }
    }
}
