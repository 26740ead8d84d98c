//! The bot's mind: the catalogue, the matcher trained on it, and what reads short replies; checked as a whole.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::checked_toml::{Problem, Report};
use crate::dialogue::circumstances::Circumstances;
use crate::dialogue::compose::{Composer, KnownSlots};
use crate::dialogue::lengths::report_too_long;
use crate::dialogue::words::{ConversationReader, SlotReader};
use crate::knowledge::{
    AmbiguousQuestions, Bilingual, Catalogue, DecisionThresholds, IntentKind, KnowledgeFiles, Language, OUTSIDE,
    Scenario, Section,
};
use crate::matching::{Class, ClassKind, MATCHER_VERSION, Matcher, Thresholds, TrainingSet};

/// Everything needed to answer, in memory.
pub struct Assistant {
    /// What the bot knows.
    pub catalogue: Catalogue,
    /// What understands questions.
    pub matcher: Matcher,
    /// Reads choices and follow-up questions.
    pub(super) conversation: ConversationReader,
    /// Reads slot values.
    pub(super) slots: SlotReader,
    /// The scenarios' names in lists of options, as the matcher spells them.
    pub(super) labels: BTreeMap<String, Bilingual<String>>,
    /// Names the content of the knowledge, and the way in which the matcher learns from it; stored with every answer.
    pub version: String,
    /// Utterances that another scenario wins. They should be mended, but nothing is broken: which ones these are depends on all
    /// others, and a bot must not stop because a question was added elsewhere.
    pub misplaced: Vec<Problem>,
}

/// Ends what is said about an utterance while some of those it is compared with are missing.
const WITHOUT_THE_UNREADABLE: &str = " (seen without what could not be read; it may be right where it is)";

/// A version is read by people and stands in labels: so many bytes tell versions apart well enough.
const VERSION_BYTES: usize = 8;

/// A day whose dates are written as long as dates get, for measuring answers.
pub(super) const ANY_DAY: jiff::civil::Date = jiff::civil::date(2026, 11, 22);

/// A matcher trained before, kept under its fingerprint.
pub trait MatcherCache {
    /// The bytes stored under this name, if any.
    fn load(&self, name: &str) -> Option<Vec<u8>>;
    /// Stores bytes under this name; a cache that cannot is no error.
    fn save(&self, name: &str, bytes: &[u8]);
}

/// No cache: trains every time.
pub struct NoCache;

impl MatcherCache for NoCache {
    fn load(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }

    fn save(&self, _name: &str, _bytes: &[u8]) {}
}

impl Assistant {
    /// Reads and checks the knowledge and trains the matcher, or takes it from the cache.
    ///
    /// # Errors
    ///
    /// Every problem of the knowledge that shows without training, with file and line.
    pub fn assemble(files: &KnowledgeFiles, cache: &impl MatcherCache) -> Result<Self, Vec<Problem>> {
        let (catalogue, report) = read_and_measure(files);
        if !report.is_empty() {
            return Err(report.into_problems());
        }
        let training = training_set(&catalogue);
        let matcher = trained(&training, catalogue.lexicon.thresholds, cache);
        let misplaced = misplaced_utterances(&catalogue, &training, &matcher);
        let normalise = |word: &str| matcher.normalise(word);
        let conversation = ConversationReader::new(&catalogue.conversation, topics(&catalogue), normalise);
        let slots = SlotReader::new(catalogue.scenarios.values(), &conversation, normalise);
        let labels = catalogue.scenarios.iter().map(|(id, scenario)| {
            let label = |language| normalise(scenario.label(language));
            let (zh, en) = (label(Language::Chinese), label(Language::English));
            (id.clone(), Bilingual { zh, en })
        });
        let labels = labels.collect();
        Ok(Self {
            catalogue,
            matcher,
            conversation,
            slots,
            labels,
            version: version_of(files),
            misplaced,
        })
    }

