//! A question and a catalogue to a decision: answer, ask back or refuse, with the evidence for it.
//!
//! In the order a question takes: [`denial`] drops what is not the matter, [`normalise`] gives it one spelling, [`reading`] takes it apart into n-grams of
//! characters, sounds and words, [`meaning`] looks up what its words mean, [`vocabulary`] weighs all of it, [`classifier`] scores every class, [`confidence`] says
//! how far to trust that, [`decision`] picks the move. [`model`] and [`calibration`] learn all of it from a
//! [`TrainingSet`]; [`matcher`] holds it together.

mod cache;
mod calibration;
pub(crate) mod characters;
mod classifier;
mod confidence;
mod decision;
mod denial;
mod explain;
mod grouping;
mod known;
mod matcher;
mod meaning;
mod model;
mod normalise;
mod numbers;
mod pinyin;
mod question;
mod reading;
mod rewriter;
mod rows;
mod shuffle;
#[cfg(test)]
mod tests;
mod traditional;
mod training_set;
pub(crate) mod trie;
mod vetoes;
mod vocabulary;

pub use cache::CacheError;
pub use decision::{Candidate, Decision, Judgement, Thresholds};
pub use explain::{Explanation, Piece, Reasons};
pub use grouping::{Group, group};
pub use matcher::Matcher;
pub use question::Question;
pub use reading::View;
pub use training_set::{Class, ClassKind, MATCHER_VERSION, TrainingSet};
