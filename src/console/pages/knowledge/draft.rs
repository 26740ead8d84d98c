//! What is changed and not published: how it differs, what is wrong with it, which answers it would change; publishing it or throwing it away.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::Desk;
use super::shown::{ShownDifference, ShownProblem, shown_differences, shown_problem};
use crate::console::form::Posted;
use crate::console::format::micros;
use crate::console::frame::Frame;
use crate::console::masking::masked;
use crate::console::refusal::{Refusal, see_other};
use crate::console::unanswered::find_unanswered_ahead;
use crate::console::visit::{Editor, Visit, html};
use crate::evaluation::{AnsweredQuestion, Change};
use crate::workshop::{ChangedAnswer, Draft, NoCandidate, PublishError, TrialReport, TrialState, check, patch};

/// So many answers that change are shown.
const MOST_SHOWN: usize = 200;

/// Most characters of a comment.
const LONGEST_COMMENT: usize = 500;

pub(super) const DRAFT_PAGE: &str = "/console/knowledge/draft";

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/knowledge/draft", web::get().to(show))
        .route("/console/knowledge/draft.patch", web::get().to(as_patch))
        .route("/console/knowledge/draft/file", web::get().to(one_file))
        .route("/console/knowledge/draft/discard", web::post().to(discard))
        .route("/console/knowledge/draft/forget", web::post().to(forget))
        .route("/console/knowledge/draft/insist", web::post().to(insist))
        .route("/console/knowledge/draft/trial", web::post().to(start_trial))
        .route("/console/knowledge/draft/trial/end", web::post().to(end_trial))
        .route("/console/knowledge/draft/publish", web::post().to(publish));
}

#[derive(Template)]
#[template(path = "knowledge_draft.html")]
struct DraftPage {
    frame: Frame,
    changes: Vec<ShownDifference>,
    conflicts: Vec<ShownDifference>,
    problems: Vec<ShownProblem>,
    trial: ShownTrial,
    /// Why nothing was published.
    problem: Option<String>,
    is_not_writable: bool,
    comment: String,
    directory: String,
}

/// How far the trial is, and what it has shown.
#[derive(Default)]
struct ShownTrial {
    is_learning: bool,
    /// How many questions have been asked, and how many there are.
    asking: Option<(usize, usize)>,
    failed: Option<String>,
    report: Option<ShownReport>,
}

struct ShownReport {
    asked: usize,
    labelled: usize,
    right_before: usize,
    right_after: usize,
    lost: usize,
    gained: usize,
    other: usize,
    time: String,
    changed: Vec<ShownChange>,
    /// How many are not shown.
    more: usize,
    reworded: Vec<(String, usize, String, String)>,
    misplaced: Vec<String>,
    misplaced_before: usize,
    left_out: Vec<String>,
    /// Whether the draft was changed since.
    is_old: bool,
}

