//! Multinomial logistic regression over sparse features, trained by plain stochastic gradient descent.

use super::shuffle::Shuffler;
use super::vocabulary::Entry;

/// Classes are padded to a multiple of this, so that a row of weights fills whole vector registers.
const LANES: usize = 8;

/// How the classifier learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Schedule {
    /// How often every example is seen.
    pub(super) epochs: usize,
    /// The first step's size; it falls linearly to nothing.
    pub(super) rate: f32,
    /// The share of every weight that is forgotten after an epoch.
    pub(super) decay: f32,
    /// Fixed, so that the same utterances give the same classifier.
    pub(super) seed: u64,
}

/// One example: its features, its class, and how much it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Example<'e> {
    pub(super) entries: &'e [Entry],
    pub(super) class: usize,
    pub(super) weight: f32,
}

/// Weights by feature, one row each, and one score per class before any feature is seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Classifier {
    classes: usize,
    stride: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Classifier {
    /// Learns from examples, always in the same way.
    pub(super) fn train(classes: usize, features: usize, examples: &[Example<'_>], schedule: Schedule) -> Self {
        let stride = classes.next_multiple_of(LANES);
        let mut classifier = Self {
            classes,
            stride,
            weights: vec![0.0; features * stride],
            bias: padded_bias(classes, stride),
        };
        let steps = (schedule.epochs * examples.len()).max(1) as f32;
        let mut order: Vec<usize> = (0..examples.len()).collect();
        let mut shuffler = Shuffler::new(schedule.seed);
        let mut scratch = vec![0.0; stride];
        let mut step = 0.0;
        for _ in 0..schedule.epochs {
            shuffler.shuffle(&mut order);
            for example in order.iter().filter_map(|&index| examples.get(index)) {
                classifier.learn(example, schedule.rate * (1.0 - step / steps), &mut scratch);
                step += 1.0;
            }
            classifier
                .weights
                .iter_mut()
                .for_each(|weight| *weight *= 1.0 - schedule.decay);
        }
        classifier
    }

    pub(super) fn from_parts(classes: usize, weights: Vec<f32>, bias: Vec<f32>) -> Option<Self> {
        let stride = classes.next_multiple_of(LANES);
        let fits = bias.len() == stride && weights.len().is_multiple_of(stride);
        fits.then_some(Self {
            classes,
            stride,
            weights,
            bias,
        })
    }

    pub(super) fn parts(&self) -> (usize, &[f32], &[f32]) {
        (self.classes, &self.weights, &self.bias)
    }

    /// The score of every class, higher being likelier.
    pub(super) fn scores(&self, entries: &[Entry]) -> Vec<f32> {
        let mut scores = self.bias.clone();
        self.add_scores(entries, &mut scores);
        scores.truncate(self.classes);
        scores
    }

    /// What one feature says about one class.
    pub(super) fn weight(&self, feature: u32, class: usize) -> f32 {
        self.row(feature)
            .and_then(|row| row.get(class))
            .copied()
            .unwrap_or_default()
    }

    fn add_scores(&self, entries: &[Entry], scores: &mut [f32]) {
        for &(feature, value) in entries {
            let Some(row) = self.row(feature) else { continue };
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += value * weight;
            }
        }
    }

    fn row(&self, feature: u32) -> Option<&[f32]> {
        let start = feature as usize * self.stride;
        self.weights.get(start..start + self.stride)
    }

    /// One step down the gradient. What is already certain is left alone: most examples are, after a few epochs.
    fn learn(&mut self, example: &Example<'_>, rate: f32, scratch: &mut [f32]) {
        scratch.copy_from_slice(&self.bias);
        self.add_scores(example.entries, scratch);
        softmax(scratch);
        let Some(right) = scratch.get_mut(example.class) else {
            return;
        };
        *right -= 1.0;
        if *right > -CERTAIN {
            return;
        }
        let rate = rate * example.weight;
        for &(feature, value) in example.entries {
            let start = feature as usize * self.stride;
            let Some(row) = self.weights.get_mut(start..start + self.stride) else {
                continue;
            };
            for (weight, error) in row.iter_mut().zip(scratch.iter()) {
                *weight -= rate * value * error;
            }
        }
        for (bias, error) in self.bias.iter_mut().zip(scratch.iter()).take(self.classes) {
            *bias -= BIAS_RATE * rate * error;
        }
    }
}

/// An example whose class misses certainty by less teaches nothing.
const CERTAIN: f32 = 0.02;

/// Classes differ little in how common they are, so the bias moves slowly.
const BIAS_RATE: f32 = 0.1;

/// Padding classes never win anything.
fn padded_bias(classes: usize, stride: usize) -> Vec<f32> {
    (0..stride)
        .map(|class| if class < classes { 0.0 } else { -1e9 })
        .collect()
}

/// Scores to probabilities, in place.
pub(super) fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - highest).exp();
        total += *score;
    }
    scores.iter_mut().for_each(|score| *score /= total);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule {
        epochs: 40,
        rate: 1.0,
        decay: 0.0,
        seed: 1,
    };

    fn trained() -> Classifier {
        let (left, right) = ([(0, 1.0), (2, 0.5)], [(1, 1.0), (2, 0.5)]);
        let examples = [
            Example {
                entries: &left,
                class: 0,
                weight: 1.0,
            },
            Example {
                entries: &right,
                class: 1,
                weight: 1.0,
            },
        ];
        Classifier::train(2, 3, &examples, SCHEDULE)
    }

    #[test]
    fn it_tells_apart_what_it_has_seen() {
        let classifier = trained();
        let scores = classifier.scores(&[(0, 1.0)]);
        assert!(scores[0] > scores[1] + 1.0);
        assert!(classifier.weight(1, 1) > classifier.weight(1, 0));
    }

    #[test]
    fn it_learns_the_same_every_time() {
        assert_eq!(trained(), trained());
    }

    #[test]
    fn unknown_features_are_ignored() {
        let classifier = trained();
        assert_eq!(classifier.scores(&[(99, 1.0)]), classifier.scores(&[]));
    }

    #[test]
    fn probabilities_add_up() {
        let mut scores = [1.0, 2.0, -1e9];
        softmax(&mut scores);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(scores[2], 0.0);
    }
}
