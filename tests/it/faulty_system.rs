//! The real program on a system that is not as it should be: the clock is wrong, the disk full or read-only. No rights are needed for
//! that, and it is the same for every user: see `faulty_system.c`, which is compiled with what compiles SQLite.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::io::Errno;
use tempfile::NamedTempFile;

/// The faults of one program, none at first.
pub(crate) struct FaultySystem {
    numbers: NamedTempFile,
}

impl FaultySystem {
    pub(crate) fn new() -> Self {
        let numbers = NamedTempFile::new().unwrap();
        numbers.as_file().set_len(16).unwrap();
        Self { numbers }
    }

    /// What a program must have in its environment to be on this system.
    pub(crate) fn environment(&self) -> [(&str, &str); 2] {
        [
            ("LD_PRELOAD", library().to_str().unwrap()),
            ("FAULTY_SYSTEM", self.numbers.path().to_str().unwrap()),
        ]
    }

    pub(crate) fn clock_is_wrong_by(&self, seconds: i64) {
        self.set(0, seconds);
    }

    /// Whatever is written to a file fails with this error.
    pub(crate) fn writing_fails(&self, error: Errno) {
        self.set(8, error.raw_os_error().into());
    }

    pub(crate) fn writing_works(&self) {
        self.set(8, 0);
    }

    fn set(&self, place: u64, number: i64) {
        let written = self.numbers.as_file().write_all_at(&number.to_ne_bytes(), place);
        written.unwrap();
    }
}

fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("faulty-system-{}.so", std::process::id()));
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let compiled = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&library)
            .arg("tests/it/faulty_system.c")
            .status();
        assert!(compiled.expect("a C compiler").success());
        library
    })
}
