//! The socket that connections come in by.

use std::net::{SocketAddr, TcpListener};

use anyhow::Context;

/// The first socket that the service manager passes on (socket activation), else one bound to `address`. Connections to a passed socket
/// wait in the kernel while the process restarts.
pub(super) fn listener(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let passed = listenfd::ListenFd::from_env().take_tcp_listener(0);
    let passed = passed.context("the socket that was passed on cannot be used; is it a TCP socket (ListenStream)?")?;
    match passed {
        Some(listener) => {
            listener
                .set_nonblocking(true)
                .context("the socket that was passed on cannot be used")?;
            tracing::info!("listening on the socket that was passed on; server.listen is not used");
            Ok(listener)
        }
        None => bound(address, "server.listen"),
    }
}

/// A socket bound to this address, which stands under `key` in the configuration.
pub(super) fn bound(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; is another program using it? Change {key}"))
}
