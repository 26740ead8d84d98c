//! Questions that mean the same and were not answered: which of them are taken into the draft, and as what.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::shown::shown_duplicates;
use super::unanswered::{Asked, LIST, ShownCluster, SoonPage};
use super::{Desk, today};
use crate::console::form::Posted;
use crate::console::frame::Frame;
use crate::console::refusal::{Refusal, see_other};
use crate::console::unanswered::{Cluster, FailedText, Unanswered, unanswered, unanswered_soon};
use crate::console::visit::{Editor, Viewer, Visit, html};
use crate::knowledge::{AccountKind, Catalogue, OUTSIDE};
use crate::store::QuestionId;
use crate::workshop::{Duplicate, Edit, EditError, KnownQuestions, NewScenario};

/// So many texts are shown at a time, so that a form with them can be sent.
const MOST_TEXTS: usize = 60;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/unanswered/{id}", web::get().to(show))
        .route("/console/unanswered/{id}", web::post().to(take));
}

#[derive(Template)]
#[template(path = "unanswered_cluster.html")]
struct ClusterPage {
    frame: Frame,
    id: QuestionId,
    days: i64,
    shown: ShownCluster,
    texts: Vec<ShownText>,
    /// How many are not shown.
    more: usize,
    /// Ids and labels of the scenarios, with those of the draft.
    scenarios: Vec<(String, String)>,
    nearest: String,
    accounts: [AccountKind; 5],
    /// What was written into the form.
    form: Form,
    problem: Option<String>,
    duplicates: Vec<(String, String)>,
    /// How many files are changed and not published.
    changed: usize,
}

struct ShownText {
    text: String,
    count: u64,
    people: usize,
    newest: QuestionId,
    newest_at: Timestamp,
    /// Where it stands by now, in the draft.
    at: Option<String>,
}

/// What is to become of the texts that are taken.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Form {
    what: String,
    /// The scenario that they are added to.
    scenario: String,
    /// The scenario that they are no example of, and what they belong to.
    not_this: String,
    belongs_to: String,
    /// A scenario that is begun.
    new_id: String,
    title: String,
    account: String,
}

impl Form {
    fn edits(&self, questions: Vec<String>) -> Option<Vec<Edit>> {
        Some(match self.what.as_str() {
            "add" => vec![Edit::AddUtterances {
                scenario: self.scenario.clone(),
                questions,
            }],
            "not-this" => {
                let counter_example = |question| Edit::AddCounterExample {
                    scenario: self.not_this.clone(),
                    question,
                    belongs_to: self.belongs_to.clone(),
                };
                questions.into_iter().map(counter_example).collect()
            }
            "begin" => vec![Edit::AddScenario(NewScenario {
                id: self.new_id.trim().to_owned(),
                title: self.title.trim().to_owned(),
                account: ACCOUNTS
                    .into_iter()
                    .find(|kind| kind.name() == self.account)
                    .unwrap_or(AccountKind::Any),
                questions,
                answer: None,
            })],
            "outside" => vec![Edit::AddOutside { questions }],
            _ => return None,
        })
    }
}

const ACCOUNTS: [AccountKind; 5] = [
    AccountKind::Member,
    AccountKind::Personal,
    AccountKind::Group,
    AccountKind::Corp,
    AccountKind::Any,
];

async fn show(visit: Visit<Viewer>, id: web::Path<String>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    let Some(unanswered) = unanswered_soon(&visit.console, asked.days(), false).await? else {
        return html(&SoonPage { frame: visit.frame });
    };
    let desk = Desk::of(&visit).await?;
    page(visit, desk, &id, (asked.days(), unanswered), Told::default())
}

/// What is said to somebody whose form was not all that was hoped for.
#[derive(Default)]
struct Told {
    form: Form,
    problem: Option<String>,
    duplicates: Vec<(String, String)>,
}

