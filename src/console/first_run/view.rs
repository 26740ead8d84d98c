//! What the page shows.

use std::sync::atomic::Ordering;

use askama::Template;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{FirstRun, GivenBeforehand, RunningServer, Stage};
use crate::bilingual::Sentences;
use crate::console::assets;
use crate::console::frame::Frame;
use crate::doctor::Words;
use crate::knowledge::Language;
use crate::setup::{self, Answers, Outside, Refused, ToPaste, Wrong};

#[derive(Template)]
#[template(path = "first_run.html")]
pub(super) struct FirstRunPage {
    pub(super) frame: Frame,
    pub(super) view: View,
    pub(super) version: String,
}

/// What of the page changes by itself.
#[derive(Template)]
#[template(path = "first_run_part.html")]
pub(super) struct FirstRunPart {
    pub(super) frame: Frame,
    pub(super) view: View,
}

/// Names what a part says.
pub(super) fn version_of(part: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(part).into();
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Behind the last step.
const ALL_DONE: usize = 5;

/// One thing at a time.
#[derive(Clone)]
pub(super) struct View {
    /// Which of the four steps is at hand, from 1; [`ALL_DONE`] at the end.
    pub(super) step: usize,
    /// The configuration file.
    file: String,
    /// Whether it was there before.
    was_there: bool,
    now: Now,
}

/// What is at hand.
#[derive(Clone)]
enum Now {
    Questions(Asking),
    Starting,
    Failed { why: String },
    Paste(AtWork),
    Message(AtWork),
    Done,
}

/// The server runs, and something is waited for.
#[derive(Clone)]
struct AtWork {
    address: String,
    to_paste: ToPaste,
    outside: OutsideWords,
    /// The latest refusal, and how many there were like it.
    refused: Option<(Said, u64)>,
}

/// How the public address looks from outside.
#[derive(Clone)]
enum OutsideWords {
    Unknown,
    Untried,
    Reached,
    Trouble(Said),
}

/// A finding in words.
#[derive(Clone)]
struct Said {
    what: String,
    cure: String,
}

impl From<Words> for Said {
    fn from(words: Words) -> Self {
        Self {
            what: words.what,
            cure: words.cure,
        }
    }
}

impl View {
    pub(super) fn of(first_run: &FirstRun, language: Language, asking: Asking) -> Self {
        let stage = first_run.stage().clone();
        let (step, now) = match stage {
            Stage::Asking => (1, Now::Questions(asking)),
            Stage::Starting => (1, Now::Starting),
            Stage::Failed(why) => (1, Now::Failed { why }),
            Stage::Running(server) => running(&server, &first_run.0.sentences, language),
        };
        Self {
            step,
            file: first_run.0.given.file.display().to_string(),
            was_there: first_run.0.file_was_there.load(Ordering::Relaxed),
            now,
        }
    }

    /// Whether it changes without anything done on the page.
    fn changes(&self) -> bool {
        matches!(self.now, Now::Starting | Now::Paste(_) | Now::Message(_))
    }

    /// The names of the steps, each with its number.
    fn steps(&self) -> [(usize, &'static str); 4] {
        [
            (1, "first.step-answer"),
            (2, "first.step-paste"),
            (3, "first.step-message"),
            (4, "first.step-done"),
        ]
    }

    /// Where a picture is.
    fn picture(&self, name: &str) -> &'static str {
        assets::path_of(name)
    }
}

fn running(server: &RunningServer, sentences: &Sentences, language: Language) -> (usize, Now) {
    let progress = server.progress.borrow();
    let refused = |refused: &Refused| (refused.words(sentences, language).into(), refused.count);
    let at_work = AtWork {
        address: server.address.to_string(),
        to_paste: server.to_paste.clone(),
        outside: match &progress.outside {
            Outside::Unknown => OutsideWords::Unknown,
            Outside::Untried => OutsideWords::Untried,
            Outside::Reached => OutsideWords::Reached,
            Outside::Trouble(trouble) => OutsideWords::Trouble(trouble.words(language).into()),
        },
        refused: progress.refused.first().map(refused),
    };
    match (progress.is_verified, progress.is_answered) {
        (_, true) => (ALL_DONE, Now::Done),
        (true, false) => (3, Now::Message(at_work)),
        (false, false) => (2, Now::Paste(at_work)),
    }
}

/// The form as it was sent.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    pub(super) form_token: String,
    #[serde(default)]
    corp_id: String,
    #[serde(default)]
    agent_id: String,
    #[serde(default)]
    public_url: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    kf: Option<String>,
}

/// The questions, with what was answered and what is wrong with it. The Secret is not shown again.
#[derive(Clone, Default)]
pub(super) struct Asking {
    typed: Typed,
    corp_id: Option<String>,
    agent_id: Option<String>,
    public_url: Option<String>,
    /// What keeps the configuration from being written.
    failure: Option<String>,
}

impl Asking {
    pub(super) fn failed(typed: Typed, failure: String) -> Self {
        Self {
            typed,
            failure: Some(failure),
            ..Self::default()
        }
    }
}

impl Typed {
    /// The answers, or the questions again.
    pub(super) fn answers(
        &self,
        given: &GivenBeforehand,
        say: impl Fn(Wrong) -> String,
    ) -> Result<Answers, Box<Asking>> {
        let corp_id = setup::corp_id(&self.corp_id);
        let agent_id = setup::agent_id(&self.agent_id);
        let public_url = setup::public_url(&self.public_url);
        let (corp_id, agent_id, public_url) = match (corp_id, agent_id, public_url) {
            (Ok(corp_id), Ok(agent_id), Ok(public_url)) => (corp_id, agent_id, public_url),
            (corp_id, agent_id, public_url) => {
                return Err(Box::new(Asking {
                    typed: self.clone(),
                    corp_id: corp_id.err().map(&say),
                    agent_id: agent_id.err().map(&say),
                    public_url: public_url.err().map(&say),
                    failure: None,
                }));
            }
        };
        let secret = Some(self.secret.trim()).filter(|secret| !secret.is_empty());
        Ok(Answers {
            name: given.name.clone(),
            corp_id,
            agent_id,
            public_url,
            secret: secret.map(str::to_owned),
            // Customer service needs the Secret.
            kf: secret.is_some() && self.kf.is_some(),
            listen: given.listen.clone(),
            console_listen: given.console_listen.clone(),
        })
    }
}
