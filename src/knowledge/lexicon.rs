//! How people write: aliases, fillers, the words of follow-up questions and of choices. `lexicon.toml` and `conversation.toml`.

use std::collections::BTreeMap;

use super::scenario::Section;
use crate::checked_toml::{Report, Source, Table, read_document};

/// Aliases, fillers and denials, from `lexicon.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexicon {
    /// Pairs of what is typed and what is meant.
    pub aliases: Vec<(String, String)>,
    /// Words that carry no meaning of their own.
    pub fillers: Vec<String>,
    /// Words that begin what is *not* the matter ("不是", "没违规").
    pub denials: Vec<String>,
}

/// Words that continue a conversation, from `conversation.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationWords {
    /// Words that ask for one section of the answer at hand.
    pub follow_ups: BTreeMap<Section, Vec<String>>,
    /// Words around a follow-up question that change nothing ("那", "的话", "呢").
    pub connectives: Vec<String>,
    /// Ways to say the first, second, … option.
    pub ordinals: Vec<Vec<String>>,
    /// Ways to say the last option.
    pub last: Vec<String>,
    /// Words around a choice that change nothing ("选", "第", "个").
    pub choice_words: Vec<String>,
    /// Ways to say that no option fits.
    pub none_of_these: Vec<String>,
}

/// Reads `lexicon.toml`.
pub(super) fn read_lexicon(source: Source<'_>, report: &Report) -> Option<Lexicon> {
    read_document(source, report, |table| {
        let fillers = plain(table.texts("fillers"));
        let denials = plain(table.texts("denials"));
        let aliases = table
            .optional_table("aliases", |aliases| Some(read_aliases(aliases)))
            .unwrap_or_default();
        Some(Lexicon {
            aliases,
            fillers,
            denials,
        })
    })
}

fn read_aliases(table: &mut Table<'_>) -> Vec<(String, String)> {
    let mut aliases: Vec<(String, String)> = Vec::new();
    for meaning in table.keys() {
        for typed in table.texts(&meaning) {
            if let Some((_, other)) = aliases.iter().find(|(known, _)| *known == typed.value) {
                let message = format!("`{}` already means `{other}`", typed.value);
                table.problem_at(typed.line, &meaning, message);
            }
            aliases.push((typed.value, meaning.clone()));
        }
    }
    aliases
}

/// Reads `conversation.toml`.
pub(super) fn read_conversation_words(source: Source<'_>, report: &Report) -> Option<ConversationWords> {
    read_document(source, report, |table| {
        let follow_ups = table.table("follow_ups", |words| Some(read_follow_ups(words)));
        let choices = table.table("choices", |words| Some(read_choices(words)));
        let connectives = plain(table.texts("connectives"));
        Some(ConversationWords {
            follow_ups: follow_ups?,
            connectives,
            ..choices?
        })
    })
}

fn read_follow_ups(table: &mut Table<'_>) -> BTreeMap<Section, Vec<String>> {
    Section::ALL
        .into_iter()
        .map(|(section, name)| (section, plain(table.texts(name))))
        .collect()
}

fn read_choices(table: &mut Table<'_>) -> ConversationWords {
    let ordinals = table.tables("ordinals", |ordinal| Some(plain(ordinal.required_texts("words")?)));
    ConversationWords {
        ordinals,
        last: plain(table.texts("last")),
        choice_words: plain(table.texts("words")),
        none_of_these: plain(table.texts("none")),
        ..ConversationWords::default()
    }
}

fn plain(texts: Vec<crate::checked_toml::Located<String>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}