    /// Everything that is wrong with the knowledge, at once: a matcher is trained on whatever could be read, and the utterances that
    /// another scenario wins are problems as well. Also says how many scenarios there are.
    pub fn check(files: &KnowledgeFiles, cache: &impl MatcherCache) -> (usize, Vec<Problem>) {
        let (catalogue, report) = read_and_measure(files);
        if !catalogue.scenarios.is_empty() {
            let training = training_set(&catalogue);
            let matcher = trained(&training, catalogue.lexicon.thresholds, cache);
            for mut problem in misplaced_utterances(&catalogue, &training, &matcher) {
                if report.has_unreadable() {
                    problem.message.push_str(WITHOUT_THE_UNREADABLE);
                }
                report.add(problem);
            }
        }
        (catalogue.scenarios.len(), report.into_problems())
    }

    /// Everything that is wrong with the knowledge and shows without training: what would keep it from being answered with.
    pub fn problems(files: &KnowledgeFiles) -> Vec<Problem> {
        read_and_measure(files).1.into_problems()
    }

    /// Bytes of a scenario's whole answer as plain text, in Chinese and in English.
    pub fn answer_bytes(&self, scenario: &Scenario) -> (usize, usize) {
        let bytes = |language| {
            let composer = Composer {
                catalogue: &self.catalogue,
                language,
                now: ANY_DAY.at(9, 0, 0, 0),
            };
            composer
                .as_plain_text(&composer.answer(scenario, &KnownSlots::new(), &Circumstances::default()))
                .len()
        };
        (bytes(Language::Chinese), bytes(Language::English))
    }

    /// Whether a text says nothing by itself but chooses among what was offered ("2", "都不是"), says how it went ("没用") or names an account.
    pub fn is_only_a_reply(&self, text: &str) -> bool {
        let (conversation, text) = (&self.conversation, self.matcher.normalise(text));
        conversation.choice(&text).is_some()
            || conversation.saying(&text).is_some()
            || conversation.account(&text).is_some()
    }

    /// The scenario with this id.
    pub fn scenario(&self, id: &str) -> Option<&Scenario> {
        self.catalogue.scenarios.get(id)
    }
}

/// What could be read, and every problem that shows without training.
fn read_and_measure(files: &KnowledgeFiles) -> (Catalogue, Report) {
    let (catalogue, report) = Catalogue::read(files);
    report_too_long(&catalogue, &report);
    (catalogue, report)
}

/// Names the content of these files, and the way in which this program's matcher learns from it.
pub fn version_of(files: &KnowledgeFiles) -> String {
    let mut digest = Sha256::new();
    digest.update(MATCHER_VERSION.to_le_bytes());
    digest.update(files.fingerprint());
    let digest = digest.finalize();
    hexadecimal(digest.get(..VERSION_BYTES).unwrap_or_default())
}

/// The matcher that learnt what there is to learn, now or before.
fn trained(training: &TrainingSet, thresholds: DecisionThresholds, cache: &impl MatcherCache) -> Matcher {
    let name = hexadecimal(&training.fingerprint());
    let cached = cache.load(&name).and_then(|bytes| Matcher::from_bytes(&bytes).ok());
    let matcher = cached.unwrap_or_else(|| {
        let matcher = Matcher::train(training);
        cache.save(&name, &matcher.to_bytes());
        matcher
    });
    matcher.with_thresholds(thresholds_of(thresholds))
}

/// The matcher's own thresholds, with those of the knowledge in their place.
fn thresholds_of(given: DecisionThresholds) -> Thresholds {
    let share = |percent: Option<u8>, own: f32| percent.map_or(own, |percent| f32::from(percent) / 100.0);
    let own = Thresholds::default();
    Thresholds {
        answer: share(given.answer, own.answer),
        ask_back: share(given.ask_back, own.ask_back),
        smalltalk: share(given.smalltalk, own.smalltalk),
        ..own
    }
}

