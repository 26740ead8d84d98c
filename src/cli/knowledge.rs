//! `jiefeng knowledge`: check what was edited, count what there is, import and export lists of questions.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Failure, KnowledgeOption, print_line};
use crate::app::LoadError;
use crate::checked_toml::Problem;
use crate::dialogue::{Assistant, NoCache};
use crate::knowledge::{Faq, KnowledgeFile};

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
tab-separated (.tsv), comma-separated (.csv), or JSON (.json): {\"entry\": [\"phrasing\", …]}.
What is made are draft scenarios: they are understood and measured, and their answers are to be written.

  jiefeng knowledge import faq.tsv --knowledge my-knowledge
  jiefeng ask 怎么开户 --knowledge my-knowledge"
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
#[command(after_help = "  jiefeng knowledge export utterances.tsv
  jiefeng knowledge export utterances.json --knowledge my-knowledge")]
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
    match crate::app::load_assistant(&option.directory, &NoCache) {
        Ok(assistant) if !assistant.misplaced.is_empty() => found(option, &assistant.misplaced),
        Ok(assistant) => {
            let (directory, count) = (option.directory.display(), assistant.catalogue.scenarios.len());
            print_line(&format!("{directory}: {count} scenarios, no problems"));
            Ok(())
        }
        Err(LoadError::Unreadable(error)) => Err(Failure::CannotRun(error)),
        Err(LoadError::Problems(problems)) => found(option, &problems),
    }
}

fn found(option: &KnowledgeOption, problems: &[Problem]) -> Result<(), Failure> {
    for problem in problems {
        print_line(&format!("{}/{problem}", option.directory.display()));
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
        assistant.version.get(..12).unwrap_or_default()
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
        let text = std::fs::read_to_string(&self.file).with_context(|| format!("cannot read `{name}`"))?;
        let text = text.trim_start_matches('\u{feff}');
        let faq = match ListFormat::of(&self.file)? {
            ListFormat::Json => Faq::from_json(text),
            ListFormat::Separated(separator) => {
                Faq::from_rows(&rows_of(text, separator).with_context(|| format!("`{name}`"))?)
            }
        };
        let faq = faq.map_err(|error| anyhow::anyhow!("`{name}` {error}"))?;
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
        Ok(())
    }
}

/// Tab-separated lists have no quoting: a quotation mark is part of the phrasing.
fn rows_of(text: &str, separator: u8) -> anyhow::Result<Vec<Vec<String>>> {
    let mut reader = csv::ReaderBuilder::new();
    reader
        .delimiter(separator)
        .quoting(separator == b',')
        .has_headers(false)
        .flexible(true);
    let records = reader.from_reader(text.as_bytes()).into_records();
    records
        .map(|record| Ok(record?.iter().map(str::to_owned).collect()))
        .collect()
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
            ListFormat::Json => json_of(&faq)?,
            ListFormat::Separated(separator) => table_of(&faq, separator)?,
        };
        std::fs::write(&self.file, text).with_context(|| format!("cannot write `{}`", self.file.display()))?;
        Ok(())
    }
}

fn json_of(faq: &Faq) -> anyhow::Result<String> {
    let lists = faq
        .entries
        .iter()
        .map(|(id, entry)| (id.clone(), serde_json::Value::from(entry.phrasings.clone())));
    Ok(serde_json::to_string_pretty(&serde_json::Value::Object(lists.collect()))? + "\n")
}

fn table_of(faq: &Faq, separator: u8) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new();
    let style = if separator == b',' {
        csv::QuoteStyle::Necessary
    } else {
        csv::QuoteStyle::Never
    };
    let mut writer = writer.delimiter(separator).quote_style(style).from_writer(Vec::new());
    writer.write_record(["entry_id", "phrasing"])?;
    for (id, entry) in &faq.entries {
        for phrasing in &entry.phrasings {
            writer.write_record([id, phrasing])?;
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
