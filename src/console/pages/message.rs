//! One message: what was asked, what the bot made of it and why, and what became of it.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use crate::console::form::Posted;
use crate::console::format::micros;
use crate::console::frame::Frame;
use crate::console::masking::masked;
use crate::console::refusal::Refusal;
use crate::console::visit::{Admin, Viewer, Visit, html};
use crate::dialogue::Assistant;
use crate::matching::{Explanation, Piece, View};
use crate::store::{QuestionCourse, QuestionId};

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/console/messages/{id}", web::get().to(show))
        .route("/console/messages/{id}/unmasked", web::post().to(show_unmasked));
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    frame: Frame,
    id: QuestionId,
    course: QuestionCourse,
    text: String,
    reply: Option<String>,
    is_masked: bool,
    /// Whether masking has left something out.
    has_masked: bool,
    /// Ids and labels, best first.
    scenarios: Vec<(String, String)>,
    confidence: String,
    time: String,
    /// What happened when: keys of `words.toml` or fates, each with its section.
    events: Vec<Event>,
    /// Whether another version of the knowledge answers now.
    is_of_before: bool,
    read_as: String,
    reasons: Vec<ShownReasons>,
    never_seen: Vec<String>,
}

struct Event {
    at: Option<Timestamp>,
    what: String,
}

struct ShownReasons {
    label: String,
    probability: String,
    nearest: String,
    pieces: Vec<ShownPiece>,
}

struct ShownPiece {
    text: String,
    view: &'static str,
    weight: String,
    /// Whether it speaks against.
    is_against: bool,
    /// In hundredths of the weightiest piece.
    width: u32,
}

async fn show(visit: Visit<Viewer>, id: web::Path<String>) -> Result<HttpResponse, Refusal> {
    page(visit, &id, true).await
}

#[derive(Deserialize)]
struct Nothing {}

async fn show_unmasked(
    visit: Visit<Admin>,
    id: web::Path<String>,
    _: Posted<Nothing>,
) -> Result<HttpResponse, Refusal> {
    visit.note("unmask", &id).await?;
    page(visit, &id, false).await
}

async fn page<Role>(visit: Visit<Role>, id: &str, is_masked: bool) -> Result<HttpResponse, Refusal> {
    let id: QuestionId = id.parse().map_err(|_| Refusal::NotFound)?;
    let course = visit
        .console
        .store
        .question_course(id)
        .await?
        .ok_or(Refusal::NotFound)?;
    let (frame, assistant) = (visit.frame, visit.console.assistant.get());
    let shown = |text: &str| match is_masked {
        true => masked(text),
        false => text.to_owned(),
    };
    let record = &course.question.record;
    let text = shown(&record.text);
    // The reasons are those for what is shown: they would tell what is masked.
    let explanation = assistant.matcher.explain(&text);
    let scenarios = record.scenarios.iter();
    let scenarios = scenarios.map(|scenario| (scenario.clone(), frame.scenario(&assistant.catalogue, scenario)));
    html(&MessagePage {
        id,
        reply: course.reply.as_ref().and_then(|(reply, _)| reply.as_deref()).map(shown),
        has_masked: masked(&record.text) != record.text,
        is_masked,
        scenarios: scenarios.collect(),
        confidence: format!("{:.0}%", record.confidence * 100.0),
        time: micros(record.micros),
        events: events(&frame, &course),
        is_of_before: record.knowledge_version != assistant.version,
        reasons: reasons(&frame, &assistant, &explanation),
        read_as: explanation.read_as,
        never_seen: explanation.never_seen,
        text,
        frame,
        course,
    })
}

/// What became of the message, in the order of time.
fn events(frame: &Frame, course: &QuestionCourse) -> Vec<Event> {
    let said = |at: Timestamp, word: &str| Event {
        at: Some(at),
        what: frame.t(word).to_owned(),
    };
    let mut events = vec![said(course.question.id.made_at(), "message.written")];
    if let Some(received) = &course.received {
        events.push(said(received.received_at, "message.received"));
    }
    events.push(said(course.question.record.asked_at, "message.understood"));
    if let Some(received) = &course.received {
        let fate = received.fate.as_deref().unwrap_or("waits");
        let why = match received.reason.is_empty() {
            true => String::new(),
            false => format!(" ({})", received.reason),
        };
        events.push(Event {
            at: None,
            what: format!("{}{why}", frame.word_of("fate", fate)),
        });
    }
    match &course.reply {
        Some((Some(_), at)) if course.sent.is_empty() => events.push(said(*at, "message.replied")),
        Some((None, at)) if course.received.is_none() => events.push(said(*at, "message.silent")),
        _ => {}
    }
    for sent in &course.sent {
        let fate = frame.word_of("fate", sent.fate.as_deref().unwrap_or("waits"));
        let code = sent.code.map(|code| format!(" (errcode {code})")).unwrap_or_default();
        events.push(Event {
            at: sent.settled_at,
            what: format!("{}: {fate}{code}", sent.api),
        });
    }
    events
}

fn reasons(frame: &Frame, assistant: &Assistant, explanation: &Explanation) -> Vec<ShownReasons> {
    let weights = explanation.reasons.iter().flat_map(|reasons| &reasons.pieces);
    let heaviest = weights
        .map(|piece| piece.weight.abs())
        .fold(f32::MIN_POSITIVE, f32::max);
    let shown = explanation.reasons.iter().map(|reasons| ShownReasons {
        label: frame.scenario(&assistant.catalogue, &reasons.candidate.id),
        probability: format!("{:.0}%", reasons.candidate.probability * 100.0),
        nearest: reasons.nearest_utterance.clone().unwrap_or_default(),
        pieces: reasons
            .pieces
            .iter()
            .map(|piece| shown_piece(frame, piece, heaviest))
            .collect(),
    });
    shown.collect()
}

fn shown_piece(frame: &Frame, piece: &Piece, heaviest: f32) -> ShownPiece {
    ShownPiece {
        text: piece.text.clone(),
        view: frame.t(match piece.view {
            View::Characters => "view.characters",
            View::Sounds => "view.sounds",
            View::Words => "view.words",
            View::Meaning => "view.meaning",
        }),
        weight: format!("{:+.2}", piece.weight),
        is_against: piece.weight < 0.0,
        width: (piece.weight.abs() / heaviest * 100.0).round() as u32,
    }
}
