//! Addresses that the client may talk to: the start of every API address, and a proxy.

use std::fmt;

use reqwest::Url;

/// Where WeCom's API is.
const OFFICIAL: &str = "https://qyapi.weixin.qq.com";

/// The start of every API address. Secret and token travel in the query, so it is encrypted unless it stays on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiBase(Url);

/// Why an address cannot be used. It does not repeat the address, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No address at all.
    #[error("is not an address such as https://qyapi.weixin.qq.com")]
    NotAnAddress,
    /// Secrets would travel in the clear.
    #[error("must start with https:// (or http:// on this machine, for a simulator)")]
    NotEncrypted,
    /// A query, a fragment or a user name.
    #[error("must not have a user name, a password, a query or a fragment")]
    Superfluous,
    /// No HTTP proxy.
    #[error("must be an HTTP proxy such as http://proxy.example.com:3128")]
    NotAProxy,
}

impl ApiBase {
    /// Checks the address. A slash at the end makes no difference.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut url = Url::parse(text).map_err(|_| AddressError::NotAnAddress)?;
        let is_encrypted = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        if !is_encrypted {
            return Err(AddressError::NotEncrypted);
        }
        if has_user(&url) || has_query(&url) {
            return Err(AddressError::Superfluous);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address of something below it.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }
}

impl Default for ApiBase {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, and a test parses it")]
        Self::parse(OFFICIAL).expect("the official address is well-formed")
    }
}

impl fmt::Display for ApiBase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ApiBase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ApiBase({self})")
    }
}

/// A proxy through which WeCom is reached, for machines whose own address changes (error 60020).
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyAddress(Url);

impl ProxyAddress {
    /// Checks the address; it may have a user name and a password.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::NotAProxy)?;
        let is_proxy = matches!(url.scheme(), "http" | "https") && url.path() == "/" && !has_query(&url);
        is_proxy.then_some(Self(url)).ok_or(AddressError::NotAProxy)
    }

    pub(crate) fn url(&self) -> Url {
        self.0.clone()
    }
}

impl fmt::Debug for ProxyAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ProxyAddress({})", self.0.host_str().unwrap_or_default())
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn has_query(url: &Url) -> bool {
    url.query().is_some() || url.fragment().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, AddressError>) {
        let parsed = ApiBase::parse(text).map(|base| base.to_string());
        assert_eq!(parsed, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn the_base_is_encrypted_unless_it_is_this_machine() {
        check("https://qyapi.weixin.qq.com/", Ok("https://qyapi.weixin.qq.com"));
        check("https://a.example/wecom//", Ok("https://a.example/wecom"));
        check("http://127.0.0.1:9000", Ok("http://127.0.0.1:9000"));
        check("http://localhost:9000", Ok("http://localhost:9000"));
        check("http://[::1]:9000", Ok("http://[::1]:9000"));
        for text in [
            "http://qyapi.weixin.qq.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
        ] {
            check(text, Err(AddressError::NotEncrypted));
        }
    }

    #[test]
    fn the_base_has_nothing_superfluous() {
        for text in [
            "https://u:p@a.example",
            "https://a.example/?x=1",
            "https://a.example/#x",
        ] {
            check(text, Err(AddressError::Superfluous));
        }
        check("qyapi.weixin.qq.com", Err(AddressError::NotAnAddress));
    }

    #[test]
    fn a_path_is_put_below_the_base() {
        assert_eq!(
            ApiBase::default().join("cgi-bin/gettoken").as_str(),
            "https://qyapi.weixin.qq.com/cgi-bin/gettoken"
        );
        let below = ApiBase::parse("https://a.example/wecom/").unwrap();
        assert_eq!(below.join("cgi-bin/x").as_str(), "https://a.example/wecom/cgi-bin/x");
    }

    #[test]
    fn a_proxy_may_have_a_password_that_is_not_shown() {
        let proxy = ProxyAddress::parse("http://user:canary@proxy.example:3128").unwrap();
        assert_eq!(format!("{proxy:?}"), "ProxyAddress(proxy.example)");
        for text in ["socks5://a.example", "http://a.example/path", "a.example:3128"] {
            assert_eq!(ProxyAddress::parse(text), Err(AddressError::NotAProxy), "{text}");
        }
    }
}
