//! Everything that is learnt from one selection of utterances: rarity, classifiers, and which class said what.

use super::classifier::{Classifier, Example, Schedule, softmax};
use super::confidence::Facts;
use super::reading::View;
use super::training_set::ClassKind;
use super::vocabulary::{Counts, Rarity, Vector, Vocabulary};

/// The choices that shape training. They were made by experiment; the history says which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recipe {
    pub(crate) epochs: usize,
    pub(crate) rate: f32,
    pub(crate) decay: f32,
    pub(crate) rarest: usize,
    pub(crate) view_lengths: [f32; 4],
    pub(crate) balance: f32,
    pub(crate) outside_weight: f32,
    pub(crate) smalltalk_weight: f32,
    pub(crate) rounds: usize,
    pub(crate) strangers: f32,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            epochs: 8,
            rate: 1.5,
            decay: 0.01,
            rarest: 2,
            view_lengths: [1.0, 1.0, 1.0, 0.6],
            balance: 0.5,
            outside_weight: 1.0,
            smalltalk_weight: 1.0,
            rounds: 5,
            strangers: 0.5,
        }
    }
}

/// An utterance ready for training.
#[derive(Debug, Clone)]
pub(super) struct Lesson {
    pub(super) class: usize,
    /// Number of the text; the same for all classes that have it.
    pub(super) text: usize,
    /// All classes that have this utterance; each has a lesson of its own.
    pub(super) meant: Vec<usize>,
    pub(super) counts: Counts,
    pub(super) weight: f32,
    /// One divided by how many classes have this utterance.
    pub(super) share: f32,
}

/// What is learnt from a selection of utterances.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Model {
    pub(super) rarity: Rarity,
    pub(super) classifier: Classifier,
    /// Looks at sounds alone, for questions typed in pinyin.
    pub(super) by_sound: Classifier,
    pub(super) owners: Owners,
}

/// What a model goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attention {
    /// Characters, sounds and words.
    Everything,
    /// Sounds alone, for questions typed in pinyin.
    Sound,
}

/// How a question looks to a model.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    pub(super) vector: Vector,
    pub(super) scores: Vec<f32>,
    pub(super) probabilities: Vec<f32>,
}

impl Model {
    /// Learns from the lessons.
    pub(super) fn train(vocabulary: &Vocabulary, classes: usize, lessons: &[&Lesson], recipe: &Recipe) -> Self {
        let texts = lessons.iter().map(|lesson| &lesson.counts);
        let rarity = Rarity::measure(vocabulary.len(), texts, recipe.view_lengths);
        let classifier = fit(vocabulary, &rarity, classes, lessons, recipe, View::all);
        // One view makes a shorter vector than all do, so longer steps are in order, and fewer of them are enough.
        let for_sound = Recipe {
            epochs: recipe.epochs.div_ceil(2),
            rate: 2.0 * recipe.rate,
            ..*recipe
        };
        let by_sound = fit(vocabulary, &rarity, classes, lessons, &for_sound, View::sounds);
        let owners = Owners::of(vocabulary.len(), classes, lessons);
        Self {
            rarity,
            classifier,
            by_sound,
            owners,
        }
    }

    /// Weighs a question and scores every class.
    pub(super) fn look(&self, vocabulary: &Vocabulary, counts: &Counts, attention: Attention) -> Look {
        let (classifier, looks_at): (_, fn(u8) -> bool) = match attention {
            Attention::Sound => (&self.by_sound, View::sounds),
            Attention::Everything => (&self.classifier, View::all),
        };
        let vector = self.rarity.weigh(vocabulary, counts, looks_at);
        let scores = classifier.scores(&vector.entries);
        let mut probabilities = scores.clone();
        softmax(&mut probabilities);
        Look {
            vector,
            scores,
            probabilities,
        }
    }

    /// What tells whether a class is the right one.
    pub(super) fn facts(&self, counts: &Counts, look: &Look, class: usize, kinds: &[ClassKind]) -> Facts {
        let probability = look.probabilities.get(class).copied().unwrap_or_default();
        let rival = (0..).zip(&look.probabilities).filter(|(other, _)| *other != class);
        let rival = rival.map(|(_, probability)| *probability).fold(0.0, f32::max);
        let (own, anyone) = self.owners.coverage(counts, &self.rarity, class);
        let mass = look.vector.mass.max(1e-6);
        let of_kind = |wanted: ClassKind| {
            let pairs = kinds.iter().zip(&look.probabilities);
            pairs
                .filter(|(kind, _)| **kind == wanted)
                .map(|(_, probability)| *probability)
                .sum::<f32>()
        };
        // Whether it is about the subject at all is another question than which scenario it is.
        let (subject, outside) = (of_kind(ClassKind::Scenario), of_kind(ClassKind::Outside));
        [
            logit(probability),
            look.scores.get(class).copied().unwrap_or_default(),
            own / mass,
            (probability + 1e-6).ln() - (rival + 1e-6).ln(),
            anyone / mass,
            (1.0 + mass).ln(),
            logit(subject),
            (subject + 1e-6).ln() - (outside + 1e-6).ln(),
        ]
    }
}

fn fit(
    vocabulary: &Vocabulary,
    rarity: &Rarity,
    classes: usize,
    lessons: &[&Lesson],
    recipe: &Recipe,
    looks_at: fn(u8) -> bool,
) -> Classifier {
    let vectors: Vec<Vector> = lessons
        .iter()
        .map(|lesson| rarity.weigh(vocabulary, &lesson.counts, looks_at))
        .collect();
    let examples: Vec<Example<'_>> = lessons
        .iter()
        .zip(&vectors)
        .map(|(lesson, vector)| Example {
            entries: &vector.entries,
            class: lesson.class,
            weight: lesson.weight,
        })
        .collect();
    let schedule = Schedule {
        epochs: recipe.epochs,
        rate: recipe.rate,
        decay: recipe.decay,
        seed: 7,
    };
    Classifier::train(classes, vocabulary.width(), &examples, schedule)
}

fn logit(probability: f32) -> f32 {
    ((probability + 1e-6) / (1.0 - probability + 1e-6).max(1e-6)).ln()
}

/// Which classes' utterances hold a feature: one bit each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Owners {
    words: usize,
    bits: Vec<u64>,
}

impl Owners {
    fn of(features: usize, classes: usize, lessons: &[&Lesson]) -> Self {
        let words = classes.div_ceil(64);
        let mut bits = vec![0; features * words];
        for lesson in lessons {
            for &(feature, _) in &lesson.counts.known {
                if let Some(word) = bits.get_mut(feature as usize * words + lesson.class / 64) {
                    *word |= 1 << (lesson.class % 64);
                }
            }
        }
        Self { words, bits }
    }

    pub(super) fn from_parts(classes: usize, bits: Vec<u64>) -> Self {
        Self {
            words: classes.div_ceil(64),
            bits,
        }
    }

    pub(super) fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// Rarity of what the class itself has said, and of what any class has said.
    fn coverage(&self, counts: &Counts, rarity: &Rarity, class: usize) -> (f32, f32) {
        let (mut own, mut anyone) = (0.0, 0.0);
        for &(feature, _) in &counts.known {
            let start = feature as usize * self.words;
            let Some(row) = self.bits.get(start..start + self.words) else {
                continue;
            };
            if row.iter().all(|&word| word == 0) {
                continue;
            }
            let weight = rarity.of(feature);
            anyone += weight;
            if row.get(class / 64).is_some_and(|word| word >> (class % 64) & 1 == 1) {
                own += weight;
            }
        }
        (own, anyone)
    }
}
