//! When something happened, as people say it: "昨天下午3点", "上周五", "11月18号", "三天前", "Nov 18"; and for how long: "封7天".
//!
//! The texts are normalised, so numbers are digits except for single numerals in front of a word that is no unit. What is read is a
//! civil time in China. Dates without a year have two readings, the last such day and the nearest one; the caller knows which is meant.

use std::ops::Range;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, ToSpan};
use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

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

/// A length of time that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpokenLength {
    /// Bytes of the text that name it.
    pub(super) place: Range<usize>,
    /// Natural hours; a month counts 30 days.
    pub(super) hours: u32,
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

type Reader = fn(&Captures<'_>, DateTime) -> Option<Meaning>;

/// A single numeral or digits.
const NUMBER: &str = "([0-9]{1,4}|半|[一两二三四五六七八九十]|an?|one|two|three|four|five|six|seven)";
const UNIT: &str = "(分钟|小时|钟头|天|日|周|星期|礼拜|月|年|minute|hour|day|week|month|year)";
const MONTHS: &str = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)";

/// Longest expressions first: what one has read, the next does not see.
static DAYS: LazyLock<Vec<(Regex, Reader)>> = LazyLock::new(|| {
    let patterns: [(String, Reader); 12] = [
        ("(20[0-9]{2})[年/.-]([0-9]{1,2})[月/.-]([0-9]{1,2})[号日]?".into(), full_date),
        ("上个?月([0-9]{1,2})[号日]".into(), day_of_last_month),
        ("([0-9]{1,2})月([0-9]{1,2})[号日]?".into(), month_and_day),
        (r"(?-u:\b)([0-9]{1,2})\.([0-9]{1,2})(?-u:\b)[号日]?".into(), month_and_day),
        (format!(r"(?-u:\b){MONTHS}[a-z]*\.? ?([0-9]{{1,2}})(?:st|nd|rd|th)?(?-u:\b)"), english_month_and_day),
        (format!(r"(?-u:\b)([0-9]{{1,2}})(?:st|nd|rd|th)? (?:of )?{MONTHS}[a-z]*"), english_day_and_month),
        (format!("{NUMBER}个?半?{UNIT}(?:以前|之前|前)"), ago),
        (format!(r"(?-u:\b){NUMBER}[ -]?{UNIT}s? ago"), ago),
        (format!("(?:已经|都|过了|有)?{NUMBER}个?多?{UNIT}多?了"), ago),
        ("(上上|上个?|这个?|本)?(?:周|星期|礼拜)([一二三四五六日天1-6])".into(), weekday),
        ("(last|this|on|since) (mon|tues|wednes|thurs|fri|satur|sun)day".into(), english_weekday),
        (
            "大前天|前天|昨天|昨日|昨晚|昨夜|今天|今日|今早|今晨|今晚|刚刚|刚才|刚|day before yesterday|yesterday|last night|today|\
             this morning|this afternoon|tonight|just now"
                .into(),
            near_day,
        ),
    ];
    let day_of_month: (String, Reader) = ("([0-9]{1,2})[号日]".into(), day_of_month);
    let all = patterns.into_iter().chain([day_of_month]);
    all.filter_map(|(pattern, reader)| Some((Regex::new(&pattern).ok()?, reader)))
        .collect()
});

/// The time of day, right behind a day or alone.
static CLOCK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let parts = "(凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|晚|夜里|半夜)";
    Regex::new(&format!(
        "(?:(?: ?at |的| )?{parts}?([0-9]{{1,2}}|[一二两三四五六七八九十])(?:点|时|:)(半|[0-9]{{1,2}})?(?:分|钟)?)|(?:(?: ?at | )?([0-9]{{1,2}})(?::([0-9]{{2}}))? ?(am|pm))"
    ))
    .ok()
});

/// "封7天", "期限:3个月", "7-day ban".
static TERMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        format!(
            "(?:封|限制|禁|停|冻结|期限|为期|处罚|关|写|limit)[^0-9一两二三四五六七八九十半,。;!?\n]{{0,5}}{NUMBER}个?{UNIT}"
        ),
        format!(r"(?-u:\b)(?:for|of) {NUMBER} {UNIT}s?(?-u:\b)"),
        format!(r"{NUMBER}[ -]{UNIT}s?[ -](?:ban|suspension|block|封号|限制|limit)"),
    ];
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

/// The moments a normalised text names, in the order of the text.
pub(super) fn moments(text: &str, now: DateTime) -> Vec<Spoken> {
    let mut found: Vec<Spoken> = Vec::new();
    for (pattern, reader) in DAYS.iter() {
        for captures in pattern.captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            let place = whole.range();
            let is_taken = found.iter().any(|other| overlap(&other.place, &place));
            if is_taken || is_part_of_a_number(text, &place) {
                continue;
            }
            found.extend(reader(&captures, now).map(|meaning| spoken(meaning, place, text)));
        }
    }
    if found.is_empty() {
        found.extend(time_of_today(text, now));
    }
    found.sort_by_key(|spoken| spoken.place.start);
    found
}

