//! What a message says about the restriction itself: since when, for how long, until when, and whether its notice offers an appeal.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

use super::how_long;
use super::session::is_default;
use super::time_signs::Signs;
use super::when::{Moment, Spoken};
use crate::matching::trie::Trie;

/// What is known about one restriction, as far as it was said. "Unknown" is never filled in with a guess.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Circumstances {
    /// Since when.
    #[serde(skip_serializing_if = "is_default")]
    pub started: Option<Moment>,
    /// For how many natural hours.
    #[serde(skip_serializing_if = "is_default")]
    pub term_hours: Option<u32>,
    /// Until which day, as the notice says.
    #[serde(skip_serializing_if = "is_default")]
    pub ends: Option<Date>,
    /// Whether the notice offers to apply for lifting.
    #[serde(skip_serializing_if = "is_default")]
    pub offers_appeal: bool,
}

/// In front of a day: something ends then. "到" covers 直到 and 截止到.
const UNTIL: [&str; 8] = ["至", "到", "截止", "解封时间", "截止日期", "期限", "until", "ends on"];

/// In front of 到 these make another word of it: 收到, 看到.
const NOT_UNTIL: [char; 6] = ['收', '看', '受', '遭', '遇', '等'];

/// Behind a day: something ends then.
static ENDS: LazyLock<Trie<()>> = LazyLock::new(|| {
    let words = ["解除", "恢复", "到期", "结束", "自动解", "期满", "失效", "24点", "解封"];
    Trie::of(words)
});

/// Between a day and its end these say that it did not end, or that it has.
static NO_END: LazyLock<Trie<()>> = LazyLock::new(|| Trie::of(["没", "未", "不", "还", "解封的"]));

/// Beside a day: something began then.
static BEGINS: LazyLock<Trie<()>> = LazyLock::new(|| Trie::of(["封", "限", "停", "禁", "冻", "开始", "起", "since"]));

/// So many characters behind a day are looked at.
const NEAR: usize = 6;

impl Circumstances {
    /// Reads a normalised text with these signs of time, in which these moments are named.
    pub(super) fn of(text: &str, signs: Signs, named: &[Spoken], offers_appeal: bool, now: DateTime) -> Self {
        let term = how_long::term(text, signs);
        let is_term = |spoken: &&Spoken| {
            term.as_ref()
                .is_some_and(|term| term.place.start < spoken.place.end && spoken.place.start < term.place.end)
        };
        let end = named.iter().find(|spoken| names_an_end(text, spoken));
        let begun: Vec<&Spoken> = named
            .iter()
            .filter(|spoken| !is_term(spoken) && Some(*spoken) != end && spoken.has_happened(now))
            .collect();
        let beside = begun.iter().find(|spoken| names_a_beginning(text, spoken));
        let started = beside.or_else(|| begun.iter().max_by_key(|spoken| spoken.past.at));
        Self {
            started: started.map(|spoken| spoken.past),
            term_hours: term.as_ref().map(|term| term.hours),
            ends: end.map(|spoken| spoken.nearest.at.date()),
            offers_appeal,
        }
    }

    /// What was known before, with what has been said since in its place.
    pub(super) fn updated_by(self, later: Self) -> Self {
        Self {
            started: later.started.or(self.started),
            term_hours: later.term_hours.or(self.term_hours),
            ends: later.ends.or(self.ends),
            offers_appeal: later.offers_appeal || self.offers_appeal,
        }
    }

    /// Whether anything about time is known.
    pub(super) fn tells_time(&self) -> bool {
        self.started.is_some() || self.term_hours.is_some() || self.ends.is_some()
    }
}

/// Whether a day is the end of something. "昨天解封的" tells of something that is over, so only calendar days count.
fn names_an_end(text: &str, spoken: &Spoken) -> bool {
    let before = text
        .get(..spoken.place.start)
        .unwrap_or_default()
        .trim_end_matches([' ', ':']);
    let near = near(text, spoken);
    let is_until = UNTIL.iter().any(|word| before.ends_with(word)) && !is_part_of_another_word(before);
    let ends_then = ENDS.is_in(near) && !NO_END.is_in(near);
    spoken.is_calendar_day && (is_until || ends_then)
}

