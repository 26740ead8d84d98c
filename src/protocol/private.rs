//! Texts that no log may show.

use std::fmt;
use std::ops::Deref;

/// What somebody wrote, or a key WeCom handed out: used like a text, but its `Debug` output gives the length alone, so that printing a
/// message that holds it tells nothing.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Private(String);

impl From<String> for Private {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Private {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Deref for Private {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "({} bytes)", self.0.len())
    }
}