/// The length of a restriction that a normalised text names; not how long ago something was ("3天前", "封了3天了").
pub(super) fn term(text: &str) -> Option<SpokenLength> {
    let captures = TERMS.iter().find_map(|pattern| pattern.captures(text))?;
    let place = captures.get(0)?.range();
    let behind = text.get(place.end..).unwrap_or_default();
    let is_no_term = ["前", "以前", "之前", "内", "以内", "后", "了", " ago", "多了"]
        .iter()
        .any(|word| behind.starts_with(word));
    let has_gone_on = text.get(..place.start).is_some_and(|before| before.contains(" been "));
    if is_no_term || has_gone_on || is_part_of_a_number(text, &place) {
        return None;
    }
    let hours = hours_of(captures.get(1)?.as_str(), captures.get(2)?.as_str())?;
    Some(SpokenLength { place, hours })
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// "3.5小时", "第3天了", "周3次" and "10000号" name no day.
fn is_part_of_a_number(text: &str, place: &Range<usize>) -> bool {
    let before = text.get(..place.start).and_then(|before| before.chars().next_back());
    let after = text.get(place.end..).and_then(|after| after.chars().next());
    let named = text.get(place.clone()).unwrap_or_default();
    let begins_with_digit = named.starts_with(|first: char| first.is_ascii_digit());
    let ends_with_digit = named.ends_with(|last: char| last.is_ascii_digit());
    let goes_on = |next: char| {
        next.is_ascii_digit() || matches!(next, '.' | '%' | '个' | '次' | '人' | '小' | '元' | '块' | '楼')
    };
    begins_with_digit && before.is_some_and(|before| before.is_ascii_digit() || matches!(before, '第' | '.'))
        || ends_with_digit && after.is_some_and(goes_on)
}

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
    let clock = clock(behind, is_evening).filter(|(_, at)| at.start == 0);
    let (time, end) = match clock {
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
    let (time, place) = clock(text, false)?;
    let moment = Moment::exactly(now.date().to_datetime(time));
    (moment.at <= now).then_some(Spoken {
        place,
        past: moment,
        nearest: moment,
        is_calendar_day: false,
    })
}

/// The first time of day in a text, with its place.
fn clock(text: &str, is_evening: bool) -> Option<(Time, Range<usize>)> {
    let captures = CLOCK.as_ref()?.captures(text)?;
    let place = captures.get(0)?.range();
    if let (Some(hour), Some(half)) = (captures.get(4), captures.get(6)) {
        let minute = captures
            .get(5)
            .and_then(|minute| minute.as_str().parse().ok())
            .unwrap_or(0);
        let hour: i8 = hour.as_str().parse().ok()?;
        let hour = hour % 12 + if half.as_str() == "pm" { 12 } else { 0 };
        return Some((Time::new(hour, minute, 0, 0).ok()?, place));
    }
    let part = captures
        .get(1)
        .map_or(if is_evening { "晚" } else { "" }, |part| part.as_str());
    let hour = i8::try_from(number_of(captures.get(2)?.as_str())?).ok()?;
    let minute = match captures.get(3).map(|minute| minute.as_str()) {
        Some("半") => 30,
        Some(minutes) => minutes.parse().ok()?,
        None => 0,
    };
    Some((Time::new(hour_of_day(hour, part), minute, 0, 0).ok()?, place))
}

/// The hour on a 24-hour clock. Without a part of the day, small hours are those of the afternoon: nobody is restricted at 3 in the
/// morning without saying so.
fn hour_of_day(hour: i8, part: &str) -> i8 {
    let is_later = match part {
        "下午" | "傍晚" | "晚上" | "晚" => hour < 12,
        "夜里" | "半夜" => (6..12).contains(&hour),
        "中午" => hour < 11,
        "" => hour < 7,
        _ => false,
    };
    if is_later { hour.saturating_add(12) } else { hour }
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

fn day_of_last_month(captures: &Captures<'_>, now: DateTime) -> Option<Meaning> {
    let last_month = now.date().first_of_month().yesterday().ok()?;
    let day = Date::new(last_month.year(), last_month.month(), number(captures, 1)?).ok()?;
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
        return Some(Meaning::Instant(now));
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
    let which = if captures.get(1)?.as_str() == "this" { "这" } else { "" };
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
    let names = MONTHS.trim_matches(['(', ')']).split('|');
    let position = names.into_iter().position(|known| known == name)?;
    i8::try_from(position).ok()?.checked_add(1)
}

fn number<T: TryFrom<i64>>(captures: &Captures<'_>, group: usize) -> Option<T> {
    T::try_from(number_of(captures.get(group)?.as_str())?).ok()
}

fn number_of(text: &str) -> Option<i64> {
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
fn hours_of(amount: &str, unit: &str) -> Option<u32> {
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
        let named: Vec<String> = moments(text, NOW).iter().map(|spoken| written(spoken.past)).collect();
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
        assert_eq!(DAYS.len(), 13);
        assert_eq!(TERMS.len(), 3);
        assert!(CLOCK.is_some());
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
        ] {
            check(text, "");
        }
    }

    #[test]
    fn lengths_are_terms_unless_they_are_over() {
        let hours = |text: &str| term(text).map(|length| length.hours);
        assert_eq!(hours("微信被封7天"), Some(168));
        assert_eq!(hours("限制期限:3个月"), Some(2160));
        assert_eq!(hours("封半个月"), Some(360));
        assert_eq!(hours("my account is limited for 7 days"), Some(168));
        assert_eq!(hours("a 7-day ban"), Some(168));
        assert_eq!(hours("封了3天了"), None);
        assert_eq!(hours("被封3天前"), None);
        assert_eq!(hours("i have been blocked for 3 days"), None);
    }
}
