//! What is counted over the rows, and how it is printed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::{Label, Row};
use crate::cli::ask::AnsweredQuestion;
use crate::cli::print_line;
use crate::dialogue::DecisionKind;

/// Confidences are compared with outcomes in so many bands.
const BANDS: usize = 10;

/// So many confusions are printed.
const CONFUSIONS: usize = 12;

/// How many of some rows are right.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Share {
    rows: usize,
    right: usize,
}

impl Share {
    pub(super) fn add(&mut self, right: bool) {
        self.rows = self.rows.saturating_add(1);
        self.right = self.right.saturating_add(usize::from(right));
    }

    pub(super) fn percentage(self) -> f64 {
        100.0 * ratio(self.right, self.rows)
    }

    /// The 95 % interval of the share (Wilson's), in percent.
    fn interval(self) -> (f64, f64) {
        const Z: f64 = 1.96;
        let (share, rows) = (ratio(self.right, self.rows), number(self.rows.max(1)));
        let spread = Z * (share * (1.0 - share) / rows + Z * Z / (4.0 * rows * rows)).sqrt();
        let (centre, scale) = (share + Z * Z / (2.0 * rows), 1.0 + Z * Z / rows);
        (100.0 * (centre - spread) / scale, 100.0 * (centre + spread) / scale)
    }

    fn print(self, name: &str) {
        let (low, high) = self.interval();
        let (rows, right, share) = (self.rows, self.right, self.percentage());
        print_line(&format!(
            "{name:<14}{rows:>6}{right:>8}{share:>8.1} %   {low:>5.1} – {high:.1} %"
        ));
    }
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
fn number(count: usize) -> f64 {
    count as f64
}

fn ratio(part: usize, whole: usize) -> f64 {
    number(part) / number(whole.max(1))
}

/// Everything counted so far.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) all: Share,
    /// Rows answered with the wrong scenario, or answered though outside the subject: the error that misleads.
    wrong_answers: usize,
    by_label_kind: BTreeMap<&'static str, Share>,
    by_style: BTreeMap<String, Share>,
    /// For every scenario row the place of its scenario among the candidates, from 0; `None` when it is not among them.
    ranks: Vec<Option<usize>>,
    /// Confidence that the best scenario is right, and whether it was: scenario rows and rows outside the subject.
    confidences: Vec<(f32, bool)>,
    inside: Vec<f32>,
    outside: Vec<f32>,
    confusions: BTreeMap<(String, String), usize>,
}

impl Summary {
    pub(super) fn count(&mut self, row: &Row, right: bool, answered: &AnsweredQuestion) {
        self.all.add(right);
        self.by_label_kind.entry(row.label.kind()).or_default().add(right);
        if let Some(style) = &row.style {
            self.by_style.entry(style.clone()).or_default().add(right);
        }
        if !right && answered.decision == DecisionKind::Answer {
            self.wrong_answers = self.wrong_answers.saturating_add(1);
        }
        self.count_ranking(row, answered);
        if !right {
            let confusion = self
                .confusions
                .entry((row.label_text.clone(), outcome_of(answered)))
                .or_default();
            *confusion = confusion.saturating_add(1);
        }
    }

