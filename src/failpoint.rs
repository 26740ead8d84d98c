//! Named places at which a test has the process end: the moments between which something could be lost or done twice.
//!
//! `FAILPOINTS="after_commit=5*off->return"` ends it when the place is reached the sixth time (crate `fail`). Only with the feature
//! `failpoints`; without it the places are nothing at all.

/// A place where the process may end.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        fail::fail_point!($name, |_| std::process::abort());
    };
}

pub(crate) use failpoint;

/// Every place, for tests that go through all of them.
#[cfg(feature = "failpoints")]
pub const ALL: [&str; 14] = [
    "after_verify",
    "after_step",
    "before_commit",
    "after_commit",
    "before_answer",
    "mid_page",
    "before_cursor",
    "before_return_of_pull",
    "after_claim",
    "after_answer",
    "before_send",
    "after_send",
    "after_record",
    "before_beat",
];

/// Takes the places that the environment names. They hold for as long as what is returned.
#[cfg(feature = "failpoints")]
#[must_use]
pub fn of_environment() -> impl Sized {
    fail::FailScenario::setup()
}
