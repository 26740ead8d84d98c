//! A WeCom on loopback, for trying out and for tests: it delivers callbacks, answers the API, knows the rules of both, and serves a chat
//! page.
//!
//! In reading order: `model` is what the platform knows, without any I/O; `api` answers calls by it; `plaintext` and `callbacks` tell the
//! bot what happens; `control` is how tests make something happen; `platform` puts them together and `web` serves them.

mod api;
mod callbacks;
mod clock;
mod control;
mod history;
mod model;
mod page;
mod passive_update;
mod plaintext;
mod platform;
#[cfg(test)]
mod tests;
mod web;

pub use callbacks::{Attempt, Delivered, Outcome, Verification, Wire};
pub use control::ControlError;
pub use plaintext::MessageKind;
pub use platform::{Simulator, SimulatorSettings};
pub use web::{DecisionLookup, NoDecisions};
