//! What was done in the console.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use serde::Deserialize;

use crate::console::frame::Frame;
use crate::console::refusal::Refusal;
use crate::console::visit::{Admin, Visit, html};
use crate::store::NumberedAuditEntry;

/// Entries on one page.
const ON_A_PAGE: u32 = 100;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route("/console/audit", web::get().to(show));
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    entries: Vec<NumberedAuditEntry>,
    /// Where older entries begin, if there are any.
    older: Option<i64>,
}

#[derive(Deserialize)]
struct Asked {
    before: Option<i64>,
}

async fn show(visit: Visit<Admin>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    let reading = visit.console.store.audit_entries(asked.before, ON_A_PAGE + 1);
    let mut entries = reading.await?;
    let on_a_page = usize::try_from(ON_A_PAGE).unwrap_or(usize::MAX);
    let has_more = entries.len() > on_a_page;
    entries.truncate(on_a_page);
    let older = entries.last().filter(|_| has_more).map(|entry| entry.id);
    html(&AuditPage {
        frame: visit.frame,
        entries,
        older,
    })
}
