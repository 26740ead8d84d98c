//! What can be set while the server runs, and what of the knowledge is a setting: the workday calendar and the thresholds.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::knowledge::Desk;
use crate::config::AdjustableKey;
use crate::console::form::Posted;
use crate::console::format::day_of;
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::state::Console;
use crate::console::visit::{Admin, Editor, Visit, html};
use crate::knowledge::{Catalogue, DecisionThresholds};
use crate::workshop::{Edit, NoticeProblem, read_notice};

const PAGE: &str = "/console/settings";

/// The arrangement of a year is announced in the last weeks of the year before; whoever has none by this day should look for it.
const ASK_FOR_NEXT_YEAR_FROM: (i8, i8) = (12, 1);

/// Settings that are saved together.
const SECTIONS: [(&str, &[AdjustableKey]); 3] = [
    ("duty", &[AdjustableKey::DutyHours, AdjustableKey::DutyOnBusinessDays]),
    ("retention", &[AdjustableKey::RetentionDays]),
    (
        "notices",
        &[
            AdjustableKey::NoticeApp,
            AdjustableKey::NoticeUsers,
            AdjustableKey::OutbreakPeople,
        ],
    ),
];

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route(PAGE, web::get().to(show))
        .route(PAGE, web::post().to(save))
        .route("/console/settings/calendar", web::post().to(take_notice))
        .route("/console/settings/thresholds", web::post().to(set_thresholds));
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    sections: Vec<ShownSection>,
    years: Vec<ShownYear>,
    /// The first year that the calendar does not have, and whether it is time to add it.
    missing: (i16, bool),
    notice: String,
    notice_problems: Vec<String>,
    thresholds: [ShownThreshold; 3],
    saved: Option<String>,
}

struct ShownSection {
    name: &'static str,
    fields: Vec<ShownField>,
    /// Whether something of it can be set here.
    is_open: bool,
    problem: Option<&'static str>,
}

struct ShownField {
    key: &'static str,
    /// A key of `words.toml`.
    word: &'static str,
    hint: &'static str,
    value: String,
    placeholder: String,
    /// The configuration says it, and the console cannot.
    is_fixed: bool,
    kind: Kind,
}

enum Kind {
    Text,
    Number,
    Switch,
    /// One of these.
    Choice(Vec<String>),
}

struct ShownYear {
    year: i16,
    file: String,
    days_off: usize,
    make_up_workdays: Vec<Date>,
}

struct ShownThreshold {
    key: &'static str,
    word: &'static str,
    value: String,
    own: u8,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    saved: String,
}

async fn show(visit: Visit<Editor>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    let is_section = |section: &&(&str, &[AdjustableKey])| section.0 == asked.saved;
    let saved = SECTIONS.iter().find(is_section).map(|(name, _)| (*name).to_owned());
    page(visit, Wrong::default(), saved).await
}

/// What somebody has filled in and cannot be taken.
#[derive(Default)]
struct Wrong {
    section: Option<Filled>,
    notice: String,
    notice_problems: Vec<NoticeProblem>,
}

/// A section as it was sent.
#[derive(Deserialize, Default)]
struct Filled {
    section: String,
    #[serde(default, rename = "hand_over.hours")]
    duty_hours: String,
    #[serde(default, rename = "hand_over.business_days_only")]
    duty_on_business_days: String,
    #[serde(default, rename = "storage.retention_days")]
    retention_days: String,
    #[serde(default, rename = "notices.app")]
    notice_app: String,
    #[serde(default, rename = "notices.users")]
    notice_users: String,
    #[serde(default, rename = "notices.outbreak_people")]
    outbreak_people: String,
}

