//! Says how far things are while the server runs: until the address is reached, verified, and a message answered.

use std::net::SocketAddr;

use tokio::sync::watch;

use super::Guide;
use crate::doctor::{Cause, Words};
use crate::setup::{Outside, Progress, ToPaste};

/// What is known while things are under way.
pub(super) struct Guiding {
    pub(super) guide: Guide,
    pub(super) file: String,
    pub(super) to_paste: ToPaste,
    pub(super) progress: watch::Receiver<Progress>,
}

impl Guiding {
    pub(super) async fn run(mut self, address: SocketAddr) {
        let address = address.to_string();
        let ToPaste {
            url,
            token,
            encoding_aes_key: key,
            ..
        } = self.to_paste.clone();
        self.guide.say("listens", &[("address", &address)]);
        let mut told = Told::default();
        if self.now().outside != Outside::Unknown {
            let values = [("url", url.as_str()), ("address", &address)];
            self.guide.say("make_reachable", &values);
            self.until(&mut told, |progress| progress.outside != Outside::Untried)
                .await;
        }
        self.guide
            .say("paste", &[("url", &url), ("token", &token), ("key", &key)]);
        self.until(&mut told, |progress| progress.is_verified).await;
        self.guide.say("verified", &[]);
        self.guide.say("write_to_it", &[]);
        self.until(&mut told, |progress| progress.is_answered).await;
        self.guide.say("answered", &[]);
        self.guide.say("afterwards", &[("file", &self.file)]);
    }

    fn now(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits for something, and says what is new meanwhile.
    async fn until(&mut self, told: &mut Told, is_so: impl Fn(&Progress) -> bool) {
        loop {
            let progress = self.progress.borrow_and_update().clone();
            self.tell_news(told, &progress);
            if is_so(&progress) {
                return;
            }
            // Whoever follows the progress ends when a message was answered, and nothing is waited for then.
            if self.progress.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn tell_news(&self, told: &mut Told, progress: &Progress) {
        match &progress.outside {
            Outside::Trouble(trouble) if told.trouble != Some(trouble.cause) => {
                self.tell("not_reachable", &trouble.words(self.guide.language));
                told.trouble = Some(trouble.cause);
            }
            Outside::Reached if !told.reached => {
                self.guide.say("reachable", &[("url", &self.to_paste.url)]);
                told.reached = true;
            }
            _ => {}
        }
        for refused in &progress.refused {
            let this = (refused.finding.cause, refused.count);
            if !told.refused.contains(&this) {
                self.tell("refused", &refused.words(&self.guide.sentences, self.guide.language));
                told.refused.push(this);
            }
        }
    }

    fn tell(&self, sentence: &str, words: &Words) {
        self.guide
            .say(sentence, &[("what", &words.what), ("cure", &words.cure)]);
    }
}

/// What was said already.
#[derive(Default)]
struct Told {
    /// What is in the way of the address.
    trouble: Option<Cause>,
    /// That the address leads here.
    reached: bool,
    /// Why requests were refused, and how many at that time.
    refused: Vec<(Cause, u64)>,
}
