//! `jiefeng console`: access to the admin console, for whoever has the server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Failure, print_line};
use crate::app::{ConsoleAddress, with_store_beside};
use crate::config::{ConsoleListen, Environment, load};
use crate::console::password_link;

/// Access to the admin console
#[derive(Subcommand)]
pub(super) enum ConsoleCommand {
    /// Make a one-time link: for the first admin, or for a new password
    Link(Link),
}

/// Make a one-time link: for the first admin, or for a new password
#[derive(Args)]
#[command(
    after_help = "Links work once, within 24 hours. Works while the server is running, and is noted in the console's audit log.

  jiefeng console link --config jiefeng.toml               while nobody can sign in as an admin
  jiefeng console link --user li --config jiefeng.toml     a new password for `li`"
)]
pub(super) struct Link {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// For a new password of this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl ConsoleCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Link(link) = self;
        link.run()
    }
}

impl Link {
    fn run(self) -> Result<(), Failure> {
        let settings = load(&self.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        let address = match settings.console {
            ConsoleListen::Off => {
                return Err(anyhow::anyhow!("the console is switched off; set console.listen").into());
            }
            ConsoleListen::IfFree(address) | ConsoleListen::At(address) => ConsoleAddress::of(address),
        };
        let link = with_store_beside(&settings.storage, async |store| match &self.user {
            None => address.first_link(store).await,
            Some(name) => Ok(password_link(store, name).await?.map(|path| address.url(&path))),
        })?;
        match (link, self.user) {
            (Some(link), _) => {
                print_line(&link);
                Ok(())
            }
            (None, Some(name)) => Err(anyhow::anyhow!("there is no user `{name}` who may sign in").into()),
            (None, None) => {
                Err(anyhow::anyhow!("there is an admin already; for a new password name the user: --user NAME").into())
            }
        }
    }
}
