//! The changes that are made most often, each where it belongs and with everything else left as it was written.

use jiff::civil::Date;

use super::draft::Draft;
use super::known::{KnownAt, KnownQuestions};
use super::new_scenario::NewScenario;
use super::toml_text::TomlText;
use crate::knowledge::{Catalogue, DecisionThresholds, KnowledgeFiles, Language};

/// The topic of `outside.toml` that takes what employees asked.
const ASKED: [(&str, &str); 2] = [("id", "asked"), ("about", "Asked by employees, and not our subject")];

/// A change of the knowledge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Questions that a scenario answers.
    AddUtterances {
        /// Its id.
        scenario: String,
        /// The questions.
        questions: Vec<String>,
    },
    /// A question is no example of a scenario any more.
    RemoveUtterance {
        /// Its id.
        scenario: String,
        /// The question.
        question: String,
    },
    /// A question that was taken for a scenario and is not meant by it.
    ///
    /// It stands in `examples.not_this` of the scenario that it is mistaken for, because that is where somebody looks who wonders why the
    /// scenario does not answer it; what is learnt from it goes to the one that it belongs to, or to what is not our subject. `denied_by`
    /// would be too strong (it holds words that exclude the scenario in every question), and `ambiguous.toml` is for questions that
    /// several scenarios answer.
    AddCounterExample {
        /// Id of the scenario that it is mistaken for.
        scenario: String,
        /// The question.
        question: String,
        /// Id of the scenario that it belongs to, or [`crate::knowledge::OUTSIDE`].
        belongs_to: String,
    },
    /// Questions that are not our subject: they go into `outside.toml`, under a topic of their own.
    AddOutside {
        /// The questions.
        questions: Vec<String>,
    },
    /// Another heading.
    SetTitle {
        /// The scenario's id.
        scenario: String,
        /// Chinese or English.
        language: Language,
        /// The heading.
        title: String,
    },
    /// Other steps.
    SetSteps {
        /// The scenario's id.
        scenario: String,
        /// Chinese or English.
        language: Language,
        /// The steps in order.
        steps: Vec<String>,
    },
    /// From which probabilities on the bot answers, asks back and takes something for small talk; `None` leaves the matcher's own.
    SetThresholds(DecisionThresholds),
    /// A scenario that is still to be written.
    AddScenario(NewScenario),
    /// Another text of a whole file; `None` removes it.
    ReplaceFile {
        /// Path below the directory.
        file: String,
        /// Its text.
        text: Option<String>,
    },
}

/// Why a change cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file has to be mended first.
    #[error("`{file}` is not valid TOML; mend it first, as a whole file")]
    Unreadable {
        /// Which file.
        file: String,
    },
    /// Something else stands where the change should go.
    #[error("`{key}` in `{file}` has another form than expected; edit the file as a whole")]
    Shape {
        /// Which file.
        file: String,
        /// Which key.
        key: String,
    },
    /// There is no such scenario.
    #[error("there is no scenario `{0}`")]
    NoScenario(String),
    /// There is one already.
    #[error("there is a scenario `{0}` already")]
    ScenarioExists(String),
    /// An id that cannot be one.
    #[error("`{0}` cannot be the id of a scenario: lower-case letters, digits and hyphens, a letter first")]
    Id(String),
    /// There is no such question in the scenario.
    #[error("`{question}` is no example question of `{scenario}`")]
    NoUtterance {
        /// Its id.
        scenario: String,
        /// The question.
        question: String,
    },
    /// A file that the knowledge cannot have.
    #[error(
        "`{file}` is no file of the knowledge: scenarios/NAME.toml, workdays/YEAR.toml and the files beside them are"
    )]
    NoKnowledgeFile {
        /// Which file.
        file: String,
    },
    /// Nothing was given.
    #[error("nothing is given to add")]
    Nothing,
}

/// A question that was not added, because it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The question.
    pub question: String,
    /// Where it stands already.
    pub at: KnownAt,
}

