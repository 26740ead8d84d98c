//! Which expressions of time a text can hold at all, by a few words that they cannot do without.
//!
//! A pattern costs many times what looking for words costs. Most messages name no time, and those that do name it in one or two ways.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::matching::trie::Trie;

/// Signs that stand in a text, a bit each.
pub(super) type Signs = u32;

/// Every expression has a digit or a hint in it.
pub(super) const HINT: Signs = 1;
pub(super) const DIGIT: Signs = 1 << 1;
pub(super) const NUMERAL: Signs = 1 << 2;
pub(super) const UNIT: Signs = 1 << 3;
pub(super) const CENTURY: Signs = 1 << 4;
pub(super) const DATE_MARK: Signs = 1 << 5;
pub(super) const DOT: Signs = 1 << 6;
pub(super) const LAST_OR_NEXT: Signs = 1 << 7;
pub(super) const OTHER_YEAR: Signs = 1 << 8;
pub(super) const MONTH: Signs = 1 << 9;
pub(super) const MONTH_NAME: Signs = 1 << 10;
pub(super) const DAY_OF_MONTH: Signs = 1 << 11;
pub(super) const BEFORE: Signs = 1 << 12;
pub(super) const AGO: Signs = 1 << 13;
pub(super) const DONE: Signs = 1 << 14;
pub(super) const WEEK: Signs = 1 << 15;
pub(super) const ENGLISH_DAY: Signs = 1 << 16;
pub(super) const NEAR_DAY: Signs = 1 << 17;
pub(super) const CLOCK: Signs = 1 << 18;
pub(super) const RESTRICTED: Signs = 1 << 19;
pub(super) const FOR: Signs = 1 << 20;
pub(super) const BAN: Signs = 1 << 21;

/// The words of each sign.
const WORDS: [(Signs, &[&str]); 22] = [
    (
        HINT,
        &[
            "昨",
            "今",
            "前",
            "刚",
            "明",
            "后",
            "周",
            "星期",
            "礼拜",
            "天",
            "月",
            "年",
            "小时",
            "点",
            "时",
            "day",
            "ago",
            "night",
            "now",
            "morning",
            "afternoon",
            "week",
            "month",
        ],
    ),
    (
        HINT | DIGIT | NUMERAL,
        &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    ),
    (
        NUMERAL,
        &[
            "半", "一", "两", "二", "三", "四", "五", "六", "七", "八", "九", "十", "a", "one", "two", "three", "four",
            "five", "six", "seven",
        ],
    ),
    (
        UNIT,
        &[
            "分钟", "小时", "钟头", "天", "日", "周", "星期", "礼拜", "月", "年", "minute", "hour", "day", "week",
            "month", "year",
        ],
    ),
    (CENTURY, &["20"]),
    (DATE_MARK, &["年", "/", ".", "-"]),
    (DOT, &["."]),
    (LAST_OR_NEXT, &["上", "下"]),
    (OTHER_YEAR, &["去年", "明年"]),
    (MONTH, &["月"]),
    (
        MONTH_NAME,
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    (DAY_OF_MONTH, &["号", "日"]),
    (BEFORE, &["前"]),
    (AGO, &[" ago"]),
    (DONE, &["了"]),
    (WEEK, &["周", "星期", "礼拜"]),
    (ENGLISH_DAY, &["day"]),
    (
        NEAR_DAY,
        &[
            "天",
            "日",
            "今",
            "昨",
            "刚",
            "day",
            "night",
            "tomorrow",
            "morning",
            "afternoon",
            "now",
        ],
    ),
    (CLOCK, &["点", "时", ":", "am", "pm"]),
    (
        RESTRICTED,
        &[
            "封", "限制", "禁", "停", "冻结", "期限", "为期", "处罚", "关", "写", "limit",
        ],
    ),
    (FOR, &["for ", "of "]),
    (BAN, &["ban", "suspension", "block", "封号", "限制", "limit"]),
];

static SIGNS: LazyLock<Trie<Signs>> = LazyLock::new(|| {
    let mut signs: BTreeMap<&str, Signs> = BTreeMap::new();
    for (sign, words) in WORDS {
        for word in words {
            *signs.entry(word).or_default() |= sign;
        }
    }
    Trie::new(signs)
});

/// The signs that stand in a normalised text.
pub(super) fn signs_in(text: &str) -> Signs {
    SIGNS.find_all(text).fold(0, |signs, found| signs | found.meaning)
}

/// Whether all of some signs are among others.
pub(super) fn are_in(needed: Signs, signs: Signs) -> bool {
    signs & needed == needed
}
