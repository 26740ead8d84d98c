//! `jiefeng store copy`: moves everything into another store.

use std::path::Path;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Failure, print_line};
use crate::store::{StoreAddress, copy_store};

/// Where state is kept
#[derive(Subcommand)]
pub(super) enum Store {
    /// Copy everything into a new store, for example from a SQLite file into a PostgreSQL
    Copy(Copy),
}

#[derive(Args)]
#[command(
    after_help = "Stop the servers first: what they would store in the meantime would be missing. Conversations, appeals, what waits and what is
to be sent go along; then start the servers with the new address in storage.url, and none with the old one.

  jiefeng store copy --from sqlite:///var/lib/jiefeng/jiefeng.db --to @/run/secrets/store-url
  jiefeng store copy --from postgres://bot:…@db.example.com/jiefeng --to sqlite://jiefeng.db

@FILE reads an address from a file, so that its password is in no list of processes."
)]
pub(super) struct Copy {
    /// The store as it is: an address as in storage.url, or @ and a file that has it
    #[arg(long, value_name = "URL")]
    from: String,
    /// The new store; it is made if it is missing, and must be empty
    #[arg(long, value_name = "URL")]
    to: String,
}

impl Store {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Copy(copy) = self;
        let (from, to) = (address("--from", &copy.from)?, address("--to", &copy.to)?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot start waiting for the stores")?;
        let copying = tokio::task::LocalSet::new();
        let copied = copying
            .block_on(&runtime, copy_store(&from, &to))
            .map_err(anyhow::Error::from)?;
        for table in &copied {
            print_line(&format!("{}\t{}", table.table, table.rows));
        }
        print_line(&format!(
            "copied from {from} to {to}; start the servers with the new address alone"
        ));
        Ok(())
    }
}

/// An address, or the one in the file that `@` names.
fn address(option: &str, given: &str) -> anyhow::Result<StoreAddress> {
    let text = match given.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(Path::new(file)).with_context(|| format!("cannot read `{file}`"))?,
        None => given.to_owned(),
    };
    StoreAddress::parse(text.trim_end()).with_context(|| format!("{option} is no address of a store"))
}
