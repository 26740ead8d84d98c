//! Why a request to a callback path was refused. For the log and the metrics; from outside many of them look the same.

use super::error::Refusal;

/// The step at which a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The path names no configured app.
    Address,
    /// Neither GET nor POST.
    Method,
    /// The source has sent too much that was refused.
    TooMany,
    /// The query is not that of a callback.
    Query,
    /// The body has a content encoding.
    ContentEncoding,
    /// The body did not arrive in time.
    BodyTime,
    /// The body is larger than 256 KiB.
    BodySize,
    /// The body broke off, or is no text.
    Body,
    /// The body is no envelope.
    Envelope,
    /// Signed with another Token, or changed on the way.
    Signature,
    /// The time stamp is too far from this machine's clock.
    Timestamp,
    /// Well signed, but encrypted with another EncodingAESKey, or changed by somebody who has the Token.
    Decryption,
    /// For another company.
    ReceiveId,
    /// The `echostr` is a message; somebody tries to have it decrypted.
    Echo,
}

impl Reason {
    /// Every reason with its name in log and metrics.
    pub(super) const ALL: [(Reason, &'static str); 14] = [
        (Reason::Address, "address"),
        (Reason::Method, "method"),
        (Reason::TooMany, "too_many"),
        (Reason::Query, "query"),
        (Reason::ContentEncoding, "content_encoding"),
        (Reason::BodyTime, "body_time"),
        (Reason::BodySize, "body_size"),
        (Reason::Body, "body"),
        (Reason::Envelope, "envelope"),
        (Reason::Signature, "signature"),
        (Reason::Timestamp, "timestamp"),
        (Reason::Decryption, "decryption"),
        (Reason::ReceiveId, "receive_id"),
        (Reason::Echo, "echo"),
    ];

    /// Name in log and metrics.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(reason, _)| *reason == self);
        found.map_or("", |(_, name)| name)
    }

    /// What a stranger learns of it. Everything cryptographic is one and the same.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Address => Refusal::NotFound,
            Self::Method => Refusal::MethodNotAllowed,
            Self::TooMany => Refusal::TooMany,
            Self::Query | Self::Body | Self::Envelope => Refusal::Malformed,
            Self::ContentEncoding => Refusal::Encoded,
            Self::BodyTime => Refusal::TooSlow,
            Self::BodySize => Refusal::TooLarge,
            Self::Signature | Self::Timestamp | Self::Decryption | Self::ReceiveId | Self::Echo => Refusal::NotGenuine,
        }
    }
}
