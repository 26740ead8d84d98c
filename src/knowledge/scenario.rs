//! One restriction scenario: the answer in both languages, the slots that change it, its sources and example questions.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::language::{Bilingual, Language};
use crate::checked_toml::{Located, Problem, Report, Source, Table, read_document};

/// Whose account a scenario is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// A WeCom member account.
    Member,
    /// A personal WeChat account.
    Personal,
    /// A group chat.
    Group,
    /// The whole company.
    Corp,
    /// More than one of them.
    Any,
}

/// Whether a restriction can be appealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppealPossible {
    /// No appeal exists or none is needed.
    No,
    /// Yes.
    Yes,
    /// It depends on a slot.
    Depends,
    /// Lifted in the app by the person themselves.
    SelfService,
}

/// What part a scenario plays in following an appeal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It says how to appeal in general; an appeal is written in its name when nothing more is known.
    AppealHow,
    /// It says when an appeal is answered; whoever has submitted one is answered with it.
    AppealProgress,
}

/// A part of an answer. The order of the variants is the order in which the parts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// What happened and why.
    What,
    /// Who can act.
    Who,
    /// What to do now.
    Steps,
    /// How long it takes.
    Time,
    /// What the first, second and third time bring.
    Ladder,
    /// Figures that limit something.
    Limits,
    /// When the rest does not hold.
    Exceptions,
    /// Whether, by whom and where to appeal.
    Appeal,
    /// What to prepare for an appeal.
    Material,
    /// What not to do.
    Avoid,
    /// What happens if it happens again. Said only when asked.
    Again,
    /// What to do when it is refused or does not work. Said only when asked.
    Fails,
    /// What becomes of the customers meanwhile. Said only when asked.
    Customers,
}

impl Section {
    /// Every section with its key in knowledge files.
    pub const ALL: [(Section, &'static str); 13] = [
        (Section::What, "what"),
        (Section::Who, "who"),
        (Section::Steps, "steps"),
        (Section::Time, "time"),
        (Section::Ladder, "ladder"),
        (Section::Limits, "limits"),
        (Section::Exceptions, "exceptions"),
        (Section::Appeal, "appeal"),
        (Section::Material, "material"),
        (Section::Avoid, "avoid"),
        (Section::Again, "again"),
        (Section::Fails, "fails"),
        (Section::Customers, "customers"),
    ];

    /// Whether every scenario must have it.
    pub fn is_required(self) -> bool {
        matches!(
            self,
            Self::What | Self::Who | Self::Steps | Self::Time | Self::Appeal | Self::Avoid
        )
    }

    /// Whether it is left out of the answer and said only when somebody asks for it.
    pub fn only_when_asked(self) -> bool {
        matches!(self, Self::Again | Self::Fails | Self::Customers)
    }
}

/// The text of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionText {
    /// A sentence or two.
    Plain(String),
    /// Things to do in order.
    Steps(Vec<String>),
}

/// Sections with their texts, in reading order.
pub type Sections = BTreeMap<Section, SectionText>;

/// A scenario's answer in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Heading.
    pub title: String,
    /// Name in a list of options.
    pub label: String,
    /// What the answer says.
    pub sections: Sections,
}

/// Something the advice depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Identifier, unique in the scenario.
    pub id: String,
    /// How to ask for it.
    pub question: Bilingual<String>,
    /// Where it tells how long the restriction has lasted: natural hours after which the next value holds. A start that was told says
    /// more than words.
    pub elapsed_hours: Vec<u16>,
    /// Its possible values.
    pub values: Vec<SlotValue>,
}

/// One possible value of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotValue {
    /// Identifier, unique in the slot.
    pub id: String,
    /// Name in a list of options.
    pub label: Bilingual<String>,
    /// Words by which people say it.
    pub phrases: Vec<String>,
    /// What it changes.
    pub effect: SlotEffect,
}

/// What a slot value changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotEffect {
    /// The answer is really another scenario's.
    GoesTo(String),
    /// Some sections read differently.
    Changes {
        /// Overrides [`Scenario::appeal_possible`].
        appeal_possible: Option<AppealPossible>,
        /// Overrides [`Scenario::appeal_window`].
        appeal_window: Option<bool>,
        /// The sections that differ.
        sections: Bilingual<Sections>,
    },
}

