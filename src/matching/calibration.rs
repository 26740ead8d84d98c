//! Teaches the matcher how far to trust itself, from the knowledge alone.
//!
//! In each round some utterances are held back and some scenarios are left out altogether, their utterances playing
//! questions that nothing answers. What a model trained on the rest says about them, and whether it is right, is what
//! the two probabilities are fitted to: that the best scenario is right, and that one of the first few is.

use super::confidence::{Confidence, Outcome};
use super::model::{Attention, Lesson, Model, Recipe};
use super::shuffle::Shuffler;
use super::training_set::ClassKind;
use super::vocabulary::{Counts, Vocabulary};

/// Fixed, so that the same knowledge gives the same probabilities.
const SEED: u64 = 11;

/// So many options are offered at most when the second probability is fitted.
const OPTIONS: usize = 3;

/// From this probability on another scenario clearly wins a held-back utterance.
const OVERRULED: f32 = 0.8;

/// How far to trust a judgement, by what it goes by: sounds alone tell less.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Calibration {
    pub(super) of_everything: Trustworthiness,
    pub(super) of_sound: Trustworthiness,
}

impl Calibration {
    /// How far to trust a judgement that goes by this.
    pub(super) fn of(&self, attention: Attention) -> &Trustworthiness {
        match attention {
            Attention::Everything => &self.of_everything,
            Attention::Sound => &self.of_sound,
        }
    }
}

/// How far to trust the best scenario, the first few together, and the best kind of small talk.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Trustworthiness {
    pub(super) best: Confidence,
    pub(super) options: Confidence,
    pub(super) chat: Confidence,
}

/// What the rounds teach.
pub(super) struct Rehearsal {
    pub(super) calibration: Calibration,
    /// Held-back lessons of a scenario that another scenario clearly wins: (lesson, winner).
    pub(super) overruled: Vec<(usize, usize)>,
}

/// What the model said about one lesson it has not had.
struct Examined {
    best: Outcome,
    options: Outcome,
    chat: Option<Outcome>,
}

/// What one round found out.
#[derive(Default)]
pub(super) struct Round {
    of_everything: Vec<Examined>,
    of_sound: Vec<Examined>,
    overruled: Vec<(usize, usize)>,
}

/// The rounds, ready to be run in any order and on any thread; what they find does not depend on it.
pub(super) struct Rounds<'a> {
    vocabulary: &'a Vocabulary,
    kinds: &'a [ClassKind],
    lessons: &'a [Lesson],
    recipe: &'a Recipe,
    parts: Parts,
    stranger_weight: f32,
}

impl<'a> Rounds<'a> {
    pub(super) fn of(
        vocabulary: &'a Vocabulary,
        kinds: &'a [ClassKind],
        lessons: &'a [Lesson],
        recipe: &'a Recipe,
    ) -> Self {
        Self {
            vocabulary,
            kinds,
            lessons,
            recipe,
            parts: Parts::deal(kinds, lessons, recipe.rounds),
            stranger_weight: stranger_weight(kinds, lessons, recipe.strangers),
        }
    }

    /// Trains a model without what is held back and left out, and examines it with that.
    pub(super) fn run(&self, round: usize) -> Round {
        let is_stranger = |lesson: &Lesson| lesson.meant.iter().any(|class| self.parts.leaves_out(*class, round));
        let is_held_back = |index: usize| self.parts.holds_back(index, round);
        let numbered = || self.lessons.iter().enumerate();
        let taught: Vec<&Lesson> = numbered()
            .filter(|(index, lesson)| !is_stranger(lesson) && !is_held_back(*index))
            .map(|(_, lesson)| lesson)
            .collect();
        let model = Model::train(self.vocabulary, self.kinds.len(), &taught, self.recipe);
        let mut found = Round::default();
        // A question that other scenarios share is no stranger's when one of them is left out.
        let strangers = self
            .lessons
            .iter()
            .filter(|lesson| is_stranger(lesson) && lesson.meant.len() == 1);
        for lesson in strangers {
            self.examine_both(&model, lesson, self.stranger_weight, &mut found);
        }
        for (index, lesson) in numbered().filter(|(index, _)| is_held_back(*index)) {
            self.examine_both(&model, lesson, lesson.share, &mut found);
            let winner = overruler(&model, self.kinds, lesson);
            found.overruled.extend(winner.map(|winner| (index, winner)));
        }
        found
    }

