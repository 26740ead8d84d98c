//! Reading TOML so that every problem is reported, each with file, line and key.
//!
//! A [`Report`] collects the problems; a [`Table`] hands out values by key, notes what is missing or of the wrong kind, and
//! [`Table::finish`] reports the keys nobody asked for. Reading goes on after a problem, so that one run shows them all.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something wrong in a file, in words for the person who edits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File name as the person knows it.
    pub file: String,
    /// Line in that file, counted from 1; `None` when the problem is about the file as a whole.
    pub line: Option<usize>,
    /// Dotted key, empty when the problem is not about one key.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        write!(out, ": ")?;
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        write!(out, "{}", self.message)
    }
}

/// All problems found so far, and on which line each key of the files stands, for problems that show only later.
#[derive(Debug, Default)]
pub struct Report {
    problems: RefCell<Vec<Problem>>,
    lines: RefCell<BTreeMap<String, LinesOfKeys>>,
    unreadable: Cell<bool>,
}

/// The line of every key of a file, by dotted key; `""` is the file itself.
type LinesOfKeys = BTreeMap<String, usize>;

impl Report {
    /// Notes a problem.
    pub fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Notes a problem with a key of a file that was read, on the line of the key; where the key is missing, on that of the table that
    /// should have it. Elements of lists are counted from 1: `slots[1].values[2].goes_to`.
    pub fn about(&self, file: &str, key: &str, message: impl Into<String>) {
        self.add(Problem {
            file: file.to_owned(),
            line: self.line_of(file, key),
            key: key.to_owned(),
            message: message.into(),
        });
    }

    fn line_of(&self, file: &str, key: &str) -> Option<usize> {
        let files = self.lines.borrow();
        let lines = files.get(file)?;
        let around = std::iter::successors(Some(key), |key| {
            (!key.is_empty()).then(|| key.rfind(['.', '[']).and_then(|end| key.get(..end)).unwrap_or_default())
        });
        around.filter_map(|key| lines.get(key)).copied().next()
    }

    /// Notes that something could not be read at all.
    pub fn note_unreadable(&self) {
        self.unreadable.set(true);
    }

    /// Whether something could not be read at all, so that what is seen of the rest may be misleading.
    pub fn has_unreadable(&self) -> bool {
        self.unreadable.get()
    }

    /// Whether nothing has been reported.
    pub fn is_empty(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// The problems, sorted by file and line.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        problems.dedup();
        problems
    }
}

/// The text of one file with its name, for turning byte offsets into lines.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// File name as the person knows it.
    pub file: &'a str,
    /// Whole text.
    pub text: &'a str,
}

/// Where the lines of a text start.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(text: &str) -> Self {
        let behind_newlines = text.match_indices('\n').map(|(newline, _)| newline.saturating_add(1));
        Self(std::iter::once(0).chain(behind_newlines).collect())
    }

    /// The line on which a byte stands, counted from 1.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    fn line_of(&self, value: &Spanned<DeValue<'_>>) -> usize {
        self.line(value.span().start)
    }

    /// The lines of all keys of a table and of the tables in it.
    fn note(&self, table: &DeTable<'_>, path: &str, noted: &mut LinesOfKeys) {
        for (name, value) in table {
            let path = joined(path, name.get_ref());
            match value.get_ref() {
                DeValue::Table(nested) => self.note(nested, &path, noted),
                DeValue::Array(items) => self.note_items(items, &path, noted),
                _ => {}
            }
            noted.insert(path, self.line_of(value));
        }
    }

    fn note_items<'t>(
        &self,
        items: impl IntoIterator<Item = &'t Spanned<DeValue<'t>>>,
        path: &str,
        noted: &mut LinesOfKeys,
    ) {
        for (number, item) in (1_usize..).zip(items) {
            if let DeValue::Table(nested) = item.get_ref() {
                let path = format!("{path}[{number}]");
                self.note(nested, &path, noted);
                noted.insert(path, self.line_of(item));
            }
        }
    }
}

