//! What becomes of a question when other knowledge answers it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::answered::AnsweredQuestion;
use super::measured::Measured;

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Wrong before, right now.
    Gained,
    /// Right before, wrong now.
    Lost,
    /// As right or wrong as before, but with another outcome or other options.
    Changed,
    /// The same outcome and options, in other words or in another order.
    Reworded,
    /// The very same reply.
    Same,
}

impl AnsweredQuestion {
    /// How it differs from what other knowledge made of the same question, where nobody says what would be right.
    pub fn change_from(&self, old: &Self) -> Change {
        if old.outcome() != self.outcome() || old.option_ids() != self.option_ids() {
            Change::Changed
        } else if old.reply != self.reply {
            Change::Reworded
        } else {
            Change::Same
        }
    }

    /// What can be chosen, whatever the order.
    fn option_ids(&self) -> BTreeSet<&str> {
        self.options.iter().map(|option| option.id.as_str()).collect()
    }
}

impl Measured {
    /// How it differs from what other knowledge made of the same row.
    pub fn change_from(&self, old: &Self) -> Change {
        match (old.right, self.right) {
            (false, true) => Change::Gained,
            (true, false) => Change::Lost,
            _ => self.answered.change_from(&old.answered),
        }
    }
}
