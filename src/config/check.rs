//! Raw settings to settings the program can use.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use secrecy::SecretString;

use super::adjustable::RETENTION_DAYS;
use super::raw::{self, Given, Place, Written};
use super::{
    AdjustableKey, AdjustableValues, App, ConsoleListen, Knowledge, Networks, PublicUrl, Readable, Server, Storage,
    Wecom,
};
use crate::checked_toml::{Problem, Report};
use crate::protocol::{CallbackToken, CredentialSets, Credentials, EncodingAesKey};
use crate::store::StoreAddress;
use crate::wecom::{ApiBase, ProxyAddress};

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_CONSOLE: &str = "127.0.0.1:8081";
const DEFAULT_CONNECTIONS: i64 = 4096;
const DEFAULT_STORAGE: &str = "data/jiefeng.db";

/// Secrets are short; a larger file is the wrong file, and a device may have no end.
const LARGEST_SECRET_FILE: u64 = 4096;

/// Everything that makes sense, whatever else is wrong.
pub(super) fn settings(raw: raw::Settings, report: &Report) -> Readable {
    let checker = Checker {
        report,
        file: &raw.file,
    };
    let allow_samples = raw.server.allow_sample_credentials.clone().value();
    let server = checker.server(raw.server);
    let mut adjustable = AdjustableValues {
        retention_days: checker.retention_days(raw.storage.retention_days.clone()),
        ..AdjustableValues::default()
    };
    let storage = checker.storage(raw.storage);
    let wecom = checker.wecom(raw.wecom);
    checker.duty(&mut adjustable, raw.hand_over);
    let console = checker.console(raw.console);
    if raw.apps.is_empty() {
        checker.missing(
            "apps",
            "there is no [[apps]]; add the app whose callback is to be received",
        );
    }
    let apps: Vec<CheckedApp> = (1..)
        .zip(raw.apps)
        .map(|(number, (place, app))| checker.app(number, place, app))
        .collect();
    checker.notices(&mut adjustable, raw.notices, &apps);
    checker.apps_together(&apps, allow_samples.is_some_and(|allow| allow.value));
    let knowledge = Knowledge {
        dir: raw
            .knowledge
            .dir
            .value()
            .map_or_else(|| PathBuf::from("knowledge"), |dir| PathBuf::from(dir.value)),
        cache_dir: raw.knowledge.cache_dir.value().map(|dir| PathBuf::from(dir.value)),
    };
    Readable {
        server,
        storage,
        knowledge: Some(knowledge),
        wecom,
        adjustable,
        console,
        apps: apps.into_iter().filter_map(CheckedApp::whole).collect(),
        problems: Vec::new(),
    }
}

/// An app as far as it makes sense, so that it can be compared with the others whatever else is wrong.
struct CheckedApp {
    number: usize,
    name: Option<Written<String>>,
    corp_id: Option<String>,
    agent_id: Option<u32>,
    token: Shared<CallbackToken>,
    aes_key: Shared<EncodingAesKey>,
    secret: Option<SecretString>,
    kf: bool,
    cards: bool,
}

impl CheckedApp {
    /// The app, when nothing that it needs is missing.
    fn whole(self) -> Option<App> {
        let corp_id = self.corp_id?;
        let is_exchanged = self.token.previous.is_some() || self.aes_key.previous.is_some();
        let (token, previous_token) = self.token.current_and_previous()?;
        let (key, previous_key) = self.aes_key.current_and_previous()?;
        let previous = is_exchanged.then(|| Credentials::new(previous_token, previous_key, corp_id.as_str()));
        Some(App {
            name: self.name?.value,
            agent_id: self.agent_id?,
            credentials: CredentialSets::new(Credentials::new(token, key, corp_id), previous),
            secret: self.secret,
            kf: self.kf,
            cards: self.cards,
        })
    }
}

/// Something that an app shares with WeCom, and what was shared before while the two are exchanged.
struct Shared<T> {
    key: &'static str,
    current: Option<Written<T>>,
    previous: Option<Written<T>>,
}

