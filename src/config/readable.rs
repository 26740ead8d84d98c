//! A configuration as far as it makes sense, for whoever looks for what is wrong with it.

use super::{App, ConsoleListen, Knowledge, Server, Settings, Storage, Wecom};
use crate::checked_toml::Problem;
use crate::dialogue::DutyHours;

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
    /// When people are there to take over.
    pub duty: Option<DutyHours>,
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
            duty: self.duty,
            console: self.console?,
            file: None,
            apps: self.apps,
        })
    }
}
