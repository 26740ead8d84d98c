//! What the platform knows and by which rules it acts: no I/O, no clock, time is an argument. An independent reading of WeCom's documents,
//! so that it can be the referee of a bot; it shares no types with one.
//!
//! [`company`] holds everything together; [`app`], [`kf_program`] and [`kf_people`] say who may do what to it.

pub(crate) mod access_tokens;
pub(crate) mod app;
pub(crate) mod app_message;
pub(crate) mod cards;
pub(crate) mod company;
pub(crate) mod counters;
pub(crate) mod customer_message;
pub(crate) mod event_codes;
pub(crate) mod faults;
pub(crate) mod fields;
pub(crate) mod frequency;
pub(crate) mod identifiers;
pub(crate) mod kf;
pub(crate) mod kf_people;
pub(crate) mod kf_program;
pub(crate) mod members;
pub(crate) mod menu;
pub(crate) mod news;
pub(crate) mod phone;
pub(crate) mod refusal;
pub(crate) mod sessions;

#[cfg(test)]
mod tests;
