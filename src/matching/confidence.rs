//! From what a decision looks like to the probability that it is right.

/// How many facts are looked at.
pub(super) const FACTS: usize = 8;

/// What is known about a decision before its outcome is known.
pub(super) type Facts = [f32; FACTS];

/// A decision whose outcome is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) facts: Facts,
    pub(super) right: bool,
    pub(super) weight: f32,
}

/// A logistic model over the facts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Confidence {
    pub(super) weights: Facts,
    pub(super) bias: f32,
}

/// Steps of gradient descent with momentum; the problem is tiny and well conditioned once the facts are standardised.
const STEPS: usize = 80;
const RATE: f32 = 1.0;
const MOMENTUM: f32 = 0.9;

/// Keeps the weights small where there are few outcomes: so many of them pull against every weight.
const DECAY: f32 = 2.0;

impl Confidence {
    /// Fits the outcomes. Without outcomes of both sorts there is nothing to learn, and the odds alone decide.
    pub(super) fn fit(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let outcomes: Vec<Outcome> = outcomes.into_iter().collect();
        let has = |right| outcomes.iter().any(|outcome| outcome.right == right);
        if !has(true) || !has(false) {
            let mut weights = [0.0; FACTS];
            weights.iter_mut().take(1).for_each(|weight| *weight = 1.0);
            return Self { weights, bias: 0.0 };
        }
        let (mean, spread) = moments(&outcomes);
        let standard: Vec<Outcome> = outcomes
            .iter()
            .map(|outcome| Outcome {
                facts: standardise(&outcome.facts, &mean, &spread),
                ..*outcome
            })
            .collect();
        descend(&standard).unstandardise(&mean, &spread)
    }

    /// The probability that a decision with these facts is right.
    pub(super) fn of(&self, facts: &Facts) -> f32 {
        let score = self.bias
            + facts
                .iter()
                .zip(&self.weights)
                .map(|(fact, weight)| fact * weight)
                .sum::<f32>();
        1.0 / (1.0 + (-score).exp())
    }

    fn unstandardise(self, mean: &Facts, spread: &Facts) -> Self {
        let mut plain = self;
        for ((weight, mean), spread) in plain.weights.iter_mut().zip(mean).zip(spread) {
            *weight /= spread;
            plain.bias -= *weight * mean;
        }
        plain
    }
}

fn descend(outcomes: &[Outcome]) -> Confidence {
    let total: f32 = outcomes.iter().map(|outcome| outcome.weight).sum();
    let (mut model, mut pace) = (Confidence::default(), Confidence::default());
    for _ in 0..STEPS {
        let mut slope = Confidence::default();
        for outcome in outcomes {
            let wanted = if outcome.right { 1.0 } else { 0.0 };
            let error = outcome.weight / total * (model.of(&outcome.facts) - wanted);
            slope.bias += error;
            slope
                .weights
                .iter_mut()
                .zip(&outcome.facts)
                .for_each(|(slope, fact)| *slope += error * fact);
        }
        pace.bias = MOMENTUM * pace.bias - RATE * slope.bias;
        model.bias += pace.bias;
        let weights = model.weights.iter_mut().zip(&mut pace.weights);
        for ((weight, pace), slope) in weights.zip(&slope.weights) {
            *pace = MOMENTUM * *pace - RATE * (slope + DECAY / total * *weight);
            *weight += *pace;
        }
    }
    model
}

fn moments(outcomes: &[Outcome]) -> (Facts, Facts) {
    let count = outcomes.len().max(1) as f32;
    let mut mean = [0.0; FACTS];
    for outcome in outcomes {
        mean.iter_mut()
            .zip(&outcome.facts)
            .for_each(|(mean, fact)| *mean += fact / count);
    }
    let mut spread = [0.0; FACTS];
    for outcome in outcomes {
        for ((spread, fact), mean) in spread.iter_mut().zip(&outcome.facts).zip(&mean) {
            *spread += (fact - mean) * (fact - mean) / count;
        }
    }
    spread.iter_mut().for_each(|spread| *spread = spread.sqrt().max(1e-6));
    (mean, spread)
}

fn standardise(facts: &Facts, mean: &Facts, spread: &Facts) -> Facts {
    let mut standard = *facts;
    for ((fact, mean), spread) in standard.iter_mut().zip(mean).zip(spread) {
        *fact = (*fact - mean) / spread;
    }
    standard
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(odds: f32, right: bool) -> Outcome {
        let mut facts = [0.0; FACTS];
        facts[0] = odds;
        Outcome {
            facts,
            right,
            weight: 1.0,
        }
    }

    #[test]
    fn the_probability_means_what_it_says() {
        let outcomes: Vec<Outcome> = (0..100)
            .flat_map(|index| [outcome(2.0, index % 10 != 0), outcome(-2.0, index % 10 == 0)])
            .collect();
        let confidence = Confidence::fit(outcomes);
        assert!((confidence.of(&outcome(2.0, true).facts) - 0.9).abs() < 0.02);
        assert!((confidence.of(&outcome(-2.0, true).facts) - 0.1).abs() < 0.02);
    }

    #[test]
    fn without_failures_the_odds_decide() {
        let confidence = Confidence::fit([outcome(3.0, true)]);
        assert!(confidence.of(&outcome(3.0, true).facts) > 0.9);
    }
}
