//! How things are.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;

use crate::console::frame::Frame;
use crate::console::refusal::Refusal;
use crate::console::visit::{Viewer, Visit, html};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route(crate::console::ROOT, web::get().to(show));
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
}

async fn show(visit: Visit<Viewer>) -> Result<HttpResponse, Refusal> {
    html(&OverviewPage { frame: visit.frame })
}
