//! Where log lines go.

use std::io::{BufWriter, IsTerminal};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines are written.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for log collectors.
    Json,
}

/// Lines are written by a thread of their own. Dropping this waits until all of them are.
#[must_use = "lines are lost when it is dropped too early"]
pub(super) struct Logging(#[expect(dead_code, reason = "it is held, not looked at")] WorkerGuard);

/// Says what is logged instead: levels by target, like `warn,jiefeng::wecom=debug`.
const FILTER_VARIABLE: &str = "RUST_LOG";

/// Logs to standard error, from `level` on unless `RUST_LOG` says otherwise.
pub(super) fn start_logging(format: LogFormat, level: LevelFilter) -> Logging {
    // What actix_http has to say is about clients that speak no HTTP, an error for each of their requests.
    let asked_for = std::env::var(FILTER_VARIABLE)
        .ok()
        .and_then(|filter| filter.parse().ok());
    let filter: Targets = asked_for.unwrap_or_else(|| {
        Targets::new()
            .with_default(level)
            .with_targets([("actix_server", LevelFilter::WARN), ("actix_http", LevelFilter::OFF)])
    });
    // Whoever logs waits only when very many lines are waiting already; none is left out.
    let (lines, worker) = NonBlockingBuilder::default()
        .lossy(false)
        .thread_name("log")
        .finish(BufWriter::new(std::io::stderr()));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(lines)
        .with_ansi(colours);
    let started = match format {
        LogFormat::Text => lines.finish().with(filter).try_init(),
        LogFormat::Json => lines.json().finish().with(filter).try_init(),
    };
    // A second start in one process keeps the first one's.
    drop(started);
    std::panic::set_hook(Box::new(|panic| {
        // Its words may have something that a person wrote, so only its place is told.
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a defect of this program; please report it");
    }));
    Logging(worker)
}
