//! The knowledge: what there is and what it does not answer, editing it, trying it, publishing it, and what was published.

mod cluster;
mod draft;
mod editor;
mod forms;
mod import;
mod overview;
mod shown;
mod trying;
mod unanswered;
mod versions;

use std::sync::Arc;

use actix_web::web::ServiceConfig;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::console::format::day_of;
use crate::console::refusal::Refusal;
use crate::console::visit::Visit;
use crate::knowledge::KnowledgeFiles;
use crate::workshop::{Draft, Workshop};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .configure(overview::configure)
        .configure(editor::configure)
        .configure(trying::configure)
        .configure(draft::configure)
        .configure(versions::configure)
        .configure(import::configure)
        .configure(unanswered::configure)
        .configure(cluster::configure);
}

/// What most of these pages begin with: the files as they are, and what whoever looks has changed in them.
pub(super) struct Desk {
    workshop: Arc<Workshop>,
    author: String,
    pub(super) files: KnowledgeFiles,
    pub(super) draft: Draft,
}

impl Desk {
    pub(super) async fn of<Role>(visit: &Visit<Role>) -> Result<Self, Refusal> {
        let workshop = Arc::clone(&visit.console.workshop);
        let author = visit.user.name.clone();
        let (files, draft) = (workshop.files().await?, workshop.draft(&author).await?);
        Ok(Self {
            workshop,
            author,
            files,
            draft,
        })
    }

    pub(super) async fn save(&self) -> Result<(), Refusal> {
        Ok(self
            .workshop
            .save_draft(&self.author, &self.draft, Timestamp::now())
            .await?)
    }
}

fn today() -> Date {
    day_of(Timestamp::now())
}

/// The lines of a text field, without empty ones.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
