//! The figures as tables for people.

use super::figures::{Figures, Outcomes, Share, Summary, ratio};
use crate::cli::print_line;

/// So many confused pairs are printed; the JSON format has all of them.
const CONFUSIONS: usize = 20;

/// So many labels are named that come out wrong most often.
const WEAKEST: usize = 8;

/// So many outcomes are named for each of them.
const OUTCOMES_OF_WEAKEST: usize = 3;

/// Prints everything that was counted.
pub(super) fn print_tables(summary: &Summary, figures: &Figures) {
    print_confusions(figures);
    print_weakest(summary);
    print_shares(
        "label",
        figures.by_label_kind.iter().map(|(kind, share)| (*kind, *share)),
    );
    print_shares(
        "style",
        figures.by_style.iter().map(|(style, share)| (style.as_str(), *share)),
    );
    print_ranking(figures);
    print_calibration(figures);
    print_line("");
    print_share("all", figures.all());
    print_share("wrong answers", figures.misled());
}

fn print_confusions(figures: &Figures) {
    if figures.confusions.is_empty() {
        return;
    }
    print_line("\nconfused (label → what came out)");
    for confusion in figures.confusions.iter().take(CONFUSIONS) {
        print_line(&format!(
            "{:>6}  {} → {}",
            confusion.rows, confusion.label, confusion.got
        ));
    }
    let others = figures.confusions.len().saturating_sub(CONFUSIONS);
    if others > 0 {
        print_line(&format!(
            "        and {others} more pairs; --format jsonl has all of them"
        ));
    }
}

fn print_weakest(summary: &Summary) {
    let weakest = summary.weakest(WEAKEST);
    if !weakest.is_empty() {
        print_line("\nunderstood worst");
    }
    for (label, of_label) in weakest {
        let mut got: Vec<(&String, &usize)> = of_label.got.iter().collect();
        got.sort_by_key(|(_, rows)| std::cmp::Reverse(**rows));
        let got = got.into_iter().take(OUTCOMES_OF_WEAKEST);
        let got: Vec<String> = got.map(|(outcome, rows)| format!("{outcome} {rows}")).collect();
        let Share { rows, right } = of_label.share;
        let wrong = rows.saturating_sub(right);
        print_line(&format!("{label:<28}{wrong:>4} of {rows} wrong: {}", got.join(", ")));
    }
}

fn print_shares<'a>(name: &str, shares: impl Iterator<Item = (&'a str, Share)>) {
    for (place, (kind, share)) in shares.enumerate() {
        if place == 0 {
            print_line(&format!(
                "\n{name:<14}{:>6}{:>8}{:>10}   95 % interval",
                "rows", "right", "share"
            ));
        }
        print_share(kind, share);
    }
}

fn print_share(name: &str, share: Share) {
    let (low, high) = share.interval();
    let (rows, right, percentage) = (share.rows, share.right, share.percentage());
    print_line(&format!(
        "{name:<14}{rows:>6}{right:>8}{percentage:>8.1} %   {low:>5.1} – {high:.1} %"
    ));
}

fn print_ranking(figures: &Figures) {
    if figures.scenario_rows > 0 {
        let (top_1, top_3, mean) = (figures.top_1, figures.top_3, figures.mean_reciprocal_rank);
        print_line(&format!(
            "\nscenario rows: first place {top_1:.3}, first three {top_3:.3}, mean reciprocal rank {mean:.3}"
        ));
        print_line(&in_words(&figures.outcomes, figures.scenario_rows));
    }
    if let Some(auroc) = figures.auroc {
        print_line(&format!("inside against outside the subject: AUROC {auroc:.3}"));
    }
}

fn in_words(outcomes: &Outcomes, rows: usize) -> String {
    let share = |(name, count): (&str, usize)| format!("{name} {:.1} %", 100.0 * ratio(count, rows));
    let shares = [
        ("answered right", outcomes.answered_right),
        ("answered wrong", outcomes.answered_wrong),
        ("asked back with the right one", outcomes.offered),
        ("asked back without it", outcomes.not_offered),
        ("refused", outcomes.refused),
        ("taken for talk", outcomes.taken_for_talk),
    ];
    shares.map(share).join(", ")
}

fn print_calibration(figures: &Figures) {
    if figures.calibration.is_empty() {
        return;
    }
    print_line(&format!(
        "\nconfidence    rows   said   right      (expected calibration error {:.3})",
        figures.calibration_error
    ));
    for band in &figures.calibration {
        print_line(&format!("{:>18}{:>7.2}{:>8.2}", band.rows, band.said, band.right));
    }
}
