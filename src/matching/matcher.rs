//! The trained matcher: a question in, a judgement out.

use std::collections::HashMap;

use super::calibration::{Calibration, Rehearsal, Rounds, best, is_chat, is_scenario};
use super::characters::is_numeric;
use super::confidence::{Confidence, Facts};
use super::decision::{Candidate, Decision, Judgement, Thresholds, Trust, decide, options_among};
use super::known::{KnownUtterances, Owners, letters_of, owners_of};
use super::model::{Attention, Lesson, Look, Model, Recipe};
use super::normalise::Normaliser;
use super::question::{Question, Read};
use super::reading::Reading;
use super::traditional::CharacterTable;
use super::training_set::{ClassKind, TrainingSet};
use super::vetoes::Vetoes;
use super::vocabulary::{ByHash, Counts, Vocabulary};

/// So many scenarios, and so many other classes, are named in a judgement.
const CANDIDATES: usize = 8;

/// An utterance that another scenario wins while it is held back may still be a good one; it is misplaced if, having learnt from it,
/// the matcher does not give its own scenario this probability either.
const CONVINCED: f32 = 0.82;

/// How sure to be of a question that is word for word one of the utterances.
const KNOWN_UTTERANCE: f32 = 0.99;

/// Judges questions. Made once from the knowledge, or from a cache of the same; never changes.
#[derive(Debug, Clone)]
pub struct Matcher {
    pub(super) ids: Vec<String>,
    pub(super) kinds: Vec<ClassKind>,
    pub(super) aliases: Vec<(String, String)>,
    pub(super) fillers: Vec<String>,
    pub(super) denials: Vec<String>,
    pub(super) vetoes: Vetoes,
    pub(super) normaliser: Normaliser,
    pub(super) vocabulary: Vocabulary,
    pub(super) model: Model,
    pub(super) calibration: Calibration,
    /// Misplaced utterances with the class that wins them: a finding about the knowledge, not part of what judges questions.
    pub(super) overruled: Vec<(usize, usize)>,
    /// Every utterance as the views see it, with its class.
    pub(super) utterances: Vec<(String, usize)>,
    pub(super) known: KnownUtterances,
    pub(super) thresholds: Thresholds,
}

/// How a question looks.
#[derive(Debug, Clone)]
pub(super) struct Viewed<'v> {
    pub(super) text: &'v str,
    pub(super) reading: &'v Reading,
    pub(super) attention: Attention,
    pub(super) counts: Counts,
    pub(super) look: Look,
}

impl Matcher {
    /// Learns from the knowledge. The same set always gives the same matcher.
    pub fn train(set: &TrainingSet) -> Self {
        Self::train_by(set, &Recipe::default())
    }

    /// Learns by another recipe than the one chosen; for experiments.
    pub(crate) fn train_by(set: &TrainingSet, recipe: &Recipe) -> Self {
        let normaliser = Normaliser::new(
            CharacterTable::from_dictionary(),
            &set.aliases,
            &set.fillers,
            &set.denials,
        );
        let utterances: Vec<(String, usize)> = set
            .classes
            .iter()
            .enumerate()
            .flat_map(|(class, members)| members.utterances.iter().map(move |text| (text, class)))
            .map(|(text, class)| (normaliser.essence(&normaliser.spelled(text)), class))
            .collect();
        let readings: Vec<Reading> = utterances.iter().map(|(text, _)| Reading::of(text)).collect();
        let vocabulary = Vocabulary::of(&readings, recipe.rarest);
        let kinds: Vec<ClassKind> = set.classes.iter().map(|class| class.kind).collect();
        let lessons = lessons(&vocabulary, &kinds, &readings, &utterances, recipe);
        let all: Vec<&Lesson> = lessons.iter().collect();
        let (model, mut rehearsal) = learn(&vocabulary, &kinds, &lessons, &all, recipe);
        let is_convincing = |lesson: &Lesson| {
            let look = model.look(&lesson.counts, Attention::Everything);
            look.probabilities
                .get(lesson.class)
                .is_some_and(|own| *own >= CONVINCED)
        };
        rehearsal
            .overruled
            .retain(|(lesson, _)| lessons.get(*lesson).is_some_and(|lesson| !is_convincing(lesson)));
        let known = KnownUtterances::of(&utterances, &kinds);
        Self {
            ids: set.classes.iter().map(|class| class.id.clone()).collect(),
            kinds,
            aliases: set.aliases.clone(),
            fillers: set.fillers.clone(),
            denials: set.denials.clone(),
            vetoes: Vetoes::new(vetoes(set, &normaliser)),
            normaliser,
            vocabulary,
            model,
            calibration: rehearsal.calibration,
            overruled: rehearsal.overruled,
            known,
            utterances,
            thresholds: Thresholds::default(),
        }
    }

