//! Where a store is, as it is configured: a SQLite file, or a PostgreSQL with a password in its address.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use reqwest::Url;
use tokio_postgres::config::{Host, SslMode};

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAddress {
    /// A file, for one server.
    Sqlite(PathBuf),
    /// A database, for any number of servers.
    Postgres(PostgresAddress),
}

/// Where a PostgreSQL is, and how it is spoken to. It has a password, so it is shown without.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresAddress {
    pub(super) config: Box<tokio_postgres::Config>,
    pub(super) encryption: Encryption,
}

/// Whether a connection is encrypted. If it is, the server's certificate is checked: encryption for somebody unknown is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// In plain text.
    None,
    /// By TLS, for a certificate of the authorities that this machine trusts.
    Tls,
    /// By TLS, for a certificate of the authorities in this file.
    TlsOf(PathBuf),
}

/// Why a text is no address of a store. It never shows the text, which may have a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither kind of store.
    #[error(
        "must be sqlite:// and a path, such as sqlite://data/jiefeng.db, or postgres://user:password@host/database"
    )]
    Scheme,
    /// Cannot be taken apart.
    #[error(
        "is not of the form postgres://user:password@host:port/database?sslmode=require; in user and password write \
         %40 for @, %3A for :, %2F for /, %3F for ?, %23 for # and %25 for %"
    )]
    Form,
    /// No database is named.
    #[error("names no database; it ends with /DATABASE")]
    Database,
    /// An `sslmode` that is not known, or that would encrypt without knowing for whom.
    #[error("has an sslmode that is neither `require` (the server's certificate is always checked) nor `disable`")]
    SslMode,
}

impl StoreAddress {
    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }

    /// Reads an address: `sqlite://PATH` or `postgres://…`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without showing it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("sqlite://").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        match text.starts_with("postgres://") || text.starts_with("postgresql://") {
            true => PostgresAddress::parse(text).map(Self::Postgres),
            false => Err(AddressError::Scheme),
        }
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(out, "sqlite://{}", path.display()),
            Self::Postgres(address) => address.fmt(out),
        }
    }
}

impl PostgresAddress {
    fn parse(text: &str) -> Result<Self, AddressError> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let is_ours = |pair: &&str| pair.starts_with("sslmode=") || pair.starts_with("sslrootcert=");
        let (ours, theirs): (Vec<&str>, Vec<&str>) = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .partition(|pair| is_ours(pair));
        let text = match theirs.is_empty() {
            true => place.to_owned(),
            false => format!("{place}?{}", theirs.join("&")),
        };
        let mut config = tokio_postgres::Config::from_str(&text).map_err(|_| AddressError::Form)?;
        if config.get_hosts().is_empty() {
            return Err(AddressError::Form);
        }
        if config.get_dbname().is_none() {
            return Err(AddressError::Database);
        }
        let encryption = encryption(&ours.join("&"), is_of_this_machine(config.get_hosts()))?;
        config.ssl_mode(match encryption {
            Encryption::None => SslMode::Disable,
            Encryption::Tls | Encryption::TlsOf(_) => SslMode::Require,
        });
        Ok(Self {
            config: Box::new(config),
            encryption,
        })
    }
}

/// What `sslmode` and `sslrootcert` say. Without them only what stays on this machine goes in plain text.
fn encryption(query: &str, stays_here: bool) -> Result<Encryption, AddressError> {
    let url = Url::parse(&format!("postgres://host/?{query}")).map_err(|_| AddressError::Form)?;
    let value = |key: &str| {
        url.query_pairs()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.into_owned())
    };
    let authority = value("sslrootcert").map(PathBuf::from);
    let encrypts = match value("sslmode").as_deref() {
        None => authority.is_some() || !stays_here,
        Some("require" | "verify-full") => true,
        Some("disable") => false,
        Some(_) => return Err(AddressError::SslMode),
    };
    Ok(match (encrypts, authority) {
        (false, _) => Encryption::None,
        (true, None) => Encryption::Tls,
        (true, Some(file)) => Encryption::TlsOf(file),
    })
}

fn is_of_this_machine(hosts: &[Host]) -> bool {
    hosts.iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().map(name).collect();
        let database = self.config.get_dbname().unwrap_or_default();
        write!(out, "postgres://{}/{database}", hosts.join(","))
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(text: &str) -> PostgresAddress {
        match StoreAddress::parse(text) {
            Ok(StoreAddress::Postgres(address)) => address,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_and_a_database_are_told_apart() {
        let file = StoreAddress::parse("sqlite://data/jiefeng.db").unwrap();
        assert_eq!(file, StoreAddress::Sqlite(Path::new("data/jiefeng.db").to_owned()));
        assert_eq!(file.to_string(), "sqlite://data/jiefeng.db");
        let address = postgres("postgresql://bot:p%40ss@db.example.com:6432/jiefeng");
        assert_eq!(address.config.get_password(), Some("p@ss".as_bytes()));
        assert_eq!(address.config.get_ports(), [6432]);
        assert_eq!(StoreAddress::parse("mysql://x/y"), Err(AddressError::Scheme));
        assert_eq!(StoreAddress::parse("sqlite://"), Err(AddressError::Scheme));
    }

    #[test]
    fn a_password_is_nowhere_to_be_seen() {
        let address = StoreAddress::parse("postgres://bot:canary-password@db.example.com/jiefeng").unwrap();
        assert_eq!(address.to_string(), "postgres://db.example.com/jiefeng");
        assert_eq!(format!("{address:?}"), "Postgres(postgres://db.example.com/jiefeng)");
        for wrong in [
            "bot:canary-password@host/db?unknown=1",
            "bot:canary-/password@host/db?x=y",
            "bot:canary-password@host:port/db",
        ] {
            let error = StoreAddress::parse(&format!("postgres://{wrong}")).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_the_address_says_otherwise() {
        let encryption = |text: &str| postgres(text).encryption;
        assert_eq!(encryption("postgres://bot@db.example.com/jiefeng"), Encryption::Tls);
        assert_eq!(
            encryption("postgres://bot@db.example.com/jiefeng?sslmode=disable"),
            Encryption::None
        );
        assert_eq!(encryption("postgres://bot@127.0.0.1/jiefeng"), Encryption::None);
        assert_eq!(
            encryption("postgres://bot@%2Frun%2Fpostgresql/jiefeng"),
            Encryption::None
        );
        assert_eq!(
            encryption("postgres://bot@127.0.0.1/jiefeng?sslmode=verify-full"),
            Encryption::Tls
        );
        let own = "postgres://bot@db/jiefeng?sslmode=require&application_name=x&sslrootcert=%2Fetc%2Fca.pem";
        assert_eq!(encryption(own), Encryption::TlsOf(PathBuf::from("/etc/ca.pem")));
        let prefers = StoreAddress::parse("postgres://bot@db/jiefeng?sslmode=prefer");
        assert_eq!(prefers, Err(AddressError::SslMode));
        assert_eq!(StoreAddress::parse("postgres://bot@db"), Err(AddressError::Database));
    }
}
