//! Outside-in tests: the real program, real HTTP, real files.

// A test may fail by panicking; helpers outside of test functions as well.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod administering;
mod browser;
mod commands;
mod console;
mod crashes;
mod customers;
mod dead_letters;
mod deploying;
mod dialogues;
mod doctor;
mod ending;
mod enduring;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod faults;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod faulty_system;
mod fuzzing;
mod hostile;
mod house;
mod initialising;
mod limits;
mod long;
mod members;
mod observing;
mod platform;
#[expect(dead_code, reason = "the tests of the store use more of it")]
mod postgres_server;
mod program;
mod reloading;
mod replicas;
mod restoring;
mod rotating;
mod round;
mod server;
mod serving;
mod simulating;
mod slow;
mod workshop;
