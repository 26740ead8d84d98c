//! What the public address tells by itself, and what its name leads to.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::PATIENCE;
use super::finding::{Cause, Finding};
use crate::config::PublicUrl;

/// Names that end like this belong to tunnels and to hosts that many share: whoever uses them cannot have filed them for the company.
const SHARED_NAMES: [&str; 26] = [
    "ngrok.io",
    "ngrok.app",
    "ngrok.dev",
    "ngrok-free.app",
    "ngrok-free.dev",
    "trycloudflare.com",
    "workers.dev",
    "pages.dev",
    "loca.lt",
    "localtunnel.me",
    "serveo.net",
    "localhost.run",
    "lhr.life",
    "cpolar.cn",
    "cpolar.top",
    "cpolar.io",
    "natapp.cc",
    "natappfree.cc",
    "devtunnels.ms",
    "github.dev",
    "gitpod.io",
    "vercel.app",
    "netlify.app",
    "onrender.com",
    "railway.app",
    "hf.space",
];

/// Names that mean something only inside.
const INSIDE_NAMES: [&str; 6] = ["localhost", "local", "internal", "intranet", "lan", "home.arpa"];

/// What can be said without asking anybody.
pub(super) fn of_itself(url: &PublicUrl) -> Vec<Finding> {
    let host = url.host().to_ascii_lowercase();
    let of_host = match url.ip() {
        Some(IpAddr::V6(_)) => Some(Cause::UrlIpv6),
        Some(ip) if is_private(ip) => Some(Cause::UrlPrivate),
        Some(_) => Some(Cause::UrlIpv4),
        None if !host.contains('.') || ends_like_one_of(&host, &INSIDE_NAMES) => Some(Cause::UrlPrivate),
        None if ends_like_one_of(&host, &SHARED_NAMES) => Some(Cause::UrlTunnel),
        None => None,
    };
    let of_scheme = (!url.is_https()).then_some(Cause::UrlNotEncrypted);
    let causes = of_host.into_iter().chain(of_scheme);
    causes
        .map(|cause| Finding::new(cause).with("host", url.host()))
        .collect()
}

/// Whether the name leads anywhere, and what can be said of that.
pub(super) async fn of_its_name(url: &PublicUrl) -> (bool, Option<Finding>) {
    if url.ip().is_some() {
        return (true, None);
    }
    let place = (url.host().to_owned(), url.port());
    let looking = tokio::task::spawn_blocking(move || place.to_socket_addrs());
    let found = match tokio::time::timeout(PATIENCE, looking).await {
        Ok(Ok(Ok(found))) => found.map(|address: SocketAddr| address.ip()).collect(),
        _ => Vec::new(),
    };
    let finding = of_addresses(url.host(), &found);
    (!found.is_empty(), Some(finding))
}

fn of_addresses(host: &str, addresses: &[IpAddr]) -> Finding {
    let cause = match addresses {
        [] => Cause::NameMissing,
        _ if addresses.iter().all(|ip| is_private(*ip)) => Cause::NamePrivate,
        _ if addresses.iter().all(IpAddr::is_ipv6) => Cause::NameIpv6Only,
        _ => Cause::NameGood,
    };
    let shown: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    Finding::new(cause)
        .with("host", host)
        .with("addresses", shown.join(", "))
}

fn ends_like_one_of(host: &str, names: &[&str]) -> bool {
    let ends_like = |name: &&str| {
        let before = host.strip_suffix(*name);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    names.iter().any(ends_like)
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let is_shared = matches!(ip.octets(), [100, 64..=127, ..]);
            is_shared || ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &[Cause]) {
        let findings = of_itself(&PublicUrl::parse(url).unwrap());
        let causes: Vec<Cause> = findings.iter().map(|finding| finding.cause).collect();
        assert_eq!(causes, expected, "{url}");
    }

    #[test]
    fn an_address_that_wecom_does_not_take_is_known_by_itself() {
        check("https://bot.example.com", &[]);
        check("http://bot.example.com", &[Cause::UrlNotEncrypted]);
        check("https://203.0.113.9", &[Cause::UrlIpv4]);
        check("https://[2001:db8::1]:8443", &[Cause::UrlIpv6]);
        for private in [
            "https://192.168.1.2",
            "https://100.64.0.1",
            "https://bot",
            "https://bot.lan",
        ] {
            check(private, &[Cause::UrlPrivate]);
        }
        for tunnel in [
            "https://a-b.trycloudflare.com",
            "https://x.ngrok-free.app/bot",
            "https://X.CPOLAR.CN",
        ] {
            check(tunnel, &[Cause::UrlTunnel]);
        }
        check("https://notngrok.io", &[]);
    }

    #[test]
    fn a_name_must_lead_to_an_address_of_the_internet() {
        let cause = |addresses: &[&str]| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            of_addresses("bot.example.com", &addresses).cause
        };
        assert_eq!(cause(&[]), Cause::NameMissing);
        assert_eq!(cause(&["10.0.0.3"]), Cause::NamePrivate);
        assert_eq!(cause(&["2001:db8::1"]), Cause::NameIpv6Only);
        assert_eq!(cause(&["2001:db8::1", "203.0.113.9"]), Cause::NameGood);
    }
}
