//! What was written, before it is known to make sense. A value from the environment stands in for the one in the file.

use super::{Environment, environment};
use crate::checked_toml::{Report, Source, Table, read_document};

/// Where a value was written, for reporting a problem with it.
#[derive(Clone, Debug)]
pub(super) struct Written<T> {
    pub(super) value: T,
    pub(super) file: String,
    pub(super) line: usize,
}

#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) server: Server,
    pub(super) storage: Storage,
    pub(super) knowledge: Knowledge,
    pub(super) wecom: Wecom,
    pub(super) apps: Vec<App>,
    /// The configuration file's name, for what is missing altogether.
    pub(super) file: String,
}

/// Gives the environment's values precedence, field by field.
macro_rules! raw_section {
    ($name:ident { $($field:ident: $kind:ty = $read:ident),* $(,)? }) => {
        #[derive(Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $field: Option<Written<$kind>>,)*
        }

        impl $name {
            fn read(table: &mut Table<'_>, file: &str) -> Option<Self> {
                Some(Self { $($field: written(table, file, stringify!($field), |table, key| table.$read(key)),)* })
            }

            fn overridden_by(self, other: Self) -> Self {
                Self { $($field: other.$field.or(self.$field),)* }
            }
        }
    };
}

raw_section!(Server {
    listen: String = optional_text,
    workers: i64 = optional_integer,
    timestamp_window_seconds: i64 = optional_integer,
    allow_sample_credentials: bool = boolean,
});

raw_section!(Storage {
    url: String = optional_text,
    retention_days: i64 = optional_integer,
    session_minutes: i64 = optional_integer,
});

raw_section!(Knowledge {
    dir: String = optional_text,
    cache_dir: String = optional_text
});

raw_section!(Wecom {
    api_base: String = optional_text
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
    kf: bool = boolean,
});

fn written<T>(
    table: &mut Table<'_>,
    file: &str,
    key: &str,
    read: impl Fn(&mut Table<'_>, &str) -> Option<T>,
) -> Option<Written<T>> {
    let value = read(table, key)?;
    Some(Written {
        value,
        file: file.to_owned(),
        line: table.line_of_key(key),
    })
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
        let mut apps: Vec<App> = self
            .apps
            .into_iter()
            .map(|app| app.overridden_by(others.next().unwrap_or_default()))
            .collect();
        apps.extend(others);
        Self {
            server: self.server.overridden_by(other.server),
            storage: self.storage.overridden_by(other.storage),
            knowledge: self.knowledge.overridden_by(other.knowledge),
            wecom: self.wecom.overridden_by(other.wecom),
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
            wecom: table
                .optional_table("wecom", |table| Wecom::read(table, file))
                .unwrap_or_default(),
            apps: table.tables("apps", |table| App::read(table, file)),
            file: String::new(),
        })
    })
}
