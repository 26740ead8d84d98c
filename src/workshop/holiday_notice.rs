//! The State Council's yearly notice of days off, as it is published, to a file of the workday calendar.
//!
//! The notices of all years have one form: a line for each holiday with its days off and the weekends on which people work. Weekdays and
//! numbers of days stand beside the dates; whatever does not agree with them is a problem, because somebody's deadline depends on it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::LazyLock;

use jiff::civil::{Date, Weekday};
use regex::Regex;

/// Days off of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holiday {
    /// What it is called.
    pub name: String,
    /// From this day on.
    pub first: Date,
    /// Up to and including this day.
    pub last: Date,
}

impl Holiday {
    fn holds(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

/// The arrangement of one year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolidayNotice {
    /// Which year.
    pub year: i16,
    /// The days off, in their order.
    pub holidays: Vec<Holiday>,
    /// Saturdays and Sundays on which people work, in their order.
    pub make_up_workdays: Vec<Date>,
    /// When it was published, if it says so at its end.
    pub published: Option<Date>,
}

/// What is wrong with a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeProblem {
    /// It does not say of which year it is.
    NoYear,
    /// There is no line such as `一、元旦：1月1日…放假`.
    NoHolidays,
    /// There is no such day.
    NoSuchDay {
        /// As it is written.
        written: String,
    },
    /// It falls on another day of the week than the notice says.
    OtherWeekday {
        /// The day.
        day: Date,
        /// What is written beside it.
        written: String,
    },
    /// It is another number of days than the notice says.
    OtherCount {
        /// Of which holiday.
        holiday: String,
        /// How many days the dates make.
        days: usize,
        /// How many are written.
        written: String,
    },
    /// A line from which no days off could be read.
    NoDaysOff {
        /// Of which holiday.
        holiday: String,
    },
    /// Days of which it is not said whether people work on them, or both is said.
    Unclear {
        /// As it is written.
        written: String,
    },
    /// A day of another year. One of the year before its own file has to have.
    OtherYear {
        /// The day.
        day: Date,
    },
    /// People work on a day that is no Saturday or Sunday.
    NoWeekend {
        /// The day.
        day: Date,
    },
}

/// A line's number and name.
static NUMBERED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[一二三四五六七八九十]+、([^：:。]{1,20})[：:]").ok());

/// A day, with what stands in brackets behind it.
static DAY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:([0-9]{4}) *年)?(?:([0-9]{1,2}) *月)?([0-9]{1,2}) *日(?:[（(]([^）)]*)[）)])?").ok()
});

/// Of which year it is.
static YEAR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"([0-9]{4}) *年").ok());

/// How many days off there are.
static COUNT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^共? *([0-9]{1,2}) *天|放假([0-9]{1,2})天").ok());

/// Reads a notice.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn read_notice(text: &str) -> Result<HolidayNotice, Vec<NoticeProblem>> {
    let (Some(numbered), Some(year)) = (NUMBERED.as_ref(), YEAR.as_ref()) else {
        return Err(vec![NoticeProblem::NoHolidays]);
    };
    // Lines are broken wherever whatever it was copied from breaks them.
    let text: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let lines: Vec<(usize, usize, &str)> = numbered
        .captures_iter(&text)
        .filter_map(|found| Some((found.get(0)?.start(), found.get(0)?.end(), found.get(1)?.as_str())))
        .collect();
    let Some((first, ..)) = lines.first() else {
        return Err(vec![NoticeProblem::NoHolidays]);
    };
    let before = text.get(..*first).unwrap_or_default();
    // The head of the page may have others before.
    let year = year.captures_iter(before).last();
    let year = year.and_then(|found| found.get(1)?.as_str().parse().ok());
    let Some(year) = year else {
        return Err(vec![NoticeProblem::NoYear]);
    };
    let mut reading = Reading::of(year);
    for (place, (_, start, name)) in lines.iter().enumerate() {
        let end = lines.get(place + 1).map_or(text.len(), |(next, ..)| *next);
        reading.line(name, text.get(*start..end).unwrap_or_default());
    }
    reading.published(&text);
    reading.finish()
}

/// A notice while it is read.
struct Reading {
    notice: HolidayNotice,
    problems: Vec<NoticeProblem>,
}

impl Reading {
    fn of(year: i16) -> Self {
        let notice = HolidayNotice {
            year,
            holidays: Vec::new(),
            make_up_workdays: Vec::new(),
            published: None,
        };
        Self {
            notice,
            problems: Vec::new(),
        }
    }

