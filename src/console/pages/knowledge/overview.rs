//! What the knowledge has: scenarios with how often they are asked for, and the other files.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::shown::shown_duplicates;
use super::{Desk, lines, today};
use crate::console::days::Day;
use crate::console::form::Posted;
use crate::console::format::{count, day_of, share};
use crate::console::frame::{Frame, encoded};
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::{Editor, Viewer, Visit, html};
use crate::knowledge::{AccountKind, Catalogue, Language};
use crate::workshop::{Edit, NewScenario};

/// How often each scenario was asked for is counted over so many days.
const DAYS: i64 = 30;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/knowledge", web::get().to(show))
        .route("/console/knowledge/new", web::post().to(begin))
        .route("/console/knowledge/outside", web::post().to(add_outside));
}

#[derive(Template)]
#[template(path = "knowledge.html")]
struct KnowledgePage {
    frame: Frame,
    scenarios: Vec<ListedScenario>,
    /// Names and whether they are changed.
    others: Vec<(String, bool)>,
    accounts: [AccountKind; 5],
    /// How many files are changed and not published.
    changed: usize,
    problem: Option<String>,
    duplicates: Vec<(String, String)>,
}

struct ListedScenario {
    path: String,
    id: String,
    title: String,
    account: &'static str,
    utterances: usize,
    asked: String,
    useful: String,
    checked: String,
    is_draft: bool,
    is_changed: bool,
}

async fn show(visit: Visit<Viewer>) -> Result<HttpResponse, Refusal> {
    page(visit, None, Vec::new()).await
}

async fn page<Role>(
    visit: Visit<Role>,
    problem: Option<String>,
    duplicates: Vec<(String, String)>,
) -> Result<HttpResponse, Refusal> {
    let desk = Desk::of(&visit).await?;
    let store = &*visit.console.store;
    let days = visit.console.days.last(store, day_of(Timestamp::now()), DAYS).await?;
    let asked = Day::sum(days.iter().map(|(_, day)| &**day)).scenarios;
    let mut verdicts: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for rating in store.ratings().await? {
        let [useful, all] = verdicts.entry(rating.scenario).or_default();
        *all += rating.count;
        *useful += if rating.verdict == "useless" { 0 } else { rating.count };
    }
    let over = desk.draft.over(&desk.files);
    let (catalogue, _) = Catalogue::read(&over);
    let language = match visit.frame.language {
        crate::console::words::Language::Chinese => Language::Chinese,
        crate::console::words::Language::English => Language::English,
    };
    let scenarios = catalogue.scenarios.values().map(|scenario| {
        let [useful, all] = verdicts.get(&scenario.id).copied().unwrap_or_default();
        let checked = scenario.sources.iter().map(|source| source.checked).max();
        ListedScenario {
            path: encoded(&scenario.file),
            id: scenario.id.clone(),
            title: scenario.answer.get(language).title.clone(),
            account: scenario.account.name(),
            utterances: scenario.utterances.len(),
            asked: count(asked.get(&scenario.id).copied().unwrap_or_default()),
            useful: share(useful, all),
            checked: checked.map(|day| day.to_string()).unwrap_or_default(),
            is_draft: scenario.draft,
            is_changed: desk.draft.has(&scenario.file),
        }
    });
    let scenarios: Vec<ListedScenario> = scenarios.collect();
    let listed: Vec<&str> = catalogue
        .scenarios
        .values()
        .map(|scenario| scenario.file.as_str())
        .collect();
    let others = over.files.iter().filter(|file| !listed.contains(&file.path.as_str()));
    let others = others.map(|file| (file.path.clone(), desk.draft.has(&file.path)));
    html(&KnowledgePage {
        others: others.collect(),
        scenarios,
        accounts: [
            AccountKind::Member,
            AccountKind::Personal,
            AccountKind::Group,
            AccountKind::Corp,
            AccountKind::Any,
        ],
        changed: desk.draft.changes().len(),
        problem,
        duplicates,
        frame: visit.frame,
    })
}

#[derive(Deserialize)]
struct NewForm {
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    questions: String,
}

async fn begin(visit: Visit<Editor>, Posted(form): Posted<NewForm>) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    let id = form.id.trim().to_owned();
    let kinds = [
        AccountKind::Member,
        AccountKind::Personal,
        AccountKind::Group,
        AccountKind::Corp,
    ];
    let account = kinds.into_iter().find(|kind| kind.name() == form.account);
    let new = Edit::AddScenario(NewScenario {
        id: id.clone(),
        title: form.title.trim().to_owned(),
        account: account.unwrap_or(AccountKind::Any),
        questions: lines(&form.questions),
        answer: None,
    });
    match desk.draft.apply(&desk.files, new, today()) {
        Ok(duplicates) => {
            desk.save().await?;
            match duplicates.is_empty() {
                true => Ok(see_other(&format!("/console/knowledge/file?path=scenarios/{id}.toml"))),
                false => page(visit, None, shown_duplicates(&duplicates)).await,
            }
        }
        Err(error) => page(visit, Some(error.to_string()), Vec::new()).await,
    }
}

#[derive(Deserialize)]
struct OutsideForm {
    #[serde(default)]
    questions: String,
}

async fn add_outside(visit: Visit<Editor>, Posted(form): Posted<OutsideForm>) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    let questions = lines(&form.questions);
    match desk.draft.apply(&desk.files, Edit::AddOutside { questions }, today()) {
        Ok(duplicates) => {
            desk.save().await?;
            page(visit, None, shown_duplicates(&duplicates)).await
        }
        Err(error) => page(visit, Some(error.to_string()), Vec::new()).await,
    }
}
