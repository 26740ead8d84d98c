//! What becomes of a request to a callback path.

/// What became of a request to a callback path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The callback URL was verified.
    Verified,
    /// A reply went back.
    Answered,
    /// A repeated delivery got its reply again.
    Repeated,
    /// Accepted; there is nothing to say to it.
    Acknowledged,
    /// Accepted, but of a kind the bot does not know.
    Unknown,
    /// Genuine, but its content could not be read.
    Unreadable,
    /// Not genuine, or not a callback at all.
    Refused,
    /// Could not be stored; WeCom delivers it again.
    Failed,
}

impl Fate {
    /// All of them with their names in log and metrics.
    pub(crate) const ALL: [(Fate, &'static str); 8] = [
        (Fate::Verified, "verified"),
        (Fate::Answered, "answered"),
        (Fate::Repeated, "repeated"),
        (Fate::Acknowledged, "acknowledged"),
        (Fate::Unknown, "unknown"),
        (Fate::Unreadable, "unreadable"),
        (Fate::Refused, "refused"),
        (Fate::Failed, "failed"),
    ];

    /// Name in metrics and logs.
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(fate, _)| *fate == self)
            .map_or("", |(_, name)| name)
    }
}
