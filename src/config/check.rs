//! Raw settings to settings the program can use.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use secrecy::SecretString;

use super::raw::{self, Written};
use super::{App, Knowledge, Server, Settings, Storage, Wecom};
use crate::checked_toml::{Problem, Report};
use crate::protocol::{CallbackToken, Credentials, EncodingAesKey};
use crate::store::Retention;

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_STORAGE: &str = "sqlite://data/jiefeng.db";
const DEFAULT_API_BASE: &str = "https://qyapi.weixin.qq.com";

/// Secrets are short; a larger file is the wrong file.
const LARGEST_SECRET_FILE: u64 = 4096;

pub(super) fn settings(raw: raw::Settings, report: &Report) -> Option<Settings> {
    let checker = Checker {
        report,
        file: &raw.file,
    };
    let server = checker.server(raw.server);
    let storage = checker.storage(raw.storage);
    let wecom = checker.wecom(raw.wecom);
    if raw.apps.is_empty() {
        checker.missing(
            "apps",
            "there is no [[apps]]; add the app whose callback is to be received",
        );
    }
    let apps: Vec<Option<App>> = (1..)
        .zip(raw.apps)
        .map(|(number, app)| checker.app(number, app))
        .collect();
    let apps: Vec<App> = apps.into_iter().collect::<Option<_>>()?;
    checker.apps_together(
        &apps,
        server.as_ref().is_some_and(|server| server.allow_sample_credentials),
    );
    let knowledge = Knowledge {
        dir: raw
            .knowledge
            .dir
            .map_or_else(|| PathBuf::from("knowledge"), |dir| PathBuf::from(dir.value)),
        cache_dir: raw.knowledge.cache_dir.map(|dir| PathBuf::from(dir.value)),
    };
    Some(Settings {
        server: server?,
        storage: storage?,
        knowledge,
        wecom: wecom?,
        apps,
    })
}

struct Checker<'a> {
    report: &'a Report,
    file: &'a str,
}

