//! The whole conversation as one function: `(state, event, now) -> (state, actions)`.
//!
//! [`Assistant::step`] reads a message as a choice, a slot value or a follow-up question where one of these is expected, and as a new
//! question otherwise. It never does I/O: the shell loads the session, calls it, saves the session and carries out the actions.

mod after_answer;
mod appeals;
mod assistant;
mod choosing;
mod circumstances;
mod clock;
mod compose;
mod compose_time;
mod hand_over;
mod how_long;
mod known_still;
mod language;
mod lengths;
mod script;
mod session;
mod step;
mod tapped;
#[cfg(test)]
pub(crate) mod tests;
mod time_signs;
mod when;
mod words;

pub use assistant::{Assistant, MatcherCache, NoCache, training_set, version_of};
pub use circumstances::Circumstances;
pub use compose::{Composer, KnownSlots, LONGEST_TEXT};
pub use hand_over::{DutyHours, Reach};
pub use session::{
    Action, Appeal, AppealOutcome, AtHand, Attachment, Cause, DecisionKind, Event, Open, Reminder, Reply, ReplyOption,
    Session, State, Understanding, Verdict,
};
pub use when::Moment;
