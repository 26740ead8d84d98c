//! How far the set-up is: whether the address leads here, what was refused, what WeCom has sent.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::bilingual::Sentences;
use crate::config::Readable;
use crate::doctor::{Cause, Finding, Level, Words, examine_outside, why_refused};
use crate::knowledge::Language;
use crate::store::{QuestionSearch, SeenCallbacks, Store};

/// How often it is looked for what has come, and tried whether the address leads here.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// What is seen of the public address.
    pub outside: Outside,
    /// Why requests were refused since the last one that was WeCom's, the latest first.
    pub refused: Vec<Refused>,
    /// Whether WeCom has verified the callback address.
    pub is_verified: bool,
    /// Whether a message has come and was answered.
    pub is_answered: bool,
}

/// The public address, tried from this machine. It may not reach its own public address, so this keeps nobody waiting: WeCom's request
/// decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Outside {
    /// No address is configured.
    #[default]
    Unknown,
    /// Not tried yet.
    Untried,
    /// It does not lead here, for this reason.
    Trouble(Finding),
    /// It leads here.
    Reached,
}

/// Requests that were refused alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Why.
    pub finding: Finding,
    /// How many.
    pub count: u64,
    /// When the latest of them came.
    pub last_at: Timestamp,
}

impl Refused {
    /// Why, and what to do about it. Token and EncodingAESKey were made here, so where they differ it is WeCom that has others.
    pub fn words(&self, sentences: &Sentences, language: Language) -> Words {
        let words = self.finding.words(language);
        match self.finding.cause {
            Cause::LifeToken | Cause::LifeKey | Cause::LifeTokenAndKey => Words {
                cure: sentences.say("paste_again", language, &[]),
                ..words
            },
            _ => words,
        }
    }
}

impl Progress {
    /// Before anything is known.
    pub fn begun(settings: &Readable) -> Self {
        let address = settings.server.as_ref().and_then(|server| server.public_url.as_ref());
        Self {
            outside: address.map_or(Outside::Unknown, |_| Outside::Untried),
            ..Self::default()
        }
    }
}

/// Keeps `progress` up to date, until a message was answered. Only what comes from now on counts.
pub async fn follow_progress(
    settings: Readable,
    app: String,
    store: Arc<dyn Store>,
    progress: watch::Sender<Progress>,
) {
    let arrivals = Arrivals {
        store,
        app,
        since: Timestamp::now(),
    };
    tokio::join!(
        look_outside(&settings, &progress),
        look_for_arrivals(&arrivals, &progress)
    );
}

/// Tries until the address leads here or WeCom has come by it.
async fn look_outside(settings: &Readable, progress: &watch::Sender<Progress>) {
    let address = settings.server.as_ref().and_then(|server| server.public_url.as_ref());
    let Some(address) = address else { return };
    while !progress.borrow().is_verified {
        let findings = examine_outside(settings, address).await;
        let trouble = findings.into_iter().find(|finding| finding.level() == Level::Red);
        let outside = trouble.map_or(Outside::Reached, Outside::Trouble);
        let is_reached = outside == Outside::Reached;
        change(progress, |progress| progress.outside = outside);
        if is_reached {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn look_for_arrivals(arrivals: &Arrivals, progress: &watch::Sender<Progress>) {
    while !progress.borrow().is_answered {
        let (recent, is_answered) = (arrivals.recent().await, arrivals.has_question().await);
        change(progress, |progress| {
            progress.is_answered |= is_answered;
            progress.is_verified |= is_answered || recent.iter().any(SeenCallbacks::is_genuine);
            progress.refused = refused(&recent);
        });
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn change(progress: &watch::Sender<Progress>, change: impl FnOnce(&mut Progress)) {
    progress.send_if_modified(|progress| {
        let before = progress.clone();
        change(progress);
        *progress != before
    });
}

fn refused(seen: &[SeenCallbacks]) -> Vec<Refused> {
    let genuine = seen.iter().filter(|seen| seen.is_genuine());
    let genuine = genuine.map(|seen| seen.last_at).max();
    let counts = |seen: &&SeenCallbacks| !seen.is_genuine() && genuine.is_none_or(|at| at < seen.last_at);
    let mut refused: Vec<Refused> = seen
        .iter()
        .filter(counts)
        .map(|seen| Refused {
            finding: why_refused(seen),
            count: seen.count,
            last_at: seen.last_at,
        })
        .collect();
    refused.sort_by_key(|refused| std::cmp::Reverse(refused.last_at));
    refused
}

/// What came to the callback address since.
struct Arrivals {
    store: Arc<dyn Store>,
    app: String,
    since: Timestamp,
}

impl Arrivals {
    async fn recent(&self) -> Vec<SeenCallbacks> {
        let seen = self.store.seen_callbacks().await.unwrap_or_default();
        let is_recent =
            |seen: &SeenCallbacks| seen.last_at >= self.since && (seen.app == self.app || seen.app.is_empty());
        seen.into_iter().filter(is_recent).collect()
    }

    /// That somebody only opens the app makes a callback as well, and no question.
    async fn has_question(&self) -> bool {
        let newest = QuestionSearch {
            most: 1,
            most_looked_at: 1,
            ..QuestionSearch::default()
        };
        let found = self.store.find_questions(newest).await.unwrap_or_default().found;
        found.iter().any(|question| question.record.asked_at >= self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(outcome: &str, second: i64) -> SeenCallbacks {
        SeenCallbacks {
            app: "support".to_owned(),
            method: "GET".to_owned(),
            outcome: outcome.to_owned(),
            likely: String::new(),
            detail: String::new(),
            source: "direct".to_owned(),
            count: 1,
            first_at: Timestamp::UNIX_EPOCH,
            last_at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn a_refusal_counts_until_something_genuine_has_come() {
        let genuine = SeenCallbacks::GENUINE;
        let seconds = |seen: &[SeenCallbacks]| -> Vec<i64> {
            refused(seen)
                .iter()
                .map(|refused| refused.last_at.as_second())
                .collect()
        };
        assert_eq!(seconds(&[seen("signature", 1), seen("clock", 3)]), [3, 1]);
        assert_eq!(
            seconds(&[seen("signature", 1), seen(genuine, 2), seen("clock", 3)]),
            [3]
        );
        assert_eq!(seconds(&[seen("signature", 1), seen(genuine, 2)]), [0; 0]);
    }
}
