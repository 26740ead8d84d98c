//! Questions brought together by what they mean, for whoever reads many of them.
//!
//! Two questions are as near as what they share of characters, sounds, words and meaning, each piece weighed by how rare it is among these
//! very questions: nothing has been learnt of most of them, or they would have been understood. Groups are joined while their members are
//! near to each other on average.

use std::collections::HashMap;

use super::matcher::Matcher;
use super::meaning::Meaning;
use super::reading::{Reading, View};
use super::vocabulary::ByHash;

/// From this similarity on, on average, groups are one.
///
/// Measured on the questions of `eval/` that are labelled with one of 35 scenarios: of 921 (development) 242 groups were made in which 88 %
/// have the label of most, of 1,423 (blind) 281 with 88 %. 0.26 makes 154 and 171 with 75 %, 0.34 makes 362 and 427 with 92 and 94 %.
const NEAR: f32 = 0.30;

/// How much each way of looking counts. Sounds repeat what characters say, and make up for slips of the keyboard.
const CHARACTERS: f32 = 0.35;
const SOUNDS: f32 = 0.2;
const WORDS: f32 = 0.35;
const MEANING: f32 = 0.45;

/// Questions that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Their places among the questions, the most typical first.
    pub members: Vec<usize>,
}

/// Brings questions together: the largest groups first, and of equal ones the one with the earliest question. Time and memory grow with the
/// square of their number; four thousand take about two seconds and 130 MB, a thousand a tenth of a second.
pub fn group(matcher: &Matcher, questions: &[&str]) -> Vec<Group> {
    let readings: Vec<Reading> = questions
        .iter()
        .map(|question| matcher.question(question).read().reading.clone())
        .collect();
    let pictures = pictures(&readings);
    let similarities = Similarities::of(&pictures);
    let mut groups: Vec<Group> = joined(similarities.clone())
        .into_iter()
        .map(|members| Group {
            members: typical_first(members, &similarities),
        })
        .collect();
    groups.sort_by_key(|group| {
        (
            std::cmp::Reverse(group.members.len()),
            group.members.iter().min().copied(),
        )
    });
    groups
}

/// A question as it is compared: pieces by their hashes, and its meaning. Of length one.
struct Picture {
    pieces: Vec<(u64, f32)>,
    meaning: Option<Box<Meaning>>,
    meaning_weight: f32,
}

impl Picture {
    /// How near both are by what they mean alone.
    fn in_meaning(&self, other: &Self) -> f32 {
        match (&self.meaning, &other.meaning) {
            (Some(one), Some(another)) => {
                let product: f32 = one.iter().zip(another.iter()).map(|(one, another)| one * another).sum();
                product * self.meaning_weight * other.meaning_weight
            }
            _ => 0.0,
        }
    }
}

fn pictures(readings: &[Reading]) -> Vec<Picture> {
    let mut holders: HashMap<u64, u32, ByHash> = HashMap::default();
    for reading in readings {
        let mut hashes: Vec<u64> = reading.grams.iter().map(|gram| gram.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
            .into_iter()
            .for_each(|hash| *holders.entry(hash).or_default() += 1);
    }
    let rarity = |hash: u64| {
        let held = holders.get(&hash).copied().unwrap_or(1) as f32;
        ((readings.len() as f32 + 1.0) / (held + 0.5)).ln().max(0.0)
    };
    readings.iter().map(|reading| picture(reading, rarity)).collect()
}

fn picture(reading: &Reading, rarity: impl Fn(u64) -> f32) -> Picture {
    let mut pieces = Vec::with_capacity(reading.grams.len());
    let mut weight = 0.0;
    for (view, share) in [
        (View::Characters, CHARACTERS),
        (View::Sounds, SOUNDS),
        (View::Words, WORDS),
    ] {
        // Of what is typed in pinyin only the sounds say something: its letters are those of every other such question.
        if reading.is_typed_pinyin() && view != View::Sounds {
            continue;
        }
        let grams = reading.grams.iter().filter(|gram| gram.view == view);
        let mut of_view: Vec<(u64, f32)> = grams.map(|gram| (gram.hash, rarity(gram.hash))).collect();
        let length = of_view.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            of_view
                .iter_mut()
                .for_each(|(_, value)| *value *= share.sqrt() / length);
            weight += share;
            pieces.append(&mut of_view);
        }
    }
    let has_meaning = reading.meaning.is_some();
    weight += if has_meaning { MEANING } else { 0.0 };
    let scale = if weight > 0.0 { weight.sqrt().recip() } else { 0.0 };
    pieces.iter_mut().for_each(|(_, value)| *value *= scale);
    Picture {
        pieces,
        meaning: reading.meaning.clone(),
        meaning_weight: MEANING.sqrt() * scale,
    }
}

/// How near every question, later every group, is to every other.
#[derive(Clone)]
struct Similarities {
    count: usize,
    values: Vec<f32>,
}

