//! Lists of questions as files: tab-separated, comma-separated or JSON.

use anyhow::Context;

use crate::knowledge::{Faq, FaqRow};

/// How a list of questions is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListFormat {
    /// Tab-separated, without quoting.
    Tsv,
    /// Comma-separated, quoted as spreadsheets do.
    Csv,
    /// JSON.
    Json,
}

impl ListFormat {
    /// By the end of a file's name.
    ///
    /// # Errors
    ///
    /// A name with another end.
    pub fn of(name: &str) -> anyhow::Result<Self> {
        match name.rsplit_once('.').map(|(_, end)| end) {
            Some("tsv" | "txt") => Ok(Self::Tsv),
            Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            _ => anyhow::bail!("`{name}` must end in .tsv, .csv or .json"),
        }
    }
}

/// Reads a list from the text of a file of this name.
///
/// # Errors
///
/// The first entry that cannot be used.
pub fn read_list(name: &str, text: &str) -> anyhow::Result<Faq> {
    let text = text.trim_start_matches('\u{feff}');
    let rows = |separator| rows_of(text, separator).with_context(|| format!("`{name}`"));
    let faq = match ListFormat::of(name)? {
        ListFormat::Json => Faq::from_json(text),
        ListFormat::Tsv => Faq::from_rows(&rows(b'\t')?),
        ListFormat::Csv => Faq::from_rows(&rows(b',')?),
    };
    faq.map_err(|error| anyhow::anyhow!("`{name}` {error}"))
}

/// Tab-separated lists have no quoting: a quotation mark is part of the phrasing.
fn rows_of(text: &str, separator: u8) -> anyhow::Result<Vec<FaqRow>> {
    let mut reader = csv::ReaderBuilder::new();
    reader
        .delimiter(separator)
        .quoting(separator == b',')
        .has_headers(false)
        .flexible(true);
    let records = reader.from_reader(text.as_bytes()).into_records();
    records.map(|record| Ok(row_of(&record?))).collect()
}

fn row_of(record: &csv::StringRecord) -> FaqRow {
    let line = record.position().map(csv::Position::line).unwrap_or_default();
    FaqRow {
        line: usize::try_from(line).unwrap_or(usize::MAX),
        cells: record.iter().map(str::to_owned).collect(),
    }
}

/// Writes a list.
///
/// # Errors
///
/// None that is known of.
pub fn write_list(format: ListFormat, faq: &Faq) -> anyhow::Result<String> {
    match format {
        ListFormat::Json => Ok(serde_json::to_string_pretty(&faq.to_json())? + "\n"),
        ListFormat::Csv => comma_separated(faq),
        ListFormat::Tsv => tab_separated(faq),
    }
}

/// Phrasings alone: there is no quoting, so a cell cannot hold the lines of an answer.
fn tab_separated(faq: &Faq) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new();
    let writer = writer.delimiter(b'\t').quote_style(csv::QuoteStyle::Never);
    let mut writer = writer.from_writer(Vec::new());
    writer.write_record(["entry_id", "phrasing"])?;
    for (id, entry) in &faq.entries {
        for phrasing in &entry.phrasings {
            writer.write_record([id, phrasing])?;
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// Phrasings, and the answer of each entry beside its first one.
fn comma_separated(faq: &Faq) -> anyhow::Result<String> {
    let has_answers = faq.entries.values().any(|entry| entry.answer.is_some());
    let columns = if has_answers { 3 } else { 2 };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["entry_id", "phrasing", "answer"].iter().take(columns))?;
    for (id, entry) in &faq.entries {
        let answers = entry.answer.as_deref().into_iter().chain(std::iter::repeat(""));
        for (phrasing, answer) in entry.phrasings.iter().zip(answers) {
            writer.write_record([id.as_str(), phrasing, answer].iter().take(columns))?;
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
