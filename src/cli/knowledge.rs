//! `jiefeng knowledge`: check what was edited, count what there is, import and export lists of questions.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::text_file::read_text;
use super::{Failure, KnowledgeOption, print_line};
use crate::dialogue::Assistant;
use crate::knowledge::{Faq, FaqRow, KnowledgeFile};
use crate::learning::{MatcherFiles, check_knowledge};

/// Check, count, import or export knowledge
#[derive(Subcommand)]
pub(super) enum Knowledge {
    /// Report every problem with file and line
    Check(KnowledgeOption),
    /// Count scenarios, utterances, slots and answer lengths
    Stats(KnowledgeOption),
    /// Make a knowledge directory of a list of questions, of any subject
    Import(Import),
    /// Write the utterances of a knowledge directory as such a list
    Export(Export),
}

/// Make a knowledge directory of a list of questions, of any subject
#[derive(Args)]
#[command(
    after_help = "FILE has a line for each phrasing, with the columns entry_id and phrasing (and answer, if there is one):
tab-separated (.tsv) or comma-separated (.csv, also as spreadsheets save it). Or it is JSON (.json), a list of questions per answer:
{\"entry\": [\"phrasing\", …]}, or [{\"id\": \"entry\", \"questions\": [\"phrasing\", …], \"answer\": \"…\"}]; without id, what
has the same answer is one entry.
What is made are draft scenarios: they are understood and measured, and their answers are to be written.

  jiefeng knowledge import faq.tsv --knowledge my-knowledge
  jiefeng ask 怎么开户 --knowledge my-knowledge
  jiefeng evaluate --folds 10 --knowledge my-knowledge"
)]
pub(super) struct Import {
    /// The list
    file: PathBuf,
    /// The directory to make; it must not exist yet, or be empty
    #[arg(long = "knowledge", value_name = "DIR")]
    directory: PathBuf,
}

/// Write the utterances of a knowledge directory as a list of questions
#[derive(Args)]
#[command(
    after_help = "CSV and JSON have the answers too, as written in Chinese; TSV, which has no line breaks in a cell, has not.

  jiefeng knowledge export utterances.tsv
  jiefeng knowledge export faq.json --knowledge my-knowledge"
)]
pub(super) struct Export {
    /// The list to write: .tsv, .csv or .json
    file: PathBuf,
    #[command(flatten)]
    knowledge: KnowledgeOption,
}

impl Knowledge {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check(option) => check(&option),
            Self::Stats(option) => {
                stats(&option.load()?);
                Ok(())
            }
            Self::Import(import) => Ok(import.run()?),
            Self::Export(export) => export.run(),
        }
    }
}

fn check(option: &KnowledgeOption) -> Result<(), Failure> {
    let directory = option.directory.display();
    let (scenarios, problems) = check_knowledge(&option.directory, &MatcherFiles::new(None))?;
    if problems.is_empty() {
        print_line(&format!("{directory}: {scenarios} scenarios, no problems"));
        return Ok(());
    }
    for problem in &problems {
        print_line(&format!("{directory}/{problem}"));
    }
    print_line(&format!("{} problem(s)", problems.len()));
    Err(Failure::FoundProblems)
}

fn stats(assistant: &Assistant) {
    let catalogue = &assistant.catalogue;
    print_line(&format!(
        "{:<26}{:>12}{:>10}{:>7}{:>9}{:>9}",
        "scenario", "utterances", "not this", "slots", "zh bytes", "en bytes"
    ));
    for scenario in catalogue.scenarios.values() {
        let (zh, en) = assistant.answer_bytes(scenario);
        print_line(&format!(
            "{:<26}{:>12}{:>10}{:>7}{:>9}{:>9}",
            scenario.id,
            scenario.utterances.len(),
            scenario.not_this.len(),
            scenario.slots.len(),
            zh,
            en
        ));
    }
    let utterances: usize = catalogue
        .scenarios
        .values()
        .map(|scenario| scenario.utterances.len())
        .sum();
    let smalltalk: usize = catalogue.intents.iter().map(|intent| intent.utterances.len()).sum();
    print_line(&format!(
        "\n{} scenarios with {utterances} utterances; {} intents with {smalltalk}; {} questions outside the subject; version {}",
        catalogue.scenarios.len(),
        catalogue.intents.len(),
        catalogue.outside.len(),
        assistant.version
    ));
}

