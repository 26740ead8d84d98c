//! The pages of the first run.

use std::sync::atomic::Ordering;

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::owner::Owner;
use super::view::{Asking, FirstRunPage, FirstRunPart, Typed, View, version_of};
use super::{FirstRun, PATH, Stage};
use crate::console::access::{FirstLink, first_link};
use crate::console::form::OpenForm;
use crate::console::pages::add_cookies;
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::html;
use crate::setup::{Written, write_configuration};

pub(in crate::console) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/first/link/{token}", web::get().to(claim))
        .route("/console/first", web::get().to(show))
        .route("/console/first", web::post().to(answer))
        .route("/console/first/part", web::get().to(show_part))
        .route("/console/first/start", web::post().to(start_again))
        .route("/console/first/console", web::post().to(enter_console));
}

async fn claim(
    request: HttpRequest,
    first_run: Data<FirstRun>,
    token: web::Path<String>,
) -> Result<HttpResponse, Refusal> {
    let cookie = first_run.claim(&request, &token)?;
    let mut response = see_other(PATH);
    add_cookies(&mut response, cookie)?;
    Ok(response)
}

async fn show(owner: Owner) -> Result<HttpResponse, Refusal> {
    page(owner, Asking::default())
}

fn page(owner: Owner, asking: Asking) -> Result<HttpResponse, Refusal> {
    let view = View::of(&owner.first_run, owner.frame.language.of_knowledge(), asking);
    let version = version_of(&part(&owner, &view)?);
    html(&FirstRunPage {
        frame: owner.frame,
        view,
        version,
    })
}

fn part(owner: &Owner, view: &View) -> Result<String, Refusal> {
    let part = FirstRunPart {
        frame: owner.frame.for_part(),
        view: view.clone(),
    };
    Ok(askama::Template::render(&part)?)
}

#[derive(Deserialize)]
struct Known {
    #[serde(default)]
    version: String,
}

/// What changes by itself, unless it is what the page shows already.
async fn show_part(owner: Owner, known: web::Query<Known>) -> Result<HttpResponse, Refusal> {
    let view = View::of(&owner.first_run, owner.frame.language.of_knowledge(), Asking::default());
    let part = part(&owner, &view)?;
    let version = version_of(&part);
    if version == known.version {
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(HttpResponse::Ok()
        .insert_header(("X-Version", version))
        .content_type("text/html; charset=utf-8")
        .body(part))
}

async fn answer(owner: Owner, OpenForm(typed): OpenForm<Typed>) -> Result<HttpResponse, Refusal> {
    owner.check(&typed.form_token)?;
    if !matches!(*owner.first_run.stage(), Stage::Asking) {
        return Ok(see_other(PATH));
    }
    let (shared, language) = (&owner.first_run.0, owner.frame.language.of_knowledge());
    let say = |wrong| shared.sentences.say(wrong, language, &[]);
    let answers = match typed.answers(&shared.given, say) {
        Ok(answers) => answers,
        Err(asking) => return page(owner, *asking),
    };
    match write_configuration(&shared.given.file, &answers) {
        Ok(written) => {
            if written == Written::WasThere {
                shared.file_was_there.store(true, Ordering::Relaxed);
            }
            owner.first_run.start();
            Ok(see_other(PATH))
        }
        Err(error) => page(owner, Asking::failed(typed, format!("{error:#}"))),
    }
}

#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    form_token: String,
}

async fn start_again(owner: Owner, OpenForm(signed): OpenForm<Signed>) -> Result<HttpResponse, Refusal> {
    owner.check(&signed.form_token)?;
    if matches!(*owner.first_run.stage(), Stage::Failed(_)) {
        owner.first_run.start();
    }
    Ok(see_other(PATH))
}

/// To the console: while nobody can sign in as an admin, by a link that changes that.
async fn enter_console(owner: Owner, OpenForm(signed): OpenForm<Signed>) -> Result<HttpResponse, Refusal> {
    owner.check(&signed.form_token)?;
    let Stage::Running(server) = owner.first_run.stage().clone() else {
        return Ok(see_other(PATH));
    };
    Ok(match first_link(&*server.store).await? {
        FirstLink::Path(path) => see_other(&path),
        FirstLink::NotNeeded => see_other(crate::console::ROOT),
    })
}