fn page<Role>(
    visit: Visit<Role>,
    desk: Desk,
    id: &str,
    (days, unanswered): (i64, Arc<Unanswered>),
    told: Told,
) -> Result<HttpResponse, Refusal> {
    let id: QuestionId = id.parse().map_err(|_| Refusal::NotFound)?;
    // It may have been taken up since the link was shown.
    let Some(cluster) = unanswered.clusters.iter().find(|cluster| cluster.has(id)) else {
        return Ok(see_other(&format!("{LIST}?days={days}")));
    };
    let assistant = visit.console.assistant.get();
    let (catalogue, _) = Catalogue::read(&desk.draft.over(&desk.files));
    let known = KnownQuestions::of(&catalogue);
    let frame = visit.frame;
    let mut scenarios: Vec<(String, String)> = catalogue
        .scenarios
        .keys()
        .map(|id| (id.clone(), frame.scenario(&catalogue, id)))
        .collect();
    scenarios.sort_by(|one, other| one.1.cmp(&other.1));
    html(&ClusterPage {
        id,
        days,
        shown: ShownCluster::of(&frame, &assistant, cluster),
        texts: shown_texts(cluster, &known),
        more: cluster.texts.len().saturating_sub(MOST_TEXTS),
        scenarios,
        nearest: cluster.nearest.as_ref().map(|(id, _)| id.clone()).unwrap_or_default(),
        accounts: ACCOUNTS,
        form: told.form,
        problem: told.problem,
        duplicates: told.duplicates,
        changed: desk.draft.changes().len(),
        frame,
    })
}

fn shown_texts(cluster: &Cluster, known: &KnownQuestions) -> Vec<ShownText> {
    let shown = |text: &FailedText| {
        let newest = *text.questions.first()?;
        Some(ShownText {
            count: text.counts.iter().sum(),
            people: text.people.len(),
            newest,
            newest_at: newest.made_at(),
            at: known.at(&text.text).map(ToString::to_string),
            text: text.text.clone(),
        })
    };
    cluster.texts.iter().take(MOST_TEXTS).filter_map(shown).collect()
}

/// Takes the chosen texts, as they were corrected, into the draft. What can be tried at once is.
async fn take(
    visit: Visit<Editor>,
    id: web::Path<String>,
    asked: web::Query<Asked>,
    Posted(fields): Posted<BTreeMap<String, String>>,
) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    let form = form_of(&fields)?;
    let edits = form.edits(taken(&fields)).ok_or(Refusal::Malformed)?;
    let told = match apply(&mut desk, edits) {
        Ok(duplicates) => {
            desk.save().await?;
            if duplicates.is_empty() {
                return Ok(into_draft(desk, &form));
            }
            Told {
                form,
                problem: None,
                duplicates: shown_duplicates(&duplicates),
            }
        }
        Err(error) => Told {
            form,
            problem: Some(error.to_string()),
            duplicates: Vec::new(),
        },
    };
    let unanswered = unanswered(&visit.console, asked.days(), false).await?;
    page(visit, desk, &id, (asked.days(), unanswered), told)
}

fn form_of(fields: &BTreeMap<String, String>) -> Result<Form, Refusal> {
    let fields = serde::de::value::MapDeserializer::<_, serde::de::value::Error>::new(
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    );
    Form::deserialize(fields).map_err(|_| Refusal::Malformed)
}

/// The texts with a mark, by their number.
fn taken(fields: &BTreeMap<String, String>) -> Vec<String> {
    let marked = fields.keys().filter_map(|name| name.strip_prefix("take-"));
    let texts = marked.filter_map(|number| fields.get(&format!("text-{number}")));
    texts.cloned().collect()
}

/// All of the edits or, with an error, none.
fn apply(desk: &mut Desk, edits: Vec<Edit>) -> Result<Vec<Duplicate>, EditError> {
    if edits.is_empty() {
        return Err(EditError::Nothing);
    }
    let mut draft = desk.draft.clone();
    let mut duplicates = Vec::new();
    for edit in edits {
        duplicates.extend(draft.apply(&desk.files, edit, today())?);
    }
    desk.draft = draft;
    Ok(duplicates)
}

/// To the page of what comes next: a scenario that was begun is to be written, anything else to be tried.
fn into_draft(desk: Desk, form: &Form) -> HttpResponse {
    if form.what == "begin" {
        let path = format!(
            "/console/knowledge/file?path=scenarios/{}.toml&saved=yes",
            form.new_id.trim()
        );
        return see_other(&path);
    }
    desk.workshop.start_trial(&desk.author, desk.draft, Timestamp::now());
    see_other(super::draft::DRAFT_PAGE)
}
