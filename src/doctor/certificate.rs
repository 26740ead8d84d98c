//! The certificate behind the public address: whether WeCom would accept it, and for how long.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::PATIENCE;
use super::finding::{Cause, Finding};
use crate::config::PublicUrl;
use crate::tls;

/// A certificate that ends within so many days has not been renewed as it should.
const SOON: i64 = 14;

/// Looks at the certificate; whether requests would get past it. Of a connection that cannot be made, these say more.
pub(super) async fn examine(url: &PublicUrl) -> (bool, Option<Finding>) {
    let (host, port) = (url.host().to_owned(), url.port());
    let looking = tokio::task::spawn_blocking(move || look(&host, port));
    let finding = match tokio::time::timeout(PATIENCE * 2, looking).await {
        Ok(Ok(Ok(shown))) => shown.judged(url.host(), Timestamp::now()),
        Ok(Ok(Err(NotShown::Handshake(error)))) => Finding::new(Cause::TlsFailed)
            .with("host", url.host())
            .with("error", error),
        Ok(Ok(Err(NotShown::Connection)) | Err(_)) | Err(_) => return (true, None),
    };
    let is_trusted = matches!(finding.cause, Cause::CertificateGood | Cause::CertificateEndsSoon);
    (is_trusted, Some(finding))
}

/// Why there is no certificate to look at.
enum NotShown {
    Connection,
    /// With what the system says.
    Handshake(String),
}

/// What a server showed, and what is to be said against it.
#[derive(Clone)]
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    objection: Option<Error>,
}

fn look(host: &str, port: u16) -> Result<Shown, NotShown> {
    let mut stream = connected(host, port).map_err(|_| NotShown::Connection)?;
    let failed = |error: &dyn std::fmt::Display| NotShown::Handshake(error.to_string());
    let watching = Arc::new(Watching::new().map_err(|error| failed(&error))?);
    let mut config = tls::client_config(tls::trusted_roots()).map_err(|error| failed(&error))?;
    config.dangerous().set_certificate_verifier(Arc::clone(&watching) as _);
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| failed(&error))?;
    let shaken = connection.complete_io(&mut stream);
    match (watching.shown(), shaken) {
        (Some(shown), _) => Ok(shown),
        (None, Err(error)) => Err(failed(&error)),
        (None, Ok(_)) => Err(failed(&"it shows no certificate")),
    }
}

fn connected(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("it has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE / 2) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Lets every server pass, and remembers what it showed: nothing but the handshake goes over this connection.
#[derive(Debug)]
struct Watching {
    strict: Arc<WebPkiServerVerifier>,
    shown: Mutex<Option<(Vec<CertificateDer<'static>>, Option<Error>)>>,
}

impl Watching {
    fn new() -> Result<Self, rustls::client::VerifierBuilderError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(tls::trusted_roots());
        Ok(Self {
            strict: WebPkiServerVerifier::builder_with_provider(roots, provider).build()?,
            shown: Mutex::default(),
        })
    }

    fn shown(&self) -> Option<Shown> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        shown.map(|(chain, objection)| Shown { chain, objection })
    }
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .strict
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some((chain, verified.err()));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}

impl Shown {
    fn judged(&self, host: &str, now: Timestamp) -> Finding {
        let parsed = self.chain.iter().filter_map(|bytes| Certificate::from_der(bytes).ok());
        let chain: Vec<Certificate> = parsed.collect();
        let until = chain.first().map(until).unwrap_or_default();
        let days = until.duration_since(now).as_hours() / 24;
        let names = match &self.objection {
            Some(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
                presented.join(", ")
            }
            _ => String::new(),
        };
        let cause = match &self.objection {
            None if days < SOON => Cause::CertificateEndsSoon,
            None => Cause::CertificateGood,
            Some(objection) => cause(objection, &chain),
        };
        let error = self.objection.as_ref().map(ToString::to_string).unwrap_or_default();
        Finding::new(cause)
            .with("host", host)
            .with("days", days)
            .with("until", until.strftime("%F"))
            .with("names", names)
            .with("error", error)
    }
}

fn cause(objection: &Error, chain: &[Certificate]) -> Cause {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    let is_own_issuer =
        |certificate: &Certificate| certificate.tbs_certificate.issuer == certificate.tbs_certificate.subject;
    match objection {
        Error::InvalidCertificate(Expired | ExpiredContext { .. }) => Cause::CertificateExpired,
        Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => Cause::CertificateNotYet,
        Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => Cause::CertificateWrongHost,
        _ if chain.first().is_some_and(is_own_issuer) => Cause::CertificateSelfSigned,
        // A chain that ends with an authority is whole, and nobody knows the authority.
        Error::InvalidCertificate(UnknownIssuer) if chain.last().is_some_and(is_own_issuer) => {
            Cause::CertificateUnknown
        }
        Error::InvalidCertificate(UnknownIssuer) => Cause::CertificateIncomplete,
        _ => Cause::TlsFailed,
    }
}

fn until(certificate: &Certificate) -> Timestamp {
    let until = certificate.tbs_certificate.validity.not_after.to_unix_duration();
    let seconds = i64::try_from(until.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
