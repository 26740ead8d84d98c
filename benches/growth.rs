//! How deciding and training grow with the knowledge: 60 scenarios with 1,000, 10,000 and 100,000 utterances in all.
//!
//! `cargo bench --bench growth`; the largest knowledge takes minutes to train, once.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jiefeng::matching::{Class, ClassKind, Matcher, TrainingSet};

const SCENARIOS: usize = 60;

/// Utterances in all.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// So many characters are in use, so many words belong to one scenario, and so many are anybody's.
const CHARACTERS: u64 = 1_500;
const OWN_WORDS: u64 = 40;
const COMMON_WORDS: u64 = 400;

/// Made-up Chinese: words of two characters, some of them the scenario's own, the same on every run.
struct Sentences(u64);

impl Sentences {
    /// SplitMix64.
    fn number(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn about(&mut self, scenario: usize) -> String {
        let length = 4 + self.number(5);
        (0..length).map(|_| self.word(scenario)).collect()
    }

    fn word(&mut self, scenario: usize) -> String {
        let word = match self.number(3) {
            0 => COMMON_WORDS + scenario as u64 * OWN_WORDS + self.number(OWN_WORDS),
            _ => self.number(COMMON_WORDS),
        };
        let mut letters = Sentences(word.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut letter = || char::from_u32(0x4e00 + letters.number(CHARACTERS) as u32).unwrap_or('一');
        [letter(), letter()].iter().collect()
    }
}

fn knowledge(utterances: usize) -> TrainingSet {
    let mut sentences = Sentences(1);
    let classes = (0..SCENARIOS).map(|scenario| Class {
        id: format!("scenario-{scenario}"),
        kind: ClassKind::Scenario,
        utterances: (0..utterances / SCENARIOS).map(|_| sentences.about(scenario)).collect(),
    });
    TrainingSet {
        classes: classes.collect(),
        ..TrainingSet::default()
    }
}

fn questions() -> Vec<String> {
    let mut sentences = Sentences(2);
    (0..1_000).map(|number| sentences.about(number % SCENARIOS)).collect()
}

/// One decision, over a thousand different questions.
fn deciding(criterion: &mut Criterion) {
    let questions = questions();
    let mut group = criterion.benchmark_group("decide");
    group.measurement_time(Duration::from_secs(3));
    for size in SIZES {
        let start = Instant::now();
        let matcher = Matcher::train(&knowledge(size));
        let (seconds, features) = (start.elapsed().as_secs_f32(), matcher.feature_count());
        println!("{size} utterances: trained in {seconds:.2} s, {features} n-grams");
        print_spread(&matcher, &questions);
        let mut next = questions.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| next.next().map(|question| matcher.judge(black_box(question))));
        });
    }
    group.finish();
}

/// The median and the slowest hundredth, which an average hides; every question's best of three, so that other programs do not count.
fn print_spread(matcher: &Matcher, questions: &[String]) {
    let once = |question: &String| {
        let start = Instant::now();
        black_box(matcher.judge(question));
        start.elapsed()
    };
    let mut times: Vec<Duration> = questions
        .iter()
        .filter_map(|question| (0..3).map(|_| once(question)).min())
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("a decision: median {:?}, 99 % within {:?}", at(50), at(99));
}

/// The size that a large company's knowledge may have: 60 scenarios with 60 utterances each.
fn training(criterion: &mut Criterion) {
    let set = knowledge(SCENARIOS * 60);
    let mut group = criterion.benchmark_group("train");
    group.sample_size(10);
    group.bench_function("60 scenarios x 60 utterances", |bencher| {
        bencher.iter(|| Matcher::train(black_box(&set)));
    });
    group.finish();
}

criterion_group!(benches, deciding, training);
criterion_main!(benches);