struct ShownChange {
    class: &'static str,
    word: &'static str,
    question: String,
    label: String,
    before: (&'static str, String, String),
    after: (&'static str, String, String),
}

async fn show(visit: Visit<Editor>) -> Result<HttpResponse, Refusal> {
    let desk = Desk::of(&visit).await?;
    page(visit, desk, None, String::new()).await
}

async fn page(
    visit: Visit<Editor>,
    desk: Desk,
    refused: Option<PublishError>,
    comment: String,
) -> Result<HttpResponse, Refusal> {
    let over = desk.draft.over(&desk.files);
    let problems = check(over.clone()).await;
    let trial = desk.workshop.trial(&desk.author);
    let version = crate::dialogue::version_of(&over);
    html(&DraftPage {
        changes: shown_differences(&desk.draft.changes()),
        conflicts: shown_differences(&desk.draft.conflicts(&desk.files)),
        problems: problems
            .iter()
            .map(|problem| shown_problem(problem, |file| over.text(file)))
            .collect(),
        trial: trial
            .map(|trial| shown_trial(&visit.frame, &desk, trial, &version))
            .unwrap_or_default(),
        is_not_writable: matches!(refused, Some(PublishError::NotWritable { .. })),
        problem: refused.map(|refused| refused.to_string()),
        comment,
        directory: desk.workshop.directory().display().to_string(),
        frame: visit.frame,
    })
}

fn shown_trial(frame: &Frame, desk: &Desk, trial: TrialState, version: &str) -> ShownTrial {
    let mut shown = ShownTrial::default();
    match trial {
        TrialState::Learning => shown.is_learning = true,
        TrialState::Asking { done, of } => shown.asking = Some((done, of)),
        TrialState::Failed(error) => {
            shown.failed = Some(match &*error {
                NoCandidate::Problems(_) => frame.t("knowledge.mend-first").to_owned(),
                other => other.to_string(),
            });
        }
        TrialState::Ready(report) => shown.report = Some(shown_report(frame, desk, &report, version)),
    }
    shown
}

fn shown_report(frame: &Frame, desk: &Desk, report: &TrialReport, version: &str) -> ShownReport {
    let preview = &report.preview;
    let current = desk.workshop.current();
    let outcome = |answered: &AnsweredQuestion| {
        let first = answered
            .scenarios
            .first()
            .map(|id| frame.scenario(&current.catalogue, id));
        (
            answered.decision.name(),
            first.unwrap_or_default(),
            answered.reply.clone(),
        )
    };
    let shown = |changed: &ChangedAnswer| {
        let (class, word) = match changed.change {
            Change::Lost => ("tag-bad", "knowledge.lost"),
            Change::Gained => ("tag-good", "knowledge.gained"),
            Change::Changed | Change::Reworded | Change::Same => ("tag-info", "knowledge.other"),
        };
        ShownChange {
            class,
            word,
            question: masked(&changed.after.question),
            label: changed
                .label
                .as_ref()
                .map(|(file, label)| format!("{file}: {label}"))
                .unwrap_or_default(),
            before: outcome(&changed.before),
            after: outcome(&changed.after),
        }
    };
    let reworded = preview.reworded.iter().map(|(outcome, reworded)| {
        let name = frame.scenario(&current.catalogue, outcome);
        (
            name,
            reworded.questions,
            reworded.before.reply.clone(),
            reworded.after.reply.clone(),
        )
    });
    ShownReport {
        asked: preview.asked,
        labelled: preview.labelled,
        right_before: preview.right_before,
        right_after: preview.right_after,
        lost: preview.count(Change::Lost),
        gained: preview.count(Change::Gained),
        other: preview.count(Change::Changed),
        time: micros(report.millis.saturating_mul(1_000)),
        changed: preview.changed.iter().take(MOST_SHOWN).map(shown).collect(),
        more: preview.changed.len().saturating_sub(MOST_SHOWN),
        reworded: reworded.collect(),
        misplaced: report.misplaced.iter().map(ToString::to_string).collect(),
        misplaced_before: report.misplaced_before,
        left_out: preview.left_out.clone(),
        is_old: report.version != version,
    }
}

#[derive(Deserialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Named {
    path: String,
}

async fn discard(visit: Visit<Editor>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    desk.draft = Draft::default();
    desk.save().await?;
    desk.workshop.end_trial(&desk.author);
    Ok(see_other("/console/knowledge"))
}

async fn forget(visit: Visit<Editor>, Posted(named): Posted<Named>) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    desk.draft.forget(&named.path);
    desk.save().await?;
    Ok(see_other(DRAFT_PAGE))
}

async fn insist(visit: Visit<Editor>, Posted(named): Posted<Named>) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    desk.draft.insist(&desk.files, &named.path);
    desk.save().await?;
    Ok(see_other(DRAFT_PAGE))
}

async fn start_trial(visit: Visit<Editor>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let desk = Desk::of(&visit).await?;
    desk.workshop.start_trial(&desk.author, desk.draft, Timestamp::now());
    Ok(see_other(DRAFT_PAGE))
}

async fn end_trial(visit: Visit<Editor>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    visit.console.workshop.end_trial(&visit.user.name);
    Ok(see_other(DRAFT_PAGE))
}

#[derive(Deserialize)]
struct Publishing {
    #[serde(default)]
    comment: String,
}

async fn publish(visit: Visit<Editor>, Posted(form): Posted<Publishing>) -> Result<HttpResponse, Refusal> {
    let comment: String = form.comment.chars().take(LONGEST_COMMENT).collect();
    let author = visit.user.name.clone();
    let workshop = visit.console.workshop.clone();
    match workshop.publish(&author, &comment, Timestamp::now()).await {
        Ok(published) => {
            visit.note("publish", &published.id.to_string()).await?;
            workshop.until_taken(&published.version).await;
            find_unanswered_ahead(&visit.console);
            Ok(see_other(&format!("/console/knowledge/versions?done={}", published.id)))
        }
        Err(PublishError::Workshop(error)) => Err(error.into()),
        Err(refused) => {
            let desk = Desk::of(&visit).await?;
            page(visit, desk, Some(refused), comment).await
        }
    }
}

/// For whoever makes the directory some other way.
async fn as_patch(visit: Visit<Editor>) -> Result<HttpResponse, Refusal> {
    let desk = Desk::of(&visit).await?;
    let patch = patch("knowledge", &desk.draft.changes());
    Ok(download("knowledge.patch", patch))
}

async fn one_file(visit: Visit<Editor>, named: web::Query<Named>) -> Result<HttpResponse, Refusal> {
    let desk = Desk::of(&visit).await?;
    let text = desk.draft.text(&desk.files, &named.path).ok_or(Refusal::NotFound)?;
    let name = named.path.rsplit('/').next().unwrap_or_default();
    // What could mean something in a header is left out of the name.
    let name: String = name
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter))
        .collect();
    Ok(download(&name, text.to_owned()))
}

pub(super) fn download(name: &str, text: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(text)
}
