//! How well the utterances of the knowledge itself are understood by a matcher that has not seen them: k folds, or one at a time.

use std::collections::HashMap;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::ensure;
use jiff::Timestamp;

use crate::dialogue::{Assistant, training_set};
use crate::evaluation::{Label, Measured, Row};
use crate::matching::{Class, ClassKind, Matcher, TrainingSet};

/// How often long work says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Trained matchers that may wait to be asked, each some megabytes.
const WAITING: usize = 2;

/// How many parts the utterances are dealt into.
#[derive(Clone, Copy)]
pub(super) enum Folds {
    /// So many.
    Count(usize),
    /// One for each utterance: the most exact and the slowest.
    OneEach,
}

/// What was measured, by how many matchers.
pub(super) struct Validated {
    pub(super) rows: Vec<Measured>,
    pub(super) folds: usize,
}

/// Holds back one part of the utterances after the other and judges it by a matcher trained on the rest.
pub(super) fn validate(assistant: &mut Assistant, folds: Folds, explain: bool) -> anyhow::Result<Validated> {
    let set = training_set(&assistant.catalogue);
    let deck = Deck::of(&set);
    let folds = deck.folds(folds)?;
    let now = Timestamp::now();
    let mut rows: Vec<(usize, Measured)> = Vec::new();
    let mut progress = Progress::starting(folds);
    for_each_matcher(&set, &deck, folds, |fold, matcher| {
        assistant.matcher = matcher;
        let held_back = deck.rows.iter().enumerate().skip(fold).step_by(folds);
        let judged = held_back.filter_map(|(number, row)| Some((number, row.as_ref()?.clone())));
        rows.extend(judged.map(|(number, row)| (number, Measured::of(assistant, row, now, explain))));
        progress.step();
    });
    rows.sort_by_key(|(number, _)| *number);
    Ok(Validated {
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        folds,
    })
}

/// Trains a matcher for each fold, as many at once as there are processors, and hands each over as it is ready.
fn for_each_matcher(set: &TrainingSet, deck: &Deck, folds: usize, mut ready: impl FnMut(usize, Matcher)) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = sync_channel(WAITING);
    let train = |sender: SyncSender<(usize, Matcher)>| {
        loop {
            let fold = next.fetch_add(1, Ordering::Relaxed);
            if fold >= folds || sender.send((fold, deck.without(set, fold, folds))).is_err() {
                return;
            }
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..processors.min(folds) {
            let sender = sender.clone();
            scope.spawn(|| train(sender));
        }
        drop(sender);
        receiver.into_iter().for_each(|(fold, matcher)| ready(fold, matcher));
    });
}

/// The distinct utterances, each with a number, and what it should come out as.
struct Deck {
    numbers: HashMap<String, usize>,
    /// By number; `None` for an utterance that a scenario shares with something else, which has no right answer.
    rows: Vec<Option<Row>>,
}

impl Deck {
    fn of(set: &TrainingSet) -> Self {
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut owners: Vec<(&str, Vec<&Class>)> = Vec::new();
        for (class, text) in set
            .classes
            .iter()
            .flat_map(|class| class.utterances.iter().map(move |text| (class, text)))
        {
            let number = *numbers.entry(text.clone()).or_insert(owners.len());
            match owners.get_mut(number) {
                Some((_, classes)) if classes.iter().any(|known| known.id == class.id) => {}
                Some((_, classes)) => classes.push(class),
                None => owners.push((text, vec![class])),
            }
        }
        let row = |(text, classes): (&str, Vec<&Class>)| Some(Row::of_utterance(text, label_of(&classes)?));
        Self {
            numbers,
            rows: owners.into_iter().map(row).collect(),
        }
    }

    fn folds(&self, folds: Folds) -> anyhow::Result<usize> {
        let most = self.rows.len();
        let count = match folds {
            Folds::OneEach => most,
            Folds::Count(count) => count,
        };
        ensure!(
            count <= most,
            "--folds {count} is more than the {most} utterances of the knowledge; ask for fewer, or for --leave-one-out"
        );
        Ok(count)
    }

    /// A matcher that has not seen what is held back in this fold.
    fn without(&self, set: &TrainingSet, fold: usize, folds: usize) -> Matcher {
        let is_taught = |text: &&String| self.numbers.get(*text).is_none_or(|number| number % folds != fold);
        let part = |class: &Class| Class {
            utterances: class.utterances.iter().filter(is_taught).cloned().collect(),
            ..class.clone()
        };
        Matcher::train(&TrainingSet {
            classes: set.classes.iter().map(part).collect(),
            ..set.clone()
        })
    }
}

fn label_of(classes: &[&Class]) -> Option<Label> {
    match classes {
        [class] => Some(match class.kind {
            ClassKind::Scenario => Label::Scenario(class.id.clone()),
            ClassKind::Outside => Label::Outside,
            ClassKind::Smalltalk => Label::Smalltalk,
            ClassKind::Human => Label::Human,
        }),
        _ if classes.iter().all(|class| class.kind == ClassKind::Scenario) => {
            Some(Label::Ambiguous(classes.iter().map(|class| class.id.clone()).collect()))
        }
        _ => None,
    }
}

/// Says on standard error how far long work is.
struct Progress {
    steps: usize,
    done: u32,
    started: Instant,
    said: Instant,
}

impl Progress {
    fn starting(steps: usize) -> Self {
        let started = Instant::now();
        Self {
            steps,
            done: 0,
            started,
            said: started,
        }
    }

    fn step(&mut self) {
        self.done = self.done.saturating_add(1);
        let left = u32::try_from(self.steps).unwrap_or(u32::MAX).saturating_sub(self.done);
        if left == 0 || self.said.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.said = Instant::now();
        let seconds = (self.started.elapsed() / self.done).saturating_mul(left).as_secs();
        let (done, steps) = (self.done, self.steps);
        // Nobody may be listening; that is no reason to stop.
        let _ = writeln!(
            std::io::stderr(),
            "{done} of {steps} matchers trained, about {seconds} s left"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(id: &str, kind: ClassKind, utterances: &[&str]) -> Class {
        Class {
            id: id.to_owned(),
            kind,
            utterances: utterances.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn what_several_classes_share_is_held_back_together() {
        let set = TrainingSet {
            classes: vec![
                class("a", ClassKind::Scenario, &["one", "both", "one"]),
                class("b", ClassKind::Scenario, &["both", "two", "odd"]),
                class("none", ClassKind::Outside, &["odd", "three"]),
            ],
            ..TrainingSet::default()
        };
        let deck = Deck::of(&set);
        let labels = deck
            .rows
            .iter()
            .map(|row| row.as_ref().map(|row| row.label_text.as_str()));
        let expected = [Some("a"), Some("ambiguous:a|b"), Some("b"), None, Some("none")];
        assert_eq!(labels.collect::<Vec<_>>(), expected);
        assert_eq!(deck.folds(Folds::OneEach).unwrap(), 5);
        assert!(deck.folds(Folds::Count(6)).is_err());
    }
}
