//! Several people with the same restriction within a short time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::reading::Countable;
use super::{BoxFuture, ConversationKey, NewSend, StoreError};

/// After an outbreak of a restriction another one of it is none for so long.
pub(super) const QUIET: SignedDuration = SignedDuration::from_hours(24);

/// An outbreak that was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbreak {
    /// Scenario id of the restriction.
    pub scenario: String,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// How many people it were by then.
    pub people: u32,
}

/// What is kept of outbreaks.
pub trait OutbreakStore: Send + Sync {
    /// How many people were answered about which restriction since a time, in whole seconds.
    fn people_by_scenario(&self, since: Timestamp) -> BoxFuture<'_, Result<BTreeMap<String, u32>, StoreError>>;

    /// Keeps an outbreak, and puts the notice to be sent to whom it is for, in one transaction. `false`: one of the same restriction was
    /// kept within the day before, and nothing was kept or sent.
    fn keep_outbreak(
        &self,
        outbreak: Outbreak,
        notice: Option<(ConversationKey, NewSend)>,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;

    /// Outbreaks that were noticed since a time, the newest first.
    fn outbreaks(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Outbreak>, StoreError>>;
}

/// Counts different people.
#[derive(Default)]
pub(super) struct CountingPeople(BTreeMap<String, BTreeSet<Vec<u8>>>);

impl CountingPeople {
    /// Counts the person of a record that was answered.
    pub(super) fn add(&mut self, person: &[u8], record: &str) {
        let Ok(seen) = serde_json::from_str::<Countable<'_>>(record) else {
            return;
        };
        let Some(scenario) = seen.scenarios.first().filter(|_| seen.decision == "answer") else {
            return;
        };
        let people = self.0.entry((*scenario).to_owned()).or_default();
        people.insert(person.to_vec());
    }

    pub(super) fn finish(self) -> BTreeMap<String, u32> {
        let count = |people: BTreeSet<Vec<u8>>| u32::try_from(people.len()).unwrap_or(u32::MAX);
        self.0
            .into_iter()
            .map(|(scenario, people)| (scenario, count(people)))
            .collect()
    }
}
