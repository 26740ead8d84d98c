//! A server at work, until it is told to stop and has finished what is under way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::Context;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::http::Ending;
use crate::store::Store;

/// How long what is being sent may still take when the process ends: as long as requests under way may.
const LAST_SENDS: Duration = Duration::from_secs(6);

/// How long the store may take to close. With what waits for it nobody has been answered.
const LAST_COMMITS: Duration = Duration::from_secs(2);

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What was under way has been finished.
    InOrder,
    /// The database did not answer any more. What had been acknowledged is stored all the same.
    WithoutStore,
    /// A second signal came before that. What had been acknowledged is stored all the same.
    AtOnce,
}

/// Everything that runs.
pub(super) struct Running {
    pub(super) store: Arc<dyn Store>,
    pub(super) serving: JoinHandle<io::Result<()>>,
    pub(super) ending: Ending,
    /// How long connections are still accepted once the end is announced.
    pub(super) drain: Duration,
    pub(super) outbound: JoinHandle<()>,
    pub(super) stop_outbound: watch::Sender<bool>,
    /// Of the admin console, where there is one.
    pub(super) stop_console: Option<ServerHandle>,
    /// What may be cut off at any time.
    pub(super) beside: JoinSet<()>,
}

impl Running {
    /// Waits for what should not happen: that serving or sending ends by itself.
    pub(super) async fn failure(&mut self) -> anyhow::Error {
        tokio::select! {
            served = &mut self.serving => match served {
                Ok(Err(error)) => anyhow::Error::from(error).context("the server failed"),
                Ok(Ok(())) | Err(_) => anyhow::anyhow!("the server ended by itself"),
            },
            _ = &mut self.outbound => anyhow::anyhow!("sending and fetching ended by a defect of this program"),
        }
    }

    /// Announces the end and still accepts connections for a while.
    pub(super) async fn drain(&self) {
        let seconds = self.drain.as_secs();
        tracing::info!(seconds, "stopping; connections are still accepted for a while");
        self.ending.announce();
        tokio::time::sleep(self.drain).await;
    }

    /// Begins nothing new, finishes requests and sends under way, and closes the store.
    pub(super) async fn finish(mut self) -> anyhow::Result<End> {
        let _ = self.stop_outbound.send(true);
        let sending = async {
            if !self.outbound.is_finished() && tokio::time::timeout(LAST_SENDS, &mut self.outbound).await.is_err() {
                tracing::warn!("some messages were still being sent; they are sent again at the next start");
            }
        };
        let console = async {
            if let Some(console) = &self.stop_console {
                console.stop(true).await;
            }
        };
        tokio::join!(sending, self.ending.finish(), console);
        self.beside.shutdown().await;
        match tokio::time::timeout(LAST_COMMITS, self.store.close()).await {
            Ok(closed) => closed.context("the store could not be closed").map(|()| End::InOrder),
            Err(_) => Ok(End::WithoutStore),
        }
    }
}
