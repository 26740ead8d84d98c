//! Times, counts and shares as they are shown. Times are those of China.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// China has one time zone and no daylight saving time.
pub(super) const CHINA: Offset = Offset::constant(8);

/// `11-22 10:05`.
pub(super) fn short_time(at: Timestamp) -> String {
    CHINA.to_datetime(at).strftime("%m-%d %H:%M").to_string()
}

/// `2026-11-22 10:05:09`.
pub(super) fn full_time(at: Timestamp) -> String {
    CHINA.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// For `datetime` attributes.
pub(super) fn machine_time(at: Timestamp) -> String {
    CHINA.to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S+08:00").to_string()
}

/// The day in China.
pub(super) fn day_of(at: Timestamp) -> Date {
    CHINA.to_datetime(at).date()
}

/// When a day begins in China.
pub(super) fn start_of(day: Date) -> Timestamp {
    CHINA
        .to_timestamp(day.to_datetime(jiff::civil::Time::midnight()))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `12,345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `87%`, or a dash where there is nothing to speak of.
pub(super) fn share(part: u64, whole: u64) -> String {
    match (part * 100 + whole / 2).checked_div(whole) {
        Some(percent) => format!("{percent}%"),
        None => "–".to_owned(),
    }
}

/// `85 µs`, `1.2 ms`, `3.4 s`.
pub(super) fn micros(micros: u64) -> String {
    let in_units = |unit: u64| format!("{}.{}", micros / unit, micros % unit / (unit / 10));
    match micros {
        ..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", in_units(1_000)),
        _ => format!("{} s", in_units(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        assert_eq!(
            ["7", "1,000", "12,345,678"].map(str::to_owned),
            [7, 1_000, 12_345_678].map(count)
        );
        assert_eq!(
            (share(1, 3), share(2, 3), share(0, 0)),
            ("33%".into(), "67%".into(), "–".into())
        );
        assert_eq!(
            [85, 1_250, 3_400_000].map(micros),
            ["85 µs", "1.2 ms", "3.4 s"].map(str::to_owned)
        );
    }

    #[test]
    fn a_day_is_one_of_china() {
        let late = "2026-11-21T16:00:00Z".parse().unwrap();
        assert_eq!(day_of(late), jiff::civil::date(2026, 11, 22));
        assert_eq!(start_of(day_of(late)), late);
        assert_eq!(machine_time(late), "2026-11-22T00:00:00+08:00");
    }
}
