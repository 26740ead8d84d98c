//! The `jiefeng` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _failpoints = jiefeng::failpoint::of_environment();
    jiefeng::cli::run()
}
