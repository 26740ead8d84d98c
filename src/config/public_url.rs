//! Where WeCom reaches the server.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// The start of the URL that stands in the admin console, as far as all apps have it in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

/// Why an address cannot be that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// No address at all, or not one of the web.
    #[error("is not an address such as https://bot.example.com")]
    NotAnAddress,
    /// The address of one app.
    #[error("must end before /callback/NAME; every app has its own name")]
    OfOneApp,
    /// A query, a fragment or a user name.
    #[error("must not have a user name, a password, a query or a fragment")]
    Superfluous,
}

impl PublicUrl {
    /// Checks the address. It may have a path, where a proxy puts the server below one; a slash at its end makes no difference.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let mut url = Url::parse(text).map_err(|_| PublicUrlError::NotAnAddress)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(PublicUrlError::NotAnAddress);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(PublicUrlError::Superfluous);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if path.split('/').any(|part| part == "callback") {
            return Err(PublicUrlError::OfOneApp);
        }
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address of an app's callback.
    pub fn callback(&self, app: &str) -> Url {
        let mut url = self.0.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}/callback/{app}"));
        url
    }

    /// Whether it is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The host, if it is an address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, PublicUrlError>) {
        let callback = PublicUrl::parse(text).map(|url| url.callback("support").to_string());
        assert_eq!(callback, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn every_app_has_its_address_below_the_public_one() {
        check(
            "https://bot.example.com",
            Ok("https://bot.example.com/callback/support"),
        );
        check(
            "https://bot.example.com/",
            Ok("https://bot.example.com/callback/support"),
        );
        check(
            "http://1.2.3.4:8080/bot/",
            Ok("http://1.2.3.4:8080/bot/callback/support"),
        );
        check(
            "https://bot.example.com/callback/support",
            Err(PublicUrlError::OfOneApp),
        );
        check("https://u:p@bot.example.com", Err(PublicUrlError::Superfluous));
        check("https://bot.example.com?x=1", Err(PublicUrlError::Superfluous));
        for text in [
            "bot.example.com",
            "ftp://bot.example.com",
            "https://",
            "bot.example.com:443",
        ] {
            check(text, Err(PublicUrlError::NotAnAddress));
        }
    }

    #[test]
    fn host_and_port_are_as_a_connection_needs_them() {
        let url = PublicUrl::parse("https://[2001:db8::1]/bot").unwrap();
        assert_eq!((url.host(), url.port()), ("2001:db8::1", 443));
        assert!(url.ip().is_some() && url.is_https());
        assert_eq!(url.to_string(), "https://[2001:db8::1]/bot");
    }
}
