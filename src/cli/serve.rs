//! `jiefeng serve`: production.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;

use super::Failure;
use super::knowledge_failure;
use super::logging::{LogFormat, start_logging};
use crate::app::{MatcherFiles, Server, load_assistant};
use crate::config::{Environment, Settings, load};
use crate::service::{ConversationClock, NOW_VARIABLE};

/// Set for a program that was started again after training, so that this happens once.
#[cfg(unix)]
const STARTED_AGAIN: &str = "JIEFENG_STARTED_AGAIN";

/// Run the server
#[derive(Args)]
#[command(
    after_help = "The configuration is explained in deploy/jiefeng.toml; every key can also come from the environment:
  JIEFENG__SERVER__LISTEN=0.0.0.0:8080 JIEFENG__APPS__0__TOKEN=… jiefeng serve --config jiefeng.toml

The log goes to standard error; RUST_LOG=debug makes it say more, and no level makes it say secrets or what people wrote."
)]
pub(super) struct Serve {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How log lines are written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        start_logging(self.log, "info");
        let settings = load(&self.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        let clock = clock_of(&settings)?;
        let cache = MatcherFiles::new(settings.knowledge.cache_dir.clone());
        let directory = settings.knowledge.dir.clone();
        let assistant = load_assistant(&directory, &cache).map_err(|error| knowledge_failure(&directory, error))?;
        if cache.has_saved() {
            start_again();
        }
        for problem in &assistant.misplaced {
            tracing::warn!(%problem, "an utterance is misplaced; `jiefeng knowledge check` lists them");
        }
        let callbacks: Vec<String> = settings
            .apps
            .iter()
            .map(|app| format!("/callback/{}", app.name))
            .collect();
        actix_web::rt::System::new().block_on(async move {
            let server = Server::prepare(settings, Arc::new(assistant), clock)?;
            tracing::info!(address = %server.address, callbacks = callbacks.join(" "), "ready");
            server.run().await?;
            tracing::info!("stopped; everything that was acknowledged is stored");
            Ok(())
        })
    }
}

/// Starts the program anew in the same process after training, with what was learnt in the cache: training needs three times the memory
/// that serving does, and an allocator gives back little of it. Goes on as it is where that cannot be done.
fn start_again() {
    #[cfg(unix)]
    if std::env::var_os(STARTED_AGAIN).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        let mut again = std::process::Command::new(program);
        again.args(std::env::args_os().skip(1)).env(STARTED_AGAIN, "1");
        let error = std::os::unix::process::CommandExt::exec(&mut again);
        tracing::info!(%error, "going on with the memory of training");
    }
}

/// The real clock, or one moved by the environment where that is allowed.
fn clock_of(settings: &Settings) -> anyhow::Result<ConversationClock> {
    let Ok(start) = std::env::var(NOW_VARIABLE) else {
        return Ok(ConversationClock::default());
    };
    if !settings.server.allow_sample_credentials {
        tracing::warn!(
            "{NOW_VARIABLE} is ignored: it needs server.allow_sample_credentials = true, which is for tests"
        );
        return Ok(ConversationClock::default());
    }
    let clock = moved_clock(&start)?;
    tracing::warn!(%start, "the conversation's clock is moved; dates in answers are not today's");
    Ok(clock)
}

/// A clock that shows `start` from now on.
pub(super) fn moved_clock(start: &str) -> anyhow::Result<ConversationClock> {
    let start: Timestamp = start
        .parse()
        .with_context(|| format!("{NOW_VARIABLE} must be a time such as 2026-11-22T10:00:00+08:00"))?;
    Ok(ConversationClock::starting_at(start, Timestamp::now()))
}
