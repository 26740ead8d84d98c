//! What would change if this knowledge replaced another one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{Figures, Share, number};
use crate::cli::print_line;
use crate::dialogue::Assistant;
use crate::evaluation::{AnsweredQuestion, Change, Measured};

/// What a line of the JSON format says about the change.
#[derive(Clone, Copy, Serialize)]
pub(super) struct ChangeOfRow<'a> {
    change: Change,
    old: OldAnswer<'a>,
}

#[derive(Clone, Copy, Serialize)]
struct OldAnswer<'a> {
    #[serde(flatten)]
    answered: &'a AnsweredQuestion,
    right: bool,
}

impl<'a> ChangeOfRow<'a> {
    pub(super) fn between(old: &'a Measured, new: &Measured) -> Self {
        let answered = &old.answered;
        Self {
            change: new.change_from(old),
            old: OldAnswer {
                answered,
                right: old.right,
            },
        }
    }
}

/// The comparison as a whole; the summary of the JSON format has it.
#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) gained: usize,
    pub(super) lost: usize,
    changed: usize,
    reworded: usize,
    same: usize,
    /// How probable as many gains over losses, or losses over gains, are if both directories understand equally well (sign test).
    chance: f64,
    /// Scenarios that only one of the two has.
    added_scenarios: Vec<String>,
    removed_scenarios: Vec<String>,
    /// The figures of the old knowledge.
    old: Figures,
}

impl Comparison {
    pub(super) fn of(old: &Side<'_>, new: &Side<'_>, old_figures: Figures) -> Self {
        let pairs = || old.rows.iter().zip(new.rows);
        let count = |wanted: Change| pairs().filter(|(old, new)| new.change_from(old) == wanted).count();
        let (gained, lost) = (count(Change::Gained), count(Change::Lost));
        Self {
            gained,
            lost,
            changed: count(Change::Changed),
            reworded: count(Change::Reworded),
            same: count(Change::Same),
            chance: sign_test(gained, lost),
            added_scenarios: only_in(new.assistant, old.assistant),
            removed_scenarios: only_in(old.assistant, new.assistant),
            old: old_figures,
        }
    }

    /// Prints what is gained, lost and changed, and the figures side by side.
    pub(super) fn print(&self, old: &[Measured], new: &[Measured], figures: &Figures) {
        print_rows("lost: right before, not any more", Change::Lost, old, new);
        print_rows("gained: wrong before, right now", Change::Gained, old, new);
        print_rows(
            "changed: something else, as right or wrong as before",
            Change::Changed,
            old,
            new,
        );
        print_reworded(old, new);
        print_ids("scenarios that are new", &self.added_scenarios);
        print_ids("scenarios that are gone", &self.removed_scenarios);
        self.print_shares(figures);
        let Self {
            gained,
            lost,
            changed,
            reworded,
            same,
            chance,
            ..
        } = self;
        print_line(&format!(
            "\n{gained} gained, {lost} lost, {changed} changed, {reworded} reworded, {same} the same"
        ));
        if gained.saturating_add(*lost) > 0 {
            print_line(&format!(
                "so uneven a split by chance alone: {:.0} % (sign test)",
                100.0 * chance
            ));
        }
    }

    fn print_shares(&self, figures: &Figures) {
        print_line(&format!("\n{:<14}{:>6}{:>10}{:>10}", "right", "rows", "before", "now"));
        let kinds = figures.by_label_kind.iter().map(|(kind, share)| (*kind, *share));
        let styles = figures.by_style.iter().map(|(style, share)| (style.as_str(), *share));
        for (name, share) in kinds.chain(styles) {
            let of_kind = self.old.by_label_kind.get(name).copied();
            let before = of_kind.or_else(|| self.old.by_style.get(name).copied());
            print_pair(name, before.unwrap_or_default(), share);
        }
        print_pair("all", self.old.all(), figures.all());
        print_pair("wrong answers", self.old.misled(), figures.misled());
    }
}

/// One of the two directories with what it makes of the rows.
pub(super) struct Side<'a> {
    pub(super) assistant: &'a Assistant,
    pub(super) rows: &'a [Measured],
}

fn only_in(one: &Assistant, other: &Assistant) -> Vec<String> {
    let ids = one.catalogue.scenarios.keys();
    ids.filter(|id| other.scenario(id).is_none()).cloned().collect()
}

fn print_pair(name: &str, before: Share, now: Share) {
    let (rows, before, now) = (now.rows, before.percentage(), now.percentage());
    print_line(&format!("{name:<14}{rows:>6}{before:>8.1} %{now:>8.1} %"));
}

fn print_ids(heading: &str, ids: &[String]) {
    if !ids.is_empty() {
        print_line(&format!("\n{heading}: {}", ids.join(", ")));
    }
}

fn print_rows(heading: &str, wanted: Change, old: &[Measured], new: &[Measured]) {
    let pairs: Vec<_> = old
        .iter()
        .zip(new)
        .filter(|(old, new)| new.change_from(old) == wanted)
        .collect();
    if !pairs.is_empty() {
        print_line(&format!("\n{heading} ({})", pairs.len()));
    }
    for (old, new) in pairs {
        let (question, label) = (&new.row.question, &new.row.label_text);
        let (before, now) = (old.answered.in_words(), new.answered.in_words());
        print_line(&format!("  {question}\n      is {label}: {before} → {now}"));
    }
}

/// Which answers read differently, and how many rows get them.
fn print_reworded(old: &[Measured], new: &[Measured]) {
    let pairs = old
        .iter()
        .zip(new)
        .filter(|(old, new)| new.change_from(old) == Change::Reworded);
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for (_, new) in pairs {
        let rows = outcomes.entry(new.answered.outcome()).or_default();
        *rows = rows.saturating_add(1);
    }
    if !outcomes.is_empty() {
        print_line("\nreworded: the same in other words or in another order");
    }
    for (outcome, rows) in outcomes {
        print_line(&format!("{rows:>6}  {outcome}"));
    }
}

/// The probability that so uneven a split of rows that differ, or a more uneven one, comes about by chance.
fn sign_test(gained: usize, lost: usize) -> f64 {
    let rows = gained.saturating_add(lost);
    let mut logarithm = number(rows) * 0.5_f64.ln();
    let mut tail = 0.0;
    for count in 0..=gained.min(lost) {
        tail += logarithm.exp();
        logarithm += (number(rows.saturating_sub(count)) / number(count.saturating_add(1))).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_is_that_of_the_sign_test() {
        let near = |one: f64, other: f64| (one - other).abs() < 1e-3;
        assert!(near(sign_test(0, 0), 1.0) && near(sign_test(5, 5), 1.0));
        assert!(near(sign_test(8, 1), 0.0391), "{}", sign_test(8, 1));
        assert!(sign_test(2000, 10) < 1e-9);
    }
}
