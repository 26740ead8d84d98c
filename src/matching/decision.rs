//! From probabilities to one of the moves the bot can make, by what a wrong move costs.
//!
//! Every message is judged, so a judgement borrows the ids of the classes from the matcher.

use std::borrow::Cow;

use super::training_set::ClassKind;

/// When to answer, when to ask back. Below both the bot refuses.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Thresholds {
    /// Answer when the best scenario is right with at least this probability.
    pub answer: f32,
    /// Otherwise ask back when one of the options is right with at least this probability.
    pub ask_back: f32,
    /// Greetings, thanks and calls for a person must be at least this probable.
    pub smalltalk: f32,
    /// Options less probable than this share of the best one are not offered.
    pub plausible: f32,
    /// At most so many options are offered.
    pub options: usize,
}

impl Default for Thresholds {
    /// Chosen by cross-validation on the knowledge and confirmed on development questions.
    fn default() -> Self {
        Self {
            answer: 0.5,
            ask_back: 0.5,
            smalltalk: 0.4,
            plausible: 0.1,
            options: 3,
        }
    }
}

/// A class that may be meant.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Candidate<'m> {
    /// The class's id.
    pub id: Cow<'m, str>,
    /// What the class stands for.
    pub kind: ClassKind,
    /// How probable it is among all classes.
    pub probability: f32,
}

/// What the bot should do with a question.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision<'m> {
    /// One scenario is meant.
    Answer {
        /// The scenario's id.
        scenario: Cow<'m, str>,
    },
    /// Several scenarios may be meant.
    AskBack {
        /// Their ids, best first; at least two.
        options: Vec<Cow<'m, str>>,
    },
    /// Nothing the bot knows is meant.
    Refuse,
    /// A greeting, thanks or the like.
    Smalltalk {
        /// The intent's id.
        intent: Cow<'m, str>,
    },
    /// The employee wants a person.
    Human,
}

/// How a question was understood.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Judgement<'m> {
    /// The most probable classes, best first.
    pub candidates: Vec<Candidate<'m>>,
    /// The probability that the best scenario is what is asked; small where small talk is recognised.
    pub confidence: f32,
    /// The probability that it is small talk or a call for a person.
    pub confidence_in_talk: f32,
    /// The probability that one of the scenarios that could be offered is right.
    pub confidence_in_options: f32,
    /// Whether the question is word for word one of the utterances.
    pub is_known_utterance: bool,
    /// What to do.
    pub decision: Decision<'m>,
}

impl Judgement<'_> {
    /// One that outlives the matcher.
    pub fn into_owned(self) -> Judgement<'static> {
        Judgement {
            candidates: self.candidates.into_iter().map(Candidate::into_owned).collect(),
            decision: self.decision.into_owned(),
            confidence: self.confidence,
            confidence_in_talk: self.confidence_in_talk,
            confidence_in_options: self.confidence_in_options,
            is_known_utterance: self.is_known_utterance,
        }
    }
}

impl Candidate<'_> {
    /// One that outlives the matcher.
    pub fn into_owned(self) -> Candidate<'static> {
        Candidate {
            id: owned(self.id),
            kind: self.kind,
            probability: self.probability,
        }
    }
}

impl Decision<'_> {
    /// One that outlives the matcher.
    pub fn into_owned(self) -> Decision<'static> {
        match self {
            Decision::Answer { scenario } => Decision::Answer {
                scenario: owned(scenario),
            },
            Decision::AskBack { options } => Decision::AskBack {
                options: options.into_iter().map(owned).collect(),
            },
            Decision::Smalltalk { intent } => Decision::Smalltalk { intent: owned(intent) },
            Decision::Human => Decision::Human,
            Decision::Refuse => Decision::Refuse,
        }
    }
}

fn owned(id: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(id.into_owned())
}

/// How far the judgement is to be trusted in three respects.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Trust {
    /// The best scenario is right.
    pub(super) best: f32,
    /// One of the first few scenarios is right.
    pub(super) options: f32,
    /// It is the sort of small talk that seems most probable.
    pub(super) chat: f32,
}

/// Picks the move. Candidates come best first.
pub(super) fn decide<'m>(candidates: &[Candidate<'m>], trust: Trust, thresholds: &Thresholds) -> Decision<'m> {
    let Some(best) = candidates.first() else {
        return Decision::Refuse;
    };
    let is_sure = trust.chat >= thresholds.smalltalk;
    match best.kind {
        ClassKind::Smalltalk if is_sure => {
            return Decision::Smalltalk {
                intent: best.id.clone(),
            };
        }
        ClassKind::Human if is_sure => return Decision::Human,
        _ => {}
    }
    let options = options_among(candidates, thresholds);
    match options.first() {
        Some(scenario) if trust.best >= thresholds.answer => Decision::Answer {
            scenario: scenario.clone(),
        },
        Some(_) if trust.options >= thresholds.ask_back && options.len() > 1 => Decision::AskBack { options },
        _ => Decision::Refuse,
    }
}

/// The scenarios worth offering: plausible ones, and always a second one to choose from.
pub(super) fn options_among<'m>(candidates: &[Candidate<'m>], thresholds: &Thresholds) -> Vec<Cow<'m, str>> {
    let scenarios: Vec<&Candidate<'m>> = candidates
        .iter()
        .filter(|candidate| candidate.kind == ClassKind::Scenario)
        .collect();
    let least = scenarios
        .first()
        .map_or(0.0, |best| best.probability * thresholds.plausible);
    let worth_offering = |(rank, candidate): &(usize, &&Candidate<'m>)| *rank < 2 || candidate.probability >= least;
    let offered = scenarios
        .iter()
        .enumerate()
        .filter(worth_offering)
        .take(thresholds.options.max(2));
    offered.map(|(_, candidate)| candidate.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, kind: ClassKind, probability: f32) -> Candidate<'_> {
        Candidate {
            id: id.into(),
            kind,
            probability,
        }
    }

    fn trust(best: f32, options: f32) -> Trust {
        Trust {
            best,
            options,
            chat: 0.9,
        }
    }

    fn two_scenarios() -> Vec<Candidate<'static>> {
        vec![
            candidate("full", ClassKind::Scenario, 0.5),
            candidate("abnormal", ClassKind::Scenario, 0.4),
            candidate("far", ClassKind::Scenario, 0.01),
        ]
    }

    #[test]
    fn a_sure_scenario_is_answered() {
        let decision = decide(&two_scenarios(), trust(0.9, 0.95), &Thresholds::default());
        assert_eq!(
            decision,
            Decision::Answer {
                scenario: "full".into()
            }
        );
    }

    #[test]
    fn an_unsure_scenario_is_asked_about_with_plausible_options_only() {
        let decision = decide(&two_scenarios(), trust(0.1, 0.9), &Thresholds::default());
        assert_eq!(
            decision,
            Decision::AskBack {
                options: vec!["full".into(), "abnormal".into()]
            }
        );
    }

    #[test]
    fn what_is_probably_outside_is_refused() {
        assert_eq!(
            decide(&two_scenarios(), trust(0.1, 0.1), &Thresholds::default()),
            Decision::Refuse
        );
        assert_eq!(decide(&[], trust(1.0, 1.0), &Thresholds::default()), Decision::Refuse);
    }

    #[test]
    fn a_call_for_a_person_comes_first() {
        let candidates = [
            candidate("person", ClassKind::Human, 0.8),
            candidate("full", ClassKind::Scenario, 0.1),
        ];
        assert_eq!(
            decide(&candidates, trust(0.9, 0.9), &Thresholds::default()),
            Decision::Human
        );
    }
}
