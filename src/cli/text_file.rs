//! Text files that people name on the command line.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;

/// Reads a text without the mark that spreadsheets put before it.
pub(super) fn read_text(file: &Path) -> anyhow::Result<String> {
    let name = file.display();
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            anyhow::bail!("`{name}` is not UTF-8 text; save it as UTF-8 (in a spreadsheet: \"CSV UTF-8\")")
        }
        read => read.with_context(|| format!("cannot read `{name}`"))?,
    };
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}
