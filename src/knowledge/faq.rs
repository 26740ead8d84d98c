//! A list of entries with phrasings, of any subject, as knowledge files; and back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::{Catalogue, KnowledgeFile, Language, Scenario, SectionText};

/// Longest id of an entry, in characters; it becomes a file name.
const LONGEST_ID: usize = 64;

/// Longest answer of a draft in bytes of UTF-8, so that it fits into one message with what stands around it.
const LONGEST_ANSWER: usize = 1500;

/// What ends an answer that was shortened.
const CUT_OFF: &str = "…";

/// What stands in a draft for a part of the answer that the list does not have.
const NOTHING: &str = "—";

/// What stands in a draft for an answer that the list does not have, in Chinese and in English.
const UNWRITTEN: [&str; 2] = ["（答案还没写）", "(the answer is still to be written)"];

/// Names that mean something else where an id stands.
const RESERVED: [&str; 3] = ["none", "smalltalk", "human"];

/// One entry: what people ask, and what is answered if that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaqEntry {
    /// How people ask, in the order given.
    pub phrasings: Vec<String>,
    /// What to answer.
    pub answer: Option<String>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaqRow {
    /// The line at which it starts, counted from 1.
    pub line: usize,
    /// What stands in its columns.
    pub cells: Vec<String>,
}

/// Entries by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faq {
    /// Every entry.
    pub entries: BTreeMap<String, FaqEntry>,
}

/// Where in a list something stands, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a table.
    Line(usize),
    /// An entry of a JSON list or object.
    Entry(usize),
    /// The list as a whole.
    Whole,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(out, "line {line}"),
            Self::Entry(number) => write!(out, "entry {number}"),
            Self::Whole => write!(out, "the JSON"),
        }
    }
}

/// Why a list cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaqError {
    /// A column or key is missing.
    #[error("has no `{0}`; the columns are entry_id and phrasing, and answer if there is one")]
    Missing(&'static str),
    /// An id that cannot be a file name or means something else.
    #[error(
        "{place}: `{id}` cannot be an entry_id: it needs 1 to 64 characters without |, and none, smalltalk and human mean something else"
    )]
    Id {
        /// Where it stands.
        place: Place,
        /// The id.
        id: String,
    },
    /// A phrasing that is empty.
    #[error("{0}: the phrasing is empty")]
    Empty(Place),
    /// Not JSON.
    #[error("is no JSON: {0}")]
    Json(String),
    /// JSON of another shape.
    #[error(
        "{0}: must be {{\"entry\": [\"phrasing\", …]}} or a list of {{\"id\": …, \"questions\": […], \"answer\": …}}"
    )]
    Shape(Place),
    /// Nothing to import.
    #[error("has no entries")]
    NoEntries,
}

impl Faq {
    /// Takes the rows of a table; the first one names the columns. Rows with nothing in them are left out: spreadsheets add them.
    ///
    /// # Errors
    ///
    /// The first row that cannot be used.
    pub fn from_rows(rows: &[FaqRow]) -> Result<Self, FaqError> {
        let header = rows.first().ok_or(FaqError::NoEntries)?;
        let column = |name: &str| header.cells.iter().position(|column| column.trim() == name);
        let id_column = column("entry_id").ok_or(FaqError::Missing("entry_id"))?;
        let phrasing_column = column("phrasing").ok_or(FaqError::Missing("phrasing"))?;
        let answer_column = column("answer");
        let is_empty = |row: &&FaqRow| row.cells.iter().all(|cell| cell.trim().is_empty());
        let mut faq = Self::default();
        for row in rows.iter().skip(1).filter(|row| !is_empty(row)) {
            let cell = |column: usize| row.cells.get(column).map(|cell| cell.trim()).unwrap_or_default();
            faq.add(Place::Line(row.line), cell(id_column), cell(phrasing_column))?;
            faq.answer(cell(id_column), answer_column.map(cell));
        }
        faq.checked()
    }

