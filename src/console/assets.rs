//! Stylesheet, script and pictures, embedded. Their addresses have a hash of their content, so that browsers may keep them for good.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

use super::refusal::Refusal;

/// An embedded file.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
    hash: String,
    path: String,
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        asset(
            "console.css",
            "text/css; charset=utf-8",
            include_str!("assets/console.css"),
        ),
        asset(
            "console.js",
            "text/javascript; charset=utf-8",
            include_str!("assets/console.js"),
        ),
        picture("corp-id.svg", include_str!("../setup/pictures/corp-id.svg")),
        picture("agent-id.svg", include_str!("../setup/pictures/agent-id.svg")),
        picture(
            "receive-messages.svg",
            include_str!("../setup/pictures/receive-messages.svg"),
        ),
    ]
});

fn picture(name: &'static str, body: &'static str) -> Asset {
    asset(name, "image/svg+xml", body)
}

fn asset(name: &'static str, content_type: &'static str, body: &'static str) -> Asset {
    let hash: [u8; 32] = Sha256::digest(body).into();
    let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Asset {
        name,
        content_type,
        body,
        path: format!("/console/assets/{hash}/{name}"),
        hash,
    }
}

/// The address of a file.
pub(super) fn path_of(name: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    found.map_or("", |asset| asset.path.as_str())
}

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route("/console/assets/{hash}/{name}", web::get().to(serve));
}

async fn serve(request: HttpRequest, path: web::Path<(String, String)>) -> Result<HttpResponse, Refusal> {
    let (hash, name) = path.into_inner();
    let is_asked = |asset: &&Asset| asset.hash == hash && asset.name == name;
    let asset = ASSETS.iter().find(is_asked).ok_or(Refusal::NotFound)?;
    let tag = format!("\"{}\"", asset.hash);
    let known = request
        .headers()
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    let mut response = match known == Some(tag.as_str()) {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((ETAG, tag.as_str()))
        .insert_header((CONTENT_TYPE, asset.content_type));
    Ok(match known == Some(tag.as_str()) {
        true => response.finish(),
        false => response.body(asset.body),
    })
}
