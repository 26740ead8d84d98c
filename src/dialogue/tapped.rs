//! Options that were tapped instead of written: on a menu of 微信客服 or a button of a card, perhaps long after it was sent.

use jiff::Timestamp;

use super::appeals::{DO_NOT_TRACK, LIFTED, REFUSED, TRACK};
use super::assistant::Assistant;
use super::session::{Action, AtHand, Open, Session, State};
use super::step::{CHINA, Turn};

impl Assistant {
    /// Takes a tapped option. One that is still open is chosen; an older one that names a scenario leads there; else its label counts
    /// as if it had been written.
    pub(super) fn tapped(&self, session: Session, id: &str, label: &str, now: Timestamp) -> (Session, Vec<Action>) {
        let now = CHINA.to_datetime(now);
        let place = open_options(&session.state).iter().position(|option| option == id);
        if let Some(place) = place {
            let number = place.saturating_add(1).to_string();
            return Turn::new(self, session, &number, now).take();
        }
        match self.scenario(id) {
            Some(scenario) => {
                let session = Session {
                    state: State::Start,
                    ..session
                };
                let turn = Turn::in_language_of(self, session, label, now);
                let outcome = turn.answer_about(scenario, &turn.message, 1.0);
                turn.ending_in(outcome)
            }
            None => Turn::new(self, session, label, now).take(),
        }
    }
}

/// Ids of the options that are open, in the order in which they were offered.
fn open_options(state: &State) -> Vec<String> {
    match state {
        State::Start => Vec::new(),
        State::Choosing { options, .. } => options.clone(),
        State::Answered(at_hand) => options_at_hand(at_hand),
    }
}

fn options_at_hand(at_hand: &AtHand) -> Vec<String> {
    let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    match &at_hand.open {
        Open::Nothing | Open::SubmissionDay => Vec::new(),
        Open::Slot { offered, .. } => offered.clone(),
        Open::OtherIssue { scenario } => vec![scenario.clone()],
        Open::Tracking { .. } => owned(&[TRACK, DO_NOT_TRACK]),
        Open::Result => owned(&[LIFTED, REFUSED]),
    }
}
