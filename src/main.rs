//! The `jiefeng` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    jiefeng::cli::run()
}
