//! One connection to PostgreSQL.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::OpenError;
use crate::store::address::{Encryption, PostgresAddress};
use crate::tls;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A server that leaves data unacknowledged for longer is gone.
const UNANSWERED: Duration = Duration::from_secs(10);

/// After so long a silence a connection is looked at, so that one that a firewall has forgotten is noticed.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Makes connections.
pub(super) struct Connector {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
}

impl Connector {
    /// # Errors
    ///
    /// A file of authorities that cannot be read.
    pub(super) fn new(address: &PostgresAddress) -> Result<Self, OpenError> {
        let mut config = (*address.config).clone();
        config
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(UNANSWERED)
            .keepalives_idle(KEEPALIVE);
        if config.get_application_name().is_none() {
            config.application_name("jiefeng");
        }
        let roots = match &address.encryption {
            Encryption::None => return Ok(Self { config, tls: None }),
            Encryption::Tls => tls::trusted_roots(),
            Encryption::TlsOf(file) => {
                let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
                let unreadable = |reason: String| OpenError::Authorities {
                    path: file.clone(),
                    reason,
                };
                tls::roots(certificates.map_err(|error| unreadable(error.to_string()))?)
                    .ok_or_else(|| unreadable("it has no certificate in it".to_owned()))?
            }
        };
        let tls = tls::client_config(roots).map_err(OpenError::Tls)?;
        Ok(Self {
            config,
            tls: Some(MakeRustlsConnect::new(tls)),
        })
    }

    /// Connects; a task of this thread carries what is sent and received.
    pub(super) async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        match &self.tls {
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::task::spawn_local(carry(connection));
                Ok(client)
            }
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::task::spawn_local(carry(connection));
                Ok(client)
            }
        }
    }
}

/// How a connection ended is told by whatever was waiting on it.
async fn carry(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to PostgreSQL has ended");
    }
}
