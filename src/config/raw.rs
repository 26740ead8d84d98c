//! What was written, before it is known to make sense. A value from the environment stands in for the one in the file.

use std::fmt;

use super::{Environment, environment};
use crate::checked_toml::{Report, Source, Table, read_document};

/// Where something was written, for reporting a problem with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
}

/// A value and where it was written.
#[derive(Clone)]
pub(super) struct Written<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// The value may be a secret, so only its place is shown.
impl<T> fmt::Debug for Written<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.place.file, self.place.line)
    }
}

/// What stands under a key.
#[derive(Clone, Debug, Default)]
pub(super) enum Given<T> {
    /// Nothing.
    #[default]
    Nothing,
    /// Something unusable, which has been reported.
    Wrong,
    /// A value.
    Value(Written<T>),
}

impl<T> Given<T> {
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// The value, where there is a usable one.
    pub(super) fn value(self) -> Option<Written<T>> {
        match self {
            Self::Nothing | Self::Wrong => None,
            Self::Value(written) => Some(written),
        }
    }

    fn overridden_by(self, other: Self) -> Self {
        if other.is_nothing() { self } else { other }
    }
}

#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) server: Server,
    pub(super) storage: Storage,
    pub(super) knowledge: Knowledge,
    pub(super) wecom: Wecom,
    pub(super) hand_over: HandOver,
    pub(super) notices: Notices,
    pub(super) console: Console,
    /// Each with the place where it starts.
    pub(super) apps: Vec<(Place, App)>,
    /// The configuration file's name, for what is missing altogether.
    pub(super) file: String,
}

/// What a key holds.
trait Kind {
    const IS_TEXT: bool;
}

impl Kind for String {
    const IS_TEXT: bool = true;
}

impl Kind for i64 {
    const IS_TEXT: bool = false;
}

impl Kind for bool {
    const IS_TEXT: bool = false;
}

/// Whether a text is expected under this key, which no two sections have for different kinds.
pub(super) fn is_text(key: &str) -> bool {
    let sections = [
        Server::IS_TEXT,
        Storage::IS_TEXT,
        Knowledge::IS_TEXT,
        Wecom::IS_TEXT,
        HandOver::IS_TEXT,
        Notices::IS_TEXT,
        Console::IS_TEXT,
        App::IS_TEXT,
    ];
    let mut keys = sections.into_iter().flatten();
    keys.find(|(known, _)| *known == key)
        .is_none_or(|(_, is_text)| *is_text)
}

/// Gives the environment's values precedence, field by field.
macro_rules! raw_section {
    ($name:ident { $($field:ident: $kind:ty = $read:ident),* $(,)? }) => {
        #[derive(Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $field: Given<$kind>,)*
        }

        impl $name {
            /// Every key, for comparing with the documented ones.
            #[cfg(test)]
            pub(super) const KEYS: &[&str] = &[$(stringify!($field)),*];

            /// Of every key whether it holds a text.
            const IS_TEXT: &[(&str, bool)] = &[$((stringify!($field), <$kind as Kind>::IS_TEXT)),*];

            fn read(table: &mut Table<'_>, file: &str) -> Option<Self> {
                Some(Self { $($field: given(table, file, stringify!($field), |table, key| table.$read(key)),)* })
            }

            fn overridden_by(self, other: Self) -> Self {
                Self { $($field: self.$field.overridden_by(other.$field),)* }
            }
        }
    };
}

raw_section!(Server {
    listen: String = optional_text,
    public_url: String = optional_text,
    metrics_listen: String = optional_text,
    workers: i64 = optional_integer,
    max_connections: i64 = optional_integer,
    trusted_proxies: String = optional_text,
    drain_seconds: i64 = optional_integer,
    timestamp_window_seconds: i64 = optional_integer,
    allow_sample_credentials: bool = boolean,
});

raw_section!(Storage {
    url: String = optional_text,
    url_file: String = optional_text,
    connections: i64 = optional_integer,
    retention_days: i64 = optional_integer,
    session_minutes: i64 = optional_integer,
});

