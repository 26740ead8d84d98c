//! What was asked: search, filters, and the list as a file.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::console::days::DECISIONS;
use crate::console::format::{micros, start_of};
use crate::console::frame::{Frame, encoded};
use crate::console::masking::masked;
use crate::console::refusal::Refusal;
use crate::console::visit::{Viewer, Visit, html};
use crate::store::{FoundQuestion, QuestionId, QuestionSearch};

/// Questions on one page.
const ON_A_PAGE: usize = 50;

/// So many questions are looked at for one page; a search goes on from there.
const LOOKED_AT: usize = 10_000;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route("/console/messages", web::get().to(show));
}

/// What is looked for, as the form sends it.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Filter {
    text: String,
    decision: String,
    scenario: String,
    app: String,
    person: String,
    language: String,
    from: String,
    to: String,
    before: String,
    /// `yes`: a file is to have everything that was written.
    pub(super) unmasked: String,
}

impl Filter {
    /// What the store is to look for. A day that is none does not matter.
    pub(super) fn search(&self, most: usize, most_looked_at: usize) -> QuestionSearch {
        let day = |text: &str| text.parse::<Date>().ok();
        let end = day(&self.to).and_then(|day| day.tomorrow().ok());
        let end = end.map(|day| QuestionId::start_of(start_of(day)));
        let before: Option<QuestionId> = self.before.parse().ok();
        QuestionSearch {
            before: match (before, end) {
                (Some(before), Some(end)) => Some(before.min(end)),
                (before, end) => before.or(end),
            },
            since: day(&self.from).map(start_of),
            text: self.text.trim().to_owned(),
            decision: self.decision.clone(),
            scenario: self.scenario.clone(),
            app: self.app.clone(),
            person: self.person.trim().to_owned(),
            language: self.language.clone(),
            most,
            most_looked_at,
        }
    }

    /// The same filter as a query, going on before a question.
    fn query(&self, before: Option<QuestionId>) -> String {
        let before = before.map(|id| id.to_string()).unwrap_or_default();
        let pairs = [
            ("text", self.text.as_str()),
            ("decision", &self.decision),
            ("scenario", &self.scenario),
            ("app", &self.app),
            ("person", &self.person),
            ("language", &self.language),
            ("from", &self.from),
            ("to", &self.to),
            ("before", &before),
        ];
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        pairs.join("&")
    }

    /// Whether anything is left out.
    fn is_narrowed(&self) -> bool {
        !Self {
            before: String::new(),
            ..self.clone()
        }
        .query(None)
        .is_empty()
    }
}

#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage {
    frame: Frame,
    filter: Filter,
    is_narrowed: bool,
    decisions: [&'static str; DECISIONS.len()],
    /// Ids and labels.
    scenarios: Vec<(String, String)>,
    languages: [&'static str; 3],
    rows: Vec<ShownQuestion>,
    /// The query that goes on, and since when has been looked.
    further: Option<(String, Timestamp)>,
    /// Whether the page is full, and not just the search tired.
    is_full: bool,
}

struct ShownQuestion {
    id: String,
    at: Timestamp,
    person: String,
    text: String,
    decision: String,
    scenario: String,
    confidence: String,
    time: String,
}

async fn show(visit: Visit<Viewer>, filter: web::Query<Filter>) -> Result<HttpResponse, Refusal> {
    let filter = filter.into_inner();
    let searching = visit.console.store.find_questions(filter.search(ON_A_PAGE, LOOKED_AT));
    let found = searching.await?;
    let assistant = visit.console.assistant.get();
    let frame = visit.frame;
    let mut scenarios: Vec<(String, String)> = assistant
        .catalogue
        .scenarios
        .keys()
        .map(|id| (id.clone(), frame.scenario(&assistant.catalogue, id)))
        .collect();
    scenarios.sort_by(|one, other| one.1.cmp(&other.1));
    let rows = found.found.iter().map(|question| {
        let scenario = question.record.scenarios.first();
        shown(question, scenario.map(|id| frame.scenario(&assistant.catalogue, id)))
    });
    html(&MessagesPage {
        is_narrowed: filter.is_narrowed(),
        decisions: DECISIONS,
        scenarios,
        languages: ["zh", "zh-Hant", "en"],
        rows: rows.collect(),
        further: found.rest.map(|rest| (filter.query(Some(rest)), rest.made_at())),
        is_full: found.found.len() >= ON_A_PAGE,
        filter,
        frame,
    })
}

fn shown(question: &FoundQuestion, scenario: Option<String>) -> ShownQuestion {
    ShownQuestion {
        id: question.id.to_string(),
        at: question.id.made_at(),
        person: question.person.clone(),
        text: masked(&question.record.text),
        decision: question.record.decision.clone(),
        scenario: scenario.unwrap_or_default(),
        confidence: format!("{:.0}%", question.record.confidence * 100.0),
        time: micros(question.record.micros),
    }
}
