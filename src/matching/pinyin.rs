//! How Chinese sounds: toneless syllables, with the confusions of everyday typing folded together.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use pinyin::ToPinyin;

use super::characters::COMMON_HAN;
use super::reading::hash_of;
use super::trie::Trie;

/// So many syllables and letters before or behind a name show that it stands among pinyin.
const SYLLABLES_AROUND_A_NAME: usize = 3;
const LETTERS_AROUND_A_NAME: usize = 7;

/// A name has at least so many letters.
const SHORTEST_NAME: usize = 3;

/// Longer runs of letters are not typed pinyin.
const LONGEST_RUN: usize = 80;

/// The syllables as people type them on a keyboard, read once out of the pronunciation table.
static SYLLABLES: LazyLock<Trie<()>> = LazyLock::new(|| {
    let mut syllables: BTreeSet<&'static str> = (0x4e00..=0x9fa5)
        .filter_map(char::from_u32)
        .filter_map(|character| character.to_pinyin())
        .map(|reading| reading.plain())
        .filter(|syllable| syllable.bytes().all(|byte| byte.is_ascii_lowercase()))
        .filter(|syllable| syllable.len() > 1 || matches!(*syllable, "a" | "e" | "o"))
        .collect();
    syllables.extend(["lv", "nv", "lve", "nve"]);
    Trie::of(syllables)
});

static SOUNDS: LazyLock<Sounds> = LazyLock::new(Sounds::of_common);

/// The hashes of softened syllables by common character. There are few hundred syllables, so that all of it stays at hand.
struct Sounds {
    /// One more than the place of each character's hash; 0 for one without a reading.
    places: Vec<u16>,
    hashes: Vec<u64>,
}

impl Sounds {
    fn of_common() -> Self {
        let mut hashes = Vec::new();
        let mut known: HashMap<&str, u16> = HashMap::new();
        let mut place_of = |syllable: &'static str| {
            *known.entry(syllable).or_insert_with(|| {
                hashes.push(hash_of(soften(syllable)));
                hashes.len() as u16
            })
        };
        let places = COMMON_HAN
            .map(|character| reading_of(character).map_or(0, &mut place_of))
            .collect();
        Self { places, hashes }
    }
}

/// The hash of how a Han character sounds, softened; none for one without a reading.
pub(super) fn sound_of(character: char) -> Option<u64> {
    if !COMMON_HAN.contains(&character) {
        return reading_of(character).map(|syllable| hash_of(soften(syllable)));
    }
    let place = u32::from(character) - u32::from(*COMMON_HAN.start());
    let place = SOUNDS.places.get(place as usize)?;
    SOUNDS.hashes.get(usize::from(*place).checked_sub(1)?).copied()
}

/// The reading of a Han character, as typed without tone.
fn reading_of(character: char) -> Option<&'static str> {
    character.to_pinyin().map(|reading| reading.plain())
}

/// Folds what southern speakers and hasty typists confuse: zh/z, ch/c, sh/s, n/l, ang/an, eng/en, ing/in.
pub(super) fn soften(syllable: &str) -> impl Iterator<Item = u8> {
    let kept = match syllable.as_bytes() {
        [body @ .., b'g'] if matches!(body, [.., b'a' | b'e' | b'i', b'n']) => body,
        whole => whole,
    };
    let (first, rest) = match kept {
        [first @ (b'z' | b'c' | b's'), b'h', rest @ ..] => (Some(*first), rest),
        [b'n', rest @ ..] if !rest.is_empty() => (Some(b'l'), rest),
        [first, rest @ ..] => (Some(*first), rest),
        [] => (None, kept),
    };
    first.into_iter().chain(rest.iter().copied())
}

/// Cuts a run of letters wholly into the fewest syllables; the result holds the end of each syllable.
pub(super) fn cut(run: &str) -> Option<Vec<usize>> {
    let reached = reached(run)?;
    ends_before(&reached, run.len())
}

