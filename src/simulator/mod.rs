//! A WeCom on loopback, for trying out and for tests: it delivers as the platform does, and serves a chat page.

mod history;
mod page;
mod platform;
mod web;

pub use platform::{Attempt, Delivered, MessageKind, Outcome, Platform, Verification, Wire};
pub use web::{DecisionLookup, NoDecisions, serve};
