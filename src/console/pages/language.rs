//! Changes the language.

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::web::{self, ServiceConfig};
use serde::Deserialize;

use super::signing_in::{add_cookies, way_back};
use crate::console::refusal::{Refusal, see_other};
use crate::console::words::{COOKIE, Language};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route("/console/language/{tag}", web::get().to(change));
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    back: String,
}

/// Anybody may follow such a link, also by mistake: it changes nothing but the language.
async fn change(tag: web::Path<String>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    let language = Language::from_tag(&tag).ok_or(Refusal::NotFound)?;
    let cookie = Cookie::build(COOKIE, language.tag())
        .path("/console")
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(Duration::days(365))
        .finish();
    let mut response = see_other(way_back(&asked.back));
    add_cookies(&mut response, [cookie])?;
    Ok(response)
}
