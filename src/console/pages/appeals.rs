//! The appeals that are followed, and how long appeals of this company have taken.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::civil::Date;
use serde::Deserialize;

use crate::console::chart::Bars;
use crate::console::form::Posted;
use crate::console::format::{day_of, share};
use crate::console::frame::Frame;
use crate::console::masking::masked_id;
use crate::console::refusal::Refusal;
use crate::console::visit::{Admin, Viewer, Visit, html};
use crate::dialogue::{Appeal, Assistant};
use crate::knowledge::Workdays;
use crate::store::TrackedAppeal;

/// Within so many business days the platform decides, by its own word.
const PROMISED: (u16, u16) = (3, 7);

/// Columns of the picture: so many business days, and one for more.
const COLUMNS: usize = 12;

/// So many that wait are listed, the most urgent first.
const OPEN: usize = 60;

/// So many that have ended are listed.
const ENDED: usize = 50;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/appeals", web::get().to(show))
        .route("/console/appeals/{id}/person", web::post().to(show_person));
}

#[derive(Template)]
#[template(path = "appeals.html")]
struct AppealsPage {
    frame: Frame,
    open: Vec<OpenAppeal>,
    /// How many more wait.
    more_open: usize,
    ended: Vec<EndedAppeal>,
    measured: Measured,
    bars: Bars,
    /// What stands under the columns, and how many appeals each has.
    columns: Vec<(String, u64)>,
}

struct OpenAppeal {
    id: i64,
    person: String,
    is_masked: bool,
    app: String,
    scenario: String,
    submitted: Option<Date>,
    /// Which business day after the submission it is.
    day: Option<u16>,
    /// Between which days a result can be expected.
    window: Option<(Date, Date)>,
    state: State,
    next_reminder: Option<Date>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Overdue,
    Due,
    Waiting,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Overdue => "appeals.overdue",
            Self::Due => "appeals.due",
            Self::Waiting => "appeals.waiting",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Overdue => "tag-bad",
            Self::Due => "tag-warn",
            Self::Waiting => "tag-info",
        }
    }
}

struct EndedAppeal {
    scenario: String,
    submitted: Option<Date>,
    closed: Date,
    outcome: String,
    days: Option<u16>,
}

/// How long appeals took, in business days.
#[derive(Default)]
struct Measured {
    count: usize,
    median: Option<u16>,
    shortest: Option<u16>,
    longest: Option<u16>,
    within: String,
    lifted: String,
}

async fn show(visit: Visit<Viewer>) -> Result<HttpResponse, Refusal> {
    page(visit, None).await
}

#[derive(Deserialize)]
struct Nothing {}

/// That a person's id was looked at is noted before it is shown.
async fn show_person(visit: Visit<Admin>, id: web::Path<i64>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    visit.note("unmask-person", &id.to_string()).await?;
    page(visit, Some(*id)).await
}

async fn page<Role>(visit: Visit<Role>, unmasked: Option<i64>) -> Result<HttpResponse, Refusal> {
    let appeals = visit.console.store.appeals().await?;
    let (frame, assistant) = (visit.frame, visit.console.assistant.get());
    let today = day_of(visit.console.clock.now());
    let (open, ended): (Vec<_>, Vec<_>) = appeals.iter().partition(|appeal| appeal.closed_at.is_none());
    let shown = |appeal: &&TrackedAppeal| open_appeal(&frame, &assistant, today, appeal, unmasked);
    let mut open: Vec<OpenAppeal> = open.iter().map(shown).collect();
    open.sort_by_key(|appeal| (appeal.state, appeal.submitted));
    let more_open = open.len().saturating_sub(OPEN);
    open.truncate(OPEN);
    let mut ended: Vec<EndedAppeal> = ended
        .iter()
        .filter_map(|appeal| ended_appeal(&frame, &assistant, appeal))
        .collect();
    let columns = columns(&ended);
    let bars: Vec<[u64; 1]> = columns.iter().map(|(_, count)| [*count]).collect();
    let measured = Measured::of(&ended);
    ended.truncate(ENDED);
    html(&AppealsPage {
        frame,
        open,
        more_open,
        ended,
        measured,
        bars: Bars::new(["answer"], &bars),
        columns,
    })
}

