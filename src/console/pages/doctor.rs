//! What keeps callbacks away: what `jiefeng doctor` finds, on a page.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use serde::Deserialize;

use crate::config::{Environment, Readable, examine as read_configuration};
use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::refusal::Refusal;
use crate::console::visit::{Editor, Visit, html};
use crate::doctor::{Finding, Level, Patient, Side, examine, examine_life};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/doctor", web::get().to(show))
        .route("/console/doctor", web::post().to(examine_all));
}

#[derive(Template)]
#[template(path = "doctor.html")]
struct DoctorPage {
    frame: Frame,
    /// Whether everything has been examined, or only what is on record was looked at.
    is_whole: bool,
    /// Whether there is a configuration file that could be examined.
    has_file: bool,
    red: usize,
    yellow: usize,
    sides: Vec<OfSide>,
}

/// What was found on one side, the worst first.
struct OfSide {
    /// Its name in `words.toml`.
    word: &'static str,
    findings: Vec<Shown>,
}

/// A finding in words.
struct Shown {
    level: &'static str,
    app: String,
    cause: &'static str,
    what: String,
    why: String,
    cure: String,
}

/// Shows at once what is on record of real requests; the rest takes seconds and sends requests, so it is asked for.
async fn show(visit: Visit<Editor>) -> Result<HttpResponse, Refusal> {
    let settings = settings(&visit)?;
    let apps: Vec<&str> = match &settings {
        Some(settings) => settings.apps.iter().map(|app| app.name.as_str()).collect(),
        None => visit.console.app_names(),
    };
    let findings = examine_life(&apps, &*visit.console.store).await;
    page(visit, findings, false)
}

#[derive(Deserialize)]
struct Nothing {}

/// One at a time: an examination sends some dozen requests.
async fn examine_all(visit: Visit<Editor>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let settings = settings(&visit)?.ok_or(Refusal::NotFound)?;
    visit.note("doctor", "").await?;
    let console = visit.console.clone();
    let _alone = console.examining.lock().await;
    let patient = Patient {
        public_url: settings.server.as_ref().and_then(|server| server.public_url.as_ref()),
        settings: &settings,
        store: Ok(&*console.store),
    };
    let findings = examine(patient, |_| {}).await;
    page(visit, findings, true)
}

/// What the configuration file says now, which may be more than what the server was started with.
fn settings(visit: &Visit<Editor>) -> Result<Option<Readable>, Refusal> {
    let Some(file) = &visit.console.configuration else {
        return Ok(None);
    };
    let settings = read_configuration(file, &Environment::of_process());
    settings.map(Some).map_err(|error| {
        tracing::warn!(%error, "the doctor cannot read the configuration");
        Refusal::Unavailable
    })
}

fn page(visit: Visit<Editor>, findings: Vec<Finding>, is_whole: bool) -> Result<HttpResponse, Refusal> {
    let count = |level: Level| findings.iter().filter(|finding| finding.level() == level).count();
    let sides = [
        (Side::Life, "doctor.life"),
        (Side::Outside, "doctor.outside"),
        (Side::Platform, "doctor.platform"),
        (Side::Inside, "doctor.inside"),
    ];
    let (red, yellow) = (count(Level::Red), count(Level::Yellow));
    let sides = sides
        .into_iter()
        .map(|(side, word)| of_side(&visit.frame, side, word, &findings));
    let sides = sides.filter(|side| !side.findings.is_empty()).collect();
    html(&DoctorPage {
        is_whole,
        has_file: visit.console.configuration.is_some(),
        red,
        yellow,
        sides,
        frame: visit.frame,
    })
}

fn of_side(frame: &Frame, side: Side, word: &'static str, findings: &[Finding]) -> OfSide {
    let mut own: Vec<&Finding> = findings.iter().filter(|finding| finding.side() == side).collect();
    own.sort_by_key(|finding| std::cmp::Reverse(finding.level()));
    OfSide {
        word,
        findings: own.into_iter().map(|finding| shown(frame, finding)).collect(),
    }
}

fn shown(frame: &Frame, finding: &Finding) -> Shown {
    let words = finding.words(frame.language.of_knowledge());
    Shown {
        level: match finding.level() {
            Level::Green => "good",
            Level::Yellow => "warn",
            Level::Red => "bad",
        },
        app: finding.app.clone(),
        cause: finding.cause.id(),
        what: words.what,
        why: words.why,
        cure: words.cure,
    }
}
