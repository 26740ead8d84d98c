//! `jiefeng init`: from nothing to a callback address that WeCom has verified.

mod guiding;
mod questions;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::language::LanguageOption;
use super::logging::{LogFormat, start_logging};
use super::{Failure, knowledge_failure, print_line};
use crate::app::{KnowledgeSource, Server};
use crate::bilingual::Sentences;
use crate::config::{Environment, load};
use crate::knowledge::Language;
use crate::service::{ConversationClock, CurrentAssistant};
use crate::setup::{self, NewCredentials, SENTENCES, Written};
use questions::{Ended, Given, Questions};

/// Set up: four questions, then everything until WeCom has verified the callback address
#[derive(Args)]
#[command(
    after_help = "It makes Token and EncodingAESKey, writes the configuration, starts the server, tries the address from outside, says what to paste
where, and waits for WeCom's verification and for the first message. Run it again to go on where it was.

  jiefeng init
  jiefeng init --corp-id ww0123456789abcdef --agent-id 1000002 --url https://bot.example.com     without questions"
)]
pub(super) struct Init {
    /// Configuration file to write, or to go on with
    #[arg(long, value_name = "FILE", default_value = "jiefeng.toml")]
    config: PathBuf,
    /// 企业ID
    #[arg(long, value_name = "ID")]
    corp_id: Option<String>,
    /// AgentId
    #[arg(long, value_name = "NUMBER")]
    agent_id: Option<String>,
    /// Where WeCom reaches this machine, such as `https://bot.example.com`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The app's name in its callback address
    #[arg(long, value_name = "NAME", default_value = "support")]
    name: String,
    /// Only write the configuration; start nothing
    #[arg(long)]
    write_only: bool,
    #[command(flatten)]
    language: LanguageOption,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        let _logging = start_logging(LogFormat::Text, "error");
        let guide = Guide {
            sentences: Sentences::parse(SENTENCES).context("the built-in sentences cannot be read")?,
            language: self.language.language(),
        };
        let file = self.config.display().to_string();
        if self.config.exists() {
            guide.say("goes_on", &[("file", &file)]);
        } else {
            guide.say("welcome", &[("file", &file)]);
            self.write_configuration(&guide)?;
            guide.say("written", &[("file", &file)]);
        }
        match self.write_only {
            true => Ok(()),
            false => Ok(serve(&self.config, guide)?),
        }
    }

    fn write_configuration(&self, guide: &Guide) -> anyhow::Result<()> {
        let given = Given {
            corp_id: self.corp_id.clone(),
            agent_id: self.agent_id.clone(),
            public_url: self.url.clone(),
        };
        let mut questions = Questions::new(guide, std::io::stdin().lock());
        let (listen, name) = (self.listen.to_string(), self.name.clone());
        let answers = questions.answers(given, listen, name).map_err(|ended| match ended {
            Ended::Early => anyhow::anyhow!(guide.sentence("ended_early", &[])),
            Ended::Wrong(wrong) => anyhow::anyhow!(guide.sentence(wrong, &[])),
        })?;
        let text = setup::configuration(&answers, &NewCredentials::generate());
        // What was answered is in form; the name of the app is not asked and may not be.
        crate::config::read(&self.config.display().to_string(), &text, &Environment::default())?;
        let written = setup::write(&self.config, &text);
        match written.with_context(|| format!("cannot write `{}`", self.config.display()))? {
            Written::New => Ok(()),
            Written::WasThere => anyhow::bail!("`{}` has just been made by somebody else", self.config.display()),
        }
    }
}

/// Speaks to the admin.
struct Guide {
    sentences: Sentences,
    language: Language,
}

impl Guide {
    fn sentence(&self, name: &str, values: &[(&str, &str)]) -> String {
        self.sentences.say(name, self.language, values)
    }

    fn say(&self, name: &str, values: &[(&str, &str)]) {
        print_line(&self.sentence(name, values));
    }
}

/// Runs the server and says how far things are.
fn serve(config: &Path, guide: Guide) -> anyhow::Result<()> {
    let settings = load(config, &Environment::of_process())?;
    let source = KnowledgeSource::new(&settings.knowledge);
    let assistant = source
        .load()
        .map_err(|error| match knowledge_failure(source.directory(), error) {
            Failure::CannotRun(error) => error,
            Failure::FoundProblems => anyhow::anyhow!("the knowledge cannot be used"),
        })?;
    actix_web::rt::System::new().block_on(async move {
        let guiding = guiding::Guiding::new(config, guide)?;
        let server = Server::prepare(
            settings,
            source,
            CurrentAssistant::new(assistant),
            ConversationClock::default(),
        )?;
        let guided = actix_web::rt::spawn(guiding.run(server.address, server.store.clone()));
        let served = server.run().await;
        guided.abort();
        served.map(drop)
    })
}
