//! Ids of what is sent, made of what they stand for, so that sending again uses the same one (doc/94677: at most 32 letters and digits).
//!
//! They begin with what names the message that is answered: in the log its reception and everything that is sent for it have one name.

use sha2::{Digest, Sha256};

use crate::store::Store;

/// Platform ids have at most so many characters.
pub(super) const LONGEST: usize = 32;

/// So many of them name the message.
const OF_MESSAGE: usize = 16;

/// The id of a message that is answered, or of a reminder: of everything that tells it from all others.
pub(super) fn message_id(parts: &[&str]) -> String {
    let mut id = "j".to_owned();
    id.push_str(&hash(parts));
    id.truncate(LONGEST);
    id
}

/// The id of a part of what is sent for a message.
pub(super) fn send_id(message: &str, part: &str) -> String {
    let mut id = of_message(message).to_owned();
    id.push_str(&hash(&[message, part]));
    id.truncate(LONGEST);
    id
}

/// The name in the log of the message that an id stands for or belongs to.
pub(super) fn log_name(store: &dyn Store, id: &str) -> String {
    store.pseudonym(of_message(id))
}

fn of_message(id: &str) -> &str {
    id.get(..OF_MESSAGE).unwrap_or(id)
}

fn hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    let hash: [u8; 32] = digest.finalize().into();
    let (half, _) = hash.split_at(LONGEST / 2);
    format!("{:032x}", half.try_into().map_or(0, u128::from_be_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_differ_and_begin_with_their_message() {
        let (one, other) = (message_id(&["wk1", "m1"]), message_id(&["wk1m1"]));
        assert_ne!(one, other);
        let ids = [
            one.clone(),
            send_id(&one, "0"),
            send_id(&one, "1"),
            send_id(&other, "0"),
        ];
        for id in &ids {
            assert_eq!(id.len(), LONGEST, "{id}");
            assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        }
        let different: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        let transfer = send_id(&send_id(&one, "0"), "transfer");
        assert_eq!(of_message(&transfer), of_message(&one));
        assert_ne!(of_message(&one), of_message(&other));
    }
}
