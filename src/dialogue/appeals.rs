//! Following an appeal: submitted, how it stands, how it ended; and writing one.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::assistant::Assistant;
use super::compose::{APPEAL_BUSINESS_DAYS, KnownSlots, known_effects};
use super::session::{
    Action, Appeal, AppealOutcome, AtHand, DecisionKind, Open, Reminder, Reply, ReplyOption, State, Verdict,
};
use super::step::{CHINA, Outcome, Turn, kept};
use crate::knowledge::{AccountKind, AppealPossible, Role, Saying, Scenario, Section, SlotEffect, TextKey, Workdays};

/// Reminders are due at ten in the morning, when customer service is at work.
const REMINDER_HOUR: i8 = 10;

/// So many characters of somebody's own words go into an appeal.
pub(super) const LONGEST_QUOTE: usize = 80;

/// Ids of the two options after an appeal was submitted.
pub(super) const TRACK: &str = "track";
pub(super) const DO_NOT_TRACK: &str = "do-not-track";

/// Ids of the two options for how an appeal ended.
pub(super) const LIFTED: &str = "lifted";
pub(super) const REFUSED: &str = "refused";

/// How an appeal stands on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Business days since the day of submission, today included.
    pub(super) business_days: u16,
    /// Whether today is one.
    pub(super) is_business_day: bool,
    /// Whether it was submitted today.
    pub(super) is_day_of_submission: bool,
}

impl Standing {
    /// `None` when the calendar of a year in between is not on file.
    pub(super) fn of(submitted: Date, today: Date, workdays: &Workdays) -> Option<Self> {
        Some(Self {
            business_days: workdays.business_days_between(submitted, today)?,
            is_business_day: workdays.is_business_day(today)?,
            is_day_of_submission: submitted == today,
        })
    }

    /// What to do now.
    pub(super) fn advice(self) -> TextKey {
        let (first, last) = (u16::from(APPEAL_BUSINESS_DAYS.0), u16::from(APPEAL_BUSINESS_DAYS.1));
        match self.business_days {
            days if days < first => TextKey::AppealEarly,
            days if days < last => TextKey::AppealWithin,
            days if days == last && self.is_business_day => TextKey::AppealLastDay,
            _ => TextKey::AppealOverdue,
        }
    }
}

/// What becomes due while an appeal is followed: a look on the third and on the seventh business day, unless they are over.
fn reminders(submitted: Date, now: DateTime, workdays: &Workdays) -> Vec<Reminder> {
    let (first, last) = APPEAL_BUSINESS_DAYS;
    let due = |business_day| {
        let day = workdays.business_day_after(submitted, business_day)?;
        let at = day.at(REMINDER_HOUR, 0, 0, 0);
        let due = CHINA.to_timestamp(at).ok().filter(|_| at > now)?;
        Some(Reminder { business_day, due })
    };
    [first, last].into_iter().filter_map(due).collect()
}

impl Assistant {
    /// What a reminder says: how the appeal stands today, and what to do.
    pub fn reminder_text(&self, appeal: &Appeal, now: Timestamp) -> String {
        let composer = self.composer(appeal.language, now);
        let standing = composer.appeal_standing(appeal.submitted);
        composer.written(composer.say(TextKey::Reminder, &[("standing", &standing)]))
    }
}

impl<'a> Turn<'a> {
    /// Something that is no question but moves the conversation on, if this message is that.
    pub(super) fn saying(&self, at_hand: Option<&AtHand>) -> Option<Outcome> {
        let saying = self.assistant.conversation.saying(&self.without_times)?;
        let appeal = self.appeal.as_ref();
        // "解决了" after an answer to something else is about that.
        let closes = appeal.filter(|appeal| self.is_about_appeal(appeal, at_hand));
        match (saying, appeal) {
            (Saying::Submitted, _) => self.submitted(at_hand),
            (Saying::WriteAppeal, _) => self.write_appeal(at_hand),
            (Saying::Progress, Some(appeal)) => self.standing(appeal, at_hand),
            (Saying::Progress, None) => self.submitted(Some(at_hand?)),
            (Saying::Cancel, Some(_)) => self.close(AppealOutcome::Cancelled, at_hand),
            (Saying::Lifted | Saying::Solved, Some(_)) if closes.is_some() => {
                self.close(AppealOutcome::Lifted, at_hand)
            }
            (Saying::Refused, Some(_)) => self.close(AppealOutcome::Refused, at_hand),
            (Saying::Result, Some(appeal)) => self.which_result(appeal, at_hand),
            (Saying::Useful, _) => self.rated(at_hand?, Verdict::Useful),
            (Saying::Useless, _) => self.rated(at_hand?, Verdict::Useless),
            (Saying::Lifted | Saying::Solved, _) => self.rated(at_hand?, Verdict::Solved),
            _ => None,
        }
    }

