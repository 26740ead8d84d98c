//! Wiring: checked settings to a running server.

mod console;
mod directory_watch;
mod knowledge_directory;
mod listening;
mod reloading;
mod running;
mod server;
mod signals;
mod stores;
mod training;

pub use console::ConsoleAddress;
pub use knowledge_directory::{
    LoadError, MatcherFiles, check_knowledge, load_assistant, problem_lines, read_directory,
};
pub use reloading::KnowledgeSource;
pub use running::End;
pub use server::Server;
pub use stores::{open_store, open_store_beside, with_store_beside};
