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
use crate::setup::callback_url;
use crate::store::{SeenCallbacks, Store};

/// How often it is looked for what has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the address is tried from outside while it is not reached.
const TRY_EVERY: Duration = Duration::from_secs(5);

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
        let begun = Timestamp::now();
        let came = Came {
            store,
            app: self.app.name.clone(),
            since: begun,
        };
        self.guide.say("listens", &[("address", &address.to_string())]);
        let configured = self
            .settings
            .server
            .as_ref()
            .and_then(|server| server.public_url.clone());
        let url = configured
            .as_ref()
            .map(|url| callback_url(&url.to_string(), &self.app.name));
        if let (Some(configured), Some(url)) = (&configured, &url) {
            let values = [("url", url.as_str()), ("address", &address.to_string())];
            self.guide.say("make_reachable", &values);
            self.until_reached(configured, url, &came).await;
        }
        let shown = url.unwrap_or_else(|| callback_url("https://…", &self.app.name));
        let (token, key) = (self.app.token.as_str(), self.app.encoding_aes_key.as_str());
        self.guide
            .say("paste", &[("url", &shown), ("token", token), ("key", key)]);
        self.until_genuine("GET", &came).await;
        self.guide.say("verified", &[]);
        self.guide.say("write_to_it", &[]);
        self.until_genuine("POST", &came).await;
        self.guide.say("answered", &[]);
        self.guide.say("afterwards", &[("file", &self.file)]);
    }

    /// Until the address leads here, or WeCom has come by it all the same.
    async fn until_reached(&self, configured: &PublicUrl, url: &str, came: &Came) {
        let mut said = None;
        while !came.has_genuine("GET").await {
            let findings = examine_outside(&self.settings, configured).await;
            let Some(trouble) = findings.iter().find(|finding| finding.level() == Level::Red) else {
                return self.guide.say("reachable", &[("url", url)]);
            };
            if said != Some(trouble.cause) {
                self.tell("not_reachable", trouble);
                said = Some(trouble.cause);
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    /// Until something of WeCom has come this way; says why what came before was refused.
    async fn until_genuine(&self, method: &str, came: &Came) {
        let mut said: Vec<(Cause, String)> = Vec::new();
        while !came.has_genuine(method).await {
            for refused in came.refused().await {
                let finding = why_refused(&refused);
                let again = (finding.cause, refused.count.to_string());
                if !said.contains(&again) {
                    self.tell("refused", &finding);
                    said.push(again);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn tell(&self, sentence: &str, finding: &Finding) {
        let words = finding.words(self.guide.language);
        self.guide
            .say(sentence, &[("what", &words.what), ("cure", &words.cure)]);
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
