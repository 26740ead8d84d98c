//! When something happened, as people say it: "昨天下午3点", "上周五", "11月18号", "三天前", "Nov 18".
//!
//! The texts are normalised, so numbers are digits except for single numerals in front of a word that is no unit. What is read is a
//! civil time in China. Dates without a year have two readings, the last such day and the nearest one; the caller knows which is meant.

use std::ops::Range;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, ToSpan};
use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

use super::clock;
use super::time_signs::{self, Signs, are_in};

/// A moment, as exactly as it was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Civil time in China; midnight when only the day is known.
    pub at: DateTime,
    /// Whether the time of day is known, too.
    pub is_exact: bool,
}

impl Moment {
    /// A day without a time of day.
    fn of_day(day: Date) -> Self {
        Self {
            at: day.to_datetime(Time::midnight()),
            is_exact: false,
        }
    }

    fn exactly(at: DateTime) -> Self {
        Self { at, is_exact: true }
    }

    /// The value of a slot that tells how long something has lasted; none when the day alone leaves it open.
    pub(super) fn only_value(self, slot: &crate::knowledge::Slot, now: DateTime) -> Option<&str> {
        let hours = now.duration_since(self.at).as_hours();
        let least = if self.is_exact { hours } else { hours.saturating_sub(24) };
        let (shortest, longest) = (slot.value_after(least)?, slot.value_after(hours)?);
        (shortest.id == longest.id).then_some(longest.id.as_str())
    }

    /// So many hours later; as exact as this one.
    pub(super) fn after_hours(self, hours: u32) -> Option<Self> {
        let at = self
            .at
            .checked_add(Span::new().try_hours(i64::from(hours)).ok()?)
            .ok()?;
        Some(Self { at, ..self })
    }

    /// Whether it is over at `now`; a day is over when the next one has begun.
    pub(super) fn is_over(self, now: DateTime) -> bool {
        match self.is_exact {
            true => self.at <= now,
            false => self.at.date() < now.date(),
        }
    }
}

/// A moment that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    /// Bytes of the text that name it.
    pub(super) place: Range<usize>,
    /// As something that has happened.
    pub(super) past: Moment,
    /// As a day on a calendar, the nearest one: the end of something may lie ahead.
    pub(super) nearest: Moment,
    /// Whether it names a calendar day ("11月18号") and not one seen from today ("昨天").
    pub(super) is_calendar_day: bool,
}

/// A calendar day that is closer ahead than so many days behind is not meant as the one of last year.
const FAR_BEHIND: i32 = 200;

impl Spoken {
    /// Whether it can be meant as something that has happened: "11月30号", said on the 26th, is not that of last year.
    pub(super) fn has_happened(&self, now: DateTime) -> bool {
        let is_ahead = self.nearest.at.date() > now.date();
        let behind = self.past.at.date().until(now.date()).map_or(0, |span| span.get_days());
        self.past.at <= now && !(is_ahead && behind > FAR_BEHIND)
    }
}

/// What a day expression means.
enum Meaning {
    /// A day on a calendar, with both readings.
    Calendar { past: Date, nearest: Date },
    /// A day seen from today.
    Relative(Date),
    /// A moment a few hours ago.
    Instant(DateTime),
}

impl Meaning {
    /// A day that lies ahead: something may end then.
    fn ahead(day: Date) -> Self {
        Self::Calendar {
            past: day,
            nearest: day,
        }
    }
}

