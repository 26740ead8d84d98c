//! Why the matcher judges as it does: which pieces of the question speak for which class, and how strongly.

use std::collections::HashMap;
use std::fmt;

use super::decision::{Candidate, Judgement};
use super::matcher::{Matcher, Viewed};
use super::reading::View;

/// So many classes are explained.
const CLASSES: usize = 3;

/// So many pieces are named for each class.
const PIECES: usize = 8;

/// A judgement with its reasons.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Explanation {
    /// The question in its one spelling, without fillers, as the matcher read it.
    pub read_as: String,
    /// Whether sounds alone were compared, because the question is typed in pinyin.
    pub by_sound_only: bool,
    /// The judgement itself.
    pub judgement: Judgement<'static>,
    /// The reasons for the most probable classes, best first.
    pub reasons: Vec<Reasons>,
    /// Pieces of the question that occur in no utterance.
    pub never_seen: Vec<String>,
}

/// What speaks for or against one class.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Reasons {
    /// The class.
    pub candidate: Candidate<'static>,
    /// The weightiest pieces, strongest first; negative ones speak against it.
    pub pieces: Vec<Piece>,
    /// The class's utterance that shares most with the question.
    pub nearest_utterance: Option<String>,
}

/// A piece of the question.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Piece {
    /// As it stands in the question as read.
    pub text: String,
    /// In which way it was looked at.
    pub view: View,
    /// What it adds to the class's score, above what it adds to the average class.
    pub weight: f32,
}

impl Matcher {
    /// Judges a question and says why.
    pub fn explain(&self, question: &str) -> Explanation {
        let question = self.question(question);
        let judgement = question.judge();
        let viewed = self.view(&question);
        let best = judgement.candidates.iter().take(CLASSES);
        Explanation {
            by_sound_only: viewed.reading.is_typed_pinyin(),
            reasons: best.map(|candidate| self.reasons(&viewed, candidate)).collect(),
            never_seen: self.never_seen(&viewed),
            read_as: viewed.text.to_owned(),
            judgement: judgement.into_owned(),
        }
    }

    fn reasons(&self, viewed: &Viewed<'_>, candidate: &Candidate<'_>) -> Reasons {
        let class = self.ids.iter().position(|id| *id == *candidate.id).unwrap_or_default();
        Reasons {
            candidate: candidate.clone().into_owned(),
            pieces: self.pieces(viewed, class),
            nearest_utterance: self.nearest_utterance(viewed, class),
        }
    }

    fn pieces(&self, viewed: &Viewed<'_>, class: usize) -> Vec<Piece> {
        let classifier = if viewed.reading.is_typed_pinyin() {
            &self.model.by_sound
        } else {
            &self.model.classifier
        };
        let above_average = |number: u32| {
            let classes = self.ids.len().max(1);
            let mean = (0..classes).map(|other| classifier.weight(number, other)).sum::<f32>() / classes as f32;
            classifier.weight(number, class) - mean
        };
        let values: HashMap<u32, f32> = viewed.look.vector.entries.iter().copied().collect();
        let mut weights: HashMap<(View, &str), f32> = HashMap::new();
        let mut seen = std::collections::HashSet::new();
        for gram in &viewed.reading.grams {
            let Some(number) = self.vocabulary.number(gram.hash).filter(|number| seen.insert(*number)) else {
                continue;
            };
            let Some(value) = values.get(&number) else { continue };
            let text = viewed.text.get(gram.place()).unwrap_or_default();
            *weights.entry((gram.view, text)).or_default() += value * above_average(number);
        }
        // The meaning is of the whole question; no piece of it can be named.
        let meaning = viewed.look.vector.entries.iter();
        let meaning = meaning.filter(|(number, _)| *number as usize >= self.vocabulary.len());
        let meaning = meaning.map(|(number, value)| value * above_average(*number)).sum();
        weights.insert((View::Meaning, ""), meaning);
        let mut pieces: Vec<Piece> = weights
            .into_iter()
            .map(|((view, text), weight)| Piece {
                text: text.to_owned(),
                view,
                weight,
            })
            .collect();
        pieces.sort_by(|a, b| {
            b.weight
                .abs()
                .total_cmp(&a.weight.abs())
                .then_with(|| a.text.cmp(&b.text))
        });
        pieces.truncate(PIECES);
        pieces
    }

    fn nearest_utterance(&self, viewed: &Viewed<'_>, class: usize) -> Option<String> {
        let own: HashMap<u32, f32> = viewed.look.vector.entries.iter().copied().collect();
        let likeness = |text: &str| {
            let counts = self.vocabulary.count(&super::reading::Reading::of(text));
            let other = self.model.rarity.weigh(&counts);
            other
                .entries
                .iter()
                .filter_map(|(feature, value)| Some(value * own.get(feature)?))
                .sum::<f32>()
        };
        let utterances = self.utterances.iter().filter(|(_, owner)| *owner == class);
        let nearest = utterances
            .map(|(text, _)| (likeness(text), text))
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        (nearest.0 > 0.0).then(|| nearest.1.clone())
    }

    fn never_seen(&self, viewed: &Viewed<'_>) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        for gram in viewed
            .reading
            .grams
            .iter()
            .filter(|gram| self.vocabulary.number(gram.hash).is_none())
        {
            let text = viewed.text.get(gram.place()).unwrap_or_default();
            // A longer piece is new because of a shorter one in it; the shorter one says it all.
            if !texts.iter().any(|known| text.contains(known.as_str())) {
                texts.push(text.to_owned());
            }
        }
        texts.truncate(PIECES);
        texts
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "read as: {}", self.read_as)?;
        if self.by_sound_only {
            writeln!(out, "typed in pinyin: compared by sound only")?;
        }
        writeln!(
            out,
            "best scenario right: {:.2}; one of the options right: {:.2}",
            self.judgement.confidence, self.judgement.confidence_in_options
        )?;
        for reasons in &self.reasons {
            write!(out, "{reasons}")?;
        }
        if !self.never_seen.is_empty() {
            writeln!(out, "never seen: {}", self.never_seen.join("  "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:.3}  {}", self.candidate.probability, self.candidate.id)?;
        if let Some(utterance) = &self.nearest_utterance {
            writeln!(out, "       nearest: {utterance}")?;
        }
        let pieces: Vec<String> = self.pieces.iter().map(Piece::to_string).collect();
        writeln!(out, "       {}", pieces.join("  "))
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.view {
            View::Characters => "",
            View::Sounds => "♪",
            View::Words => "w:",
            View::Meaning => "≈",
        };
        write!(out, "{mark}{} {:+.2}", self.text, self.weight)
    }
}
