//! The first run in the browser: the questions of `jiefeng init`, what to paste where, and how far things are.
//!
//! Its pages stand on the console's listener before there is a console, and beside it once the server runs. Whoever has started the
//! command gets a link; the first browser that follows it owns the first run, and nobody else sees anything of it.

mod owner;
mod pages;
mod view;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::access::new_token;
use crate::bilingual::Sentences;
use crate::setup::{Progress, SENTENCES, ToPaste};
use crate::store::Store;

pub(super) use pages::configure;

/// The page; all else of the first run stands below it.
pub(super) const PATH: &str = "/console/first";

/// What is not asked.
#[derive(Clone, Debug)]
pub struct GivenBeforehand {
    /// The configuration file to write.
    pub file: PathBuf,
    /// The app's name in its callback address.
    pub name: String,
    /// Where the server is to listen.
    pub listen: String,
    /// Where the console is to listen, if that stands in the configuration.
    pub console_listen: Option<String>,
}

/// A first run in the browser. All clones are the same one.
#[derive(Clone)]
pub struct FirstRun(Arc<Shared>);

struct Shared {
    given: GivenBeforehand,
    sentences: Sentences,
    /// Whether the configuration file is another's, and was left as it is.
    file_was_there: AtomicBool,
    /// The token of the link.
    link: String,
    /// The session of the browser that has followed the link.
    owner: Mutex<Option<String>>,
    stage: Mutex<Stage>,
    /// Rings when the server is to be started.
    wanted: Notify,
}

/// How far the first run is.
#[derive(Clone)]
enum Stage {
    /// The questions are asked.
    Asking,
    /// The configuration is there, and the server is being started.
    Starting,
    /// The server could not be started.
    Failed(String),
    /// The server runs.
    Running(RunningServer),
}

/// The server that was set up.
#[derive(Clone)]
pub struct RunningServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// What is to be pasted.
    pub to_paste: ToPaste,
    /// How far things are.
    pub progress: watch::Receiver<Progress>,
    /// Where it remembers.
    pub store: Arc<dyn Store>,
}

impl FirstRun {
    /// Asks the questions, unless the configuration file is there already.
    ///
    /// # Errors
    ///
    /// When this machine has no random numbers.
    pub fn new(given: GivenBeforehand) -> anyhow::Result<Self> {
        let (link, _) = new_token().ok_or_else(|| anyhow::anyhow!("this machine has no random numbers"))?;
        let is_there = given.file.exists();
        let first_run = Self(Arc::new(Shared {
            sentences: Sentences::parse(SENTENCES)?,
            given,
            file_was_there: AtomicBool::new(is_there),
            link,
            owner: Mutex::default(),
            stage: Mutex::new(Stage::Asking),
            wanted: Notify::new(),
        }));
        if is_there {
            first_run.start();
        }
        Ok(first_run)
    }

    /// The path of the link that lets one browser in.
    pub fn link(&self) -> String {
        format!("{PATH}/link/{}", self.0.link)
    }

    /// Waits until the server is to be started.
    pub async fn start_wanted(&self) {
        self.0.wanted.notified().await;
    }

    /// The server could not be started; it can be tried again.
    pub fn failed(&self, error: &anyhow::Error) {
        *self.stage() = Stage::Failed(format!("{error:#}"));
    }

    /// The server runs.
    pub fn runs(&self, server: RunningServer) {
        *self.stage() = Stage::Running(server);
    }

    fn start(&self) {
        *self.stage() = Stage::Starting;
        self.0.wanted.notify_one();
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
