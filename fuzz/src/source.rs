//! From whom a request comes, with proxies in between.

use std::net::{IpAddr, Ipv6Addr};

use jiefeng::config::Networks;
use jiefeng::http::Source;

use super::text;

/// The trusted proxies in the first line, who connected in the second, and what was noted of whom the request is passed on for.
pub fn source(data: &[u8]) {
    let mut lines = text(data).unwrap_or_default().splitn(3, '\n');
    let (Some(trusted), Some(peer), Some(noted)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    let Ok(proxies) = Networks::parse(trusted) else { return };
    let entries = trusted.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let entries: Vec<Entry> = entries.map(Entry::read).collect();
    let is_trusted = |address: IpAddr| {
        let expected = entries.iter().any(|entry| entry.holds(address));
        assert_eq!(proxies.contains(address), expected, "{address} in {trusted}");
        expected
    };
    assert_eq!(Source::of(None, noted, &proxies), None);
    let Ok(peer) = peer.parse::<IpAddr>() else { return };
    let found = Source::of(Some(peer), noted, &proxies);
    if !is_trusted(peer) {
        assert_eq!(found, alone(peer), "what a stranger claims counts");
        return;
    }
    let mut passed = noted.rsplit(',').map(|address| address.trim().parse::<IpAddr>().ok());
    let first = passed.find(|address| !address.is_some_and(is_trusted));
    assert_eq!(found, first.flatten().and_then(alone));
    check_claims(found, (peer, noted, &proxies));
    if let Some(address) = first.flatten() {
        check_spellings(address);
    }
}

/// What was claimed before makes no difference, and what the proxy adds does.
fn check_claims(found: Option<Source>, (peer, noted, proxies): (IpAddr, &str, &Networks)) {
    let stranger = IpAddr::from([198, 51, 100, 7]);
    if found.is_some() {
        let claimed = format!("{stranger},{noted}");
        assert_eq!(
            Source::of(Some(peer), &claimed, proxies),
            found,
            "a claim hides its source"
        );
    }
    if !proxies.contains(stranger) {
        let added = format!("{noted}, {stranger}");
        assert_eq!(Source::of(Some(peer), &added, proxies), alone(stranger));
    }
}

/// However an address is written it is one source, and so is the network that one customer has.
fn check_spellings(address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            assert_eq!(alone(address.to_ipv6_mapped().into()), alone(address.into()));
            let other = u32::from(address) ^ 1;
            assert_ne!(alone(IpAddr::V4(other.into())), alone(address.into()));
        }
        IpAddr::V6(address) => {
            let neighbour = Ipv6Addr::from(u128::from(address) ^ 1);
            assert_eq!(alone(neighbour.into()), alone(address.into()));
            let other = Ipv6Addr::from(u128::from(address) ^ (1 << 64));
            assert_ne!(alone(other.into()), alone(address.into()));
        }
    }
}

/// The source of whoever comes without a proxy.
fn alone(address: IpAddr) -> Option<Source> {
    Source::of(Some(address), "", &Networks::default())
}

/// An entry of a list of networks, all of it as addresses of IPv6.
struct Entry {
    start: u128,
    bits: u32,
}

impl Entry {
    fn read(entry: &str) -> Self {
        let (start, bits) = match entry.split_once('/') {
            Some((start, bits)) => (start, Some(bits.parse().expect("a number of bits"))),
            None => (entry, None),
        };
        let start: IpAddr = start.parse().expect("an address");
        let before = if start.is_ipv4() { 96 } else { 0 };
        Self {
            start: wide(start),
            bits: before + bits.unwrap_or(128 - before),
        }
    }

    /// A network of IPv6 has no address of IPv4, unless all of it is.
    fn holds(&self, address: IpAddr) -> bool {
        let has_start = |address: u128| (address ^ self.start).leading_zeros() >= self.bits;
        let is_of_four = self.bits >= 96 && self.start >> 32 == 0xffff;
        has_start(wide(address)) && address.to_canonical().is_ipv4() == is_of_four
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => address.into(),
    }
}