fn open_appeal(
    frame: &Frame,
    assistant: &Assistant,
    today: Date,
    appeal: &TrackedAppeal,
    unmasked: Option<i64>,
) -> OpenAppeal {
    let about = about(appeal);
    let workdays = &assistant.catalogue.workdays;
    let submitted = about.as_ref().map(|about| about.submitted);
    let day = submitted.and_then(|day| workdays.business_days_between(day, today));
    let user_id = appeal.user_id.clone().unwrap_or_default();
    let is_masked = unmasked != Some(appeal.id);
    OpenAppeal {
        id: appeal.id,
        person: if is_masked { masked_id(&user_id) } else { user_id },
        is_masked,
        app: appeal.app.clone(),
        scenario: about.map_or_else(String::new, |about| {
            frame.scenario(&assistant.catalogue, &about.scenario)
        }),
        submitted,
        day,
        window: submitted.and_then(|day| window(workdays, day)),
        state: match day {
            Some(day) if day > PROMISED.1 => State::Overdue,
            Some(day) if day >= PROMISED.0 => State::Due,
            _ => State::Waiting,
        },
        next_reminder: appeal.reminders.first().map(|reminder| day_of(reminder.due)),
    }
}

fn window(workdays: &Workdays, submitted: Date) -> Option<(Date, Date)> {
    let after = |days: u16| workdays.business_day_after(submitted, u8::try_from(days).ok()?);
    Some((after(PROMISED.0)?, after(PROMISED.1)?))
}

fn ended_appeal(frame: &Frame, assistant: &Assistant, appeal: &TrackedAppeal) -> Option<EndedAppeal> {
    let (about, closed) = (about(appeal), day_of(appeal.closed_at?));
    let submitted = about.as_ref().map(|about| about.submitted);
    let workdays = &assistant.catalogue.workdays;
    Some(EndedAppeal {
        scenario: about.map_or_else(String::new, |about| {
            frame.scenario(&assistant.catalogue, &about.scenario)
        }),
        submitted,
        closed,
        outcome: appeal.outcome.clone().unwrap_or_default(),
        days: submitted.and_then(|day| workdays.business_days_between(day, closed)),
    })
}

fn about(appeal: &TrackedAppeal) -> Option<Appeal> {
    serde_json::from_str(&appeal.record).ok()
}

/// How many appeals took how many business days.
fn columns(ended: &[EndedAppeal]) -> Vec<(String, u64)> {
    let mut columns: Vec<(String, u64)> = (0..COLUMNS).map(|days| (days.to_string(), 0)).collect();
    columns.push((format!("{COLUMNS}+"), 0));
    for days in ended.iter().filter_map(|appeal| appeal.days) {
        if let Some((_, count)) = columns.get_mut(usize::from(days).min(COLUMNS)) {
            *count += 1;
        }
    }
    columns
}

impl Measured {
    fn of(ended: &[EndedAppeal]) -> Self {
        let mut days: Vec<u16> = ended.iter().filter_map(|appeal| appeal.days).collect();
        days.sort_unstable();
        let number = |count: usize| u64::try_from(count).unwrap_or_default();
        let within = days.iter().filter(|days| **days <= PROMISED.1).count();
        let lifted = ended.iter().filter(|appeal| appeal.outcome == "lifted").count();
        Self {
            count: days.len(),
            median: days.get(days.len() / 2).copied(),
            shortest: days.first().copied(),
            longest: days.last().copied(),
            within: share(number(within), number(days.len())),
            lifted: share(number(lifted), number(ended.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(days: u16, outcome: &str) -> EndedAppeal {
        EndedAppeal {
            scenario: String::new(),
            submitted: None,
            closed: jiff::civil::date(2026, 11, 22),
            outcome: outcome.to_owned(),
            days: Some(days),
        }
    }

    #[test]
    fn appeals_are_measured_in_business_days() {
        let ended = [
            ended(2, "lifted"),
            ended(4, "lifted"),
            ended(5, "refused"),
            ended(30, "lifted"),
        ];
        let measured = Measured::of(&ended);
        assert_eq!((measured.count, measured.median), (4, Some(5)));
        assert_eq!((measured.shortest, measured.longest), (Some(2), Some(30)));
        assert_eq!((measured.within.as_str(), measured.lifted.as_str()), ("75%", "75%"));
        let columns = columns(&ended);
        assert_eq!((columns[4].1, columns[COLUMNS].1, columns.len()), (1, 1, COLUMNS + 1));
        assert_eq!(Measured::of(&[]).median, None);
    }
}
