//! Trained matchers as they are kept on disk.

use std::sync::OnceLock;

use jiefeng::matching::{Class, ClassKind, Matcher, TrainingSet};

use super::text;

/// What every cache begins with, and how long its checksum is.
const MARK: &[u8; 8] = b"jfmatch\x04";
const CHECKSUM: usize = 8;

const QUESTIONS: [&str; 7] = [
    "",
    "微信被封了怎么办",
    "我的帳號被限制登錄了，不是永久封，就封二十一天",
    "weixin bei feng le",
    "群已经满了",
    "hello there",
    "12",
];

/// The first line says what follows: `whole`, a file as it is; `body`, what stands behind a checksum, which is made to fit; `flip`, a byte
/// of a good file and what it is combined with; or `edit`, the same line by line, with a checksum that fits.
///
/// A file in which one byte was changed is refused, and whatever is taken for a matcher answers.
pub fn matcher_cache(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (kind, rest) = (&data[..end], &data[end + 1..]);
    match kind {
        b"whole" => loaded(rest),
        b"body" => loaded(&with_checksum(rest)),
        b"flip" => {
            let (bytes, is_changed) = edited(text(rest).unwrap_or_default().lines().take(1));
            assert_eq!(
                Matcher::from_bytes(&bytes).is_err(),
                is_changed,
                "a changed cache was taken"
            );
        }
        b"edit" => {
            let (bytes, _) = edited(text(rest).unwrap_or_default().lines());
            loaded(&with_checksum(&bytes[MARK.len() + CHECKSUM..]));
        }
        _ => {}
    }
}

fn loaded(bytes: &[u8]) {
    let Ok(matcher) = Matcher::from_bytes(bytes) else {
        return;
    };
    for question in QUESTIONS {
        let judgement = matcher.judge(question);
        assert!(judgement.candidates.len() <= 16);
        let _ = matcher.explain(question);
        let _ = (matcher.normalise(question), matcher.asserted(question));
    }
    let _ = matcher.misplaced_utterances(set());
    let _ = Matcher::from_bytes(&matcher.to_bytes());
}

/// The good file with some bytes changed (`12 255`), and whether it has become another.
fn edited<'t>(lines: impl Iterator<Item = &'t str>) -> (Vec<u8>, bool) {
    let mut bytes = good().to_vec();
    for line in lines {
        let Some((place, mask)) = line.split_once(' ') else {
            continue;
        };
        let (Ok(place), Ok(mask)) = (place.parse::<usize>(), mask.parse::<u8>()) else {
            continue;
        };
        let place = place % bytes.len();
        bytes[place] ^= mask;
    }
    let is_changed = bytes != good();
    (bytes, is_changed)
}

fn good() -> &'static [u8] {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let bytes = Matcher::train(set()).to_bytes();
        let again = Matcher::from_bytes(&bytes).expect("a cache as it was written");
        assert_eq!(again.to_bytes(), bytes);
        assert_eq!(
            with_checksum(&bytes[MARK.len() + CHECKSUM..]),
            bytes,
            "the checksum is another"
        );
        bytes
    })
}

/// A few classes of every kind.
fn set() -> &'static TrainingSet {
    static SET: OnceLock<TrainingSet> = OnceLock::new();
    SET.get_or_init(|| {
        let class = |id: &str, kind, utterances: &[&str]| Class {
            id: id.to_owned(),
            kind,
            utterances: utterances.iter().map(|text| (*text).to_owned()).collect(),
        };
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        TrainingSet {
            classes: vec![
                class(
                    "banned",
                    ClassKind::Scenario,
                    &["微信被封了怎么办", "账号被封了", "微信号被封"],
                ),
                class(
                    "group_full",
                    ClassKind::Scenario,
                    &["群满了加不进去", "群已经满了", "账号被封了"],
                ),
                class("hello", ClassKind::Smalltalk, &["你好", "hello", "hello there"]),
                class("person", ClassKind::Human, &["找人工", "转人工客服"]),
                class("none", ClassKind::Outside, &["今天天气怎么样", "天气预报"]),
            ],
            aliases: vec![pair("vx", "微信")],
            fillers: vec!["请问".to_owned()],
            denials: vec!["不是".to_owned()],
            vetoes: vec![pair("group_full", "群没满")],
        }
    })
}

/// A cache with this body, by a checksum of our own.
fn with_checksum(body: &[u8]) -> Vec<u8> {
    let whole = body.len() / 8 * 8;
    let mut words: Vec<u64> = vec![body.len() as u64];
    for chunk in body[..whole].chunks(8) {
        words.push(chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    words.extend(body[whole..].iter().map(|byte| u64::from(*byte)));
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    for word in words {
        sum = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        sum ^= sum >> 32;
    }
    [MARK.as_slice(), &sum.to_le_bytes(), body].concat()
}
