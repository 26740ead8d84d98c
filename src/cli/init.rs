//! `jiefeng init`: from nothing to a callback address that WeCom has verified.

mod browser;
mod guiding;
mod questions;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use tokio::sync::watch;
use tracing::level_filters::LevelFilter;

use super::language::LanguageOption;
use super::logging::{LogFormat, start_logging};
use super::{Failure, knowledge_failure, print_line};
use crate::app::{KnowledgeSource, Server};
use crate::bilingual::Sentences;
use crate::config::{Environment, Readable, Settings, examine, load};
use crate::knowledge::Language;
use crate::service::{ConversationClock, CurrentAssistant};
use crate::setup::{Progress, SENTENCES, ToPaste, Written, follow_progress, write_configuration};
use questions::{Ended, Given, Questions};

/// Set up: four questions, then everything until WeCom has verified the callback address
#[derive(Args)]
#[command(
    after_help = "It makes Token and EncodingAESKey, writes the configuration, starts the server, tries the address from outside, says what to paste
where, and waits for WeCom's verification and for the first message. Run it again to go on where it was.

  jiefeng init
  jiefeng init --browser                                                                         on a page, with pictures
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
    /// Ask and show everything on a page in the browser, by a link that works for one browser
    #[arg(long, conflicts_with_all = ["write_only", "corp_id", "agent_id", "url"])]
    browser: bool,
    /// Where that page is, and the admin console afterwards [default: 127.0.0.1:8081, or any free port]
    #[arg(long, value_name = "ADDRESS", requires = "browser")]
    console_listen: Option<SocketAddr>,
    #[command(flatten)]
    language: LanguageOption,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        let _logging = start_logging(LogFormat::Text, LevelFilter::ERROR);
        let guide = Guide {
            sentences: Sentences::parse(SENTENCES).context("the built-in sentences cannot be read")?,
            language: self.language.language(),
        };
        if self.browser {
            return Ok(self.in_browser(guide)?);
        }
        let file = self.config.display().to_string();
        if self.config.exists() {
            guide.say("goes_on", &[("file", &file)]);
        } else {
            guide.say("welcome", &[("file", &file)]);
            self.ask(&guide)?;
            guide.say("written", &[("file", &file)]);
        }
        match self.write_only {
            true => Ok(()),
            false => Ok(actix_web::rt::System::new().block_on(serve(&self.config, guide))?),
        }
    }

    fn ask(&self, guide: &Guide) -> anyhow::Result<()> {
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
        match write_configuration(&self.config, &answers)? {
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
async fn serve(config: &Path, guide: Guide) -> anyhow::Result<()> {
    let server = prepare(load(config, &Environment::of_process())?).await?;
    let (to_paste, progress) = follow(config, &server)?;
    let guiding = guiding::Guiding {
        guide,
        file: config.display().to_string(),
        to_paste,
        progress,
    };
    actix_web::rt::spawn(guiding.run(server.address));
    server.run().await.map(drop)
}

/// Learns from the knowledge and binds the address.
async fn prepare(settings: Settings) -> anyhow::Result<Server> {
    let source = KnowledgeSource::new(&settings.knowledge);
    let loading = move || {
        let loaded = source.load();
        (source, loaded)
    };
    let (source, loaded) = tokio::task::spawn_blocking(loading).await.context("learning ended")?;
    let assistant = loaded.map_err(|error| match knowledge_failure(source.directory(), error) {
        Failure::CannotRun(error) => error,
        Failure::FoundProblems => anyhow::anyhow!("the knowledge cannot be used"),
    })?;
    let (assistant, clock) = (CurrentAssistant::new(assistant), ConversationClock::default());
    Server::prepare(settings, source, assistant, clock)
}

/// Begins to look how far things are.
fn follow(config: &Path, server: &Server) -> anyhow::Result<(ToPaste, watch::Receiver<Progress>)> {
    let settings = examine(config, &Environment::of_process())?;
    let address = |settings: &Readable| settings.server.as_ref()?.public_url.clone();
    let to_paste = ToPaste::read(config, address(&settings).as_ref())?;
    let (sender, progress) = watch::channel(Progress::begun(&settings));
    let following = follow_progress(settings, to_paste.app.clone(), server.store.clone(), sender);
    actix_web::rt::spawn(following);
    Ok((to_paste, progress))
}
