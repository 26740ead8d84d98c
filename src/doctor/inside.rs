//! What can be seen on this machine: configuration, store, knowledge, and whether the server runs with what is configured.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::Patient;
use super::answers::{Exchange, is_of_jiefeng};
use super::finding::{Cause, Finding};
use super::probes::{Prober, Wanted, verification};
use crate::checked_toml::Problem;
use crate::config::{App, Knowledge, PublicUrl, Server};
use crate::learning::{LoadError, MatcherFiles, load_assistant, problem_lines};
use crate::store::Store;

/// What keeps the store from being looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreTrouble {
    /// There is none yet.
    Missing(PathBuf),
    /// It cannot be opened, as this says.
    Unusable(String),
    /// The configuration names none that could be opened.
    NotConfigured,
}

pub(super) async fn examine(patient: Patient<'_>) -> Vec<Finding> {
    let settings = patient.settings;
    let mut findings = configuration(&settings.problems);
    findings.extend(match patient.store {
        Ok(store) => of_store(store).await,
        Err(StoreTrouble::Missing(path)) => vec![Finding::new(Cause::StoreMissing).with("path", path.display())],
        Err(StoreTrouble::Unusable(error)) => vec![Finding::new(Cause::StoreUnusable).with("error", error)],
        Err(StoreTrouble::NotConfigured) => Vec::new(),
    });
    if let Some(knowledge) = &settings.knowledge {
        findings.push(of_knowledge(knowledge).await);
    }
    if let (Some(server), Some(app)) = (&settings.server, settings.apps.first()) {
        findings.extend(of_server(server, app).await);
    }
    findings
}

/// A finding for each problem; what is told of the keys that are copied from the console is told of each by itself.
fn configuration(problems: &[Problem]) -> Vec<Finding> {
    if problems.is_empty() {
        return vec![Finding::new(Cause::ConfigurationGood)];
    }
    let found = problems.iter().map(|problem| {
        let key = problem.key.trim_end_matches("_file");
        let cause = match key.rsplit('.').next().unwrap_or_default() {
            "token" | "previous_token" => Cause::ConfigurationToken,
            "encoding_aes_key" | "previous_encoding_aes_key" => Cause::ConfigurationKey,
            "corp_id" => Cause::ConfigurationCorpId,
            _ => Cause::ConfigurationProblem,
        };
        Finding::new(cause).with("problem", problem)
    });
    found.collect()
}

async fn of_store(store: &dyn Store) -> Vec<Finding> {
    let (probed, figures) = (store.probe().await, store.figures().await);
    let failed = probed.map_err(|error| Finding::new(Cause::StoreReadOnly).with("error", error));
    let figures = figures.map_err(|error| Finding::new(Cause::StoreUnusable).with("error", error));
    let figures = match failed.and(figures) {
        Ok(figures) => figures,
        Err(finding) => return vec![finding],
    };
    let dead = figures.dead_received.saturating_add(figures.dead_sends);
    let letters = (dead > 0).then(|| Finding::new(Cause::DeadLetters).with("count", dead));
    std::iter::once(Finding::new(Cause::StoreGood)).chain(letters).collect()
}

async fn of_knowledge(knowledge: &Knowledge) -> Finding {
    let (directory, cache) = (knowledge.dir.clone(), MatcherFiles::new(knowledge.cache_dir.clone()));
    let loading = tokio::task::spawn_blocking({
        let directory = directory.clone();
        move || load_assistant(&directory, &cache)
    });
    let problems = match loading.await {
        Ok(Ok(assistant)) => {
            return Finding::new(Cause::KnowledgeGood).with("version", &assistant.version);
        }
        Ok(Err(LoadError::Problems(problems))) => problem_lines(&directory, &problems),
        Ok(Err(LoadError::Unreadable(error))) => vec![error.to_string()],
        Err(_) => vec!["reading it ended by a defect of this program".to_owned()],
    };
    Finding::new(Cause::KnowledgeProblems)
        .with("count", problems.len())
        .with("first", problems.first().cloned().unwrap_or_default())
}

/// Asks the address that the server listens on, as the proxy would.
async fn of_server(server: &Server, app: &App) -> Option<Finding> {
    let address = reachable(server.listen);
    let url = PublicUrl::parse(&format!("http://{address}"))
        .ok()
        .filter(|_| address.port() != 0)?;
    let sealed = verification(app.credentials.current(), Wanted::AnyText)?;
    let prober = Prober::new().ok()?;
    let exchange = prober.get(url.callback(&app.name), &sealed.query).await;
    let cause = match &exchange {
        Exchange::Answered(answer) if answer.status == 200 && answer.body == sealed.plaintext.as_bytes() => {
            Cause::ServerGood
        }
        Exchange::Answered(answer) if is_of_jiefeng(answer) => Cause::ServerOtherCredentials,
        Exchange::Answered(_) | Exchange::AnswerTimeout | Exchange::Failed(_) => Cause::PortTaken,
        Exchange::Refused | Exchange::ConnectionTimeout => Cause::ServerNotRunning,
    };
    Some(Finding::new(cause).with("address", address).of(&app.name))
}

/// Whoever listens on every address is on this machine's own one as well.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listen.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), listen.port()),
        _ => listen,
    }
}
