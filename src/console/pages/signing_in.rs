//! Signing in and out.

use std::time::{Duration, Instant};

use actix_web::cookie::Cookie;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use crate::console::access::{
    DEVICE_COOKIE, Tries, device_cookie, is_known_device, name_of, new_token, removed_cookie, session_cookie, step_of,
};
use crate::console::form::{OpenForm, Posted};
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::state::Console;
use crate::console::visit::{Viewer, Visit, html, signed_in};
use crate::http::source_of;
use crate::store::{AuditEntry, ConsoleChange, ConsoleChanged, ConsoleCredentials};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/login", web::get().to(show))
        .route("/console/login", web::post().to(sign_in))
        .route("/console/logout", web::post().to(sign_out));
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    name: String,
    back: String,
    is_refused: bool,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    back: String,
}

async fn show(request: HttpRequest, console: Data<Console>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    if signed_in(&request, &console).await?.is_some() {
        return Ok(see_other(way_back(&asked.back)));
    }
    html(&LoginPage {
        frame: Frame::of(&request),
        name: String::new(),
        back: way_back(&asked.back).to_owned(),
        is_refused: false,
    })
}

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
    /// A one-time code, of whoever needs one.
    #[serde(default)]
    code: String,
    #[serde(default)]
    back: String,
}

async fn sign_in(
    request: HttpRequest,
    console: Data<Console>,
    OpenForm(login): OpenForm<Login>,
) -> Result<HttpResponse, Refusal> {
    // What is no name is nobody's, and takes as long.
    let name = name_of(&login.name).unwrap_or_default();
    let credentials = console.store.console_credentials(name.clone()).await?;
    let device = request.cookie(DEVICE_COOKIE);
    let knows = |credentials: &ConsoleCredentials| {
        device
            .as_ref()
            .is_some_and(|device| is_known_device(device.value(), credentials))
    };
    let tries = Tries {
        source: source_of(&request, &console.trusted_proxies),
        name: &name,
        knows_device: credentials.as_ref().is_some_and(knows),
    };
    count_try(&console, &tries)?;
    let hash = credentials.as_ref().filter(|found| !found.user.is_disabled);
    let hash = hash.and_then(|found| found.password.clone());
    let verified = console.hashing.verify(login.password.clone(), hash).await;
    let is_right = verified.ok_or(Refusal::Unavailable)?;
    let session = match &credentials {
        Some(credentials) if is_right => begin(&console, credentials, &login.code).await?,
        _ => None,
    };
    match (credentials, session) {
        (Some(credentials), Some(session)) => {
            console.throttle().forget(&tries);
            let mut response = see_other(way_back(&login.back));
            let device = device_cookie(&name, credentials.password.as_deref().unwrap_or_default());
            add_cookies(&mut response, std::iter::once(session).chain(device))?;
            Ok(response)
        }
        (known, _) => {
            note_failure(&console, known.as_ref()).await?;
            let mut response = html(&LoginPage {
                frame: Frame::of(&request),
                name,
                back: way_back(&login.back).to_owned(),
                is_refused: true,
            })?;
            *response.status_mut() = actix_web::http::StatusCode::UNAUTHORIZED;
            Ok(response)
        }
    }
}

/// Refuses who has tried too often, and counts this try.
fn count_try(console: &Console, tries: &Tries<'_>) -> Result<(), Refusal> {
    let mut throttle = console.throttle();
    let now = Instant::now();
    if let Some(wait) = throttle.wait(tries, now) {
        let wait = wait.max(Duration::from_secs(1)).as_secs();
        return Err(Refusal::TooMany { wait });
    }
    throttle.count(tries, now);
    Ok(())
}

/// The cookie of the session that begins; `None`: the one-time code is wrong, was used before, or is missing.
async fn begin(
    console: &Console,
    credentials: &ConsoleCredentials,
    code: &str,
) -> Result<Option<Cookie<'static>>, Refusal> {
    let secret = credentials.second_factor.as_deref();
    let second_factor_step = secret.and_then(|secret| step_of(secret, code, Timestamp::now()));
    let (token, session) = new_token().ok_or(Refusal::Unavailable)?;
    let user = credentials.user.id;
    let entry = AuditEntry {
        at: Timestamp::now(),
        who: credentials.user.name.clone(),
        action: "sign-in".to_owned(),
        object: String::new(),
    };
    let change = ConsoleChange::SignIn {
        user,
        session,
        second_factor_step,
    };
    let changed = console.store.change_console(change, entry).await?;
    Ok((changed == ConsoleChanged::Done).then(|| session_cookie(token)))
}

/// A name that nobody has may be a password that was typed into the wrong field.
async fn note_failure(console: &Console, known: Option<&ConsoleCredentials>) -> Result<(), Refusal> {
    let Some(known) = known else {
        tracing::info!("somebody tried to sign in to the console under a name that nobody has");
        return Ok(());
    };
    let entry = AuditEntry {
        at: Timestamp::now(),
        who: String::new(),
        action: "sign-in-failed".to_owned(),
        object: known.user.name.clone(),
    };
    Ok(console.store.audit(entry).await?)
}

#[derive(Deserialize)]
struct Nothing {}

async fn sign_out(visit: Visit<Viewer>, _: Posted<Nothing>) -> Result<HttpResponse, Refusal> {
    let change = ConsoleChange::SignOut { session: visit.session };
    let entry = visit.entry("sign-out", "");
    visit.console.store.change_console(change, entry).await?;
    let mut response = see_other("/console/login");
    add_cookies(&mut response, [removed_cookie()])?;
    Ok(response)
}

pub(in crate::console) fn add_cookies(
    response: &mut HttpResponse,
    cookies: impl IntoIterator<Item = Cookie<'static>>,
) -> Result<(), Refusal> {
    for cookie in cookies {
        response.add_cookie(&cookie).map_err(|_| Refusal::Unavailable)?;
    }
    Ok(())
}

/// Where to go on: a page of the console, whatever a link says.
pub(super) fn way_back(asked: &str) -> &str {
    let is_own = asked == crate::console::ROOT
        || asked
            .strip_prefix(crate::console::ROOT)
            .is_some_and(|rest| rest.starts_with(['/', '?']));
    let is_plain = asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    match is_own && is_plain && !asked.starts_with("/console/log") {
        true => asked,
        false => crate::console::ROOT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_in_the_console() {
        for own in ["/console", "/console/messages?text=%E7%BE%A4", "/console?days=7"] {
            assert_eq!(way_back(own), own);
        }
        for other in [
            "",
            "https://example.com/",
            "//example.com",
            "/consolex",
            "/console\r\nSet-Cookie: a",
            "/console/\\example.com",
            "/console/login",
        ] {
            assert_eq!(way_back(other), "/console", "{other}");
        }
    }
}