/// Where a statement comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnowledgeSource {
    /// What it says and who says it.
    pub name: String,
    /// Address of the page, if it has one.
    pub url: Option<String>,
    /// How far it can be trusted.
    pub kind: SourceKind,
    /// When it was last looked at.
    pub checked: Date,
}

/// How far a source can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A page of the vendor.
    Official,
    /// Somebody's restatement of an official page.
    Restated,
    /// What the business asks for.
    Business,
    /// What the client software shows.
    Client,
    /// One user's experience.
    Case,
    /// Concluded from the others.
    Inferred,
}

/// A question easily mistaken for this scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterExample {
    /// The question.
    pub text: String,
    /// Id of the scenario it belongs to, or `none`.
    pub belongs_to: String,
}

/// A restriction scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Stable identifier.
    pub id: String,
    /// File it was read from.
    pub file: String,
    /// Whose account it is about.
    pub account: AccountKind,
    /// Whether it can be appealed.
    pub appeal_possible: AppealPossible,
    /// Whether an appeal takes 3–7 business days, so that the answer names the two dates.
    pub appeal_window: bool,
    /// Whether it was imported and its answer is still to be written. Its id may be any, and few utterances or ones that another
    /// scenario wins are no problem yet.
    pub draft: bool,
    /// Whether a person should take over after the answer, where one can be reached.
    pub hand_over: bool,
    /// How common it is, 0–100; the commonest are offered in the welcome.
    pub commonness: u8,
    /// How grave it is, 0–100: of two issues in one message the graver one is answered first. 0 is no issue of its own but a
    /// question about one ("how do I appeal").
    pub gravity: u8,
    /// After so many natural hours from its start it usually lifts by itself: the earliest, then later ones.
    pub waiting_hours: Vec<u16>,
    /// What part it plays in following an appeal, if any.
    pub role: Option<Role>,
    /// Whether it lasts for a term that the notice names, so that its end can be computed.
    pub has_term: bool,
    /// The scenario that is the same for another kind of account: "and on WeCom?" moves there.
    pub siblings: BTreeMap<AccountKind, String>,
    /// The answer in both languages.
    pub answer: Bilingual<Answer>,
    /// What the advice depends on, the most important first.
    pub slots: Vec<Slot>,
    /// Where it all comes from.
    pub sources: Vec<KnowledgeSource>,
    /// Questions people ask about it.
    pub utterances: Vec<Located<String>>,
    /// Questions easily mistaken for it.
    pub not_this: Vec<CounterExample>,
    /// Words that speak against it: who says "群没满" does not mean the full group.
    pub denied_by: Vec<String>,
}

impl AccountKind {
    /// The name in knowledge files.
    pub fn name(self) -> &'static str {
        let named = ACCOUNT_KINDS.into_iter().find(|(_, kind)| *kind == self);
        named.map_or("", |(name, _)| name)
    }
}

impl Role {
    /// The name in knowledge files.
    pub fn name(self) -> &'static str {
        let named = ROLES.into_iter().find(|(_, role)| *role == self);
        named.map_or("", |(name, _)| name)
    }
}

impl Scenario {
    /// Name in a list of options.
    pub fn label(&self, language: Language) -> &str {
        &self.answer.get(language).label
    }

    /// The slot with this id.
    pub fn slot(&self, id: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.id == id)
    }
}

impl Slot {
    /// The value that holds after so many hours, if the slot tells how long the restriction has lasted.
    pub fn value_after(&self, hours: i64) -> Option<&SlotValue> {
        if self.elapsed_hours.is_empty() {
            return None;
        }
        let passed = self
            .elapsed_hours
            .iter()
            .filter(|bound| i64::from(**bound) <= hours)
            .count();
        self.values.get(passed)
    }

    /// The value with this id.
    pub fn value(&self, id: &str) -> Option<&SlotValue> {
        self.values.iter().find(|value| value.id == id)
    }
}

/// Stands in a new scenario wherever an admin has to write something; nobody may read it in an answer.
pub const TO_FILL_IN: &str = "【待填】";

const LEAST_UTTERANCES: usize = 30;

/// Most characters of a title and of a label, so that it stays on one line of a phone; two Latin letters are as wide as one Chinese
/// character.
const LONGEST_NAME: Bilingual<usize> = Bilingual { zh: 20, en: 24 };

