//! Whether comparing signatures tells how much of one was right: `cargo bench --bench hostile`. What else hostile clients try is measured
//! by `tests/long`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails shall say so and stop"
)]

use std::hint::black_box;
use std::time::Instant;

use jiefeng::protocol::Signature;

/// Comparisons of a signature, and how many make one sample: a single one is shorter than a clock can tell.
const SAMPLES: usize = 1_000_000;
const COMPARED_AT_ONCE: usize = 32;

/// Compares with signatures that are wrong from the first digit or in the last one alone. If the times of both are of one kind, Welch's t
/// stays below 4.5.
fn main() {
    let expected = Signature::parse(&"a".repeat(40)).unwrap();
    let wrong = [format!("b{}", "a".repeat(39)), format!("{}b", "a".repeat(39))];
    let wrong = wrong.map(|text| Signature::parse(&text).unwrap());
    let mut times = [Vec::with_capacity(SAMPLES / 2), Vec::with_capacity(SAMPLES / 2)];
    // A fixed alternation could fall in step with something else on the machine.
    let mut random = 1_u64;
    for _ in 0..SAMPLES {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let which = usize::from(random.is_multiple_of(2));
        let signature = &wrong[which];
        let started = Instant::now();
        for _ in 0..COMPARED_AT_ONCE {
            assert!(!black_box(black_box(signature).matches(black_box(&expected))));
        }
        times[which].push(started.elapsed().as_nanos() as f64);
    }
    let [first, last] = times.map(without_interruptions);
    println!(
        "comparing a signature {SAMPLES} times: {:.1} ns wrong from the first digit, {:.1} ns in the last alone, t = {:.2}",
        first.mean / COMPARED_AT_ONCE as f64,
        last.mean / COMPARED_AT_ONCE as f64,
        (first.mean - last.mean) / (first.error + last.error).sqrt()
    );
}

/// Mean, and the square of its standard error.
struct Measured {
    mean: f64,
    error: f64,
}

/// Without the slowest tenth, in which the machine did something else.
fn without_interruptions(mut times: Vec<f64>) -> Measured {
    times.sort_unstable_by(f64::total_cmp);
    times.truncate(times.len() * 9 / 10);
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Measured {
        mean,
        error: variance / count,
    }
}
