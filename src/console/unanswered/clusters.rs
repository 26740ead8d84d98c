//! Failed questions that mean the same, brought together. Each text is asked again first: what the knowledge answers by now, or knows for
//! something else, is left out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::failures::{Failed, Failure};
use crate::dialogue::Assistant;
use crate::matching::{ClassKind, Decision, Judgement, group};
use crate::store::QuestionId;

/// So many different texts are asked again, the latest ones.
const MOST_ASKED: usize = 5_000;

/// So many of those that still fail are compared with each other: the time for that grows with the square of their number.
const MOST_COMPARED: usize = 2_000;

/// How often questions failed, in the order of [`Failure::ALL`].
pub(in crate::console) type Counts = [u64; Failure::ALL.len()];

/// Texts that mean the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::console) struct Cluster {
    /// The most typical first.
    pub(in crate::console) texts: Vec<FailedText>,
    pub(in crate::console) counts: Counts,
    pub(in crate::console) people: usize,
    pub(in crate::console) newest: Option<QuestionId>,
    /// The scenario that they are most like, and its probability.
    pub(in crate::console) nearest: Option<(String, f32)>,
    /// Whether they are more like what is not our subject.
    pub(in crate::console) is_more_like_outside: bool,
}

/// A text that still fails.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::console) struct FailedText {
    /// Without what names somebody.
    pub(in crate::console) text: String,
    pub(in crate::console) counts: Counts,
    /// Who wrote it.
    pub(in crate::console) people: BTreeSet<String>,
    /// The questions, the newest first.
    pub(in crate::console) questions: Vec<QuestionId>,
    /// Probabilities of scenarios.
    scenarios: Vec<(String, f32)>,
    /// Probability that it is not our subject.
    outside: f32,
}

impl Cluster {
    fn of(texts: Vec<FailedText>) -> Self {
        let mut cluster = Self::default();
        let mut weights: BTreeMap<&str, f32> = BTreeMap::new();
        let mut outside = 0.0;
        for text in &texts {
            let questions = text.questions.len() as f32;
            for (scenario, probability) in &text.scenarios {
                *weights.entry(scenario).or_default() += probability * questions;
            }
            outside += text.outside * questions;
            add(&mut cluster.counts, &text.counts);
            cluster.newest = cluster.newest.max(text.questions.first().copied());
        }
        let questions = cluster.questions() as f32;
        let nearest = weights.into_iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
        cluster.is_more_like_outside = nearest.is_none_or(|(_, weight)| outside > weight);
        cluster.nearest = nearest.map(|(scenario, weight)| (scenario.to_owned(), weight / questions));
        let people: BTreeSet<&String> = texts.iter().flat_map(|text| &text.people).collect();
        cluster.people = people.len();
        cluster.texts = texts;
        cluster
    }

    /// How many questions these are.
    pub(in crate::console) fn questions(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether this question is one of them.
    pub(in crate::console) fn has(&self, question: QuestionId) -> bool {
        self.texts.iter().any(|text| text.questions.contains(&question))
    }
}

pub(super) fn add(sum: &mut Counts, more: &Counts) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// The clusters of what still fails, the biggest first. `rewritten` says when the answer of a scenario was last written anew: what was said of it
/// before says nothing of the present one.
pub(super) fn clusters(
    assistant: &Assistant,
    mut failed: Vec<Failed>,
    rewritten: &BTreeMap<String, Timestamp>,
) -> Vec<Cluster> {
    failed.sort_by_key(|failed| Reverse(failed.id));
    let mut texts = failing_still(assistant, by_text(failed), rewritten);
    // What was asked most is compared; the rest stands alone.
    texts.sort_by_key(|text| Reverse((text.questions.len(), text.questions.first().copied())));
    let alone = texts.split_off(texts.len().min(MOST_COMPARED));
    let compared: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    let groups = group(&assistant.matcher, &compared).into_iter();
    let groups = groups.map(|group| {
        group
            .members
            .iter()
            .filter_map(|place| texts.get(*place).cloned())
            .collect()
    });
    let alone = alone.into_iter().map(|text| vec![text]);
    let mut clusters: Vec<Cluster> = groups.chain(alone).map(Cluster::of).collect();
    clusters.sort_by_key(|cluster| Reverse((cluster.questions(), cluster.people, cluster.newest)));
    clusters
}

/// Questions by their text, in the order in which the texts come first.
fn by_text(failed: Vec<Failed>) -> Vec<Vec<Failed>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut texts: Vec<Vec<Failed>> = Vec::new();
    for failed in failed {
        let new = texts.len();
        let place = *places.entry(failed.text.clone()).or_insert(new);
        if place == new && new < MOST_ASKED {
            texts.push(Vec::new());
        }
        if let Some(same) = texts.get_mut(place) {
            same.push(failed);
        }
    }
    texts
}

fn failing_still(
    assistant: &Assistant,
    texts: Vec<Vec<Failed>>,
    rewritten: &BTreeMap<String, Timestamp>,
) -> Vec<FailedText> {
    let still = |same: Vec<Failed>| {
        let text = same.first()?.text.clone();
        let judgement = assistant.matcher.judge(&text);
        let fails = |failed: &Failed| fails_still(failed, &judgement, rewritten);
        let same: Vec<Failed> = same.into_iter().filter(fails).collect();
        (!same.is_empty()).then(|| failed_text(text, same, &judgement))
    };
    texts.into_iter().filter_map(still).collect()
}

/// A question that is known word for word has been decided on: it is no example of anything else.
fn fails_still(failed: &Failed, judgement: &Judgement<'_>, rewritten: &BTreeMap<String, Timestamp>) -> bool {
    match (failed.failure, &judgement.decision) {
        (Failure::Useless, Decision::Answer { scenario }) => {
            let is_rewritten = rewritten
                .get(&failed.scenario)
                .is_some_and(|at| *at > failed.id.made_at());
            *scenario == failed.scenario && !is_rewritten
        }
        (Failure::Refused | Failure::AskedBack, Decision::Refuse | Decision::AskBack { .. }) => {
            !judgement.is_known_utterance
        }
        _ => false,
    }
}

fn failed_text(text: String, same: Vec<Failed>, judgement: &Judgement<'_>) -> FailedText {
    let count = |failure| same.iter().filter(|failed| failed.failure == failure).count() as u64;
    let of_kind = |kind| {
        judgement
            .candidates
            .iter()
            .filter(move |candidate| candidate.kind == kind)
    };
    let scenarios = of_kind(ClassKind::Scenario);
    FailedText {
        text,
        counts: Failure::ALL.map(count),
        people: same.iter().map(|failed| failed.person.clone()).collect(),
        questions: same.iter().map(|failed| failed.id).collect(),
        scenarios: scenarios
            .map(|one| (one.id.clone().into_owned(), one.probability))
            .collect(),
        outside: of_kind(ClassKind::Outside).map(|candidate| candidate.probability).sum(),
    }
}
