//! Raw settings from file and environment to checked settings; every mistake at once, with key and reason.
//!
//! [`raw`] reads what was written, [`check`] makes of it what the program can use.

mod adjustable;
mod check;
mod environment;
mod networks;
mod public_url;
mod raw;
mod readable;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use secrecy::SecretString;

pub use adjustable::{AdjustableKey, AdjustableSettings, AdjustableValues, Notices};
pub(crate) use check::is_corp_id;
pub use environment::Environment;
pub use networks::Networks;
pub use public_url::{PublicUrl, PublicUrlError};
pub use readable::Readable;

use crate::checked_toml::{Problem, Report};
use crate::protocol::CredentialSets;
use crate::store::StoreAddress;
use crate::wecom::{ApiBase, ProxyAddress};

/// Everything `serve` needs to know, checked.
#[derive(Debug)]
pub struct Settings {
    /// The HTTP server.
    pub server: Server,
    /// Where state is kept.
    pub storage: Storage,
    /// What the bot knows.
    pub knowledge: Knowledge,
    /// How WeCom's API is reached.
    pub wecom: Wecom,
    /// What of the settings that the console can set is set here.
    pub adjustable: AdjustableValues,
    /// Where the admin console is.
    pub console: ConsoleListen,
    /// The file that all of it was read from, if it was.
    pub file: Option<PathBuf>,
    /// The apps whose callbacks are received; at least one.
    pub apps: Vec<App>,
}

/// The HTTP server.
#[derive(Debug)]
pub struct Server {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Where WeCom reaches the server, for the doctor.
    pub public_url: Option<PublicUrl>,
    /// Address of `/metrics`, where it has one of its own.
    pub metrics_listen: Option<SocketAddr>,
    /// Worker threads; `None`: one a processor core.
    pub workers: Option<usize>,
    /// Open connections; more wait until others are closed.
    pub max_connections: usize,
    /// Proxies that are believed when they say whom they pass on.
    pub trusted_proxies: Networks,
    /// How long connections are still accepted after a stop signal, in seconds.
    pub drain_seconds: u64,
    /// How far the time stamp of a callback may be from this machine's clock, in seconds.
    pub timestamp_window_seconds: i64,
    /// Tests only: credentials that are published, or shared by two apps, do not stop the start.
    pub allow_sample_credentials: bool,
}

/// Where state is kept.
#[derive(Debug)]
pub struct Storage {
    /// The SQLite file or the PostgreSQL.
    pub address: StoreAddress,
    /// Connections to PostgreSQL at most.
    pub connections: usize,
    /// After how long a rest a conversation starts anew.
    pub session_ttl: SignedDuration,
}

/// What the bot knows.
#[derive(Debug)]
pub struct Knowledge {
    /// The knowledge directory.
    pub dir: PathBuf,
    /// Where trained matchers are cached; `None`: in the user's cache directory.
    pub cache_dir: Option<PathBuf>,
}

/// How WeCom's API is reached.
#[derive(Debug)]
pub struct Wecom {
    /// Start of every API address.
    pub api_base: ApiBase,
    /// The proxy through which it is reached, if not directly.
    pub proxy: Option<ProxyAddress>,
}

/// Where the admin console is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleListen {
    /// Nowhere.
    Off,
    /// At this address, if nobody else has it: nobody has asked for it.
    IfFree(SocketAddr),
    /// At this address.
    At(SocketAddr),
}

/// One app of WeCom.
#[derive(Debug)]
pub struct App {
    /// The `{app}` of the callback path.
    pub name: String,
    /// The app's number in its company.
    pub agent_id: u32,
    /// Token, EncodingAESKey and CorpID; two sets while they are exchanged.
    pub credentials: CredentialSets,
    /// For calling WeCom's API; receiving and replying work without.
    pub secret: Option<SecretString>,
    /// Whether this app's callback also receives events of 微信客服.
    pub kf: bool,
    /// Whether options are sent as cards with buttons.
    pub cards: bool,
}

/// All mistakes of a configuration, a line each.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    lines: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(out, "{line}")?;
        }
        write!(
            out,
            "the configuration has {} problem(s); nothing was started",
            self.lines.len()
        )
    }
}

/// Reads a configuration file and what the environment changes of it.
///
/// # Errors
///
/// Every mistake of both. No message contains a secret.
pub fn load(file: &Path, environment: &Environment) -> Result<Settings, ConfigError> {
    let (name, text) = text_of(file)?;
    let settings = read(&name, &text, environment)?;
    Ok(Settings {
        file: Some(file.to_owned()),
        ..settings
    })
}

fn text_of(file: &Path) -> Result<(String, String), ConfigError> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let hint = match error.kind() {
                ErrorKind::NotFound => "; `jiefeng init` makes one, or `jiefeng init --browser` on a page",
                _ => "",
            };
            Err(ConfigError {
                lines: vec![format!("cannot read `{name}`: {error}{hint}")],
            })
        }
    }
}

/// Reads a configuration file and what the environment changes of it as far as it makes sense, with every mistake of both.
///
/// # Errors
///
/// When the file cannot be read at all.
pub fn examine(file: &Path, environment: &Environment) -> Result<Readable, ConfigError> {
    let (name, text) = text_of(file)?;
    Ok(read_what_makes_sense(&name, &text, environment))
}

/// Reads the text of a configuration file of this name, and what the environment changes of it.
///
/// # Errors
///
/// Every mistake of both. No message contains a secret.
pub fn read(name: &str, text: &str, environment: &Environment) -> Result<Settings, ConfigError> {
    let readable = read_what_makes_sense(name, text, environment);
    let lines = readable.problems.iter().map(Problem::to_string).collect();
    readable.whole().ok_or(ConfigError { lines })
}

fn read_what_makes_sense(name: &str, text: &str, environment: &Environment) -> Readable {
    let report = Report::default();
    let raw = raw::Settings::read(name, text, environment, &report);
    let readable = raw.map(|raw| check::settings(raw, &report)).unwrap_or_default();
    Readable {
        problems: report
            .into_problems()
            .into_iter()
            .map(without_line_of_nothing)
            .collect(),
        ..readable
    }
}

/// Lines of the environment mean nothing to anybody.
fn without_line_of_nothing(mut problem: Problem) -> Problem {
    problem.line = problem.line.filter(|_| problem.file != environment::NAME);
    problem
}
