//! Outside-in tests: the real program, real HTTP, real files.

mod commands;
mod house;
mod program;
mod serving;
