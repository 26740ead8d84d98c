//! What is counted over the rows.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dialogue::DecisionKind;
use crate::evaluation::{Label, Measured};

/// Confidences are compared with outcomes in so many bands.
const BANDS: usize = 10;

/// How many of some rows are right.
#[derive(Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Share {
    pub(super) rows: usize,
    pub(super) right: usize,
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
    pub(super) fn interval(self) -> (f64, f64) {
        const Z: f64 = 1.96;
        let (share, rows) = (ratio(self.right, self.rows), number(self.rows.max(1)));
        let spread = Z * (share * (1.0 - share) / rows + Z * Z / (4.0 * rows * rows)).sqrt();
        let (centre, scale) = (share + Z * Z / (2.0 * rows), 1.0 + Z * Z / rows);
        (100.0 * (centre - spread) / scale, 100.0 * (centre + spread) / scale)
    }
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
pub(super) fn number(count: usize) -> f64 {
    count as f64
}

pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    number(part) / number(whole.max(1))
}

/// What became of the rows of one label.
#[derive(Clone, Default)]
pub(super) struct OfLabel {
    pub(super) share: Share,
    /// What came out instead, and how often.
    pub(super) got: BTreeMap<String, usize>,
}

/// What became of the rows that are labelled with a scenario.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Outcomes {
    pub(super) answered_right: usize,
    pub(super) answered_wrong: usize,
    /// Asked back, and the right one was among the options.
    pub(super) offered: usize,
    /// Asked back without it.
    pub(super) not_offered: usize,
    pub(super) refused: usize,
    /// Taken for small talk or for a call for a person.
    pub(super) taken_for_talk: usize,
}

/// Confidences of one band, and how often they were right.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Band {
    pub(super) rows: usize,
    /// Mean confidence.
    pub(super) said: f64,
    /// Share that was right.
    pub(super) right: f64,
}

/// Rows of a label that came out as something else.
#[derive(Clone, Serialize)]
pub(super) struct Confusion {
    pub(super) label: String,
    pub(super) got: String,
    pub(super) rows: usize,
}

/// Everything counted so far.
#[derive(Default)]
pub(super) struct Summary {
    all: Share,
    /// Rows answered with the wrong scenario, or answered though outside the subject: the error that misleads.
    wrong_answers: usize,
    by_label_kind: BTreeMap<&'static str, Share>,
    by_style: BTreeMap<String, Share>,
    by_label: BTreeMap<String, OfLabel>,
    outcomes: Outcomes,
    /// For every scenario row the place of its scenario among the candidates, from 0; `None` when it is not among them.
    ranks: Vec<Option<usize>>,
    /// Confidence that the best scenario is right, and whether it was: scenario rows and rows outside the subject that were not taken
    /// for talk, whose confidence would be about the talk.
    confidences: Vec<(f32, bool)>,
    inside: Vec<f32>,
    outside: Vec<f32>,
}

