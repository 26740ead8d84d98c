//! The time of day, as people say it: "下午3点", "20:30", "at 3pm".

use std::ops::Range;
use std::sync::LazyLock;

use jiff::civil::Time;
use regex::Regex;

use super::when::number_of;

/// A time of day anywhere in a text, and one that a text begins with.
static ANYWHERE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&pattern()).ok());
static AT_THE_BEGINNING: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("^{}", pattern())).ok());

fn pattern() -> String {
    let part = "(凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|晚|夜里|半夜)";
    let oclock = format!("{part}?([0-9]{{1,2}}|[一二两三四五六七八九十])(?:点|时)(半|[0-9]{{1,2}})?(?:分|钟)?");
    let digits = format!("{part}?([0-9]{{1,2}}):([0-9]{{2}})");
    let english = "([0-9]{1,2})(?::([0-9]{2}))? ?(am|pm)";
    format!("(?: ?at |的| )?(?:{oclock}|(?-u:\\b){english}|{digits})")
}

/// The time of day that stands right behind a day, with its place in what stands there.
pub(super) fn behind_a_day(behind: &str, is_evening: bool) -> Option<(Time, Range<usize>)> {
    read(AT_THE_BEGINNING.as_ref()?, behind, is_evening, true)
}

/// The first time of day in a text that names no day, with its place.
pub(super) fn alone(text: &str) -> Option<(Time, Range<usize>)> {
    read(ANYWHERE.as_ref()?, text, false, false)
}

/// Reads the first time of day. "快一点" and "两点要问" are none: a bare numeral in characters needs a part of the
/// day, and without a day in front of it every hour does.
fn read(pattern: &Regex, text: &str, is_evening: bool, is_behind_a_day: bool) -> Option<(Time, Range<usize>)> {
    let captures = pattern.captures(text)?;
    let place = captures.get(0)?.range();
    let group = |number| captures.get(number).map(|found: regex::Match<'_>| found.as_str());
    let time = |hour, minute| Some((Time::new(hour, minute, 0, 0).ok()?, place.clone()));
    let minute = |text: Option<&str>| text.map_or(Some(0), |minute| minute.parse().ok());
    if let (Some(hour), Some(half)) = (group(4), group(6)) {
        let hour: i8 = hour.parse().ok()?;
        return time(hour % 12 + if half == "pm" { 12 } else { 0 }, minute(group(5))?);
    }
    let evening = if is_evening { "晚" } else { "" };
    if let Some(hour) = group(8) {
        return time(
            hour_of_day(hour.parse().ok()?, group(7).unwrap_or(evening)),
            minute(group(9))?,
        );
    }
    let hour = group(2)?;
    let is_bare = group(1).is_none() && (!is_behind_a_day || matches!(hour, "一" | "两"));
    if is_bare {
        return None;
    }
    let part = group(1).unwrap_or(evening);
    let hour = i8::try_from(number_of(hour)?).ok()?;
    // Twelve at night belongs to the day before or after, depending on who says it.
    if hour == 12 && matches!(part, "晚" | "晚上" | "夜里" | "半夜") {
        return None;
    }
    let hour = hour_of_day(hour, part);
    match group(3) {
        Some("半") => time(hour, 30),
        minutes => time(hour, minute(minutes)?),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_a_valid_one() {
        assert!(ANYWHERE.is_some() && AT_THE_BEGINNING.is_some());
    }

    #[test]
    fn behind_a_day_it_stands_at_once() {
        let read = |text: &str| behind_a_day(text, false).map(|(time, place)| (time.hour(), place));
        assert_eq!(read("下午3点开始"), Some((15, 0.."下午3点".len())));
        assert_eq!(read("开始,下午3点"), None);
        assert_eq!(alone("开始,下午3点").map(|(time, _)| time.hour()), Some(15));
    }
}
