//! The configuration file that comes of the answers.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use super::answers::Answers;
use super::credentials::NewCredentials;
use crate::config::{Environment, read};

/// Writes the configuration that comes of the answers, with a new Token and EncodingAESKey, unless there is one already.
///
/// # Errors
///
/// What cannot be used, as with a name that no app may have, or what the system says.
pub fn write_configuration(file: &Path, answers: &Answers) -> anyhow::Result<Written> {
    let text = configuration(answers, &NewCredentials::generate());
    // What was answered is in form; what comes from options and from the environment may not be.
    read(&file.display().to_string(), &text, &Environment::default())?;
    write(file, &text).with_context(|| format!("cannot write `{}`", file.display()))
}

/// The text of the file.
fn configuration(answers: &Answers, credentials: &NewCredentials) -> String {
    let secret = match &answers.secret {
        Some(secret) => format!("secret = {}", quoted(secret)),
        None => {
            "# secret = \"…\"                 # the app's Secret, to send messages on the bot's own account".to_owned()
        }
    };
    let kf = match answers.kf {
        true => "kf = true",
        false => "# kf = true                    # also answer in 微信客服; needs the Secret",
    };
    let console = answers.console_listen.as_ref();
    let console = console.map_or_else(String::new, |listen| {
        format!("\n[console]\nlisten = {}\n", quoted(listen))
    });
    format!(
        "# Made by `jiefeng init`. Every key is explained in deploy/jiefeng.toml.\n\
         # Whoever has token and encoding_aes_key can speak to the bot as WeCom: keep this file to yourself.\n\
         \n\
         [server]\n\
         listen = {listen}\n\
         public_url = {public_url}\n\
         {console}\
         \n\
         [[apps]]\n\
         name = {name}\n\
         corp_id = {corp_id}\n\
         agent_id = {agent_id}\n\
         token = {token}\n\
         encoding_aes_key = {key}\n\
         {secret}\n\
         {kf}\n",
        listen = quoted(&answers.listen),
        public_url = quoted(&answers.public_url.to_string()),
        name = quoted(&answers.name),
        corp_id = quoted(&answers.corp_id),
        agent_id = answers.agent_id,
        token = quoted(&credentials.token),
        key = quoted(&credentials.encoding_aes_key),
    )
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// What became of a file that was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there now, for its owner alone.
    New,
    /// There is one already, and it is as it was.
    WasThere,
}

fn write(file: &Path, text: &str) -> io::Result<Written> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut opened = match options.open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Written::WasThere),
        opened => opened?,
    };
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    Ok(Written::New)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConsoleListen, PublicUrl};

    fn answers(secret: Option<&str>) -> Answers {
        Answers {
            name: "support".to_owned(),
            corp_id: "ww0123456789abcdef".to_owned(),
            agent_id: 1_000_002,
            public_url: PublicUrl::parse("https://bot.example.com").unwrap(),
            secret: secret.map(str::to_owned),
            kf: secret.is_some(),
            listen: "127.0.0.1:8080".to_owned(),
            console_listen: secret.map(|_| "127.0.0.1:9000".to_owned()),
        }
    }

    #[test]
    fn the_configuration_loads_with_what_was_answered() {
        for secret in [None, Some("S\"ecre\\t")] {
            let text = configuration(&answers(secret), &NewCredentials::generate());
            let settings =
                read("jiefeng.toml", &text, &Environment::default()).unwrap_or_else(|error| panic!("{error}"));
            let [app] = settings.apps.as_slice() else { panic!() };
            assert_eq!(app.name, "support");
            assert_eq!(app.credentials.receive_id(), "ww0123456789abcdef");
            assert_eq!((app.secret.is_some(), app.kf), (secret.is_some(), secret.is_some()));
            assert_eq!(settings.server.listen.port(), 8080);
            let console = match secret {
                None => ConsoleListen::IfFree("127.0.0.1:8081".parse().unwrap()),
                Some(_) => ConsoleListen::At("127.0.0.1:9000".parse().unwrap()),
            };
            assert_eq!(settings.console, console);
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_touched() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("jiefeng.toml");
        assert_eq!(write(&file, "one").unwrap(), Written::New);
        assert_eq!(write(&file, "other").unwrap(), Written::WasThere);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
