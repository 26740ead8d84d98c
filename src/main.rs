//! The `jiefeng` program; everything is in the library.

use std::process::ExitCode;

/// A message needs memory more than a hundred times, and much of it is given back by another thread than asked for it.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _failpoints = jiefeng::failpoint::of_environment();
    jiefeng::cli::run()
}
