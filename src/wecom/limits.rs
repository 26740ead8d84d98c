//! Keeping below WeCom's limits: when a call is closed, how many messages a member gets, how long to pause before a repetition
//! (doc/90312, doc/90454, doc/90236).
//!
//! Nothing here reads a clock; the time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::api::Api;
use super::codes::{self, Handling};

/// How often a call is repeated at most.
pub(super) const REPETITIONS: u32 = 3;

/// Longest pause before the first repetition; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// WeCom drops silently what a member gets beyond 30 messages a minute; this stays well below.
const MESSAGES_A_MINUTE: usize = 20;

/// WeCom blocks reading for the whole company after ten calls a minute without, or with a wrong, token of a callback.
const TOKENLESS_A_MINUTE: usize = 6;

/// The span of [`MESSAGES_A_MINUTE`] and [`TOKENLESS_A_MINUTE`].
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Too many calls at the same time.
const TOO_MANY_AT_ONCE: i64 = 45033;

/// A pause that doubles each time it is needed again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubling {
    first: SignedDuration,
    longest: SignedDuration,
}

impl Doubling {
    /// After too many calls; WeCom's own blocks last a minute at least.
    const FREQUENCY: Self = Self::new(SignedDuration::from_secs(60), SignedDuration::from_mins(15));

    /// After too many calls at once, which is over when they are, and while WeCom is busy.
    const CONCURRENCY: Self = Self::new(SignedDuration::from_secs(2), SignedDuration::from_secs(32));

    /// After a refused Secret or company id: WeCom bans the address of who goes on trying.
    const CREDENTIALS: Self = Self::new(SignedDuration::from_mins(5), SignedDuration::from_hours(1));

    const fn new(first: SignedDuration, longest: SignedDuration) -> Self {
        Self { first, longest }
    }

    /// The pause after a code that says to wait.
    pub(super) fn after_code(code: i64) -> Self {
        match code {
            TOO_MANY_AT_ONCE => Self::CONCURRENCY,
            _ => Self::FREQUENCY,
        }
    }

    /// The pause after a refused access token.
    pub(super) fn after_refused_token(code: i64) -> Self {
        match codes::handling(code) {
            Handling::Retry => Self::CONCURRENCY,
            Handling::Wait => Self::after_code(code),
            _ => Self::CREDENTIALS,
        }
    }

    fn next(self, previous: Option<SignedDuration>) -> SignedDuration {
        let doubled = previous.map_or(self.first, |pause| pause.saturating_mul(2));
        doubled.clamp(self.first, self.longest)
    }
}

/// Whether something of `at` is still within a span at `now`. What is further away in the future was noted before the clock was put back,
/// and must not keep anything waiting until that time comes again.
pub(super) fn is_within(span: SignedDuration, at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).abs() < span
}

/// Something that WeCom has refused and that is left alone for a while.
#[derive(Clone, Debug)]
pub(super) struct Closure<Reason> {
    /// Why.
    pub(super) reason: Reason,
    /// Until when.
    pub(super) until: Timestamp,
    pause: SignedDuration,
}

impl<Reason> Closure<Reason> {
    /// Closes for longer than before, unless `before` has not run out: calls that were under way together count once.
    pub(super) fn after(before: Option<Self>, pauses: Doubling, reason: Reason, now: Timestamp) -> Self {
        if let Some(before) = before {
            if before.holds_at(now) {
                return before;
            }
            return Self::lasting(pauses.next(Some(before.pause)), reason, now);
        }
        Self::lasting(pauses.next(None), reason, now)
    }

    fn lasting(pause: SignedDuration, reason: Reason, now: Timestamp) -> Self {
        let until = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        Self { reason, until, pause }
    }

    pub(super) fn holds_at(&self, now: Timestamp) -> bool {
        let closed_at = self.until.saturating_sub(self.pause).unwrap_or(Timestamp::MIN);
        is_within(self.pause, closed_at, now)
    }
}

/// Which calls are closed. A call that goes well opens its gate and makes the next pause short again.
#[derive(Debug, Default)]
pub(super) struct Gates {
    closed: HashMap<Api, Closure<i64>>,
}

impl Gates {
    /// With which code and until when a call is closed.
    pub(super) fn closed(&self, api: Api, now: Timestamp) -> Option<(i64, Timestamp)> {
        let closure = self.closed.get(&api).filter(|closure| closure.holds_at(now))?;
        Some((closure.reason, closure.until))
    }

    /// Closes a call after a code that says to wait; until when.
    pub(super) fn close(&mut self, api: Api, code: i64, now: Timestamp) -> Timestamp {
        let closure = Closure::after(self.closed.remove(&api), Doubling::after_code(code), code, now);
        let until = closure.until;
        self.closed.insert(api, closure);
        until
    }