    /// Whether what is at hand is what the followed appeal is about; with nothing at hand it is, too, unless a choice is open.
    fn is_about_appeal(&self, appeal: &Appeal, at_hand: Option<&AtHand>) -> bool {
        let Some(at_hand) = at_hand else {
            return !self.is_choosing();
        };
        let scenario = self.assistant.scenario(&at_hand.scenario);
        at_hand.scenario == appeal.scenario
            || scenario.is_some_and(|scenario| scenario.role == Some(Role::AppealProgress))
    }

    /// An appeal was submitted: on a day that the message names, else the day is asked for.
    fn submitted(&self, at_hand: Option<&AtHand>) -> Option<Outcome> {
        match self.named_day() {
            Some(day) => self.submitted_on(day, at_hand),
            None => self.about_appeal(at_hand, self.words(TextKey::WhichDay), Open::SubmissionDay),
        }
    }

    /// How an appeal stands that was submitted on a day, and whether it may be kept.
    pub(super) fn submitted_on(&self, submitted: Date, at_hand: Option<&AtHand>) -> Option<Outcome> {
        let standing = self.composer.appeal_standing(submitted);
        if self.appeal.as_ref().is_some_and(|appeal| appeal.submitted == submitted) {
            return self.about_appeal(at_hand, plain(standing), Open::Nothing);
        }
        let option = |id: &str, key| ReplyOption {
            id: id.to_owned(),
            label: self.composer.text(key),
        };
        let reply = Reply {
            text: format!("{standing}\n\n{}", self.composer.text(TextKey::AskToTrack)),
            options: vec![option(TRACK, TextKey::TrackYes), option(DO_NOT_TRACK, TextKey::TrackNo)],
        };
        self.about_appeal(at_hand, reply, Open::Tracking { submitted })
    }

    /// The reply to "shall I keep this appeal?"; none when it is something else.
    pub(super) fn consent(&self, at_hand: &AtHand, submitted: Date) -> Option<Outcome> {
        let agreed = match self.assistant.conversation.saying(self.normalised()) {
            Some(Saying::Yes) => true,
            Some(Saying::No) => false,
            _ => self.chosen_of(2)? == 0,
        };
        if !agreed {
            return self.about_appeal(Some(at_hand), self.words(TextKey::NotTracking), Open::Nothing);
        }
        let reminders = reminders(submitted, self.composer.now, &self.assistant.catalogue.workdays);
        let day = |reminder: &Reminder| {
            let due = CHINA.to_datetime(reminder.due).date();
            self.assistant.catalogue.texts.day(due, self.composer.language)
        };
        let days: Vec<String> = reminders.iter().map(day).collect();
        let text = match days.is_empty() {
            true => self.composer.text(TextKey::TrackingWithoutDays),
            false => self
                .composer
                .say(TextKey::Tracking, &[("days", &days.join(self.composer.separator()))]),
        };
        let appeal = Appeal {
            scenario: at_hand.scenario.clone(),
            submitted,
            language: self.composer.language,
        };
        let outcome = self.about_appeal(Some(at_hand), plain(text), Open::Nothing)?;
        Some(outcome.with(Action::Track { appeal, reminders }))
    }

    /// The reply to "how did it end?"; none when it is something else.
    pub(super) fn result(&self, at_hand: &AtHand) -> Option<Outcome> {
        let outcome = match self.chosen_of(2)? {
            0 => AppealOutcome::Lifted,
            _ => AppealOutcome::Refused,
        };
        self.close(outcome, Some(at_hand))
    }

