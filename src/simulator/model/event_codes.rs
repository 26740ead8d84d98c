//! Codes for a message on an event: to welcome, to say who takes over, to say goodbye (doc/95122).

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::identifiers::Identifiers;
use super::refusal::{Refusal, refuse};
use super::sessions::State;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The customer entered.
    Entered,
    /// The customer waits in the pool.
    Pooled,
    /// A person took over.
    Taken,
    /// The session ended.
    Ended,
}

impl Occasion {
    /// How long the code is good for (doc/95122).
    fn validity(self) -> SignedDuration {
        match self {
            Self::Entered | Self::Ended => SignedDuration::from_secs(20),
            Self::Pooled | Self::Taken => SignedDuration::from_hours(48),
        }
    }

    /// What may be sent with it (doc/95122).
    fn allows(self, kind: &str) -> bool {
        match self {
            Self::Entered | Self::Ended => matches!(kind, "text" | "msgmenu"),
            Self::Pooled | Self::Taken => kind == "text",
        }
    }

    /// All but the welcome work only while the session is in the state that made the code (doc/95122).
    fn state(self) -> Option<State> {
        match self {
            Self::Entered => None,
            Self::Pooled => Some(State::Pool),
            Self::Taken => Some(State::Human),
            Self::Ended => Some(State::Ended),
        }
    }
}

/// A code: for whom, and what for.
#[derive(Clone, Debug)]
pub(crate) struct EventCode {
    pub(crate) occasion: Occasion,
    pub(crate) open_kfid: String,
    pub(crate) customer: String,
    made: Timestamp,
    is_used: bool,
}

impl EventCode {
    /// Whether a message of this kind may go out on the code now.
    pub(crate) fn check(&self, kind: &str, state: State) -> Result<(), Refusal> {
        if !self.occasion.allows(kind) {
            return refuse(40008, format!("invalid message type `{kind}` for this code"));
        }
        match self.occasion.state() {
            Some(needed) if needed != state => refuse(95018, "send msg session status invalid: it changed"),
            _ => Ok(()),
        }
    }
}

/// All codes ever made.
#[derive(Debug, Default)]
pub(crate) struct EventCodes(HashMap<String, EventCode>);

impl EventCodes {
    pub(crate) fn make(
        &mut self,
        ids: &mut Identifiers,
        occasion: Occasion,
        open_kfid: &str,
        customer: &str,
        now: Timestamp,
    ) -> String {
        let code = ids.opaque("CODE");
        let made = EventCode {
            occasion,
            open_kfid: open_kfid.to_owned(),
            customer: customer.to_owned(),
            made: now,
            is_used: false,
        };
        self.0.insert(code.clone(), made);
        code
    }

    /// A code that can be used; the number of this error is not published (doc/95122).
    pub(crate) fn find(&self, code: &str, now: Timestamp) -> Result<EventCode, Refusal> {
        match self.0.get(code) {
            None => refuse(40058, "invalid code: unknown"),
            Some(code) if code.is_used => refuse(40058, "invalid code: it was used"),
            Some(code) if now.duration_since(code.made) > code.occasion.validity() => {
                refuse(40058, "invalid code: expired")
            }
            Some(code) => Ok(code.clone()),
        }
    }

    /// It works once.
    pub(crate) fn use_up(&mut self, code: &str) {
        if let Some(code) = self.0.get_mut(code) {
            code.is_used = true;
        }
    }
}
