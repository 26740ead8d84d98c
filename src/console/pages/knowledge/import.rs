//! Lists of questions in and out.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use serde::Deserialize;

use super::draft::download;
use super::shown::shown_duplicates;
use super::{Desk, today};
use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::{Editor, Viewer, Visit, html};
use crate::knowledge::Faq;
use crate::workshop::{ImportPlan, ListFormat, plan_import, read_list, write_list};

/// A byte-order mark, without which spreadsheets take a file for one in the machine's old encoding.
const BYTE_ORDER_MARK: &str = "\u{feff}";

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/knowledge/import", web::get().to(show))
        .route("/console/knowledge/import", web::post().to(import))
        .route("/console/knowledge/export/{format}", web::get().to(export));
}

#[derive(Template)]
#[template(path = "knowledge_import.html")]
struct ImportPage {
    frame: Frame,
    format: String,
    text: String,
    problem: Option<String>,
    plan: Option<ImportPlan>,
    duplicates: Vec<(String, String)>,
}

async fn show(visit: Visit<Editor>) -> Result<HttpResponse, Refusal> {
    page(visit, Import::default(), None, None)
}

fn page(
    visit: Visit<Editor>,
    form: Import,
    problem: Option<String>,
    plan: Option<ImportPlan>,
) -> Result<HttpResponse, Refusal> {
    html(&ImportPage {
        frame: visit.frame,
        format: form.format,
        text: form.text,
        problem,
        duplicates: plan
            .as_ref()
            .map(|plan| shown_duplicates(&plan.duplicates))
            .unwrap_or_default(),
        plan,
    })
}

#[derive(Default, Deserialize)]
struct Import {
    #[serde(default)]
    format: String,
    #[serde(default)]
    text: String,
    /// `yes`: it has been looked at, and is to be done.
    #[serde(default)]
    confirmed: String,
}

async fn import(visit: Visit<Editor>, Posted(form): Posted<Import>) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    let name = format!("list.{}", form.format);
    let list = match read_list(&name, &form.text) {
        Ok(list) => list,
        Err(error) => return page(visit, form, Some(format!("{error:#}")), None),
    };
    let plan = plan_import(&mut desk.draft, &desk.files, &list, today());
    if form.confirmed != "yes" {
        return page(visit, form, None, Some(plan));
    }
    desk.save().await?;
    Ok(see_other("/console/knowledge/draft"))
}

async fn export(visit: Visit<Viewer>, format: web::Path<String>) -> Result<HttpResponse, Refusal> {
    let name = format!("knowledge.{format}");
    let kind = ListFormat::of(&name).map_err(|_| Refusal::NotFound)?;
    let list = write_list(kind, &Faq::of_catalogue(&visit.console.assistant.get().catalogue));
    let list = list.map_err(|_| Refusal::Unavailable)?;
    let mark = if kind == ListFormat::Csv { BYTE_ORDER_MARK } else { "" };
    Ok(download(&name, format!("{mark}{list}")))
}
