//! Wiring: checked settings to a running server.

mod knowledge_directory;
mod server;

pub use knowledge_directory::{LoadError, MatcherFiles, check_knowledge, load_assistant, read_directory};
pub use server::Server;
