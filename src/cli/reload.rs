//! `jiefeng reload`: has every server that uses the store look at its knowledge now.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::{Failure, print_line};
use crate::app::with_store_beside;
use crate::config::{Environment, load};
use crate::store::{Instance, Store};

/// Hearing of the request takes five seconds at most; the rest is for reading and learning.
const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Have the servers look at the knowledge now, and say what each of them answers with
#[derive(Args)]
#[command(
    after_help = "Servers notice changes of the knowledge by themselves within seconds; this waits for it and says what came of it.

Exit status: 0 all of them answer with what is on disk, 1 one of them refuses it (its log has the whole report), 2 there is none."
)]
pub(super) struct Reload {
    /// Configuration file of the servers
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Reload {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = load(&self.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        let asking = async |store: &dyn Store| {
            let request = store.request_reload().await?;
            Ok((request, followed(store, request).await?))
        };
        let (request, instances) = with_store_beside(&settings.storage, asking)?;
        if instances.is_empty() {
            return Err(anyhow::anyhow!("no server uses this store; start one with `jiefeng serve`").into());
        }
        for instance in &instances {
            print_line(&in_words(instance, request));
        }
        let is_followed = |instance: &Instance| outcome(instance, request) == Outcome::Taken;
        match instances.iter().all(is_followed) {
            true => Ok(()),
            false => Err(Failure::FoundProblems),
        }
    }
}

/// What came of the request at one server.
#[derive(PartialEq)]
enum Outcome {
    Taken,
    Refused,
    Unanswered,
}

fn outcome(instance: &Instance, request: i64) -> Outcome {
    match instance.report.reload >= request {
        false => Outcome::Unanswered,
        true if instance.report.knowledge_refusal.is_empty() => Outcome::Taken,
        true => Outcome::Refused,
    }
}

/// The live servers, once each of them has followed the request, or when patience has ended.
async fn followed(store: &dyn Store, request: i64) -> anyhow::Result<Vec<Instance>> {
    let end = Instant::now() + PATIENCE;
    loop {
        let instances = store.instances().await?;
        let is_waited_for = |instance: &Instance| outcome(instance, request) == Outcome::Unanswered;
        if Instant::now() > end || !instances.iter().any(is_waited_for) {
            return Ok(instances);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn in_words(instance: &Instance, request: i64) -> String {
    let report = &instance.report;
    let (id, version, since) = (&instance.id, &report.knowledge_version, instance.started_at);
    let outcome = match outcome(instance, request) {
        Outcome::Taken => format!("answers with {version}"),
        Outcome::Refused => format!("goes on answering with {version}, because {}", report.knowledge_refusal),
        Outcome::Unanswered => format!("has not looked within a minute, and answers with {version}"),
    };
    format!("{id} (running since {since:.0}) {outcome}")
}
