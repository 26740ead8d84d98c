//! Keyed hashes of people and messages: equal ones stay equal, and nobody can be looked up by trying ids elsewhere.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{ConversationKey, KfAccountKey, MessageKey};

/// A person, or a message of 微信客服.
pub(super) type Hash = [u8; 32];

/// A message with its second and a part of its number in front, so that what comes together stands together in an index.
pub(super) type TimedHash = [u8; TIME + SHORT];

/// Bytes of a time in Unix seconds.
pub(super) const TIME: usize = 5;

/// Bytes that follow it, most of them or all of a hash; two messages of one second do not meet in so many.
pub(super) const SHORT: usize = 16;

/// Of a message's number the last bytes stand before its hash, where it has one.
const NUMBER: usize = 3;

/// Bytes of a hash that are shown.
const SHOWN: usize = 4;

/// Hashes with the key of one store.
#[derive(Clone)]
pub(super) struct Hashes {
    keyed: Hmac<Sha256>,
}

impl Hashes {
    pub(super) fn with_key(key: [u8; 32]) -> Self {
        // A key that is shorter than a block is filled up with zeros.
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(place, byte)| *place = byte);
        Self {
            keyed: Hmac::new(&block.into()),
        }
    }

    pub(super) fn message(&self, key: &MessageKey) -> TimedHash {
        let hash = self.of([&key.corp_id, &key.app, &key.deduplication_key]);
        let number = key.number.to_be_bytes().into_iter().skip(size_of::<u64>() - NUMBER);
        let mut ordered = [0; SHORT];
        let bytes = number.chain(hash);
        ordered.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        timed(key.created_at, &ordered)
    }

    pub(super) fn person(&self, key: &ConversationKey) -> Hash {
        self.of([&key.corp_id, &key.app, &key.user])
    }

    /// A message of an account of 微信客服.
    pub(super) fn kf_message(&self, account: &KfAccountKey, key: &str) -> Hash {
        self.of([&account.corp_id, &account.conversation_app(), key])
    }

    /// A customer of an account of 微信客服.
    pub(super) fn customer(&self, account: &KfAccountKey, customer: &str) -> Hash {
        self.of([&account.corp_id, &account.conversation_app(), customer])
    }

    /// A name for the log.
    pub(super) fn pseudonym(&self, of: &str) -> String {
        shown(&self.of(["log", of, ""]))
    }

    fn of(&self, parts: [&str; 3]) -> Hash {
        // Each part goes in with its length, so that no two different triples hash the same text.
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(&part.len().to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// A hash with a time in front; one before 1970 or after the year 36,000 stands at that end.
pub(super) fn timed(unix_seconds: i64, hash: &[u8]) -> TimedHash {
    let seconds = u64::try_from(unix_seconds).unwrap_or(0).min((1 << (8 * TIME)) - 1);
    let time = seconds.to_be_bytes().into_iter().skip(size_of::<u64>() - TIME);
    let mut timed = [0; TIME + SHORT];
    let bytes = time.chain(hash.iter().copied());
    timed.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    timed
}

/// As much of a hash as is needed to tell people apart in a list.
pub(super) fn shown(hash: &[u8]) -> String {
    HEXLOWER.encode(hash.get(..SHOWN).unwrap_or(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(created_at: i64, number: u64) -> TimedHash {
        let key = MessageKey {
            corp_id: "ww1".to_owned(),
            app: "support".to_owned(),
            deduplication_key: format!("m:{number}"),
            created_at,
            number,
        };
        Hashes::with_key([7; 32]).message(&key)
    }

    #[test]
    fn messages_of_one_second_stand_in_the_order_of_their_numbers() {
        let first = 7_000_000_000_000_000_000 - (7_000_000_000_000_000_000 % (1 << 24));
        let keys: Vec<TimedHash> = (first..first + 1000).map(|number| numbered(5, number)).collect();
        assert!(keys.is_sorted());
        assert!(keys.iter().all(|key| *key < numbered(6, 0)));
        assert_ne!(
            numbered(5, first),
            numbered(5, first + (1 << 24)),
            "the hash is of the whole"
        );
    }

    #[test]
    fn later_messages_stand_behind_earlier_ones() {
        let hash = [200; 32];
        let mut keys: Vec<TimedHash> = [i64::MIN, 0, 255, 256, 1_764_000_000, 1_764_000_001, i64::MAX]
            .into_iter()
            .map(|seconds| timed(seconds, &hash))
            .collect();
        assert!(keys.is_sorted());
        keys.dedup();
        assert_eq!(keys.len(), 6, "what is out of range stands at an end");
    }
}
