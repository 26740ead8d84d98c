//! Multinomial logistic regression over sparse features, trained by plain stochastic gradient descent.

use super::rows::Rows;
use super::shuffle::Shuffler;
use super::vocabulary::Entry;

/// Classes are padded to a multiple of this, so that a row of weights fills whole vector registers.
const LANES: usize = 8;

/// The sums of so many classes stay in registers while the features are gone through.
const WIDE: usize = 6 * LANES;

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

/// What features say about classes: one row of weights for each feature, as wide as all classes.
#[derive(Debug, Clone, Default, PartialEq)]
struct Table<Weight> {
    stride: usize,
    /// Where only some features have a row: which.
    rows: Option<Rows>,
    weights: Vec<Weight>,
}

impl<Weight: Copy + Into<f32>> Table<Weight> {
    /// Adds up what the features say about every class.
    fn add_to(&self, sums: &mut [f32], entries: &[Entry]) {
        let (wide, rest) = sums.as_chunks_mut::<WIDE>();
        let (narrow, _) = rest.as_chunks_mut::<LANES>();
        let behind = wide.len() * WIDE;
        for (place, block) in wide.iter_mut().enumerate() {
            self.add_block(entries, place * WIDE, block);
        }
        for (place, block) in narrow.iter_mut().enumerate() {
            self.add_block(entries, behind + place * LANES, block);
        }
    }

    /// Adds what the features say about some neighbouring classes.
    fn add_block<const SIZE: usize>(&self, entries: &[Entry], first_class: usize, block: &mut [f32; SIZE]) {
        let mut sums = *block;
        for &(feature, value) in entries {
            let start = self.start_of(feature).map(|start| start + first_class);
            let rest = start.and_then(|start| self.weights.get(start..));
            let Some(weights) = rest.and_then(<[Weight]>::first_chunk::<SIZE>) else {
                continue;
            };
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * (*weight).into();
            }
        }
        *block = sums;
    }

    fn start_of(&self, feature: u32) -> Option<usize> {
        let row = match &self.rows {
            Some(rows) => rows.of_feature(feature)?,
            None => feature as usize,
        };
        Some(row * self.stride)
    }
}

/// A bfloat16, the upper half of a number: its sign, its power of two, and two digits and a half. That is what a weight is worth, and twice
/// as many stay where the processor has them at hand. Making it whole again is one instruction for four of them, where whole numbers, and
/// halves that look for what is no number, need several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Half(u16);

impl Half {
    /// The nearest half; of two that are equally near the one that is further from nothing.
    fn nearest(number: f32) -> Self {
        Self((number.to_bits().saturating_add(1 << 15) >> 16) as u16)
    }

    pub(super) fn is_finite(self) -> bool {
        f32::from(self).is_finite()
    }

    pub(super) fn to_le_bytes(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }

    pub(super) fn from_le_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_le_bytes(bytes))
    }
}

impl From<Half> for f32 {
    fn from(half: Half) -> Self {
        f32::from_bits(u32::from(half.0) << 16)
    }
}

/// Weights by feature, one row each, and one score per class before any feature is seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Classifier {
    classes: usize,
    table: Table<Half>,
    bias: Vec<f32>,
}

