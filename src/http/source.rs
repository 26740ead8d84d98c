//! Who sends requests, and how much of it was refused.
//!
//! Only refused requests are counted, and whoever has sent a genuine callback is not counted for a day: others can have WeCom send
//! callbacks here that are not genuine, by entering this address for an app of their own. Everything is bounded, so that no flood grows it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::config::Networks;

/// So many refusals at once are nothing special; an admin who tries out a new configuration causes some.
const BURST: u32 = 60;

/// After that one in this time.
const BETWEEN_REFUSALS: Duration = Duration::from_secs(1);

/// A genuine callback speaks for its source for so long.
const GENUINE_FOR: Duration = Duration::from_secs(24 * 3600);

/// Most sources of each kind that are remembered, some 100 bytes each. WeCom has a few dozen addresses.
const MOST_SOURCES: usize = 10_000;

/// Sources that no longer matter are looked for at most so often.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(1);

/// Where requests come from: an address, or a network of IPv6 that one customer of a provider has for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source behind the proxies. `forwarded` is what they noted, each at the end of what was noted before; `None` when only they are
    /// known.
    pub fn of(peer: Option<IpAddr>, forwarded: &str, proxies: &Networks) -> Option<Self> {
        let peer = peer?;
        if !proxies.contains(peer) {
            return Some(Self::new(peer));
        }
        for noted in forwarded.rsplit(',') {
            let address: IpAddr = noted.trim().parse().ok()?;
            if !proxies.contains(address) {
                return Some(Self::new(address));
            }
        }
        None
    }

    fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Self(Ipv6Addr::from(network).into())
            }
        }
    }
}

/// How a request came, as far as it tells whether the proxies are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// From outside, without a proxy.
    Direct = 1,
    /// By a trusted proxy that says for whom.
    Forwarded = 2,
    /// By a trusted proxy that does not say for whom.
    Unnamed = 3,
    /// From an address inside that is no trusted proxy, but is likely one.
    Private = 4,
}

impl Passage {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Direct, "direct"),
        (Self::Forwarded, "forwarded"),
        (Self::Unnamed, "unnamed"),
        (Self::Private, "private"),
    ];

    /// How a request came from this peer, with what proxies noted of it.
    pub(super) fn of(peer: Option<IpAddr>, forwarded: &str, proxies: &Networks) -> Self {
        match peer {
            Some(peer) if !proxies.contains(peer) && is_inside(peer) => Self::Private,
            Some(peer) if !proxies.contains(peer) => Self::Direct,
            _ if Source::of(peer, forwarded, proxies).is_some() => Self::Forwarded,
            _ => Self::Unnamed,
        }
    }

    pub(super) fn name(self) -> &'static str {
        Self::name_of(self as u8)
    }

    /// The name of the one with this number; nothing where there is none.
    pub(super) fn name_of(number: u8) -> &'static str {
        let found = Self::ALL.into_iter().find(|(passage, _)| *passage as u8 == number);
        found.map_or("", |(_, name)| name)
    }
}

/// Addresses of a company's or a machine's own networks.
fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local(),
    }
}

/// What is known of sources.
#[derive(Default)]
pub(super) struct Sources {
    /// Until when a source that was refused still has something on its account: each refusal adds [`BETWEEN_REFUSALS`].
    refused: HashMap<Source, Instant>,
    /// Until when a source counts as WeCom's.
    genuine: HashMap<Source, Instant>,
    swept: Option<Instant>,
    /// Requests that were turned away since the last summary.
    turned_away: u64,
}

impl Sources {
    /// Whether a source has sent too much that was refused. The request is then counted as turned away.
    pub(super) fn turns_away(&mut self, source: Source, now: Instant) -> bool {
        let owed = self.refused.get(&source).map(|until| until.duration_since(now));
        let is_over = owed.is_some_and(|owed| owed > BETWEEN_REFUSALS * (BURST - 1)) && !self.is_genuine(source, now);
        self.turned_away += u64::from(is_over);
        is_over
    }

    /// A request of this source was refused.
    pub(super) fn note_refusal(&mut self, source: Source, now: Instant) {
        if self.is_genuine(source, now) {
            return;
        }
        if let Some(until) = self.refused.get_mut(&source) {
            *until = (*until).max(now) + BETWEEN_REFUSALS;
        } else if self.refused.len() < MOST_SOURCES || self.sweep(now) {
            self.refused.insert(source, now + BETWEEN_REFUSALS);
        }
    }

    /// A callback of this source was genuine.
    pub(super) fn note_genuine(&mut self, source: Source, now: Instant) {
        if self.genuine.contains_key(&source) || self.genuine.len() < MOST_SOURCES {
            self.genuine.insert(source, now + GENUINE_FOR);
        }
    }

    /// How many requests were turned away since this was asked last.
    pub(super) fn take_turned_away(&mut self) -> u64 {
        std::mem::take(&mut self.turned_away)
    }

    fn is_genuine(&self, source: Source, now: Instant) -> bool {
        self.genuine.get(&source).is_some_and(|until| *until > now)
    }

