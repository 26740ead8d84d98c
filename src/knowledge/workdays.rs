//! Chinese business days: weekends, public holidays and make-up workdays, for the years on file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};

use super::scenario::stem;
use crate::checked_toml::{Report, Source, Table, read_document};

/// A holiday of so many days is a slip. One in the year (9026) would make millions of days, and a problem of each.
const LONGEST_HOLIDAY: i64 = 366;

/// The arrangement of one year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Year {
    days_off: BTreeSet<Date>,
    make_up_workdays: BTreeSet<Date>,
}

/// All years on file. Outside them nothing is known, and nothing is guessed: make-up workdays cannot be derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workdays {
    years: BTreeMap<i16, Year>,
}

impl Workdays {
    /// Reads one `workdays/YEAR.toml` into the calendar.
    pub(super) fn read(&mut self, source: Source<'_>, report: &Report) {
        let read = read_document(source, report, read_year);
        let Some((number, year)) = read else { return };
        if stem(source.file) != number.to_string() {
            report.about(
                source.file,
                "year",
                format!("is {number}, so the file must be called {number}.toml"),
            );
        }
        if self.years.contains_key(&number) {
            report.about(
                source.file,
                "year",
                format!("{number} is already the year of another file"),
            );
            return;
        }
        self.years.insert(number, year);
    }

    /// Every day of the years on file.
    pub fn days_on_file(&self) -> impl Iterator<Item = Date> {
        let first_days = self.years.keys().filter_map(|year| Date::new(*year, 1, 1).ok());
        first_days.flat_map(|first| {
            first
                .series(jiff::Span::new().days(1))
                .take_while(move |day| day.year() == first.year())
        })
    }

    /// The years on file, each with how many days off it has and its make-up workdays.
    pub fn years(&self) -> impl DoubleEndedIterator<Item = (i16, usize, Vec<Date>)> {
        let years = self.years.iter();
        years.map(|(number, year)| {
            let make_up_workdays = year.make_up_workdays.iter().copied().collect();
            (*number, year.days_off.len(), make_up_workdays)
        })
    }

    /// Whether people work on `date`; `None` when its year is not on file.
    pub fn is_business_day(&self, date: Date) -> Option<bool> {
        let year = self.years.get(&date.year())?;
        if year.make_up_workdays.contains(&date) {
            return Some(true);
        }
        let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        Some(!weekend && !year.days_off.contains(&date))
    }

    /// The `count`-th business day after `date`, `date` itself not counted; `None` when that leaves the years on file.
    pub fn business_day_after(&self, date: Date, count: u8) -> Option<Date> {
        let mut day = date;
        for _ in 0..count {
            day = self.next_business_day(day)?;
        }
        Some(day)
    }

    /// How many business days lie after `date` up to and including `until`; `None` when a year in between is not on file.
    pub fn business_days_between(&self, date: Date, until: Date) -> Option<u16> {
        let mut count = 0_u16;
        let mut day = date;
        while day < until {
            day = day.tomorrow().ok()?;
            if self.is_business_day(day)? {
                count = count.saturating_add(1);
            }
        }
        Some(count)
    }

    /// The first year from that of `date` on that is not on file.
    pub fn first_year_missing(&self, date: Date) -> i16 {
        let mut year = date.year();
        while self.years.contains_key(&year) {
            year = year.saturating_add(1);
        }
        year
    }

    fn next_business_day(&self, date: Date) -> Option<Date> {
        let mut day = date.tomorrow().ok()?;
        while !self.is_business_day(day)? {
            day = day.tomorrow().ok()?;
        }
        Some(day)
    }
}

fn read_year(table: &mut Table<'_>) -> Option<(i16, Year)> {
    let number = table.integer("year");
    table.table("source", |source| {
        source.text("name");
        source.optional_text("url");
        source.date("published").map(drop)
    });
    let make_up_workdays = table.dates("make_up_workdays").into_iter().collect();
    let holidays = table.tables("holidays", read_holiday);
    let number = i16::try_from(number?).ok()?;
    let year = Year {
        days_off: holidays.into_iter().flatten().collect(),
        make_up_workdays,
    };
    check_year(table, number, &year);
    Some((number, year))
}

fn read_holiday(table: &mut Table<'_>) -> Option<Vec<Date>> {
    table.text("name");
    let first = table.date("first");
    let last = table.date("last");
    let (first, last) = (first?, last?);
    if first > last {
        table.problem("last", "is before `first`");
    }
    let length = last.duration_since(first).as_hours() / 24;
    if length >= LONGEST_HOLIDAY {
        table.problem(
            "last",
            format!("is {length} days after `first`; no holiday is that long"),
        );
        return None;
    }
    Some(
        first
            .series(jiff::Span::new().days(1))
            .take_while(|day| *day <= last)
            .collect(),
    )
}

