//! The whole conversation as one function: `(state, event, now) -> (state, actions)`.
//!
//! [`Assistant::step`] reads a message as a choice, a slot value or a follow-up question where one of these is expected, and as a new
//! question otherwise. It never does I/O: the shell loads the session, calls it, saves the session and carries out the actions.

mod assistant;
mod compose;
mod language;
mod script;
mod session;
mod step;
#[cfg(test)]
mod tests;
mod words;

pub use assistant::{Assistant, MatcherCache, NoCache, training_set};
pub use compose::{Composer, KnownSlots, LONGEST_TEXT};
pub use session::{Action, Attachment, DecisionKind, Event, Reply, ReplyOption, Session, State, Understanding};