type Reader = fn(&Captures<'_>, DateTime) -> Option<Meaning>;

/// A single numeral or digits.
pub(super) const NUMBER: &str = "([0-9]{1,4}|半|[一两二三四五六七八九十]|an?|one|two|three|four|five|six|seven)";
pub(super) const LENGTH: &str = "(分钟|小时|钟头|天|日|周|星期|礼拜|月|年|minute|hour|day|week|month|year)";
const MONTHS: &str = "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|\
                      dec(?:ember)?)";

/// The months by their first three letters.
const MONTH_NAMES: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// What each needs, and its pattern. Longest expressions first: what one has read, the next does not see.
static DAYS: LazyLock<Vec<(Signs, Regex, Reader)>> = LazyLock::new(|| {
    use super::time_signs::*;
    let patterns: [(Signs, String, Reader); 14] = [
        (
            CENTURY | DATE_MARK,
            "(20[0-9]{2})[年/.-]([0-9]{1,2})[月/.-]([0-9]{1,2})[号日]?".into(),
            full_date,
        ),
        (
            LAST_OR_NEXT | MONTH | DIGIT,
            "(上上|上|下)个?月([0-9]{1,2})[号日]".into(),
            day_of_another_month,
        ),
        (
            OTHER_YEAR | MONTH | DIGIT,
            "(去年|明年)([0-9]{1,2})月([0-9]{1,2})[号日]?".into(),
            day_of_another_year,
        ),
        (MONTH | DIGIT, "([0-9]{1,2})月([0-9]{1,2})[号日]?".into(), month_and_day),
        (
            DOT | DIGIT,
            r"(?-u:\b)([0-9]{1,2})\.([0-9]{1,2})(?-u:\b)[号日]?".into(),
            month_and_day,
        ),
        (
            MONTH_NAME | DIGIT,
            format!(r"(?-u:\b){MONTHS}\.? ?([0-9]{{1,2}})(?:st|nd|rd|th)?(?-u:\b)"),
            english_month_and_day,
        ),
        (
            MONTH_NAME | DIGIT,
            format!(r"(?-u:\b)([0-9]{{1,2}})(?:st|nd|rd|th)? (?:of )?{MONTHS}(?-u:\b)"),
            english_day_and_month,
        ),
        (
            NUMERAL | UNIT | BEFORE,
            format!("{NUMBER}个?半?{LENGTH}(?:以前|之前|前)"),
            ago,
        ),
        (NUMERAL | UNIT | AGO, format!(r"(?-u:\b){NUMBER}[ -]?{LENGTH}s? ago"), ago),
        // Not in years: "用了5年了" tells how long an account has been used.
        (
            NUMERAL | UNIT | DONE,
            format!("(?:已经|都|过了|有)?{NUMBER}个?多?(分钟|小时|钟头|天|日|周|星期|礼拜|月)多?了"),
            ago,
        ),
        (
            WEEK,
            "(上上|上个?|这个?|本|下下|下个?)?(?:周|星期|礼拜)([一二三四五六日天1-6])".into(),
            weekday,
        ),
        (
            ENGLISH_DAY,
            r"(?-u:\b)(last|this|on|since|next) (mon|tues|wednes|thurs|fri|satur|sun)day".into(),
            english_weekday,
        ),
        (
            NEAR_DAY,
            "大前天|前天|昨天|昨日|昨晚|昨夜|今天|今日|今早|今晨|今晚|大后天|后天|明天|刚刚|刚才|刚|day before yesterday|yesterday|\
             last night|today|tomorrow|this morning|this afternoon|tonight|just now"
                .into(),
            near_day,
        ),
        (DAY_OF_MONTH | DIGIT, "([0-9]{1,2})[号日]".into(), day_of_month),
    ];
    let compiled = patterns.into_iter();
    compiled
        .filter_map(|(needed, pattern, reader)| Some((needed, Regex::new(&pattern).ok()?, reader)))
        .collect()
});

/// The moments a normalised text with these signs names, in the order of the text.
pub(super) fn moments(text: &str, signs: Signs, now: DateTime) -> Vec<Spoken> {
    if !are_in(time_signs::HINT, signs) {
        return Vec::new();
    }
    let mut found: Vec<Spoken> = Vec::new();
    let mut taken: Vec<Range<usize>> = Vec::new();
    for (_, pattern, reader) in DAYS.iter().filter(|(needed, ..)| are_in(*needed, signs)) {
        for captures in pattern.captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            let place = whole.range();
            let is_taken = taken.iter().any(|other| overlap(other, &place));
            if is_taken || names_no_day(text, &place) {
                continue;
            }
            // A day that does not exist (2月29号) is none, and neither is a part of it.
            taken.push(place.clone());
            found.extend(reader(&captures, now).map(|meaning| spoken(meaning, place, text)));
        }
    }
    if found.is_empty() && are_in(time_signs::CLOCK, signs) {
        found.extend(time_of_today(text, now));
    }
    found.sort_by_key(|spoken| spoken.place.start);
    found
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// "3.5小时", "第3天了", "周3次", "1号楼" and "企业微信4.1" name no day, and "注册30天了" tells how old an account is.
fn names_no_day(text: &str, place: &Range<usize>) -> bool {
    let named = text.get(place.clone()).unwrap_or_default();
    let before = text.get(..place.start).unwrap_or_default();
    let behind = text.get(place.end..).unwrap_or_default();
    let begins_with_digit = named.starts_with(|first: char| first.is_ascii_digit());
    let ends_with_digit = named.ends_with(|last: char| last.is_ascii_digit());
    let is_decimal = named.contains('.') && named.len() <= "12.31".len();
    begins_with_digit && before.ends_with(|last: char| last.is_ascii_digit() || matches!(last, '第' | '.'))
        || ends_with_digit && COUNTED.iter().any(|word| behind.starts_with(word))
        || ends_with_digit && behind.starts_with(|next: char| next.is_ascii_digit() || matches!(next, '.' | '%'))
        || named.ends_with('号') && behind.starts_with(['楼', '群', '店', '线', '机', '门', '库'])
        || named.ends_with('了') && USED_FOR.iter().any(|word| before.ends_with(word))
        || is_decimal && !HAPPENED.iter().any(|word| behind.starts_with(word))
}

/// Behind a number these count something.
const COUNTED: [&str; 14] = [
    "个", "次", "人", "小", "元", "块", "天", "年", "周", "万", "倍", " time", " people", " min",
];

/// In front of a length these tell for how long something has been used.
const USED_FOR: [&str; 9] = ["用", "用了", "注册", "注册了", "养", "养了", "开了", "做了", "入职"];

/// Behind "11.18" these make a day of it.
const HAPPENED: [&str; 8] = ["提交", "交", "开始", "封", "限", "被", "起", "申诉"];

/// A day meaning with the time of day that follows it.
fn spoken(meaning: Meaning, place: Range<usize>, text: &str) -> Spoken {
    let (past, nearest, is_calendar_day) = match meaning {
        Meaning::Instant(at) => {
            let moment = Moment::exactly(at);
            return Spoken {
                place,
                past: moment,
                nearest: moment,
                is_calendar_day: false,
            };
        }
        Meaning::Relative(day) => (day, day, false),
        Meaning::Calendar { past, nearest } => (past, nearest, true),
    };
    let behind = text.get(place.end..).unwrap_or_default();
    let word = text.get(place.clone()).unwrap_or_default();
    let is_evening = ["晚", "夜", "night"].iter().any(|sign| word.contains(sign));
    let (time, end) = match clock::behind_a_day(behind, is_evening) {
        Some((time, at)) => (Some(time), place.end.saturating_add(at.end)),
        None => (None, place.end),
    };
    let moment = |day: Date| match time {
        Some(time) => Moment::exactly(day.to_datetime(time)),
        None => Moment::of_day(day),
    };
    Spoken {
        place: place.start..end,
        past: moment(past),
        nearest: moment(nearest),
        is_calendar_day,
    }
}

/// "下午3点" without a day is today's.
fn time_of_today(text: &str, now: DateTime) -> Option<Spoken> {
    let (time, place) = clock::alone(text)?;
    let moment = Moment::exactly(now.date().to_datetime(time));
    (moment.at <= now).then_some(Spoken {
        place,
        past: moment,
        nearest: moment,
        is_calendar_day: false,
    })
}

fn full_date(captures: &Captures<'_>, _now: DateTime) -> Option<Meaning> {
    let day = Date::new(number(captures, 1)?, number(captures, 2)?, number(captures, 3)?).ok()?;
    Some(Meaning::Calendar {
        past: day,
        nearest: day,
    })
}

fn month_and_day(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    in_year(number(captures, 1)?, number(captures, 2)?, now.date())
}

fn english_month_and_day(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    in_year(
        month_named(captures.get(1)?.as_str())?,
        number(captures, 2)?,
        now.date(),
    )
}

fn english_day_and_month(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    in_year(
        month_named(captures.get(2)?.as_str())?,
        number(captures, 1)?,
        now.date(),
    )
}

fn day_of_another_month(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    let months = match captures.get(1)?.as_str() {
        "上上" => -2,
        "上" => -1,
        _ => 1,
    };
    let month = now.date().first_of_month().checked_add(months.months()).ok()?;
    let day = Date::new(month.year(), month.month(), number(captures, 2)?).ok()?;
    Some(Meaning::Calendar {
        past: day,
        nearest: day,
    })
}

fn day_of_another_year(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    let years = if captures.get(1)?.as_str() == "去年" { -1 } else { 1 };
    let year = now.date().year().checked_add(years)?;
    let day = Date::new(year, number(captures, 2)?, number(captures, 3)?).ok()?;
    Some(Meaning::Calendar {
        past: day,
        nearest: day,
    })
}

/// The 18th: of this month, or of the last one when that lies ahead.
fn day_of_month(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    let wanted = number(captures, 1)?;
    let today = now.date();
    let this_month = Date::new(today.year(), today.month(), wanted).ok();
    let before = today.first_of_month().yesterday().ok()?;
    let last_month = Date::new(before.year(), before.month(), wanted).ok();
    let past = this_month.filter(|day| *day <= today).or(last_month)?;
    Some(Meaning::Calendar {
        past,
        nearest: this_month.unwrap_or(past),
    })
}

fn ago(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    let unit = captures.get(2)?.as_str();
    let hours = i64::from(hours_of(captures.get(1)?.as_str(), unit)?);
    if matches!(unit, "小时" | "钟头" | "hour") {
        return Some(Meaning::Instant(now.checked_sub(hours.hours()).ok()?));
    }
    if matches!(unit, "分钟" | "minute") {
        let minutes = number_of(captures.get(1)?.as_str()).unwrap_or(0);
        return Some(Meaning::Instant(now.checked_sub(minutes.minutes()).ok()?));
    }
    Some(Meaning::Relative(now.date().checked_sub((hours / 24).days()).ok()?))
}

fn weekday(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    let wanted = match captures.get(2)?.as_str() {
        "一" | "1" => 1,
        "二" | "2" => 2,
        "三" | "3" => 3,
        "四" | "4" => 4,
        "五" | "5" => 5,
        "六" | "6" => 6,
        _ => 7,
    };
    let which = captures.get(1).map_or("", |which| which.as_str());
    day_of_week(wanted, which, now.date())
}

fn english_weekday(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    let names = ["mon", "tues", "wednes", "thurs", "fri", "satur", "sun"];
    let wanted = names
        .iter()
        .position(|name| *name == captures.get(2).map_or("", |name| name.as_str()))?;
    let which = match captures.get(1)?.as_str() {
        "this" => "这",
        "next" => "下",
        _ => "",
    };
    day_of_week(i8::try_from(wanted).ok()?.saturating_add(1), which, now.date())
}

/// The day of a week: of last week, of this week, or simply the last one before today.
fn day_of_week(wanted: i8, which: &str, today: Date) -> Option<Meaning> {
    let monday = today
        .checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days())
        .ok()?;
    let in_week = |weeks_ago: i64| {
        monday
            .checked_sub((weeks_ago * 7).days())
            .ok()?
            .checked_add((i64::from(wanted) - 1).days())
            .ok()
    };
    let this_week = in_week(0)?;
    let day = match which {
        "上上" => in_week(2)?,
        "上" | "上个" => in_week(1)?,
        "下" | "下个" => return Some(Meaning::ahead(in_week(-1)?)),
        "下下" => return Some(Meaning::ahead(in_week(-2)?)),
        _ if this_week <= today => this_week,
        _ => in_week(1)?,
    };
    Some(Meaning::Relative(day))
}

