//! One's own account: another password, signing out everywhere.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use serde::Deserialize;

use super::link::problem_of;
use super::signing_in::add_cookies;
use crate::console::access::{device_cookie, removed_cookie};
use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::{Viewer, Visit, html};
use crate::store::ConsoleChange;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/account", web::get().to(show))
        .route("/console/account/password", web::post().to(change_password))
        .route("/console/account/sessions", web::post().to(sign_out_everywhere));
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    name: String,
    /// Keys of `words.toml`.
    problem: Option<&'static str>,
    done: Option<&'static str>,
}

fn page(
    visit: Visit<Viewer>,
    problem: Option<&'static str>,
    done: Option<&'static str>,
) -> Result<HttpResponse, Refusal> {
    html(&AccountPage {
        frame: visit.frame,
        name: visit.user.name,
        problem,
        done,
    })
}

async fn show(visit: Visit<Viewer>) -> Result<HttpResponse, Refusal> {
    page(visit, None, None)
}

#[derive(Deserialize)]
struct Change {
    current: String,
    password: String,
    again: String,
}

async fn change_password(visit: Visit<Viewer>, Posted(change): Posted<Change>) -> Result<HttpResponse, Refusal> {
    let (console, name) = (visit.console.clone(), visit.user.name.clone());
    let found = console.store.console_credentials(name.clone()).await?;
    let hash = found.and_then(|found| found.password);
    let is_right = console.hashing.verify(change.current, hash).await;
    if !is_right.ok_or(Refusal::Unavailable)? {
        visit.note("password-failed", "").await?;
        return page(visit, Some("password.wrong"), None);
    }
    if let Some(problem) = problem_of(&change.password, &change.again, &name) {
        return page(visit, Some(problem), None);
    }
    let hashed = console.hashing.hash(change.password).await;
    let password = hashed.ok_or(Refusal::Unavailable)?;
    let device = device_cookie(&name, &password);
    let entry = visit.entry("password", "");
    let change = ConsoleChange::ChangePassword {
        user: visit.user.id,
        password,
        session: visit.session,
    };
    console.store.change_console(change, entry).await?;
    let mut response = page(visit, None, Some("account.changed"))?;
    add_cookies(&mut response, device)?;
    Ok(response)
}

#[derive(Deserialize)]
struct Nothing {}

async fn sign_out_everywhere(visit: Visit<Viewer>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let change = ConsoleChange::SignOutEverywhere { user: visit.user.id };
    let entry = visit.entry("sign-out-everywhere", &visit.user.name);
    visit.console.store.change_console(change, entry).await?;
    let mut response = see_other("/console/login");
    add_cookies(&mut response, [removed_cookie()])?;
    Ok(response)
}
