//! Trying again what failed for the moment.

use super::codes::{self, Handling};
use super::error::ExchangeFailure;
use super::limits::{REPETITIONS, pause};
use super::transport::Answer;

/// How an exchange went in the end.
pub(super) struct Attempted {
    /// The last attempt.
    pub(super) result: Result<Answer, ExchangeFailure>,
    /// Whether an attempt before it may have been carried out.
    pub(super) after_unclear: bool,
}

/// Repeats an exchange that failed for the moment, with pauses. One that may have been carried out is repeated only if `repeats_unclear`.
pub(super) async fn persistently<Exchange, Attempt>(repeats_unclear: bool, exchange: Exchange) -> Attempted
where
    Exchange: Fn() -> Attempt,
    Attempt: Future<Output = Result<Answer, ExchangeFailure>>,
{
    let mut after_unclear = false;
    let mut repetition = 0;
    loop {
        let result = exchange().await;
        if repetition == REPETITIONS || !is_worth_repeating(&result, repeats_unclear) {
            return Attempted { result, after_unclear };
        }
        after_unclear |= result.is_err_and(|failure| failure.is_unclear());
        tokio::time::sleep(pause(repetition, random())).await;
        repetition += 1;
    }
}

fn is_worth_repeating(result: &Result<Answer, ExchangeFailure>, repeats_unclear: bool) -> bool {
    match result {
        Ok(Ok(_)) => false,
        Ok(Err(refusal)) => codes::handling(refusal.code) == Handling::Retry,
        Err(failure) => failure.is_temporary() && (repeats_unclear || !failure.is_unclear()),
    }
}

/// A random number; the largest one on a machine that has none, which makes pauses long.
pub(super) fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::error::Refusal;
    use super::*;

    fn refused(code: i64) -> Result<Answer, ExchangeFailure> {
        Ok(Err(Refusal::new(code, "")))
    }

    #[track_caller]
    fn check(result: Result<Answer, ExchangeFailure>, when_safe: bool, always: bool) {
        let found = (is_worth_repeating(&result, true), is_worth_repeating(&result, false));
        assert_eq!(found, (when_safe, always), "{result:?}");
    }

    #[test]
    fn what_may_have_been_carried_out_is_repeated_only_where_that_is_safe() {
        check(Err(ExchangeFailure::Unreachable(String::new())), true, true);
        check(Err(ExchangeFailure::Interrupted), true, false);
        check(Err(ExchangeFailure::Status(502)), true, false);
        check(refused(-1), true, true);
        check(refused(6000), true, true);
    }

    #[test]
    fn what_would_fail_again_is_not_repeated() {
        check(Err(ExchangeFailure::Status(404)), false, false);
        check(Err(ExchangeFailure::TooLarge), false, false);
        check(Err(ExchangeFailure::Malformed("x")), false, false);
        check(refused(40035), false, false);
        check(refused(45009), false, false);
        check(refused(123_456), false, false);
        check(Ok(Ok(serde_json::json!({}))), false, false);
    }
}
