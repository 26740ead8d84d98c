//! What is on file about one person: to be given to them, and to be erased.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::masking::masked_id;
use crate::console::refusal::Refusal;
use crate::console::visit::{Admin, Visit, html};
use crate::protocol::UserId;
use crate::store::{ConversationKey, PersonRecords};

/// Longest id of a member or a customer, in bytes (doc/90195, doc/92114).
const LONGEST_ID: usize = 64;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/person", web::get().to(show))
        .route("/console/person", web::post().to(find))
        .route("/console/person/export", web::post().to(export))
        .route("/console/person/erase", web::post().to(erase));
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    user_id: String,
    found: Option<Found>,
    is_erased: bool,
    /// A key of `words.toml`.
    problem: Option<&'static str>,
}

/// How much there is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Found {
    questions: usize,
    appeals: usize,
    messages: usize,
    conversations: usize,
}

impl Found {
    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

#[derive(Deserialize)]
struct Sought {
    user_id: String,
    #[serde(default)]
    sure: String,
}

/// What is on file about a person in one app or account.
#[derive(Serialize)]
struct InApp {
    app: String,
    #[serde(flatten)]
    records: PersonRecords,
}

/// A file for the person.
#[derive(Serialize)]
struct PersonFile<'a> {
    user_id: &'a str,
    made_at: Timestamp,
    records: Vec<InApp>,
}

async fn show(visit: Visit<Admin>) -> Result<HttpResponse, Refusal> {
    page(visit, String::new(), None, None)
}

fn page(
    visit: Visit<Admin>,
    user_id: String,
    found: Option<Found>,
    problem: Option<&'static str>,
) -> Result<HttpResponse, Refusal> {
    html(&PersonPage {
        frame: visit.frame,
        user_id,
        found,
        is_erased: false,
        problem,
    })
}

/// That somebody was looked for is noted, without who it was: the audit log stays when a person is erased.
async fn find(visit: Visit<Admin>, Posted(sought): Posted<Sought>) -> Result<HttpResponse, Refusal> {
    let Some(user_id) = user_id(&sought.user_id) else {
        return page(visit, sought.user_id, None, Some("person.no-id"));
    };
    visit.note("person-find", &masked_id(&user_id)).await?;
    let records = records(&visit, &user_id).await?;
    let found = Found {
        questions: records.iter().map(|one| one.records.questions.len()).sum(),
        appeals: records.iter().map(|one| one.records.appeals.len()).sum(),
        messages: records
            .iter()
            .map(|one| one.records.received.len() + one.records.sent.len())
            .sum(),
        conversations: records.iter().filter(|one| one.records.session.is_some()).count(),
    };
    page(visit, user_id, Some(found), None)
}

async fn export(visit: Visit<Admin>, Posted(sought): Posted<Sought>) -> Result<HttpResponse, Refusal> {
    let user_id = user_id(&sought.user_id).ok_or(Refusal::Malformed)?;
    visit.note("person-export", &masked_id(&user_id)).await?;
    let file = PersonFile {
        user_id: &user_id,
        made_at: Timestamp::now(),
        records: records(&visit, &user_id).await?,
    };
    let text = serde_json::to_string_pretty(&file).map_err(|_| Refusal::Unavailable)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"jiefeng-member.json\""))
        .body(text))
}

async fn erase(visit: Visit<Admin>, Posted(sought): Posted<Sought>) -> Result<HttpResponse, Refusal> {
    let user_id = user_id(&sought.user_id).ok_or(Refusal::Malformed)?;
    if sought.sure != "yes" {
        return page(visit, user_id, None, Some("person.not-sure"));
    }
    let people = conversations(&visit, &user_id).await?;
    let entry = visit.entry("person-erase", &masked_id(&user_id));
    visit.console.store.erase_person(people, entry).await?;
    visit.console.forget_unanswered().await;
    visit.console.days.forget();
    html(&PersonPage {
        frame: visit.frame,
        user_id: String::new(),
        found: None,
        is_erased: true,
        problem: None,
    })
}

fn user_id(written: &str) -> Option<String> {
    let id = written.trim();
    let is_one = (1..=LONGEST_ID).contains(&id.len()) && !id.contains(char::is_whitespace);
    is_one.then(|| id.to_owned())
}

async fn records(visit: &Visit<Admin>, user_id: &str) -> Result<Vec<InApp>, Refusal> {
    let mut found = Vec::new();
    for conversation in conversations(visit, user_id).await? {
        let app = conversation.app.clone();
        let records = visit.console.store.person_records(conversation).await?;
        if !records.is_empty() {
            found.push(InApp { app, records });
        }
    }
    Ok(found)
}

/// Every conversation that the person can have: with each app, and as a customer with each account of 微信客服, also of apps that are no
/// longer configured.
async fn conversations(visit: &Visit<Admin>, user_id: &str) -> Result<Vec<ConversationKey>, Refusal> {
    let (configured, store) = (&visit.console.apps, &visit.console.store);
    let mut apps: BTreeSet<(String, String)> = store.conversation_apps().await?.into_iter().collect();
    apps.extend(configured.iter().map(|app| (app.corp_id.clone(), app.name.clone())));
    let accounts = store.kf_accounts().await?;
    apps.extend(
        accounts
            .iter()
            .map(|account| (account.corp_id.clone(), account.conversation_app())),
    );
    let member = UserId::parse(user_id).map_or_else(|| user_id.to_owned(), |id| id.canonical());
    let conversations = apps.into_iter().map(|(corp_id, app)| {
        let is_account = app.contains('/');
        let user = if is_account { user_id.to_owned() } else { member.clone() };
        ConversationKey { corp_id, app, user }
    });
    Ok(conversations.collect())
}
