//! Where log lines go.

use std::io::IsTerminal;
use std::sync::Arc;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::log_lines::Lines;

/// How log lines are written.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line, for log collectors.
    Json,
}

/// Lines are written by a thread of their own. Dropping this waits until all of them are.
#[must_use = "every line is a write of its own once it is dropped"]
pub(super) struct Logging(Arc<Lines>);

impl Drop for Logging {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Says what is logged instead: levels by target, like `warn,jiefeng::wecom=debug`.
const FILTER_VARIABLE: &str = "RUST_LOG";

/// Logs to standard error, from `level` on unless `RUST_LOG` says otherwise.
pub(super) fn start_logging(format: LogFormat, level: LevelFilter) -> Logging {
    let asked_for = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let filter = filter_of(&asked_for, level);
    let is_understood = filter.is_some();
    let filter = filter.unwrap_or_else(|| ordinary_filter(level));
    let lines = Lines::to(std::io::stderr());
    let logging = Logging(Arc::clone(&lines));
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(lines).with_ansi(colours);
    let filtered = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Text => filtered.with(lines).try_init(),
        LogFormat::Json => filtered.with(lines.json()).try_init(),
    };
    // A second start in one process keeps the first one's.
    drop(started);
    std::panic::set_hook(Box::new(|panic| {
        // Its words may have something that a person wrote, so only its place is told.
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a defect of this program; please report it");
    }));
    if !is_understood {
        tracing::warn!(
            "{FILTER_VARIABLE} is not understood and has no effect; levels by target are, like warn,jiefeng::wecom=debug"
        );
    }
    logging
}

fn ordinary_filter(level: LevelFilter) -> Targets {
    // What actix_http has to say is about clients that speak no HTTP, an error for each of their requests.
    let libraries = [("actix_server", LevelFilter::WARN), ("actix_http", LevelFilter::OFF)];
    Targets::new().with_default(level).with_targets(libraries)
}

/// Levels by target as somebody asked for them, or the ordinary ones; `None` if what was asked for is not understood.
fn filter_of(asked_for: &str, level: LevelFilter) -> Option<Targets> {
    let directives = asked_for
        .split(',')
        .map(str::trim)
        .filter(|directive| !directive.is_empty());
    let directives: Vec<&str> = directives.collect();
    if directives.is_empty() {
        return Some(ordinary_filter(level));
    }
    // Spans and fields stand in brackets, and would be taken for the name of a target.
    let is_level_by_target = |directive: &&str| !directive.contains(['[', '{']) && !directive.ends_with('=');
    let are_all = directives.iter().all(is_level_by_target);
    are_all.then(|| directives.join(",").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn what_is_asked_for_is_logged_and_nothing_is_silenced_by_accident() {
        let is_logged = |asked_for: &str, target: &str, level: Level| {
            filter_of(asked_for, LevelFilter::INFO)
                .unwrap()
                .would_enable(target, &level)
        };
        for nothing in ["", " ", ","] {
            assert!(is_logged(nothing, "jiefeng::http", Level::INFO));
            assert!(!is_logged(nothing, "actix_http", Level::ERROR));
        }
        assert!(is_logged("info,", "jiefeng::http", Level::INFO));
        assert!(is_logged(
            "warn, jiefeng::wecom=debug",
            "jiefeng::wecom::client",
            Level::DEBUG
        ));
        assert!(!is_logged("warn, jiefeng::wecom=debug", "jiefeng::http", Level::INFO));
    }

    #[test]
    fn what_is_not_understood_has_no_effect() {
        for asked_for in ["jiefeng=loud", "[callback]=debug", "jiefeng[{app=x}]=debug", "jiefeng="] {
            assert_eq!(filter_of(asked_for, LevelFilter::INFO), None, "{asked_for}");
        }
    }
}