impl<T: Clone> Shared<T> {
    /// What was not exchanged is what it was before.
    fn current_and_previous(self) -> Option<(T, T)> {
        let current = self.current?.value;
        let previous = self.previous.map_or_else(|| current.clone(), |previous| previous.value);
        Some((current, previous))
    }
}

impl<T> Shared<T> {
    /// Whatever is set, each with its key.
    fn all(&self) -> impl Iterator<Item = (String, &Written<T>)> {
        let current = self.current.iter().map(|written| (self.key.to_owned(), written));
        let previous = self
            .previous
            .iter()
            .map(|written| (format!("previous_{}", self.key), written));
        current.chain(previous)
    }
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

    fn wrong(&self, place: &Place, key: &str, message: impl Into<String>) {
        self.report.add(Problem {
            file: place.file.clone(),
            line: Some(place.line),
            key: key.to_owned(),
            message: message.into(),
        });
    }

    fn server(&self, raw: raw::Server) -> Option<Server> {
        let listen = match raw.listen.is_nothing() {
            true => DEFAULT_LISTEN.parse().ok(),
            false => self.address(raw.listen, "server.listen"),
        };
        let has_public_url = !raw.public_url.is_nothing();
        let public_url = self.parsed(raw.public_url, "server.public_url", PublicUrl::parse);
        let has_metrics = !raw.metrics_listen.is_nothing();
        let metrics_listen = self.address(raw.metrics_listen, "server.metrics_listen");
        let workers = self
            .number(raw.workers, "server.workers", None, 1..=1024)
            .map(usize::try_from);
        let connections = self.number(
            raw.max_connections,
            "server.max_connections",
            Some(DEFAULT_CONNECTIONS),
            16..=1_000_000,
        );
        let trusted_proxies = match raw.trusted_proxies.is_nothing() {
            true => Some(Networks::loopback()),
            false => self
                .parsed(raw.trusted_proxies, "server.trusted_proxies", Networks::parse)
                .map(|networks| networks.value),
        };
        let drain = self.number(raw.drain_seconds, "server.drain_seconds", Some(3), 0..=60);
        let window = self.number(
            raw.timestamp_window_seconds,
            "server.timestamp_window_seconds",
            Some(300),
            1..=3600,
        );
        if (has_metrics && metrics_listen.is_none()) || (has_public_url && public_url.is_none()) {
            return None;
        }
        Some(Server {
            drain_seconds: u64::try_from(drain?).ok()?,
            workers: workers.and_then(Result::ok),
            max_connections: usize::try_from(connections?).ok()?,
            trusted_proxies: trusted_proxies?,
            timestamp_window_seconds: window?,
            allow_sample_credentials: raw.allow_sample_credentials.value().is_some_and(|allow| allow.value),
            listen: listen?,
            public_url: public_url.map(|url| url.value),
            metrics_listen,
        })
    }

    fn address(&self, raw: Given<String>, key: &str) -> Option<SocketAddr> {
        let rule = "is no address with port such as 127.0.0.1:8080 or [::]:8080";
        let parse = |text: &str| text.parse().map_err(|_| rule);
        self.parsed(raw, key, parse).map(|address| address.value)
    }

    fn storage(&self, raw: raw::Storage) -> Option<Storage> {
        let url = self.secret(raw.url, raw.url_file, "storage.url");
        let address = match url.is_nothing() {
            true => Some(StoreAddress::Sqlite(PathBuf::from(DEFAULT_STORAGE))),
            false => self
                .parsed(url, "storage.url", StoreAddress::parse)
                .map(|url| url.value),
        };
        let connections = self.number(raw.connections, "storage.connections", Some(4), 2..=100);
        let minutes = self.number(raw.session_minutes, "storage.session_minutes", Some(30), 1..=24 * 60);
        Some(Storage {
            address: address?,
            connections: usize::try_from(connections?).ok()?,
            session_ttl: SignedDuration::from_mins(minutes?),
        })
    }