/// A name between syllables without a space (`geiwosecretdege`): where it starts and ends. Before it or behind it, enough syllables stand
/// for this to be no English word.
pub(super) fn name_among_syllables(run: &str) -> Option<(usize, usize)> {
    let is_enough = |piece: &str| {
        if piece.len() < LETTERS_AROUND_A_NAME {
            return false;
        }
        let syllables = cut(piece).map_or(0, |ends| ends.len());
        syllables >= SYLLABLES_AROUND_A_NAME && piece.len() >= 2 * syllables
    };
    if run.len() < SHORTEST_NAME + LETTERS_AROUND_A_NAME || cut(run).is_some() {
        return None;
    }
    let last = run.len().checked_sub(SHORTEST_NAME)?;
    let before = (0..=last).rev().find(|end| run.get(..*end).is_some_and(is_enough));
    let behind =
        (before.unwrap_or(0) + SHORTEST_NAME..run.len()).find(|start| run.get(*start..).is_some_and(is_enough));
    match (before, behind) {
        (None, None) => None,
        (before, behind) => Some((before.unwrap_or(0), behind.unwrap_or(run.len()))),
    }
}

/// For every position: the fewest syllables that end there, and where the last of them starts.
fn reached(run: &str) -> Option<Vec<Option<(usize, usize)>>> {
    if run.len() > LONGEST_RUN || !run.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let mut best: Vec<Option<(usize, usize)>> = vec![None; run.len() + 1];
    *best.first_mut()? = Some((0, 0));
    for start in 0..run.len() {
        let Some((count, _)) = best.get(start).copied().flatten() else {
            continue;
        };
        for syllable in SYLLABLES.starting_at(run, start) {
            if let Some(known) = best.get_mut(syllable.place.end)
                && known.is_none_or(|(fewest, _)| count + 1 < fewest)
            {
                *known = Some((count + 1, start));
            }
        }
    }
    Some(best)
}

/// The ends of the syllables up to `end`.
fn ends_before(best: &[Option<(usize, usize)>], end: usize) -> Option<Vec<usize>> {
    let mut ends = Vec::new();
    let mut end = end;
    while end > 0 {
        let (_, start) = best.get(end).copied().flatten()?;
        ends.push(end);
        end = start;
    }
    ends.reverse();
    Some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn softened(syllable: &str) -> String {
        soften(syllable).map(char::from).collect()
    }

    #[test]
    fn confusions_sound_alike() {
        assert_eq!(softened("zhang"), softened("zan"));
        assert_eq!(softened("shen"), softened("seng"));
        assert_eq!(softened("nan"), softened("lang"));
        assert_eq!(softened("feng"), "fen");
        assert_eq!(softened("n"), "n");
        assert_ne!(softened("hao"), softened("gao"));
    }

    #[test]
    fn every_character_sounds_as_it_is_read() {
        for character in '\u{3400}'..='\u{9fff}' {
            let read = reading_of(character).map(|syllable| hash_of(soften(syllable)));
            assert_eq!(sound_of(character), read, "{character}");
        }
        assert!(SOUNDS.hashes.len() < 1000);
    }

    #[test]
    fn runs_are_cut_into_the_fewest_syllables() {
        assert_eq!(cut("jiahaoyou"), Some(vec![3, 6, 9]));
        assert_eq!(cut("weixin"), Some(vec![3, 6]));
        assert_eq!(cut("xian"), Some(vec![4]));
        assert_eq!(cut(""), Some(vec![]));
    }

    #[test]
    fn a_name_that_is_glued_to_pinyin_is_found() {
        assert_eq!(name_among_syllables("qinggeiwospotify"), Some((9, 16)));
        assert_eq!(
            name_among_syllables("spotifydegequliebiao"),
            Some((7, 20)).map(|(end, _)| (0, end))
        );
        for word in ["limitation", "administrator", "management", "restricted", "weixinhao"] {
            assert_eq!(name_among_syllables(word), None, "{word}");
        }
    }

    #[test]
    fn english_words_are_rarely_pinyin() {
        for word in [
            "account", "banned", "group", "wecom", "friend", "appeal", "x", "blocked",
        ] {
            assert_eq!(cut(word), None, "{word}");
        }
    }
}
