//! Everything that is learnt from one selection of utterances: rarity, classifiers, and which class said what.

use super::classifier::{Classifier, Example, Schedule, highest, softmax};
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

impl Attention {
    /// Whether it goes by the view with this number.
    pub(super) fn looks_at(self, view: u8) -> bool {
        self == Attention::Everything || view == View::Sounds.code()
    }
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
        let classifier = fit(vocabulary, &rarity, classes, lessons, recipe, Attention::Everything);
        // One view makes a shorter vector than all do, so longer steps are in order, and fewer of them are enough.
        let for_sound = Recipe {
            epochs: recipe.epochs.div_ceil(2),
            rate: 2.0 * recipe.rate,
            ..*recipe
        };
        let by_sound = fit(vocabulary, &rarity, classes, lessons, &for_sound, Attention::Sound);
        let owners = Owners::of(vocabulary.len(), classes, lessons);
        Self {
            rarity,
            classifier,
            by_sound,
            owners,
        }
    }

    /// Weighs a question, of which only what is attended to is given, and scores every class.
    pub(super) fn look(&self, counts: &Counts, attention: Attention) -> Look {
        let classifier = match attention {
            Attention::Sound => &self.by_sound,
            Attention::Everything => &self.classifier,
        };
        let vector = self.rarity.weigh(counts);
        let scores = classifier.scores(&vector.entries);
        let mut probabilities = scores.clone();
        softmax(&mut probabilities);
        Look {
            vector,
            scores,
            probabilities,
        }
    }

    /// What a question shows of itself, whichever class is the right one.
    pub(super) fn survey<'l>(counts: &'l Counts, look: &'l Look, kinds: &[ClassKind]) -> Survey<'l> {
        let (mut subject, mut outside) = (0.0, 0.0);
        // Adding nothing costs less than guessing of each class whether it is one of those.
        for (kind, probability) in kinds.iter().zip(&look.probabilities) {
            let if_of = |wanted: ClassKind| if *kind == wanted { *probability } else { 0.0 };
            subject += if_of(ClassKind::Scenario);
            outside += if_of(ClassKind::Outside);
        }
        Survey {
            counts,
            look,
            subject,
            outside,
        }
    }

    /// What tells of a class whether it is the right one.
    pub(super) fn facts(&self, survey: &Survey<'_>, class: usize) -> Facts {
        let own = self.owners.rarity_of_own(survey.counts, &self.rarity, class);
        let look = survey.look;
        let probability = look.probabilities.get(class).copied().unwrap_or_default();
        let (before, from) = look.probabilities.split_at_checked(class).unwrap_or_default();
        let behind = from.get(1..).unwrap_or_default();
        let rival = highest(before).max(highest(behind)).max(0.0);
        let mass = look.vector.mass.max(1e-6);
        [
            logit(probability),
            look.scores.get(class).copied().unwrap_or_default(),
            own / mass,
            (probability + 1e-6).ln() - (rival + 1e-6).ln(),
            look.vector.known_mass / mass,
            (1.0 + mass).ln(),
            logit(survey.subject),
            (survey.subject + 1e-6).ln() - (survey.outside + 1e-6).ln(),
        ]
    }
}

/// What a question shows of itself.
pub(super) struct Survey<'l> {
    counts: &'l Counts,
    look: &'l Look,
    /// Whether it is about the subject at all is another question than which scenario it is.
    subject: f32,
    outside: f32,
}

fn fit(
    vocabulary: &Vocabulary,
    rarity: &Rarity,
    classes: usize,
    lessons: &[&Lesson],
    recipe: &Recipe,
    attention: Attention,
) -> Classifier {
    let vectors: Vec<Vector> = lessons
        .iter()
        .map(|lesson| match attention {
            Attention::Everything => rarity.weigh(&lesson.counts),
            Attention::Sound => rarity.weigh(&lesson.counts.of_sound()),
        })
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
    Classifier::train(
        classes,
        vocabulary.width(),
        vocabulary.rows(attention),
        &examples,
        schedule,
    )
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
            for known in &lesson.counts.known {
                if let Some(word) = bits.get_mut(known.feature as usize * words + lesson.class / 64) {
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

    /// Summed rarity of what a class itself has said.
    fn rarity_of_own(&self, counts: &Counts, rarity: &Rarity, class: usize) -> f32 {
        let (word, bit) = (class / 64, class % 64);
        let own = counts.known.iter().map(|known| {
            let owners = self.bits.get(known.feature as usize * self.words + word);
            let is_own = owners.copied().unwrap_or_default() >> bit & 1;
            // Adding nothing costs less than guessing of each feature whether it is one of those.
            rarity.of(known.feature) * is_own as f32
        });
        own.sum()
    }
}