impl Draft {
    /// Makes a change over the directory as it is. Questions that stand somewhere already are not added again, but told.
    ///
    /// # Errors
    ///
    /// Why it cannot be made; the draft is then as it was.
    pub fn apply(&mut self, files: &KnowledgeFiles, edit: Edit, today: Date) -> Result<Vec<Duplicate>, EditError> {
        let over = self.over(files);
        let (catalogue, _) = Catalogue::read(&over);
        let known = KnownQuestions::of(&catalogue);
        let mut duplicates = Vec::new();
        match edit {
            Edit::AddUtterances { scenario, questions } => {
                let file = file_of(&catalogue, &scenario)?;
                let new = known.without_known(questions, &mut duplicates)?;
                self.change(files, &file, |text| text.add_to_list("examples", "utterances", &new))?;
            }
            Edit::RemoveUtterance { scenario, question } => {
                let file = file_of(&catalogue, &scenario)?;
                self.change(files, &file, |text| {
                    match text.remove_from_list("examples", "utterances", &question)? {
                        true => Ok(()),
                        false => Err(EditError::NoUtterance { scenario, question }),
                    }
                })?;
            }
            Edit::AddCounterExample {
                scenario,
                question,
                belongs_to,
            } => {
                let file = file_of(&catalogue, &scenario)?;
                for question in known.without_known(vec![question], &mut duplicates)? {
                    let row = [("text", question.as_str()), ("is", &belongs_to)];
                    self.change(files, &file, |text| text.add_row("examples", "not_this", &row))?;
                }
            }
            Edit::AddOutside { questions } => {
                let new = known.without_known(questions, &mut duplicates)?;
                if !new.is_empty() {
                    self.change(files, "outside.toml", |text| {
                        text.add_to_list_of("topics", &ASKED, "utterances", &new)
                    })?;
                }
            }
            Edit::SetTitle {
                scenario,
                language,
                title,
            } => {
                let file = file_of(&catalogue, &scenario)?;
                self.change(files, &file, |text| text.set_text(table_of(language), "title", &title))?;
            }
            Edit::SetSteps {
                scenario,
                language,
                steps,
            } => {
                let file = file_of(&catalogue, &scenario)?;
                self.change(files, &file, |text| text.set_list(table_of(language), "steps", &steps))?;
            }
            Edit::SetThresholds(thresholds) => self.change(files, "lexicon.toml", |text| {
                text.set_number("thresholds", "answer", thresholds.answer)?;
                text.set_number("thresholds", "ask_back", thresholds.ask_back)?;
                text.set_number("thresholds", "smalltalk", thresholds.smalltalk)
            })?,
            Edit::AddScenario(mut new) => {
                let file = new.file(&catalogue, &over)?;
                new.questions = known.without_known(new.questions, &mut duplicates)?;
                self.put(files, &file, Some(new.text(today)))?;
            }
            Edit::ReplaceFile { file, text } => self.put(files, &file, text.map(|text| one_kind_of_line_end(&text)))?,
        }
        Ok(duplicates)
    }

    fn change(
        &mut self,
        files: &KnowledgeFiles,
        file: &str,
        edit: impl FnOnce(&mut TomlText) -> Result<(), EditError>,
    ) -> Result<(), EditError> {
        let mut text = TomlText::parse(file, self.text(files, file).unwrap_or_default())?;
        edit(&mut text)?;
        self.put(files, file, Some(text.text()))
    }
}

/// The file that a scenario stands in.
fn file_of(catalogue: &Catalogue, id: &str) -> Result<String, EditError> {
    let scenario = catalogue.scenarios.get(id);
    let file = scenario.map(|scenario| scenario.file.clone());
    file.ok_or_else(|| EditError::NoScenario(id.to_owned()))
}

fn table_of(language: Language) -> &'static str {
    match language {
        Language::Chinese | Language::TraditionalChinese => "zh",
        Language::English => "en",
    }
}

/// What comes from a form in a browser has the line ends of the network.
fn one_kind_of_line_end(text: &str) -> String {
    text.replace("\r\n", "\n")
}
