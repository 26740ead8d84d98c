//! The first start: what an admin is asked, the configuration that comes of it, and what to paste where in WeCom's admin console.

mod answers;
mod configuration;
mod credentials;

pub use answers::{Answers, Wrong, agent_id, corp_id, public_url};
pub use configuration::{Written, configuration, write};
pub use credentials::{NewCredentials, random_letters};

/// What is said at the first start, in both languages.
pub const SENTENCES: &str = include_str!("sentences.toml");