    fn count_ranking(&mut self, row: &Row, answered: &AnsweredQuestion) {
        match &row.label {
            Label::Scenario(id) => {
                let rank = answered.scenarios.iter().position(|candidate| candidate == id);
                self.ranks.push(rank);
                self.inside.push(answered.confidence);
                self.confidences.push((answered.confidence, rank == Some(0)));
            }
            Label::Outside => {
                self.outside.push(answered.confidence);
                self.confidences.push((answered.confidence, false));
            }
            Label::Smalltalk | Label::Human | Label::Ambiguous(_) => {}
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let within = |places: usize| {
            self.ranks
                .iter()
                .filter(|rank| rank.is_some_and(|rank| rank < places))
                .count()
        };
        let reciprocal = |rank: &Option<usize>| rank.map_or(0.0, |rank| 1.0 / number(rank.saturating_add(1)));
        Figures {
            rows: self.all.rows,
            right: self.all.right,
            wrong_answers: self.wrong_answers,
            by_label_kind: self.by_label_kind.clone(),
            by_style: self.by_style.clone(),
            top_1: ratio(within(1), self.ranks.len()),
            top_3: ratio(within(3), self.ranks.len()),
            mean_reciprocal_rank: self.ranks.iter().map(reciprocal).sum::<f64>() / number(self.ranks.len().max(1)),
            auroc: area_under_curve(&self.inside, &self.outside),
            calibration_error: self.calibration_error(),
        }
    }

    /// The confidences in bands: rows, mean confidence, share right.
    fn bands(&self) -> Vec<(usize, f64, f64)> {
        let of_band = |band: usize| {
            let rows: Vec<(f64, bool)> = self
                .confidences
                .iter()
                .map(|(confidence, right)| (f64::from(*confidence), *right))
                .collect();
            let (low, high) = (ratio(band, BANDS), ratio(band.saturating_add(1), BANDS));
            let is_last = band.saturating_add(1) == BANDS;
            let inside = rows
                .into_iter()
                .filter(|(value, _)| *value >= low && (*value < high || is_last));
            let inside: Vec<(f64, bool)> = inside.collect();
            let mean = inside.iter().map(|(value, _)| value).sum::<f64>() / number(inside.len().max(1));
            (
                inside.len(),
                mean,
                ratio(inside.iter().filter(|(_, right)| *right).count(), inside.len()),
            )
        };
        (0..BANDS).map(of_band).filter(|(rows, ..)| *rows > 0).collect()
    }

    /// By how much a confidence misses the share that is right, on average.
    fn calibration_error(&self) -> f64 {
        let missed = self
            .bands()
            .into_iter()
            .map(|(rows, mean, right)| number(rows) * (mean - right).abs());
        missed.sum::<f64>() / number(self.confidences.len().max(1))
    }

    pub(super) fn print(&self) {
        self.print_confusions();
        print_line(&format!(
            "\n{:<14}{:>6}{:>8}{:>10}   95 % interval",
            "label", "rows", "right", "share"
        ));
        self.by_label_kind.iter().for_each(|(kind, share)| share.print(kind));
        if !self.by_style.is_empty() {
            print_line(&format!(
                "\n{:<14}{:>6}{:>8}{:>10}   95 % interval",
                "style", "rows", "right", "share"
            ));
            self.by_style.iter().for_each(|(style, share)| share.print(style));
        }
        self.print_ranking();
        print_line("");
        self.all.print("all");
        let wrong = Share {
            rows: self.all.rows,
            right: self.wrong_answers,
        };
        wrong.print("wrong answers");
    }

    fn print_confusions(&self) {
        let mut confusions: Vec<_> = self.confusions.iter().filter(|(_, count)| **count > 1).collect();
        confusions.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        if !confusions.is_empty() {
            print_line("\nconfused more than once");
        }
        for ((label, outcome), count) in confusions.into_iter().take(CONFUSIONS) {
            print_line(&format!("{count:>6}  {label} → {outcome}"));
        }
    }

    fn print_ranking(&self) {
        let figures = self.figures();
        if !self.ranks.is_empty() {
            let (top_1, top_3, mean) = (figures.top_1, figures.top_3, figures.mean_reciprocal_rank);
            print_line(&format!(
                "\nscenario rows: first place {top_1:.3}, first three {top_3:.3}, mean reciprocal rank {mean:.3}"
            ));
        }
        if let Some(auroc) = figures.auroc {
            print_line(&format!("inside against outside the subject: AUROC {auroc:.3}"));
        }
        if !self.confidences.is_empty() {
            print_line(&format!(
                "\nconfidence    rows   said   right      (expected calibration error {:.3})",
                figures.calibration_error
            ));
            for (rows, mean, right) in self.bands() {
                print_line(&format!("{rows:>18}{mean:>7.2}{right:>8.2}"));
            }
        }
    }
}

fn outcome_of(answered: &AnsweredQuestion) -> String {
    match answered.decision {
        DecisionKind::Answer => answered.scenarios.first().cloned().unwrap_or_default(),
        other => other.name().to_owned(),
    }
}

/// The probability that a row inside the subject has a higher confidence than one outside; `None` without both.
fn area_under_curve(inside: &[f32], outside: &[f32]) -> Option<f64> {
    if inside.is_empty() || outside.is_empty() {
        return None;
    }
    let won = |one: f32| {
        let points = outside.iter().map(|other| match one.total_cmp(other) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        });
        points.sum::<f64>()
    };
    let pairs = number(inside.len()) * number(outside.len());
    Some(inside.iter().map(|one| won(*one)).sum::<f64>() / pairs)
}

/// The summary line of the JSON format.
#[derive(Serialize)]
pub(super) struct Figures {
    rows: usize,
    right: usize,
    wrong_answers: usize,
    by_label_kind: BTreeMap<&'static str, Share>,
    by_style: BTreeMap<String, Share>,
    top_1: f64,
    top_3: f64,
    mean_reciprocal_rank: f64,
    auroc: Option<f64>,
    calibration_error: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        let (low, high) = Share { rows: 100, right: 95 }.interval();
        assert!((low - 88.8).abs() < 0.1 && (high - 97.8).abs() < 0.1, "{low} {high}");
        assert!(Share { rows: 10, right: 10 }.interval().1 <= 100.0);
    }

    #[test]
    fn the_area_counts_pairs() {
        assert_eq!(area_under_curve(&[0.9, 0.4], &[0.1, 0.4]), Some(0.875));
        assert_eq!(area_under_curve(&[], &[0.1]), None);
    }
}