    /// Decides by other thresholds.
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// The one spelling of a text: width, case, script, repeated marks, spaces, numbers, aliases. Punctuation and fillers are kept.
    pub fn normalise(&self, text: &str) -> String {
        self.normaliser.normalise(text)
    }

    /// The one spelling of what a text does not deny: "不是第一次，是第二次" says 第二次.
    pub fn asserted(&self, text: &str) -> String {
        self.normaliser.spelled(text).asserted().to_owned()
    }

    pub(super) fn judge_question(&self, question: &Question<'_, '_>) -> Judgement<'_> {
        let known = self.known.owners(&question.read().essence);
        let (probabilities, trust) = match known {
            Some(Owners::One(class)) => self.certain(class),
            Some(Owners::Several(classes)) => Self::undecided(&self.view(question), classes),
            None => self.calculated(question),
        };
        let candidates = self.candidates(&probabilities);
        let decision = match known {
            Some(Owners::Several(_)) => Decision::AskBack {
                options: options_among(&candidates, &self.thresholds),
            },
            _ => decide(&candidates, trust, &self.thresholds),
        };
        Judgement {
            confidence: trust.best,
            confidence_in_talk: trust.chat,
            confidence_in_options: trust.options,
            is_known_utterance: known.is_some(),
            candidates,
            decision,
        }
    }

    /// What to think of a question that is nobody's utterance.
    fn calculated(&self, question: &Question<'_, '_>) -> (Vec<f32>, Trust) {
        let viewed = (!is_number(&question.read().essence)).then(|| self.view(question));
        match viewed.filter(|viewed| !viewed.counts.known.is_empty()) {
            Some(viewed) => {
                let trust = self.trust(&viewed);
                (viewed.look.probabilities, trust)
            }
            None => (Vec::new(), Trust::default()),
        }
    }

    /// Whether a character is a traditional one that has a simplified form.
    pub fn is_traditional(&self, character: char) -> bool {
        self.normaliser.characters().simplify(character) != character
    }

    /// Whether a character is the simplified form of a traditional one. Most characters are neither.
    pub fn is_simplified(&self, character: char) -> bool {
        self.normaliser.characters().is_simplified(character)
    }

    /// Utterances that another scenario wins, as (class index, utterance index, id of the winner): clearly when a matcher is trained
    /// without them, and nearly still when it is trained with them.
    pub fn misplaced_utterances(&self, set: &TrainingSet) -> Vec<(usize, usize, String)> {
        let places = set.classes.iter().enumerate();
        let places: Vec<(usize, usize)> = places
            .flat_map(|(class, members)| (0..members.utterances.len()).map(move |index| (class, index)))
            .collect();
        let place = |(lesson, winner): &(usize, usize)| {
            let (class, index) = *places.get(*lesson)?;
            Some((class, index, self.ids.get(*winner)?.clone()))
        };
        self.overruled.iter().filter_map(place).collect()
    }

    /// How many n-grams the matcher knows.
    pub fn feature_count(&self) -> usize {
        self.vocabulary.len()
    }

    /// Scores a question.
    pub(super) fn view<'v>(&self, question: &'v Question<'_, '_>) -> Viewed<'v> {
        let Read { essence, reading } = question.read();
        let attention = match reading.is_typed_pinyin() {
            true => Attention::Sound,
            false => Attention::Everything,
        };
        let counts = self.vocabulary.count(reading);
        let counts = match attention {
            Attention::Sound => counts.of_sound(),
            Attention::Everything => counts,
        };
        let mut look = self.model.look(&counts, attention);
        self.vetoes.heed(question.normalised(), &mut look.probabilities);
        Viewed {
            text: essence,
            reading,
            attention,
            counts,
            look,
        }
    }

    fn trust(&self, viewed: &Viewed<'_>) -> Trust {
        let calibration = self.calibration.of(viewed.attention);
        let survey = Model::survey(&viewed.counts, &viewed.look, &self.kinds);
        let probabilities = &viewed.look.probabilities;
        let facts_of_best = |wanted: fn(ClassKind) -> bool| {
            let class = best(probabilities, &self.kinds, wanted)?;
            Some(self.model.facts(&survey, class))
        };
        let (scenario, chat) = (facts_of_best(is_scenario), facts_of_best(is_chat));
        let trust_by = |confidence: &Confidence, facts: Option<Facts>| facts.map_or(0.0, |facts| confidence.of(&facts));
        let best = trust_by(&calibration.best, scenario);
        Trust {
            best,
            options: trust_by(&calibration.options, scenario).max(best),
            chat: trust_by(&calibration.chat, chat),
        }
    }

    /// An utterance of several scenarios: one of them is meant for certain, and which is open.
    fn undecided(viewed: &Viewed<'_>, classes: &[usize]) -> (Vec<f32>, Trust) {
        let of = |class: usize| viewed.look.probabilities.get(class).copied().unwrap_or_default();
        let total: f32 = classes.iter().map(|class| of(*class)).sum();
        let mut probabilities = vec![0.0; viewed.look.probabilities.len()];
        for class in classes {
            probabilities
                .get_mut(*class)
                .into_iter()
                .for_each(|place| *place = of(*class) / total.max(f32::MIN_POSITIVE));
        }
        let best = 1.0 / classes.len().max(1) as f32;
        (
            probabilities,
            Trust {
                best,
                options: KNOWN_UTTERANCE,
                chat: 0.0,
            },
        )
    }

    /// What to think of a question that is word for word an utterance of a class.
    fn certain(&self, class: usize) -> (Vec<f32>, Trust) {
        let probabilities = (0..self.ids.len())
            .map(|other| if other == class { 1.0 } else { 0.0 })
            .collect();
        let trust_in = |wanted: fn(ClassKind) -> bool| {
            if self.kinds.get(class).copied().is_some_and(wanted) {
                KNOWN_UTTERANCE
            } else {
                0.0
            }
        };
        let scenario = trust_in(is_scenario);
        (
            probabilities,
            Trust {
                best: scenario,
                options: scenario,
                chat: trust_in(is_chat),
            },
        )
    }

    fn candidates(&self, probabilities: &[f32]) -> Vec<Candidate<'_>> {
        // Small talk must not crowd out the scenarios, or there would be nothing to offer.
        let mut leaders = leaders_of(probabilities, &self.kinds, is_scenario);
        leaders.append(&mut leaders_of(probabilities, &self.kinds, |kind| !is_scenario(kind)));
        leaders.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut candidates = Vec::with_capacity(leaders.len());
        candidates.extend(leaders.into_iter().filter_map(|(class, probability)| {
            Some(Candidate {
                id: self.ids.get(class)?.into(),
                kind: *self.kinds.get(class)?,
                probability,
            })
        }));
        candidates
    }
}

