//! What a session names that the knowledge no longer has: the knowledge may change between two messages of one person.

use super::assistant::Assistant;
use super::session::{AtHand, Open, Session, State};

impl Assistant {
    /// The session as far as the knowledge still has what it names. Options that were offered keep their places even if one of them is
    /// gone: a number means what it meant when it was read.
    pub(super) fn known_still(&self, session: Session) -> Session {
        let state = match session.state {
            State::Choosing { options, .. } if !options.iter().any(|id| self.scenario(id).is_some()) => State::Start,
            State::Answered(at_hand) => self.at_hand_still(at_hand).map_or(State::Start, State::Answered),
            state => state,
        };
        Session { state, ..session }
    }

    fn at_hand_still(&self, mut at_hand: AtHand) -> Option<AtHand> {
        let scenario = self.scenario(&at_hand.scenario)?;
        let has = |slot: &str, value: &String| scenario.slot(slot).is_some_and(|slot| slot.value(value).is_some());
        at_hand.slots.retain(|slot, value| has(slot, value));
        let is_gone = match &at_hand.open {
            Open::Slot { slot, offered } => !offered.iter().all(|value| has(slot, value)),
            Open::OtherIssue { scenario } => self.scenario(scenario).is_none(),
            Open::Nothing | Open::Tracking { .. } | Open::SubmissionDay | Open::Result => false,
        };
        if is_gone {
            at_hand.open = Open::Nothing;
        }
        Some(at_hand)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::tests::ASSISTANT;
    use crate::dialogue::{Action, Event};

    const SLOT: &str = "times";
    const SCENARIO: &str = "harassing-content";

    /// What is said to a message in a session that an older knowledge left behind, and the session after it.
    fn said(session: Session, message: &str) -> (String, Session) {
        let now = "2026-11-22T10:00:00+08:00".parse().unwrap();
        let (session, actions) = ASSISTANT.step(session, &Event::Text(message.to_owned()), now);
        let Some(Action::Reply(reply)) = actions.into_iter().next() else {
            panic!("nothing is said to {message}")
        };
        let text = ASSISTANT.composer(session.language, now).as_plain_text(&reply);
        (text, session)
    }

    fn choosing(options: &[&str]) -> Session {
        let options = options.iter().map(|id| (*id).to_owned()).collect();
        in_state(State::Choosing {
            question: "群里发不了消息".to_owned(),
            options,
            misses: 0,
        })
    }

    fn asked(scenario: &str, offered: &[&str]) -> Session {
        in_state(State::Answered(AtHand {
            scenario: scenario.to_owned(),
            slots: [(SLOT.to_owned(), "gone".to_owned())].into(),
            open: Open::Slot {
                slot: SLOT.to_owned(),
                offered: offered.iter().map(|id| (*id).to_owned()).collect(),
            },
            ..AtHand::default()
        }))
    }

    fn in_state(state: State) -> Session {
        Session {
            state,
            ..Session::default()
        }
    }

    fn scenario_of(session: &Session) -> Option<&str> {
        match &session.state {
            State::Answered(at_hand) => Some(&at_hand.scenario),
            State::Start | State::Choosing { .. } => None,
        }
    }

    #[test]
    fn a_number_means_the_option_that_stood_beside_it_even_if_another_is_gone() {
        let options = ["gone", "group-message-complaint", "pull-group-full"];
        let (_, session) = said(choosing(&options), "2");
        assert_eq!(scenario_of(&session), Some("group-message-complaint"));
    }

    #[test]
    fn who_chooses_what_is_gone_chooses_again_among_the_rest() {
        let options = ["gone", "group-message-complaint", "pull-group-full"];
        let (text, session) = said(choosing(&options), "1");
        assert!(text.contains("【2】") && !text.contains("【3】"), "{text}");
        let (_, session) = said(session, "1");
        assert_eq!(scenario_of(&session), Some("group-message-complaint"));
    }

    #[test]
    fn when_every_option_is_gone_a_message_stands_for_itself() {
        let (_, session) = said(choosing(&["gone", "gone-too"]), "群满了拉不进人");
        assert_eq!(scenario_of(&session), Some("pull-group-full"));
        let (text, session) = said(choosing(&["gone"]), "1");
        assert!(scenario_of(&session).is_none() && !text.is_empty(), "{text}");
    }

    #[test]
    fn a_number_means_the_value_that_stood_beside_it_in_whatever_order_they_stand_now() {
        let (text, session) = said(asked(SCENARIO, &["second", "first"]), "1");
        let State::Answered(at_hand) = session.state else {
            panic!("{text}")
        };
        assert_eq!(at_hand.slots.get(SLOT).map(String::as_str), Some("second"), "{text}");
    }

    #[test]
    fn a_value_that_is_gone_is_not_taken_for_another() {
        for message in ["1", "2"] {
            let (text, session) = said(asked(SCENARIO, &["gone", "first"]), message);
            let State::Answered(at_hand) = session.state else {
                panic!("{text}")
            };
            assert!(at_hand.slots.is_empty(), "{message}: {text}");
        }
        let (_, session) = said(asked(SCENARIO, &["gone", "first"]), "第二次了");
        let State::Answered(at_hand) = session.state else {
            panic!()
        };
        assert_eq!(at_hand.slots.get(SLOT).map(String::as_str), Some("second"));
    }

    #[test]
    fn whatever_follows_an_answer_that_is_gone_gets_some_reply() {
        for message in [
            "多久",
            "1",
            "有用",
            "解决了",
            "帮我写申诉",
            "我昨天提交了申诉",
            "转人工",
            "那企业微信呢",
        ] {
            for open in [
                Open::Nothing,
                Open::Slot {
                    slot: "gone".to_owned(),
                    offered: vec!["gone".to_owned()],
                },
                Open::OtherIssue {
                    scenario: "gone".to_owned(),
                },
                Open::SubmissionDay,
                Open::Result,
            ] {
                for scenario in ["gone", SCENARIO] {
                    let session = in_state(State::Answered(AtHand {
                        scenario: scenario.to_owned(),
                        open: open.clone(),
                        ..AtHand::default()
                    }));
                    let (text, session) = said(session, message);
                    assert!(!text.is_empty() && scenario_of(&session) != Some("gone"), "{message}");
                }
            }
        }
    }
}
