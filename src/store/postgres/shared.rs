//! What everything on the store's thread shares.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Sessions;
use super::instances::{self, Watch};
use super::pool::Pool;
use super::settling::Queue;
use crate::store::SendClaim;
use crate::store::hashes::Hash;

/// State of the store's thread.
pub(super) struct Shared {
    pub(super) pool: Rc<Pool>,
    pub(super) queue: Rc<Queue>,
    pub(super) sessions: Sessions,
    /// Names this process among those that use the database.
    pub(super) instance: Arc<str>,
    /// Whether this process is one of the servers, and not a command beside them.
    pub(super) is_server: bool,
    /// Who is silent for longer is taken for dead.
    pub(super) silence: Duration,
    pub(super) watch: Watch,
    mislaid: RefCell<Mislaid>,
}

/// What this process may hold without doing anything about it, because it was not told whether it got it, or could not finish it.
#[derive(Default)]
struct Mislaid {
    conversations: Vec<Hash>,
    sends: Vec<SendClaim>,
}

impl Shared {
    pub(super) fn new(pool: Pool, sessions: Sessions, instance: Arc<str>, is_server: bool, silence: Duration) -> Self {
        Self {
            pool: Rc::new(pool),
            queue: Rc::default(),
            sessions,
            instance,
            is_server,
            silence,
            watch: Watch::new(),
            mislaid: RefCell::default(),
        }
    }

    /// To be given back at the next opportunity.
    pub(super) fn mislay_conversations(&self, persons: impl IntoIterator<Item = Hash>) {
        self.mislaid.borrow_mut().conversations.extend(persons);
    }

    /// Takes out what is to be given back.
    pub(super) fn mislaid_conversations(&self) -> Vec<Hash> {
        std::mem::take(&mut self.mislaid.borrow_mut().conversations)
    }

    /// To be given back at the next opportunity.
    pub(super) fn mislay_sends(&self, claims: impl IntoIterator<Item = SendClaim>) {
        self.mislaid.borrow_mut().sends.extend(claims);
    }

    /// Takes out what is to be given back.
    pub(super) fn mislaid_sends(&self) -> Vec<SendClaim> {
        std::mem::take(&mut self.mislaid.borrow_mut().sends)
    }

    /// Gives back what this process holds, so that nobody need wait for its silence.
    pub(super) async fn leave(&self) {
        if !self.is_server {
            return;
        }
        let instance = &self.instance;
        let left = self
            .pool
            .transaction(async |transaction| instances::leave(transaction, instance).await);
        if let Err(failure) = left.await {
            let error = crate::store::StoreError::from(failure);
            tracing::warn!(%error, "the database does not hear that this process ends; others take over in a while");
        }
    }
}