/// What an imported knowledge directory shares with every other.
const COMMON: [(&str, &str); 3] = [
    ("texts.toml", include_str!("../../knowledge/texts.toml")),
    ("smalltalk.toml", include_str!("../../knowledge/smalltalk.toml")),
    ("conversation.toml", include_str!("../../knowledge/conversation.toml")),
];

/// What stands in for words that belong to a subject: none of ours fit another one.
const NEUTRAL: [(&str, &str); 2] = [
    (
        "lexicon.toml",
        "fillers = [\"请问\", \"麻烦\", \"谢谢\", \"你好\", \"您好\", \"一下\", \"啊\", \"呀\", \"呢\", \"please\"]\n[aliases]\n",
    ),
    (
        "outside.toml",
        "[[topics]]\nid = \"nonsense\"\nabout = \"Nothing readable\"\nutterances = [\"asdf\", \"1111\", \"？？？\", \"啊啊啊\", \"test\"]\n",
    ),
];

const WORKDAYS: [(&str, &str); 2] = [
    ("workdays/2025.toml", include_str!("../../knowledge/workdays/2025.toml")),
    ("workdays/2026.toml", include_str!("../../knowledge/workdays/2026.toml")),
];

/// How a list of questions is written.
#[derive(Clone, Copy)]
enum ListFormat {
    Separated(u8),
    Json,
}

impl ListFormat {
    fn of(file: &Path) -> anyhow::Result<Self> {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("tsv" | "txt") => Ok(Self::Separated(b'\t')),
            Some("csv") => Ok(Self::Separated(b',')),
            Some("json") => Ok(Self::Json),
            _ => anyhow::bail!("`{}` must end in .tsv, .csv or .json", file.display()),
        }
    }
}

impl Import {
    fn run(&self) -> anyhow::Result<()> {
        let name = self.file.display();
        let mut faq = read_list(&self.file)?;
        let shortened = faq.shorten_answers();
        let common = COMMON.into_iter().chain(NEUTRAL).chain(WORKDAYS);
        let common: Vec<KnowledgeFile> = common
            .map(|(path, text)| KnowledgeFile {
                path: path.to_owned(),
                text: text.to_owned(),
            })
            .collect();
        let today = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
        write_directory(
            &self.directory,
            &faq.to_knowledge(&format!("imported from {name}"), today, &common),
        )?;
        let phrasings: usize = faq.entries.values().map(|entry| entry.phrasings.len()).sum();
        let (entries, directory) = (faq.entries.len(), self.directory.display());
        print_line(&format!(
            "{directory}: {entries} draft scenarios with {phrasings} utterances; write their answers before you ship them"
        ));
        if !shortened.is_empty() {
            print_line(&format!(
                "shortened, since one message does not hold their answers: {}",
                shortened.join(", ")
            ));
        }
        Ok(())
    }
}

fn read_list(file: &Path) -> anyhow::Result<Faq> {
    let name = file.display();
    let format = ListFormat::of(file)?;
    let text = read_text(file)?;
    let faq = match format {
        ListFormat::Json => Faq::from_json(&text),
        ListFormat::Separated(separator) => {
            Faq::from_rows(&rows_of(&text, separator).with_context(|| format!("`{name}`"))?)
        }
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

fn write_directory(directory: &Path, files: &[KnowledgeFile]) -> anyhow::Result<()> {
    let name = directory.display();
    let occupied = directory.exists()
        && directory
            .read_dir()
            .map_or(true, |mut entries| entries.next().is_some());
    anyhow::ensure!(!occupied, "`{name}` exists and is not empty; name a new directory");
    for file in files {
        let path = directory.join(&file.path);
        let folder = path.parent().unwrap_or(directory);
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        std::fs::write(&path, &file.text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

impl Export {
    fn run(&self) -> Result<(), Failure> {
        let format = ListFormat::of(&self.file)?;
        let assistant = self.knowledge.load()?;
        let faq = Faq::of_catalogue(&assistant.catalogue);
        let text = match format {
            ListFormat::Json => serde_json::to_string_pretty(&faq.to_json()).map_err(anyhow::Error::from)? + "\n",
            ListFormat::Separated(b',') => comma_separated(&faq)?,
            ListFormat::Separated(separator) => separated(&faq, separator)?,
        };
        std::fs::write(&self.file, text).with_context(|| format!("cannot write `{}`", self.file.display()))?;
        Ok(())
    }
}

/// Phrasings alone: there is no quoting, so a cell cannot hold the lines of an answer.
fn separated(faq: &Faq, separator: u8) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new();
    let writer = writer.delimiter(separator).quote_style(csv::QuoteStyle::Never);
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
