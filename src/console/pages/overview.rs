//! How things are: what was asked, how it was answered, and what needs attention.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::settings::missing_year;
use crate::console::chart::{Bars, line};
use crate::console::days::{DECISIONS, Day};
use crate::console::format::{count, day_of, micros, share};
use crate::console::frame::Frame;
use crate::console::refusal::Refusal;
use crate::console::state::Console;
use crate::console::unanswered::find_unanswered_ahead;
use crate::console::visit::{Viewer, Visit, html};
use crate::doctor::{Level, examine_life};
use crate::http::Fate;
use crate::metrics::{CallbackStep, Metrics};
use crate::store::Figures;

/// What may wait so long needs no attention.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

/// So many scenarios are shown.
const SCENARIOS: usize = 8;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route(crate::console::ROOT, web::get().to(show));
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    periods: [i64; 3],
    period: i64,
    needs: Vec<Need>,
    tiles: Vec<Tile>,
    days: Vec<ShownDay>,
    decisions: [(&'static str, String); DECISIONS.len()],
    bars: Bars,
    /// Lines of the time that understanding took: half and 95 % of the questions, and the value at the upper edge.
    half_line: String,
    most_line: String,
    time_top: String,
    scenarios: Vec<ShownScenario>,
    callbacks: Vec<(&'static str, String)>,
    steps: Vec<(&'static str, String)>,
}

/// Something that needs attention.
struct Need {
    /// A key of `words.toml`, and what is filled in.
    word: &'static str,
    value: String,
    /// Where to do something about it.
    path: String,
}

/// A figure.
struct Tile {
    /// A key of `words.toml`.
    word: &'static str,
    value: String,
    note: String,
}

/// A day, as the table has it.
struct ShownDay {
    date: Date,
    questions: u64,
    decisions: [u64; DECISIONS.len()],
    useful: String,
    half: String,
    most: String,
}

struct ShownScenario {
    id: String,
    label: String,
    count: u64,
    share: String,
    /// Of the most frequent one, in percent.
    width: u64,
}

#[derive(Deserialize)]
struct Asked {
    days: Option<i64>,
}

async fn show(visit: Visit<Viewer>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    let periods = [7, 30, 90];
    let period = asked.days.filter(|days| periods.contains(days)).unwrap_or(30);
    let console = &visit.console;
    find_unanswered_ahead(console);
    let now = Timestamp::now();
    let days = console.days.last(&*console.store, day_of(now), period).await?;
    let mut needs = needs(console, console.store.figures().await?, now).await?;
    if visit.frame.may_edit() {
        needs.extend(callbacks_refused(console).await);
    }
    needs.extend(calendar(console).filter(|_| visit.frame.may_edit()));
    needs.extend(outbreaks(console, &visit.frame, now).await?);
    let frame = visit.frame;
    let sum = Day::sum(days.iter().map(|(_, day)| &**day));
    let columns: Vec<[u64; DECISIONS.len()]> = days.iter().map(|(_, day)| day.decisions).collect();
    let at = |thousandth| -> Vec<Option<f64>> {
        let of_day = |(_, day): &(Date, Arc<Day>)| day.micros_at(thousandth).map(|micros| micros as f64);
        days.iter().map(of_day).collect()
    };
    let (half, most) = (at(500), at(950));
    let top = most.iter().flatten().fold(1.0_f64, |top, micros| top.max(*micros));
    html(&OverviewPage {
        periods,
        period,
        needs,
        tiles: tiles(&frame, &days, &sum),
        decisions: DECISIONS.map(|decision| (decision, count(sum.with(decision)))),
        bars: Bars::new(DECISIONS, &columns),
        half_line: line(&half, top),
        most_line: line(&most, top),
        time_top: micros(top as u64),
        scenarios: scenarios(console, &frame, &sum),
        callbacks: callbacks(&console.metrics),
        steps: steps(&console.metrics),
        days: days.iter().map(shown_day).collect(),
        frame,
    })
}

fn tiles(frame: &Frame, days: &[(Date, Arc<Day>)], sum: &Day) -> Vec<Tile> {
    let today = days.last().map(|(_, day)| day.questions()).unwrap_or_default();
    let (all, rated) = (sum.questions(), sum.useful + sum.useless);
    let part = |word, decision| Tile {
        word,
        value: share(sum.with(decision), all),
        note: frame.fill("overview.of-them", count(sum.with(decision))),
    };
    vec![
        Tile {
            word: "overview.questions",
            value: count(all),
            note: frame.fill("overview.today", count(today)),
        },
        part("overview.answered", "answer"),
        part("overview.asked-back", "ask_back"),
        part("overview.refused", "refuse"),
        part("overview.handed-over", "human"),
        Tile {
            word: "overview.useful",
            value: share(sum.useful, rated),
            note: frame.fill("overview.ratings", count(rated)),
        },
        Tile {
            word: "overview.time",
            value: time(sum.micros_at(500)),
            note: frame.fill("overview.time-most", time(sum.micros_at(950))),
        },
    ]
}

fn time(time: Option<u64>) -> String {
    time.map_or_else(|| "–".to_owned(), micros)
}

fn shown_day((date, day): &(Date, Arc<Day>)) -> ShownDay {
    ShownDay {
        date: *date,
        questions: day.questions(),
        decisions: day.decisions,
        useful: share(day.useful, day.useful + day.useless),
        half: time(day.micros_at(500)),
        most: time(day.micros_at(950)),
    }
}

fn scenarios(console: &Console, frame: &Frame, sum: &Day) -> Vec<ShownScenario> {
    let assistant = console.assistant.get();
    let mut counted: Vec<(&String, u64)> = sum.scenarios.iter().map(|(id, count)| (id, *count)).collect();
    counted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let all: u64 = counted.iter().map(|(_, count)| count).sum();
    let most = counted.first().map_or(1, |(_, count)| *count);
    let shown = counted.into_iter().take(SCENARIOS);
    let shown = shown.map(|(id, count)| ShownScenario {
        label: frame.scenario(&assistant.catalogue, id),
        id: id.clone(),
        count,
        share: share(count, all),
        width: count * 100 / most.max(1),
    });
    shown.collect()
}

fn callbacks(metrics: &Metrics) -> Vec<(&'static str, String)> {
    let counted = Fate::ALL.map(|(_, name)| (name, count(metrics.callbacks_of(name))));
    let late = ("late", count(metrics.late_replies()));
    counted.into_iter().chain([late]).collect()
}

fn steps(metrics: &Metrics) -> Vec<(&'static str, String)> {
    let steps = [
        ("open", CallbackStep::Open),
        ("step", CallbackStep::Step),
        ("store", CallbackStep::Store),
        ("seal", CallbackStep::Seal),
    ];
    let taken = steps.map(|(name, step)| {
        let average = metrics
            .average_of(step)
            .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        (name, average.map_or_else(|| "–".to_owned(), micros))
    });
    taken.to_vec()
}

/// What somebody should look at.
async fn needs(console: &Console, figures: Figures, now: Timestamp) -> Result<Vec<Need>, Refusal> {
    let is_late = |at: &Timestamp| now.duration_since(*at) > PATIENCE;
    let mut needs = Vec::new();
    let mut need = |is_needed: bool, word, value: u64, path: &str| {
        if is_needed {
            let (value, path) = (count(value), path.to_owned());
            needs.push(Need { word, value, path });
        }
    };
    let dead = u64::from(figures.dead_received) + u64::from(figures.dead_sends);
    need(dead > 0, "overview.dead", dead, "/console/dead-letters");
    let waits = figures.oldest_waiting.as_ref().is_some_and(is_late);
    need(waits, "overview.waiting", figures.waiting.into(), "/console/messages");
    let unsent = figures.oldest_due.as_ref().is_some_and(is_late);
    need(unsent, "overview.unsent", figures.unsent.into(), "/console/messages");
    let (due, overdue) = reminders(console).await?;
    need(overdue > 0, "overview.overdue", overdue, "/console/appeals");
    need(due > 0, "overview.due", due, "/console/appeals");
    let failed = console.metrics.callbacks_of(Fate::Failed.name());
    need(failed > 0, "overview.failed", failed, crate::console::ROOT);
    let instances = console.store.instances().await?;
    let refusing = instances.iter().filter(|one| !one.report.knowledge_refusal.is_empty());
    let refusing = u64::try_from(refusing.count()).unwrap_or_default();
    need(refusing > 0, "overview.knowledge", refusing, crate::console::ROOT);
    Ok(needs)
}

/// That callbacks are refused, or something else is wrong with those on record.
async fn callbacks_refused(console: &Console) -> Option<Need> {
    let findings = examine_life(&console.app_names(), &*console.store).await;
    let wrong = findings.iter().filter(|finding| finding.level() == Level::Red).count();
    (wrong > 0).then(|| Need {
        word: "overview.refused-callbacks",
        value: wrong.to_string(),
        path: "/console/doctor".to_owned(),
    })
}

/// That the calendar ends soon.
fn calendar(console: &Console) -> Option<Need> {
    let (year, is_missing) = missing_year(&console.assistant.get().catalogue, day_of(console.clock.now()));
    is_missing.then(|| Need {
        word: "overview.calendar",
        value: year.to_string(),
        path: "/console/settings".to_owned(),
    })
}

/// Restrictions that several people had within a short time, since yesterday.
async fn outbreaks(console: &Console, frame: &Frame, now: Timestamp) -> Result<Vec<Need>, Refusal> {
    let since = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now);
    let outbreaks = console.store.outbreaks(since).await?;
    let catalogue = &console.assistant.get().catalogue;
    let need = outbreaks.into_iter().map(|outbreak| {
        let people = frame.fill("overview.outbreak-people", outbreak.people);
        Need {
            word: "overview.outbreak",
            value: format!("{} ({people})", frame.scenario(catalogue, &outbreak.scenario)),
            path: format!("/console/messages?scenario={}", outbreak.scenario),
        }
    });
    Ok(need.collect())
}

/// How many reminders are due today, and how many have been for longer.
async fn reminders(console: &Console) -> Result<(u64, u64), Refusal> {
    let now = console.clock.now();
    let today = day_of(now);
    let appeals = console.store.appeals().await?;
    let reminders = appeals.iter().flat_map(|appeal| &appeal.reminders);
    let (mut due, mut overdue) = (0, 0);
    for reminder in reminders {
        match day_of(reminder.due).cmp(&today) {
            std::cmp::Ordering::Less => overdue += 1,
            std::cmp::Ordering::Equal => due += 1,
            std::cmp::Ordering::Greater => {}
        }
    }
    Ok((due, overdue))
}
