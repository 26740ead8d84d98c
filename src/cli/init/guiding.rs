//! Says how far things are while the server runs: until the address is reached, verified, and a message answered.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use super::Guide;
use crate::config::{Environment, PublicUrl, Readable, examine as read_configuration};
use crate::doctor::{Cause, Finding, Level, examine_outside, why_refused};
use crate::store::{SeenCallbacks, Store};

/// How often it is looked for what has come, and tried whether the address leads here.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is known while things are under way.
pub(super) struct Guiding {
    guide: Guide,
    file: String,
    settings: Readable,
    app: AsWritten,
}

/// The first app of the file, with what is to be pasted.
struct AsWritten {
    name: String,
    token: String,
    encoding_aes_key: String,
}

impl Guiding {
    pub(super) fn new(config: &Path, guide: Guide) -> anyhow::Result<Self> {
        Ok(Self {
            guide,
            file: config.display().to_string(),
            settings: read_configuration(config, &Environment::of_process())?,
            app: AsWritten::read(config)?,
        })
    }

    pub(super) async fn run(self, address: SocketAddr, store: Arc<dyn Store>) {
        let came = Came {
            store,
            app: self.app.name.clone(),
            since: Timestamp::now(),
        };
        self.guide.say("listens", &[("address", &address.to_string())]);
        let mut trial = Trial::of(&self.settings);
        let url = trial.url(&self.app.name);
        if trial.address.is_some() {
            let values = [("url", url.as_str()), ("address", &address.to_string())];
            self.guide.say("make_reachable", &values);
            self.try_from_outside(&mut trial, &url).await;
        }
        let (token, key) = (self.app.token.as_str(), self.app.encoding_aes_key.as_str());
        self.guide
            .say("paste", &[("url", &url), ("token", token), ("key", key)]);
        self.until_verified(&mut trial, &url, &came).await;
        self.guide.say("verified", &[]);
        self.guide.say("write_to_it", &[]);
        self.until_genuine("POST", &came).await;
        self.guide.say("answered", &[]);
        self.guide.say("afterwards", &[("file", &self.file)]);
    }

    /// A machine may not reach its own public address, so what is seen from here keeps nobody waiting: WeCom's request decides.
    async fn until_verified(&self, trial: &mut Trial, url: &str, came: &Came) {
        let mut told = Vec::new();
        while !came.has_genuine("GET").await {
            self.tell_refused(&mut told, came).await;
            self.try_from_outside(trial, url).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn until_genuine(&self, method: &str, came: &Came) {
        let mut told = Vec::new();
        while !came.has_genuine(method).await {
            self.tell_refused(&mut told, came).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Tries until the address leads here, and says what keeps it from doing so when that changes.
    async fn try_from_outside(&self, trial: &mut Trial, url: &str) {
        let Some(address) = &trial.address else { return };
        let findings = examine_outside(&self.settings, address).await;
        match findings.iter().find(|finding| finding.level() == Level::Red) {
            None => {
                self.guide.say("reachable", &[("url", url)]);
                trial.address = None;
            }
            Some(trouble) if trial.told == Some(trouble.cause) => {}
            Some(trouble) => {
                self.tell("not_reachable", trouble);
                trial.told = Some(trouble.cause);
            }
        }
    }

    /// Says why requests were refused, once for each that came.
    async fn tell_refused(&self, told: &mut Vec<(Cause, u64)>, came: &Came) {
        for refused in came.refused().await {
            let finding = why_refused(&refused);
            let this = (finding.cause, refused.count);
            if !told.contains(&this) {
                self.tell("refused", &finding);
                told.push(this);
            }
        }
    }

    fn tell(&self, sentence: &str, finding: &Finding) {
        let words = finding.words(self.guide.language);
        self.guide
            .say(sentence, &[("what", &words.what), ("cure", &words.cure)]);
    }
}

/// Trying the address from outside.
struct Trial {
    /// `None` once it leads here, or where none is configured.
    address: Option<PublicUrl>,
    /// What was said last to be in the way.
    told: Option<Cause>,
}

impl Trial {
    fn of(settings: &Readable) -> Self {
        let address = settings.server.as_ref().and_then(|server| server.public_url.clone());
        Self { address, told: None }
    }

    /// What is to be pasted.
    fn url(&self, app: &str) -> String {
        let address = self.address.as_ref();
        address.map_or_else(
            || format!("https://…/callback/{app}"),
            |address| address.callback(app).to_string(),
        )
    }
}

impl AsWritten {
    /// Reads them from the file again, because the settings do not give secrets away.
    fn read(config: &Path) -> anyhow::Result<Self> {
        let name = config.display();
        let text = std::fs::read_to_string(config).with_context(|| format!("cannot read `{name}`"))?;
        let table: toml::Table = text.parse().with_context(|| format!("`{name}` is no TOML"))?;
        let app = table
            .get("apps")
            .and_then(|apps| apps.get(0))
            .with_context(|| format!("`{name}` has no [[apps]]"))?;
        let written = |key: &str| {
            let value = app.get(key).and_then(toml::Value::as_str);
            value.map_or_else(|| format!("({key})"), str::to_owned)
        };
        Ok(Self {
            name: written("name"),
            token: written("token"),
            encoding_aes_key: written("encoding_aes_key"),
        })
    }
}

/// What came to the callback address since.
struct Came {
    store: Arc<dyn Store>,
    app: String,
    since: Timestamp,
}

impl Came {
    async fn recent(&self) -> Vec<SeenCallbacks> {
        let seen = self.store.seen_callbacks().await.unwrap_or_default();
        let is_recent =
            |seen: &SeenCallbacks| seen.last_at >= self.since && (seen.app == self.app || seen.app.is_empty());
        seen.into_iter().filter(is_recent).collect()
    }

    async fn has_genuine(&self, method: &str) -> bool {
        let recent = self.recent().await;
        recent.iter().any(|seen| seen.is_genuine() && seen.method == method)
    }

    async fn refused(&self) -> Vec<SeenCallbacks> {
        let recent = self.recent().await;
        recent.into_iter().filter(|seen| !seen.is_genuine()).collect()
    }
}
