//! The platform's clock: it can be set forward and run faster, so that nobody waits 48 hours for a window to close.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// A clock that showed a certain time at a certain moment and runs on from there.
#[derive(Debug)]
pub(super) struct Clock {
    moment: Instant,
    shown: Timestamp,
    scale: f64,
}

impl Clock {
    /// The real time.
    pub(super) fn real() -> Self {
        Self {
            moment: Instant::now(),
            shown: Timestamp::now(),
            scale: 1.0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        let passed = self.moment.elapsed().as_secs_f64() * self.scale;
        let passed = SignedDuration::try_from_secs_f64(passed).unwrap_or_default();
        self.shown.saturating_add(passed).unwrap_or(self.shown)
    }

    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// Sets the clock forward.
    pub(super) fn advance(&mut self, by: SignedDuration) {
        let now = self.now();
        self.start_from(now.saturating_add(by).unwrap_or(now));
    }

    /// So many seconds of the clock pass in one second from now on.
    pub(super) fn run_at(&mut self, scale: f64) {
        self.start_from(self.now());
        self.scale = scale;
    }

    fn start_from(&mut self, shown: Timestamp) {
        self.moment = Instant::now();
        self.shown = shown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_set_forward_and_run_faster() {
        let mut clock = Clock::real();
        let before = clock.now();
        clock.advance(SignedDuration::from_hours(48));
        assert!(clock.now().duration_since(before) >= SignedDuration::from_hours(48));
        clock.run_at(100_000.0);
        let before = clock.now();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(clock.now().duration_since(before) >= SignedDuration::from_secs(2000));
    }
}