impl Classifier {
    /// Learns from examples, always in the same way. What has no row is not learnt.
    pub(super) fn train(
        classes: usize,
        features: usize,
        rows: Option<Rows>,
        examples: &[Example<'_>],
        schedule: Schedule,
    ) -> Self {
        let mut learner = Learner::new(classes, features, rows);
        learner.learn_all(examples, schedule);
        learner.finish()
    }

    pub(super) fn from_parts(classes: usize, rows: Option<Rows>, weights: Vec<Half>, bias: Vec<f32>) -> Option<Self> {
        let stride = classes.next_multiple_of(LANES);
        let has_rows = match &rows {
            Some(rows) => weights.len() == rows.count() * stride,
            None => weights.len().is_multiple_of(stride),
        };
        let table = Table { stride, rows, weights };
        (bias.len() == stride && has_rows).then_some(Self { classes, table, bias })
    }

    /// The weights and the bias.
    pub(super) fn parts(&self) -> (&[Half], &[f32]) {
        (&self.table.weights, &self.bias)
    }

    /// The score of every class, higher being likelier.
    pub(super) fn scores(&self, entries: &[Entry]) -> Vec<f32> {
        let mut scores = self.bias.clone();
        self.table.add_to(&mut scores, entries);
        scores.truncate(self.classes);
        scores
    }

    /// What one feature says about one class.
    pub(super) fn weight(&self, feature: u32, class: usize) -> f32 {
        let place = self.table.start_of(feature).filter(|_| class < self.classes);
        let weight = place.and_then(|start| self.table.weights.get(start + class));
        weight.copied().map_or(0.0, f32::from)
    }
}

/// A classifier while it learns.
struct Learner {
    classes: usize,
    table: Table<f32>,
    bias: Vec<f32>,
}

impl Learner {
    fn new(classes: usize, features: usize, rows: Option<Rows>) -> Self {
        let stride = classes.next_multiple_of(LANES);
        Self {
            classes,
            table: Table {
                stride,
                weights: vec![0.0; rows.as_ref().map_or(features, Rows::count) * stride],
                rows,
            },
            bias: padded_bias(classes, stride),
        }
    }

    fn learn_all(&mut self, examples: &[Example<'_>], schedule: Schedule) {
        let steps = (schedule.epochs * examples.len()).max(1) as f32;
        let mut order: Vec<usize> = (0..examples.len()).collect();
        let mut shuffler = Shuffler::new(schedule.seed);
        let mut scratch = vec![0.0; self.table.stride];
        let mut step = 0.0;
        // What was certain is not looked at again for some epochs.
        let mut resting = vec![0_u8; examples.len()];
        for _ in 0..schedule.epochs {
            shuffler.shuffle(&mut order);
            for &index in &order {
                step += 1.0;
                let (Some(example), Some(rest)) = (examples.get(index), resting.get_mut(index)) else {
                    continue;
                };
                if *rest > 0 {
                    *rest -= 1;
                } else if !self.learn(example, schedule.rate * (1.0 - step / steps), &mut scratch) {
                    *rest = REST;
                }
            }
            let weights = &mut self.table.weights;
            weights.iter_mut().for_each(|weight| *weight *= 1.0 - schedule.decay);
        }
    }

    /// One step down the gradient. What is already certain is left alone: most examples are, after a few epochs.
    /// Says whether there was anything to learn.
    fn learn(&mut self, example: &Example<'_>, rate: f32, scratch: &mut [f32]) -> bool {
        scratch.copy_from_slice(&self.bias);
        self.table.add_to(scratch, example.entries);
        softmax(scratch);
        let Some(right) = scratch.get_mut(example.class) else {
            return false;
        };
        *right -= 1.0;
        if *right > -CERTAIN {
            return false;
        }
        let rate = rate * example.weight;
        for (bias, error) in self.bias.iter_mut().zip(scratch.iter()).take(self.classes) {
            *bias -= BIAS_RATE * rate * error;
        }
        self.descend(example.entries, rate, scratch);
        true
    }

    /// Moves the weights of the features against the errors, where there are any to speak of: after a few epochs most classes have none.
    fn descend(&mut self, entries: &[Entry], rate: f32, errors: &[f32]) {
        let (errors, _) = errors.as_chunks::<LANES>();
        let matters = |errors: &[f32; LANES]| errors.iter().any(|error| error.abs() > NEGLIGIBLE);
        let errors: Vec<(usize, [f32; LANES])> = errors
            .iter()
            .enumerate()
            .filter(|(_, errors)| matters(errors))
            .map(|(place, errors)| (place, errors.map(|error| rate * error)))
            .collect();
        let stride = self.table.stride;
        for &(feature, value) in entries {
            let start = self.table.start_of(feature);
            let Some(row) = start.and_then(|start| self.table.weights.get_mut(start..start + stride)) else {
                continue;
            };
            let (row, _) = row.as_chunks_mut::<LANES>();
            for (place, errors) in &errors {
                let Some(weights) = row.get_mut(*place) else { continue };
                // A copy of the weights cannot overlap with the errors, so whole registers are computed at a time.
                let mut moved = *weights;
                for (weight, error) in moved.iter_mut().zip(errors) {
                    *weight -= value * error;
                }
                *weights = moved;
            }
        }
    }

    fn finish(self) -> Classifier {
        let Table { stride, rows, weights } = self.table;
        let weights = weights.into_iter().map(Half::nearest).collect();
        Classifier {
            classes: self.classes,
            table: Table { stride, rows, weights },
            bias: self.bias,
        }
    }
}

/// An example whose class misses certainty by less teaches nothing.
const CERTAIN: f32 = 0.04;

/// Where no class of a register errs by more, nothing is changed.
const NEGLIGIBLE: f32 = 0.002;

/// For so many epochs an example that taught nothing is left alone.
const REST: u8 = 2;

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
    let highest = highest(scores);
    scores
        .iter_mut()
        .for_each(|score| *score = exponential(*score - highest));
    // Sums depend on their order, so they are not added up several at a time.
    let total: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= total);
}