    /// Examines a model by everything and by sound alone.
    fn examine_both(&self, model: &Model, lesson: &Lesson, weight: f32, found: &mut Round) {
        let kinds = self.kinds;
        let heard = lesson.counts.of_sound();
        let everything = Attention::Everything;
        let examined = examine(model, kinds, lesson, &lesson.counts, everything, weight);
        found.of_everything.extend(examined);
        let examined = examine(model, kinds, lesson, &heard, Attention::Sound, weight);
        found.of_sound.extend(examined);
    }
}

impl Rehearsal {
    /// Fits the probabilities to what the rounds found, in their order.
    pub(super) fn of(rounds: impl IntoIterator<Item = Round>) -> Self {
        let mut all = Round::default();
        for round in rounds {
            all.of_everything.extend(round.of_everything);
            all.of_sound.extend(round.of_sound);
            all.overruled.extend(round.overruled);
        }
        let calibration = Calibration {
            of_everything: Trustworthiness::fit(&all.of_everything),
            of_sound: Trustworthiness::fit(&all.of_sound),
        };
        Self {
            calibration,
            overruled: all.overruled,
        }
    }
}

impl Trustworthiness {
    fn fit(examined: &[Examined]) -> Self {
        Self {
            best: Confidence::fit(examined.iter().map(|one| one.best)),
            options: Confidence::fit(examined.iter().map(|one| one.options)),
            chat: Confidence::fit(examined.iter().filter_map(|one| one.chat)),
        }
    }
}

/// How much each utterance of a scenario that was left out counts: what nothing answers, from outside or left out, shall weigh
/// `strangers` times what something answers. Knowledge with few examples of what is outside must learn from those left out.
fn stranger_weight(kinds: &[ClassKind], lessons: &[Lesson], strangers: f32) -> f32 {
    let of_kind = |wanted| {
        let lessons = lessons.iter().filter(|lesson| kinds.get(lesson.class) == Some(&wanted));
        lessons.map(|lesson| lesson.share).sum::<f32>()
    };
    let (inside, outside) = (of_kind(ClassKind::Scenario), of_kind(ClassKind::Outside));
    (strangers - outside / inside.max(1.0)).max(LEAST_STRANGER_WEIGHT)
}

/// Even with many examples of what is outside, the near misses are among those left out.
const LEAST_STRANGER_WEIGHT: f32 = 0.2;

/// The scenario that clearly wins a lesson of another one.
fn overruler(model: &Model, kinds: &[ClassKind], lesson: &Lesson) -> Option<usize> {
    let is_of_scenario = |class: usize| kinds.get(class).copied().is_some_and(is_scenario);
    let look = model.look(&lesson.counts, Attention::Everything);
    let mut clear = look
        .probabilities
        .iter()
        .enumerate()
        .filter(|(_, probability)| **probability >= OVERRULED);
    let (winner, _) = clear.next()?;
    (!lesson.meant.contains(&winner) && is_of_scenario(winner) && is_of_scenario(lesson.class)).then_some(winner)
}

/// What the model says about a lesson it has not had.
fn examine(
    model: &Model,
    kinds: &[ClassKind],
    lesson: &Lesson,
    counts: &Counts,
    attention: Attention,
    weight: f32,
) -> Option<Examined> {
    let look = model.look(counts, attention);
    let survey = Model::survey(counts, &look, kinds);
    let ranked = rank(&look.probabilities, kinds, is_scenario);
    let first = *ranked.first()?;
    let is_offered = ranked.iter().take(OPTIONS).any(|class| lesson.meant.contains(class));
    let chat = best(&look.probabilities, kinds, is_chat);
    let facts = model.facts(&survey, first);
    let outcome = |facts, right| Outcome { facts, right, weight };
    let is_chat_lesson = kinds.get(lesson.class).copied().is_some_and(is_chat);
    Some(Examined {
        best: outcome(facts, first == lesson.class),
        options: outcome(facts, is_offered),
        // Which greeting it is hardly matters; that it is one does.
        chat: chat.map(|class| {
            let is_right = is_chat_lesson && kinds.get(class) == kinds.get(lesson.class);
            outcome(model.facts(&survey, class), is_right)
        }),
    })
}

