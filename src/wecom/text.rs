//! Cutting a text that is too long for one message where a reader would pause.

use unicode_segmentation::UnicodeSegmentation;

/// Where a text may be cut, best first.
const BREAKS: [fn(&str, &str) -> bool; 4] = [ends_paragraph, ends_line, ends_sentence, ends_word];

/// Cuts a text into parts of `max_bytes` bytes at most: after a paragraph, else after a line, a sentence or a word, else between two
/// characters as readers see them (an emoji made of several code points is one).
///
/// White space at the cuts is left out, and no part is blank, because WeCom refuses blank messages (44004). Only a single character that is
/// longer than `max_bytes` is cut inside; `max_bytes` is at least 4, the longest code point.
pub fn split_text(text: &str, max_bytes: usize) -> Vec<&str> {
    let max_bytes = max_bytes.max(4);
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while rest.len() > max_bytes {
        let (part, after) = rest.split_at_checked(cut(rest, max_bytes)).unwrap_or((rest, ""));
        parts.push(part.trim_end());
        rest = after.trim_start();
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// Where to cut a text that is longer than `max_bytes`. A cut in the first half would make a short message for the sake of a better
/// place, so such places come last.
fn cut(text: &str, max_bytes: usize) -> usize {
    let places = places(text, max_bytes);
    let last_from = |least: usize, fits: fn(&str, &str) -> bool| {
        let is_break = |place: &&usize| {
            text.split_at_checked(**place)
                .is_some_and(|(before, after)| fits(before, after))
        };
        places
            .iter()
            .rev()
            .take_while(|place| **place >= least)
            .find(is_break)
            .copied()
    };
    let best = [max_bytes / 2, 1]
        .into_iter()
        .find_map(|least| BREAKS.into_iter().find_map(|fits| last_from(least, fits)));
    best.or(places.last().copied())
        .unwrap_or_else(|| text.floor_char_boundary(max_bytes))
}

/// The ends of all characters, as readers see them, that a part may have.
fn places(text: &str, max_bytes: usize) -> Vec<usize> {
    text.grapheme_indices(true)
        .map(|(start, character)| start + character.len())
        .take_while(|end| *end <= max_bytes)
        .collect()
}

fn ends_paragraph(before: &str, after: &str) -> bool {
    before.ends_with("\n\n") && !after.starts_with('\n')
}

fn ends_line(before: &str, _after: &str) -> bool {
    before.ends_with('\n')
}

/// A Chinese full stop ends a sentence, with the quotation mark or bracket that closes after it; a Latin one only before a blank, so that
/// 3.5 and addresses stay whole.
fn ends_sentence(before: &str, after: &str) -> bool {
    let closes = |letter: char| "”’」』）)\"'".contains(letter);
    let sentence = before.trim_end_matches(closes);
    let is_chinese = sentence.ends_with(['。', '！', '？', '；']);
    let is_latin = sentence.ends_with(['.', '!', '?', ';']);
    let goes_on = after.starts_with(|letter| closes(letter) || "。！？；.!?;".contains(letter));
    let has_blank = after.starts_with(char::is_whitespace);
    !goes_on && (is_chinese || (is_latin && has_blank))
}

fn ends_word(before: &str, after: &str) -> bool {
    before.ends_with(['，', '、', '：', ',']) || after.starts_with(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, max_bytes: usize, expected: &[&str]) {
        assert_eq!(split_text(text, max_bytes), expected);
    }

    #[test]
    fn a_text_that_fits_stays_whole() {
        check("你好。", 9, &["你好。"]);
        check("", 9, &[]);
        check(" \n ", 9, &[]);
    }

    #[test]
    fn cuts_come_after_paragraphs_then_lines_then_sentences() {
        check("一二三。\n\n四五六。七", 24, &["一二三。", "四五六。七"]);
        check("一二三。四\n五六七。八九", 24, &["一二三。四", "五六七。八九"]);
        check("一二三。四五六七", 18, &["一二三。", "四五六七"]);
        check("One two. Three four", 12, &["One two.", "Three four"]);
    }

    #[test]
    fn a_closing_quotation_mark_stays_with_its_sentence() {
        check("他说：“好的。”然后走了", 27, &["他说：“好的。”", "然后走了"]);
        check("真的？！一二三四", 15, &["真的？！", "一二三四"]);
    }

    #[test]
    fn numbers_and_addresses_stay_whole() {
        check("about 3.5 to 4.5 hours", 11, &["about 3.5", "to 4.5", "hours"]);
    }

    #[test]
    fn a_short_beginning_is_no_message_of_its_own() {
        check("一。二三四五六七，八九十一", 27, &["一。二三四五六七，", "八九十一"]);
    }

    #[test]
    fn emoji_of_several_code_points_are_not_torn() {
        let family = "👨‍👩‍👧‍👦";
        let text = [family, family].concat();
        check(&text, family.len() + 4, &[family, family]);
        check("🇨🇳🇨🇳", 12, &["🇨🇳", "🇨🇳"]);
    }

    #[test]
    fn a_character_that_does_not_fit_is_cut_between_code_points() {
        let family = "👨‍👩‍👧‍👦";
        let parts = split_text(family, 8);
        assert_eq!(parts.concat(), family);
        assert!(parts.iter().all(|part| part.len() <= 8));
    }

    fn visible(text: &str) -> String {
        text.chars().filter(|letter| !letter.is_whitespace()).collect()
    }

    proptest! {
        #[test]
        fn nothing_visible_is_lost_and_every_part_fits(
            text in "([一-三]|[a-c]|[。！？；，.!? \n]|👨‍👩‍👧|é|🇨🇳|\\PC){0,200}",
            max_bytes in 4_usize..120,
        ) {
            let parts = split_text(&text, max_bytes);
            prop_assert_eq!(visible(&parts.concat()), visible(&text));
            for part in &parts {
                prop_assert!(part.len() <= max_bytes && !part.trim().is_empty());
            }
        }

        #[test]
        fn cuts_are_between_characters_that_fit(text in "(一|👨‍👩‍👧|🇨🇳|é|。|\n){0,100}", max_bytes in 25_usize..80) {
            let whole: Vec<&str> = text.graphemes(true).filter(|character| !character.trim().is_empty()).collect();
            let parts = split_text(&text, max_bytes);
            let found: Vec<&str> = parts
                .iter()
                .flat_map(|part| part.graphemes(true))
                .filter(|character| !character.trim().is_empty())
                .collect();
            prop_assert_eq!(found, whole);
        }
    }
}