/// Reads `scenarios/ID.toml`. What is missing or wrong is reported and left empty, so that the rest can be checked as well.
pub(super) fn read_scenario(source: Source<'_>, report: &Report) -> Option<Scenario> {
    let file = source.file.to_owned();
    report_unfilled(source, report);
    read_document(source, report, |table| read_root(table, file))
}

fn report_unfilled(source: Source<'_>, report: &Report) {
    let lines = (1..).zip(source.text.lines());
    for (line, _) in lines.filter(|(_, text)| text.contains(TO_FILL_IN)) {
        report.add(Problem {
            file: source.file.to_owned(),
            line: Some(line),
            key: String::new(),
            message: format!("still has {TO_FILL_IN}; write what belongs there"),
        });
    }
}

fn read_root(table: &mut Table<'_>, file: String) -> Option<Scenario> {
    let draft = table.boolean("draft").unwrap_or(false);
    let id = table.text("id");
    if let Some(id) = id.as_ref().filter(|_| !draft) {
        check_id(table, id, &file);
    }
    let mut scenario = Scenario {
        id: id.unwrap_or_else(|| stem(&file).to_owned()),
        file,
        account: table.choice("account", &ACCOUNT_KINDS).unwrap_or(AccountKind::Any),
        appeal_possible: table
            .choice("appeal_possible", &APPEAL_POSSIBLE)
            .unwrap_or(AppealPossible::No),
        appeal_window: table.boolean("appeal_window").unwrap_or(false),
        draft,
        hand_over: table.boolean("hand_over").unwrap_or(false),
        commonness: read_percentage(table, "commonness"),
        gravity: read_percentage(table, "gravity"),
        waiting_hours: read_hours(table, "waiting_hours"),
        role: table.optional_choice("role", &ROLES),
        has_term: table.boolean("has_term").unwrap_or(false),
        siblings: read_siblings(table),
        answer: read_answers(table, draft),
        slots: table.tables("slots", |slot| Some(read_slot(slot))),
        sources: read_sources(table),
        utterances: Vec::new(),
        not_this: Vec::new(),
        denied_by: Vec::new(),
    };
    report_repeated(table, "slots", scenario.slots.iter().map(|slot| slot.id.as_str()));
    let examples = table.table("examples", |examples| Some(read_examples(examples, draft)));
    (scenario.utterances, scenario.not_this, scenario.denied_by) = examples.unwrap_or_default();
    Some(scenario)
}

/// A number from 0 to 100; 0 when it is left out.
fn read_percentage(table: &mut Table<'_>, key: &'static str) -> u8 {
    let number = table.optional_integer(key).unwrap_or(0);
    let percentage = u8::try_from(number).ok().filter(|number| *number <= 100);
    if percentage.is_none() {
        table.problem(key, "must be between 0 and 100");
    }
    percentage.unwrap_or(0)
}

fn read_hours(table: &mut Table<'_>, key: &'static str) -> Vec<u16> {
    let written = table.integers(key);
    let hours: Vec<u16> = written.iter().filter_map(|hours| u16::try_from(*hours).ok()).collect();
    let is_rising = hours.is_sorted() && hours.iter().all(|hours| *hours > 0);
    if hours.len() != written.len() || !is_rising {
        table.problem(key, "must be hours above 0 in rising order, for example [24, 168]");
    }
    hours
}

fn read_siblings(table: &mut Table<'_>) -> BTreeMap<AccountKind, String> {
    let named = ACCOUNT_KINDS.into_iter().filter(|(_, kind)| *kind != AccountKind::Any);
    let siblings = table.optional_table("siblings", |siblings| {
        let read = named.filter_map(|(name, kind)| Some((kind, siblings.optional_text(name)?)));
        Some(read.collect())
    });
    siblings.unwrap_or_default()
}

fn check_id(table: &Table<'_>, id: &str, file: &str) {
    if !is_identifier(id) {
        table.problem("id", "may only have lower-case letters, digits and hyphens");
    }
    if stem(file) != id {
        table.problem("id", format!("is `{id}`, so the file must be called {id}.toml"));
    }
}

/// The name of a file without folder and ending.
pub(super) fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or_default();
    name.strip_suffix(".toml").unwrap_or(name)
}

/// Lower-case letters, digits and hyphens, starting with a letter.
pub fn is_identifier(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    id.bytes().all(allowed) && id.starts_with(|first: char| first.is_ascii_lowercase())
}

