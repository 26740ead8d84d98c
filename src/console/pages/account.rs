//! One's own account: another password, one-time codes, signing out everywhere.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::link::problem_of;
use super::signing_in::add_cookies;
use crate::console::access::{Scannable, address_of_secret, device_cookie, new_secret, removed_cookie, step_of};
use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::{Viewer, Visit, html};
use crate::store::{ConsoleChange, ConsoleChanged};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/account", web::get().to(show))
        .route("/console/account/password", web::post().to(change_password))
        .route("/console/account/second-factor/new", web::post().to(show_secret))
        .route("/console/account/second-factor", web::post().to(set_second_factor))
        .route("/console/account/sessions", web::post().to(sign_out_everywhere));
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    name: String,
    has_second_factor: bool,
    new_secret: Option<NewSecret>,
    /// Keys of `words.toml`.
    problem: Option<&'static str>,
    done: Option<&'static str>,
}

/// A secret that is not in use yet, and how it looks to an authenticator app.
struct NewSecret {
    secret: String,
    picture: Scannable,
}

fn page(
    visit: Visit<Viewer>,
    problem: Option<&'static str>,
    done: Option<&'static str>,
) -> Result<HttpResponse, Refusal> {
    page_with(visit, None, problem, done)
}

fn page_with(
    visit: Visit<Viewer>,
    new_secret: Option<NewSecret>,
    problem: Option<&'static str>,
    done: Option<&'static str>,
) -> Result<HttpResponse, Refusal> {
    html(&AccountPage {
        frame: visit.frame,
        name: visit.user.name,
        has_second_factor: visit.user.has_second_factor,
        new_secret,
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

/// Whether somebody knows the password that holds now; that somebody does not is noted.
async fn knows_password(visit: &Visit<Viewer>, current: String) -> Result<bool, Refusal> {
    let console = &visit.console;
    let found = console.store.console_credentials(visit.user.name.clone()).await?;
    let hash = found.and_then(|found| found.password);
    let is_right = console.hashing.verify(current, hash).await;
    let is_right = is_right.ok_or(Refusal::Unavailable)?;
    if !is_right {
        visit.note("password-failed", "").await?;
    }
    Ok(is_right)
}

async fn change_password(visit: Visit<Viewer>, Posted(change): Posted<Change>) -> Result<HttpResponse, Refusal> {
    let (console, name) = (visit.console.clone(), visit.user.name.clone());
    if !knows_password(&visit, change.current).await? {
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

async fn show_secret(visit: Visit<Viewer>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let secret = new_secret().ok_or(Refusal::Unavailable)?;
    let secret = with_picture(&visit, secret)?;
    page_with(visit, Some(secret), None, None)
}

fn with_picture(visit: &Visit<Viewer>, secret: String) -> Result<NewSecret, Refusal> {
    let picture = Scannable::of(&address_of_secret(&visit.user.name, &secret));
    let picture = picture.ok_or(Refusal::Unavailable)?;
    Ok(NewSecret { secret, picture })
}

#[derive(Deserialize)]
struct SecondFactor {
    current: String,
    /// Empty: no codes any more.
    #[serde(default)]
    secret: String,
    #[serde(default)]
    code: String,
    /// A code of the secret that holds now, of whoever needs codes already: a password that somebody else knows must not do.
    #[serde(default)]
    present: String,
}

async fn set_second_factor(visit: Visit<Viewer>, Posted(form): Posted<SecondFactor>) -> Result<HttpResponse, Refusal> {
    let (is_on, now) = (!form.secret.is_empty(), Timestamp::now());
    let step = step_of(&form.secret, &form.code, now);
    let problem = match (knows_password(&visit, form.current).await?, is_on && step.is_none()) {
        (false, _) => Some("password.wrong"),
        (true, true) => Some("account.code-wrong"),
        (true, false) => None,
    };
    if problem.is_some() {
        let secret = is_on.then(|| with_picture(&visit, form.secret)).transpose()?;
        return page_with(visit, secret, problem, None);
    }
    let store = &visit.console.store;
    let credentials = store.console_credentials(visit.user.name.clone()).await?;
    let present = credentials.and_then(|credentials| credentials.second_factor);
    let entry = visit.entry(if is_on { "second-factor" } else { "second-factor-off" }, "");
    let change = ConsoleChange::SetSecondFactor {
        user: visit.user.id,
        present_step: present.and_then(|secret| step_of(&secret, &form.present, now)),
        secret: step.map(|step| (form.secret, step)),
        session: visit.session,
    };
    match store.change_console(change, entry).await? {
        ConsoleChanged::Done => Ok(see_other("/console/account")),
        _ => page(visit, Some("account.present-wrong"), None),
    }
}

async fn sign_out_everywhere(visit: Visit<Viewer>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let change = ConsoleChange::SignOutEverywhere { user: visit.user.id };
    let entry = visit.entry("sign-out-everywhere", &visit.user.name);
    visit.console.store.change_console(change, entry).await?;
    let mut response = see_other("/console/login");
    add_cookies(&mut response, [removed_cookie()])?;
    Ok(response)
}
