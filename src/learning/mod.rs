//! The knowledge directory, and the matchers trained on it: reading, checking, training in a process of its own, the cache.

mod directory;
mod matcher_files;
mod training;

pub use directory::{LoadError, check_knowledge, is_left_behind, load_assistant, problem_lines, read_directory};
pub use matcher_files::MatcherFiles;
pub(crate) use training::{Changes, TrainedAside, Training, TrainingError};