/// What sections are called when the bot offers them, in both languages.
fn topics(catalogue: &Catalogue) -> impl Iterator<Item = (Section, String)> {
    let languages = [Language::Chinese, Language::English];
    let named = Section::ALL.into_iter().flat_map(move |(section, _)| {
        languages.map(|language| (section, catalogue.texts.topic(section, language).to_owned()))
    });
    named.filter(|(_, topic)| !topic.is_empty())
}

/// What the matcher learns: each scenario's utterances, the counter-examples of others that belong to it and the questions it shares
/// with others; small talk, the request for a person, and what is outside the subject.
pub fn training_set(catalogue: &Catalogue) -> TrainingSet {
    let scenarios = catalogue
        .scenarios
        .values()
        .map(|scenario| scenario_class(catalogue, scenario));
    let intents = catalogue.intents.iter().map(|intent| {
        let kind = match intent.kind {
            IntentKind::Smalltalk => ClassKind::Smalltalk,
            IntentKind::Human => ClassKind::Human,
        };
        Class {
            id: intent.id.clone(),
            kind,
            utterances: intent.utterances.clone(),
        }
    });
    let outside = catalogue
        .outside
        .iter()
        .cloned()
        .chain(counter_examples_of(catalogue, OUTSIDE))
        .collect();
    let outside = Class {
        id: OUTSIDE.to_owned(),
        kind: ClassKind::Outside,
        utterances: outside,
    };
    TrainingSet {
        classes: scenarios.chain(intents).chain([outside]).collect(),
        aliases: catalogue.lexicon.aliases.clone(),
        fillers: catalogue.lexicon.fillers.clone(),
        denials: catalogue.lexicon.denials.clone(),
        vetoes: catalogue.scenarios.values().flat_map(vetoes_of).collect(),
    }
}

fn scenario_class(catalogue: &Catalogue, scenario: &Scenario) -> Class {
    let own = scenario.utterances.iter().map(|utterance| utterance.value.clone());
    let is_meant = |questions: &&AmbiguousQuestions| questions.scenarios.iter().any(|id| id.value == scenario.id);
    let shared = catalogue
        .ambiguous
        .iter()
        .filter(is_meant)
        .flat_map(|questions| questions.utterances.clone());
    let utterances = own
        .chain(counter_examples_of(catalogue, &scenario.id))
        .chain(shared)
        .collect();
    Class {
        id: scenario.id.clone(),
        kind: ClassKind::Scenario,
        utterances,
    }
}

fn vetoes_of(scenario: &Scenario) -> impl Iterator<Item = (String, String)> + '_ {
    scenario
        .denied_by
        .iter()
        .map(|words| (scenario.id.clone(), words.clone()))
}

fn counter_examples_of<'a>(catalogue: &'a Catalogue, id: &'a str) -> impl Iterator<Item = String> + 'a {
    let all = catalogue.scenarios.values().flat_map(|scenario| &scenario.not_this);
    all.filter(move |example| example.belongs_to == id)
        .map(|example| example.text.clone())
}

/// Utterances that the trained matcher gives to another scenario: it could never answer them.
fn misplaced_utterances(catalogue: &Catalogue, training: &TrainingSet, matcher: &Matcher) -> Vec<Problem> {
    let misplaced = matcher.misplaced_utterances(training).into_iter();
    misplaced
        .filter_map(|(class, index, winner)| {
            let scenario = catalogue.scenarios.get(&training.classes.get(class)?.id)?;
            let utterance = scenario.utterances.get(index).filter(|_| !scenario.draft)?;
            let message = format!(
                "`{}` is won by {winner}; move it there, reword it, or add similar ones here",
                utterance.value
            );
            let (file, key) = (scenario.file.clone(), "examples.utterances".to_owned());
            Some(Problem {
                file,
                line: Some(utterance.line),
                key,
                message,
            })
        })
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
