//! A configuration as far as it makes sense, for whoever looks for what is wrong with it.

use super::{AdjustableValues, App, ConsoleListen, Knowledge, Server, Settings, Storage, Wecom};
use crate::checked_toml::Problem;

/// What makes sense of a configuration, and every problem of it. A section with a problem is missing as a whole, and so is an app.
#[derive(Debug, Default)]
pub struct Readable {
    /// The HTTP server.
    pub server: Option<Server>,
    /// Where state is kept.
    pub storage: Option<Storage>,
    /// What the bot knows.
    pub knowledge: Option<Knowledge>,
    /// How WeCom's API is reached.
    pub wecom: Option<Wecom>,
    /// What of the settings that the console can set is set here.
    pub adjustable: AdjustableValues,
    /// Where the admin console listens.
    pub console: Option<ConsoleListen>,
    /// The apps that can be used.
    pub apps: Vec<App>,
    /// Every problem. No message contains a secret.
    pub problems: Vec<Problem>,
}

impl Readable {
    /// The settings, if there is no problem.
    pub(super) fn whole(self) -> Option<Settings> {
        if !self.problems.is_empty() {
            return None;
        }
        Some(Settings {
            server: self.server?,
            storage: self.storage?,
            knowledge: self.knowledge?,
            wecom: self.wecom?,
            adjustable: self.adjustable,
            console: self.console?,
            file: None,
            apps: self.apps,
        })
    }
}