fn check_same_sections(table: &Table<'_>, key: &str, zh: &Sections, en: &Sections) {
    for (section, name) in Section::ALL {
        if zh.contains_key(&section) != en.contains_key(&section) {
            table.problem(key, format!("`{name}` is in one language only; write it in both"));
        }
    }
}

fn read_sources(table: &mut Table<'_>) -> Vec<KnowledgeSource> {
    let mut count = 0_usize;
    let sources = table.tables("sources", |source| {
        count = count.saturating_add(1);
        let name = source.text("name");
        let url = source.optional_text("url");
        let kind = source.choice("kind", &SOURCE_KINDS);
        let checked = source.date("checked");
        if url
            .as_ref()
            .is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://"))
        {
            source.problem("url", "must start with https:// or http://");
        }
        Some(KnowledgeSource {
            name: name?,
            url,
            kind: kind?,
            checked: checked?,
        })
    });
    if count == 0 {
        table.problem(
            "sources",
            "is missing; say where the answer comes from and when it was last checked",
        );
    }
    sources
}

fn read_answers(table: &mut Table<'_>, draft: bool) -> Bilingual<Answer> {
    // A draft is called by its id, however long that is.
    let longest = |longest: usize| (!draft).then_some(longest);
    let zh = table.table("zh", |zh| Some(read_answer(zh, longest(LONGEST_NAME.zh))));
    let en = table.table("en", |en| Some(read_answer(en, longest(LONGEST_NAME.en))));
    if let (Some(zh), Some(en)) = (&zh, &en) {
        check_same_sections(table, "en", &zh.sections, &en.sections);
    }
    Bilingual {
        zh: zh.unwrap_or_default(),
        en: en.unwrap_or_default(),
    }
}

fn read_answer(table: &mut Table<'_>, longest_name: Option<usize>) -> Answer {
    let answer = Answer {
        title: read_name(table, "title", longest_name),
        label: read_name(table, "label", longest_name),
        sections: read_sections(table),
    };
    for (_, name) in Section::ALL.iter().filter(|(section, _)| section.is_required()) {
        if !table.contains(name) {
            table.problem(name, "is missing");
        }
    }
    answer
}

fn read_name(table: &mut Table<'_>, key: &'static str, longest: Option<usize>) -> String {
    let name = table.text(key).unwrap_or_default();
    if let Some(longest) = longest
        && width(&name) > 2 * longest
    {
        let (width, letters) = (width(&name).div_ceil(2), 2 * longest);
        let message = format!(
            "is as wide as {width} Chinese characters; at most {longest} (or {letters} Latin letters) fit on a line"
        );
        table.problem(key, message);
    }
    name
}

/// How wide a text is, in Latin letters.
fn width(text: &str) -> usize {
    text.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum()
}

fn read_sections(table: &mut Table<'_>) -> Sections {
    let read = |(section, name)| Some((section, read_section(table, section, name)?));
    Section::ALL.into_iter().filter_map(read).collect()
}

fn read_section(table: &mut Table<'_>, section: Section, name: &'static str) -> Option<SectionText> {
    if section == Section::Steps {
        let steps: Vec<String> = table.texts(name).into_iter().map(|step| step.value).collect();
        return (!steps.is_empty()).then_some(SectionText::Steps(steps));
    }
    table.optional_text(name).map(SectionText::Plain)
}

fn read_slot(table: &mut Table<'_>) -> Slot {
    let slot = Slot {
        id: table.text("id").unwrap_or_default(),
        question: read_bilingual(table, "question"),
        elapsed_hours: read_hours(table, "elapsed_hours"),
        values: table.tables("values", |value| Some(read_slot_value(value))),
    };
    if !slot.elapsed_hours.is_empty() && slot.elapsed_hours.len() + 1 != slot.values.len() {
        table.problem("elapsed_hours", "must have one entry fewer than there are values");
    }
    if slot.values.len() < 2 {
        table.problem("values", "a slot needs at least two values to choose from");
    }
    report_repeated(table, "values", slot.values.iter().map(|value| value.id.as_str()));
    slot
}

fn read_slot_value(table: &mut Table<'_>) -> SlotValue {
    SlotValue {
        id: table.text("id").unwrap_or_default(),
        label: read_bilingual(table, "label"),
        phrases: table.texts("phrases").into_iter().map(|phrase| phrase.value).collect(),
        effect: read_effect(table),
    }
}

