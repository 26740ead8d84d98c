//! A WeCom on loopback, for trying out and for tests: it delivers callbacks, answers the API, knows the rules of both, and serves a chat
//! page.
//!
//! In reading order: `model` is what the platform knows, without any I/O; `api` answers calls by it; `plaintext` and `callbacks` tell the
//! bot what happens; `control` is how tests and the page make something happen; `companion` is the bot, where it runs in the same program;
//! `platform` puts them together and `web` serves them.

mod api;
mod callbacks;
mod clock;
mod companion;
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
pub use companion::{Calendar, Companion, NoCompanion};
pub use control::ControlError;
pub use plaintext::MessageKind;
pub use platform::{Simulator, SimulatorSettings};
