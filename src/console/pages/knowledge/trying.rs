//! Trying a question: what is decided, why, and what is answered, now and with the draft.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::Desk;
use crate::console::frame::Frame;
use crate::console::refusal::Refusal;
use crate::console::visit::{Viewer, Visit, html};
use crate::dialogue::Assistant;
use crate::evaluation::AnsweredQuestion;

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route("/console/knowledge/try", web::get().to(show));
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    question: String,
}

#[derive(Template)]
#[template(path = "knowledge_try.html")]
struct TryPage {
    frame: Frame,
    question: String,
    /// Each with a key of `words.toml`.
    tried: Vec<(&'static str, Tried)>,
    has_draft: bool,
    problem: Option<String>,
}

struct Tried {
    decision: &'static str,
    confidence: String,
    scenarios: Vec<(String, String)>,
    reply: String,
    options: Vec<String>,
    bytes: usize,
    read_as: String,
    reasons: Vec<Reason>,
}

/// What a scenario is called, its probability, the nearest utterance, and what speaks for it.
type Reason = (String, String, String, Vec<String>);

async fn show(visit: Visit<Viewer>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    let desk = Desk::of(&visit).await?;
    let question = asked.question.trim().to_owned();
    let mut tried = Vec::new();
    let mut problem = None;
    if !question.is_empty() {
        tried.push((
            "knowledge.live",
            try_with(&visit.frame, &desk.workshop.current(), &question),
        ));
        if !desk.draft.is_empty() {
            match desk.workshop.candidate(&desk.draft).await {
                Ok(candidate) => tried.push(("knowledge.draft", try_with(&visit.frame, &candidate, &question))),
                Err(error) => problem = Some(error.to_string()),
            }
        }
    }
    html(&TryPage {
        question,
        tried,
        has_draft: !desk.draft.is_empty(),
        problem,
        frame: visit.frame,
    })
}

fn try_with(frame: &Frame, assistant: &Assistant, question: &str) -> Tried {
    let answered = AnsweredQuestion::first(assistant, question, Timestamp::now());
    let explanation = assistant.matcher.explain(question);
    let named = |id: &String| (id.clone(), frame.scenario(&assistant.catalogue, id));
    let reasons = explanation.reasons.iter().map(|reasons| {
        let pieces = reasons.pieces.iter().filter(|piece| piece.weight > 0.0);
        (
            frame.scenario(&assistant.catalogue, &reasons.candidate.id),
            format!("{:.0}%", reasons.candidate.probability * 100.0),
            reasons.nearest_utterance.clone().unwrap_or_default(),
            pieces.map(|piece| piece.text.clone()).collect(),
        )
    });
    Tried {
        decision: answered.decision.name(),
        confidence: format!("{:.0}%", answered.confidence * 100.0),
        scenarios: answered.scenarios.iter().take(3).map(named).collect(),
        bytes: answered.reply.len(),
        options: answered.options.iter().map(|option| option.label.clone()).collect(),
        reply: answered.reply,
        reasons: reasons.collect(),
        read_as: explanation.read_as,
    }
}