    fn wecom(&self, raw: raw::Wecom) -> Option<Wecom> {
        let has_proxy = !raw.proxy.is_nothing();
        let proxy = self.parsed(raw.proxy, "wecom.proxy", ProxyAddress::parse);
        if has_proxy && proxy.is_none() {
            return None;
        }
        let api_base = match raw.api_base.is_nothing() {
            true => ApiBase::default(),
            false => self.parsed(raw.api_base, "wecom.api_base", ApiBase::parse)?.value,
        };
        Some(Wecom {
            api_base,
            proxy: proxy.map(|proxy| proxy.value),
        })
    }

    fn console(&self, raw: raw::Console) -> Option<ConsoleListen> {
        let off = |listen: &Given<String>| matches!(listen, Given::Value(listen) if listen.value == "off");
        match raw.listen {
            Given::Nothing => DEFAULT_CONSOLE.parse().ok().map(ConsoleListen::IfFree),
            listen if off(&listen) => Some(ConsoleListen::Off),
            listen => {
                let rule = "is neither `off` nor an address with port such as 127.0.0.1:8081";
                let parse = |text: &str| text.parse().map_err(|_| rule);
                let address = self.parsed(listen, "console.listen", parse)?;
                Some(ConsoleListen::At(address.value))
            }
        }
    }

    fn retention_days(&self, raw: Given<i64>) -> Option<u32> {
        let days = self.number(raw, AdjustableKey::RetentionDays.name(), None, RETENTION_DAYS)?;
        u32::try_from(days).ok()
    }

    fn duty(&self, values: &mut AdjustableValues, raw: raw::HandOver) {
        values.duty_on_business_days = raw.business_days_only.value().map(|only| only.value);
        self.adjustable(values, AdjustableKey::DutyHours, raw.hours);
    }

    /// Whoever is to be told is told by an app that can send.
    fn notices(&self, values: &mut AdjustableValues, raw: raw::Notices, apps: &[CheckedApp]) {
        if let Given::Value(app) = &raw.app {
            let is_it = |one: &&CheckedApp| one.name.as_ref().is_some_and(|name| name.value == app.value);
            let can_send = apps.iter().find(is_it).is_some_and(|one| one.secret.is_some());
            let key = AdjustableKey::NoticeApp;
            self.holds(can_send, &app.place, key.name(), key.rule());
        }
        self.adjustable(values, AdjustableKey::NoticeApp, raw.app);
        self.adjustable(values, AdjustableKey::NoticeUsers, raw.users);
        let people = match raw.outbreak_people {
            Given::Value(people) => Given::Value(Written {
                value: people.value.to_string(),
                place: people.place,
            }),
            Given::Nothing => Given::Nothing,
            Given::Wrong => Given::Wrong,
        };
        self.adjustable(values, AdjustableKey::OutbreakPeople, people);
    }

    fn adjustable(&self, values: &mut AdjustableValues, key: AdjustableKey, raw: Given<String>) {
        let Some(written) = raw.value() else { return };
        let is_set = values.set(key, &written.value);
        self.holds(is_set, &written.place, key.name(), key.rule());
    }

