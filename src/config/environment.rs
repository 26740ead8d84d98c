//! Settings from environment variables: `JIEFENG__SERVER__LISTEN` is `server.listen`, `JIEFENG__APPS__0__TOKEN` the first app's token.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::raw::is_text;
use crate::checked_toml::{Problem, Report};

/// What problems with variables are reported under.
pub(super) const NAME: &str = "environment";

const PREFIX: &str = "JIEFENG__";

/// Most apps that are looked for; a larger index is a typing error.
const MOST_APPS: usize = 100;

/// The environment variables that are settings.
#[derive(Clone, Default)]
pub struct Environment {
    variables: Vec<(String, String)>,
}

/// Values may be secrets, so only names are shown.
impl fmt::Debug for Environment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set()
            .entries(self.variables.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Environment {
    /// That of this process. Variables that are not UTF-8 are no settings.
    pub fn of_process() -> Self {
        let texts =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::new(texts)
    }

    /// Of these variables, those that are settings.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut settings: Vec<_> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        settings.sort();
        Self { variables: settings }
    }

    /// The variables as a TOML document, so that they are read and checked just like the file.
    pub(super) fn as_toml(&self, report: &Report) -> String {
        let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut apps: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (name, value) in &self.variables {
            let parts: Vec<String> = name
                .trim_start_matches(PREFIX)
                .split("__")
                .map(str::to_ascii_lowercase)
                .collect();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            match parts.as_slice() {
                ["apps", index, key] if let Some(index) = index.parse().ok().filter(|index| *index < MOST_APPS) => {
                    apps.entry(index).or_default().push(line(key, value));
                }
                [section, key] if !section.is_empty() && *section != "apps" => {
                    sections
                        .entry((*section).to_owned())
                        .or_default()
                        .push(line(key, value));
                }
                _ => report.add(Problem {
                    file: NAME.to_owned(),
                    line: None,
                    key: name.clone(),
                    message: "is no setting; write JIEFENG__SECTION__KEY or JIEFENG__APPS__0__KEY".to_owned(),
                }),
            }
        }
        let mut toml = String::new();
        for (section, lines) in sections {
            toml.push_str(&format!("[{}]\n{}\n", quoted(&section), lines.join("\n")));
        }
        let indexes: BTreeSet<usize> = apps.keys().copied().collect();
        for index in 0..indexes.last().map_or(0, |last| last.saturating_add(1)) {
            let lines = apps.remove(&index).unwrap_or_default();
            toml.push_str(&format!("[[apps]]\n{}\n", lines.join("\n")));
        }
        toml
    }
}

/// Variables are texts; what reads as a number or as true or false is taken for one where no text is expected.
fn line(key: &str, value: &str) -> String {
    let is_bare = !is_text(key) && (value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok());
    let value = if is_bare { value.to_owned() } else { quoted(value) };
    format!("{} = {value}", quoted(key))
}

/// A JSON text is a TOML text as well.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