/// The dotted key of `key` in the table at `path`.
fn joined(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

/// Parses a document and hands its root table to `read`. Syntax errors are reported, all of them, and `read` is then not called.
pub fn read_document<T>(
    source: Source<'_>,
    report: &Report,
    read: impl FnOnce(&mut Table<'_>) -> Option<T>,
) -> Option<T> {
    let starts = LineStarts::of(source.text);
    let (root, errors) = DeTable::parse_recoverable(source.text);
    let mut last_line = None;
    for error in &errors {
        let line = error.span().map(|span| starts.line(span.start));
        // What follows on the same line is mostly an echo of the first error.
        if line.is_some() && line == last_line {
            continue;
        }
        last_line = line;
        let message = format!("not valid TOML: {}", error.message());
        report.add(Problem {
            file: source.file.to_owned(),
            line,
            key: String::new(),
            message,
        });
    }
    if !errors.is_empty() {
        report.note_unreadable();
        return None;
    }
    let mut noted = LinesOfKeys::from([(String::new(), 1)]);
    starts.note(root.get_ref(), "", &mut noted);
    report.lines.borrow_mut().insert(source.file.to_owned(), noted);
    let mut table = Table {
        source,
        starts: &starts,
        report,
        entries: root.get_ref(),
        line: 1,
        path: String::new(),
        asked: BTreeSet::new(),
    };
    let value = read(&mut table);
    table.finish();
    value
}

/// One table of a document being read.
pub struct Table<'a> {
    source: Source<'a>,
    starts: &'a LineStarts,
    report: &'a Report,
    entries: &'a DeTable<'a>,
    line: usize,
    path: String,
    asked: BTreeSet<String>,
}

/// A value with the line it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Line of the file, counted from 1.
    pub line: usize,
}

impl<'a> Table<'a> {
    /// Line on which this table starts.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Line on which `key` of this table stands; that of the table when it is missing.
    pub fn line_of_key(&self, key: &str) -> usize {
        self.entries.get(key).map_or(self.line, |value| self.line_of(value))
    }

    /// Whether something stands under `key`, whatever it is.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Reports a problem with `key` of this table, or with one further down: `values[2].id`.
    pub fn problem(&self, key: &str, message: impl Into<String>) {
        self.report.about(self.source.file, &self.key_path(key), message);
    }

    /// Reports a problem on a line that was noted earlier.
    pub fn problem_at(&self, line: usize, key: &str, message: impl Into<String>) {
        let file = self.source.file.to_owned();
        self.report.add(Problem {
            file,
            line: Some(line),
            key: self.key_path(key),
            message: message.into(),
        });
    }

    /// All keys of this table, marked as asked for.
    pub fn keys(&mut self) -> Vec<String> {
        let keys: Vec<&'a str> = self.entries.keys().map(|key| key.get_ref().as_ref()).collect();
        self.asked.extend(keys.iter().map(|key| (*key).to_owned()));
        keys.into_iter().map(str::to_owned).collect()
    }

    /// A text that may be missing.
    pub fn optional_text(&mut self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        let text = self.expect_kind(key, value, "a text in quotes", |value| {
            value.as_str().map(str::to_owned)
        })?;
        if text.trim().is_empty() {
            self.problem(key, "is empty; write the text or remove the key");
            return None;
        }
        Some(text)
    }

