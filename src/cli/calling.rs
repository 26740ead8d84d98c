//! What commands that call WeCom's API have in common: the configuration, one app of it, and its client.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::config::{App, Environment, Settings, load};
use crate::metrics::Metrics;
use crate::wecom::{Client, ClientSettings, OwnTokens};

/// How long WeCom's API may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Which app calls.
#[derive(Args)]
pub(super) struct CallingApp {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Which of its apps [default: the first that has a Secret]
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
}

impl CallingApp {
    /// The settings, the app and a client for it.
    pub(super) fn connect(&self) -> anyhow::Result<(Settings, App, Client)> {
        let mut settings = load(&self.config, &Environment::of_process())?;
        let wanted = |app: &App| match &self.app {
            Some(name) => app.name == *name,
            None => app.secret.is_some(),
        };
        let place = settings.apps.iter().position(wanted).with_context(|| match &self.app {
            Some(name) => format!("no app of `{}` is called `{name}`", self.config.display()),
            None => format!("no app of `{}` has a Secret; set `secret`", self.config.display()),
        })?;
        let app = settings.apps.swap_remove(place);
        let secret = app
            .secret
            .clone()
            .with_context(|| format!("the app `{}` has no Secret; set `secret`", app.name))?;
        let client = ClientSettings {
            app: app.name.clone(),
            corp_id: app.credentials.receive_id().to_owned(),
            secret,
            agent_id: app.agent_id,
            api_base: settings.wecom.api_base.clone(),
            proxy: settings.wecom.proxy.clone(),
            timeout: TIMEOUT,
            metrics: Metrics::default(),
        };
        let client = Client::new(client, Arc::new(OwnTokens::default()))?;
        Ok((settings, app, client))
    }
}