impl Filled {
    /// What stands in a field; a switch that is off is not sent at all.
    fn value(&self, key: AdjustableKey) -> &str {
        match key {
            AdjustableKey::DutyHours => self.duty_hours.trim(),
            AdjustableKey::DutyOnBusinessDays if self.duty_on_business_days.is_empty() => "false",
            AdjustableKey::DutyOnBusinessDays => "true",
            AdjustableKey::RetentionDays => self.retention_days.trim(),
            AdjustableKey::NoticeApp => self.notice_app.trim(),
            AdjustableKey::NoticeUsers => self.notice_users.trim(),
            AdjustableKey::OutbreakPeople => self.outbreak_people.trim(),
        }
    }
}

async fn page<Role>(visit: Visit<Role>, wrong: Wrong, saved: Option<String>) -> Result<HttpResponse, Refusal> {
    let today = day_of(visit.console.clock.now());
    let assistant = visit.console.assistant.get();
    let desk = Desk::of(&visit).await?;
    let (drafted, _) = Catalogue::read(&desk.draft.over(&desk.files));
    let (console, frame) = (visit.console, visit.frame);
    let sections = SECTIONS.iter().map(|(name, keys)| {
        let filled = wrong.section.as_ref().filter(|filled| filled.section == *name);
        section(&console, name, keys, filled)
    });
    html(&SettingsPage {
        sections: sections.collect(),
        years: years(&assistant.catalogue),
        missing: missing_year(&assistant.catalogue, today),
        notice_problems: wrong
            .notice_problems
            .iter()
            .map(|problem| told(&frame, problem))
            .collect(),
        notice: wrong.notice,
        thresholds: thresholds(&drafted.lexicon.thresholds),
        saved: saved.map(|section| frame.word_of("settings-section", &section).to_owned()),
        frame,
    })
}

fn section(
    console: &Console,
    name: &'static str,
    keys: &'static [AdjustableKey],
    filled: Option<&Filled>,
) -> ShownSection {
    let (configured, stored) = (console.settings.configured(), console.settings.stored());
    let fields: Vec<ShownField> = keys
        .iter()
        .map(|key| {
            let fixed = configured.text(*key);
            let is_fixed = fixed.is_some();
            let value = fixed
                .or_else(|| filled.map(|filled| filled.value(*key).to_owned()))
                .or_else(|| stored.text(*key))
                .unwrap_or_default();
            field(console, *key, value, is_fixed)
        })
        .collect();
    ShownSection {
        name,
        is_open: fields.iter().any(|field| !field.is_fixed),
        fields,
        problem: filled.map(|filled| match is_half(console, filled) {
            true => "settings.half",
            false => "settings.wrong",
        }),
    }
}

fn field(console: &Console, key: AdjustableKey, value: String, is_fixed: bool) -> ShownField {
    let (word, hint, placeholder, kind) = match key {
        AdjustableKey::DutyHours => (
            "settings.duty-hours",
            "settings.duty-hours-hint",
            "9:00-18:00",
            Kind::Text,
        ),
        AdjustableKey::DutyOnBusinessDays => ("settings.duty-days", "settings.duty-days-hint", "", Kind::Switch),
        AdjustableKey::RetentionDays => ("settings.retention", "settings.retention-hint", "180", Kind::Number),
        AdjustableKey::NoticeApp => {
            let apps = console.apps.iter().filter(|app| app.can_send);
            let apps = apps.map(|app| app.name.clone()).collect();
            (
                "settings.notice-app",
                "settings.notice-app-hint",
                "",
                Kind::Choice(apps),
            )
        }
        AdjustableKey::NoticeUsers => (
            "settings.notice-users",
            "settings.notice-users-hint",
            "zhangsan, lisi",
            Kind::Text,
        ),
        AdjustableKey::OutbreakPeople => ("settings.outbreak", "settings.outbreak-hint", "5", Kind::Number),
    };
    // Unless something else is set, people are there on business days only.
    let is_default = value.is_empty() && key == AdjustableKey::DutyOnBusinessDays;
    ShownField {
        key: key.name(),
        word,
        hint,
        value: if is_default { "true".to_owned() } else { value },
        placeholder: placeholder.to_owned(),
        is_fixed,
        kind,
    }
}

