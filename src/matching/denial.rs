//! Drops what somebody says is *not* the matter: "不是永久封，就封我二十一天" is about twenty-one days.
//!
//! A bag of n-grams sees the denied words and takes them for the subject. What is denied is rarely what is asked, as long as something
//! else is said.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use super::characters::is_alphanumeric;
use super::trie::Trie;

/// Words that turn from what is not the matter to what is, inside one clause.
static TURNS: LazyLock<Trie<()>> = LazyLock::new(|| Trie::of(TURNING));

const TURNING: [&str; 20] = [
    "而是",
    "只是",
    "就是",
    "但是",
    "是因为",
    "还是",
    "怎么",
    "为什么",
    "为啥",
    "咋",
    "却",
    "照样",
    "偏",
    "加不",
    "拉不",
    "进不",
    "发不",
    "登不",
    " but ",
    " still ",
];

/// At least so much must be left, in Han characters or half Latin words, for the rest to stand alone.
const LEAST_LEFT: usize = 4;

/// Finds denied stretches.
#[derive(Debug, Clone, Default)]
pub(super) struct Denials {
    words: Trie<()>,
}

impl Denials {
    /// The words that begin a denial, spelled as the texts will be.
    pub(super) fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self { words: Trie::of(words) }
    }

    /// The text without what it denies; the whole text when too little would be left.
    pub(super) fn strip<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.words.is_in(text) {
            return Cow::Borrowed(text);
        }
        let kept: String = clauses(text).map(|clause| self.kept_of(clause)).collect();
        match weight(&kept) >= LEAST_LEFT {
            true => Cow::Owned(kept),
            false => Cow::Borrowed(text),
        }
    }

    /// What a clause says apart from its denial. A question without a turn ("不是24小时就好吗") denies nothing.
    fn kept_of<'t>(&self, clause: &'t str) -> Cow<'t, str> {
        let Some(start) = self.start_of_denial(clause) else {
            return Cow::Borrowed(clause);
        };
        let (before, denied) = clause.split_at_checked(start).unwrap_or((clause, ""));
        let turn = TURNS.find_all(denied).next();
        if let Some(after) = turn.and_then(|turn| denied.get(turn.place.start..)) {
            return Cow::Owned([before, after].concat());
        }
        let is_question =
            clause.ends_with('?') || clause.trim_end_matches(is_boundary).ends_with(['吗', '么', '嘛', '吧']);
        if is_question {
            return Cow::Borrowed(clause);
        }
        // What the clause ended with keeps its neighbours apart.
        let end = denied.chars().next_back().filter(|end| is_boundary(*end));
        Cow::Owned(before.chars().chain(end).collect())
    }

    /// Where the first denial begins. Of each word the first place counts: who says it again has said it before.
    fn start_of_denial(&self, clause: &str) -> Option<usize> {
        let is_first = |place: &Range<usize>| {
            let word = clause.get(place.clone()).unwrap_or_default();
            clause.find(word) == Some(place.start)
        };
        // "是不是" and "有没有" ask.
        let asks = |start: usize| clause.get(..start).is_some_and(|before| before.ends_with(['是', '有']));
        let mut places = self.words.find_all(clause).map(|word| word.place);
        let denial = places.find(|place| is_first(place) && !asks(place.start))?;
        Some(denial.start)
    }
}

/// The clauses of a text, each with the mark that ends it.
fn clauses(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(is_boundary)
}

/// Between Han characters people use a space as a comma; such spaces arrive here as line breaks.
fn is_boundary(character: char) -> bool {
    matches!(character, ',' | '。' | '.' | ';' | '!' | '?' | '、' | '\n')
}

/// How much a text says: a Han character counts as two Latin letters.
fn weight(text: &str) -> usize {
    let letters = text.chars().filter(|character| is_alphanumeric(*character));
    letters
        .map(|letter| if letter.is_ascii() { 1 } else { 2 })
        .sum::<usize>()
        / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let words = ["不是", "没违规", "没被投诉", "已经实名", "not banned"];
        assert_eq!(Denials::new(words.map(String::from)).strip(text), expected);
    }

    #[test]
    fn what_is_denied_is_dropped() {
        check("不是永久封,就封我微信二十一天", ",就封我微信二十一天");
        check(
            "我一天才加三五个不是加太快,是有人点了投诉",
            "我一天才加三五个,是有人点了投诉",
        );
        check("我没违规没被投诉\n群里500人了拉不动", "我\n群里500人了拉不动");
        check("不是封号而是限制加人", "而是限制加人");
        check("已经实名了还是进不了群", "还是进不了群");
        check("没被投诉怎么加不了人?", "怎么加不了人?");
        check("没被投诉加不了人", "加不了人");
        check("not banned, i just cannot add people", ", i just cannot add people");
    }

    #[test]
    fn a_denial_that_is_all_there_is_stays() {
        check("没违规", "没违规");
        check("我没违规啊", "我没违规啊");
    }

    #[test]
    fn a_question_denies_nothing() {
        check("是不是被封了", "是不是被封了");
        check("在哪里看我有没被投诉过", "在哪里看我有没被投诉过");
        check("不是说24小时就好吗,还不行", "不是说24小时就好吗,还不行");
        check("不是24小时就好吗", "不是24小时就好吗");
    }
}
