//! How often signing in may be tried in vain: by one source, and for one name.
//!
//! Nobody is locked out by others: a source that tries too often slows down itself alone. A name that is tried too often is slowed down for
//! browsers with which its user has never signed in. Everything is bounded, and nothing tells whether there is such a name.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::http::Source;

/// So many tries at once are nothing special.
const BURST: u32 = 10;

/// After that a source has one more in this time.
const BETWEEN_OF_SOURCE: Duration = Duration::from_secs(10);

/// And a name.
const BETWEEN_OF_NAME: Duration = Duration::from_secs(30);

/// Most sources and names that are remembered.
const MOST: usize = 10_000;

/// Tries in vain.
#[derive(Default)]
pub(in crate::console) struct Throttle {
    sources: Account<Source>,
    names: Account<String>,
}

/// Who tries to sign in, and as whom.
pub(in crate::console) struct Tries<'a> {
    /// Where from; `None`: from this machine, or from behind a proxy that does not say.
    pub(in crate::console) source: Option<Source>,
    /// The name.
    pub(in crate::console) name: &'a str,
    /// Whether its user has signed in with this browser before.
    pub(in crate::console) knows_device: bool,
}

impl Throttle {
    /// How long to wait before another try; nothing: it may be tried now.
    pub(in crate::console) fn wait(&self, tries: &Tries<'_>, now: Instant) -> Option<Duration> {
        let of_source = tries
            .source
            .and_then(|source| self.sources.wait(&source, BETWEEN_OF_SOURCE, now));
        let of_name = match tries.knows_device {
            true => None,
            false => self.names.wait(&tries.name.to_owned(), BETWEEN_OF_NAME, now),
        };
        of_source.max(of_name)
    }

    /// Counts a try. It is counted before the password is looked at, so that many at once count as many.
    pub(in crate::console) fn count(&mut self, tries: &Tries<'_>, now: Instant) {
        if let Some(source) = tries.source {
            self.sources.note(source, BETWEEN_OF_SOURCE, now);
        }
        if !tries.knows_device {
            self.names.note(tries.name.to_owned(), BETWEEN_OF_NAME, now);
        }
    }

    /// The try was not in vain.
    pub(in crate::console) fn forget(&mut self, tries: &Tries<'_>) {
        if let Some(source) = tries.source {
            self.sources.0.remove(&source);
        }
        self.names.0.remove(tries.name);
    }
}

/// Until when each has something on its account: every try adds the time between two.
struct Account<Key>(HashMap<Key, Instant>);

impl<Key> Default for Account<Key> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Key: Hash + Eq> Account<Key> {
    fn wait(&self, key: &Key, between: Duration, now: Instant) -> Option<Duration> {
        let owed = self.0.get(key)?.saturating_duration_since(now);
        owed.checked_sub(between * (BURST - 1)).filter(|wait| !wait.is_zero())
    }

    fn note(&mut self, key: Key, between: Duration, now: Instant) {
        if let Some(until) = self.0.get_mut(&key) {
            *until = (*until).max(now) + between;
            return;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() < MOST {
            self.0.insert(key, now + between);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Networks;

    fn source(address: &str) -> Option<Source> {
        Source::of(Some(address.parse().unwrap()), "", &Networks::default())
    }

    fn tries<'a>(address: &str, name: &'a str, knows_device: bool) -> Tries<'a> {
        Tries {
            source: source(address),
            name,
            knows_device,
        }
    }

    #[test]
    fn a_source_that_tries_too_often_waits_and_others_do_not() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..BURST {
            let name = format!("name{number}");
            assert_eq!(throttle.wait(&tries("192.0.2.1", &name, false), start), None);
            throttle.count(&tries("192.0.2.1", &name, false), start);
        }
        let another = tries("192.0.2.1", "li", false);
        assert_eq!(throttle.wait(&another, start), Some(BETWEEN_OF_SOURCE));
        assert_eq!(throttle.wait(&another, start + BETWEEN_OF_SOURCE), None);
        assert_eq!(throttle.wait(&tries("192.0.2.2", "li", false), start), None);
    }

    #[test]
    fn a_name_that_is_tried_from_everywhere_is_slowed_down_but_not_for_its_own_browser() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..200 {
            let address = format!("192.0.2.{number}");
            throttle.count(&tries(&address, "li", false), start);
        }
        assert!(throttle.wait(&tries("198.51.100.1", "li", false), start) > Some(BETWEEN_OF_NAME));
        assert_eq!(throttle.wait(&tries("198.51.100.1", "li", true), start), None);
        assert_eq!(throttle.wait(&tries("198.51.100.1", "wang", false), start), None);
    }

    #[test]
    fn whoever_signs_in_begins_anew() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let li = tries("192.0.2.1", "li", false);
        (0..2 * BURST).for_each(|_| throttle.count(&li, start));
        assert!(throttle.wait(&li, start).is_some());
        throttle.forget(&li);
        assert_eq!(throttle.wait(&li, start), None);
    }

    #[test]
    fn no_flood_is_remembered_without_bound() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..20_000 {
            throttle.count(&tries("192.0.2.1", &format!("name{number}"), false), start);
        }
        assert_eq!(throttle.names.0.len(), MOST);
    }
}
