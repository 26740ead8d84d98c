//! Running the real program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A command line that keeps its caches out of the home directory, and without an admin console, because many servers run at once. `JIEFENG_BIN` has another program tested than the one just built.
pub(crate) fn jiefeng(arguments: &[&str]) -> Command {
    let built = || env!("CARGO_BIN_EXE_jiefeng").into();
    let mut command = Command::new(std::env::var_os("JIEFENG_BIN").unwrap_or_else(built));
    command
        .args(arguments)
        .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
        .env("JIEFENG__CONSOLE__LISTEN", "off");
    command
}

/// What a command printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().expect("the program was killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    jiefeng(arguments).output().unwrap().into()
}

/// Runs a command with this standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Ran {
    let mut command = jiefeng(arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

/// A copy of the knowledge directory that a test may break.
pub(crate) struct KnowledgeCopy {
    directory: TempDir,
}

impl KnowledgeCopy {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        copy(Path::new("knowledge"), directory.path());
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn argument(&self) -> &str {
        self.path().to_str().unwrap()
    }

    /// Changes a file; the text must occur in it.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not contain {from}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// Adds text at the end of a file.
    pub(crate) fn append(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(path, old + text).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
