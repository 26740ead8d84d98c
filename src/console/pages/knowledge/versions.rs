//! What was published: when, by whom, why, how it differs; and rolling it back.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::shown::{ShownDifference, shown_differences};
use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::{Editor, Viewer, Visit, html};
use crate::store::KnowledgeVersion;
use crate::workshop::{ListedVersion, PublishError};

/// Versions on one page.
const ON_A_PAGE: u32 = 50;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/knowledge/versions", web::get().to(list))
        .route("/console/knowledge/versions/{id}", web::get().to(show))
        .route("/console/knowledge/versions/{id}/roll-back", web::post().to(roll_back));
}

#[derive(Deserialize)]
struct Listed {
    before: Option<i64>,
    /// The version that has just been published.
    done: Option<i64>,
}

#[derive(Template)]
#[template(path = "knowledge_versions.html")]
struct VersionsPage {
    frame: Frame,
    versions: Vec<ListedVersion>,
    /// Whether what has just been published answers already.
    done: Option<bool>,
    older: Option<i64>,
    answering: String,
}

async fn list(visit: Visit<Viewer>, listed: web::Query<Listed>) -> Result<HttpResponse, Refusal> {
    let workshop = &visit.console.workshop;
    let versions = workshop.versions(listed.before, ON_A_PAGE).await?;
    let answering = workshop.current().version.clone();
    let done = listed
        .done
        .and_then(|id| versions.iter().find(|one| one.version.id == id));
    let is_full = versions.len() >= usize::try_from(ON_A_PAGE).unwrap_or(usize::MAX);
    html(&VersionsPage {
        done: done.map(|one| one.version.version_after == answering),
        older: versions.last().filter(|_| is_full).map(|last| last.version.id),
        answering,
        versions,
        frame: visit.frame,
    })
}

#[derive(Template)]
#[template(path = "knowledge_version.html")]
struct VersionPage {
    frame: Frame,
    version: KnowledgeVersion,
    changes: Vec<ShownDifference>,
    /// What was changed in these files since.
    later: Vec<ShownDifference>,
    problem: Option<String>,
}

async fn show(visit: Visit<Viewer>, id: web::Path<i64>) -> Result<HttpResponse, Refusal> {
    page(visit, *id, None).await
}

async fn page<Role>(visit: Visit<Role>, id: i64, problem: Option<String>) -> Result<HttpResponse, Refusal> {
    let found = visit.console.workshop.version(id).await?;
    let (version, changes, later) = found.ok_or(Refusal::NotFound)?;
    html(&VersionPage {
        version,
        changes: shown_differences(&changes),
        later: shown_differences(&later),
        problem,
        frame: visit.frame,
    })
}

#[derive(Deserialize)]
struct RollingBack {
    /// `yes`: what was changed later goes as well.
    #[serde(default)]
    with_later: String,
}

async fn roll_back(
    visit: Visit<Editor>,
    id: web::Path<i64>,
    Posted(form): Posted<RollingBack>,
) -> Result<HttpResponse, Refusal> {
    let workshop = visit.console.workshop.clone();
    let comment = visit.frame.fill("knowledge.rolled-back", *id);
    let author = visit.user.name.clone();
    let with_later = form.with_later == "yes";
    let rolled_back = workshop.roll_back(*id, with_later, (&author, &comment), Timestamp::now());
    match rolled_back.await {
        Ok(published) => {
            visit.note("roll-back", &id.to_string()).await?;
            workshop.until_taken(&published.version).await;
            Ok(see_other(&format!("/console/knowledge/versions?done={}", published.id)))
        }
        Err(PublishError::Workshop(error)) => Err(error.into()),
        Err(PublishError::Problems(problems)) => {
            let first = problems.first().map(ToString::to_string);
            page(visit, *id, first).await
        }
        Err(refused) => page(visit, *id, Some(refused.to_string())).await,
    }
}
