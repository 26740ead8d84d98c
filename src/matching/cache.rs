//! A trained matcher as bytes, so that a start need not train again.
//!
//! The bytes carry a mark, a version and a checksum; whatever does not fit is refused with a reason and never trusted.

use super::calibration::{Calibration, Trustworthiness};
use super::classifier::{Classifier, Half};
use super::confidence::{Confidence, FACTS};
use super::decision::Thresholds;
use super::known::KnownUtterances;
use super::matcher::Matcher;
use super::model::{Attention, Model, Owners};
use super::normalise::Normaliser;
use super::rows::Rows;
use super::traditional::CharacterTable;
use super::training_set::ClassKind;
use super::vetoes::Vetoes;
use super::vocabulary::{Rarity, Vocabulary};

/// The first bytes of every cache; the last of them is the version of the layout.
const MARK: &[u8; 8] = b"jfmatch\x04";

/// Why bytes are not a cached matcher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// Something else, or a cache of another version.
    #[error("not a matcher cache of this version")]
    Foreign,
    /// Cut short or changed since it was written.
    #[error("the matcher cache is damaged: {0}")]
    Damaged(&'static str),
}

const NOT_FINITE: CacheError = CacheError::Damaged("a number is not finite");

impl Matcher {
    /// The whole matcher except its thresholds, which belong to the configuration.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Writer::default();
        self.write_texts(&mut body);
        self.write_model(&mut body);
        let mut bytes = MARK.to_vec();
        bytes.extend(checksum(&body.0).to_le_bytes());
        bytes.extend(body.0);
        bytes
    }

    /// Reads what [`Matcher::to_bytes`] wrote. Anything else is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CacheError> {
        let (mark, rest) = bytes.split_at_checked(MARK.len()).ok_or(CacheError::Foreign)?;
        if mark != MARK {
            return Err(CacheError::Foreign);
        }
        let (sum, body) = rest.split_first_chunk().ok_or(CacheError::Damaged("no checksum"))?;
        if u64::from_le_bytes(*sum) != checksum(body) {
            return Err(CacheError::Damaged("the checksum differs"));
        }
        let mut reader = Reader(body);
        let matcher = read_matcher(&mut reader)?;
        if reader.0.is_empty() {
            Ok(matcher)
        } else {
            Err(CacheError::Damaged("bytes are left over"))
        }
    }

    fn write_texts(&self, body: &mut Writer) {
        body.list(self.ids.iter().zip(&self.kinds), |body, (id, kind)| {
            body.text(id);
            body.0.push(kind.code());
        });
        body.list(&self.aliases, |body, (typed, meaning)| {
            body.text(typed);
            body.text(meaning);
        });
        body.list(&self.fillers, |body, filler| body.text(filler));
        body.list(&self.denials, |body, denial| body.text(denial));
        body.list(self.vetoes.list(), |body, (words, class)| {
            body.text(words);
            body.number(*class as u32);
        });
        body.list(self.normaliser.characters().pairs(), |body, (from, to)| {
            body.number(u32::from(from));
            body.number(u32::from(to));
        });
        body.list(&self.utterances, |body, (text, class)| {
            body.text(text);
            body.number(*class as u32);
        });
    }

    fn write_model(&self, body: &mut Writer) {
        body.list(self.vocabulary.pairs(), |body, (hash, view)| {
            body.long(hash);
            body.0.push(view);
        });
        let (idf, unknown, view_lengths) = self.model.rarity.parts();
        body.fractions(idf);
        body.fraction(unknown);
        view_lengths.into_iter().for_each(|length| body.fraction(length));
        body.list(self.model.owners.bits(), |body, bits| body.long(*bits));
        body.classifier(&self.model.classifier);
        body.classifier(&self.model.by_sound);
        body.list(&self.overruled, |body, (lesson, winner)| {
            body.number(*lesson as u32);
            body.number(*winner as u32);
        });
        for trustworthiness in [&self.calibration.of_everything, &self.calibration.of_sound] {
            body.confidence(&trustworthiness.best);
            body.confidence(&trustworthiness.options);
            body.confidence(&trustworthiness.chat);
        }
    }
}

fn read_matcher(reader: &mut Reader<'_>) -> Result<Matcher, CacheError> {
    let classes = reader.list(|reader| Ok((reader.text()?, reader.kind()?)))?;
    let (ids, kinds): (Vec<String>, Vec<ClassKind>) = classes.into_iter().unzip();
    let aliases = reader.list(|reader| Ok((reader.text()?, reader.text()?)))?;
    let fillers = reader.list(Reader::text)?;
    let denials = reader.list(Reader::text)?;
    let vetoes = Vetoes::new(reader.list(|reader| Ok((reader.text()?, reader.number()? as usize)))?);
    let characters = reader.list(|reader| Ok((reader.character()?, reader.character()?)))?;
    let utterances = reader.list(|reader| Ok((reader.text()?, reader.number()? as usize)))?;
    let vocabulary = Vocabulary::from_pairs(reader.list(|reader| Ok((reader.long()?, reader.byte()?)))?);
    let model = read_model(reader, kinds.len(), &vocabulary)?;
    let overruled = reader.list(|reader| Ok((reader.number()? as usize, reader.number()? as usize)))?;
    let mut trustworthiness = || {
        Ok::<_, CacheError>(Trustworthiness {
            best: reader.confidence()?,
            options: reader.confidence()?,
            chat: reader.confidence()?,
        })
    };
    let calibration = Calibration {
        of_everything: trustworthiness()?,
        of_sound: trustworthiness()?,
    };
    let normaliser = Normaliser::new(CharacterTable::from_pairs(&characters), &aliases, &fillers, &denials);
    let known = KnownUtterances::of(&utterances, &kinds);
    Ok(Matcher {
        ids,
        kinds,
        aliases,
        fillers,
        denials,
        vetoes,
        normaliser,
        vocabulary,
        model,
        calibration,
        overruled,
        known,
        utterances,
        thresholds: Thresholds::default(),
    })
}