/// The highest of some numbers.
pub(super) fn highest(numbers: &[f32]) -> f32 {
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    let mut highest = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (highest, number) in highest.iter_mut().zip(chunk) {
            *highest = number.max(*highest);
        }
    }
    highest
        .into_iter()
        .chain(rest.iter().copied())
        .fold(f32::NEG_INFINITY, f32::max)
}

/// e to the power of something not above zero, to seven digits: plain arithmetic that fills vector registers and gives the same on
/// every machine, because training takes tens of millions of them.
fn exponential(power: f32) -> f32 {
    // Adding this rounds to a whole number, which stands in the lowest bits.
    const ROUNDING: f32 = 12_582_912.0;
    let doublings = power.max(LEAST_POWER) * std::f32::consts::LOG2_E;
    let rounded = doublings + ROUNDING;
    let rest = (doublings - (rounded - ROUNDING)) * std::f32::consts::LN_2;
    let series = 1.0 + rest * (1.0 + rest * (1.0 / 2.0 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest / 120.0))));
    let exponent = rounded.to_bits().wrapping_sub(ROUNDING.to_bits()) << MANTISSA_BITS;
    f32::from_bits(series.to_bits().wrapping_add(exponent))
}

const MANTISSA_BITS: u32 = 23;

/// What is below is as good as nothing, and still a normal number.
const LEAST_POWER: f32 = -80.0;

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
        Classifier::train(2, 3, None, &examples, SCHEDULE)
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
    fn half_a_number_is_near_the_whole() {
        for number in [0.0, 1.0, -1.0, 0.1, -3.3, 6.7, 1e-9, -1e30] {
            let half = f32::from(Half::nearest(number));
            assert!((half - number).abs() <= number.abs() / 256.0, "{number}: {half}");
        }
        let bytes = Half::nearest(-3.3).to_le_bytes();
        assert_eq!(Half::from_le_bytes(bytes), Half::nearest(-3.3));
    }

    #[test]
    fn the_exponential_is_one() {
        for tenth in 0..800 {
            let power = -0.1 * tenth as f32;
            let (got, wanted) = (exponential(power), power.exp());
            assert!((got - wanted).abs() <= 1e-5 * wanted, "{power}: {got} {wanted}");
        }
        assert!(exponential(-1e9) < 1e-30);
    }

    #[test]
    fn probabilities_add_up() {
        let mut scores = [1.0, 2.0, -1e9];
        softmax(&mut scores);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(scores[2] < 1e-30);
    }
}