    fn app(&self, number: usize, place: Place, raw: raw::App) -> CheckedApp {
        let key = |name: &str| format!("apps[{number}].{name}");
        let required = |name: &str, is_missing: bool, message: &str| {
            if is_missing {
                self.wrong(&place, &key(name), message);
            }
        };
        required("name", raw.name.is_nothing(), "is missing");
        required("corp_id", raw.corp_id.is_nothing(), "is missing");
        required("agent_id", raw.agent_id.is_nothing(), MISSING_AGENT_ID);
        required(
            "token",
            raw.token.is_nothing() && raw.token_file.is_nothing(),
            MISSING_SECRET,
        );
        let has_key = !(raw.encoding_aes_key.is_nothing() && raw.encoding_aes_key_file.is_nothing());
        required("encoding_aes_key", !has_key, MISSING_SECRET);
        let token = Shared {
            key: "token",
            current: self.shared(raw.token, raw.token_file, &key("token"), CallbackToken::parse),
            previous: self.shared(
                raw.previous_token,
                raw.previous_token_file,
                &key("previous_token"),
                CallbackToken::parse,
            ),
        };
        let aes_key = Shared {
            key: "encoding_aes_key",
            current: self.shared(
                raw.encoding_aes_key,
                raw.encoding_aes_key_file,
                &key("encoding_aes_key"),
                EncodingAesKey::parse,
            ),
            previous: self.shared(
                raw.previous_encoding_aes_key,
                raw.previous_encoding_aes_key_file,
                &key("previous_encoding_aes_key"),
                EncodingAesKey::parse,
            ),
        };
        self.exchanged(number, &token);
        self.exchanged(number, &aes_key);
        let name = raw.name.value();
        let corp_id = raw.corp_id.value();
        let agent_id = self.number(raw.agent_id, &key("agent_id"), None, 1..=i64::from(u32::MAX));
        let secret = self.secret(raw.secret, raw.secret_file, &key("secret"));
        let kf = self.with_secret(raw.kf, &key("kf"), secret.is_nothing());
        let cards = self.with_secret(raw.cards, &key("cards"), secret.is_nothing());
        CheckedApp {
            number,
            name: name.filter(|name| self.holds(is_app_name(&name.value), &name.place, &key("name"), NAME_RULE)),
            corp_id: corp_id
                .filter(|id| self.holds(is_corp_id(&id.value), &id.place, &key("corp_id"), CORP_ID_RULE))
                .map(|id| id.value),
            agent_id: agent_id.and_then(|id| u32::try_from(id).ok()),
            token,
            aes_key,
            secret: secret.value().map(|secret| SecretString::from(secret.value)),
            kf,
            cards,
        }
    }

    /// Something that is switched on, which only an app with a Secret can do.
    fn with_secret(&self, switch: Given<bool>, key: &str, has_no_secret: bool) -> bool {
        let Some(switch) = switch.value().filter(|switch| switch.value) else {
            return false;
        };
        let rule = "needs the app's Secret; set `secret` (or `secret_file`)";
        self.holds(!has_no_secret, &switch.place, key, rule);
        true
    }

    /// What was shared before is something else than what is shared now, or it would not be needed.
    fn exchanged<T: PartialEq>(&self, number: usize, shared: &Shared<T>) {
        let (Some(current), Some(previous)) = (&shared.current, &shared.previous) else {
            return;
        };
        let key = format!("apps[{number}].previous_{}", shared.key);
        self.holds(current.value != previous.value, &previous.place, &key, NOT_EXCHANGED);
    }

    fn apps_together(&self, apps: &[CheckedApp], allow_samples: bool) {
        for (index, app) in apps.iter().enumerate() {
            let earlier = apps.get(..index).unwrap_or_default();
            self.unlike_names(app, earlier);
            if allow_samples {
                continue;
            }
            self.own(app, earlier, |app| &app.token, CallbackToken::is_published_sample);
            self.own(app, earlier, |app| &app.aes_key, EncodingAesKey::is_published_sample);
        }
    }

    fn unlike_names(&self, app: &CheckedApp, earlier: &[CheckedApp]) {
        let Some(name) = &app.name else { return };
        let same = |other: &&CheckedApp| other.name.as_ref().is_some_and(|other| other.value == name.value);
        if let Some(other) = earlier.iter().find(same) {
            let message = format!("is that of apps[{}] too; {SHARED_NAME}", other.number);
            self.wrong(&name.place, &format!("apps[{}].name", app.number), message);
        }
    }

    /// Reports what an app shares with WeCom and also with an app before, or with everybody.
    fn own<T: PartialEq>(
        &self,
        app: &CheckedApp,
        earlier: &[CheckedApp],
        shared: impl Fn(&CheckedApp) -> &Shared<T>,
        is_published: impl Fn(&T) -> bool,
    ) {
        for (key, written) in shared(app).all() {
            let key = format!("apps[{}].{key}", app.number);
            let has_it = |other: &&CheckedApp| shared(other).all().any(|(_, other)| other.value == written.value);
            if let Some(other) = earlier.iter().find(has_it) {
                let message = format!("is that of apps[{}] too; {SHARED_SECRET}", other.number);
                self.wrong(&written.place, &key, message);
            }
            if is_published(&written.value) {
                self.wrong(&written.place, &key, PUBLISHED);
            }
        }
    }

