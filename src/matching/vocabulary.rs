//! N-grams to numbered, weighted features: TF-IDF, each view brought to its own length.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::meaning::{DIMENSIONS, Meaning};
use super::model::Attention;
use super::reading::{Reading, View};
use super::rows::Rows;

/// A feature's number and its value in one text.
pub(super) type Entry = (u32, f32);

/// A feature that occurs in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) feature: u32,
    times: u16,
    /// The number of its view.
    view: u8,
}

/// How often each known feature occurs in a text, and how many n-grams of it nobody has seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    /// View after view.
    pub(super) known: Vec<Known>,
    pub(super) unknown: [f32; 3],
    pub(super) meaning: Option<Box<Meaning>>,
}

impl Counts {
    /// Of these features, those of sound.
    pub(super) fn of_sound(&self) -> Self {
        let known = self.known.iter().filter(|known| Attention::Sound.looks_at(known.view));
        let [_, unknown, _] = self.unknown;
        Self {
            known: known.copied().collect(),
            unknown: [0.0, unknown, 0.0],
            meaning: None,
        }
    }
}

/// A text as the classifier sees it.
#[derive(Debug, Clone, Default)]
pub(super) struct Vector {
    pub(super) entries: Vec<Entry>,
    /// Summed rarity of all n-grams, known or not.
    pub(super) mass: f32,
    /// Summed rarity of those that the training texts hold.
    pub(super) known_mass: f32,
}

/// The numbers of all n-grams seen in the utterances.
#[derive(Debug, Clone, Default)]
pub(super) struct Vocabulary {
    numbers: HashMap<u64, u32, ByHash>,
    views: Vec<u8>,
}

/// How telling each feature is; zero for one that the training texts do not hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rarity {
    idf: Vec<f32>,
    unknown: f32,
    /// The length that each view is brought to.
    view_lengths: [f32; 4],
}

impl Vocabulary {
    /// Numbers every n-gram that at least `rarest` of the readings hold.
    pub(super) fn of(readings: &[Reading], rarest: usize) -> Self {
        let mut holders: HashMap<u64, (usize, usize), ByHash> = HashMap::default();
        let mut vocabulary = Self::default();
        for (text, reading) in readings.iter().enumerate() {
            for gram in &reading.grams {
                let (count, last) = holders.entry(gram.hash).or_insert((0, usize::MAX));
                if *last == text {
                    continue;
                }
                (*count, *last) = (*count + 1, text);
                if *count == rarest {
                    vocabulary.add(gram.hash, gram.view.code());
                }
            }
        }
        vocabulary
    }

    /// A vocabulary with the given n-grams, in the order of their numbers.
    pub(super) fn from_pairs(pairs: impl IntoIterator<Item = (u64, u8)>) -> Self {
        let mut vocabulary = Self::default();
        pairs.into_iter().for_each(|(hash, view)| vocabulary.add(hash, view));
        vocabulary
    }

    /// The n-grams in the order of their numbers.
    pub(super) fn pairs(&self) -> Vec<(u64, u8)> {
        let mut hashes = vec![0; self.views.len()];
        for (&hash, &number) in &self.numbers {
            if let Some(slot) = hashes.get_mut(number as usize) {
                *slot = hash;
            }
        }
        hashes.into_iter().zip(self.views.iter().copied()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.views.len()
    }

    pub(super) fn number(&self, hash: u64) -> Option<u32> {
        self.numbers.get(&hash).copied()
    }

    /// How many numbers a text is: one for each n-gram, and its meaning.
    pub(super) fn width(&self) -> usize {
        self.len() + DIMENSIONS
    }

    /// The features that are attended to, where these are not all.
    pub(super) fn rows(&self, attention: Attention) -> Option<Rows> {
        match attention {
            Attention::Everything => None,
            Attention::Sound => Some(Rows::of(self.views.iter().map(|view| attention.looks_at(*view)))),
        }
    }

    /// Counts the features of a reading, in the order in which they first occur.
    pub(super) fn count(&self, reading: &Reading) -> Counts {
        let mut known = Vec::with_capacity(reading.grams.len());
        let mut unknown = [0.0; 3];
        let mut places = Places::none();
        for gram in &reading.grams {
            let view = gram.view.code();
            match self.number(gram.hash) {
                Some(feature) => places.count(&mut known, feature, view),
                None => *of_view(&mut unknown, view) += 1.0,
            }
        }
        Counts {
            known,
            unknown,
            meaning: reading.meaning.clone(),
        }
    }

    fn add(&mut self, hash: u64, view: u8) {
        let number = self.views.len() as u32;
        if self.numbers.insert(hash, number).is_none() {
            self.views.push(view);
        }
    }
}

/// Where the features that have occurred stand, counted from 1, by their last bits. Of the hundred or so that a text has nearly all have
/// theirs to themselves, and need not be looked for.
struct Places([u8; 2048]);

impl Places {
    fn none() -> Self {
        Self([0; 2048])
    }

    /// Counts a feature once more, or for the first time.
    fn count(&mut self, known: &mut Vec<Known>, feature: u32, view: u8) {
        let Self(places) = self;
        let at = feature as usize % places.len();
        let Some(place) = places.get_mut(at) else { return };
        if *place == 0 {
            known.push(Known::once(feature, view));
            // What does not fit leads to another feature and is looked for.
            *place = known.len().min(u8::MAX.into()) as u8;
            return;
        }
        let is_it = |known: &&mut Known| known.feature == feature;
        match known.get_mut(usize::from(*place) - 1).filter(is_it) {
            Some(found) => found.again(),
            None => match known.iter_mut().find(is_it) {
                Some(found) => found.again(),
                None => known.push(Known::once(feature, view)),
            },
        }
    }
}

impl Known {
    fn once(feature: u32, view: u8) -> Self {
        Self {
            feature,
            times: 1,
            view,
        }
    }