fn read_model(reader: &mut Reader<'_>, classes: usize, vocabulary: &Vocabulary) -> Result<Model, CacheError> {
    let idf = reader.fractions()?;
    let unknown = reader.fraction()?;
    let view_lengths = [
        reader.fraction()?,
        reader.fraction()?,
        reader.fraction()?,
        reader.fraction()?,
    ];
    let bits = reader.list(Reader::long)?;
    Ok(Model {
        rarity: Rarity::from_parts(idf, unknown, view_lengths),
        classifier: reader.classifier(classes, vocabulary.rows(Attention::Everything))?,
        by_sound: reader.classifier(classes, vocabulary.rows(Attention::Sound))?,
        owners: Owners::from_parts(classes, bits),
    })
}

/// Eight bytes at a time, so that megabytes are checked in a millisecond. Guards against accidents, not against malice:
/// whoever can write the cache can write the knowledge.
fn checksum(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let words = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
    let tail = rest.iter().map(|&byte| u64::from(byte));
    let length = [bytes.len() as u64];
    length
        .into_iter()
        .chain(words)
        .chain(tail)
        .fold(0xcbf2_9ce4_8422_2325, |sum, word| {
            let mixed = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^ (mixed >> 32)
        })
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    fn long(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn fraction(&mut self, number: f32) {
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.0.extend(text.as_bytes());
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        let start = self.0.len();
        self.number(0);
        let mut count: u32 = 0;
        for item in items {
            write(self, item);
            count += 1;
        }
        let slot = self.0.iter_mut().skip(start);
        slot.zip(count.to_le_bytes()).for_each(|(slot, byte)| *slot = byte);
    }

    fn fractions(&mut self, numbers: &[f32]) {
        self.list(numbers, |writer, number| writer.fraction(*number));
    }

    fn classifier(&mut self, classifier: &Classifier) {
        let (weights, bias) = classifier.parts();
        self.list(weights, |writer, weight| writer.0.extend(weight.to_le_bytes()));
        self.fractions(bias);
    }

    fn confidence(&mut self, confidence: &Confidence) {
        confidence.weights.iter().for_each(|weight| self.fraction(*weight));
        self.fraction(confidence.bias);
    }
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CacheError> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(CacheError::Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, CacheError> {
        self.take().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u32, CacheError> {
        self.take().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Result<u64, CacheError> {
        self.take().map(u64::from_le_bytes)
    }

    fn fraction(&mut self) -> Result<f32, CacheError> {
        let number = self.take().map(f32::from_le_bytes)?;
        if number.is_finite() {
            Ok(number)
        } else {
            Err(NOT_FINITE)
        }
    }

    fn kind(&mut self) -> Result<ClassKind, CacheError> {
        ClassKind::from_code(self.byte()?).ok_or(CacheError::Damaged("an unknown kind of class"))
    }

    fn character(&mut self) -> Result<char, CacheError> {
        char::from_u32(self.number()?).ok_or(CacheError::Damaged("not a character"))
    }

    fn text(&mut self) -> Result<String, CacheError> {
        let length = self.number()? as usize;
        let (text, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(CacheError::Damaged("it ends too early"))?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| CacheError::Damaged("a text is not UTF-8"))
    }

    /// Room is made for what the bytes can hold, not for what they claim.
    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, CacheError>) -> Result<Vec<T>, CacheError> {
        let count = self.number()? as usize;
        let mut items = Vec::with_capacity(count.min(self.0.len()));
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn fractions(&mut self) -> Result<Vec<f32>, CacheError> {
        let numbers: Vec<f32> = self.plain_list(f32::from_le_bytes)?;
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(numbers)
        } else {
            Err(NOT_FINITE)
        }
    }

    /// The bulk of a cache, read in one go.
    fn plain_list<T, const N: usize>(&mut self, read: impl Fn([u8; N]) -> T) -> Result<Vec<T>, CacheError> {
        let count = self.number()? as usize;
        let length = count.checked_mul(N).ok_or(CacheError::Damaged("a list is too long"))?;
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(CacheError::Damaged("it ends too early"))?;
        self.0 = rest;
        let (chunks, _) = taken.as_chunks::<N>();
        Ok(chunks.iter().map(|chunk| read(*chunk)).collect())
    }

    fn classifier(&mut self, classes: usize, rows: Option<Rows>) -> Result<Classifier, CacheError> {
        let (weights, bias) = (self.plain_list(Half::from_le_bytes)?, self.fractions()?);
        if !weights.iter().all(|weight| weight.is_finite()) {
            return Err(NOT_FINITE);
        }
        Classifier::from_parts(classes, rows, weights, bias).ok_or(CacheError::Damaged("the weights do not fit"))
    }

    fn confidence(&mut self) -> Result<Confidence, CacheError> {
        let mut confidence = Confidence {
            weights: [0.0; FACTS],
            bias: 0.0,
        };
        for weight in &mut confidence.weights {
            *weight = self.fraction()?;
        }
        confidence.bias = self.fraction()?;
        Ok(confidence)
    }
}
