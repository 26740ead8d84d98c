//! The admin console: its socket, and how it is found.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;

use super::listening::bound;
use crate::config::ConsoleListen;
use crate::console::{FirstLink, ROOT, first_link};
use crate::store::Store;

/// The socket of the console, if there is to be one. A default address that is taken is no reason not to start.
pub(super) fn console_listener(listen: ConsoleListen) -> anyhow::Result<Option<TcpListener>> {
    match listen {
        ConsoleListen::Off => Ok(None),
        ConsoleListen::At(address) => bound(address, "console.listen").map(Some),
        ConsoleListen::IfFree(address) => Ok(TcpListener::bind(address)
            .inspect_err(
                |error| tracing::warn!(%error, "there is no admin console: {address} is taken; set console.listen"),
            )
            .ok()),
    }
}

/// Where a browser on this machine finds the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleAddress(SocketAddr);

impl ConsoleAddress {
    /// Of a console that listens on `address`.
    pub fn of(address: SocketAddr) -> Self {
        match address.ip().is_unspecified() {
            true => Self((Ipv4Addr::LOCALHOST, address.port()).into()),
            false => Self(address),
        }
    }

    /// The first page.
    pub fn page(self) -> String {
        self.url(ROOT)
    }

    /// A page of this path.
    pub fn url(self, path: &str) -> String {
        format!("http://{}{path}", self.0)
    }

    /// A link to make the first admin with, if there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot note it.
    pub async fn first_link(self, store: &dyn Store) -> anyhow::Result<Option<String>> {
        let link = first_link(store).await.context("cannot make a link for the console")?;
        Ok(match link {
            FirstLink::NotNeeded => None,
            FirstLink::Path(path) => Some(self.url(&path)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_address_that_is_taken_is_gone_without_and_a_configured_one_is_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert!(console_listener(ConsoleListen::IfFree(address)).unwrap().is_none());
        let error = console_listener(ConsoleListen::At(address)).unwrap_err().to_string();
        assert!(error.contains("console.listen"), "{error}");
        assert!(console_listener(ConsoleListen::Off).unwrap().is_none());
    }

    #[test]
    fn a_console_on_every_address_is_found_on_this_machine() {
        let address = ConsoleAddress::of("0.0.0.0:8081".parse().unwrap());
        assert_eq!(address.page(), "http://127.0.0.1:8081/console");
    }
}
