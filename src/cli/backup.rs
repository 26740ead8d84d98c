//! `jiefeng backup`: a consistent copy of the database while the server runs.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::{Failure, print_line};
use crate::config::{Environment, load};
use crate::store::{BackupError, back_up};

/// Copy the database while the server runs
#[derive(Args)]
#[command(
    after_help = "The copy is as confidential as the database and made for its owner only. To go back to it, stop the server, remove the
database and the two files beside it (-wal, -shm), put the copy in its place and start: what WeCom still has is fetched again
(微信客服: three days), and nobody is shown an answer twice.

Exit status: 0 the copy is whole, 1 it is damaged, 2 none could be made."
)]
pub(super) struct Backup {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The copy; it must not exist yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

impl Backup {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = load(&self.config, &Environment::of_process()).map_err(anyhow::Error::from)?;
        let Some(from) = settings.storage.address.file() else {
            return Err(anyhow::anyhow!(
                "{} is copied by PostgreSQL's own means, such as pg_dump or an archive of its log",
                settings.storage.address
            )
            .into());
        };
        match back_up(from, &self.to, Timestamp::now()) {
            Ok(bytes) => {
                let (from, to) = (from.display(), self.to.display());
                print_line(&format!(
                    "copied {from} to {to}: {bytes} bytes, looked through and whole"
                ));
                Ok(())
            }
            Err(error @ BackupError::Damaged { .. }) => {
                print_line(&error.to_string());
                Err(Failure::FoundProblems)
            }
            Err(error) => Err(anyhow::Error::from(error).into()),
        }
    }
}
