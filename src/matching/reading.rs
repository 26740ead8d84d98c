//! A normalised text taken apart into n-grams of characters, of sounds and of latin words.

use super::characters::{is_alphabetic, is_han, is_numeric};
use super::meaning::{Meaning, meaning_of};

use super::pinyin;

/// From so many letters on, a run that is a single syllable (`chuang`) still counts as pinyin.
const SYLLABLE_FOR_SURE: usize = 4;

/// Mostly-pinyin questions: at least this share of the letters lies in runs that are syllables throughout.
const MOSTLY: f32 = 0.6;

/// A way of looking at a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What is written.
    Characters,
    /// How it sounds.
    Sounds,
    /// Latin words and their parts.
    Words,
    /// What its words mean.
    Meaning,
}

impl View {
    /// The number that stands for this view in tables.
    pub(super) fn code(self) -> u8 {
        match self {
            View::Characters => 0,
            View::Sounds => 1,
            View::Words => 2,
            View::Meaning => 3,
        }
    }
}

/// One n-gram, with the bytes of the text it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gram {
    pub(super) hash: u64,
    start: u32,
    length: u16,
    pub(super) view: View,
}

impl Gram {
    fn new(hash: u64, view: View, start: u32, end: u32) -> Self {
        Self {
            hash,
            start,
            // Questions are much shorter than what it can hold.
            length: end.saturating_sub(start).min(u16::MAX.into()) as u16,
            view,
        }
    }

    /// Its bytes in the text.
    pub(super) fn place(&self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.length)
    }
}

/// A text taken apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    pub(super) grams: Vec<Gram>,
    pub(super) has_han: bool,
    pub(super) syllables: usize,
    pub(super) words: usize,
    pub(super) meaning: Option<Box<Meaning>>,
}

/// The smallest thing a view looks at.
#[derive(Debug, Clone, Copy)]
struct Unit {
    hash: u64,
    start: u32,
    end: u32,
}

/// A stretch of text of one kind.
#[derive(Debug, Clone, Copy)]
struct Run<'t> {
    kind: RunKind,
    text: &'t str,
    start: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunKind {
    Han,
    Number,
    Latin,
    Symbol,
    Gap,
}

impl Reading {
    /// Reads a normalised text.
    pub(super) fn of(text: &str) -> Self {
        let has_han = text.chars().any(is_han);
        let typed_pinyin = has_han || mostly_pinyin(text);
        let mut units = Units::new(text, has_han, typed_pinyin);
        runs_of(text).for_each(|run| units.add(&run));
        units.characters.push(edge(text.len()));
        Self {
            grams: units.grams(),
            has_han,
            syllables: units.sounds.len(),
            words: units.words.len(),
            meaning: meaning_of(text),
        }
    }

    /// Typed in pinyin, with hardly anything else in it.
    pub(super) fn is_typed_pinyin(&self) -> bool {
        !self.has_han && self.syllables > 1 && self.syllables > self.words
    }
}

/// The units of each view, in the order of the text.
#[derive(Debug)]
struct Units<'t> {
    has_han: bool,
    typed_pinyin: bool,
    /// Between the edges of the text.
    characters: Vec<Unit>,
    sounds: Vec<Unit>,
    words: Vec<(Unit, &'t str)>,
}

impl<'t> Units<'t> {
    fn new(text: &str, has_han: bool, typed_pinyin: bool) -> Self {
        // Room for a text of Han characters; a Latin one has fewer units.
        let count = text.len() / '汉'.len_utf8() + 2;
        let mut characters = Vec::with_capacity(count);
        characters.push(edge(0));
        Self {
            has_han,
            typed_pinyin,
            characters,
            sounds: Vec::with_capacity(count),
            words: Vec::new(),
        }
    }

    fn add(&mut self, run: &Run<'t>) {
        match run.kind {
            RunKind::Gap => {}
            RunKind::Han => self.add_han(run),
            RunKind::Symbol => self.characters.push(run.as_unit()),
            RunKind::Number => self.add_number(run),
            RunKind::Latin => match self.cut(run.text) {
                Some(ends) => self.add_syllables(run, &ends),
                None => self.add_name(run),
            },
        }
    }

