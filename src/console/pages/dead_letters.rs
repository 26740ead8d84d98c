//! Messages that could not be answered or sent.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use serde::Deserialize;

use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::masking::masked_content;
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::{Editor, Visit, html};
use crate::store::{ConsoleRole, DeadLetter, DeadLetterId};

/// So many are listed.
const MOST: u32 = 40;

const PATH: &str = "/console/dead-letters";

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/dead-letters", web::get().to(show))
        .route("/console/dead-letters/{id}/content", web::post().to(show_content))
        .route("/console/dead-letters/{id}/requeue", web::post().to(requeue))
        .route("/console/dead-letters/{id}/discard", web::post().to(discard));
}

#[derive(Template)]
#[template(path = "dead_letters.html")]
struct DeadLettersPage {
    frame: Frame,
    letters: Vec<DeadLetter>,
    all: bool,
    /// How many are listed at most, if there may be more.
    limit: Option<u32>,
    /// Which one is shown with what it says.
    opened: Option<(DeadLetterId, String)>,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    all: String,
}

async fn show(visit: Visit<Editor>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    page(visit, asked.all == "yes", None).await
}

async fn page(
    visit: Visit<Editor>,
    all: bool,
    opened: Option<(DeadLetterId, String)>,
) -> Result<HttpResponse, Refusal> {
    let letters = visit.console.store.dead_letters(all, MOST).await?;
    let is_full = u32::try_from(letters.len()).is_ok_and(|count| count >= MOST);
    html(&DeadLettersPage {
        letters,
        limit: is_full.then_some(MOST),
        frame: visit.frame,
        all,
        opened,
    })
}

#[derive(Deserialize)]
struct Nothing {}

fn id_of(path: &str) -> Result<DeadLetterId, Refusal> {
    path.parse().map_err(|_| Refusal::NotFound)
}

/// Editors see it masked. That it was looked at is noted before it is shown.
async fn show_content(
    visit: Visit<Editor>,
    id: web::Path<String>,
    _: Posted<Nothing>,
) -> Result<HttpResponse, Refusal> {
    let id = id_of(&id)?;
    let letter = visit.console.store.dead_letter(id).await?.ok_or(Refusal::NotFound)?;
    visit.note("content", &id.to_string()).await?;
    let content = letter.content.unwrap_or_default();
    let content = match visit.user.role >= ConsoleRole::Admin {
        true => content,
        false => masked_content(&content),
    };
    page(visit, true, Some((id, content))).await
}

async fn requeue(visit: Visit<Editor>, id: web::Path<String>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let id = id_of(&id)?;
    let now = visit.console.clock.platform_now();
    match visit.console.store.requeue(id, now).await? {
        true => visit.note("requeue", &id.to_string()).await?,
        false => return Err(Refusal::NotFound),
    }
    Ok(see_other(PATH))
}

async fn discard(visit: Visit<Editor>, id: web::Path<String>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let id = id_of(&id)?;
    match visit.console.store.discard(id).await? {
        true => visit.note("discard", &id.to_string()).await?,
        false => return Err(Refusal::NotFound),
    }
    Ok(see_other(PATH))
}
