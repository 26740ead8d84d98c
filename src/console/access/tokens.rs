//! Random tokens of 256 bits. Whoever has one is let in; the store has only hashes of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::store::TokenHash;

/// A new token, and its hash. `None`: this machine has no random numbers.
pub(in crate::console) fn new_token() -> Option<(String, TokenHash)> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).ok()?;
    let token = URL_SAFE_NO_PAD.encode(random);
    let hash = hash_of(&token);
    Some((token, hash))
}

/// As a token is stored. It is random, so nothing but the token itself leads to its hash.
pub(in crate::console) fn hash_of(token: &str) -> TokenHash {
    Sha256::digest(token).into()
}

/// What forms of a session bring along. Other sites cannot know it, and nothing of the session can be told from it.
pub(in crate::console) fn form_token(session: &str) -> String {
    let hash: [u8; 32] = Sha256::new()
        .chain_update("form\0")
        .chain_update(session)
        .finalize()
        .into();
    URL_SAFE_NO_PAD.encode(hash)
}

/// Compares without telling by the time taken how much is the same.
pub(in crate::console) fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
