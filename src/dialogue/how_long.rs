//! For how long something lasts, as people say it: "封7天", "期限:3个月", "a 7-day ban".

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::time_signs::{Signs, are_in};
use super::when::{LENGTH, NUMBER, hours_of};

/// A length of time that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpokenLength {
    /// Bytes of the text that name it.
    pub(super) place: Range<usize>,
    /// Natural hours; a month counts 30 days.
    pub(super) hours: u32,
}

/// "封7天", "期限:3个月", "7-day ban": what each needs, and its pattern.
static TERMS: LazyLock<Vec<(Signs, Regex)>> = LazyLock::new(|| {
    use super::time_signs::*;
    let patterns = [
        (
            RESTRICTED,
            format!(
                "(?:封|限制|禁|停|冻结|期限|为期|处罚|关|写|limit)[^0-9一两二三四五六七八九十半,。;!?\n]{{0,5}}{NUMBER}个?{LENGTH}"
            ),
        ),
        (FOR, format!(r"(?-u:\b)(?:for|of) {NUMBER} {LENGTH}s?(?-u:\b)")),
        (
            BAN,
            format!(r"{NUMBER}[ -]{LENGTH}s?[ -](?:ban|suspension|block|封号|限制|limit)"),
        ),
    ];
    let compiled = patterns
        .into_iter()
        .filter_map(|(sign, pattern)| Some((HINT | NUMERAL | UNIT | sign, Regex::new(&pattern).ok()?)));
    compiled.collect()
});

/// The length of a restriction that a normalised text with these signs names; not how long ago something was ("3天前", "封了3天了").
pub(super) fn term(text: &str, signs: Signs) -> Option<SpokenLength> {
    let possible = TERMS.iter().filter(|(needed, _)| are_in(*needed, signs));
    let found = possible.flat_map(|(_, pattern)| pattern.captures_iter(text));
    found.filter_map(|captures| term_of(&captures, text)).next()
}

fn term_of(captures: &Captures<'_>, text: &str) -> Option<SpokenLength> {
    let place = captures.get(0)?.range();
    let behind = text.get(place.end..).unwrap_or_default();
    let is_no_term = NO_TERM_BEFORE.iter().any(|word| behind.starts_with(word));
    let has_gone_on = text.get(..place.start).is_some_and(|before| before.contains(" been "));
    let is_count = behind.starts_with(|next: char| next.is_ascii_digit());
    if is_no_term || has_gone_on || is_count {
        return None;
    }
    let unit = captures.get(2)?.as_str();
    let hours = hours_of(captures.get(1)?.as_str(), unit).filter(|hours| *hours > 0)?;
    Some(SpokenLength { place, hours })
}

/// Behind a length these say that it is over or that something happens within it.
const NO_TERM_BEFORE: [&str; 9] = ["前", "以前", "之前", "内", "以内", "后", "了", " ago", "多了"];

#[cfg(test)]
mod tests {
    use super::super::time_signs::signs_in;
    use super::*;

    #[test]
    fn every_pattern_is_a_valid_one() {
        assert_eq!(TERMS.len(), 3);
    }

    #[test]
    fn lengths_are_terms_unless_they_are_over() {
        let hours = |text: &str| term(text, signs_in(text)).map(|length| length.hours);
        assert_eq!(hours("微信被封7天"), Some(168));
        assert_eq!(hours("限制期限:3个月"), Some(2160));
        assert_eq!(hours("封半个月"), Some(360));
        assert_eq!(hours("my account is limited for 7 days"), Some(168));
        assert_eq!(hours("a 7-day ban"), Some(168));
        assert_eq!(hours("封了3天了,通知写封7天"), Some(168));
        assert_eq!(hours("被禁30分钟"), None);
        assert_eq!(hours("封了3天了"), None);
        assert_eq!(hours("被封3天前"), None);
        assert_eq!(hours("i have been blocked for 3 days"), None);
    }
}
