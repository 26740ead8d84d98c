//! Composing what depends on time: when a restriction ends, and how an appeal stands.

use jiff::civil::Date;
use jiff::{SignedDuration, Unit};

use super::appeals::Standing;
use super::circumstances::Circumstances;
use super::compose::{APPEAL_BUSINESS_DAYS, Composer, bracketed};
use super::when::Moment;
use crate::knowledge::{Scenario, TextKey};

const HOURS_OF_A_DAY: u32 = 24;

impl Composer<'_> {
    /// What follows from what was said about time, where the scenario depends on it.
    pub(super) fn time_lines(&self, scenario: &Scenario, circumstances: &Circumstances) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        // A date that the notice gives outranks everything; a term that was told counts where the scenario has one.
        if scenario.has_term || circumstances.ends.is_some() {
            lines.extend(self.end_of_term(circumstances));
        }
        if lines.is_empty()
            && let Some(started) = circumstances.started
        {
            lines.extend(self.natural_periods(started, &scenario.waiting_hours));
        }
        if circumstances.offers_appeal {
            lines.push(self.text(TextKey::AppealButton));
        }
        lines
    }

    /// When a term ends: as the notice says, or counted from its start.
    fn end_of_term(&self, circumstances: &Circumstances) -> Option<String> {
        if let Some(ends) = circumstances.ends {
            let end = Moment {
                at: ends.at(0, 0, 0, 0),
                is_exact: false,
            };
            let values = [("end", &*self.moment(end)), ("left", &*self.left(end))];
            return Some(match end.is_over(self.now) {
                true => self.say(TextKey::EndsOver, &[("end", &self.moment(end))]),
                false => self.say(TextKey::EndsAhead, &values),
            });
        }
        let (started, hours) = (circumstances.started?, circumstances.term_hours?);
        let end = started.after_hours(hours)?;
        let start = self.moment(started);
        let period = self.period(hours);
        let mut values = vec![("start", &*start), ("period", &*period)];
        let written_end = self.moment(end);
        values.push(("end", &written_end));
        let left = self.left(end);
        Some(match end.is_over(self.now) {
            true => self.say(TextKey::TermOver, &values),
            false => {
                values.push(("left", &left));
                self.say(TextKey::TermAhead, &values)
            }
        })
    }

    /// When each of the natural periods after which a restriction usually lifts is over.
    fn natural_periods(&self, started: Moment, hours: &[u16]) -> Vec<String> {
        let ends = hours
            .iter()
            .filter_map(|hours| Some((u32::from(*hours), started.after_hours(u32::from(*hours))?)));
        let ends: Vec<(u32, Moment)> = ends.collect();
        if ends.is_empty() {
            return Vec::new();
        }
        let milestone = |(hours, end): &(u32, Moment)| {
            let key = match end.is_over(self.now) {
                true => TextKey::MilestoneOver,
                false => TextKey::MilestoneAhead,
            };
            self.say(
                key,
                &[("period", &self.natural_period(*hours)), ("moment", &self.moment(*end))],
            )
        };
        let milestones: Vec<String> = ends.iter().map(milestone).collect();
        let values = [
            ("start", &*self.moment(started)),
            ("milestones", &*milestones.join(self.separator())),
        ];
        let mut lines = vec![self.say(TextKey::Since, &values)];
        if ends.iter().all(|(_, end)| end.is_over(self.now)) {
            lines.push(self.text(TextKey::SinceOver));
        }
        lines
    }

    /// How an appeal stands today and what to do; without the calendar of a year only what is certain.
    pub(super) fn appeal_standing(&self, submitted: Date) -> String {
        let workdays = &self.catalogue.workdays;
        let (first, last) = APPEAL_BUSINESS_DAYS;
        let day = |date| bracketed(&self.catalogue.texts.day(date, self.language), self.language);
        let window = (
            workdays.business_day_after(submitted, first),
            workdays.business_day_after(submitted, last),
        );
        let mut lines = vec![match window {
            (Some(first), Some(last)) => {
                let values = [
                    ("submitted", &*day(submitted)),
                    ("first", &*day(first)),
                    ("last", &*day(last)),
                ];
                self.say(TextKey::AppealWindow, &values)
            }
            _ => {
                let year = workdays.first_year_missing(submitted).to_string();
                self.say(TextKey::AppealNoDates, &[("year", &year)])
            }
        }];
        if let Some(standing) = Standing::of(submitted, self.now.date(), workdays) {
            lines.push(self.day_count(standing));
            lines.push(self.text(standing.advice()));
        }
        lines.join("\n")
    }

    fn day_count(&self, standing: Standing) -> String {
        let count = standing.business_days.to_string();
        let key = match standing {
            Standing {
                is_day_of_submission: true,
                ..
            } => return self.text(TextKey::AppealSubmittedToday),
            Standing {
                is_business_day: true, ..
            } => TextKey::AppealDayCount,
            Standing { .. } => TextKey::AppealDayOff,
        };
        self.say(key, &[("count", &count)])
    }

    /// A text of `texts.toml` with its placeholders filled in.
    pub fn say(&self, key: TextKey, values: &[(&str, &str)]) -> String {
        self.catalogue.texts.say(key, self.language, values)
    }

    /// A day, with the time of day where it is known.
    pub(super) fn moment(&self, moment: Moment) -> String {
        let day = self.catalogue.texts.day(moment.at.date(), self.language);
        match moment.is_exact {
            true => self.say(
                TextKey::Moment,
                &[("day", &day), ("time", &moment.at.strftime("%H:%M").to_string())],
            ),
            false => bracketed(&day, self.language),
        }
    }

    /// A length of time in days, in hours up to a day or where no whole days come out.
    fn period(&self, hours: u32) -> String {
        match hours.checked_rem(HOURS_OF_A_DAY) {
            Some(0) if hours > HOURS_OF_A_DAY => {
                self.say(TextKey::PeriodDays, &[("days", &(hours / HOURS_OF_A_DAY).to_string())])
            }
            _ => self.say(TextKey::PeriodHours, &[("hours", &hours.to_string())]),
        }
    }

    /// The same as the platform writes it: "7×24 小时" says that holidays count.
    fn natural_period(&self, hours: u32) -> String {
        match hours {
            0..=HOURS_OF_A_DAY => self.period(hours),
            _ => self.say(
                TextKey::PeriodFullDays,
                &[("days", &(hours / HOURS_OF_A_DAY).to_string())],
            ),
        }
    }

    /// How long it is until a moment.
    fn left(&self, end: Moment) -> String {
        let left = end.at.duration_since(self.now).max(SignedDuration::ZERO);
        let hours = u32::try_from(left.as_hours()).unwrap_or(u32::MAX);
        if end.is_exact && hours < 2 * HOURS_OF_A_DAY {
            return self.say(TextKey::PeriodHours, &[("hours", &hours.saturating_add(1).to_string())]);
        }
        let days = self
            .now
            .date()
            .until((Unit::Day, end.at.date()))
            .map_or(0, |span| span.get_days())
            .max(1);
        self.say(TextKey::PeriodDays, &[("days", &days.to_string())])
    }

    pub(super) fn separator(&self) -> &'static str {
        match self.language {
            crate::knowledge::Language::English => ", ",
            _ => "，",
        }
    }
}
