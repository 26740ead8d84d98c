//! Tokens of one process alone, for commands that make a few calls and end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::token::{StoredToken, TokenStore};
use crate::store::{BoxFuture, StoreError};

/// Keeps tokens in memory. While they hold WeCom gives the same token to everybody, so a server beside it is not disturbed.
#[derive(Default)]
pub struct OwnTokens(Mutex<BTreeMap<String, StoredToken>>);

impl OwnTokens {
    fn tokens(&self) -> MutexGuard<'_, BTreeMap<String, StoredToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenStore for OwnTokens {
    fn token<'a>(&'a self, app: &'a str) -> BoxFuture<'a, Result<Option<StoredToken>, StoreError>> {
        Box::pin(async { Ok(self.tokens().get(app).cloned()) })
    }

    fn claim_token_refresh<'a>(
        &'a self,
        _app: &'a str,
        _generation: i64,
        _now: Timestamp,
        _until: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async { Ok(true) })
    }

    fn save_token<'a>(&'a self, app: &'a str, token: StoredToken) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async {
            self.tokens().insert(app.to_owned(), token);
            Ok(())
        })
    }
}
