//! What the system tells this process.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP: the knowledge is to be looked at now. Other systems have no such signal.
pub(super) struct Hangups {
    #[cfg(unix)]
    hangup: Signal,
}

impl Hangups {
    /// From now on the signal does not end the process.
    pub(super) fn heard() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if self.hangup.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}
