//! What the bot could not answer, the biggest clusters first.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use crate::console::frame::Frame;
use crate::console::refusal::Refusal;
use crate::console::unanswered::{Cluster, Counts, Failure, USUAL_DAYS, unanswered_soon};
use crate::console::visit::{Viewer, Visit, html};
use crate::dialogue::Assistant;

/// Days that can be looked back.
const PERIODS: [i64; 3] = [7, 30, 90];

/// Clusters on one page.
const ON_A_PAGE: usize = 50;

/// So many texts of a cluster are shown in the list.
const SAMPLES: usize = 3;

pub(super) const LIST: &str = "/console/unanswered";

pub(super) fn configure(routes: &mut ServiceConfig) {
    routes.route(LIST, web::get().to(show));
}

/// What is looked at, as addresses have it.
#[derive(Clone, Deserialize)]
pub(super) struct Asked {
    days: Option<i64>,
    /// Only clusters with questions that failed in this way.
    #[serde(default)]
    only: String,
    /// So many clusters are left out before.
    #[serde(default)]
    from: usize,
    /// `yes`: nothing that was found out before is shown again.
    #[serde(default)]
    fresh: String,
}

impl Asked {
    pub(super) fn days(&self) -> i64 {
        self.days.filter(|days| PERIODS.contains(days)).unwrap_or(USUAL_DAYS)
    }

    /// The place in [`Failure::ALL`] of the only way that is wanted.
    fn only(&self) -> Option<usize> {
        Failure::ALL.iter().position(|failure| failure.name() == self.only)
    }
}

#[derive(Template)]
#[template(path = "unanswered.html")]
struct UnansweredPage {
    frame: Frame,
    periods: [i64; PERIODS.len()],
    days: i64,
    only: String,
    kinds: Vec<(&'static str, u64)>,
    all: u64,
    rows: Vec<Row>,
    found: usize,
    further: Option<usize>,
    made_at: Timestamp,
    looked_since: Option<Timestamp>,
    /// How many files are changed and not published.
    changed: usize,
}

/// A cluster in the list.
struct Row {
    id: String,
    samples: Vec<String>,
    more: usize,
    shown: ShownCluster,
}

/// The figures of a cluster.
pub(super) struct ShownCluster {
    pub(super) questions: u64,
    pub(super) texts: usize,
    pub(super) people: usize,
    pub(super) newest: Timestamp,
    pub(super) kinds: Vec<(&'static str, u64)>,
    /// The scenario that they are most like, and how much.
    pub(super) nearest: Option<(String, String)>,
    pub(super) is_more_like_outside: bool,
}

impl ShownCluster {
    pub(super) fn of(frame: &Frame, assistant: &Assistant, cluster: &Cluster) -> Self {
        let nearest = cluster.nearest.as_ref().map(|(id, probability)| {
            let label = frame.scenario(&assistant.catalogue, id);
            (label, format!("{:.0}%", probability * 100.0))
        });
        Self {
            questions: cluster.questions(),
            texts: cluster.texts.len(),
            people: cluster.people,
            newest: cluster.newest.map(|id| id.made_at()).unwrap_or_default(),
            kinds: kinds(&cluster.counts).filter(|(_, count)| *count > 0).collect(),
            nearest,
            is_more_like_outside: cluster.is_more_like_outside,
        }
    }
}

fn kinds(counts: &Counts) -> impl Iterator<Item = (&'static str, u64)> {
    Failure::ALL.map(Failure::name).into_iter().zip(*counts)
}

/// Says that it is being found out, and looks again in a second.
#[derive(Template)]
#[template(path = "unanswered_soon.html")]
pub(super) struct SoonPage {
    pub(super) frame: Frame,
}

async fn show(visit: Visit<Viewer>, asked: web::Query<Asked>) -> Result<HttpResponse, Refusal> {
    let days = asked.days();
    let Some(unanswered) = unanswered_soon(&visit.console, days, asked.fresh == "yes").await? else {
        return html(&SoonPage { frame: visit.frame });
    };
    let assistant = visit.console.assistant.get();
    let draft = visit.console.workshop.draft(&visit.user.name).await?;
    let frame = visit.frame;
    let is_wanted = |cluster: &&Cluster| {
        let count = asked.only().and_then(|place| cluster.counts.get(place));
        count.is_none_or(|count| *count > 0)
    };
    let wanted: Vec<&Cluster> = unanswered.clusters.iter().filter(is_wanted).collect();
    let rows = wanted.iter().skip(asked.from).take(ON_A_PAGE);
    let end = asked.from.saturating_add(ON_A_PAGE);
    html(&UnansweredPage {
        periods: PERIODS,
        days,
        only: asked.only.clone(),
        kinds: kinds(&unanswered.counts).collect(),
        all: unanswered.counts.iter().sum(),
        rows: rows.filter_map(|cluster| row(&frame, &assistant, cluster)).collect(),
        found: wanted.len(),
        further: (end < wanted.len()).then_some(end),
        made_at: unanswered.made_at,
        looked_since: unanswered.looked_since,
        changed: draft.changes().len(),
        frame,
    })
}

fn row(frame: &Frame, assistant: &Assistant, cluster: &Cluster) -> Option<Row> {
    let samples = cluster.texts.iter().take(SAMPLES);
    Some(Row {
        id: cluster.newest?.to_string(),
        samples: samples.map(|text| text.text.clone()).collect(),
        more: cluster.texts.len().saturating_sub(SAMPLES),
        shown: ShownCluster::of(frame, assistant, cluster),
    })
}