impl Summary {
    pub(super) fn of<'a>(rows: impl IntoIterator<Item = &'a Measured>) -> Self {
        let mut summary = Self::default();
        rows.into_iter().for_each(|row| summary.count(row));
        summary
    }

    fn count(&mut self, measured: &Measured) {
        let (row, right) = (&measured.row, measured.right);
        self.all.add(right);
        self.by_label_kind.entry(row.label.kind()).or_default().add(right);
        if let Some(style) = &row.style {
            self.by_style.entry(style.clone()).or_default().add(right);
        }
        if !right && measured.answered.decision == DecisionKind::Answer {
            increase(&mut self.wrong_answers);
        }
        let of_label = self.by_label.entry(row.label_text.clone()).or_default();
        of_label.share.add(right);
        if !right {
            increase(of_label.got.entry(measured.answered.outcome()).or_default());
        }
        self.count_ranking(measured);
    }

    fn count_ranking(&mut self, measured: &Measured) {
        let answered = &measured.answered;
        let is_talk = matches!(answered.decision, DecisionKind::Smalltalk | DecisionKind::Human);
        let confidence = match is_talk {
            true => 1.0 - answered.confidence,
            false => answered.confidence,
        };
        let first_is_right = match &measured.row.label {
            Label::Scenario(id) => {
                let rank = answered.scenarios.iter().position(|candidate| candidate == id);
                self.ranks.push(rank);
                self.inside.push(confidence);
                self.outcomes.count(id, measured);
                rank == Some(0)
            }
            Label::Outside => {
                self.outside.push(confidence);
                false
            }
            Label::Smalltalk | Label::Human | Label::Ambiguous(_) => return,
        };
        if !is_talk {
            self.confidences.push((confidence, first_is_right));
        }
    }

    pub(super) fn figures(&self) -> Figures {
        let within = |places: usize| {
            let is_within = |rank: &&Option<usize>| rank.is_some_and(|rank| rank < places);
            self.ranks.iter().filter(is_within).count()
        };
        let reciprocal = |rank: &Option<usize>| rank.map_or(0.0, |rank| 1.0 / number(rank.saturating_add(1)));
        let calibration = self.bands();
        Figures {
            rows: self.all.rows,
            right: self.all.right,
            wrong_answers: self.wrong_answers,
            by_label_kind: self.by_label_kind.clone(),
            by_style: self.by_style.clone(),
            scenario_rows: self.ranks.len(),
            outcomes: self.outcomes,
            top_1: ratio(within(1), self.ranks.len()),
            top_3: ratio(within(3), self.ranks.len()),
            mean_reciprocal_rank: self.ranks.iter().map(reciprocal).sum::<f64>() / number(self.ranks.len().max(1)),
            auroc: area_under_curve(&self.inside, &self.outside),
            calibration_error: calibration_error(&calibration),
            calibration,
            confusions: self.confusions(),
        }
    }

    /// The labels that come out wrong most often, those of single rows aside: an `ambiguous` one is hardly ever used twice.
    pub(super) fn weakest(&self, count: usize) -> Vec<(&str, &OfLabel)> {
        let labels = self.by_label.iter().map(|(label, of_label)| (label.as_str(), of_label));
        let mut labels: Vec<(&str, &OfLabel)> = labels
            .filter(|(label, of_label)| !label.starts_with("ambiguous:") && !of_label.got.is_empty())
            .collect();
        labels.sort_by(|(_, one), (_, other)| one.share.percentage().total_cmp(&other.share.percentage()));
        labels.truncate(count);
        labels
    }

    /// What came out as something else, most often first.
    fn confusions(&self) -> Vec<Confusion> {
        let of_label = |(label, of_label): (&String, &OfLabel)| {
            let label = label.clone();
            let got = of_label.got.clone().into_iter();
            got.map(move |(got, rows)| Confusion {
                label: label.clone(),
                got,
                rows,
            })
        };
        let mut confusions: Vec<Confusion> = self.by_label.iter().flat_map(of_label).collect();
        confusions.sort_by_key(|confusion| std::cmp::Reverse(confusion.rows));
        confusions
    }

    fn bands(&self) -> Vec<Band> {
        let of_band = |band: usize| {
            let (low, high) = (ratio(band, BANDS), ratio(band.saturating_add(1), BANDS));
            let is_last = band.saturating_add(1) == BANDS;
            let values = self
                .confidences
                .iter()
                .map(|(value, right)| (f64::from(*value), *right));
            let inside: Vec<(f64, bool)> = values
                .filter(|(value, _)| *value >= low && (*value < high || is_last))
                .collect();
            Band {
                rows: inside.len(),
                said: inside.iter().map(|(value, _)| value).sum::<f64>() / number(inside.len().max(1)),
                right: ratio(inside.iter().filter(|(_, right)| *right).count(), inside.len()),
            }
        };
        (0..BANDS).map(of_band).filter(|band| band.rows > 0).collect()
    }
}

impl Outcomes {
    fn count(&mut self, id: &str, measured: &Measured) {
        let is_offered = measured.answered.options.iter().any(|option| option.id == id);
        increase(match measured.answered.decision {
            DecisionKind::Answer if measured.right => &mut self.answered_right,
            DecisionKind::Answer => &mut self.answered_wrong,
            DecisionKind::AskBack if is_offered => &mut self.offered,
            DecisionKind::AskBack => &mut self.not_offered,
            DecisionKind::Refuse => &mut self.refused,
            DecisionKind::Smalltalk | DecisionKind::Human => &mut self.taken_for_talk,
        });
    }
}

fn increase(count: &mut usize) {
    *count = count.saturating_add(1);
}

/// By how much a confidence misses the share that is right, on average.
fn calibration_error(bands: &[Band]) -> f64 {
    let missed = bands
        .iter()
        .map(|band| number(band.rows) * (band.said - band.right).abs());
    missed.sum::<f64>() / number(bands.iter().map(|band| band.rows).sum::<usize>().max(1))
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
    pub(super) rows: usize,
    pub(super) right: usize,
    pub(super) wrong_answers: usize,
    pub(super) by_label_kind: BTreeMap<&'static str, Share>,
    pub(super) by_style: BTreeMap<String, Share>,
    pub(super) scenario_rows: usize,
    pub(super) outcomes: Outcomes,
    pub(super) top_1: f64,
    pub(super) top_3: f64,
    pub(super) mean_reciprocal_rank: f64,
    pub(super) auroc: Option<f64>,
    pub(super) calibration_error: f64,
    pub(super) calibration: Vec<Band>,
    pub(super) confusions: Vec<Confusion>,
}

impl Figures {
    pub(super) fn all(&self) -> Share {
        Share {
            rows: self.rows,
            right: self.right,
        }
    }

    /// Wrong answers among all rows.
    pub(super) fn misled(&self) -> Share {
        Share {
            rows: self.rows,
            right: self.wrong_answers,
        }
    }
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
