//! Which answers would change if a draft were published.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::questions::{TrialQuestion, TrialQuestions};
use crate::dialogue::Assistant;
use crate::evaluation::{AnsweredQuestion, Change};

/// So often it is said how far one is.
const SAID_EVERY: usize = 50;

/// A question that would be answered otherwise.
pub struct ChangedAnswer {
    /// The file that it is labelled in, and the label; nothing for what an employee asked.
    pub label: Option<(String, String)>,
    /// What becomes of it.
    pub change: Change,
    /// What is answered now.
    pub before: AnsweredQuestion,
    /// What would be answered.
    pub after: AnsweredQuestion,
}

/// Questions that would be answered by the same scenario, or with the same decision, in other words.
pub struct Reworded {
    /// How many.
    pub questions: usize,
    /// The first of them: what is answered now.
    pub before: AnsweredQuestion,
    /// And what would be answered.
    pub after: AnsweredQuestion,
}

/// What publishing would change.
#[derive(Default)]
pub struct Preview {
    /// How many questions of employees were tried.
    pub asked: usize,
    /// How many labelled rows were tried.
    pub labelled: usize,
    /// How many of these are right now.
    pub right_before: usize,
    /// And how many would be.
    pub right_after: usize,
    /// Answers with another decision, scenario or choice: those that get wrong first, then those that get right, then the others.
    pub changed: Vec<ChangedAnswer>,
    /// Answers in other words, by the scenario or decision.
    pub reworded: BTreeMap<String, Reworded>,
    /// Why a file of labelled rows was left out.
    pub left_out: Vec<String>,
}

impl Preview {
    /// Asks both assistants every question. `said` hears now and then how many have been asked, and says whether to go on.
    ///
    /// Returns nothing if it was not to go on.
    pub fn of(
        (current, candidate): (&Assistant, &Assistant),
        trial: TrialQuestions,
        now: Timestamp,
        said: impl Fn(usize) -> bool,
    ) -> Option<Self> {
        let mut preview = Self {
            left_out: trial.left_out,
            ..Self::default()
        };
        for (count, question) in trial.questions.iter().enumerate() {
            if count.is_multiple_of(SAID_EVERY) && !said(count) {
                return None;
            }
            let before = AnsweredQuestion::first(current, &question.text, now);
            let after = AnsweredQuestion::first(candidate, &question.text, now);
            preview.take(question, before, after);
        }
        preview.changed.sort_by_key(|changed| rank(changed.change));
        Some(preview)
    }

    fn take(&mut self, question: &TrialQuestion, before: AnsweredQuestion, after: AnsweredQuestion) {
        let mut change = after.change_from(&before);
        match &question.labelled {
            None => count(&mut self.asked, true),
            Some((_, row)) => {
                let (was_right, is_right) = (row.label.is_met_by(&before), row.label.is_met_by(&after));
                count(&mut self.labelled, true);
                count(&mut self.right_before, was_right);
                count(&mut self.right_after, is_right);
                change = match (was_right, is_right) {
                    (false, true) => Change::Gained,
                    (true, false) => Change::Lost,
                    _ => change,
                };
            }
        }
        match change {
            Change::Same => {}
            Change::Reworded => self.take_reworded(before, after),
            Change::Gained | Change::Lost | Change::Changed => {
                let label = question.labelled.as_ref();
                self.changed.push(ChangedAnswer {
                    label: label.map(|(file, row)| (file.clone(), row.label_text.clone())),
                    change,
                    before,
                    after,
                });
            }
        }
    }

    fn take_reworded(&mut self, before: AnsweredQuestion, after: AnsweredQuestion) {
        let reworded = self.reworded.entry(after.outcome()).or_insert(Reworded {
            questions: 0,
            before,
            after,
        });
        count(&mut reworded.questions, true);
    }

    /// How many answers of this kind there are.
    pub fn count(&self, change: Change) -> usize {
        self.changed.iter().filter(|changed| changed.change == change).count()
    }
}

fn rank(change: Change) -> u8 {
    match change {
        Change::Lost => 0,
        Change::Gained => 1,
        Change::Changed => 2,
        Change::Reworded | Change::Same => 3,
    }
}

fn count(counter: &mut usize, one: bool) {
    *counter = counter.saturating_add(usize::from(one));
}
