//! Finds out why callbacks do not arrive or are refused, and what to do about it.
//!
//! Every side has its file: what can be seen from inside ([`inside`]), of the public address alone ([`address`]), of its certificate
//! ([`certificate`]), of what comes back from it ([`probes`] ask, [`answers`] judges), of WeCom's API ([`platform`]), and of the requests that
//! have really come ([`mod@life`]). Each makes [`Finding`]s; what they say stands in `words/`.

mod address;
mod answers;
mod certificate;
mod finding;
mod inside;
mod life;
mod platform;
mod probes;
mod words;

use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use finding::{Cause, Finding, Level, Side};
pub use inside::StoreTrouble;
pub use life::why_refused;
pub use words::Words;

use crate::config::{PublicUrl, Readable};
use crate::store::Store;

/// How long one exchange with somebody else may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// A server puts what it received on record this long after.
const ON_RECORD: Duration = Duration::from_millis(2500);

/// What is to be examined.
#[derive(Clone, Copy)]
pub struct Patient<'a> {
    /// What makes sense of the configuration.
    pub settings: &'a Readable,
    /// Where WeCom reaches the server.
    pub public_url: Option<&'a PublicUrl>,
    /// The store, or what keeps it from being looked into.
    pub store: Result<&'a dyn Store, &'a StoreTrouble>,
}

/// Examines everything, what is independent at the same time; `tell` hears of every side that is done. Nobody is waited for longer than six
/// seconds at a time.
pub async fn examine(patient: Patient<'_>, tell: impl Fn(Side)) -> Vec<Finding> {
    let begun = Instant::now();
    let done = async |side: Side, findings: Vec<Finding>| {
        tell(side);
        findings
    };
    let (mut inside, outside, platform) = futures_util::future::join3(
        async { done(Side::Inside, inside::examine(patient).await).await },
        async { done(Side::Outside, outside(patient).await).await },
        async { done(Side::Platform, platform::examine(patient.settings).await).await },
    )
    .await;
    let life = life(patient, begun).await;
    tell(Side::Life);
    inside.extend(outside.into_iter().chain(platform).chain(life));
    inside
}

/// What can be seen of the public address.
async fn outside(patient: Patient<'_>) -> Vec<Finding> {
    match patient.public_url {
        Some(url) => examine_outside(patient.settings, url).await,
        None => vec![Finding::new(Cause::UrlMissing)],
    }
}

/// Examines the public address alone.
pub async fn examine_outside(settings: &Readable, url: &PublicUrl) -> Vec<Finding> {
    let mut findings = address::of_itself(url);
    let (is_found, of_name) = address::of_its_name(url).await;
    findings.extend(of_name);
    if !is_found {
        return findings;
    }
    if url.is_https() {
        let (is_trusted, of_certificate) = certificate::examine(url).await;
        findings.extend(of_certificate);
        if !is_trusted {
            return findings;
        }
    }
    let probing = settings.apps.iter().map(|app| probes::examine(app, url));
    findings.extend(futures_util::future::join_all(probing).await.into_iter().flatten());
    findings
}

/// Judges the requests to these apps that are on record now.
pub async fn examine_life(apps: &[&str], store: &dyn Store) -> Vec<Finding> {
    match store.seen_callbacks().await {
        Ok(seen) => life::judge(apps, &seen, Timestamp::now()),
        Err(error) => vec![Finding::new(Cause::StoreUnusable).with("error", error)],
    }
}

async fn life(patient: Patient<'_>, begun: Instant) -> Vec<Finding> {
    let Ok(store) = patient.store else { return Vec::new() };
    let is_running = store.instances().await.is_ok_and(|instances| !instances.is_empty());
    if is_running {
        tokio::time::sleep(ON_RECORD.saturating_sub(begun.elapsed())).await;
    }
    let apps: Vec<&str> = patient.settings.apps.iter().map(|app| app.name.as_str()).collect();
    examine_life(&apps, store).await
}