impl Similarities {
    fn of(pictures: &[Picture]) -> Self {
        let count = pictures.len();
        let mut all = Self {
            count,
            values: vec![0.0; count * count],
        };
        // Most share few pieces with a question, and are found by them.
        let mut holders: HashMap<u64, Vec<(usize, f32)>, ByHash> = HashMap::default();
        for (row, one) in pictures.iter().enumerate() {
            let before = pictures.get(..row).unwrap_or_default();
            let mut near: Vec<f32> = before.iter().map(|other| one.in_meaning(other)).collect();
            for (hash, value) in &one.pieces {
                for (column, other_value) in holders.get(hash).into_iter().flatten() {
                    if let Some(near) = near.get_mut(*column) {
                        *near += value * other_value;
                    }
                }
            }
            for (hash, value) in &one.pieces {
                holders.entry(*hash).or_default().push((row, *value));
            }
            for (column, similarity) in near.into_iter().enumerate() {
                all.set(row, column, similarity);
            }
        }
        all
    }

    fn get(&self, row: usize, column: usize) -> f32 {
        self.values.get(row * self.count + column).copied().unwrap_or_default()
    }

    fn set(&mut self, row: usize, column: usize, value: f32) {
        for place in [row * self.count + column, column * self.count + row] {
            if let Some(slot) = self.values.get_mut(place) {
                *slot = value;
            }
        }
    }

    /// The nearest of these to one of them.
    fn nearest(&self, to: usize, among: &[usize]) -> Option<(usize, f32)> {
        let others = among.iter().filter(|other| **other != to);
        let nearest = others.map(|other| (*other, self.get(to, *other)));
        nearest.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}

/// Joins what is nearest to each other, step by step, by walking from each group to its nearest until two are each other's (the
/// nearest-neighbour chain): the groups are those that joining the nearest pair of all again and again would make.
fn joined(mut similarities: Similarities) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = (0..similarities.count).map(|place| vec![place]).collect();
    let mut open: Vec<usize> = (0..similarities.count).collect();
    let mut finished = Vec::new();
    let mut chain: Vec<usize> = Vec::new();
    while let Some(&last) = chain.last().or(open.first()) {
        if chain.is_empty() {
            chain.push(last);
        }
        let nearest = similarities
            .nearest(last, &open)
            .filter(|(_, similarity)| *similarity >= NEAR);
        let before = chain.len().checked_sub(2).and_then(|place| chain.get(place)).copied();
        match nearest {
            // Nothing is near, and joining others brings nothing nearer.
            None => {
                chain.pop();
                open.retain(|group| *group != last);
                finished.extend(groups.get_mut(last).map(std::mem::take));
            }
            Some((other, similarity)) => match before {
                Some(before) if similarities.get(last, before) >= similarity => {
                    chain.truncate(chain.len() - 2);
                    open.retain(|group| *group != last);
                    join(&mut similarities, &mut groups, (before, last), &open);
                }
                _ => chain.push(other),
            },
        }
    }
    finished
}

/// The second of two groups goes into the first.
fn join(similarities: &mut Similarities, groups: &mut [Vec<usize>], (into, from): (usize, usize), open: &[usize]) {
    let moved = groups.get_mut(from).map(std::mem::take).unwrap_or_default();
    let (there, added) = (groups.get(into).map_or(0, Vec::len) as f32, moved.len() as f32);
    for &other in open.iter().filter(|other| **other != into) {
        let (near_there, near_added) = (similarities.get(into, other), similarities.get(from, other));
        similarities.set(into, other, (there * near_there + added * near_added) / (there + added));
    }
    if let Some(group) = groups.get_mut(into) {
        group.extend(moved);
    }
}

fn typical_first(mut members: Vec<usize>, similarities: &Similarities) -> Vec<usize> {
    let all = members.clone();
    let to_all = |member: usize| all.iter().map(|other| similarities.get(member, *other)).sum::<f32>();
    members.sort_by(|one, other| to_all(*other).total_cmp(&to_all(*one)).then(one.cmp(other)));
    members
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::matching::TrainingSet;

    fn matcher() -> Matcher {
        Matcher::train(&TrainingSet::default())
    }

    #[test]
    fn questions_that_mean_the_same_are_one_group_and_the_largest_is_first() {
        let questions = [
            "打印机连不上了",
            "食堂几点开门",
            "打印机怎么连不上",
            "公司食堂什么时候开门",
            "连不上打印机怎么办",
            "年假还剩几天",
        ];
        let groups = group(&matcher(), &questions);
        let mut members: Vec<Vec<usize>> = groups.into_iter().map(|group| group.members).collect();
        members.iter_mut().for_each(|members| members.sort_unstable());
        assert_eq!(members, [vec![0, 2, 4], vec![1, 3], vec![5]]);
    }

    #[test]
    fn nothing_makes_no_group_and_empty_questions_stay_alone() {
        assert_eq!(group(&matcher(), &[]), []);
        assert_eq!(group(&matcher(), &["", "？？？"]).len(), 2);
    }

    #[test]
    fn the_most_typical_question_is_first() {
        let questions = ["打印机", "打印机连不上了怎么办", "打印机连不上了", "打印机连不上"];
        let groups = group(&matcher(), &questions);
        assert_eq!(groups.first().and_then(|group| group.members.first()), Some(&2));
    }

    proptest! {
        #[test]
        fn every_question_is_in_one_group(questions in prop::collection::vec("[打印机食堂年假不上几点开a-c ]{0,8}", 0..24)) {
            let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
            let mut members: Vec<usize> = group(&matcher(), &questions).into_iter().flat_map(|group| group.members).collect();
            members.sort_unstable();
            prop_assert_eq!(members, (0..questions.len()).collect::<Vec<_>>());
        }
    }
}
