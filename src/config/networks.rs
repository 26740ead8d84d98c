//! Addresses and networks, as in `127.0.0.1, 10.0.0.0/8, ::1`.

use std::net::IpAddr;

/// A list of addresses and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// The addresses that start with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    start: IpAddr,
    bits: u32,
}

impl Networks {
    /// Reads a list with commas between its entries; an empty text is an empty list.
    ///
    /// # Errors
    ///
    /// The first entry that is neither address nor network.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let networks = entries.map(|entry| {
            let network = Network::parse(entry);
            network.ok_or_else(|| format!("`{entry}` is neither an address nor a network such as 10.0.0.0/8"))
        });
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// This machine itself.
    pub fn loopback() -> Self {
        let network = |start: IpAddr, bits| Network { start, bits };
        Self(vec![
            network(std::net::Ipv4Addr::LOCALHOST.into(), 8),
            network(std::net::Ipv6Addr::LOCALHOST.into(), 128),
        ])
    }

    /// Whether an address is one of these or in one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn parse(entry: &str) -> Option<Self> {
        let (start, bits) = match entry.split_once('/') {
            Some((start, bits)) => (start.parse::<IpAddr>().ok()?, Some(bits.parse().ok()?)),
            None => (entry.parse::<IpAddr>().ok()?, None),
        };
        let all = all_bits(start);
        let bits = bits.unwrap_or(all);
        (bits <= all).then(|| Self { start, bits }.canonical())
    }

    /// Addresses of IPv4 written as IPv6 (`::ffff:10.0.0.0/104`) are those of IPv4: that is what addresses are compared as.
    fn canonical(self) -> Self {
        let start = self.start.to_canonical();
        let written_longer = all_bits(self.start).saturating_sub(all_bits(start));
        match self.bits.checked_sub(written_longer) {
            Some(bits) => Self { start, bits },
            None => self,
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        let ignored = all_bits(self.start).saturating_sub(self.bits);
        let first = |address: u128| address.checked_shr(ignored).unwrap_or(0);
        match (self.start, address) {
            (IpAddr::V4(start), IpAddr::V4(address)) => {
                first(u32::from(start).into()) == first(u32::from(address).into())
            }
            (IpAddr::V6(start), IpAddr::V6(address)) => first(start.into()) == first(address.into()),
            _ => false,
        }
    }
}

fn all_bits(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(networks: &str, inside: &[&str], outside: &[&str]) {
        let networks = Networks::parse(networks).unwrap();
        for address in inside {
            assert!(networks.contains(address.parse().unwrap()), "{address}");
        }
        for address in outside {
            assert!(!networks.contains(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_network_holds_the_addresses_that_start_like_it() {
        check(
            "10.0.0.0/8",
            &["10.0.0.0", "10.255.1.2", "::ffff:10.1.2.3"],
            &["11.0.0.0", "::1"],
        );
        check("192.168.3.7/22", &["192.168.0.1", "192.168.3.255"], &["192.168.4.0"]);
        check(
            "fd00::/8, 192.0.2.9",
            &["fd12::1", "192.0.2.9"],
            &["fe00::1", "192.0.2.8"],
        );
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("::/0", &["::1"], &["1.2.3.4"]);
        check(
            "::ffff:10.0.0.0/104",
            &["10.1.2.3", "::ffff:10.1.2.3"],
            &["11.0.0.0", "::1"],
        );
        check("::ffff:192.0.2.9", &["192.0.2.9"], &["192.0.2.8"]);
        check("::ffff:10.0.0.0/95", &["::fffe:0:1"], &["10.0.0.0", "::1:0:0:1"]);
        check("", &[], &["127.0.0.1"]);
    }

    #[test]
    fn this_machine_is_the_whole_of_127_and_one() {
        let loopback = Networks::loopback();
        for (address, expected) in [("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("::2", false)] {
            assert_eq!(loopback.contains(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_named() {
        for wrong in [
            "localhost",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "1.2.3.4/",
            "1.2.3.4:80",
        ] {
            assert!(Networks::parse(&format!("::1, {wrong}")).unwrap_err().contains(wrong));
        }
    }
}