/// The most probable classes of some kinds, best first; of equal ones the first.
fn leaders_of(probabilities: &[f32], kinds: &[ClassKind], wanted: impl Fn(ClassKind) -> bool) -> Vec<(usize, f32)> {
    let least = least_of_leaders(probabilities, kinds, &wanted);
    let mut leaders = Vec::with_capacity(2 * CANDIDATES);
    for (class, (probability, kind)) in probabilities.iter().zip(kinds).enumerate() {
        if *probability < least || !wanted(*kind) {
            continue;
        }
        let is_behind = |(_, other): &(usize, f32)| other.total_cmp(probability).is_ge();
        let place = leaders.partition_point(is_behind);
        if place < CANDIDATES {
            leaders.truncate(CANDIDATES - 1);
            leaders.insert(place, (class, *probability));
        }
    }
    leaders
}

/// What no leader is below: the lowest of as many probabilities as there are leaders, each the highest of its lane. Nearly all classes are
/// below that, so that hardly any is to be put in its place.
fn least_of_leaders(probabilities: &[f32], kinds: &[ClassKind], wanted: impl Fn(ClassKind) -> bool) -> f32 {
    let (chunks, _) = probabilities.as_chunks::<CANDIDATES>();
    let (kinds, _) = kinds.as_chunks::<CANDIDATES>();
    let mut highest = [f32::NEG_INFINITY; CANDIDATES];
    for (chunk, kinds) in chunks.iter().zip(kinds) {
        for ((highest, probability), kind) in highest.iter_mut().zip(chunk).zip(kinds) {
            let probability = if wanted(*kind) { *probability } else { f32::NEG_INFINITY };
            *highest = probability.max(*highest);
        }
    }
    highest.into_iter().fold(f32::INFINITY, f32::min)
}

