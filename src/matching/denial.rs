//! Drops what somebody says is *not* the matter: "不是永久封，就封我二十一天" is about twenty-one days.
//!
//! A bag of n-grams sees the denied words and takes them for the subject. What is denied is rarely what is asked, as long as something
//! else is said.

/// Words that turn from what is not the matter to what is, inside one clause.
const TURNS: [&str; 20] = [
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
    words: Vec<String>,
}

impl Denials {
    /// The words that begin a denial, spelled as the texts will be.
    pub(super) fn new(words: impl IntoIterator<Item = String>) -> Self {
        let mut words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        // The longest first, so that "不是因为" is not cut at "不是".
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        Self { words }
    }

    /// The text without what it denies; the whole text when too little would be left.
    pub(super) fn strip(&self, text: &str) -> String {
        if !self.words.iter().any(|word| text.contains(word.as_str())) {
            return text.to_owned();
        }
        let kept: String = clauses(text).map(|clause| self.kept_of(clause)).collect();
        if weight(&kept) >= LEAST_LEFT {
            kept
        } else {
            text.to_owned()
        }
    }

    /// What a clause says apart from its denial. A question without a turn ("不是24小时就好吗") denies nothing.
    fn kept_of(&self, clause: &str) -> String {
        let Some(start) = self.start_of_denial(clause) else {
            return clause.to_owned();
        };
        let (before, denied) = clause.split_at_checked(start).unwrap_or((clause, ""));
        let turn = TURNS.iter().filter_map(|turn| denied.find(turn)).min();
        if let Some(after) = turn.and_then(|turn| denied.get(turn..)) {
            return [before, after].concat();
        }
        let is_question =
            clause.ends_with('?') || clause.trim_end_matches(is_boundary).ends_with(['吗', '么', '嘛', '吧']);
        if is_question {
            return clause.to_owned();
        }
        // What the clause ended with keeps its neighbours apart.
        let end = denied.chars().next_back().filter(|end| is_boundary(*end));
        before.chars().chain(end).collect()
    }

    fn start_of_denial(&self, clause: &str) -> Option<usize> {
        let starts = self.words.iter().filter_map(|word| {
            let start = clause.find(word.as_str())?;
            // "是不是" and "有没有" ask.
            let asks = clause.get(..start)?.ends_with(['是', '有']);
            (!asks).then_some(start)
        });
        starts.min()
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
    let letters = text.chars().filter(|character| character.is_alphanumeric());
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
