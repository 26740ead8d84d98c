//! Keyed hashes of people and messages: equal ones stay equal, and nobody can be looked up by trying ids elsewhere.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{ConversationKey, KfAccountKey, MessageKey};

/// Hashes with the key of one store.
#[derive(Clone)]
pub(super) struct Hashes {
    key: [u8; 32],
}

impl Hashes {
    pub(super) fn with_key(key: [u8; 32]) -> Self {
        Self { key }
    }

    pub(super) fn message(&self, key: &MessageKey) -> Vec<u8> {
        self.of([&key.corp_id, &key.app, &key.deduplication_key])
    }

    pub(super) fn person(&self, key: &ConversationKey) -> Vec<u8> {
        self.of([&key.corp_id, &key.app, &key.user])
    }

    /// A message of an account of 微信客服.
    pub(super) fn kf_message(&self, account: &KfAccountKey, key: &str) -> Vec<u8> {
        self.of([&account.corp_id, &account.conversation_app(), key])
    }

    /// A customer of an account of 微信客服.
    pub(super) fn customer(&self, account: &KfAccountKey, customer: &str) -> Vec<u8> {
        self.of([&account.corp_id, &account.conversation_app(), customer])
    }

    fn of(&self, parts: [&str; 3]) -> Vec<u8> {
        // Each part goes in with its length, so that no two different triples hash the same text.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return Vec::new();
        };
        for part in parts {
            mac.update(&part.len().to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().to_vec()
    }
}