    fn standing(&self, appeal: &Appeal, at_hand: Option<&AtHand>) -> Option<Outcome> {
        let standing = self.composer.appeal_standing(appeal.submitted);
        self.about_appeal(at_hand, plain(standing), Open::Nothing)
    }

    fn which_result(&self, appeal: &Appeal, at_hand: Option<&AtHand>) -> Option<Outcome> {
        let option = |id: &str, key| ReplyOption {
            id: id.to_owned(),
            label: self.composer.text(key),
        };
        let reply = Reply {
            text: self.composer.text(TextKey::WhichResult),
            options: vec![
                option(LIFTED, TextKey::ResultLifted),
                option(REFUSED, TextKey::ResultRefused),
            ],
        };
        let of_appeal = AtHand {
            scenario: appeal.scenario.clone(),
            ..AtHand::default()
        };
        self.about_appeal(Some(at_hand.unwrap_or(&of_appeal)), reply, Open::Result)
    }

    fn close(&self, how: AppealOutcome, at_hand: Option<&AtHand>) -> Option<Outcome> {
        let key = match how {
            AppealOutcome::Lifted => TextKey::AfterLifted,
            AppealOutcome::Refused => TextKey::AfterRefused,
            AppealOutcome::Cancelled => TextKey::TrackingCancelled,
        };
        let outcome = self.about_appeal(at_hand, self.words(key), Open::Nothing)?;
        Some(outcome.with(Action::CloseAppeal(how)))
    }

    /// What somebody thought of the answer at hand.
    fn rated(&self, at_hand: &AtHand, verdict: Verdict) -> Option<Outcome> {
        // "我真没用" answers whether a tool was used and says nothing about the answer.
        let is_slot_asked = matches!(at_hand.open, Open::Slot { .. });
        if is_slot_asked && verdict == Verdict::Useless && self.normalised().starts_with('我') {
            return None;
        }
        let key = match verdict {
            Verdict::Useful => TextKey::FeedbackUseful,
            Verdict::Useless => TextKey::FeedbackUseless,
            Verdict::Solved => TextKey::AfterLifted,
        };
        let state = State::Answered(at_hand.clone());
        let outcome = Outcome::new(state, self.words(key), DecisionKind::Smalltalk);
        let scenario = at_hand.scenario.clone();
        Some(outcome.with(Action::Rate { scenario, verdict }))
    }

    /// Something about an appeal: the scenario at hand stays at hand, else it is the one about appeals that wait for an answer.
    fn about_appeal(&self, at_hand: Option<&AtHand>, reply: Reply, open: Open) -> Option<Outcome> {
        // Knowledge without such a scenario, as when it was imported, follows no appeals.
        let progress = self.assistant.catalogue.with_role(Role::AppealProgress)?.id.clone();
        let known = at_hand.filter(|at_hand| self.assistant.scenario(&at_hand.scenario).is_some());
        let at_hand = known.cloned().unwrap_or_else(|| AtHand {
            scenario: progress.clone(),
            said: kept(self.message.text()),
            ..AtHand::default()
        });
        Some(Outcome {
            scenarios: vec![progress],
            confidence: 1.0,
            ..Outcome::new(State::Answered(AtHand { open, ..at_hand }), reply, DecisionKind::Answer)
        })
    }

    /// What an appeal needs, and a text for it made of nothing but what was said; or why none is possible.
    fn write_appeal(&self, at_hand: Option<&AtHand>) -> Option<Outcome> {
        let how = self.assistant.catalogue.with_role(Role::AppealHow)?;
        let known = at_hand.and_then(|at_hand| Some((self.assistant.scenario(&at_hand.scenario)?, at_hand)));
        let known = known.filter(|(scenario, _)| scenario.role.is_none());
        let general = AtHand {
            scenario: how.id.clone(),
            said: kept(self.message.text()),
            ..AtHand::default()
        };
        let (scenario, at_hand) = known.unwrap_or((how, &general));
        let reply = match appeal_possible(scenario, &at_hand.slots) {
            AppealPossible::No => self.no_appeal(scenario, at_hand),
            _ => self.appeal_kit(scenario, at_hand),
        };
        let state = State::Answered(AtHand {
            open: Open::Nothing,
            ..at_hand.clone()
        });
        Some(Outcome {
            scenarios: vec![scenario.id.clone()],
            confidence: 1.0,
            ..Outcome::new(state, reply, DecisionKind::Answer)
        })
    }

