//! A list of entries with phrasings, of any subject, as knowledge files; and back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use super::{Catalogue, KnowledgeFile};

/// Longest id of an entry, in characters; it becomes a file name.
const LONGEST_ID: usize = 64;

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

/// Entries by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faq {
    /// Every entry.
    pub entries: BTreeMap<String, FaqEntry>,
}

/// Why a list cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaqError {
    /// A column or key is missing.
    #[error("has no `{0}`; the columns are entry_id and phrasing, and answer if there is one")]
    Missing(&'static str),
    /// An id that cannot be a file name or means something else.
    #[error(
        "line {line}: `{id}` cannot be an entry_id: it needs 1 to 64 characters without |, and none, smalltalk and human mean something else"
    )]
    Id {
        /// Line or place, counted from 1.
        line: usize,
        /// The id.
        id: String,
    },
    /// A phrasing that is empty.
    #[error("line {0}: the phrasing is empty")]
    Empty(usize),
    /// Not JSON.
    #[error("is no JSON: {0}")]
    Json(String),
    /// JSON of another shape.
    #[error(
        "must be a JSON object {{\"entry\": [\"phrasing\", …]}} or a list of {{\"id\": …, \"questions\": […], \"answer\": …}}"
    )]
    Shape,
    /// Nothing to import.
    #[error("has no entries")]
    NoEntries,
}

impl Faq {
    /// Takes the rows of a table; the first one names the columns.
    ///
    /// # Errors
    ///
    /// The first row that cannot be used.
    pub fn from_rows(rows: &[Vec<String>]) -> Result<Self, FaqError> {
        let header = rows.first().ok_or(FaqError::NoEntries)?;
        let place = |name: &str| header.iter().position(|column| column.trim() == name);
        let id_column = place("entry_id").ok_or(FaqError::Missing("entry_id"))?;
        let phrasing_column = place("phrasing").ok_or(FaqError::Missing("phrasing"))?;
        let answer_column = place("answer");
        let mut faq = Self::default();
        for (line, row) in (2..).zip(rows.iter().skip(1)) {
            let cell = |column: usize| row.get(column).map(|cell| cell.trim()).unwrap_or_default();
            faq.add(line, cell(id_column), cell(phrasing_column))?;
            let answer = answer_column.map(cell).filter(|answer| !answer.is_empty());
            faq.answer(cell(id_column), answer);
        }
        faq.checked()
    }

    /// Takes a JSON object of lists, or a list of objects.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, FaqError> {
        let value: Value = serde_json::from_str(text).map_err(|error| FaqError::Json(error.to_string()))?;
        let mut faq = Self::default();
        match &value {
            Value::Object(entries) => {
                for (place, (id, phrasings)) in (1..).zip(entries) {
                    faq.add_all(place, id, phrasings)?;
                }
            }
            Value::Array(items) => {
                for (place, item) in (1..).zip(items) {
                    let id = item.get("id").and_then(Value::as_str).ok_or(FaqError::Shape)?;
                    faq.add_all(place, id, item.get("questions").ok_or(FaqError::Shape)?)?;
                    faq.answer(id, item.get("answer").and_then(Value::as_str));
                }
            }
            _ => return Err(FaqError::Shape),
        }
        faq.checked()
    }

    /// The utterances of a catalogue's scenarios.
    pub fn of_catalogue(catalogue: &Catalogue) -> Self {
        let entry = |scenario: &super::Scenario| FaqEntry {
            phrasings: scenario
                .utterances
                .iter()
                .map(|utterance| utterance.value.clone())
                .collect(),
            answer: None,
        };
        let scenarios = catalogue.scenarios.values();
        Self {
            entries: scenarios
                .map(|scenario| (scenario.id.clone(), entry(scenario)))
                .collect(),
        }
    }

    fn add_all(&mut self, place: usize, id: &str, phrasings: &Value) -> Result<(), FaqError> {
        for phrasing in phrasings.as_array().ok_or(FaqError::Shape)? {
            self.add(place, id, phrasing.as_str().ok_or(FaqError::Shape)?)?;
        }
        Ok(())
    }

    fn add(&mut self, line: usize, id: &str, phrasing: &str) -> Result<(), FaqError> {
        let id = id.trim();
        if !is_usable(id) {
            return Err(FaqError::Id {
                line,
                id: id.to_owned(),
            });
        }
        // Line breaks and the like inside a phrasing mean nothing.
        let phrasing = phrasing.split_whitespace().collect::<Vec<_>>().join(" ");
        if phrasing.is_empty() {
            return Err(FaqError::Empty(line));
        }
        let entry = self.entries.entry(id.to_owned()).or_default();
        if !entry.phrasings.contains(&phrasing) {
            entry.phrasings.push(phrasing);
        }
        Ok(())
    }

    fn answer(&mut self, id: &str, answer: Option<&str>) {
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
    let answer = quoted(entry.answer.as_deref().unwrap_or("（答案还没写）"));
    let answer_en = quoted(entry.answer.as_deref().unwrap_or("(the answer is still to be written)"));
    let missing = quoted("—");
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

    fn rows(lines: &[&str]) -> Vec<Vec<String>> {
        lines
            .iter()
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect()
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
        assert_eq!(error(&["entry_id\tphrasing", "a\t "]), FaqError::Empty(2));
        for id in ["none", "", "a|b"] {
            let row = format!("{id}\tx");
            assert_eq!(
                error(&["entry_id\tphrasing", &row]),
                FaqError::Id {
                    line: 2,
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
        assert_eq!(Faq::from_json("[1]").unwrap_err(), FaqError::Shape);
        assert!(matches!(Faq::from_json("{"), Err(FaqError::Json(_))));
    }
}