fn is_part_of_another_word(before: &str) -> bool {
    before
        .strip_suffix('到')
        .is_some_and(|before| before.ends_with(NOT_UNTIL))
}

fn names_a_beginning(text: &str, spoken: &Spoken) -> bool {
    let before = text.get(..spoken.place.start).unwrap_or_default().trim_end();
    let near = near(text, spoken);
    before.ends_with("since") || BEGINS.is_in(near)
}

/// What stands right behind a moment, in the same clause.
fn near<'t>(text: &'t str, spoken: &Spoken) -> &'t str {
    let behind = text.get(spoken.place.end..).unwrap_or_default();
    let is_end = |(nth, (_, letter)): &(usize, (usize, char))| {
        *nth == NEAR || matches!(letter, ',' | '。' | ';' | '!' | '?' | '\n')
    };
    let end = behind.char_indices().enumerate().find(is_end);
    end.map_or(behind, |(_, (end, _))| behind.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::time_signs::signs_in;
    use super::super::when;
    use super::*;

    const NOW: DateTime = date(2026, 11, 26).at(14, 30, 0, 0);

    fn read(text: &str) -> Circumstances {
        let signs = signs_in(text);
        let named = when::moments(text, signs, NOW);
        Circumstances::of(text, signs, &named, text.contains("申请解除限制"), NOW)
    }

    #[test]
    fn a_notice_tells_its_end_its_term_and_its_button() {
        let notice = read("该微信账号因涉嫌违规被限制登录7天,将于2026年12月1日自动解除,可点击申请解除限制");
        assert_eq!(notice.ends, Some(date(2026, 12, 1)));
        assert_eq!(notice.term_hours, Some(168));
        assert!(notice.offers_appeal);
        assert_eq!(notice.started, None);
        let term = read("该微信账号因使用外挂软件,于2026年11月24日被限制登录7天");
        assert_eq!((term.ends, term.term_hours), (None, Some(168)));
        assert_eq!(term.started.map(|start| start.at.date()), Some(date(2026, 11, 24)));
    }

    #[test]
    fn an_end_may_lie_in_the_next_year() {
        assert_eq!(read("封到1月5号").ends, Some(date(2027, 1, 5)));
        assert_eq!(read("封到11月20号").ends, Some(date(2026, 11, 20)));
        assert_eq!(read("限制至2026年12月5日").ends, Some(date(2026, 12, 5)));
        assert_eq!(read("解封时间2026-12-05").ends, Some(date(2026, 12, 5)));
    }

    #[test]
    fn start_and_end_are_told_apart() {
        let both = read("从11月18号限制到12月2号");
        assert_eq!(both.started.map(|start| start.at.date()), Some(date(2026, 11, 18)));
        assert_eq!(both.ends, Some(date(2026, 12, 2)));
        let term = read("昨天下午3点开始封7天");
        assert_eq!(
            term.started.map(|start| start.at),
            Some(date(2026, 11, 25).at(15, 0, 0, 0))
        );
        assert_eq!(term.term_hours, Some(168));
    }

    #[test]
    fn what_did_not_end_has_no_end() {
        assert_eq!(read("18号封的还没恢复,封7天").ends, None);
        assert_eq!(read("我20号看到12月1号这个通知").ends, None);
        assert_eq!(read("被限制登录7天,下周一解封吗").ends, Some(date(2026, 11, 30)));
    }

    #[test]
    fn of_several_moments_the_one_beside_the_restriction_counts() {
        let start = |text: &str| read(text).started.map(|start| start.at.date());
        assert_eq!(start("昨天加了很多人,今天被限制"), Some(date(2026, 11, 26)));
        assert_eq!(start("微信用了5年了,今天被封7天"), Some(date(2026, 11, 26)));
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        assert_eq!(read("群二维码超过200人扫不进去"), Circumstances::default());
        assert_eq!(read("24小时还没好"), Circumstances::default());
    }

    #[test]
    fn what_is_said_later_counts() {
        let before = read("昨天开始限制的");
        let after = before.updated_by(read("不对,前天开始的"));
        assert_eq!(after.started.map(|start| start.at.date()), Some(date(2026, 11, 24)));
    }
}