impl Checker<'_> {
    fn missing(&self, key: &str, message: &str) {
        let (file, key, message) = (self.file.to_owned(), key.to_owned(), message.to_owned());
        self.report.add(Problem {
            file,
            line: None,
            key,
            message,
        });
    }

    fn wrong<T>(&self, written: &Written<T>, key: &str, message: impl Into<String>) {
        let line = Some(written.line);
        self.report.add(Problem {
            file: written.file.clone(),
            line,
            key: key.to_owned(),
            message: message.into(),
        });
    }

    fn server(&self, raw: raw::Server) -> Option<Server> {
        let listen: Option<SocketAddr> = match raw.listen {
            None => DEFAULT_LISTEN.parse().ok(),
            Some(listen) => {
                let address = listen.value.parse().ok();
                if address.is_none() {
                    self.wrong(
                        &listen,
                        "server.listen",
                        "is no address with port such as 127.0.0.1:8080 or [::]:8080",
                    );
                }
                address
            }
        };
        let workers = self
            .number(raw.workers, "server.workers", None, 1..=1024)
            .map(usize::try_from);
        Some(Server {
            workers: workers.and_then(Result::ok),
            timestamp_window_seconds: self.number(
                raw.timestamp_window_seconds,
                "server.timestamp_window_seconds",
                Some(300),
                1..=3600,
            )?,
            allow_sample_credentials: raw.allow_sample_credentials.is_some_and(|allow| allow.value),
            listen: listen?,
        })
    }

    fn storage(&self, raw: raw::Storage) -> Option<Storage> {
        let path = match &raw.url {
            None => sqlite_path(DEFAULT_STORAGE),
            Some(url) => {
                let path = sqlite_path(&url.value);
                if path.is_none() {
                    self.wrong(
                        url,
                        "storage.url",
                        "must be sqlite:// and a path, such as sqlite://data/jiefeng.db",
                    );
                }
                path
            }
        };
        let days = self.number(raw.retention_days, "storage.retention_days", Some(180), 1..=3650);
        let minutes = self.number(raw.session_minutes, "storage.session_minutes", Some(30), 1..=24 * 60);
        Some(Storage {
            path: path?,
            retention: Retention {
                questions_days: u32::try_from(days?).ok()?,
            },
            session_ttl: SignedDuration::from_mins(minutes?),
        })
    }

    fn wecom(&self, raw: raw::Wecom) -> Option<Wecom> {
        let Some(base) = raw.api_base else {
            return Some(Wecom {
                api_base: DEFAULT_API_BASE.to_owned(),
            });
        };
        let url = reqwest::Url::parse(&base.value).ok();
        let is_loopback = |url: &reqwest::Url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let usable = url.is_some_and(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)));
        if !usable {
            self.wrong(
                &base,
                "wecom.api_base",
                "must start with https:// (or http:// on this machine, for a simulator)",
            );
            return None;
        }
        Some(Wecom {
            api_base: base.value.trim_end_matches('/').to_owned(),
        })
    }

    fn app(&self, number: usize, raw: raw::App) -> Option<App> {
        let key = |name: &str| format!("apps[{number}].{name}");
        let name = self.required(raw.name, &key("name"));
        let name = name.filter(|name| self.holds(is_app_name(&name.value), name, &key("name"), NAME_RULE));
        let corp_id = self.required(raw.corp_id, &key("corp_id"));
        let corp_id = corp_id.filter(|id| self.holds(is_corp_id(&id.value), id, &key("corp_id"), CORP_ID_RULE));
        if raw.agent_id.is_none() {
            self.missing(
                &key("agent_id"),
                "is missing; it is the AgentId on the app's page in the admin console",
            );
        }
        let agent_id = self.number(raw.agent_id, &key("agent_id"), None, 1..=i64::from(u32::MAX));
        let token = self.secret(raw.token, raw.token_file, &key("token"));
        let token = self.require_secret(token, &key("token"), |text| {
            CallbackToken::parse(text).map_err(|error| error.to_string())
        });
        let aes_key = self.secret(
            raw.encoding_aes_key,
            raw.encoding_aes_key_file,
            &key("encoding_aes_key"),
        );
        let aes_key = self.require_secret(aes_key, &key("encoding_aes_key"), |text| {
            EncodingAesKey::parse(text).map_err(|error| error.to_string())
        });
        let secret = self.secret(raw.secret, raw.secret_file, &key("secret")).ok()?;
        Some(App {
            name: name?.value,
            agent_id: u32::try_from(agent_id?).ok()?,
            credentials: Credentials::new(token?, aes_key?, corp_id?.value),
            secret: secret.map(|secret| SecretString::from(secret.value)),
            kf: raw.kf.is_some_and(|kf| kf.value),
        })
    }

    fn apps_together(&self, apps: &[App], allow_samples: bool) {
        for (index, app) in apps.iter().enumerate() {
            let number = index.saturating_add(1);
            if !allow_samples && app.credentials.is_published_sample() {
                let message = "Token or EncodingAESKey is published in WeCom's samples, so anybody could forge callbacks; make your own";
                self.missing(&format!("apps[{number}]"), message);
            }
            for other in apps.iter().take(index) {
                if other.name == app.name {
                    self.missing(
                        &format!("apps[{number}].name"),
                        "is the name of another app too; each needs its own path",
                    );
                }
                if !allow_samples && other.credentials.shares_secrets_with(&app.credentials) {
                    let message =
                        "shares Token or EncodingAESKey with another app, so messages could be replayed; make its own";
                    self.missing(&format!("apps[{number}]"), message);
                }
            }
        }
    }

    fn required<T>(&self, value: Option<Written<T>>, key: &str) -> Option<Written<T>> {
        if value.is_none() {
            self.missing(key, "is missing");
        }
        value
    }

    fn holds<T>(&self, condition: bool, written: &Written<T>, key: &str, rule: &str) -> bool {
        if !condition {
            self.wrong(written, key, rule);
        }
        condition
    }

    /// A number in a range, or the default when it is missing.
    fn number(
        &self,
        value: Option<Written<i64>>,
        key: &str,
        default: Option<i64>,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let Some(written) = value else { return default };
        let message = format!(
            "is {}; it must be from {} to {}",
            written.value,
            range.start(),
            range.end()
        );
        self.holds(range.contains(&written.value), &written, key, &message)
            .then_some(written.value)
    }

    /// A secret from its key or from the file that the `_file` key names. `Err` when it was given but cannot be read.
    fn secret(
        &self,
        value: Option<Written<String>>,
        file: Option<Written<String>>,
        key: &str,
    ) -> Result<Option<Written<String>>, ()> {
        let file_key = format!("{key}_file");
        match (value, file) {
            (Some(_), Some(file)) => {
                self.wrong(&file, &file_key, format!("and `{key}` are both set; keep one of them"));
                Err(())
            }
            (Some(value), None) => Ok(Some(value)),
            (None, None) => Ok(None),
            (None, Some(file)) => match read_secret(Path::new(&file.value)) {
                Ok(value) => Ok(Some(Written {
                    value,
                    file: file.file,
                    line: file.line,
                })),
                Err(message) => {
                    self.wrong(&file, &file_key, format!("cannot read `{}`: {message}", file.value));
                    Err(())
                }
            },
        }
    }

    fn require_secret<T>(
        &self,
        secret: Result<Option<Written<String>>, ()>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let written = secret.ok()?;
        if written.is_none() {
            self.missing(
                key,
                "is missing; it stands on the app's 接收消息 page (or give the file that holds it)",
            );
        }
        let written = written?;
        let parsed = parse(&written.value);
        parsed.map_err(|message| self.wrong(&written, key, message)).ok()
    }
}

const NAME_RULE: &str = "must be 1 to 64 small letters, digits or hyphens; it becomes part of the callback address";
const CORP_ID_RULE: &str = "must be 1 to 64 letters and digits; copy the 企业ID from 我的企业 → 企业信息";

fn is_app_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_corp_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://")?;
    (!path.is_empty()).then(|| PathBuf::from(path))
}

fn read_secret(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST_SECRET_FILE {
        return Err(format!("it has {size} bytes; a file with one secret in it is expected"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
