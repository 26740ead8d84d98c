//! The session of a customer with an account: its state, who may change it, and how much may be sent (doc/94669, doc/94677).

use jiff::{SignedDuration, Timestamp};

use super::refusal::{Refusal, refuse};

/// How long a session lasts, and how long a customer may be written to, from the last message of the customer (doc/94669, doc/94677).
pub(crate) const WINDOW: SignedDuration = SignedDuration::from_hours(48);

/// How many messages may answer one message of the customer (doc/94677).
const BUDGET: u32 = 5;

/// Who looks after the customer (doc/94669).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The customer wrote, nobody has taken it yet.
    New = 0,
    /// The program.
    Assistant = 1,
    /// The customer waits for a person.
    Pool = 2,
    /// A person.
    Human = 3,
    /// Nobody: ended, or not begun.
    Ended = 4,
}

impl State {
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::New, Self::Assistant, Self::Pool, Self::Human, Self::Ended]
            .into_iter()
            .find(|state| state.number() == number)
    }

    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    /// The steps that the API offers (doc/94669). 0 → 1 is not in the table but works in the field; every way to 4 but from 3 is not.
    fn may_become(self, next: Self) -> bool {
        use State::{Assistant, Ended, Human, New, Pool};
        matches!(
            (self, next),
            (New, Assistant | Pool | Human) | (Assistant, Pool | Human) | (Pool, Human) | (Human, Human | Ended)
        )
    }
}

/// One customer with one account.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    state: State,
    servicer: Option<String>,
    /// The last message of the customer.
    pub(crate) wrote: Option<Timestamp>,
    /// When the session was opened or opened again.
    opened: Option<Timestamp>,
    pub(crate) entered: Option<Timestamp>,
    /// The last message on a welcome code.
    pub(crate) welcomed: Option<Timestamp>,
    /// How many messages may be sent until the customer writes again.
    pub(crate) budget: u32,
    /// What the link said with which the customer came last.
    pub(crate) scene: Option<(String, String)>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            state: State::Ended,
            servicer: None,
            wrote: None,
            opened: None,
            entered: None,
            welcomed: None,
            budget: 0,
            scene: None,
        }
    }
}

impl Session {
    /// The state of the moment: after 48 hours a session ends by itself (doc/94669).
    pub(crate) fn state(&self, now: Timestamp) -> State {
        let is_open = self.opened.is_some_and(|opened| now.duration_since(opened) < WINDOW);
        if is_open { self.state } else { State::Ended }
    }

    /// The person who looks after the customer.
    pub(crate) fn servicer(&self, now: Timestamp) -> Option<&str> {
        let is_human = self.state(now) == State::Human;
        self.servicer.as_deref().filter(|_| is_human)
    }

    /// The person who looked after the customer, also after the end.
    pub(crate) fn last_servicer(&self) -> Option<&str> {
        self.servicer.as_deref()
    }

    /// The customer writes at this time: an ended session is new again, and five messages may answer (doc/94669, doc/94677).
    pub(crate) fn customer_writes(&mut self, at: Timestamp) {
        if self.state(at) == State::Ended {
            self.state = State::New;
            self.servicer = None;
        }
        self.wrote = self.wrote.max(Some(at));
        self.opened = self.opened.max(Some(at));
        self.budget = BUDGET;
    }

    /// Whether an `enter_session` event has a welcome code: no welcome in 48 hours, and never a message (doc/94670).
    pub(crate) fn deserves_welcome(&self, now: Timestamp) -> bool {
        let is_recent = |at: Timestamp| now.duration_since(at) < WINDOW;
        self.wrote.is_none() && !self.welcomed.is_some_and(is_recent)
    }

    /// Whether the customer entered or wrote within 48 hours (doc/95159).
    pub(crate) fn is_recent(&self, now: Timestamp) -> bool {
        let newest = self.entered.max(self.wrote);
        newest.is_some_and(|at| now.duration_since(at) < WINDOW)
    }

    /// Whether `kf/send_msg` is carried out now (doc/94677). Who never wrote has no session to send in.
    pub(crate) fn check_sending(&self, now: Timestamp) -> Result<(), Refusal> {
        let Some(wrote) = self.wrote else {
            return refuse(95018, "send msg session status invalid: the customer has not written");
        };
        if now.duration_since(wrote) >= WINDOW {
            return refuse(95002, "send msg time limit: 48 hours");
        }
        if !matches!(self.state(now), State::New | State::Assistant) {
            return refuse(95018, "send msg session status invalid");
        }
        match self.budget {
            0 => refuse(95001, "send msg count limit: 5 to one message of the customer"),
            _ => Ok(()),
        }
    }