fn read_effect(table: &mut Table<'_>) -> SlotEffect {
    let goes_to = table.optional_text("goes_to");
    let appeal_possible = table.optional_choice("appeal_possible", &APPEAL_POSSIBLE);
    let appeal_window = table.boolean("appeal_window");
    let mut sections = |key| {
        table
            .optional_table(key, |sections| Some(read_sections(sections)))
            .unwrap_or_default()
    };
    let (zh, en) = (sections("zh"), sections("en"));
    check_same_sections(table, "en", &zh, &en);
    let changes_nothing = zh.is_empty() && appeal_possible.is_none() && appeal_window.is_none();
    if let Some(id) = goes_to {
        if !changes_nothing {
            table.problem("goes_to", "stands alone: the other scenario brings its own sections");
        }
        return SlotEffect::GoesTo(id);
    }
    if zh.is_empty() && !table.contains("zh") && !table.contains("goes_to") {
        table.problem(
            "zh",
            "is missing: say which sections differ for this value, or give `goes_to`",
        );
    }
    SlotEffect::Changes {
        appeal_possible,
        appeal_window,
        sections: Bilingual { zh, en },
    }
}

/// Reads `key = { zh = "…", en = "…" }`.
pub(super) fn read_bilingual(table: &mut Table<'_>, key: &'static str) -> Bilingual<String> {
    let both = table.table(key, |both| {
        Some(Bilingual {
            zh: both.text("zh").unwrap_or_default(),
            en: both.text("en").unwrap_or_default(),
        })
    });
    both.unwrap_or_default()
}

type Examples = (Vec<Located<String>>, Vec<CounterExample>, Vec<String>);

fn read_examples(table: &mut Table<'_>, draft: bool) -> Examples {
    let utterances = table.required_texts("utterances").unwrap_or_default();
    if (1..LEAST_UTTERANCES).contains(&utterances.len()) && !draft {
        let message = format!(
            "has {} entries; at least {LEAST_UTTERANCES} are needed to be understood",
            utterances.len()
        );
        table.problem("utterances", message);
    }
    let not_this = table.tables("not_this", |example| {
        Some(CounterExample {
            text: example.text("text").unwrap_or_default(),
            belongs_to: example.text("is").unwrap_or_default(),
        })
    });
    let denied_by = table.texts("denied_by");
    for words in &denied_by {
        if let Some(own) = utterances
            .iter()
            .find(|utterance| utterance.value.contains(&words.value))
        {
            let message = format!("`{}` stands in its own utterance `{}`", words.value, own.value);
            table.problem_at(words.line, "denied_by", message);
        }
    }
    let denied_by = denied_by.into_iter().map(|words| words.value).collect();
    (utterances, not_this, denied_by)
}

/// Reports every id that occurs twice among the tables of a list; an empty one is missing and reported already.
pub(super) fn report_repeated<'a>(table: &Table<'_>, key: &str, ids: impl Iterator<Item = &'a str>) {
    let mut seen = std::collections::BTreeSet::new();
    for (number, id) in (1_usize..).zip(ids) {
        if !id.is_empty() && !seen.insert(id) {
            table.problem(
                &format!("{key}[{number}].id"),
                format!("`{id}` is the id of another one above"),
            );
        }
    }
}

/// Every kind of account with its name in knowledge files.
pub(super) const ACCOUNT_KINDS: [(&str, AccountKind); 5] = [
    ("member", AccountKind::Member),
    ("personal", AccountKind::Personal),
    ("group", AccountKind::Group),
    ("corp", AccountKind::Corp),
    ("any", AccountKind::Any),
];

const ROLES: [(&str, Role); 2] = [
    ("appeal-how", Role::AppealHow),
    ("appeal-progress", Role::AppealProgress),
];

const APPEAL_POSSIBLE: [(&str, AppealPossible); 4] = [
    ("no", AppealPossible::No),
    ("yes", AppealPossible::Yes),
    ("depends", AppealPossible::Depends),
    ("self-service", AppealPossible::SelfService),
];

const SOURCE_KINDS: [(&str, SourceKind); 6] = [
    ("official", SourceKind::Official),
    ("restated", SourceKind::Restated),
    ("business", SourceKind::Business),
    ("client", SourceKind::Client),
    ("case", SourceKind::Case),
    ("inferred", SourceKind::Inferred),
];
