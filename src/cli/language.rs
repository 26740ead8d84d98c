//! In which language an admin is spoken to.

use clap::{Args, ValueEnum};

use crate::bilingual::language_of_locale;
use crate::knowledge::Language;

/// Variables that name the locale, the strongest first.
const LOCALES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// The option, and the locale where it is not given.
#[derive(Args)]
pub(super) struct LanguageOption {
    /// Language to speak [default: that of the locale]
    #[arg(long = "lang", value_enum, value_name = "LANGUAGE")]
    given: Option<Given>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Given {
    Zh,
    En,
}

impl LanguageOption {
    /// Chinese, unless the option or the locale says otherwise.
    pub(super) fn language(&self) -> Language {
        match self.given {
            Some(Given::En) => Language::English,
            Some(Given::Zh) => Language::Chinese,
            None => {
                let named = LOCALES.into_iter().filter_map(|name| std::env::var(name).ok());
                let locale = named.into_iter().find(|value| !value.is_empty());
                language_of_locale(&locale.unwrap_or_default())
            }
        }
    }
}
