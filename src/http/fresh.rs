//! What is new in every reply.

use jiff::Timestamp;

use crate::protocol::{Fresh, Nonce, Seconds};

/// A random prefix and a nonce that nobody can foresee, and the time; `None` when the clock is not between the years 2001 and 2286.
///
/// The random numbers are a cryptographic generator's of this thread, seeded by the system: asking the system each time is a system call.
pub fn fresh() -> Option<Fresh> {
    Some(Fresh {
        random_prefix: rand::random(),
        nonce: Nonce::from(rand::random::<u64>()),
        timestamp: Seconds::from_unix(Timestamp::now().as_second())?,
    })
}
