//! Bytes to typed WeCom messages and back: signature, AES, XML and JSON. What WeCom says, nothing of ours.
//!
//! In reading order: [`query`] splits the query, [`envelope`] takes the ciphertext out of the body, [`crypto`] checks and opens it,
//! with one of two sets of credentials while these are exchanged ([`rotation`]), [`message`] and [`event`] make a typed value of what is
//! inside, [`reply`] writes what goes back. What is most likely wrong when none of this succeeds is found out by [`diagnosis`].

pub mod crypto;
pub mod diagnosis;
pub mod envelope;
pub mod event;
mod fields;
pub mod kf;
pub mod message;
mod private;
pub mod query;
pub mod reply;
pub mod rotation;
pub mod xml;

#[cfg(test)]
mod vectors;

pub use crypto::{CallbackToken, Credentials, DecryptError, EncodingAesKey, Fresh, RANDOM_PREFIX, Signature};
pub use diagnosis::{Configured, Likely, RefusedCallback, diagnose};
pub use envelope::{
    Envelope, EnvelopeError, ReplyError, SealedCallback, WireFormat, open_reply, seal_callback, seal_reply,
    seal_verification,
};
pub use event::{ActivityChange, Event};
pub use message::{Content, DeduplicationKey, IncomingMessage, MessageError, UserId};
pub use private::Private;
pub use query::{Nonce, QueryError, Seconds, SignedQuery, VerificationQuery, is_echo};
pub use reply::{TextReply, read_text_reply};
pub use rotation::{CredentialSet, CredentialSets, Opened, Signers};
