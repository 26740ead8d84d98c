//! Whom this program trusts when it connects to somebody by TLS.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// Settings for connecting to servers that these authorities vouch for, without a provider of the whole process.
///
/// # Errors
///
/// When TLS cannot be set up.
pub(crate) fn client_config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The authorities that this machine trusts, so that a company's own counts; the well-known ones where it names none, as in a bare container.
pub(crate) fn trusted_roots() -> RootCertStore {
    let of_this_machine = rustls_native_certs::load_native_certs().certs;
    roots(of_this_machine).unwrap_or_else(well_known_roots)
}

/// These authorities; `None` where there is none that can be used.
pub(crate) fn roots(certificates: Vec<CertificateDer<'static>>) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    (!roots.is_empty()).then_some(roots)
}

fn well_known_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_trusted_whether_the_machine_names_authorities_or_not() {
        assert!(roots(Vec::new()).is_none());
        assert!(!well_known_roots().is_empty());
        assert!(!trusted_roots().is_empty());
    }
}
