//! One file of the knowledge: its text, what is wrong with it, how its answer looks in every channel, and small forms for what is changed most.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::forms::{ShownForm, forms};
use super::shown::{ShownProblem, shown_duplicates, shown_problem};
use super::{Desk, lines, today};
use crate::console::form::Posted;
use crate::console::frame::{Frame, encoded};
use crate::console::refusal::{Refusal, see_other};
use crate::console::visit::{Editor, Viewer, Visit, html};
use crate::knowledge::{Catalogue, KnowledgeFiles, Language, OUTSIDE, Scenario, Section, SectionText};
use crate::workshop::{Edit, check};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/knowledge/file", web::get().to(show))
        .route("/console/knowledge/file", web::post().to(save))
        .route("/console/knowledge/file/live", web::post().to(live))
        .route("/console/knowledge/file/edit", web::post().to(edit));
}

#[derive(Deserialize)]
struct Named {
    path: String,
    #[serde(default)]
    saved: String,
}

#[derive(Template)]
#[template(path = "knowledge_file.html")]
struct FilePage {
    frame: Frame,
    path: String,
    text: String,
    is_changed: bool,
    is_saved: bool,
    scenario: Option<ShownScenario>,
    /// Ids and labels of the other scenarios, and of what is not our subject.
    others: Vec<(String, String)>,
    live: String,
    problem: Option<String>,
    duplicates: Vec<(String, String)>,
}

/// So many utterances can be removed by themselves, so that the page stays small; whatever there are stands in the file as well.
const MOST_UTTERANCES: usize = 200;