    /// A text that must be there.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.require(key);
        self.optional_text(key)
    }

    /// `true` or `false`, or `default` when missing.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        self.expect_kind(key, value, "true or false", DeValue::as_bool)
    }

    /// A whole number that may be missing.
    pub fn optional_integer(&mut self, key: &str) -> Option<i64> {
        let value = self.take(key)?;
        self.expect_kind(key, value, "a whole number", whole_number)
    }

    /// A whole number that must be there.
    pub fn integer(&mut self, key: &str) -> Option<i64> {
        self.require(key);
        self.optional_integer(key)
    }

    /// A list of whole numbers; empty when missing.
    pub fn integers(&mut self, key: &str) -> Vec<i64> {
        let numbers = self.list(key, "a whole number", whole_number);
        numbers.into_iter().map(|number| number.value).collect()
    }

    /// A date such as `2026-11-22` that must be there.
    pub fn date(&mut self, key: &str) -> Option<Date> {
        self.require(key);
        let value = self.take(key)?;
        self.expect_kind(key, value, "a date like 2026-11-22, without quotes", civil_date)
    }

    /// A list of dates; empty when missing.
    pub fn dates(&mut self, key: &str) -> Vec<Date> {
        self.list(key, "a date like 2026-11-22, without quotes", civil_date)
            .into_iter()
            .map(|date| date.value)
            .collect()
    }

    /// A list of texts with their lines; empty when missing.
    pub fn texts(&mut self, key: &str) -> Vec<Located<String>> {
        let texts = self.list(key, "a text in quotes", |value| value.as_str().map(str::to_owned));
        for text in texts.iter().filter(|text| text.value.trim().is_empty()) {
            self.problem_at(text.line, key, "has an empty text; write it or remove it");
        }
        texts
    }

    /// A list of texts that must be there and not be empty.
    pub fn required_texts(&mut self, key: &str) -> Option<Vec<Located<String>>> {
        self.require(key);
        let present = self.entries.contains_key(key);
        let texts = self.texts(key);
        if present && texts.is_empty() {
            self.problem(key, "is an empty list; give at least one entry");
        }
        (!texts.is_empty()).then_some(texts)
    }

    /// One of `choices`, that may be missing.
    pub fn optional_choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.optional_text(key)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.problem(key, format!("is `{text}`; it must be one of: {}", names.join(", ")));
        }
        found
    }

    /// One of `choices`, that must be there.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        self.require(key);
        self.optional_choice(key, choices)
    }

    /// Reads a sub-table if it is there.
    pub fn optional_table<T>(&mut self, key: &str, read: impl FnOnce(&mut Table<'a>) -> Option<T>) -> Option<T> {
        let (name, value) = self.entries.get_key_value(key)?;
        self.asked.insert(name.get_ref().to_string());
        let entries = self.expect_table(key, value)?;
        self.read_nested(self.key_path(key), self.line_of(value), entries, read)
    }

    /// Reads a sub-table that must be there.
    pub fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Table<'a>) -> Option<T>) -> Option<T> {
        self.require(key);
        self.optional_table(key, read)
    }

    /// Reads every table of a list of tables; none when the key is missing.
    pub fn tables<T>(&mut self, key: &str, mut read: impl FnMut(&mut Table<'a>) -> Option<T>) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Some(items) = self.expect_kind(key, value, "a list of tables", |value| value.as_array()) else {
            return Vec::new();
        };
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let Some(entries) = self.expect_table(key, item) else {
                continue;
            };
            let path = format!("{}[{}]", self.key_path(key), index.saturating_add(1));
            values.extend(self.read_nested(path, self.line_of(item), entries, &mut read));
        }
        values
    }

    /// Reports every key that was not asked for.
    fn finish(&self) {
        for (name, value) in self.entries {
            let name = name.get_ref().as_ref();
            if !self.asked.contains(name) {
                let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
                let message = format!("unknown key; known here: {}", known.join(", "));
                self.problem_at(self.line_of(value), name, message);
            }
        }
    }

    fn read_nested<T>(
        &self,
        path: String,
        line: usize,
        entries: &'a DeTable<'a>,
        read: impl FnOnce(&mut Table<'a>) -> Option<T>,
    ) -> Option<T> {
        let mut table = Table {
            source: self.source,
            starts: self.starts,
            report: self.report,
            entries,
            line,
            path,
            asked: BTreeSet::new(),
        };
        let value = read(&mut table);
        table.finish();
        value
    }

    fn list<T>(&mut self, key: &str, kind: &str, read: impl Fn(&'a DeValue<'a>) -> Option<T>) -> Vec<Located<T>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Some(items) = self.expect_kind(key, value, "a list", |value| value.as_array()) else {
            return Vec::new();
        };
        let read_item = |item: &'a Spanned<DeValue<'a>>| {
            let value = self.expect_kind(key, item, kind, &read)?;
            Some(Located {
                value,
                line: self.line_of(item),
            })
        };
        items.iter().filter_map(read_item).collect()
    }

    fn take(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.insert(key.to_owned());
        self.entries.get(key)
    }

    fn require(&mut self, key: &str) {
        self.asked.insert(key.to_owned());
        if !self.entries.contains_key(key) {
            self.problem_at(self.line, key, "is missing");
        }
    }

    fn expect_table(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Option<&'a DeTable<'a>> {
        self.expect_kind(key, value, "a table", |value| value.as_table())
    }

    fn expect_kind<T>(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'a>>,
        kind: &str,
        read: impl Fn(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        let found = read(value.get_ref());
        if found.is_none() {
            let message = format!("must be {kind}, but is {}", value.get_ref().type_str());
            self.problem_at(self.line_of(value), key, message);
        }
        found
    }

    fn line_of(&self, value: &Spanned<DeValue<'_>>) -> usize {
        self.starts.line_of(value)
    }

    fn key_path(&self, key: &str) -> String {
        joined(&self.path, key)
    }
}

fn whole_number(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn civil_date(value: &DeValue<'_>) -> Option<Date> {
    let datetime = value.as_datetime()?;
    if datetime.time.is_some() || datetime.offset.is_some() {
        return None;
    }
    let date = datetime.date?;
    Date::new(
        i16::try_from(date.year).ok()?,
        i8::try_from(date.month).ok()?,
        i8::try_from(date.day).ok()?,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str, read: impl FnOnce(&mut Table<'_>) -> Option<()>) -> Vec<String> {
        let report = Report::default();
        read_document(Source { file: "a.toml", text }, &report, read);
        report.into_problems().iter().map(Problem::to_string).collect()
    }

    #[test]
    fn every_problem_is_reported_with_its_line() {
        let text = "id = 3\ntypo = 1\n[zh]\ntitel = \"x\"\n";
        let problems = problems_of(text, |table| {
            table.text("id");
            table.text("account");
            table.table("zh", |zh| zh.text("title").map(drop))
        });
        assert_eq!(
            problems,
            [
                "a.toml:1: id: must be a text in quotes, but is integer",
                "a.toml:1: account: is missing",
                "a.toml:2: typo: unknown key; known here: account, id, zh",
                "a.toml:3: zh.title: is missing",
                "a.toml:4: zh.titel: unknown key; known here: title",
            ]
        );
    }

    #[test]
    fn every_syntax_error_is_reported() {
        let problems = problems_of("a = \nb = 1\nc = = 2\n", |_| {
            panic!("a broken document must not be read")
        });
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("a.toml:1: not valid TOML"), "{problems:?}");
        assert!(problems[1].starts_with("a.toml:3: not valid TOML"), "{problems:?}");
    }

    #[test]
    fn entries_of_lists_carry_their_own_lines() {
        let report = Report::default();
        let source = Source {
            file: "a.toml",
            text: "list = [\n  \"一\",\n  \"二\",\n]\n",
        };
        let lines = read_document(source, &report, |table| {
            Some(table.texts("list").iter().map(|text| text.line).collect::<Vec<_>>())
        });
        assert_eq!(lines, Some(vec![2, 3]));
    }

    #[test]
    fn a_problem_that_shows_later_has_the_line_of_its_key() {
        let report = Report::default();
        let text = "id = 1\n[[slots]]\nid = \"a\"\n[[slots]]\nid = \"b\"\n";
        read_document(Source { file: "a.toml", text }, &report, |table| Some(table.keys()));
        for key in ["slots[2].id", "slots[2].values[1].id", "nowhere"] {
            report.about("a.toml", key, "x");
        }
        report.about("b.toml", "id", "x");
        let problems: Vec<String> = report.into_problems().iter().map(Problem::to_string).collect();
        let expected = [
            "a.toml:1: nowhere: x",
            "a.toml:4: slots[2].values[1].id: x",
            "a.toml:5: slots[2].id: x",
            "b.toml: id: x",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn dates_must_be_whole_dates() {
        let problems = problems_of("day = 2026-11-22T10:00:00Z\n", |table| table.date("day").map(drop));
        assert_eq!(
            problems,
            ["a.toml:1: day: must be a date like 2026-11-22, without quotes, but is datetime"]
        );
    }
}
