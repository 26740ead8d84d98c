//! What is to be pasted into WeCom's admin console, as the configuration file has it.

use std::path::Path;

use anyhow::Context;

use crate::config::PublicUrl;

/// The three values of 设置API接收, for the first app of the file.
#[derive(Clone)]
pub struct ToPaste {
    /// The `{app}` of the callback path.
    pub app: String,
    /// The callback address.
    pub url: String,
    /// Token.
    pub token: String,
    /// EncodingAESKey.
    pub encoding_aes_key: String,
}

impl ToPaste {
    /// Reads them from the file again, because the settings do not give secrets away. What the file has not got is shown by its name.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or names no app.
    pub fn read(config: &Path, address: Option<&PublicUrl>) -> anyhow::Result<Self> {
        let name = config.display();
        let text = std::fs::read_to_string(config).with_context(|| format!("cannot read `{name}`"))?;
        let table: toml::Table = text.parse().with_context(|| format!("`{name}` is no TOML"))?;
        let app = table
            .get("apps")
            .and_then(|apps| apps.get(0))
            .with_context(|| format!("`{name}` has no [[apps]]"))?;
        let written = |key: &str| {
            let value = app.get(key).and_then(toml::Value::as_str);
            value.map_or_else(|| format!("({key})"), str::to_owned)
        };
        let app = written("name");
        let url = address.map_or_else(
            || format!("https://…/callback/{app}"),
            |address| address.callback(&app).to_string(),
        );
        Ok(Self {
            url,
            app,
            token: written("token"),
            encoding_aes_key: written("encoding_aes_key"),
        })
    }
}
