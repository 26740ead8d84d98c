//! Certificates that WeCom would not accept, behind a server of the test's own.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jiefeng::doctor::Cause;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::proxy::{Request, Response};
use super::{Examined, Fault, assert_all_are_named};
use crate::server::{CORP_ID, KEY, TOKEN};

/// The name is this machine's own, and the server behind it none of Jiefeng's.
const OF_TESTS: &[Cause] = &[Cause::UrlPrivate, Cause::NamePrivate, Cause::NotRouted];

const KEYS: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

fn openssl(folder: &Path, arguments: &str, more: &[&str]) {
    let arguments: Vec<&str> = arguments.split(' ').chain(more.iter().copied()).collect();
    let made = Command::new("openssl")
        .args(&arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// An authority, another one that it vouches for, and what these sign.
struct Authorities(TempDir);

impl Authorities {
    /// The name of the root tells one from another.
    fn named(root: &str) -> Self {
        let folder = TempDir::new().unwrap();
        openssl(
            folder.path(),
            &format!(
                "req -x509 -days 900 -subj /CN={root} -addext keyUsage=keyCertSign -keyout root.key -out root.pem"
            ),
            &KEYS,
        );
        let authorities = Self(folder);
        authorities.sign("middle", "root", "basicConstraints=critical,CA:TRUE", "-days 800");
        authorities
    }

    fn path(&self, file: &str) -> String {
        self.0.path().join(file).to_str().unwrap().to_owned()
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }

    fn sign(&self, name: &str, by: &str, extensions: &str, dates: &str) {
        let folder = self.0.path();
        let request = format!("req -subj /CN={name} -keyout {name}.key -out {name}.csr");
        openssl(folder, &request, &KEYS);
        std::fs::write(folder.join(format!("{name}.extensions")), format!("{extensions}\n")).unwrap();
        let signing = format!(
            "x509 -req {dates} -in {name}.csr -extfile {name}.extensions -CA {by}.pem -CAkey {by}.key -CAcreateserial -out {name}.pem"
        );
        openssl(folder, &signing, &[]);
    }

    /// Serves with the certificates of these files, one behind the other, and the key of the first.
    fn serve(&self, name: &str, chain: &[&str]) -> SocketAddr {
        let pem: String = chain.iter().map(|file| self.read(&format!("{file}.pem"))).collect();
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .map(Result::unwrap)
            .collect();
        let key = PrivateKeyDer::from_pem_slice(self.read(&format!("{name}.key")).as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let config = Arc::clone(&config);
                std::thread::spawn(move || answer(stream, config, address));
            }
        });
        address
    }

    /// What the doctor says of it, trusting the root alone.
    fn examined(&self, address: SocketAddr) -> Examined {
        let config = self.path("jiefeng.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[storage]\nurl = \"sqlite://{}\"\n[wecom]\napi_base = \"http://127.0.0.1:1\"\n\
             [[apps]]\nname = \"support\"\ncorp_id = \"{CORP_ID}\"\nagent_id = 1\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n",
            self.path("jiefeng.db")
        );
        std::fs::write(&config, text).unwrap();
        let url = format!("https://localhost:{}", address.port());
        let root = self.path("root.pem");
        Examined::with(&["--config", &config, "--url", &url], &[("SSL_CERT_FILE", &root)])
    }
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>, address: SocketAddr) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    if Request::read(&mut stream, 0, address).is_some() {
        let _ = stream.write_all(&Response::new(404, "text/html", "<html>404</html>").bytes());
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

fn fault(cause: Cause, provoke: fn(&Authorities) -> SocketAddr) -> Fault {
    let provoke = move || {
        let authorities = Authorities::named("trusted");
        let address = provoke(&authorities);
        authorities.examined(address)
    };
    Fault::new(cause, provoke).beside(OF_TESTS)
}

const LOCALHOST: &str = "subjectAltName=DNS:localhost";

pub(super) fn faults() -> Vec<Fault> {
    vec![
        fault(Cause::CertificateSelfSigned, |authorities| {
            let alone = "req -x509 -days 300 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout own.key -out own.pem";
            openssl(authorities.0.path(), alone, &KEYS);
            authorities.serve("own", &["own"])
        }),
        fault(Cause::CertificateExpired, |authorities| {
            authorities.sign("old", "middle", LOCALHOST, "-days -1");
            authorities.serve("old", &["old", "middle"])
        }),
        fault(Cause::CertificateEndsSoon, |authorities| {
            authorities.sign("soon", "middle", LOCALHOST, "-days 5");
            authorities.serve("soon", &["soon", "middle"])
        }),
        fault(Cause::CertificateWrongHost, |authorities| {
            authorities.sign("other", "middle", "subjectAltName=DNS:www.example.com", "-days 300");
            authorities.serve("other", &["other", "middle"])
        }),
        fault(Cause::CertificateIncomplete, |authorities| {
            authorities.sign("leaf", "middle", LOCALHOST, "-days 300");
            authorities.serve("leaf", &["leaf"])
        }),
        fault(Cause::CertificateUnknown, |_| {
            let strangers = Authorities::named("strangers");
            strangers.sign("leaf", "middle", LOCALHOST, "-days 300");
            strangers.serve("leaf", &["leaf", "middle", "root"])
        }),
        // What stands behind a good one is seen.
        fault(Cause::NotRouted, |authorities| {
            authorities.sign("leaf", "middle", LOCALHOST, "-days 300");
            authorities.serve("leaf", &["leaf", "middle"])
        }),
        fault(Cause::TlsFailed, |_| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            std::thread::spawn(move || {
                for mut stream in listener.incoming().map_while(Result::ok) {
                    let _ = stream.write_all(b"HTTP/1.1 400 this is no TLS\r\n\r\n");
                }
            });
            address
        }),
    ]
}

#[test]
fn what_is_wrong_with_a_certificate_is_named() {
    assert_all_are_named(faults());
}

#[test]
fn a_good_certificate_is_told_with_the_days_it_has_left() {
    let authorities = Authorities::named("trusted");
    authorities.sign("leaf", "middle", LOCALHOST, "-days 300");
    let examined = authorities.examined(authorities.serve("leaf", &["leaf", "middle"]));
    let good = examined.find(Cause::CertificateGood).unwrap();
    assert_eq!(good["values"]["days"], "299");
}
