//! Handing a conversation over to a person: what the person asked for it is told, and what the person who takes over can read.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};

use super::appeals::LONGEST_QUOTE;
use super::assistant::Assistant;
use super::compose::Composer;
use super::session::{AtHand, Session, State};
use super::step::CHINA;
use crate::knowledge::{Scenario, TextKey, Workdays};

/// Whether somebody can take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Yes, now.
    OnDuty,
    /// Not at this hour.
    OffDuty(DutyHours),
    /// It is duty time, but nobody receives.
    Nobody,
}

/// When people are there to take over, in China.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DutyHours {
    /// From this time of day on.
    pub from: Time,
    /// Until before this time of day.
    pub until: Time,
    /// On business days only, make-up workdays included.
    pub business_days_only: bool,
}

impl DutyHours {
    /// Whether somebody is there at `now`. Where the calendar is not on file, Saturdays and Sundays are off.
    pub fn covers(&self, now: Timestamp, workdays: &Workdays) -> bool {
        let now = CHINA.to_datetime(now);
        let is_weekend = matches!(now.weekday(), Weekday::Saturday | Weekday::Sunday);
        let is_business_day = workdays.is_business_day(now.date()).unwrap_or(!is_weekend);
        let is_in_hours = self.from <= now.time() && now.time() < self.until;
        is_in_hours && (is_business_day || !self.business_days_only)
    }

    fn in_words(self, composer: &Composer<'_>) -> String {
        let key = match self.business_days_only {
            true => TextKey::DutyBusinessDays,
            false => TextKey::DutyDaily,
        };
        let clock = |time: Time| format!("{}:{:02}", time.hour(), time.minute());
        composer.say(key, &[("from", &clock(self.from)), ("until", &clock(self.until))])
    }
}

impl Assistant {
    /// What is said when a person is wanted. While somebody is on duty it ends with what is known so far, which the person who takes
    /// over reads in the same conversation.
    pub fn hand_over_text(&self, session: &Session, reach: &Reach, now: Timestamp) -> String {
        let composer = self.composer(session.language, now);
        let text = match reach {
            Reach::OnDuty => {
                let summary = self.summary(session, &composer);
                let intro = (!summary.is_empty()).then(|| composer.text(TextKey::SummaryIntro));
                let lines = std::iter::once(composer.text(TextKey::HandOver))
                    .chain(intro)
                    .chain(summary);
                lines.collect::<Vec<String>>().join("\n")
            }
            Reach::OffDuty(hours) => {
                let hours = hours.in_words(&composer);
                composer.say(TextKey::HandOverOffDuty, &[("hours", &hours)])
            }
            Reach::Nobody => composer.text(TextKey::HandOverNobody),
        };
        composer.written(text)
    }

    /// Scenario, details and own words, a line each, as far as they are known.
    fn summary(&self, session: &Session, composer: &Composer<'_>) -> Vec<String> {
        match &session.state {
            State::Start => Vec::new(),
            State::Choosing { question, .. } => said_line(question, composer).into_iter().collect(),
            State::Answered(at_hand) => self
                .scenario(&at_hand.scenario)
                .map(|scenario| case_lines(scenario, at_hand, composer))
                .unwrap_or_default(),
        }
    }
}

fn case_lines(scenario: &Scenario, at_hand: &AtHand, composer: &Composer<'_>) -> Vec<String> {
    let title = scenario.answer.get(composer.language).title.as_str();
    let known = scenario.slots.iter().filter_map(|slot| {
        let value = slot.value(at_hand.slots.get(&slot.id)?)?;
        Some(value.label.get(composer.language).as_str())
    });
    let details: Vec<&str> = known.collect();
    let case = composer.say(TextKey::SummaryCase, &[("title", title)]);
    let details = (!details.is_empty()).then(|| {
        let details = details.join(composer.separator());
        composer.say(TextKey::SummaryDetails, &[("details", &details)])
    });
    let said = said_line(&at_hand.said, composer);
    [Some(case), details, said].into_iter().flatten().collect()
}

/// What was said, without the numbers by which something was chosen.
fn said_line(said: &str, composer: &Composer<'_>) -> Option<String> {
    let says_something = |line: &&str| line.chars().any(char::is_alphabetic);
    let lines: Vec<&str> = said.lines().filter(says_something).collect();
    let said: String = lines.join(" ").chars().take(LONGEST_QUOTE).collect();
    (!said.is_empty()).then(|| composer.say(TextKey::SummarySaid, &[("said", &said)]))
}
