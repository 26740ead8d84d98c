//! Replaces words by other words: aliases by their meaning, fillers by nothing.

use std::borrow::Cow;

use super::trie::Trie;

/// A set of words with what each becomes; of overlapping words the leftmost, longest one counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Rewriter {
    words: Trie<String>,
}

impl Rewriter {
    /// Empty words are left out, of equal words the first one counts.
    pub(super) fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            words: Trie::new(pairs),
        }
    }

    /// Rewrites a text. A latin word is only replaced where it stands on its own, so `ban` leaves `bank` alone.
    pub(super) fn rewrite<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut written = String::new();
        let mut done = 0;
        for found in self.words.find(text) {
            let (start, end) = (found.place.start, found.place.end);
            if stands_alone(text, start, end) {
                written.reserve(text.len() - done + found.meaning.len());
                written.push_str(text.get(done..start).unwrap_or_default());
                written.push_str(found.meaning);
                done = end;
            }
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        written.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(written)
    }
}

/// Whether no latin letter goes on at either end of what was found.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let (before, found, after) = (text.get(..start), text.get(start..end), text.get(end..));
    let inner_first = found.and_then(|found| found.chars().next());
    let inner_last = found.and_then(|found| found.chars().next_back());
    let outer_before = before.and_then(|before| before.chars().next_back());
    let outer_after = after.and_then(|after| after.chars().next());
    !(is_latin(outer_before) && is_latin(inner_first) || is_latin(inner_last) && is_latin(outer_after))
}

fn is_latin(character: Option<char>) -> bool {
    character.is_some_and(|character| character.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewriter(pairs: &[(&str, &str)]) -> Rewriter {
        Rewriter::new(
            pairs
                .iter()
                .map(|(word, meaning)| (word.to_string(), meaning.to_string())),
        )
    }

    #[test]
    fn the_longest_word_counts() {
        let rewriter = rewriter(&[("企微", "企业微信"), ("企微号", "成员账号")]);
        assert_eq!(rewriter.rewrite("我企微号被封"), "我成员账号被封");
    }

    #[test]
    fn latin_words_must_stand_alone() {
        let rewriter = rewriter(&[("vx", "微信"), ("ban", "封")]);
        assert_eq!(rewriter.rewrite("vx被ban了"), "微信被封了");
        assert_eq!(rewriter.rewrite("bank vxlan"), "bank vxlan");
    }

    #[test]
    fn nothing_to_do_borrows() {
        assert!(matches!(Rewriter::default().rewrite("你好"), Cow::Borrowed("你好")));
    }
}
