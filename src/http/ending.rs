//! Ending in order: first it is announced, then nothing more is accepted, and what is under way is finished.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;

/// A connection that was accepted just before accepting ended has its request read within this time.
const JUST_ACCEPTED: Duration = Duration::from_millis(200);

/// Whether the end has been announced. All clones say the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Draining(Arc<AtomicBool>);

impl Draining {
    pub(super) fn is_announced(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Ends a server that [`super::serve`] has started.
#[derive(Clone, Debug)]
pub struct Ending {
    pub(super) handles: Vec<ServerHandle>,
    pub(super) draining: Draining,
}

impl Ending {
    /// From now on readiness is denied, and every connection ends with its response. New ones are still accepted: whoever sends them may
    /// not have heard yet.
    pub fn announce(&self) {
        self.draining.0.store(true, Ordering::Release);
    }

    /// Accepts nothing more and waits for the requests under way.
    pub async fn finish(&self) {
        // Stopping drops connections whose request has not been read yet, so accepting ends before.
        for handle in &self.handles {
            handle.pause().await;
        }
        tokio::time::sleep(JUST_ACCEPTED).await;
        for handle in &self.handles {
            handle.stop(true).await;
        }
    }
}
