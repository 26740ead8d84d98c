//! `jiefeng knowledge`: check what was edited, count what there is.

use clap::Subcommand;

use super::{Failure, KnowledgeOption, print_line};
use crate::app::LoadError;
use crate::dialogue::{Assistant, NoCache};

/// Check the knowledge, or count what it holds
#[derive(Subcommand)]
pub(super) enum Knowledge {
    /// Report every problem with file and line
    Check(KnowledgeOption),
    /// Count scenarios, utterances, slots and answer lengths
    Stats(KnowledgeOption),
}

impl Knowledge {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check(option) => check(&option),
            Self::Stats(option) => {
                stats(&option.load()?);
                Ok(())
            }
        }
    }
}

fn check(option: &KnowledgeOption) -> Result<(), Failure> {
    match crate::app::load_assistant(&option.directory, &NoCache) {
        Ok(assistant) => {
            let count = assistant.catalogue.scenarios.len();
            print_line(&format!(
                "{}: {count} scenarios, no problems",
                option.directory.display()
            ));
            Ok(())
        }
        Err(LoadError::Unreadable(error)) => Err(Failure::CannotRun(error)),
        Err(LoadError::Problems(problems)) => {
            for problem in &problems {
                print_line(&format!("{}/{problem}", option.directory.display()));
            }
            print_line(&format!("{} problem(s)", problems.len()));
            Err(Failure::FoundProblems)
        }
    }
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