fn check_year(table: &Table<'_>, number: i16, year: &Year) {
    for day in year.days_off.iter().chain(&year.make_up_workdays) {
        if day.year() != number {
            table.problem("year", format!("is {number}, but {day} is in another year"));
        }
    }
    for day in &year.make_up_workdays {
        if !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            table.problem("make_up_workdays", format!("{day} is neither a Saturday nor a Sunday"));
        }
        if year.days_off.contains(day) {
            table.problem("make_up_workdays", format!("{day} is also a day off"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn on_file() -> Workdays {
        let mut workdays = Workdays::default();
        let report = Report::default();
        let files = [
            ("workdays/2025.toml", include_str!("../../knowledge/workdays/2025.toml")),
            ("workdays/2026.toml", include_str!("../../knowledge/workdays/2026.toml")),
        ];
        for (file, text) in files {
            workdays.read(Source { file, text }, &report);
        }
        assert_eq!(report.into_problems(), []);
        workdays
    }

    #[track_caller]
    fn check(submitted: Date, third: Date, seventh: Date) {
        let workdays = on_file();
        assert_eq!(
            workdays.business_day_after(submitted, 3),
            Some(third),
            "third business day"
        );
        assert_eq!(
            workdays.business_day_after(submitted, 7),
            Some(seventh),
            "seventh business day"
        );
    }

    #[test]
    fn a_window_spans_a_weekend() {
        check(date(2026, 11, 20), date(2026, 11, 25), date(2026, 12, 1));
    }

    #[test]
    fn a_day_off_counts_like_the_last_workday_before_it() {
        check(date(2026, 11, 22), date(2026, 11, 25), date(2026, 12, 1));
    }

    #[test]
    fn spring_festival_and_its_make_up_saturdays_are_counted() {
        check(date(2026, 2, 12), date(2026, 2, 24), date(2026, 2, 28));
    }

    #[test]
    fn a_make_up_workday_of_submission_is_not_counted() {
        check(date(2026, 2, 14), date(2026, 2, 26), date(2026, 3, 3));
    }

    #[test]
    fn mid_autumn_and_the_sunday_worked_before_it_are_counted() {
        check(date(2026, 9, 18), date(2026, 9, 22), date(2026, 9, 29));
    }

    #[test]
    fn national_day_and_the_saturday_worked_after_it_are_counted() {
        check(date(2026, 9, 30), date(2026, 10, 10), date(2026, 10, 15));
    }

    #[test]
    fn national_day_2025_is_counted() {
        check(date(2025, 9, 26), date(2025, 9, 30), date(2025, 10, 13));
    }

    #[test]
    fn the_last_window_inside_the_year_ends_on_new_years_eve() {
        check(date(2026, 12, 22), date(2026, 12, 25), date(2026, 12, 31));
    }

    #[test]
    fn a_window_that_leaves_the_years_on_file_has_no_end() {
        let workdays = on_file();
        assert_eq!(
            workdays.business_day_after(date(2026, 12, 23), 3),
            Some(date(2026, 12, 28))
        );
        assert_eq!(workdays.business_day_after(date(2026, 12, 23), 7), None);
        assert_eq!(workdays.business_day_after(date(2027, 3, 1), 1), None);
    }

    #[test]
    fn business_days_are_counted_from_the_day_after() {
        let workdays = on_file();
        assert_eq!(
            workdays.business_days_between(date(2026, 11, 18), date(2026, 11, 24)),
            Some(4)
        );
        assert_eq!(
            workdays.business_days_between(date(2026, 11, 18), date(2026, 11, 18)),
            Some(0)
        );
        assert_eq!(
            workdays.business_days_between(date(2026, 12, 30), date(2027, 1, 4)),
            None
        );
    }

    #[test]
    fn both_years_have_248_business_days() {
        let workdays = on_file();
        for year in [2025, 2026] {
            let days = date(year, 1, 1)
                .series(jiff::Span::new().days(1))
                .take_while(|day| day.year() == year);
            assert_eq!(
                days.filter(|day| workdays.is_business_day(*day) == Some(true)).count(),
                248,
                "{year}"
            );
        }
    }

    #[test]
    fn impossible_arrangements_are_reported() {
        let report = Report::default();
        let text = "year = 2026\nsource = { name = \"x\", published = 2025-11-04 }\nmake_up_workdays = [2026-01-05]\n\
                    [[holidays]]\nname = \"x\"\nfirst = 2026-01-05\nlast = 2027-01-01\n";
        Workdays::default().read(
            Source {
                file: "2026.toml",
                text,
            },
            &report,
        );
        let problems: Vec<String> = report.into_problems().iter().map(ToString::to_string).collect();
        assert!(
            problems.iter().any(|problem| problem.contains("2026-01-05 is neither")),
            "{problems:?}"
        );
        assert!(
            problems
                .iter()
                .any(|problem| problem.contains("2027-01-01 is in another year")),
            "{problems:?}"
        );
    }

    #[test]
    fn a_slip_in_the_year_of_a_holiday_is_one_problem() {
        let report = Report::default();
        let text = "year = 2026\nsource = { name = \"x\", published = 2025-11-04 }\nmake_up_workdays = []\n\
                    [[holidays]]\nname = \"x\"\nfirst = 2026-01-01\nlast = 9026-01-03\n";
        let file = "2026.toml";
        Workdays::default().read(Source { file, text }, &report);
        let problems = report.into_problems();
        assert!(
            matches!(&problems[..], [one] if one.to_string().contains("no holiday is that long")),
            "{problems:?}"
        );
    }
}