    /// Takes a JSON object of lists, or a list of objects. What has no id is known by its answer: the first one is `faq-1`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, FaqError> {
        let value: Value = serde_json::from_str(text).map_err(|error| FaqError::Json(error.to_string()))?;
        let mut faq = Self::default();
        match &value {
            Value::Object(entries) => {
                for (number, (id, entry)) in (1..).zip(entries) {
                    faq.add_json(Place::Entry(number), id, entry)?;
                }
            }
            Value::Array(items) => {
                let mut ids = Ids::default();
                for (number, item) in (1..).zip(items) {
                    let place = Place::Entry(number);
                    let id = ids.of(item).ok_or(FaqError::Shape(place))?;
                    faq.add_json(place, &id, item)?;
                }
            }
            _ => return Err(FaqError::Shape(Place::Whole)),
        }
        faq.checked()
    }

    /// The utterances of a catalogue's scenarios, with what is answered in Chinese.
    pub fn of_catalogue(catalogue: &Catalogue) -> Self {
        let entry = |scenario: &Scenario| FaqEntry {
            phrasings: scenario
                .utterances
                .iter()
                .map(|utterance| utterance.value.clone())
                .collect(),
            answer: answer_of(scenario),
        };
        let scenarios = catalogue.scenarios.values();
        Self {
            entries: scenarios
                .map(|scenario| (scenario.id.clone(), entry(scenario)))
                .collect(),
        }
    }

    /// The entries as a JSON list that [`Faq::from_json`] takes.
    pub fn to_json(&self) -> Value {
        let entry = |(id, entry): (&String, &FaqEntry)| match &entry.answer {
            Some(answer) => json!({"id": id, "questions": entry.phrasings, "answer": answer}),
            None => json!({"id": id, "questions": entry.phrasings}),
        };
        self.entries.iter().map(entry).collect()
    }

    /// Shortens answers that would not fit into one message and gives back the ids of their entries.
    pub fn shorten_answers(&mut self) -> Vec<String> {
        let mut shortened = Vec::new();
        for (id, entry) in &mut self.entries {
            let Some(answer) = entry.answer.as_mut().filter(|answer| answer.len() > LONGEST_ANSWER) else {
                continue;
            };
            let end = answer.floor_char_boundary(LONGEST_ANSWER.saturating_sub(CUT_OFF.len()));
            answer.truncate(end);
            answer.push_str(CUT_OFF);
            shortened.push(id.clone());
        }
        shortened
    }

    /// A list of phrasings, one phrasing, or an object that has either, and an answer perhaps.
    fn add_json(&mut self, place: Place, id: &str, entry: &Value) -> Result<(), FaqError> {
        let named = QUESTION_KEYS.into_iter().find_map(|key| entry.get(key));
        match named.unwrap_or(entry) {
            Value::String(phrasing) => self.add(place, id, phrasing)?,
            Value::Array(phrasings) => {
                for phrasing in phrasings {
                    self.add(place, id, phrasing.as_str().ok_or(FaqError::Shape(place))?)?;
                }
            }
            _ => return Err(FaqError::Shape(place)),
        }
        self.answer(id, entry.get("answer").and_then(Value::as_str));
        Ok(())
    }

    fn add(&mut self, place: Place, id: &str, phrasing: &str) -> Result<(), FaqError> {
        let id = id.trim();
        if !is_usable(id) {
            let id = id.to_owned();
            return Err(FaqError::Id { place, id });
        }
        // Line breaks and the like inside a phrasing mean nothing.
        let phrasing = phrasing.split_whitespace().collect::<Vec<_>>().join(" ");
        if phrasing.is_empty() {
            return Err(FaqError::Empty(place));
        }
        let entry = self.entries.entry(id.to_owned()).or_default();
        if !entry.phrasings.contains(&phrasing) {
            entry.phrasings.push(phrasing);
        }
        Ok(())
    }

    fn answer(&mut self, id: &str, answer: Option<&str>) {
        let answer = answer.map(str::trim).filter(|answer| !answer.is_empty());
        if let (Some(entry), Some(answer)) = (self.entries.get_mut(id.trim()), answer) {
            entry.answer = Some(answer.to_owned());
        }
    }

    fn checked(self) -> Result<Self, FaqError> {
        if self.entries.is_empty() {
            Err(FaqError::NoEntries)
        } else {
            Ok(self)
        }
    }

    /// Knowledge files for these entries, each a draft scenario. What belongs to no subject (greetings, dates, the bot's sentences) is
    /// taken from `common`; phrasings that several entries have become questions to ask back about.
    pub fn to_knowledge(&self, source: &str, today: Date, common: &[KnowledgeFile]) -> Vec<KnowledgeFile> {
        let mut owners: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (id, entry) in &self.entries {
            for phrasing in &entry.phrasings {
                owners.entry(phrasing).or_default().insert(id);
            }
        }
        let is_own = |phrasing: &str| owners.get(phrasing).is_none_or(|ids| ids.len() == 1);
        let scenarios = self.entries.iter().map(|(id, entry)| {
            let own: Vec<&str> = entry
                .phrasings
                .iter()
                .map(String::as_str)
                .filter(|phrasing| is_own(phrasing))
                .collect();
            // An entry that shares every phrasing must still have one of its own to exist.
            let own = if own.is_empty() {
                entry.phrasings.iter().take(1).map(String::as_str).collect()
            } else {
                own
            };
            KnowledgeFile {
                path: format!("scenarios/{}.toml", file_name(id)),
                text: draft(id, entry, &own, source, today),
            }
        });
        let shared = owners.iter().filter(|(_, ids)| ids.len() > 1);
        let ambiguous: String = shared.map(|(phrasing, ids)| ambiguous(phrasing, ids)).collect();
        let ambiguous = KnowledgeFile {
            path: "ambiguous.toml".to_owned(),
            text: ambiguous,
        };
        scenarios.chain([ambiguous]).chain(common.iter().cloned()).collect()
    }
}