    /// A word, with the syllables that are glued to it where everything is typed in pinyin.
    fn add_name(&mut self, run: &Run<'t>) {
        let is_pinyin_alone = self.typed_pinyin && !self.has_han;
        let name = is_pinyin_alone
            .then(|| pinyin::name_among_syllables(run.text))
            .flatten();
        let Some((start, end)) = name else {
            return self.add_word(run);
        };
        let piece = |start: usize, end: usize| Run {
            text: run.text.get(start..end).unwrap_or_default(),
            start: run.start + start,
            ..*run
        };
        for (start, end) in [(0, start), (end, run.text.len())] {
            let piece = piece(start, end);
            self.add_syllables(&piece, &pinyin::cut(piece.text).unwrap_or_default());
        }
        self.add_word(&piece(start, end));
    }

    fn cut(&self, run: &str) -> Option<Vec<usize>> {
        let ends = if self.typed_pinyin { pinyin::cut(run) } else { None };
        ends.filter(|ends| looks_typed(run, ends.len(), self.has_han))
    }

    fn add_han(&mut self, run: &Run<'t>) {
        let unit = run.as_unit();
        self.characters.push(unit);
        let character = run.text.chars().next();
        let hash = character.and_then(pinyin::sound_of).unwrap_or(unit.hash);
        self.sounds.push(Unit { hash, ..unit });
    }

    fn add_number(&mut self, run: &Run<'t>) {
        self.characters.push(run.as_unit());
        let hash = match spoken_digit(run.text) {
            Some(syllable) => hash_of(pinyin::soften(syllable)),
            None => hash_of(run.text.bytes()),
        };
        self.sounds.push(Unit { hash, ..run.as_unit() });
    }

    fn add_syllables(&mut self, run: &Run<'t>, ends: &[usize]) {
        let mut start = 0;
        for &end in ends {
            let hash = hash_of(pinyin::soften(run.text.get(start..end).unwrap_or_default()));
            self.sounds.push(Unit {
                hash,
                start: (run.start + start) as u32,
                end: (run.start + end) as u32,
            });
            start = end;
        }
    }

    fn add_word(&mut self, run: &Run<'t>) {
        let unit = run.as_unit();
        self.characters.push(unit);
        self.words.push((unit, run.text));
    }

    fn grams(&self) -> Vec<Gram> {
        let mut grams = Vec::with_capacity(3 * (self.characters.len() + self.sounds.len()) + 12 * self.words.len());
        // A lone edge mark says nothing, and neither do both of an empty text.
        if let [first, between @ .., last] = self.characters.as_slice()
            && first.start != last.end
        {
            add_grams::<1>(&mut grams, View::Characters, between);
            add_grams::<2>(&mut grams, View::Characters, &self.characters);
            add_grams::<3>(&mut grams, View::Characters, &self.characters);
        }
        add_grams::<1>(&mut grams, View::Sounds, &self.sounds);
        add_grams::<2>(&mut grams, View::Sounds, &self.sounds);
        add_grams::<3>(&mut grams, View::Sounds, &self.sounds);
        let words: Vec<Unit> = self.words.iter().map(|(unit, _)| *unit).collect();
        add_grams::<1>(&mut grams, View::Words, &words);
        add_grams::<2>(&mut grams, View::Words, &words);
        for (unit, word) in &self.words {
            add_parts(&mut grams, unit, word);
        }
        grams
    }
}

impl Run<'_> {
    fn as_unit(&self) -> Unit {
        Unit {
            hash: hash_of(self.text.bytes()),
            start: self.start as u32,
            end: (self.start + self.text.len()) as u32,
        }
    }
}

/// A mark at the beginning or the end of a text.
fn edge(at: usize) -> Unit {
    Unit {
        hash: EDGE,
        start: at as u32,
        end: at as u32,
    }
}

/// All n-grams of `SIZE` units.
fn add_grams<const SIZE: usize>(grams: &mut Vec<Gram>, view: View, units: &[Unit]) {
    let seed = SEED ^ (u64::from(view.code()) << 8) ^ SIZE as u64;
    let found = units.array_windows::<SIZE>().map(|window| {
        let hash = window.iter().fold(seed, |hash, unit| mix(hash, unit.hash));
        let start = window.first().map_or(0, |first| first.start);
        Gram::new(hash, view, start, window.last().map_or(start, |last| last.end))
    });
    grams.extend(found);
}

