//! One file per way in: wire message to dialogue event, dialogue actions to wire reply.

pub mod app;
pub mod kf;
