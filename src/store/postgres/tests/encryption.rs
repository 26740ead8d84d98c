//! Connections that are encrypted, to a server whose certificate is checked.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use super::postgres_server::PORT;
use super::*;

/// An address of this machine that no other program uses, so that its ports are free.
fn own_address() -> Ipv4Addr {
    let [_, second, third, fourth] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, second | 64, third, fourth)
}

/// Makes an authority and a certificate of the server by it.
fn make_certificates(folder: &Path, address: Ipv4Addr) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-days",
            "2",
            "-subj",
            "/CN=authority",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ],
        &key,
    );
    openssl(
        folder,
        &[
            "req",
            "-subj",
            "/CN=server",
            "-keyout",
            "server.key",
            "-out",
            "server.csr",
        ],
        &key,
    );
    std::fs::write(folder.join("names"), format!("subjectAltName=IP:{address}")).unwrap();
    let by_authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    let signing = [
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "server.csr",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ];
    openssl(folder, &signing, &by_authority);
}

fn openssl(folder: &Path, arguments: &[&str], more: &[&str]) {
    let made = Command::new("openssl")
        .args(arguments)
        .args(more)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn try_to_open(url: &str) -> Result<PostgresStore, OpenError> {
    let settings = PostgresSettings {
        connections: 2,
        session_ttl: SESSION_TTL,
    };
    PostgresStore::open(&address(url), settings)
}

#[test]
fn a_connection_is_encrypted_and_only_for_a_server_that_the_authorities_vouch_for() {
    let server = PostgresServer::start();
    let (address, by_socket) = (own_address(), server.new_database());
    server.restart_with(&format!("listen_addresses = '{address}'\n"));
    let (user, database) = (
        by_socket.split_once('@').unwrap().0,
        by_socket.rsplit_once('/').unwrap().1,
    );
    let url = format!("{user}@{address}:{PORT}/{database}");
    let plain = try_to_open(&format!("{url}?sslmode=require")).err().unwrap();
    assert!(plain.to_string().contains("TLS"), "{plain}");

    make_certificates(server.folder(), address);
    let files = server.folder().display();
    let settings = format!("ssl = on\nssl_cert_file = '{files}/server.pem'\nssl_key_file = '{files}/server.key'\n");
    server.restart_with(&settings);
    let authority = server.folder().join("ca.pem");
    let encrypted = format!("{url}?sslmode=require&sslrootcert={}", authority.display());
    drop(try_to_open(&encrypted).unwrap());

    let stranger = try_to_open(&format!("{url}?sslmode=require")).err().unwrap();
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
    let missing = try_to_open(&format!("{url}?sslrootcert=/missing.pem")).err().unwrap();
    assert!(missing.to_string().contains("/missing.pem"), "{missing}");
}
