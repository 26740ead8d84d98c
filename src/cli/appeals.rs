//! `jiefeng appeals`: the appeals that people asked to have followed, and what is due.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::Offset;

use super::{Failure, print_line};
use crate::app::with_store_beside;
use crate::config::{Environment, load};
use crate::dialogue::Appeal;
use crate::store::{RatingCount, TrackedAppeal};

/// China has one time zone and no daylight saving time.
const CHINA: Offset = Offset::constant(8);

/// List the appeals that are followed, what is due, and how others ended
#[derive(Args)]
#[command(
    after_help = "One line an appeal, the newest first: app, person (only the first letters), scenario, day of submission, and
either the next day on which something is due or how it ended. Works while the server is running.

  jiefeng appeals --config jiefeng.toml
  jiefeng appeals --config jiefeng.toml --due        only those with something due now"
)]
pub(super) struct Appeals {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only those with something due now
    #[arg(long)]
    due: bool,
    /// How people rated the answers instead: scenario, verdict, how often
    #[arg(long, conflicts_with = "due")]
    ratings: bool,
}

impl Appeals {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = load(&self.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        if self.ratings {
            let ratings = with_store_beside(&settings.storage, async |store| Ok(store.ratings().await?))?;
            print_ratings(&ratings);
            return Ok(());
        }
        let appeals = with_store_beside(&settings.storage, async |store| Ok(store.appeals().await?))?;
        let now = Timestamp::now();
        let is_wanted =
            |appeal: &&TrackedAppeal| !self.due || appeal.reminders.iter().any(|reminder| reminder.due <= now);
        for appeal in appeals.iter().filter(is_wanted) {
            print_line(&line(appeal, now));
        }
        Ok(())
    }
}

fn print_ratings(ratings: &[RatingCount]) {
    for rating in ratings {
        print_line(&format!("{}\t{}\t{}", rating.scenario, rating.verdict, rating.count));
    }
}

fn line(appeal: &TrackedAppeal, now: Timestamp) -> String {
    let about: Option<Appeal> = serde_json::from_str(&appeal.record).ok();
    let (scenario, submitted) = about.map_or((String::new(), String::new()), |about| {
        (about.scenario, about.submitted.to_string())
    });
    let person = masked(appeal.user_id.as_deref().unwrap_or_default());
    format!(
        "{}\t{person}\t{scenario}\tsubmitted {submitted}\t{}",
        appeal.app,
        fate(appeal, now)
    )
}

/// How an appeal ended, else what is due now or next.
fn fate(appeal: &TrackedAppeal, now: Timestamp) -> String {
    if let Some(outcome) = &appeal.outcome {
        return outcome.clone();
    }
    let day = |due: Timestamp| CHINA.to_datetime(due).date();
    let is_due = appeal.reminders.iter().rfind(|reminder| reminder.due <= now);
    let next = appeal.reminders.iter().find(|reminder| reminder.due > now);
    match (is_due, next) {
        (Some(due), _) => format!("due since {} (business day {})", day(due.due), due.business_day),
        (None, Some(next)) => format!("next due {} (business day {})", day(next.due), next.business_day),
        (None, None) => "nothing due".to_owned(),
    }
}

/// The first two letters of an id; whoever needs the whole one finds it in the database.
fn masked(user_id: &str) -> String {
    let shown: String = user_id
        .chars()
        .take(user_id.chars().count().saturating_sub(1).min(2))
        .collect();
    if user_id.is_empty() {
        "-".to_owned()
    } else {
        format!("{shown}…")
    }
}
