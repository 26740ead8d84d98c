//! The first start: what an admin is asked, the configuration that comes of it, and what to paste where in WeCom's admin console.

mod answers;
mod configuration;
mod credentials;
mod progress;
mod to_paste;

pub use answers::{Answers, Wrong, agent_id, corp_id, public_url};
pub use configuration::{Written, write_configuration};
pub use credentials::{NewCredentials, random_letters};
pub use progress::{Outside, Progress, Refused, follow_progress};
pub use to_paste::ToPaste;

/// What is said at the first start, in both languages.
pub const SENTENCES: &str = include_str!("sentences.toml");
