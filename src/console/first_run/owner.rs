//! Whose the first run is.

use std::future::{Ready, ready};
use std::sync::PoisonError;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use super::FirstRun;
use crate::console::access::{form_token, is_same, new_token};
use crate::console::frame::Frame;
use crate::console::refusal::Refusal;

/// The owner's session. Browsers take it over TLS or on this machine alone.
const COOKIE: &str = "__Host-jiefeng-first";

/// A request of the browser that has followed the link first.
pub(super) struct Owner {
    pub(super) first_run: FirstRun,
    pub(super) frame: Frame,
}

impl FromRequest for Owner {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let first_run = request.app_data::<Data<FirstRun>>().map(|found| found.as_ref().clone());
        let owner = first_run.and_then(|first_run| {
            let session = first_run.owner_of(request)?;
            let mut frame = Frame::of(request);
            frame.form_token = form_token(&session);
            Some(Self { first_run, frame })
        });
        ready(owner.ok_or(Refusal::NotOwner))
    }
}

impl Owner {
    /// Whether a form was shown to this very browser.
    pub(super) fn check(&self, sent: &str) -> Result<(), Refusal> {
        match is_same(sent, &self.frame.form_token) {
            true => Ok(()),
            false => Err(Refusal::Foreign),
        }
    }
}

impl FirstRun {
    /// The session of a request, if it is the owner's.
    fn owner_of(&self, request: &HttpRequest) -> Option<String> {
        let cookie = request.cookie(COOKIE)?;
        let owner = self.0.owner.lock().unwrap_or_else(PoisonError::into_inner);
        owner.clone().filter(|owner| is_same(owner, cookie.value()))
    }

    /// Makes whoever follows the link first the owner; the cookie to be known by, or none for who is known already.
    pub(super) fn claim(&self, request: &HttpRequest, link: &str) -> Result<Option<Cookie<'static>>, Refusal> {
        if !is_same(link, &self.0.link) {
            return Err(Refusal::NotOwner);
        }
        if self.owner_of(request).is_some() {
            return Ok(None);
        }
        let mut owner = self.0.owner.lock().unwrap_or_else(PoisonError::into_inner);
        if owner.is_some() {
            return Err(Refusal::NotOwner);
        }
        let (session, _) = new_token().ok_or(Refusal::Unavailable)?;
        *owner = Some(session.clone());
        // Lax, because terminals in a browser are another site, and the redirect that follows would come without a strict cookie.
        let cookie = Cookie::build(COOKIE, session)
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Lax)
            .finish();
        Ok(Some(cookie))
    }
}