    fn again(&mut self) {
        self.times = self.times.saturating_add(1);
    }

    /// How much it counts for, by how rare it is.
    fn value(self, rarity: f32) -> f32 {
        // Most n-grams occur once, and the logarithm of one is nothing.
        match self.times {
            1 => rarity,
            times => (1.0 + f32::from(times).ln()) * rarity,
        }
    }
}

impl Rarity {
    /// Measures rarity over the given texts only.
    pub(super) fn measure<'c>(
        features: usize,
        texts: impl IntoIterator<Item = &'c Counts>,
        view_lengths: [f32; 4],
    ) -> Self {
        let mut holders = vec![0_u32; features];
        let mut count = 0.0;
        for text in texts {
            count += 1.0;
            for known in &text.known {
                if let Some(slot) = holders.get_mut(known.feature as usize) {
                    *slot += 1;
                }
            }
        }
        let rarity = |holders: f32| f32::ln((count + 1.0) / (holders + 1.0)) + 1.0;
        let idf = holders
            .iter()
            .map(|&holders| if holders == 0 { 0.0 } else { rarity(holders as f32) })
            .collect();
        Self {
            idf,
            unknown: rarity(0.0),
            view_lengths,
        }
    }

    pub(super) fn from_parts(idf: Vec<f32>, unknown: f32, view_lengths: [f32; 4]) -> Self {
        Self {
            idf,
            unknown,
            view_lengths,
        }
    }

    pub(super) fn parts(&self) -> (&[f32], f32, [f32; 4]) {
        (&self.idf, self.unknown, self.view_lengths)
    }

    /// The rarity of a feature, unknown ones being the rarest.
    pub(super) fn of(&self, feature: u32) -> f32 {
        match self.idf(feature) {
            idf if idf > 0.0 => idf,
            _ => self.unknown,
        }
    }

    /// Zero for one that the training texts do not hold.
    fn idf(&self, feature: u32) -> f32 {
        self.idf.get(feature as usize).copied().unwrap_or_default()
    }

    /// Weighs the counts of a text.
    pub(super) fn weigh(&self, counts: &Counts) -> Vector {
        let mut entries = Vec::with_capacity(counts.known.len() + DIMENSIONS);
        let mut squares = [0.0_f32; 3];
        let (mut mass, mut known_mass) = (0.0, 0.0);
        for (view, unknown) in (0_u8..).zip(counts.unknown) {
            mass += unknown * self.unknown;
            *of_view(&mut squares, view) = unknown_share(view) * unknown * self.unknown * self.unknown;
        }
        for of_one_view in counts.known.chunk_by(|one, next| one.view == next.view) {
            let Some(Known { view, .. }) = of_one_view.first() else {
                continue;
            };
            let (first, unknown_share) = (entries.len(), unknown_share(*view));
            let mut square = *of_view(&mut squares, *view);
            for known in of_one_view {
                let idf = self.idf(known.feature);
                let is_known = idf > 0.0;
                let rarity = if is_known { idf } else { self.unknown };
                let value = known.value(rarity);
                mass += rarity;
                known_mass += idf;
                square += if is_known { 1.0 } else { unknown_share } * value * value;
                if is_known {
                    entries.push((known.feature, value));
                }
            }
            let length = self.view_lengths.get(usize::from(*view)).copied().unwrap_or(1.0);
            let scale = length / square.sqrt().max(1e-6);
            let of_this_view = entries.get_mut(first..).unwrap_or_default();
            of_this_view.iter_mut().for_each(|(_, value)| *value *= scale);
        }
        if let Some(meaning) = &counts.meaning {
            let first = self.idf.len() as u32;
            let length = self.view_lengths.get(3).copied().unwrap_or_default();
            entries.extend((first..).zip(meaning.iter().map(|value| value * length)));
        }
        Vector {
            entries,
            mass,
            known_mass,
        }
    }
}

/// N-grams that nobody has seen make a text longer, so that the few known ones among them do not shout; but not by their full weight.
/// Unknown Latin words are mostly names, which say nothing about the rest. See the ablation in the history.
fn unknown_share(view: u8) -> f32 {
    if view == View::Words.code() { 0.0 } else { 0.2 }
}

fn of_view(values: &mut [f32; 3], view: u8) -> &mut f32 {
    let [characters, sounds, words] = values;
    match view {
        0 => characters,
        1 => sounds,
        _ => words,
    }
}

/// For maps whose keys are hashes.
pub(super) type ByHash = BuildHasherDefault<AlreadyHashed>;

/// N-grams are hashes already; hashing them again would cost more than the rest of the look-up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_is_counted_once_with_how_often_it_occurs() {
        // More features than there are places to remember which have occurred.
        let text: String = ('\u{4e00}'..'\u{5200}').chain("封号封号封".chars()).collect();
        let reading = Reading::of(&text);
        let vocabulary = Vocabulary::of(std::slice::from_ref(&reading), 1);
        let counts = vocabulary.count(&reading);
        let mut wanted: HashMap<u32, (u16, u8)> = HashMap::new();
        for gram in &reading.grams {
            let (times, view) = wanted.entry(vocabulary.number(gram.hash).unwrap()).or_default();
            (*times, *view) = (*times + 1, gram.view.code());
        }
        assert_eq!(counts.known.len(), wanted.len());
        assert!(
            counts
                .known
                .iter()
                .all(|known| wanted[&known.feature] == (known.times, known.view))
        );
        assert!(counts.known.iter().any(|known| known.times >= 3));
        assert_eq!(counts.unknown, [0.0; 3]);
    }
}
