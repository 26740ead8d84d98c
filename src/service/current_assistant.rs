//! The assistant that answers now, whole; another one takes its place when the knowledge changes. Also what became of the last change,
//! and who asked for it to be looked at.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::dialogue::Assistant;

/// Names the assistant that answers now; all clones of it name the same one. Whoever answers a message asks once and answers with what
/// they got, so that no answer is made of two versions.
#[derive(Clone)]
pub struct CurrentAssistant(Arc<Shared>);

struct Shared {
    assistant: RwLock<Arc<Assistant>>,
    /// The last request to look at the knowledge.
    asked: watch::Sender<i64>,
    followed: watch::Sender<Followed>,
}

/// How this process has followed the knowledge on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Why the knowledge on disk is not the one that answers; empty when it is.
    pub refusal: String,
    /// The last request to look at it that has been followed.
    pub request: i64,
}

impl CurrentAssistant {
    /// This one answers first.
    pub fn new(assistant: Assistant) -> Self {
        Self(Arc::new(Shared {
            assistant: RwLock::new(Arc::new(assistant)),
            asked: watch::Sender::default(),
            followed: watch::Sender::default(),
        }))
    }

    /// The one that answers now.
    pub fn get(&self) -> Arc<Assistant> {
        Arc::clone(&self.0.assistant.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this one answers. What has been begun is ended by the one before, which goes with the last of it.
    pub fn replace(&self, assistant: Assistant) {
        *self.0.assistant.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(assistant);
    }

    /// Has whoever looks at the knowledge look again for this request.
    pub(super) fn ask(&self, request: i64) {
        self.0
            .asked
            .send_if_modified(|asked| std::mem::replace(asked, request) != request);
    }

    /// Has whoever looks at the knowledge look at once, without anybody having asked all servers to.
    pub fn look_again(&self) {
        self.0.asked.send_modify(|_| ());
    }

    /// Hears of requests from now on.
    pub fn requests(&self) -> watch::Receiver<i64> {
        self.0.asked.subscribe()
    }

    /// The knowledge has been looked at; `refusal` says why it is not taken, and is empty when it is.
    pub fn follow(&self, request: i64, refusal: String) {
        let followed = Followed { refusal, request };
        self.0
            .followed
            .send_if_modified(|before| std::mem::replace(before, followed.clone()) != followed);
    }

    /// Hears how the knowledge is followed.
    pub fn followed(&self) -> watch::Receiver<Followed> {
        self.0.followed.subscribe()
    }
}
