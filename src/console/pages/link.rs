//! A link that works once: to make the first admin, or to choose a password.

use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::signing_in::add_cookies;
use crate::console::access::{check_password, device_cookie, hash_of, name_of, new_token, session_cookie};
use crate::console::form::OpenForm;
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::state::Console;
use crate::console::visit::html;
use crate::store::{AuditEntry, ConsoleChange, ConsoleChanged, LinkPurpose};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/link/{token}", web::get().to(show))
        .route("/console/link/{token}", web::post().to(choose));
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    frame: Frame,
    /// `None`: the link does not work (any more).
    purpose: Option<LinkPurpose>,
    /// The name that was tried.
    name: String,
    /// A key of `words.toml`.
    problem: Option<&'static str>,
}

/// Looking at it does not use it: programs that look at links do that too.
async fn show(request: HttpRequest, console: Data<Console>, token: web::Path<String>) -> Result<HttpResponse, Refusal> {
    let purpose = console.store.console_link(hash_of(&token), Timestamp::now()).await?;
    page(&request, purpose, String::new(), None)
}

fn page(
    request: &HttpRequest,
    purpose: Option<LinkPurpose>,
    name: String,
    problem: Option<&'static str>,
) -> Result<HttpResponse, Refusal> {
    let is_gone = purpose.is_none();
    let mut response = html(&LinkPage {
        frame: Frame::of(request),
        purpose,
        name,
        problem,
    })?;
    if is_gone {
        *response.status_mut() = actix_web::http::StatusCode::NOT_FOUND;
    }
    Ok(response)
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    name: String,
    password: String,
    again: String,
}

async fn choose(
    request: HttpRequest,
    console: Data<Console>,
    token: web::Path<String>,
    OpenForm(choice): OpenForm<Choice>,
) -> Result<HttpResponse, Refusal> {
    let (link, now) = (hash_of(&token), Timestamp::now());
    let Some(purpose) = console.store.console_link(link, now).await? else {
        return page(&request, None, String::new(), None);
    };
    let name = match &purpose {
        LinkPurpose::FirstAdmin => name_of(&choice.name),
        LinkPurpose::Password(user) => Some(user.name.clone()),
    };
    let Some(name) = name else {
        return page(&request, Some(purpose), choice.name, Some("password.no-name"));
    };
    if let Some(problem) = problem_of(&choice.password, &choice.again, &name) {
        return page(&request, Some(purpose), name, Some(problem));
    }
    let hashed = console.hashing.hash(choice.password).await;
    let password = hashed.ok_or(Refusal::Unavailable)?;
    let (cookie, session) = new_token().ok_or(Refusal::Unavailable)?;
    let device = device_cookie(&name, &password);
    let entry = AuditEntry {
        at: now,
        who: name.clone(),
        action: "password".to_owned(),
        object: String::new(),
    };
    let change = ConsoleChange::UseLink {
        link,
        name: name.clone(),
        password,
        session,
    };
    match console.store.change_console(change, entry).await? {
        ConsoleChanged::Done => {
            let mut response = see_other(crate::console::ROOT);
            add_cookies(&mut response, std::iter::once(session_cookie(cookie)).chain(device))?;
            Ok(response)
        }
        ConsoleChanged::NameTaken => page(&request, Some(purpose), name, Some("password.name-taken")),
        ConsoleChanged::NotFound | ConsoleChanged::LastAdmin => page(&request, None, String::new(), None),
    }
}

/// What is wrong with a password that somebody chooses, as a key of `words.toml`.
pub(super) fn problem_of(password: &str, again: &str, name: &str) -> Option<&'static str> {
    match check_password(password, name) {
        Err(problem) => Some(problem.word()),
        Ok(()) if password != again => Some("password.differs"),
        Ok(()) => None,
    }
}