    fn no_appeal(&self, scenario: &Scenario, at_hand: &AtHand) -> Reply {
        let title = scenario.answer.get(self.composer.language).title.as_str();
        let mut lines = vec![self.composer.say(TextKey::KitNone, &[("title", title)])];
        lines.extend(self.sections_of(scenario, at_hand, &[Section::Appeal, Section::Time]));
        plain(lines.join("\n"))
    }

    fn appeal_kit(&self, scenario: &Scenario, at_hand: &AtHand) -> Reply {
        let mut lines = self.sections_of(scenario, at_hand, &[Section::Who, Section::Appeal, Section::Material]);
        let composer = &self.composer;
        let blank = composer.text(TextKey::KitBlank);
        let is_general = scenario.role.is_some();
        let said = at_hand.said.replace('\n', " ");
        let quote: String = said.chars().take(LONGEST_QUOTE).collect();
        let title = match is_general {
            true => blank.as_str(),
            false => scenario.answer.get(composer.language).title.as_str(),
        };
        let start = at_hand
            .circumstances
            .started
            .map_or(blank.clone(), |start| composer.moment(start));
        let values = [
            ("account", &*composer.text(account_text(scenario.account))),
            ("title", title),
            ("start", &*start),
            ("said", if is_general { &blank } else { &quote }),
        ];
        lines.push(format!("\n{}", composer.say(TextKey::KitText, &values)));
        plain(lines.join("\n"))
    }

    fn sections_of(&self, scenario: &Scenario, at_hand: &AtHand, wanted: &[Section]) -> Vec<String> {
        let sections = self.composer.sections_with(scenario, &at_hand.slots);
        let written = |section: &Section| Some(self.composer.section(*section, sections.get(section)?));
        wanted.iter().filter_map(written).collect()
    }
}

fn plain(text: String) -> Reply {
    Reply {
        text,
        options: Vec::new(),
    }
}

pub(super) fn account_text(account: AccountKind) -> TextKey {
    match account {
        AccountKind::Member => TextKey::KitAccountMember,
        AccountKind::Personal => TextKey::KitAccountPersonal,
        AccountKind::Group => TextKey::KitAccountGroup,
        AccountKind::Corp => TextKey::KitAccountCorp,
        AccountKind::Any => TextKey::KitAccountAny,
    }
}

/// Whether an appeal is possible, as far as is known: what a slot value says outweighs what the scenario says in general.
fn appeal_possible(scenario: &Scenario, known: &KnownSlots) -> AppealPossible {
    let mut overrides = known_effects(scenario, known).filter_map(|effect| match effect {
        SlotEffect::Changes { appeal_possible, .. } => *appeal_possible,
        SlotEffect::GoesTo(_) => None,
    });
    overrides.next().unwrap_or(scenario.appeal_possible)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn what_to_do_depends_on_the_business_day() {
        let standing = |business_days, is_business_day| Standing {
            business_days,
            is_business_day,
            is_day_of_submission: false,
        };
        assert_eq!(standing(2, true).advice(), TextKey::AppealEarly);
        assert_eq!(standing(3, true).advice(), TextKey::AppealWithin);
        assert_eq!(standing(7, true).advice(), TextKey::AppealLastDay);
        assert_eq!(standing(7, false).advice(), TextKey::AppealOverdue);
        assert_eq!(standing(8, true).advice(), TextKey::AppealOverdue);
    }

    #[test]
    fn without_a_calendar_nothing_becomes_due() {
        let now = date(2026, 11, 18).at(9, 0, 0, 0);
        assert_eq!(reminders(date(2026, 11, 18), now, &Workdays::default()), []);
        assert_eq!(
            Standing::of(date(2026, 11, 18), date(2026, 11, 20), &Workdays::default()),
            None
        );
    }
}