/// What the small forms show.
struct ShownScenario {
    id: String,
    heading: String,
    /// By language: the heading, and the steps with a line each.
    languages: Vec<(&'static str, String, String)>,
    utterances: Vec<String>,
}

/// What is shown of a text that is being written: problems and answers.
#[derive(Template)]
#[template(path = "knowledge_live.html")]
struct LivePart {
    frame: Frame,
    problems: Vec<ShownProblem>,
    /// By language.
    forms: Vec<(&'static str, Vec<ShownForm>)>,
}

async fn show(visit: Visit<Viewer>, named: web::Query<Named>) -> Result<HttpResponse, Refusal> {
    let desk = Desk::of(&visit).await?;
    let named = named.into_inner();
    let is_saved = !named.saved.is_empty();
    page(visit, desk, named.path, (is_saved, None, Vec::new())).await
}

type Told = (bool, Option<String>, Vec<(String, String)>);

async fn page<Role>(
    visit: Visit<Role>,
    desk: Desk,
    path: String,
    (is_saved, problem, duplicates): Told,
) -> Result<HttpResponse, Refusal> {
    let text = desk.draft.text(&desk.files, &path).ok_or(Refusal::NotFound)?.to_owned();
    let over = desk.draft.over(&desk.files);
    let (catalogue, _) = Catalogue::read(&over);
    let scenario = catalogue.scenarios.values().find(|scenario| scenario.file == path);
    let others = catalogue.scenarios.values().filter(|other| other.file != path);
    let others = others.map(|other| (other.id.clone(), visit.frame.scenario(&catalogue, &other.id)));
    let outside = (OUTSIDE.to_owned(), visit.frame.t("knowledge.outside").to_owned());
    let live = part(&visit.frame, &over, &catalogue, &path).await;
    html(&FilePage {
        live: live.render()?,
        is_changed: desk.draft.has(&path),
        scenario: scenario.map(shown_scenario),
        others: std::iter::once(outside).chain(others).collect(),
        path,
        text,
        is_saved,
        problem,
        duplicates,
        frame: visit.frame,
    })
}

/// Those of this file first.
async fn problems(over: &KnowledgeFiles, path: &str) -> Vec<ShownProblem> {
    let mut problems = check(over.clone()).await;
    problems.sort_by_key(|problem| problem.file != path);
    let shown = problems
        .iter()
        .map(|problem| shown_problem(problem, |file| over.text(file)));
    shown.collect()
}

fn shown_forms(catalogue: &Catalogue, scenario: &Scenario) -> Vec<(&'static str, Vec<ShownForm>)> {
    let languages = [("zh", Language::Chinese), ("en", Language::English)];
    let now = Timestamp::now();
    languages
        .into_iter()
        .map(|(name, language)| (name, forms(catalogue, scenario, language, now)))
        .collect()
}

fn shown_scenario(scenario: &Scenario) -> ShownScenario {
    let answers = [("zh", &scenario.answer.zh), ("en", &scenario.answer.en)];
    let languages = answers.map(|(language, answer)| {
        let steps = match answer.sections.get(&Section::Steps) {
            Some(SectionText::Steps(steps)) => steps.join("\n"),
            _ => String::new(),
        };
        (language, answer.title.clone(), steps)
    });
    ShownScenario {
        id: scenario.id.clone(),
        heading: scenario.answer.zh.title.clone(),
        languages: languages.to_vec(),
        utterances: scenario.utterances.iter().map(|one| one.value.clone()).collect(),
    }
}

#[derive(Deserialize)]
struct Text {
    path: String,
    text: String,
}

async fn save(visit: Visit<Editor>, Posted(form): Posted<Text>) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    let replace = Edit::ReplaceFile {
        file: form.path.clone(),
        text: Some(form.text),
    };
    match desk.draft.apply(&desk.files, replace, today()) {
        Ok(_) => {
            desk.save().await?;
            Ok(see_other(&file_page(&form.path)))
        }
        Err(_) => Err(Refusal::Malformed),
    }
}

fn file_page(path: &str) -> String {
    format!("/console/knowledge/file?path={}&saved=yes", encoded(path))
}

/// What would be shown of a text, without keeping it.
async fn live(visit: Visit<Editor>, Posted(form): Posted<Text>) -> Result<HttpResponse, Refusal> {
    let desk = Desk::of(&visit).await?;
    let mut draft = desk.draft.clone();
    let replace = Edit::ReplaceFile {
        file: form.path.clone(),
        text: Some(form.text),
    };
    draft
        .apply(&desk.files, replace, today())
        .map_err(|_| Refusal::Malformed)?;
    let over = draft.over(&desk.files);
    let (catalogue, _) = Catalogue::read(&over);
    let part = part(&visit.frame, &over, &catalogue, &form.path).await;
    html(&part)
}

async fn part(frame: &Frame, over: &KnowledgeFiles, catalogue: &Catalogue, path: &str) -> LivePart {
    let scenario = catalogue.scenarios.values().find(|scenario| scenario.file == path);
    LivePart {
        frame: frame.for_part(),
        problems: problems(over, path).await,
        forms: scenario
            .map(|scenario| shown_forms(catalogue, scenario))
            .unwrap_or_default(),
    }
}

/// One of the small forms.
#[derive(Deserialize)]
struct Small {
    path: String,
    scenario: String,
    what: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    belongs_to: String,
}

impl Small {
    fn edit(&self) -> Option<Edit> {
        let scenario = self.scenario.clone();
        let language = match self.language.as_str() {
            "en" => Language::English,
            _ => Language::Chinese,
        };
        Some(match self.what.as_str() {
            "add" => Edit::AddUtterances {
                scenario,
                questions: lines(&self.text),
            },
            "remove" => Edit::RemoveUtterance {
                scenario,
                question: self.text.clone(),
            },
            "not-this" => Edit::AddCounterExample {
                scenario,
                question: self.text.clone(),
                belongs_to: self.belongs_to.clone(),
            },
            "title" => Edit::SetTitle {
                scenario,
                language,
                title: self.text.trim().to_owned(),
            },
            "steps" => Edit::SetSteps {
                scenario,
                language,
                steps: lines(&self.text),
            },
            _ => return None,
        })
    }
}

async fn edit(visit: Visit<Editor>, Posted(form): Posted<Small>) -> Result<HttpResponse, Refusal> {
    let mut desk = Desk::of(&visit).await?;
    let edit = form.edit().ok_or(Refusal::Malformed)?;
    let told = match desk.draft.apply(&desk.files, edit, today()) {
        Ok(duplicates) => {
            desk.save().await?;
            if duplicates.is_empty() {
                return Ok(see_other(&file_page(&form.path)));
            }
            (false, None, shown_duplicates(&duplicates))
        }
        Err(error) => (false, Some(error.to_string()), Vec::new()),
    };
    page(visit, desk, form.path, told).await
}