fn near_day(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    let days_ago = match captures.get(0)?.as_str() {
        "大前天" => 3,
        "前天" | "day before yesterday" => 2,
        "昨天" | "昨日" | "昨晚" | "昨夜" | "yesterday" | "last night" => 1,
        "明天" | "tomorrow" => return Some(Meaning::ahead(now.date().tomorrow().ok()?)),
        "后天" => return Some(Meaning::ahead(now.date().checked_add(2.days()).ok()?)),
        "大后天" => return Some(Meaning::ahead(now.date().checked_add(3.days()).ok()?)),
        "刚刚" | "刚才" | "just now" => return Some(Meaning::Instant(now)),
        _ => 0,
    };
    Some(Meaning::Relative(now.date().checked_sub(days_ago.days()).ok()?))
}

/// A month and a day without a year.
fn in_year(month: i8, day: i8, today: Date) -> Option<Meaning> {
    let of_year = |years: i16| Date::new(today.year().checked_add(years)?, month, day).ok();
    let candidates: Vec<Date> = [-1, 0, 1].into_iter().filter_map(of_year).collect();
    let distance = |day: &Date| day.until(today).map_or(i32::MAX, |span| span.get_days().abs());
    Some(Meaning::Calendar {
        past: candidates.iter().copied().filter(|day| *day <= today).max()?,
        nearest: candidates.iter().copied().min_by_key(distance)?,
    })
}