    /// A call went well. Whether it had been closed before.
    pub(super) fn open(&mut self, api: Api) -> bool {
        self.closed.remove(&api).is_some()
    }
}

/// How many messages every member got from this process within a minute.
#[derive(Debug)]
pub(super) struct RecipientBudget {
    sent: HashMap<String, VecDeque<Timestamp>>,
    /// What one process may send within a minute.
    allowed: usize,
}

impl Default for RecipientBudget {
    fn default() -> Self {
        Self {
            sent: HashMap::new(),
            allowed: MESSAGES_A_MINUTE,
        }
    }
}

impl RecipientBudget {
    /// So many processes send to the same members.
    pub(super) fn share_with(&mut self, processes: usize) {
        self.allowed = (MESSAGES_A_MINUTE / processes.max(1)).max(1);
    }

    /// Counts one message to each of these members, or none at all when one of them has had enough; then says when it may be tried again.
    pub(super) fn take(&mut self, members: &[String], now: Timestamp) -> Result<(), Timestamp> {
        self.forget(now);
        let free_at = members.iter().filter_map(|member| self.free_at(member)).max();
        if let Some(free_at) = free_at {
            return Err(free_at);
        }
        for member in members {
            self.sent.entry(member.clone()).or_default().push_back(now);
        }
        Ok(())
    }

    /// When the oldest message no longer counts, if there are as many as may be.
    fn free_at(&self, member: &str) -> Option<Timestamp> {
        let sent = self.sent.get(member)?;
        let oldest = sent.iter().rev().nth(self.allowed.saturating_sub(1))?;
        oldest.saturating_add(MINUTE).ok()
    }

    fn forget(&mut self, now: Timestamp) {
        let counts = |sent: &Timestamp| is_within(MINUTE, *sent, now);
        self.sent.retain(|_, sent| {
            while sent.front().is_some_and(|oldest| !counts(oldest)) {
                sent.pop_front();
            }
            !sent.is_empty()
        });
    }
}

/// When this process read messages of 微信客服 within a minute without a token that held.
#[derive(Debug, Default)]
pub(super) struct TokenlessBudget {
    calls: VecDeque<Timestamp>,
}

impl TokenlessBudget {
    /// Counts one call, or says when it may be made.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let oldest = self.calls.iter().rev().nth(TOKENLESS_A_MINUTE - 1);
        if let Some(oldest) = oldest.filter(|oldest| is_within(MINUTE, **oldest, now)) {
            return Err(oldest.saturating_add(MINUTE).unwrap_or(Timestamp::MAX));
        }
        self.note(now);
        Ok(())
    }

    /// Counts a call that was made, whose token turned out to be wrong.
    pub(super) fn note(&mut self, now: Timestamp) {
        self.calls.push_back(now);
        while self.calls.len() > TOKENLESS_A_MINUTE {
            self.calls.pop_front();
        }
    }
}

/// The members a body of message/send names, in one spelling. `@all`, departments and tags are not counted.
pub(super) fn members_of(body: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Addressed {
        #[serde(default)]
        touser: String,
    }
    let to_user = serde_json::from_str::<Addressed>(body).map_or_else(|_| String::new(), |body| body.touser);
    let mut members: Vec<String> = to_user
        .split('|')
        .filter(|member| !member.is_empty() && *member != "@all")
        .map(str::to_ascii_lowercase)
        .collect();
    members.sort_unstable();
    members.dedup();
    members
}