    /// One message was sent.
    pub(crate) fn spend(&mut self) {
        self.budget = self.budget.saturating_sub(1);
    }

    /// Whether the API may take this step (doc/94669).
    pub(crate) fn check_step(&self, next: State, now: Timestamp) -> Result<(), Refusal> {
        match self.state(now) {
            State::Ended => refuse(95013, "conversation end"),
            state if state.may_become(next) => Ok(()),
            state => refuse(
                95016,
                format!(
                    "not allow transfer service state: {} to {}",
                    state.number(),
                    next.number()
                ),
            ),
        }
    }

    /// Another state; `servicer` where it is a person's from now on.
    pub(crate) fn become_state(&mut self, next: State, servicer: Option<&str>) {
        self.state = next;
        // Who served last is still known after the end: the event names the person.
        if next != State::Ended {
            self.servicer = servicer.map(str::to_owned);
        }
    }

    /// A person opens an ended session again (doc/94669).
    pub(crate) fn reopen(&mut self, servicer: &str, now: Timestamp) {
        self.opened = Some(now);
        self.become_state(State::Human, Some(servicer));
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::tests::errcode;
    use super::*;

    fn hour(number: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + number * 3600).unwrap()
    }

    fn in_state(state: State) -> Session {
        let mut session = Session::default();
        session.customer_writes(hour(0));
        session.become_state(state, Some("zhangsan"));
        session
    }

    #[test]
    fn five_messages_answer_one_message_of_the_customer_doc_94677() {
        let mut session = in_state(State::New);
        for _ in 0..5 {
            assert_eq!(errcode(session.check_sending(hour(0))), 0);
            session.spend();
        }
        assert_eq!(errcode(session.check_sending(hour(0))), 95001);
        session.customer_writes(hour(1));
        assert_eq!((errcode(session.check_sending(hour(1))), session.budget), (0, 5));
    }

    #[test]
    fn nothing_is_sent_48_hours_after_the_customer_wrote_doc_94677() {
        let session = in_state(State::Assistant);
        assert_eq!(errcode(session.check_sending(hour(47))), 0);
        assert_eq!(errcode(session.check_sending(hour(48))), 95002);
        assert_eq!(errcode(Session::default().check_sending(hour(0))), 95018);
    }

    #[test]
    fn only_in_states_0_and_1_is_anything_sent_doc_94677() {
        let allowed = |state| errcode(in_state(state).check_sending(hour(1)));
        assert_eq!([State::New, State::Assistant].map(allowed), [0, 0]);
        assert_eq!([State::Pool, State::Human, State::Ended].map(allowed), [95018; 3]);
    }

    #[test]
    fn the_api_takes_only_the_steps_of_the_table_doc_94669() {
        let steps = |from| {
            [0, 1, 2, 3, 4].map(|to| errcode(in_state(from).check_step(State::from_number(to).unwrap(), hour(1))))
        };
        assert_eq!(steps(State::New), [95016, 0, 0, 0, 95016]);
        assert_eq!(steps(State::Assistant), [95016, 95016, 0, 0, 95016]);
        assert_eq!(steps(State::Pool), [95016, 95016, 95016, 0, 95016]);
        assert_eq!(steps(State::Human), [95016, 95016, 95016, 0, 0]);
        assert_eq!(steps(State::Ended), [95013; 5]);
    }

    #[test]
    fn a_session_ends_after_48_hours_and_begins_anew_with_a_message_doc_94669() {
        let mut session = in_state(State::Human);
        assert_eq!(session.servicer(hour(47)), Some("zhangsan"));
        assert_eq!(
            (session.state(hour(48)), session.servicer(hour(48))),
            (State::Ended, None)
        );
        session.customer_writes(hour(49));
        assert_eq!(session.state(hour(49)), State::New);
    }

    #[test]
    fn a_welcome_is_for_who_never_wrote_and_had_none_in_48_hours_doc_94670() {
        let mut session = Session::default();
        assert!(session.deserves_welcome(hour(0)));
        session.welcomed = Some(hour(0));
        assert!(!session.deserves_welcome(hour(47)) && session.deserves_welcome(hour(48)));
        session.customer_writes(hour(48));
        assert!(!session.deserves_welcome(hour(200)));
    }
}