fn month_named(name: &str) -> Option<i8> {
    let position = MONTH_NAMES.iter().position(|known| name.starts_with(known))?;
    i8::try_from(position).ok()?.checked_add(1)
}

fn number<T: TryFrom<i64>>(captures: &Captures<'_>, group: usize) -> Option<T> {
    T::try_from(number_of(captures.get(group)?.as_str())?).ok()
}

pub(super) fn number_of(text: &str) -> Option<i64> {
    let numerals = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十"];
    let words = ["one", "two", "three", "four", "five", "six", "seven"];
    let position = |list: &[&str]| list.iter().position(|known| *known == text);
    match text {
        "a" | "an" => Some(1),
        "两" => Some(2),
        _ => match position(&numerals).or(position(&words)) {
            Some(position) => i64::try_from(position).ok()?.checked_add(1),
            None => text.parse().ok(),
        },
    }
}

/// Natural hours of a length; "半个月" counts 15 days, "半天" 12 hours.
pub(super) fn hours_of(amount: &str, unit: &str) -> Option<u32> {
    let of_unit: u32 = match unit {
        "小时" | "钟头" | "hour" => 1,
        "天" | "日" | "day" => 24,
        "周" | "星期" | "礼拜" | "week" => 7 * 24,
        "月" | "month" => 30 * 24,
        "年" | "year" => 365 * 24,
        _ => return Some(0),
    };
    if amount == "半" {
        return Some(of_unit / 2);
    }
    u32::try_from(number_of(amount)?).ok()?.checked_mul(of_unit)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    /// A Thursday afternoon.
    const NOW: DateTime = date(2026, 11, 26).at(14, 30, 0, 0);

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let named: Vec<String> = moments(text, time_signs::signs_in(text), NOW)
            .iter()
            .map(|spoken| written(spoken.past))
            .collect();
        assert_eq!(named.join(" "), expected, "{text}");
    }

    fn written(moment: Moment) -> String {
        match moment.is_exact {
            true => moment.at.strftime("%m-%dT%H:%M").to_string(),
            false => moment.at.strftime("%m-%d").to_string(),
        }
    }

    #[test]
    fn every_pattern_is_a_valid_one() {
        assert_eq!(DAYS.len(), 14);
    }

    #[test]
    fn days_seen_from_today() {
        check("昨天交的", "11-25");
        check("大前天开始的", "11-23");
        check("刚提交", "11-26");
        check("3天前", "11-23");
        check("两周前", "11-12");
        check("半个月前提交的", "11-11");
        check("已经3天了", "11-23");
        check("2小时前", "11-26T12:30");
        check("yesterday", "11-25");
        check("3 days ago", "11-23");
        check("a week ago", "11-19");
    }

    #[test]
    fn days_of_a_week() {
        check("上周五", "11-20");
        check("周二开始限制", "11-24");
        check("周五", "11-20");
        check("星期天", "11-22");
        check("上上周一", "11-09");
        check("last friday", "11-20");
    }

    #[test]
    fn days_of_a_calendar() {
        check("11月18号", "11-18");
        check("2026年11月3日", "11-03");
        check("18号交的", "11-18");
        check("28号交的", "10-28");
        check("11.18提交", "11-18");
        check("上个月30号", "10-30");
        check("12月3日", "12-03");
        check("nov 18", "11-18");
        check("on 18th of november", "11-18");
    }

    #[test]
    fn days_ahead_are_not_taken_for_past_ones() {
        check("下周一解封吗", "11-30");
        check("下个月5号", "12-05");
        check("明天", "11-27");
        check("上上个月3号", "09-03");
        check("30分钟前", "11-26T14:00");
    }

    #[test]
    fn times_of_day() {
        check("昨天下午3点开始限制的", "11-25T15:00");
        check("昨晚8点半", "11-25T20:30");
        check("昨天3点", "11-25T15:00");
        check("上午10:20", "11-26T10:20");
        check("yesterday at 3pm", "11-25T15:00");
    }

    #[test]
    fn numbers_that_name_no_day() {
        for text in [
            "每天3次",
            "3.5小时",
            "200人",
            "24小时",
            "第3天了",
            "加了50个人",
            "晚上8点才能看",
            "v4.1.2",
            "企业微信4.1",
            "等了2.5天",
            "能不能快一点解除",
            "一点都加不了",
            "今天一点都加不了人".trim_start_matches("今天"),
            "两点要问",
            "1:微信被封",
            "比例3:1",
            "1号楼的群",
            "微信用了5年了",
            "注册30天了",
            "maybe 3 times a day",
            "5 separate groups",
        ] {
            check(text, "");
        }
    }
}