    /// What is said of one holiday.
    fn line(&mut self, name: &str, line: &str) {
        let mut off: Option<(Date, Date)> = None;
        let says_something = |sentence: &&str| sentence.contains("放假") || sentence.contains("上班");
        for sentence in line.split(['。', '；', ';']).filter(says_something) {
            let mut days = Vec::new();
            for clause in sentence.split(['，', ',']) {
                days.extend(self.days(clause));
                if clause.contains("放假")
                    && let (Some(first), Some(last)) = (days.first(), days.last())
                {
                    off = Some((*first, *last));
                    days.clear();
                } else if clause.contains("上班") {
                    self.notice.make_up_workdays.append(&mut days);
                }
                if let Some(off) = off {
                    self.count(name, off, clause);
                }
            }
            if !days.is_empty() {
                let written = sentence.to_owned();
                self.problems.push(NoticeProblem::Unclear { written });
            }
        }
        let name = name.to_owned();
        match off.filter(|(first, last)| first <= last) {
            Some((first, last)) => self.notice.holidays.push(Holiday { name, first, last }),
            None => self.problems.push(NoticeProblem::NoDaysOff { holiday: name }),
        }
    }

    /// The last full date behind everything that is said of holidays.
    fn published(&mut self, text: &str) {
        let behind = ["放假", "上班"].iter().filter_map(|word| text.rfind(word)).max();
        let behind = behind.and_then(|place| text.get(place..)).unwrap_or_default();
        let found = DAY.as_ref().and_then(|day| day.captures_iter(behind).last());
        self.notice.published = found.and_then(|found| {
            let number = |group: usize| found.get(group)?.as_str().parse::<i16>().ok();
            Date::new(
                number(1)?,
                i8::try_from(number(2)?).ok()?,
                i8::try_from(number(3)?).ok()?,
            )
            .ok()
        });
    }

    /// The days that are written in a clause. What a day leaves out it has in common with the one before.
    fn days(&mut self, clause: &str) -> Vec<Date> {
        let (mut year, mut month) = (self.notice.year, None);
        let mut days = Vec::new();
        for found in DAY.iter().flat_map(|day| day.captures_iter(clause)) {
            let number = |group: usize| found.get(group).and_then(|text| text.as_str().parse::<i16>().ok());
            year = number(1).unwrap_or(year);
            month = number(2).or(month);
            let date = month
                .zip(number(3))
                .and_then(|(month, day)| Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok());
            let Some(date) = date else {
                let written = found.get(0).map_or("", |text| text.as_str()).to_owned();
                self.problems.push(NoticeProblem::NoSuchDay { written });
                continue;
            };
            // Holidays reach into a neighbouring year. One that reached further would have millions of days to be looked at.
            if date.year().abs_diff(self.notice.year) > 1 {
                self.problems.push(NoticeProblem::OtherYear { day: date });
                continue;
            }
            let beside = found.get(4).map_or("", |text| text.as_str());
            if weekday(beside).is_some_and(|written| written != date.weekday()) {
                let written = beside.to_owned();
                self.problems.push(NoticeProblem::OtherWeekday { day: date, written });
            }
            days.push(date);
        }
        days
    }

    fn count(&mut self, name: &str, (first, last): (Date, Date), clause: &str) {
        let found = COUNT.as_ref().and_then(|count| count.captures(clause.trim()));
        let written = found.and_then(|found| {
            found
                .get(1)
                .or_else(|| found.get(2))
                .map(|text| text.as_str().to_owned())
        });
        let days = usize::try_from(last.duration_since(first).as_hours() / 24 + 1).unwrap_or_default();
        if let Some(written) = written.filter(|written| written.parse() != Ok(days)) {
            let holiday = name.to_owned();
            self.problems.push(NoticeProblem::OtherCount { holiday, days, written });
        }
    }