/// Whether only one is given of the app that tells and of those who are told.
fn is_half(console: &Console, filled: &Filled) -> bool {
    let is_given = |key: AdjustableKey| {
        let fixed = console.settings.configured().text(key);
        fixed.is_some() || !filled.value(key).is_empty()
    };
    filled.section == "notices" && is_given(AdjustableKey::NoticeApp) != is_given(AdjustableKey::NoticeUsers)
}

/// What the audit log says of a change. Whom it is about is left out.
fn noted((name, value): &(String, Option<String>)) -> String {
    let value = value.as_deref().unwrap_or("-");
    match name == AdjustableKey::NoticeUsers.name() {
        true => name.clone(),
        false => format!("{name} = {value}"),
    }
}

/// An empty field takes a setting back.
async fn save(visit: Visit<Admin>, Posted(filled): Posted<Filled>) -> Result<HttpResponse, Refusal> {
    let section = SECTIONS.iter().find(|(name, _)| *name == filled.section);
    let (name, keys) = section.ok_or(Refusal::Malformed)?;
    let settings = &visit.console.settings;
    let (mut values, mut changes) = (settings.stored(), Vec::new());
    if is_half(&visit.console, &filled) {
        let section = Some(filled);
        let wrong = Wrong {
            section,
            ..Wrong::default()
        };
        return page(visit, wrong, None).await;
    }
    let open = keys.iter().filter(|key| settings.configured().text(**key).is_none());
    for key in open {
        let text = filled.value(*key);
        let can_send = |app: &str| visit.console.apps.iter().any(|one| one.can_send && one.name == app);
        let is_right =
            text.is_empty() || (values.set(*key, text) && (*key != AdjustableKey::NoticeApp || can_send(text)));
        if !is_right {
            let section = Some(filled);
            let wrong = Wrong {
                section,
                ..Wrong::default()
            };
            return page(visit, wrong, None).await;
        }
        let value = values.text(*key).filter(|_| !text.is_empty());
        changes.push((key.name().to_owned(), value));
    }
    let store = &visit.console.store;
    let noted: Vec<String> = changes.iter().map(noted).collect();
    store
        .change_settings(changes, visit.entry("settings", &noted.join(", ")))
        .await?;
    settings.follow(&**store).await?;
    Ok(see_other(&format!("{PAGE}?saved={name}")))
}

fn years(catalogue: &Catalogue) -> Vec<ShownYear> {
    let years = catalogue.workdays.years();
    let shown = years.map(|(year, days_off, make_up_workdays)| ShownYear {
        year,
        file: format!("workdays/{year}.toml"),
        days_off,
        make_up_workdays,
    });
    let mut shown: Vec<ShownYear> = shown.collect();
    shown.reverse();
    shown
}

/// The first year that the calendar does not have, and whether it is time to add it.
pub(super) fn missing_year(catalogue: &Catalogue, today: Date) -> (i16, bool) {
    let missing = catalogue.workdays.first_year_missing(today);
    let is_next = missing == today.year().saturating_add(1);
    let is_late = (today.month(), today.day()) >= ASK_FOR_NEXT_YEAR_FROM;
    (missing, missing <= today.year() || (is_next && is_late))
}

#[derive(Deserialize)]
struct Notice {
    notice: String,
}

/// What the notice says goes into the draft, where it is looked at and published as every change is.
async fn take_notice(visit: Visit<Editor>, Posted(form): Posted<Notice>) -> Result<HttpResponse, Refusal> {
    let notice = match read_notice(&form.notice) {
        Ok(notice) => notice,
        Err(notice_problems) => {
            let wrong = Wrong {
                notice: form.notice,
                notice_problems,
                ..Wrong::default()
            };
            return page(visit, wrong, None).await;
        }
    };
    let edit = Edit::ReplaceFile {
        file: notice.file(),
        text: Some(notice.to_toml(day_of(visit.console.clock.now()))),
    };
    into_draft(&visit, edit).await
}

