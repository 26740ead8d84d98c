//! The assistant that answers now, whole; another one takes its place when the knowledge changes.

use std::sync::{Arc, PoisonError, RwLock};

use crate::dialogue::Assistant;

/// Names the assistant that answers now; all clones of it name the same one. Whoever answers a message asks once and answers with what
/// they got, so that no answer is made of two versions.
#[derive(Clone)]
pub struct CurrentAssistant(Arc<RwLock<Arc<Assistant>>>);

impl CurrentAssistant {
    /// This one answers first.
    pub fn new(assistant: Assistant) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(assistant))))
    }

    /// The one that answers now.
    pub fn get(&self) -> Arc<Assistant> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this one answers. What has been begun is ended by the one before, which goes with the last of it.
    pub fn replace(&self, assistant: Assistant) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(assistant);
    }
}