pub(super) fn is_scenario(kind: ClassKind) -> bool {
    kind == ClassKind::Scenario
}

/// Talk that the bot answers, though it is no question about its subject.
pub(super) fn is_chat(kind: ClassKind) -> bool {
    matches!(kind, ClassKind::Smalltalk | ClassKind::Human)
}

/// The most probable class of some kinds.
pub(super) fn best(probabilities: &[f32], kinds: &[ClassKind], wanted: impl Fn(ClassKind) -> bool) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (class, (probability, kind)) in probabilities.iter().zip(kinds).enumerate() {
        // Of equal ones the first, as in the ranking.
        let is_better = best.is_none_or(|(_, best)| probability.total_cmp(&best).is_gt());
        if is_better && wanted(*kind) {
            best = Some((class, *probability));
        }
    }
    best.map(|(class, _)| class)
}

/// The classes of some kinds, most probable first.
fn rank(probabilities: &[f32], kinds: &[ClassKind], wanted: fn(ClassKind) -> bool) -> Vec<usize> {
    let mut ranked: Vec<(usize, f32)> = probabilities.iter().copied().enumerate().collect();
    ranked.retain(|(class, _)| kinds.get(*class).copied().is_some_and(wanted));
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.into_iter().map(|(class, _)| class).collect()
}

/// Who is left out of which round.
struct Parts {
    round_of_class: Vec<Option<usize>>,
    round_of_lesson: Vec<usize>,
}

impl Parts {
    fn deal(kinds: &[ClassKind], lessons: &[Lesson], rounds: usize) -> Self {
        let rounds = rounds.max(1);
        let mut shuffler = Shuffler::new(SEED);
        let mut scenarios: Vec<usize> = kinds
            .iter()
            .enumerate()
            .filter(|(_, kind)| **kind == ClassKind::Scenario)
            .map(|(class, _)| class)
            .collect();
        shuffler.shuffle(&mut scenarios);
        let mut round_of_class = vec![None; kinds.len()];
        // With fewer scenarios than that, leaving some out would leave nothing to confuse them with.
        if scenarios.len() > 2 {
            for (position, class) in scenarios.into_iter().enumerate() {
                if let Some(round) = round_of_class.get_mut(class) {
                    *round = Some(position % rounds);
                }
            }
        }
        let texts = lessons.iter().map(|lesson| lesson.text + 1).max().unwrap_or_default();
        let mut dealt: Vec<usize> = (0..texts).collect();
        shuffler.shuffle(&mut dealt);
        let is_absent = |lesson: &Lesson, round: usize| {
            let rounds_of = lesson
                .meant
                .iter()
                .map(|class| round_of_class.get(*class).copied().flatten());
            rounds_of.into_iter().any(|absent| absent == Some(round))
        };
        // Not in a round in which one of its classes is left out, so that every text is once judged by a model that knows its classes.
        // The lessons of one shared text are held back together.
        let round_of = |lesson: &Lesson| {
            let start = dealt.get(lesson.text).copied().unwrap_or_default();
            let mut turns = (0..rounds).map(|turn| (start + turn) % rounds);
            turns.find(|round| !is_absent(lesson, *round)).unwrap_or(start % rounds)
        };
        let round_of_lesson = lessons.iter().map(round_of).collect();
        Self {
            round_of_lesson,
            round_of_class,
        }
    }

    fn leaves_out(&self, class: usize, round: usize) -> bool {
        self.round_of_class.get(class) == Some(&Some(round))
    }

    fn holds_back(&self, lesson: usize, round: usize) -> bool {
        self.round_of_lesson.get(lesson) == Some(&round)
    }
}