#[derive(Deserialize)]
struct Thresholds {
    #[serde(default)]
    answer: String,
    #[serde(default)]
    ask_back: String,
    #[serde(default)]
    smalltalk: String,
}

async fn set_thresholds(visit: Visit<Editor>, Posted(form): Posted<Thresholds>) -> Result<HttpResponse, Refusal> {
    let percent = |text: &str| match text.trim() {
        "" => Ok(None),
        text => {
            let percent = text.parse().ok().filter(|percent| (1..=99).contains(percent));
            percent.map(Some).ok_or(Refusal::Malformed)
        }
    };
    let thresholds = DecisionThresholds {
        answer: percent(&form.answer)?,
        ask_back: percent(&form.ask_back)?,
        smalltalk: percent(&form.smalltalk)?,
    };
    into_draft(&visit, Edit::SetThresholds(thresholds)).await
}

async fn into_draft(visit: &Visit<Editor>, edit: Edit) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(visit).await?;
    let applied = desk.draft.apply(&desk.files, edit, day_of(Timestamp::now()));
    applied.map_err(|_| Refusal::Malformed)?;
    desk.save().await?;
    Ok(see_other("/console/knowledge/draft"))
}

fn thresholds(set: &DecisionThresholds) -> [ShownThreshold; 3] {
    let own = crate::matching::Thresholds::default();
    let percent = |probability: f32| (probability * 100.0).round() as u8;
    let shown = |key, word, value: Option<u8>, own| ShownThreshold {
        key,
        word,
        value: value.map(|value| value.to_string()).unwrap_or_default(),
        own: percent(own),
    };
    [
        shown("answer", "settings.threshold-answer", set.answer, own.answer),
        shown("ask_back", "settings.threshold-ask-back", set.ask_back, own.ask_back),
        shown(
            "smalltalk",
            "settings.threshold-smalltalk",
            set.smalltalk,
            own.smalltalk,
        ),
    ]
}

fn told(frame: &Frame, problem: &NoticeProblem) -> String {
    match problem {
        NoticeProblem::NoYear => frame.t("settings.notice-no-year").to_owned(),
        NoticeProblem::NoHolidays => frame.t("settings.notice-no-holidays").to_owned(),
        NoticeProblem::NoSuchDay { written } => frame.fill("settings.notice-no-day", written),
        NoticeProblem::OtherWeekday { day, written } => {
            let other = frame.fill("settings.notice-weekday", day);
            other.replacen("{}", written, 1)
        }
        NoticeProblem::OtherCount { holiday, days, written } => {
            let other = frame.fill("settings.notice-count", holiday);
            other.replacen("{}", &days.to_string(), 1).replacen("{}", written, 1)
        }
        NoticeProblem::NoDaysOff { holiday } => frame.fill("settings.notice-no-days", holiday),
        NoticeProblem::Unclear { written } => frame.fill("settings.notice-unclear", written),
        NoticeProblem::OtherYear { day } => frame.fill("settings.notice-other-year", day),
        NoticeProblem::NoWeekend { day } => frame.fill("settings.notice-no-weekend", day),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::KnowledgeFiles;

    #[test]
    fn next_years_calendar_is_asked_for_from_december_on() {
        let year = "year = 2026\nsource = { name = \"x\", published = 2025-11-04 }\nmake_up_workdays = []\n";
        let files = KnowledgeFiles::default().with("workdays/2026.toml", Some(year));
        let (catalogue, _) = Catalogue::read(&files);
        let missing = |month, day| missing_year(&catalogue, jiff::civil::date(2026, month, day));
        assert_eq!(missing(11, 30), (2027, false));
        assert_eq!(missing(12, 1), (2027, true));
        assert_eq!(missing_year(&catalogue, jiff::civil::date(2027, 1, 1)), (2027, true));
        assert_eq!(
            missing_year(&Catalogue::default(), jiff::civil::date(2026, 3, 1)),
            (2026, true)
        );
    }
}
