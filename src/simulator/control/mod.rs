//! What tests and the chat page make happen: people act, faults are ordered, the clock is set, and what everybody sees is read.
//!
//! [`acts`] has everything that needs no callback to be answered; what members do to the app is in `platform`, which waits for the bot.

mod acts;
mod bulk;
mod reading;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) use acts::act;

use super::model::refusal::Impossible;

/// Why a control request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such action.
    #[error("there is no action `{0}`")]
    Unknown(String),
    /// A field is missing, unknown or of the wrong kind.
    #[error("{0}")]
    Malformed(String),
    /// Nobody could do this on a phone as things are.
    #[error("{0}")]
    Impossible(String),
}

impl From<Impossible> for ControlError {
    fn from(impossible: Impossible) -> Self {
        Self::Impossible(impossible.0)
    }
}

/// The fields of a request.
pub(super) fn read<T: DeserializeOwned>(request: Value) -> Result<T, ControlError> {
    serde_json::from_value(request).map_err(|error| ControlError::Malformed(error.to_string()))
}
