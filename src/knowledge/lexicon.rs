//! How people write: aliases, fillers, the words of follow-up questions and of choices. `lexicon.toml` and `conversation.toml`.

use std::collections::BTreeMap;

use super::scenario::{ACCOUNT_KINDS, AccountKind, Section};
use crate::checked_toml::{Located, Report, Source, Table, read_document};

/// Aliases, fillers and denials, from `lexicon.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexicon {
    /// Pairs of what is typed and what is meant.
    pub aliases: Vec<(String, String)>,
    /// Words that carry no meaning of their own.
    pub fillers: Vec<String>,
    /// Words that begin what is *not* the matter ("不是", "没违规").
    pub denials: Vec<String>,
    /// When to answer, to ask back and to take something for small talk, in percent, where that differs from what suits most.
    pub thresholds: DecisionThresholds,
}

/// Probabilities in percent from which on a move is made; `None` leaves the matcher's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionThresholds {
    /// The best scenario is right: answer.
    pub answer: Option<u8>,
    /// One of the options is right: ask back.
    pub ask_back: Option<u8>,
    /// It is small talk or a call for a person.
    pub smalltalk: Option<u8>,
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
    /// Ways to say things that move a conversation on.
    pub sayings: Vec<(Saying, Vec<String>)>,
    /// Words around them that change nothing.
    pub around_sayings: Vec<String>,
    /// Words for whose account it is.
    pub accounts: BTreeMap<AccountKind, Vec<String>>,
    /// Words that begin a second issue in one message ("另外").
    pub also: Vec<String>,
    /// Words by which a notice offers to apply for lifting ("申请解除限制").
    pub appeal_buttons: Vec<String>,
}

/// Something said that is no question but moves a conversation on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    /// An appeal has been submitted.
    Submitted,
    /// How the appeal stands is asked.
    Progress,
    /// The appeal is no longer to be followed.
    Cancel,
    /// The restriction is lifted.
    Lifted,
    /// The appeal was refused.
    Refused,
    /// There is a result, which one is not said.
    Result,
    /// Agreed.
    Yes,
    /// Not agreed.
    No,
    /// The answer was of use.
    Useful,
    /// The answer was of no use.
    Useless,
    /// The trouble is over.
    Solved,
    /// An appeal is to be written.
    WriteAppeal,
}

impl Saying {
    /// Every saying with its key in `conversation.toml`.
    const ALL: [(Saying, &'static str); 12] = [
        (Saying::Submitted, "submitted"),
        (Saying::Progress, "progress"),
        (Saying::Cancel, "cancel"),
        (Saying::Lifted, "lifted"),
        (Saying::Refused, "refused"),
        (Saying::Result, "result"),
        (Saying::Yes, "yes"),
        (Saying::No, "no"),
        (Saying::Useful, "useful"),
        (Saying::Useless, "useless"),
        (Saying::Solved, "solved"),
        (Saying::WriteAppeal, "write_appeal"),
    ];
}

/// Reads `lexicon.toml`.
pub(super) fn read_lexicon(source: Source<'_>, report: &Report) -> Option<Lexicon> {
    read_document(source, report, |table| {
        let fillers = plain(table.texts("fillers"));
        let denials = plain(table.texts("denials"));
        let aliases = table
            .optional_table("aliases", |aliases| Some(read_aliases(aliases)))
            .unwrap_or_default();
        let thresholds = table.optional_table("thresholds", |thresholds| Some(read_thresholds(thresholds)));
        Some(Lexicon {
            aliases,
            fillers,
            denials,
            thresholds: thresholds.unwrap_or_default(),
        })
    })
}

fn read_thresholds(table: &mut Table<'_>) -> DecisionThresholds {
    let mut percent = |key: &'static str| {
        let written = table.optional_integer(key)?;
        let percent = u8::try_from(written).ok().filter(|percent| (1..=99).contains(percent));
        if percent.is_none() {
            table.problem(key, "must be between 1 and 99 percent");
        }
        percent
    };
    DecisionThresholds {
        answer: percent("answer"),
        ask_back: percent("ask_back"),
        smalltalk: percent("smalltalk"),
    }
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
        let sayings = table.table("sayings", |words| Some(read_sayings(words)));
        let accounts = table.table("accounts", |words| Some(read_accounts(words)));
        let also = plain(table.texts("also"));
        let appeal_buttons = plain(table.texts("appeal_buttons"));
        let (sayings, around_sayings) = sayings?;
        Some(ConversationWords {
            follow_ups: follow_ups?,
            connectives,
            sayings,
            around_sayings,
            accounts: accounts?,
            also,
            appeal_buttons,
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

fn read_sayings(table: &mut Table<'_>) -> (Vec<(Saying, Vec<String>)>, Vec<String>) {
    let sayings = Saying::ALL.map(|(saying, name)| (saying, plain(table.texts(name))));
    (sayings.into(), plain(table.texts("around")))
}

fn read_accounts(table: &mut Table<'_>) -> BTreeMap<AccountKind, Vec<String>> {
    let named = ACCOUNT_KINDS.into_iter().filter(|(_, kind)| *kind != AccountKind::Any);
    named.map(|(name, kind)| (kind, plain(table.texts(name)))).collect()
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

/// The texts without their lines.
pub(super) fn plain(texts: Vec<Located<String>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}