    /// Forgets sources that no longer matter; whether there is room now.
    fn sweep(&mut self, now: Instant) -> bool {
        if self.swept.is_some_and(|at| now < at + BETWEEN_SWEEPS) {
            return false;
        }
        self.swept = Some(now);
        self.refused.retain(|_, until| *until > now);
        self.genuine.retain(|_, until| *until > now);
        self.refused.len() < MOST_SOURCES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn source(peer: &str, forwarded: &str) -> Option<String> {
        let proxies = Networks::parse("127.0.0.0/8, ::1, 10.0.0.0/8").unwrap();
        let source = Source::of(Some(peer.parse().unwrap()), forwarded, &proxies);
        source.map(|Source(address)| address.to_string())
    }

    #[test]
    fn whoever_is_no_proxy_is_the_source_whatever_it_claims() {
        assert_eq!(source("192.0.2.1", "").as_deref(), Some("192.0.2.1"));
        assert_eq!(source("192.0.2.1", "203.0.113.9").as_deref(), Some("192.0.2.1"));
        assert_eq!(source("::ffff:192.0.2.1", "").as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn behind_proxies_the_last_address_that_is_none_of_them_is_the_source() {
        assert_eq!(source("127.0.0.1", "203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(
            source("::1", "198.51.100.1, 203.0.113.9 ,10.1.2.3").as_deref(),
            Some("203.0.113.9")
        );
        assert_eq!(
            source("127.0.0.1", "claimed, 203.0.113.9").as_deref(),
            Some("203.0.113.9")
        );
    }

    #[test]
    fn how_a_request_came_tells_whether_the_proxy_is_set_up() {
        let passage = |peer: &str, forwarded: &str| {
            let proxies = Networks::parse("127.0.0.0/8, 10.0.0.0/8").unwrap();
            Passage::of(Some(peer.parse().unwrap()), forwarded, &proxies).name()
        };
        assert_eq!(passage("203.0.113.9", ""), "direct");
        assert_eq!(passage("127.0.0.1", "203.0.113.9"), "forwarded");
        assert_eq!(passage("127.0.0.1", ""), "unnamed");
        assert_eq!(passage("172.17.0.1", "203.0.113.9"), "private");
        assert_eq!(passage("::1", "203.0.113.9"), "private");
    }

    #[test]
    fn what_a_proxy_does_not_say_is_not_guessed() {
        for forwarded in ["", "unknown", "203.0.113.9, unknown", "10.1.2.3", "203.0.113.9,"] {
            assert_eq!(source("127.0.0.1", forwarded), None, "{forwarded}");
        }
        assert_eq!(Source::of(None, "203.0.113.9", &Networks::loopback()), None);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let (one, other) = (source("2001:db8:1:2:3::4", ""), source("2001:db8:1:2:ffff::", ""));
        assert_eq!((one.as_deref(), &other), (Some("2001:db8:1:2::"), &one));
        assert_ne!(source("2001:db8:1:3::", ""), one);
    }

    fn any(number: u32) -> Source {
        Source::new(std::net::Ipv4Addr::from(number).into())
    }

    #[test]
    fn after_a_burst_of_refusals_a_source_has_one_more_every_second() {
        let (mut sources, start) = (Sources::default(), Instant::now());
        for _ in 0..BURST {
            assert!(!sources.turns_away(any(1), start));
            sources.note_refusal(any(1), start);
        }
        assert!(sources.turns_away(any(1), start));
        assert!(!sources.turns_away(any(2), start));
        assert!(!sources.turns_away(any(1), start + SECOND));
        sources.note_refusal(any(1), start + SECOND);
        assert!(sources.turns_away(any(1), start + SECOND));
        assert!(!sources.turns_away(any(1), start + 100 * SECOND));
        assert_eq!((sources.take_turned_away(), sources.take_turned_away()), (2, 0));
    }

    #[test]
    fn what_is_turned_away_is_not_counted_against_its_source() {
        let (mut sources, start) = (Sources::default(), Instant::now());
        (0..BURST).for_each(|_| sources.note_refusal(any(1), start));
        assert!((0..1000).all(|_| sources.turns_away(any(1), start)));
        assert!(!sources.turns_away(any(1), start + SECOND));
    }

    #[test]
    fn a_source_of_genuine_callbacks_is_never_turned_away() {
        let (mut sources, start) = (Sources::default(), Instant::now());
        sources.note_genuine(any(1), start);
        (0..1000).for_each(|_| sources.note_refusal(any(1), start));
        assert!(!sources.turns_away(any(1), start));
        let later = start + GENUINE_FOR;
        (0..1000).for_each(|_| sources.note_refusal(any(1), later));
        assert!(sources.turns_away(any(1), later), "a day later it is a stranger");
    }

    #[test]
    fn no_flood_is_remembered_without_bound() {
        let (mut sources, start) = (Sources::default(), Instant::now());
        for number in 0..50_000 {
            sources.note_refusal(any(number), start);
            sources.note_genuine(any(number), start);
        }
        assert_eq!(
            (sources.refused.len(), sources.genuine.len()),
            (MOST_SOURCES, MOST_SOURCES)
        );
        sources.note_refusal(any(60_000), start + 10 * SECOND);
        assert_eq!(sources.refused.len(), 1, "what no longer matters makes room");
    }
}
