//! Wiring: checked settings to a running server.

mod console;
mod directory_watch;
mod listening;
mod reloading;
mod running;
mod server;
mod signals;
mod stores;

pub use console::ConsoleAddress;
pub use reloading::KnowledgeSource;
pub use running::End;
pub use server::Server;
pub use signals::{Hangups, Stops};
pub use stores::{open_store, open_store_beside, with_store_beside};
