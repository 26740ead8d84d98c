//! `jiefeng serve`: production.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use tracing::level_filters::LevelFilter;

use super::Failure;
use super::knowledge_failure;
use super::logging::{LogFormat, Logging, start_logging};
use crate::app::{ConsoleAddress, End, Hangups, KnowledgeSource, Server};
use crate::config::{Environment, Settings, load};
use crate::console::LINK_HOURS;
use crate::service::{ConversationClock, CurrentAssistant, NOW_VARIABLE};
use crate::store::Store;

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
        let logging = start_logging(self.log, LevelFilter::INFO);
        let settings = load(&self.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        let clock = clock_of(&settings)?;
        let system = actix_web::rt::System::new();
        // Whoever asks for a reload while the knowledge is learnt must not end the process with it.
        let heard = system.block_on(async { Hangups::heard() });
        let _hangups = heard.context("cannot hear of SIGHUP")?;
        let source = KnowledgeSource::new(&settings.knowledge);
        let assistant = source
            .load()
            .map_err(|error| knowledge_failure(source.directory(), error))?;
        let callbacks: Vec<String> = settings
            .apps
            .iter()
            .map(|app| format!("/callback/{}", app.name))
            .collect();
        system.block_on(async move {
            let server = Server::prepare(settings, source, CurrentAssistant::new(assistant), clock)?;
            tracing::info!(address = %server.address, callbacks = callbacks.join(" "), "ready");
            if let Some(console) = server.console {
                announce(console, &*server.store).await?;
            }
            match server.run().await? {
                End::InOrder => tracing::info!("stopped; everything that was acknowledged is stored"),
                End::AtOnce => {
                    tracing::warn!("stopped at once by a second signal; what was being sent may be sent again at the next start");
                    end_at_once(logging);
                }
                End::WithoutStore => {
                    tracing::warn!("stopped without waiting for the database any longer; what it has not stored has not been acknowledged");
                    end_at_once(logging);
                }
            }
            Ok(())
        })
    }
}

/// Says where the admin console is, and while nobody can sign in as an admin, by which link that changes.
async fn announce(console: ConsoleAddress, store: &dyn Store) -> anyhow::Result<()> {
    tracing::info!(page = console.page(), "the admin console");
    if let Some(link) = console.first_link(store).await? {
        tracing::warn!(
            "nobody can sign in to the admin console yet; this link makes the first admin, once, within {LINK_HOURS} hours: {link}"
        );
    }
    Ok(())
}

/// Leaves without waiting for anything.
fn end_at_once(logging: Logging) {
    drop(logging);
    std::process::exit(1);
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