/// Three letters at a time with the word's edges, so that `banned` meets `ban` and a typo costs a part only.
fn add_parts(grams: &mut Vec<Gram>, unit: &Unit, word: &str) {
    let mut letters = word.chars().map(u64::from).chain([EDGE]);
    let (mut first, mut second) = (EDGE, letters.next().unwrap_or(EDGE));
    for third in letters {
        let hash = [first, second, third].into_iter().fold(SEED ^ PART, mix);
        grams.push(Gram::new(hash, View::Words, unit.start, unit.end));
        (first, second) = (second, third);
    }
}

/// The stretches of a text: a number or a Latin word each, any other character by itself.
fn runs_of(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..)?;
        let first = rest.chars().next()?;
        let kind = kind_of(first);
        let length = match kind {
            RunKind::Number | RunKind::Latin => rest.find(|next| kind_of(next) != kind).unwrap_or(rest.len()),
            RunKind::Han | RunKind::Symbol | RunKind::Gap => first.len_utf8(),
        };
        let run = Run {
            kind,
            text: rest.get(..length)?,
            start,
        };
        start += length;
        Some(run)
    })
}

fn kind_of(character: char) -> RunKind {
    if is_han(character) {
        RunKind::Han
    } else if is_numeric(character) {
        RunKind::Number
    } else if is_alphabetic(character) {
        RunKind::Latin
    } else if (character as u32) < 0x2190 || is_punctuation(character) {
        RunKind::Gap
    } else {
        // Emoji and the like carry a mood.
        RunKind::Symbol
    }
}

/// Marks above the arrows that separate and do not speak.
fn is_punctuation(character: char) -> bool {
    matches!(character, '\u{2e00}'..='\u{303f}' | '\u{fe10}'..='\u{fe6f}' | '\u{ff00}'..='\u{ffef}' | '\u{fffd}')
}

/// English words are seldom cut into syllables, typed pinyin nearly always: the share of letters tells them apart.
fn mostly_pinyin(text: &str) -> bool {
    let latin = runs_of(text).filter(|run| run.kind == RunKind::Latin);
    let (mut all, mut cut) = (0, 0);
    for run in latin {
        all += run.text.len();
        cut += match pinyin::cut(run.text) {
            Some(_) => run.text.len(),
            None => pinyin::name_among_syllables(run.text).map_or(0, |(start, end)| run.text.len() - (end - start)),
        };
    }
    cut as f32 >= MOSTLY * all as f32
}

/// Among Han characters a single short syllable is rather a word (`ban`, `can`); among syllables it is one of them.
fn looks_typed(run: &str, syllables: usize, has_han: bool) -> bool {
    !has_han || syllables > 1 || run.len() >= SYLLABLE_FOR_SURE
}

/// Single digits sound like the numeral that people type in pinyin.
fn spoken_digit(number: &str) -> Option<&'static str> {
    Some(match number {
        "1" => "yi",
        "2" => "er",
        "3" => "san",
        "4" => "si",
        "5" => "wu",
        "6" => "liu",
        "7" => "qi",
        "8" => "ba",
        "9" => "jiu",
        _ => return None,
    })
}

pub(super) const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const EDGE: u64 = 0xd6e8_feb8_6659_fd93;
const PART: u64 = 0xff << 16;

pub(super) fn hash_of(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(SEED, |hash, byte| mix(hash, u64::from(byte)))
}

/// One round of a multiplicative hash; good enough for distinct short n-grams in 64 bits.
pub(super) fn mix(hash: u64, value: u64) -> u64 {
    let mixed = (hash ^ value).wrapping_mul(0x2545_f491_4f6c_dd1d);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grams_of(view: View, text: &str) -> usize {
        let reading = Reading::of(text);
        reading.grams.iter().filter(|gram| gram.view == view).count()
    }

    #[test]
    fn a_text_has_all_runs_of_up_to_three_units_with_its_edges() {
        // 2 alone, 3 pairs and 2 triples with the edges; sounds have none.
        assert_eq!(grams_of(View::Characters, "封号"), 7);
        assert_eq!(grams_of(View::Sounds, "封号"), 3);
        assert_eq!(grams_of(View::Characters, "封"), 4);
    }

    #[test]
    fn what_has_no_characters_has_its_edges_alone_and_nothing_has_none() {
        assert_eq!(grams_of(View::Characters, "zenme shensu"), 1);
        assert_eq!(grams_of(View::Sounds, "zenme shensu"), 9);
        assert_eq!(grams_of(View::Characters, "?!"), 1);
        assert_eq!(Reading::of("").grams, []);
    }
}