raw_section!(Knowledge {
    dir: String = optional_text,
    cache_dir: String = optional_text
});

raw_section!(Wecom {
    api_base: String = optional_text,
    proxy: String = optional_text,
});

raw_section!(HandOver {
    hours: String = optional_text,
    business_days_only: bool = boolean,
});

raw_section!(Notices {
    app: String = optional_text,
    users: String = optional_text,
    outbreak_people: i64 = optional_integer,
});

raw_section!(Console {
    listen: String = optional_text
});

raw_section!(App {
    name: String = optional_text,
    corp_id: String = optional_text,
    agent_id: i64 = optional_integer,
    secret: String = optional_text,
    secret_file: String = optional_text,
    token: String = optional_text,
    token_file: String = optional_text,
    encoding_aes_key: String = optional_text,
    encoding_aes_key_file: String = optional_text,
    previous_token: String = optional_text,
    previous_token_file: String = optional_text,
    previous_encoding_aes_key: String = optional_text,
    previous_encoding_aes_key_file: String = optional_text,
    kf: bool = boolean,
    cards: bool = boolean,
});

fn given<T>(
    table: &mut Table<'_>,
    file: &str,
    key: &str,
    read: impl Fn(&mut Table<'_>, &str) -> Option<T>,
) -> Given<T> {
    let place = Place {
        file: file.to_owned(),
        line: table.line_of_key(key),
    };
    match read(table, key) {
        Some(value) => Given::Value(Written { value, place }),
        None if table.contains(key) => Given::Wrong,
        None => Given::Nothing,
    }
}

impl Settings {
    pub(super) fn read(file: &str, text: &str, environment: &Environment, report: &Report) -> Option<Self> {
        let from_file = read_one(Source { file, text }, report);
        let text = environment.as_toml(report);
        let from_environment = read_one(
            Source {
                file: environment::NAME,
                text: &text,
            },
            report,
        );
        Some(Self {
            file: file.to_owned(),
            ..from_file?.overridden_by(from_environment?)
        })
    }

    fn overridden_by(self, other: Self) -> Self {
        let mut others = other.apps.into_iter();
        let mut apps: Vec<(Place, App)> = self
            .apps
            .into_iter()
            .map(|(place, app)| {
                let other = others.next().map(|(_, other)| other).unwrap_or_default();
                (place, app.overridden_by(other))
            })
            .collect();
        apps.extend(others);
        Self {
            server: self.server.overridden_by(other.server),
            storage: self.storage.overridden_by(other.storage),
            knowledge: self.knowledge.overridden_by(other.knowledge),
            wecom: self.wecom.overridden_by(other.wecom),
            hand_over: self.hand_over.overridden_by(other.hand_over),
            notices: self.notices.overridden_by(other.notices),
            console: self.console.overridden_by(other.console),
            apps,
            file: self.file,
        }
    }
}

fn read_one(source: Source<'_>, report: &Report) -> Option<Settings> {
    let file = source.file;
    read_document(source, report, |table| {
        Some(Settings {
            server: table
                .optional_table("server", |table| Server::read(table, file))
                .unwrap_or_default(),
            storage: table
                .optional_table("storage", |table| Storage::read(table, file))
                .unwrap_or_default(),
            knowledge: table
                .optional_table("knowledge", |table| Knowledge::read(table, file))
                .unwrap_or_default(),
            hand_over: table
                .optional_table("hand_over", |table| HandOver::read(table, file))
                .unwrap_or_default(),
            notices: table
                .optional_table("notices", |table| Notices::read(table, file))
                .unwrap_or_default(),
            console: table
                .optional_table("console", |table| Console::read(table, file))
                .unwrap_or_default(),
            wecom: table
                .optional_table("wecom", |table| Wecom::read(table, file))
                .unwrap_or_default(),
            apps: table.tables("apps", |table| {
                let place = Place {
                    file: file.to_owned(),
                    line: table.line(),
                };
                Some((place, App::read(table, file)?))
            }),
            file: String::new(),
        })
    })
}
