//! Somebody who is signed in looks at a page.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use askama::Template;
use jiff::Timestamp;

use super::access::{COOKIE, form_token, hash_of, is_live, is_to_be_touched};
use super::frame::Frame;
use super::refusal::Refusal;
use super::state::Console;
use crate::store::{AuditEntry, ConsoleRole, ConsoleSession, ConsoleUser, TokenHash};

/// Most characters of a path in the audit log.
const LONGEST_PATH: usize = 100;

/// A role that a page demands.
pub(super) trait Demanded: 'static {
    const ROLE: ConsoleRole;
}

/// Demands nothing more than being signed in.
pub(super) struct Viewer;
/// Demands an editor or an admin.
pub(super) struct Editor;
/// Demands an admin.
pub(super) struct Admin;

impl Demanded for Viewer {
    const ROLE: ConsoleRole = ConsoleRole::Viewer;
}

impl Demanded for Editor {
    const ROLE: ConsoleRole = ConsoleRole::Editor;
}

impl Demanded for Admin {
    const ROLE: ConsoleRole = ConsoleRole::Admin;
}

/// A request of somebody who is signed in and has the role. A handler that takes one is for nobody else.
pub(super) struct Visit<Role> {
    pub(super) console: Data<Console>,
    pub(super) frame: Frame,
    pub(super) user: ConsoleUser,
    pub(super) session: TokenHash,
    role: PhantomData<Role>,
}

impl<Role: Demanded> FromRequest for Visit<Role> {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refusal>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let console: Data<Console> = request.app_data().cloned().ok_or(Refusal::Unavailable)?;
            let signed_in = signed_in(&request, &console).await?;
            let Some((session, token)) = signed_in else {
                let here = request.uri().path_and_query();
                let back = here.map_or_else(String::new, |here| here.as_str().to_owned());
                return Err(Refusal::NotSignedIn { back });
            };
            if session.user.role < Role::ROLE {
                note_denied(&console, &session.user, request.path()).await?;
                return Err(Refusal::NotAllowed);
            }
            let mut frame = Frame::of(&request);
            frame.user = Some(session.user.clone());
            frame.form_token = form_token(&token);
            Ok(Self {
                console,
                frame,
                user: session.user,
                session: hash_of(&token),
                role: PhantomData,
            })
        })
    }
}

/// The live session of a request, and its token.
pub(super) async fn signed_in(
    request: &HttpRequest,
    console: &Console,
) -> Result<Option<(ConsoleSession, String)>, Refusal> {
    let Some(cookie) = request.cookie(COOKIE) else {
        return Ok(None);
    };
    let (token, now) = (cookie.value().to_owned(), Timestamp::now());
    let session = console.store.console_session(hash_of(&token)).await?;
    let Some(session) = session.filter(|session| is_live(session, now)) else {
        return Ok(None);
    };
    if is_to_be_touched(&session, now) {
        console.store.touch_console_session(hash_of(&token), now).await?;
    }
    Ok(Some((session, token)))
}

/// Somebody has tried what the role does not allow. Pages do not lead there.
async fn note_denied(console: &Console, user: &ConsoleUser, path: &str) -> Result<(), Refusal> {
    let entry = AuditEntry {
        at: Timestamp::now(),
        who: user.name.clone(),
        action: "denied".to_owned(),
        object: path.chars().take(LONGEST_PATH).collect(),
    };
    Ok(console.store.audit(entry).await?)
}

impl<Role> Visit<Role> {
    /// Notes in the audit log what is done. `action` is a constant word, `object` a name or a number: no secret, nothing that somebody wrote.
    pub(super) async fn note(&self, action: &str, object: &str) -> Result<(), Refusal> {
        Ok(self.console.store.audit(self.entry(action, object)).await?)
    }

    /// What is noted in the audit log together with a change.
    pub(super) fn entry(&self, action: &str, object: &str) -> AuditEntry {
        AuditEntry {
            at: Timestamp::now(),
            who: self.user.name.clone(),
            action: action.to_owned(),
            object: object.to_owned(),
        }
    }
}

/// A page.
pub(super) fn html(page: &impl Template) -> Result<HttpResponse, Refusal> {
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page.render()?))
}