/// Under these keys a JSON entry has its questions.
const QUESTION_KEYS: [&str; 4] = ["questions", "question", "phrasings", "phrasing"];

/// The ids of the items of a JSON list; those that say none are numbered by their answers.
#[derive(Default)]
struct Ids {
    by_answer: BTreeMap<String, usize>,
}

impl Ids {
    fn of(&mut self, item: &Value) -> Option<String> {
        let said = ["id", "entry_id"].into_iter().find_map(|key| item.get(key));
        match said {
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(id) => Some(id.as_str()?.to_owned()),
            None => {
                let answer = item.get("answer").and_then(Value::as_str)?.trim().to_owned();
                let next = self.by_answer.len().saturating_add(1);
                Some(format!("faq-{}", self.by_answer.entry(answer).or_insert(next)))
            }
        }
    }
}

/// What a scenario answers at once, in Chinese; nothing for a draft whose answer is still to be written.
fn answer_of(scenario: &Scenario) -> Option<String> {
    let sections = &scenario.answer.get(Language::Chinese).sections;
    let shown = sections.iter().filter(|(section, _)| !section.only_when_asked());
    let texts = shown.flat_map(|(_, text)| match text {
        SectionText::Plain(text) => vec![text.clone()],
        SectionText::Steps(steps) => steps.clone(),
    });
    let written = texts.filter(|text| text != NOTHING && !UNWRITTEN.contains(&text.as_str()));
    let lines: Vec<String> = written.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn is_usable(id: &str) -> bool {
    let length = id.chars().count();
    let is_plain = !id.chars().any(|letter| letter.is_control() || letter == '|');
    (1..=LONGEST_ID).contains(&length) && is_plain && !id.starts_with("ambiguous:") && !RESERVED.contains(&id)
}

/// The id as a file name: what could mean something in a path is written as a number.
fn file_name(id: &str) -> String {
    let kept = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    let letters = id.chars().map(|letter| match kept(letter) {
        true => letter.to_string(),
        false => format!("%{:02X}", u32::from(letter)),
    });
    letters.collect()
}

fn draft(id: &str, entry: &FaqEntry, own: &[&str], source: &str, today: Date) -> String {
    let id = quoted(id);
    let [answer, answer_en] = UNWRITTEN.map(|unwritten| quoted(entry.answer.as_deref().unwrap_or(unwritten)));
    let missing = quoted(NOTHING);
    let sections = |what: &str| {
        format!(
            "title = {id}\nlabel = {id}\nwhat = {what}\nwho = {missing}\nsteps = [{missing}]\ntime = {missing}\nappeal = {missing}\navoid = {missing}\n"
        )
    };
    let utterances: String = own
        .iter()
        .map(|phrasing| format!("  {},\n", quoted(phrasing)))
        .collect();
    let source = quoted(source);
    format!(
        "id = {id}\ndraft = true\naccount = \"any\"\nappeal_possible = \"no\"\nsources = [{{ name = {source}, kind = \"business\", checked = {today} }}]\n\n\
         [zh]\n{}\n[en]\n{}\n[examples]\nutterances = [\n{utterances}]\n",
        sections(&answer),
        sections(&answer_en)
    )
}

fn ambiguous(phrasing: &str, ids: &BTreeSet<&str>) -> String {
    let ids: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
    format!(
        "[[questions]]\nabout = \"imported\"\nscenarios = [{}]\nutterances = [{}]\n\n",
        ids.join(", "),
        quoted(phrasing)
    )
}

/// A JSON text is a TOML text as well, but for one control character.
fn quoted(text: &str) -> String {
    Value::from(text.replace('\u{7f}', "")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(lines: &[&str]) -> Vec<FaqRow> {
        let row = |(line, text): (usize, &&str)| FaqRow {
            line,
            cells: text.split('\t').map(str::to_owned).collect(),
        };
        (1..).zip(lines).map(row).collect()
    }

    #[test]
    fn rows_become_entries() {
        let faq = Faq::from_rows(&rows(&[
            "entry_id\tphrasing",
            "open account\t怎么开户",
            "open account\t开户流程",
            "费用.1\t\"多少钱\"?",
        ]));
        let entries = faq.unwrap().entries;
        assert_eq!(entries["open account"].phrasings, ["怎么开户", "开户流程"]);
        assert_eq!(entries["费用.1"].phrasings, ["\"多少钱\"?"]);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_line() {
        let error = |lines: &[&str]| Faq::from_rows(&rows(lines)).unwrap_err();
        assert_eq!(error(&["id\tphrasing"]), FaqError::Missing("entry_id"));
        assert_eq!(error(&["entry_id\tphrasing"]), FaqError::NoEntries);
        assert_eq!(error(&["entry_id\tphrasing", "a\t "]), FaqError::Empty(Place::Line(2)));
        for id in ["none", "", "a|b"] {
            let row = format!("{id}\tx");
            assert_eq!(
                error(&["entry_id\tphrasing", &row]),
                FaqError::Id {
                    place: Place::Line(2),
                    id: id.to_owned()
                }
            );
        }
    }

    #[test]
    fn no_id_leads_out_of_the_directory() {
        for (id, expected) in [
            ("../../etc/x", "%2E%2E%2F%2E%2E%2Fetc%2Fx"),
            ("alarm/set", "alarm%2Fset"),
            ("开户", "开户"),
        ] {
            assert_eq!(file_name(id), expected);
        }
    }

    #[test]
    fn both_shapes_of_json_are_read() {
        let object = Faq::from_json(r#"{"a": ["x", "y"], "b": ["z"]}"#).unwrap();
        let list =
            Faq::from_json(r#"[{"id": "a", "questions": ["x", "y"]}, {"id": "b", "questions": ["z"]}]"#).unwrap();
        assert_eq!(object, list);
        let shape = |text: &str| Faq::from_json(text).unwrap_err();
        assert_eq!(shape("[1]"), FaqError::Shape(Place::Entry(1)));
        assert_eq!(shape(r#"{"a": ["x"], "b": [2]}"#), FaqError::Shape(Place::Entry(2)));
        assert_eq!(shape("1"), FaqError::Shape(Place::Whole));
        assert!(matches!(Faq::from_json("{"), Err(FaqError::Json(_))));
    }

    #[test]
    fn questions_without_ids_belong_together_by_their_answers() {
        let pairs =
            r#"[{"question": "x", "answer": "A"}, {"question": "z", "answer": "B"}, {"question": "y", "answer": "A"}]"#;
        let faq = Faq::from_json(pairs).unwrap();
        assert_eq!(faq.entries["faq-1"].phrasings, ["x", "y"]);
        assert_eq!(faq.entries["faq-2"].answer.as_deref(), Some("B"));
        assert_eq!(Faq::from_json(&faq.to_json().to_string()).unwrap(), faq);
    }

    #[test]
    fn rows_that_a_spreadsheet_adds_are_left_out() {
        let faq = Faq::from_rows(&rows(&["entry_id\tphrasing\tanswer", "a\tx\tA", "\t \t", "a\ty\t"])).unwrap();
        assert_eq!(faq.entries["a"].phrasings, ["x", "y"]);
        assert_eq!(faq.entries["a"].answer.as_deref(), Some("A"));
    }

    #[test]
    fn long_answers_are_shortened_between_characters() {
        let mut faq =
            Faq::from_json(&json!([{"id": "a", "questions": ["x"], "answer": "长".repeat(700)}]).to_string()).unwrap();
        assert_eq!(faq.shorten_answers(), ["a"]);
        assert!(faq.entries["a"].answer.as_ref().unwrap().len() <= LONGEST_ANSWER);
        assert_eq!(faq.shorten_answers(), [""; 0]);
    }
}
