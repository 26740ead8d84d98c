//! `jiefeng knowledge`: check what was edited, count what there is, import and export lists of questions.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::text_file::read_text;
use super::{Failure, KnowledgeOption, print_line};
use crate::dialogue::Assistant;
use crate::knowledge::{Faq, KnowledgeFile};
use crate::learning::{MatcherFiles, check_knowledge};
use crate::workshop::{ListFormat, read_list, write_list};

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

impl Import {
    fn run(&self) -> anyhow::Result<()> {
        let name = self.file.display();
        let file = name.to_string();
        ListFormat::of(&file)?;
        let mut faq = read_list(&file, &read_text(&self.file)?)?;
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
        let format = ListFormat::of(&self.file.display().to_string())?;
        let assistant = self.knowledge.load()?;
        let text = write_list(format, &Faq::of_catalogue(&assistant.catalogue))?;
        std::fs::write(&self.file, text).with_context(|| format!("cannot write `{}`", self.file.display()))?;
        Ok(())
    }
}
