//! What tests and the chat page make happen: people act, faults are ordered, the clock is set, and what everybody sees is read.
//!
//! `POST /control/ACTION` with a JSON body; `?wait=true` answers when the callbacks that it causes are through. 404: no such action, 400:
//! a field is missing or unknown, 409: nobody could do this on a phone now. Fields in brackets may be missing.
//!
//! | action | request → answer |
//! |---|---|
//! | `kf/accounts` | `[open_kfid] [name] [granted]` → `open_kfid` |
//! | `kf/servicers` | `open_kfid userid [on_duty]` |
//! | `kf/customers` | `[customer] [nickname]` → `customer`; who acts without having been made is made then |
//! | `members` | `member [visible]` |
//! | `customer/enter` | `open_kfid customer [scene] [scene_param]` → the event, with `welcome_code` where one is due |
//! | `customer/write` | `open_kfid customer`, `text` or `msgtype [body]`, `[age_seconds]` → `msgid send_time` |
//! | `customer/tap` | `open_kfid customer item` (id or caption) → `msgid` |
//! | `customer/recall` | `open_kfid customer msgid` |
//! | `servicer/take`, `servicer/end` | `open_kfid customer servicer` |
//! | `servicer/write` | `open_kfid customer servicer`, `text` or `msgtype [body]` → `msgid` |
//! | `servicer/recall` | `open_kfid customer servicer msgid` |
//! | `servicer/transfer` | `open_kfid customer servicer to` |
//! | `servicer/duty` | `open_kfid servicer on_duty [paused]` |
//! | `member/write` | `member [kind] text` → what came of the callback, with the passive reply |
//! | `member/enter` | `member` → the same |
//! | `member/click` | `member key` → the same |
//! | `member/press` | `member task_id key` → the same; a passive update of the card is carried out |
//! | `bulk` | `open_kfid customers messages [prefix] [texts] [ages_seconds] [callbacks: none, once, each]` → `written` |
//! | `ring` | `open_kfid [times]`: doorbells without news |
//! | `token/expire` | nothing: the access token is no longer good |
//! | `faults` | a [`Fault`](super::model::faults::Fault) or a list of them → all in force; `DELETE` clears them |
//! | `limits` | the [`Limits`](super::model::frequency::Limits) to change → all |
//! | `clock` | `[advance_seconds] [scale]` → `now_ms scale`; a bot in the same program is set forward as well |
//!
//! `GET` reads `seen` (`?customer=` or `?member=`, `[open_kfid] [after] [wait_ms]`), `accounts`, `sessions`, `counters`,
//! `faults`, `limits`, `clock`.
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
