//! `jiefeng messages`: messages that could not be answered or sent.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::tz::Offset;

use super::{Failure, print_line};
use crate::app::with_store_beside;
use crate::config::{Environment, load};
use crate::store::{DeadLetter, DeadLetterId, Store, StoreError};

/// China has one time zone and no daylight saving time.
const CHINA: Offset = Offset::constant(8);

/// So many are listed at most.
const MOST: u32 = 1000;

/// Messages that could not be answered or sent: look at them, put them back, discard them
#[derive(Subcommand)]
#[command(
    after_help = "A received message is named r1, one to send s1. Works while the server is running. Exit status 1 when there are any
(list), or when there is no such message.

  jiefeng messages list --config jiefeng.toml
  jiefeng messages show r12 --config jiefeng.toml        what was written; it is confidential
  jiefeng messages requeue r12 s7 --config jiefeng.toml  have them answered or sent after all
  jiefeng messages discard s7 --config jiefeng.toml      forget what they say"
)]
pub(super) enum Messages {
    /// One line a message, the newest first
    List {
        #[command(flatten)]
        store: UsedStore,
        /// Also those that came too late, or that were dropped or not delivered
        #[arg(long)]
        all: bool,
    },
    /// One message, with what it says
    Show {
        #[command(flatten)]
        store: UsedStore,
        /// Its name in the list
        id: DeadLetterId,
    },
    /// Have messages answered or sent after all
    Requeue {
        #[command(flatten)]
        store: UsedStore,
        /// Their names in the list
        #[arg(required = true)]
        ids: Vec<DeadLetterId>,
    },
    /// Forget what messages say, and list them no more
    Discard {
        #[command(flatten)]
        store: UsedStore,
        /// Their names in the list
        #[arg(required = true)]
        ids: Vec<DeadLetterId>,
    },
}

/// Whose messages.
#[derive(Args)]
pub(super) struct UsedStore {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Messages {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (Self::List { store, .. }
        | Self::Show { store, .. }
        | Self::Requeue { store, .. }
        | Self::Discard { store, .. }) = &self;
        let settings = load(&store.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        let carrying_out = async |store: &dyn Store| Ok(self.carry_out(store).await?);
        match with_store_beside(&settings.storage, carrying_out)? {
            true => Ok(()),
            false => Err(Failure::FoundProblems),
        }
    }

    async fn carry_out(&self, store: &dyn Store) -> Result<bool, StoreError> {
        match self {
            Self::List { all, .. } => {
                let letters = store.dead_letters(*all, MOST).await?;
                letters.iter().for_each(|letter| print_line(&line(letter)));
                Ok(letters.is_empty())
            }
            Self::Show { id, .. } => {
                let letter = store.dead_letter(*id).await?;
                let found = letter.is_some();
                match letter {
                    Some(letter) => show(&letter),
                    None => print_missing(*id),
                }
                Ok(found)
            }
            Self::Requeue { ids, .. } => {
                let mut all_done = true;
                for id in ids {
                    let is_done = store.requeue(*id, Timestamp::now()).await?;
                    report(*id, is_done, "put back");
                    all_done &= is_done;
                }
                Ok(all_done)
            }
            Self::Discard { ids, .. } => {
                let mut all_done = true;
                for id in ids {
                    let is_done = store.discard(*id).await?;
                    report(*id, is_done, "discarded");
                    all_done &= is_done;
                }
                Ok(all_done)
            }
        }
    }
}

fn report(id: DeadLetterId, is_done: bool, what: &str) {
    match is_done {
        true => print_line(&format!("{id}\t{what}")),
        false => print_missing(id),
    }
}

fn print_missing(id: DeadLetterId) {
    print_line(&format!(
        "{id}\tthere is no such message, or what it said is gone; see `jiefeng messages list --all`"
    ));
}

fn line(letter: &DeadLetter) -> String {
    let at = CHINA.to_datetime(letter.at).strftime("%Y-%m-%d %H:%M:%S");
    let what = letter.api.as_deref().unwrap_or("received");
    format!(
        "{}\t{at}\t{}\t{what}\tperson {}\t{}\t{}\ttried {} time(s)",
        letter.id, letter.app, letter.person, letter.fate, letter.reason, letter.attempts
    )
}

fn show(letter: &DeadLetter) {
    print_line(&line(letter));
    if !letter.knowledge_version.is_empty() {
        print_line(&format!("made of knowledge {}", letter.knowledge_version));
    }
    let content = letter.content.as_deref().unwrap_or("(what it said is gone)");
    print_line(&for_a_terminal(content));
}

/// What somebody wrote must not act on the terminal that shows it.
fn for_a_terminal(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' => vec![character],
        _ if character.is_control() => character.escape_default().collect(),
        _ => vec![character],
    };
    text.chars().flat_map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_cannot_act_on_the_terminal() {
        assert_eq!(for_a_terminal("加人\u{1b}[2J\n频繁\r"), "加人\\u{1b}[2J\n频繁\\r");
    }
}
