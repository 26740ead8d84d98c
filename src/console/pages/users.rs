//! Who may use the console.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use crate::console::access::{name_of, new_link, path_of_link};
use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::{Admin, Visit, html};
use crate::store::{ConsoleChange, ConsoleChanged, ConsoleRole, ConsoleUser};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/users", web::get().to(show))
        .route("/console/users", web::post().to(invite))
        .route("/console/users/{id}/role", web::post().to(set_role))
        .route("/console/users/{id}/access", web::post().to(set_access))
        .route("/console/users/{id}/link", web::post().to(offer_link))
        .route("/console/users/{id}/sessions", web::post().to(end_sessions));
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    users: Vec<ConsoleUser>,
    roles: [ConsoleRole; 3],
    /// For whom a link was made, and the link. It is shown this once.
    link: Option<(String, String)>,
    /// A key of `words.toml`.
    problem: Option<&'static str>,
}

async fn page(
    visit: Visit<Admin>,
    link: Option<(String, String)>,
    problem: Option<&'static str>,
) -> Result<HttpResponse, Refusal> {
    let users = visit.console.store.console_users().await?;
    html(&UsersPage {
        frame: visit.frame,
        users,
        roles: ConsoleRole::ALL,
        link,
        problem,
    })
}

async fn show(visit: Visit<Admin>) -> Result<HttpResponse, Refusal> {
    page(visit, None, None).await
}

#[derive(Deserialize)]
struct Invitation {
    name: String,
    role: String,
}

async fn invite(
    visit: Visit<Admin>,
    request: HttpRequest,
    Posted(invitation): Posted<Invitation>,
) -> Result<HttpResponse, Refusal> {
    let role: ConsoleRole = invitation.role.parse().map_err(|_| Refusal::Malformed)?;
    let Some(name) = name_of(&invitation.name) else {
        return page(visit, None, Some("password.no-name")).await;
    };
    let (token, link, until) = new_link(Timestamp::now()).ok_or(Refusal::Unavailable)?;
    let entry = visit.entry("invite", &format!("{name} ({role})"));
    let change = ConsoleChange::Invite {
        name: name.clone(),
        role,
        link,
        until,
    };
    match visit.console.store.change_console(change, entry).await? {
        ConsoleChanged::Done => page(visit, Some((name, address(&request, &token))), None).await,
        _ => page(visit, None, Some("password.name-taken")).await,
    }
}

/// As the browser of the admin reaches the console.
fn address(request: &HttpRequest, token: &str) -> String {
    let origin = request.headers().get(actix_web::http::header::ORIGIN);
    let origin = origin.and_then(|value| value.to_str().ok()).unwrap_or_default();
    format!("{origin}{}", path_of_link(token))
}

/// A user of this number, as the page has it.
async fn user_of(visit: &Visit<Admin>, id: i64) -> Result<ConsoleUser, Refusal> {
    let users = visit.console.store.console_users().await?;
    users.into_iter().find(|user| user.id == id).ok_or(Refusal::NotFound)
}

/// Makes a change and shows the users again.
async fn change(
    visit: Visit<Admin>,
    change: ConsoleChange,
    action: &str,
    object: &str,
) -> Result<HttpResponse, Refusal> {
    let entry = visit.entry(action, object);
    match visit.console.store.change_console(change, entry).await? {
        ConsoleChanged::LastAdmin => page(visit, None, Some("users.last-admin")).await,
        ConsoleChanged::Done => Ok(see_other("/console/users")),
        ConsoleChanged::NotFound | ConsoleChanged::NameTaken => Err(Refusal::NotFound),
    }
}

#[derive(Deserialize)]
struct NewRole {
    role: String,
}

async fn set_role(
    visit: Visit<Admin>,
    id: web::Path<i64>,
    Posted(new): Posted<NewRole>,
) -> Result<HttpResponse, Refusal> {
    let role: ConsoleRole = new.role.parse().map_err(|_| Refusal::Malformed)?;
    let user = user_of(&visit, *id).await?;
    let object = format!("{} ({role})", user.name);
    change(visit, ConsoleChange::SetRole { user: *id, role }, "role", &object).await
}

#[derive(Deserialize)]
struct Access {
    /// `yes` or `no`.
    allowed: String,
}

async fn set_access(
    visit: Visit<Admin>,
    id: web::Path<i64>,
    Posted(access): Posted<Access>,
) -> Result<HttpResponse, Refusal> {
    let is_disabled = access.allowed != "yes";
    let user = user_of(&visit, *id).await?;
    let action = if is_disabled { "disable" } else { "enable" };
    let set = ConsoleChange::SetDisabled { user: *id, is_disabled };
    change(visit, set, action, &user.name).await
}

#[derive(Deserialize)]
struct Nothing {}

async fn offer_link(
    visit: Visit<Admin>,
    request: HttpRequest,
    id: web::Path<i64>,
    _: Posted<Nothing>,
) -> Result<HttpResponse, Refusal> {
    let user = user_of(&visit, *id).await?;
    let (token, link, until) = new_link(Timestamp::now()).ok_or(Refusal::Unavailable)?;
    let entry = visit.entry("reset", &user.name);
    let offer = ConsoleChange::OfferPassword { user: *id, link, until };
    match visit.console.store.change_console(offer, entry).await? {
        ConsoleChanged::Done => page(visit, Some((user.name, address(&request, &token))), None).await,
        _ => Err(Refusal::NotFound),
    }
}

async fn end_sessions(visit: Visit<Admin>, id: web::Path<i64>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let user = user_of(&visit, *id).await?;
    let end = ConsoleChange::SignOutEverywhere { user: *id };
    change(visit, end, "sign-out-everywhere", &user.name).await
}