/// How long to pause before a repetition: anything up to a limit that doubles, so that many callers do not come back together. `random`
/// is evenly distributed over all numbers.
pub(super) fn pause(repetition: u32, random: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << repetition.min(8));
    longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_764_000_000 + second).unwrap()
    }

    #[test]
    fn a_gate_stays_closed_longer_every_time_up_to_a_quarter_of_an_hour() {
        let mut gates = Gates::default();
        let mut now = 0;
        for seconds in [60, 120, 240, 480, 900, 900] {
            assert_eq!(gates.close(Api::MessageSend, 45009, at(now)), at(now + seconds));
            assert_eq!(
                gates.closed(Api::MessageSend, at(now + seconds - 1)),
                Some((45009, at(now + seconds)))
            );
            now += seconds;
            assert_eq!(gates.closed(Api::MessageSend, at(now)), None);
        }
    }

    #[test]
    fn calls_that_were_under_way_together_close_a_gate_once() {
        let mut gates = Gates::default();
        gates.close(Api::MessageSend, 45009, at(0));
        assert_eq!(gates.close(Api::MessageSend, 45009, at(1)), at(60));
        assert_eq!(gates.closed(Api::KfSendMessage, at(1)), None);
    }

    #[test]
    fn a_call_that_goes_well_makes_the_next_pause_short_again() {
        let mut gates = Gates::default();
        gates.close(Api::MessageSend, 45009, at(0));
        assert!(gates.open(Api::MessageSend));
        assert!(!gates.open(Api::MessageSend));
        assert_eq!(gates.close(Api::MessageSend, 45009, at(60)), at(120));
    }

    #[test]
    fn too_many_at_once_closes_a_gate_for_seconds() {
        let mut gates = Gates::default();
        assert_eq!(gates.close(Api::KfSyncMessages, 45033, at(0)), at(2));
    }

    #[test]
    fn the_twenty_first_message_within_a_minute_has_to_wait() {
        let mut budget = RecipientBudget::default();
        let member = ["zhangsan".to_owned()];
        for second in 0..20 {
            assert_eq!(budget.take(&member, at(second)), Ok(()));
        }
        assert_eq!(budget.take(&member, at(20)), Err(at(60)));
        assert_eq!(budget.take(&["lisi".to_owned()], at(20)), Ok(()));
        assert_eq!(budget.take(&member, at(60)), Ok(()));
        assert_eq!(budget.take(&member, at(60)), Err(at(61)));
    }

    #[test]
    fn processes_that_send_to_the_same_members_share_what_they_may_get() {
        let mut budget = RecipientBudget::default();
        budget.share_with(2);
        let member = ["zhangsan".to_owned()];
        for _ in 0..10 {
            assert_eq!(budget.take(&member, at(0)), Ok(()));
        }
        assert_eq!(budget.take(&member, at(1)), Err(at(60)));
        budget.share_with(1);
        assert_eq!(budget.take(&member, at(1)), Ok(()));
    }

    #[test]
    fn a_message_to_several_members_is_counted_for_all_or_for_none() {
        let mut budget = RecipientBudget::default();
        let both = ["lisi".to_owned(), "zhangsan".to_owned()];
        for _ in 0..20 {
            budget.take(&both[1..], at(0)).unwrap();
        }
        assert_eq!(budget.take(&both, at(1)), Err(at(60)));
        for _ in 0..20 {
            assert_eq!(budget.take(&both[..1], at(2)), Ok(()));
        }
    }

    #[test]
    fn who_got_nothing_for_a_minute_is_forgotten() {
        let mut budget = RecipientBudget::default();
        budget.take(&["lisi".to_owned()], at(0)).unwrap();
        budget.take(&[], at(60)).unwrap();
        assert!(budget.sent.is_empty());
    }

    #[test]
    fn the_seventh_call_without_a_token_has_to_wait_until_the_first_is_a_minute_old() {
        let mut budget = TokenlessBudget::default();
        for second in 0..6 {
            assert_eq!(budget.take(at(second)), Ok(()));
        }
        assert_eq!(budget.take(at(6)), Err(at(60)));
        assert_eq!(budget.take(at(60)), Ok(()));
        assert_eq!(budget.take(at(60)), Err(at(61)));
        budget.note(at(61));
        assert_eq!(budget.take(at(61)), Err(at(62)), "a wrong token counts as well");
        assert_eq!(budget.calls.len(), 6);
    }

    #[test]
    fn what_was_noted_before_the_clock_was_put_back_keeps_nothing_waiting() {
        let day = 24 * 3600;
        let mut gates = Gates::default();
        gates.close(Api::MessageSend, 45009, at(day));
        assert_eq!(gates.closed(Api::MessageSend, at(0)), None);
        let (mut tokenless, mut budget) = (TokenlessBudget::default(), RecipientBudget::default());
        let member = ["zhangsan".to_owned()];
        for _ in 0..20 {
            tokenless.note(at(day));
            budget.take(&member, at(day)).unwrap();
        }
        assert_eq!(tokenless.take(at(0)), Ok(()));
        assert_eq!(budget.take(&member, at(0)), Ok(()));
    }

    #[test]
    fn members_are_read_from_the_body() {
        assert_eq!(
            members_of(r#"{"touser":"ZhangSan|lisi|zhangsan"}"#),
            ["lisi", "zhangsan"]
        );
        assert_eq!(members_of(r#"{"touser":"@all"}"#), [""; 0]);
        assert_eq!(members_of(r#"{"toparty":"1"}"#), [""; 0]);
        assert_eq!(members_of("no json"), [""; 0]);
    }

    #[test]
    fn pauses_double_and_are_never_longer_than_that() {
        assert_eq!(pause(0, u32::MAX), Duration::from_millis(400));
        assert_eq!(pause(2, u32::MAX), Duration::from_millis(1600));
        assert_eq!(pause(2, 0), Duration::ZERO);
    }
}
