//! What the matcher learns from: classes with their utterances, aliases, fillers and denials.

use sha2::{Digest, Sha256};

/// Raised whenever the same training set would give another matcher, so that old caches are not used.
pub const MATCHER_VERSION: u32 = 16;

/// What a class stands for, which decides what happens when it wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassKind {
    /// Something the bot can answer.
    Scenario,
    /// Greetings, thanks and the like.
    Smalltalk,
    /// The employee asks for a person.
    Human,
    /// Questions that are not the bot's subject.
    Outside,
}

/// A set of utterances that call for the same reaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Scenario id, smalltalk intent, or `none` for what lies outside the subject.
    pub id: String,
    /// What happens when this class wins.
    pub kind: ClassKind,
    /// Example phrasings, as people type them.
    pub utterances: Vec<String>,
}

/// Everything the matcher is trained from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrainingSet {
    /// All classes, in a stable order. An utterance that stands in several of them leaves open which is meant.
    pub classes: Vec<Class>,
    /// Pairs of (as typed, meaning): `vx` means `微信`.
    pub aliases: Vec<(String, String)>,
    /// Words that carry no meaning: `请问`, `麻烦`.
    pub fillers: Vec<String>,
    /// Words that begin what is not the matter: `不是`, `没违规`.
    pub denials: Vec<String>,
    /// Pairs of (class id, words that speak against it): who says `群没满` does not mean the full group.
    pub vetoes: Vec<(String, String)>,
}

impl TrainingSet {
    /// Identifies the content together with the matcher's version: equal fingerprints give equal matchers.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(MATCHER_VERSION.to_le_bytes());
        add_count(&mut digest, self.classes.len());
        for class in &self.classes {
            add_text(&mut digest, &class.id);
            digest.update([class.kind.code()]);
            add_count(&mut digest, class.utterances.len());
            class.utterances.iter().for_each(|text| add_text(&mut digest, text));
        }
        for pairs in [&self.aliases, &self.vetoes] {
            add_count(&mut digest, pairs.len());
            for (first, second) in pairs {
                add_text(&mut digest, first);
                add_text(&mut digest, second);
            }
        }
        for words in [&self.fillers, &self.denials] {
            add_count(&mut digest, words.len());
            words.iter().for_each(|text| add_text(&mut digest, text));
        }
        digest.finalize().into()
    }
}

impl ClassKind {
    /// The number that stands for this kind in caches and fingerprints.
    pub(super) fn code(self) -> u8 {
        match self {
            ClassKind::Scenario => 0,
            ClassKind::Smalltalk => 1,
            ClassKind::Human => 2,
            ClassKind::Outside => 3,
        }
    }

    /// The kind a number stands for.
    pub(super) fn from_code(code: u8) -> Option<Self> {
        [
            ClassKind::Scenario,
            ClassKind::Smalltalk,
            ClassKind::Human,
            ClassKind::Outside,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
    }
}

/// Lengths go in before contents, so that moving a character from one text to the next changes the fingerprint.
fn add_text(digest: &mut Sha256, text: &str) {
    add_count(digest, text.len());
    digest.update(text.as_bytes());
}

fn add_count(digest: &mut Sha256, count: usize) {
    digest.update((count as u64).to_le_bytes());
}