    /// Days of the year before belong to its own file. Weekends need no entry there.
    fn finish(mut self) -> Result<HolidayNotice, Vec<NoticeProblem>> {
        let year = self.notice.year;
        let is_weekend = |day: &Date| matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let holidays = self.notice.holidays.iter();
        let off = holidays.flat_map(|holiday| days_between(holiday.first, holiday.last));
        let off = off.filter(|day| day.year() != year && !is_weekend(day));
        let work = self.notice.make_up_workdays.iter().copied();
        // A weekend in another year is in the way as well, where all of a holiday or its end is there.
        let ends = self.notice.holidays.iter().map(|holiday| holiday.last);
        let others = off.chain(work.chain(ends).filter(|day| day.year() != year));
        // However often a day is named, it is one problem.
        let others: BTreeSet<Date> = others.collect();
        self.problems
            .extend(others.into_iter().map(|day| NoticeProblem::OtherYear { day }));
        let no_weekend = self.notice.make_up_workdays.iter().filter(|day| !is_weekend(day));
        let no_weekend = no_weekend.map(|day| NoticeProblem::NoWeekend { day: *day });
        self.problems.extend(no_weekend);
        let is_off = |day: &&Date| self.notice.holidays.iter().any(|holiday| holiday.holds(**day));
        let both = self.notice.make_up_workdays.iter().filter(is_off);
        self.problems.extend(both.map(|day| NoticeProblem::Unclear {
            written: day.to_string(),
        }));
        for holiday in &mut self.notice.holidays {
            if holiday.first.year() < year && holiday.last.year() == year {
                holiday.first = Date::new(year, 1, 1).unwrap_or(holiday.first);
            }
        }
        self.notice.holidays.sort_by_key(|holiday| holiday.first);
        self.notice.make_up_workdays.sort();
        match self.problems.is_empty() {
            true => Ok(self.notice),
            false => Err(self.problems),
        }
    }
}

fn days_between(first: Date, last: Date) -> impl Iterator<Item = Date> {
    let days = first.series(jiff::Span::new().days(1));
    days.take_while(move |day| *day <= last)
}

/// `农历除夕、周二` or `星期日`.
fn weekday(text: &str) -> Option<Weekday> {
    let (_, behind) = text.rsplit_once('周').or_else(|| text.rsplit_once("星期"))?;
    match behind.trim().chars().next()? {
        '一' => Some(Weekday::Monday),
        '二' => Some(Weekday::Tuesday),
        '三' => Some(Weekday::Wednesday),
        '四' => Some(Weekday::Thursday),
        '五' => Some(Weekday::Friday),
        '六' => Some(Weekday::Saturday),
        '日' | '天' => Some(Weekday::Sunday),
        _ => None,
    }
}

impl HolidayNotice {
    /// Where its file stands in the knowledge directory.
    pub fn file(&self) -> String {
        format!("workdays/{}.toml", self.year)
    }

