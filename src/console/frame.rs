//! What every page has around its content: language, navigation, who is signed in.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::Method;
use jiff::Timestamp;

use super::navigation::{Entry, NAVIGATION};
use super::words::Language;
use super::{assets, format};
use crate::knowledge::Catalogue;
use crate::store::{ConsoleRole, ConsoleUser};

/// What templates know of the page around them. They call it `frame`.
pub(super) struct Frame {
    /// In which it is written.
    pub(super) language: Language,
    /// Path and query of the page.
    here: String,
    path: String,
    /// Who is signed in.
    pub(super) user: Option<ConsoleUser>,
    /// What a form brings along, so that it is known for the console's own.
    pub(super) form_token: String,
}

impl Frame {
    /// Of a page for whoever it is.
    pub(super) fn of(request: &HttpRequest) -> Self {
        // What a form has led to cannot be looked at again.
        let here = request
            .uri()
            .path_and_query()
            .filter(|_| *request.method() == Method::GET);
        Self {
            language: Language::of(request),
            here: here.map_or(super::ROOT, |here| here.as_str()).to_owned(),
            path: request.path().to_owned(),
            user: None,
            form_token: String::new(),
        }
    }

    /// For a part of a page, which has nothing around it.
    pub(super) fn for_part(&self) -> Self {
        Self {
            language: self.language,
            here: self.here.clone(),
            path: self.path.clone(),
            user: self.user.clone(),
            form_token: self.form_token.clone(),
        }
    }

    /// What stands under a key of `words.toml`.
    pub(super) fn t(&self, key: &str) -> &'static str {
        self.language.word(key)
    }

    /// The same, with a value in the place of `{}`.
    pub(super) fn fill(&self, key: &str, value: impl fmt::Display) -> String {
        self.t(key).replacen("{}", &value.to_string(), 1)
    }

    /// The word of a section for a constant word of the store.
    pub(super) fn word_of(&self, section: &str, word: &str) -> &'static str {
        self.t(&format!("{section}.{word}"))
    }

    /// What a scenario is called; its id where the knowledge no longer has it.
    pub(super) fn scenario(&self, catalogue: &Catalogue, id: &str) -> String {
        let scenario = catalogue.scenarios.get(id);
        scenario.map_or_else(
            || id.to_owned(),
            |scenario| scenario.label(self.language.of_knowledge()).to_owned(),
        )
    }

    /// What a role allows.
    pub(super) fn what_may(&self, role: &ConsoleRole) -> &'static str {
        self.word_of("role", &format!("{role}-may"))
    }

    /// A count as people read it.
    pub(super) fn count(&self, number: &u64) -> String {
        format::count(*number)
    }

    /// Day and minute, in China.
    pub(super) fn short_time(&self, at: &Timestamp) -> String {
        format::short_time(*at)
    }

    /// To the second, in China.
    pub(super) fn full_time(&self, at: &Timestamp) -> String {
        format::full_time(*at)
    }

    /// For `datetime` attributes.
    pub(super) fn machine_time(&self, at: &Timestamp) -> String {
        format::machine_time(*at)
    }

    pub(super) fn stylesheet(&self) -> &'static str {
        assets::path_of("console.css")
    }

    pub(super) fn script(&self) -> &'static str {
        assets::path_of("console.js")
    }

    /// The navigation of whoever is signed in.
    pub(super) fn navigation(&self) -> Vec<&'static Entry> {
        let role = self.user.as_ref().map(|user| user.role);
        let is_theirs = |entry: &&Entry| role.is_some_and(|role| role >= entry.role);
        NAVIGATION.iter().filter(is_theirs).collect()
    }

    pub(super) fn is_here(&self, entry: &Entry) -> bool {
        entry.holds(&self.path)
    }

    /// Whether whoever is signed in may see what is masked, and decide who may do what.
    pub(super) fn may_administer(&self) -> bool {
        self.has(ConsoleRole::Admin)
    }

    /// Whether whoever is signed in may change the knowledge.
    pub(super) fn may_edit(&self) -> bool {
        self.has(ConsoleRole::Editor)
    }

    fn has(&self, role: ConsoleRole) -> bool {
        self.user.as_ref().is_some_and(|user| user.role >= role)
    }

    /// Where this page is shown in the other language.
    pub(super) fn other_language(&self) -> String {
        let other = match self.language {
            Language::Chinese => Language::English,
            Language::English => Language::Chinese,
        };
        format!("/console/language/{}?back={}", other.tag(), encoded(&self.here))
    }
}

/// A text as a value of a query.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
