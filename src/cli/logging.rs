//! Where log lines go.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for log collectors.
    Json,
}

/// Logs to standard error, from `level` on unless `RUST_LOG` says otherwise.
pub(super) fn start_logging(format: LogFormat, level: &str) {
    // What actix_http has to say is about clients that speak no HTTP, an error for each of their requests.
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},actix_server=warn,actix_http=off")));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    let started = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    // A second start in one process keeps the first one's.
    drop(started);
}