/// Trains the model and rehearses with others like it. Half of the rounds run on a second thread: they know nothing of each other, so
/// the result is the same.
fn learn(
    vocabulary: &Vocabulary,
    kinds: &[ClassKind],
    lessons: &[Lesson],
    all: &[&Lesson],
    recipe: &Recipe,
) -> (Model, Rehearsal) {
    let rounds = Rounds::of(vocabulary, kinds, lessons, recipe);
    let run = |range: std::ops::Range<usize>| range.map(|round| rounds.run(round)).collect::<Vec<_>>();
    let half = recipe.rounds.div_ceil(2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| run(0..half));
        let model = Model::train(vocabulary, kinds.len(), all, recipe);
        let second = run(half..recipe.rounds);
        let first = first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (model, Rehearsal::of(first.into_iter().chain(second)))
    })
}

/// The words that speak against classes, spelled as questions will be, with the index of their class.
fn vetoes(set: &TrainingSet, normaliser: &Normaliser) -> Vec<(String, usize)> {
    let index_of = |id: &str| set.classes.iter().position(|class| class.id == id);
    let spelled = set
        .vetoes
        .iter()
        .filter_map(|(id, words)| Some((normaliser.normalise(words), index_of(id)?)));
    spelled.filter(|(words, _)| !words.is_empty()).collect()
}

/// How much each utterance counts: classes with many utterances count a little less each, so that none swallows the rest, and an
/// utterance of several classes counts for each in part.
fn lessons(
    vocabulary: &Vocabulary,
    kinds: &[ClassKind],
    readings: &[Reading],
    utterances: &[(String, usize)],
    recipe: &Recipe,
) -> Vec<Lesson> {
    let mut sizes = vec![0.0_f32; kinds.len()];
    for (_, class) in utterances {
        sizes.get_mut(*class).into_iter().for_each(|size| *size += 1.0);
    }
    let mean = utterances.len() as f32 / kinds.len().max(1) as f32;
    let weight_of = |class: usize| {
        let size = sizes.get(class).copied().unwrap_or(1.0).max(1.0);
        let of_kind = match kinds.get(class) {
            Some(ClassKind::Outside) => recipe.outside_weight,
            Some(ClassKind::Smalltalk | ClassKind::Human) => recipe.smalltalk_weight,
            _ => 1.0,
        };
        of_kind * (mean / size).powf(recipe.balance)
    };
    let owners = owners_of(utterances);
    let mut numbers: HashMap<u64, usize, ByHash> = HashMap::default();
    let pairs = readings.iter().zip(utterances);
    pairs
        .map(|(reading, (text, class))| {
            let letters = letters_of(text);
            let meant = owners.get(&letters).cloned().unwrap_or_default();
            let share = 1.0 / meant.len().max(1) as f32;
            let next = numbers.len();
            let text = *numbers.entry(letters).or_insert(next);
            Lesson {
                class: *class,
                text,
                meant,
                counts: vocabulary.count(reading),
                weight: weight_of(*class) * share,
                share,
            }
        })
        .collect()
}

/// A number by itself means something only in a conversation.
fn is_number(text: &str) -> bool {
    text.chars()
        .all(|character| is_numeric(character) || character.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few different numbers, so that many are equal.
        #[test]
        fn leaders_are_the_first_of_all_in_their_order(classes in prop::collection::vec((0_u8..20, any::<bool>()), 0..60)) {
            let probabilities: Vec<f32> = classes.iter().map(|(number, _)| f32::from(*number) / 20.0).collect();
            let kind = |wanted| if wanted { ClassKind::Scenario } else { ClassKind::Outside };
            let kinds: Vec<ClassKind> = classes.iter().map(|(_, wanted)| kind(*wanted)).collect();
            let of_kind = (0..).zip(&probabilities).zip(&kinds).filter(|(_, kind)| is_scenario(**kind));
            let mut sorted: Vec<(usize, f32)> = of_kind.map(|((class, probability), _)| (class, *probability)).collect();
            sorted.sort_by(|one, other| other.1.total_cmp(&one.1));
            sorted.truncate(CANDIDATES);
            prop_assert_eq!(leaders_of(&probabilities, &kinds, is_scenario), sorted);
        }
    }
}