    /// The file. A notice that does not say when it was published has the day on which it was `read_on`.
    pub fn to_toml(&self, read_on: Date) -> String {
        let (year, published) = (self.year, self.published.unwrap_or(read_on));
        let make_up: Vec<String> = self.make_up_workdays.iter().map(Date::to_string).collect();
        let mut text = format!(
            "# Days off and make-up workdays of {year}, as announced by the State Council. Weekends need no entry.\n\
             year = {year}\n\
             source = {{ name = \"国务院办公厅关于{year}年部分节假日安排的通知\", published = {published} }}\n\n\
             # Saturdays and Sundays on which people work.\n\
             make_up_workdays = [{}]\n",
            make_up.join(", ")
        );
        for holiday in &self.holidays {
            let (name, first, last) = (
                toml_edit::Value::from(holiday.name.as_str()),
                holiday.first,
                holiday.last,
            );
            // Writing to a text cannot fail.
            let _ = write!(text, "\n[[holidays]]\nname = {name}\nfirst = {first}\nlast = {last}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const OF_2025: &str = "各省、自治区、直辖市人民政府，国务院各部委、各直属机构：\n经国务院批准，现将2025年元旦、春节、清明节、劳动节、端午节、\
        国庆节和中秋节放假调休日期的具体安排通知如下。\n一、元旦：1月1日（周三）放假1天，不调休。\n二、春节：1月28日（农历除夕、周二）至2月4日\
        （农历正月初七、周二）放假调休，共8天。1月26日（周日）、2月8日（周六）上班。\n三、清明节：4月4日（周五）至6日（周日）放假，共3天。\n\
        四、劳动节：5月1日（周四）至5日（周一）放假调休，共5天。4月27日（周日）上班。\n五、端午节：5月31日（周六）至6月2日（周一）放假，共3天。\n\
        六、国庆节、中秋节：10月1日（周三）至8日（周三）放假调休，共8天。9月28日（周日）、10月11日（周六）上班。\n节假日期间，各地区、\
        各部门要妥善安排好值班和安全、保卫、疫情防控等工作。\n国务院办公厅\n2024年11月12日";

    const OF_2023: &str = "现将2023年元旦、春节放假调休日期的具体安排通知如下。一、元旦：2022年12月31日至2023年1月2日放假调休，共3天。\
        二、春节：1月21日至27日放假调休，共7天。1月28日（星期六）、1月29日（星期日）上班。鼓励职工在除夕（1月20日）休息。";

    #[test]
    fn the_notice_of_a_year_makes_the_calendar_on_file() {
        let notice = read_notice(OF_2025).unwrap();
        let written = notice.to_toml(date(2026, 1, 1));
        assert!(written.contains("published = 2024-11-12 }"), "{written}");
        let on_file: toml::Table = toml::from_str(include_str!("../../knowledge/workdays/2025.toml")).unwrap();
        let read: toml::Table = toml::from_str(&written).unwrap();
        for key in ["year", "make_up_workdays", "holidays"] {
            let days = |table: &toml::Table| format!("{:?}", table[key]);
            assert_eq!(days(&read), days(&on_file), "{key}");
        }
    }

    #[test]
    fn where_lines_break_and_what_stands_above_makes_no_difference() {
        let whole = read_notice(OF_2025).unwrap();
        let broken: String = OF_2025.chars().flat_map(|character| [character, '\n']).collect();
        let on_a_page = format!("成文日期：2024年11月08日\n发布日期：2024年11月12日\n{broken}");
        assert_eq!(read_notice(&on_a_page), Ok(whole.clone()));
        let apart = OF_2025.replace("1月26日（周日）、2月8日", "1月26日（周日），2月8日");
        assert_eq!(read_notice(&apart), Ok(whole));
    }

    #[test]
    fn a_holiday_that_begins_in_the_year_before_begins_with_the_year() {
        let notice = read_notice(OF_2023).unwrap();
        assert_eq!(
            (notice.holidays[0].first, notice.holidays[0].last),
            (date(2023, 1, 1), date(2023, 1, 2))
        );
        assert_eq!(notice.make_up_workdays, [date(2023, 1, 28), date(2023, 1, 29)]);
        assert_eq!(notice.holidays.len(), 2);
    }

    #[test]
    fn what_does_not_agree_is_told() {
        let told = |from: &str, to: &str| read_notice(&OF_2025.replacen(from, to, 1)).unwrap_err();
        assert_eq!(
            told("4月4日（周五）", "4月4日（周四）"),
            [NoticeProblem::OtherWeekday {
                day: date(2025, 4, 4),
                written: "周四".to_owned()
            }]
        );
        assert_eq!(
            told("放假调休，共5天", "放假调休，共6天"),
            [NoticeProblem::OtherCount {
                holiday: "劳动节".to_owned(),
                days: 5,
                written: "6".to_owned()
            }]
        );
        assert_eq!(
            told("4月27日（周日）上班", "4月28日上班"),
            [NoticeProblem::NoWeekend { day: date(2025, 4, 28) }]
        );
        assert!(matches!(
            &told("4月27日", "4月31日")[..],
            [NoticeProblem::NoSuchDay { .. }]
        ));
        assert_eq!(told("现将2025年", "现将"), [NoticeProblem::NoYear]);
        assert_eq!(
            told("4月4日（周五）至6日（周日）放假，共3天", "4月4日（周五）至6"),
            [NoticeProblem::NoDaysOff {
                holiday: "清明节".to_owned()
            }]
        );
        assert_eq!(
            told("放假1天，不调休", "放假1天，1月4日（周六）"),
            [NoticeProblem::Unclear {
                written: "1月1日（周三）放假1天，1月4日（周六）".to_owned()
            }]
        );
        assert_eq!(
            told("4月27日（周日）上班", "2024年12月29日（周日）上班"),
            [NoticeProblem::OtherYear {
                day: date(2024, 12, 29)
            }]
        );
        assert_eq!(
            told("4月4日（周五）至6日（周日）放假，共3天", "4月6日至4日放假"),
            [NoticeProblem::NoDaysOff {
                holiday: "清明节".to_owned()
            }]
        );
        assert_eq!(
            told("4月27日（周日）上班", "5月3日（周六）上班"),
            [NoticeProblem::Unclear {
                written: "2025-05-03".to_owned()
            }]
        );
        let next_year = told("4月4日（周五）至6日（周日）放假，共3天", "2026年1月3日至4日放假");
        assert_eq!(next_year, [NoticeProblem::OtherYear { day: date(2026, 1, 4) }]);
        let far_away = told("至6日（周日）放假，共3天", "至9999年12月31日放假");
        assert_eq!(
            far_away,
            [NoticeProblem::OtherYear {
                day: date(9999, 12, 31)
            }]
        );
        assert_eq!(read_notice("放假吗？"), Err(vec![NoticeProblem::NoHolidays]));
    }
}
