//! The worst rows: the ones about which the bot was surest, with what misled it.

use std::cmp::Ordering;

use crate::cli::print_line;
use crate::dialogue::DecisionKind;
use crate::evaluation::{Label, Measured};
use crate::matching::{Explanation, Reasons};

/// The places of the `count` worst rows, the worst first: wrong answers before everything else, since they mislead, and among equals
/// the ones of which the bot was surest.
pub(super) fn worst(rows: &[Measured], count: usize) -> Vec<usize> {
    let mut wrong: Vec<(usize, &Measured)> = rows.iter().enumerate().filter(|(_, row)| !row.right).collect();
    wrong.sort_by(|(_, one), (_, other)| order(one, other));
    wrong.into_iter().map(|(place, _)| place).take(count).collect()
}

fn order(one: &Measured, other: &Measured) -> Ordering {
    let misleads = |row: &Measured| row.answered.decision == DecisionKind::Answer;
    let by_harm = misleads(other).cmp(&misleads(one));
    by_harm.then_with(|| other.certainty().total_cmp(&one.certainty()))
}

/// Prints the worst rows with their evidence.
pub(super) fn print_worst(rows: &[Measured], count: usize) {
    let worst = worst(rows, count);
    if !worst.is_empty() {
        print_line("worst rows, wrong answers first, the surest of them on top");
    }
    for (number, row) in (1..).zip(worst.into_iter().filter_map(|place| rows.get(place))) {
        let (question, label) = (&row.row.question, &row.row.label_text);
        print_line(&format!(
            "{number:>3}. {question}\n     is {label}, got {}",
            row.answered.in_words()
        ));
        if let Some(evidence) = &row.evidence {
            print_evidence(&row.row.label, evidence);
        }
    }
}

/// What speaks for what came out, and for what should have.
fn print_evidence(label: &Label, evidence: &Explanation) {
    let sound = if evidence.by_sound_only { " (by sound only)" } else { "" };
    print_line(&format!("     read as: {}{sound}", evidence.read_as));
    let is_wanted = |reasons: &&Reasons| label.names(&reasons.candidate.id);
    let first = evidence.reasons.first();
    let wanted = evidence.reasons.iter().skip(1).find(is_wanted);
    for reasons in first.into_iter().chain(wanted) {
        print_line(&indented(&reasons.to_string()));
    }
    let is_missing = !matches!(label, Label::Smalltalk | Label::Human)
        && !evidence.reasons.iter().any(|one| label.names(&one.candidate.id));
    if is_missing && !evidence.reasons.is_empty() {
        print_line("       the label is not among the first three");
    }
    if !evidence.never_seen.is_empty() {
        print_line(&format!("     never seen: {}", evidence.never_seen.join("  ")));
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| format!("     {line}")).collect();
    lines.join("\n")
}
