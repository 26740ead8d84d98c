//! How well utterances are understood by a matcher that has not seen them.

use std::collections::{BTreeMap, HashMap};

use crate::cli::print_line;
use crate::dialogue::{Assistant, training_set};
use crate::matching::{Class, ClassKind, Decision, Matcher, TrainingSet};

/// What became of the held-back utterances of scenarios.
#[derive(Default)]
struct Outcomes {
    utterances: usize,
    first: usize,
    first_three: usize,
    answered_right: usize,
    answered_wrong: usize,
    asked_back_right: usize,
    refused: usize,
    /// Utterances by scenario, and how many of them another scenario won, by that scenario.
    by_scenario: BTreeMap<String, (usize, BTreeMap<String, usize>)>,
}

/// So many scenarios are named that are understood worst.
const WEAKEST: usize = 8;

/// Holds back every `folds`-th utterance in turn and prints what a matcher trained on the rest makes of it.
pub(super) fn cross_validate(assistant: &Assistant, folds: usize) {
    let set = training_set(&assistant.catalogue);
    let mut owners: HashMap<&str, usize> = HashMap::new();
    for utterance in set.classes.iter().flat_map(|class| &class.utterances) {
        let count = owners.entry(utterance).or_default();
        *count = count.saturating_add(1);
    }
    // What several scenarios share has no one right answer.
    let is_own = |utterance: &&String| owners.get(utterance.as_str()) == Some(&1);
    let mut outcomes = Outcomes::default();
    for fold in 0..folds {
        let matcher = Matcher::train(&split(&set, |index| index % folds != fold));
        let held_back = split(&set, |index| index % folds == fold);
        for class in held_back
            .classes
            .iter()
            .filter(|class| class.kind == ClassKind::Scenario)
        {
            for utterance in class.utterances.iter().filter(is_own) {
                outcomes.count(&matcher, class, utterance);
            }
        }
    }
    outcomes.print(folds);
    outcomes.print_weakest();
}

/// The part of a training set whose utterances' places within their class are wanted.
fn split(set: &TrainingSet, wanted: impl Fn(usize) -> bool) -> TrainingSet {
    let part = |class: &Class| Class {
        utterances: (0..)
            .zip(&class.utterances)
            .filter(|(index, _)| wanted(*index))
            .map(|(_, text)| text.clone())
            .collect(),
        ..class.clone()
    };
    TrainingSet {
        classes: set.classes.iter().map(part).collect(),
        ..set.clone()
    }
}

impl Outcomes {
    fn count(&mut self, matcher: &Matcher, class: &Class, utterance: &str) {
        let judgement = matcher.judge(utterance);
        let scenarios = judgement
            .candidates
            .iter()
            .filter(|candidate| candidate.kind == ClassKind::Scenario);
        let scenarios: Vec<_> = scenarios.take(3).collect();
        if let Some(first) = scenarios.first() {
            let (utterances, lost) = self.by_scenario.entry(class.id.clone()).or_default();
            *utterances = utterances.saturating_add(1);
            if first.id != class.id {
                let count = lost.entry(first.id.clone()).or_default();
                *count = count.saturating_add(1);
            }
        }
        let rank = scenarios.iter().position(|candidate| candidate.id == class.id);
        let add = |count: &mut usize, holds: bool| *count = count.saturating_add(usize::from(holds));
        add(&mut self.utterances, true);
        add(&mut self.first, rank == Some(0));
        add(&mut self.first_three, rank.is_some());
        match judgement.decision {
            Decision::Answer { scenario } => {
                add(&mut self.answered_right, scenario == class.id);
                add(&mut self.answered_wrong, scenario != class.id);
            }
            Decision::AskBack { options } => add(&mut self.asked_back_right, options.contains(&class.id)),
            Decision::Refuse => add(&mut self.refused, true),
            Decision::Smalltalk { .. } | Decision::Human => {}
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "utterance counts are far below 2^52")]
    fn print(&self, folds: usize) {
        let share = |count: usize| 100.0 * count as f64 / self.utterances.max(1) as f64;
        print_line(&format!(
            "{} utterances of scenarios, each judged by a matcher that has not seen it ({folds} folds):",
            self.utterances
        ));
        for (name, count) in [
            ("first place", self.first),
            ("first three", self.first_three),
            ("answered right", self.answered_right),
            ("answered wrong", self.answered_wrong),
            ("asked back, right one offered", self.asked_back_right),
            ("refused", self.refused),
        ] {
            print_line(&format!("{name:<32}{:>6.1} %", share(count)));
        }
    }

    /// The scenarios that lose most of their utterances, and to which others.
    fn print_weakest(&self) {
        let lost = |lost: &BTreeMap<String, usize>| lost.values().sum::<usize>();
        let mut scenarios: Vec<_> = self.by_scenario.iter().collect();
        scenarios.sort_by_key(|(_, (utterances, lost_to))| {
            std::cmp::Reverse(lost(lost_to).saturating_mul(1000) / (*utterances).max(1))
        });
        print_line("\nunderstood worst");
        for (id, (utterances, lost_to)) in scenarios.into_iter().take(WEAKEST) {
            let mut winners: Vec<_> = lost_to.iter().collect();
            winners.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let winners: Vec<String> = winners
                .iter()
                .take(3)
                .map(|(winner, count)| format!("{winner} {count}"))
                .collect();
            print_line(&format!(
                "{id:<28}{:>4} of {utterances} lost: {}",
                lost(lost_to),
                winners.join(", ")
            ));
        }
    }
}