    fn holds(&self, condition: bool, place: &Place, key: &str, rule: &str) -> bool {
        if !condition {
            self.wrong(place, key, rule);
        }
        condition
    }

    /// A number in a range, or the default when there is none.
    fn number(
        &self,
        value: Given<i64>,
        key: &str,
        default: Option<i64>,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let Some(written) = value.value() else { return default };
        let message = format!(
            "is {}; it must be from {} to {}",
            written.value,
            range.start(),
            range.end()
        );
        self.holds(range.contains(&written.value), &written.place, key, &message)
            .then_some(written.value)
    }

    /// A secret from its key or from the file that the `_file` key names.
    fn secret(&self, value: Given<String>, file: Given<String>, key: &str) -> Given<String> {
        let file_key = format!("{key}_file");
        match (value, file) {
            (value, Given::Nothing) => value,
            (Given::Nothing, Given::Value(file)) => self.secret_of_file(file, &file_key),
            (Given::Value(_), Given::Value(file)) => {
                self.wrong(
                    &file.place,
                    &file_key,
                    format!("and `{key}` are both set; keep one of them"),
                );
                Given::Wrong
            }
            (Given::Wrong, _) | (_, Given::Wrong) => Given::Wrong,
        }
    }

    fn secret_of_file(&self, file: Written<String>, file_key: &str) -> Given<String> {
        match read_secret(Path::new(&file.value)) {
            Ok(value) => Given::Value(Written {
                value,
                place: file.place,
            }),
            Err(message) => {
                let name = match could_be_secret(&file.value) {
                    false => format!("`{}`", file.value),
                    true => "what it names (it must be a file's path, not the secret itself)".to_owned(),
                };
                self.wrong(&file.place, file_key, format!("cannot read {name}: {message}"));
                Given::Wrong
            }
        }
    }

    /// A secret in its form, from its key or its file.
    fn shared<T, E: ToString>(
        &self,
        value: Given<String>,
        file: Given<String>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Written<T>> {
        self.parsed(self.secret(value, file, key), key, parse)
    }

    fn parsed<T, E: ToString>(
        &self,
        secret: Given<String>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Written<T>> {
        let Written { value, place } = secret.value()?;
        match parse(&value) {
            Ok(value) => Some(Written { value, place }),
            Err(error) => {
                self.wrong(&place, key, error.to_string());
                None
            }
        }
    }
}

const MISSING_AGENT_ID: &str = "is missing; it is the AgentId on the app's page in the admin console";
const MISSING_SECRET: &str = "is missing; it stands on the app's 接收消息 page (or give the file that holds it)";
const NOT_EXCHANGED: &str = "is the current one; it must be the one before, or go when the exchange is over";
const SHARED_NAME: &str = "each app needs its own path";
const SHARED_SECRET: &str = "messages could be replayed from one to the other; make its own";
const PUBLISHED: &str = "is published in WeCom's samples, so anybody could forge callbacks; make your own";
const NAME_RULE: &str = "must be 1 to 64 small letters, digits or hyphens; it becomes part of the callback address";
const CORP_ID_RULE: &str = "must be 1 to 64 letters and digits; copy the 企业ID from 我的企业 → 企业信息";

fn is_app_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Whether this can be a company's id.
pub(crate) fn is_corp_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Tokens, keys and Secrets are of these characters alone; a path that is as well is not missed in a message.
fn could_be_secret(path: &str) -> bool {
    path.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn read_secret(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let read = file.take(LARGEST_SECRET_FILE + 1).read_to_string(&mut text);
    if read.map_err(|error| error.to_string())? as u64 > LARGEST_SECRET_FILE {
        return Err(format!(
            "it has more than {LARGEST_SECRET_FILE} bytes; a file with one secret in it is expected"
        ));
    }
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
