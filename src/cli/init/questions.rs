//! The four questions in the terminal.

use std::io::{BufRead, IsTerminal, Write};

use super::Guide;
use crate::setup::{self, Answers, Wrong};

/// Answers that were given beforehand, by option.
pub(super) struct Given {
    pub(super) corp_id: Option<String>,
    pub(super) agent_id: Option<String>,
    pub(super) public_url: Option<String>,
}

impl Given {
    fn is_complete(&self) -> bool {
        self.corp_id.is_some() && self.agent_id.is_some() && self.public_url.is_some()
    }
}

/// Why there are no answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nothing more was to be read.
    Early,
    /// What was given by an option is wrong; nobody is there to be asked again.
    Wrong(Wrong),
}

/// Asks, line by line.
pub(super) struct Questions<'a, R> {
    guide: &'a Guide,
    input: R,
}

impl<'a, R: BufRead> Questions<'a, R> {
    pub(super) fn new(guide: &'a Guide, input: R) -> Self {
        Self { guide, input }
    }

    /// Asks for what was not given. With everything given nothing is asked, the Secret neither.
    pub(super) fn answers(&mut self, given: Given, listen: String, name: String) -> Result<Answers, Ended> {
        let is_complete = given.is_complete();
        let corp_id = self.answer("ask_corp_id", given.corp_id, setup::corp_id)?;
        let agent_id = self.answer("ask_agent_id", given.agent_id, setup::agent_id)?;
        let public_url = self.answer("ask_public_url", given.public_url, setup::public_url)?;
        let secret = match is_complete {
            true => None,
            false => self.secret()?,
        };
        let kf = secret.is_some() && self.yes("ask_kf")?;
        Ok(Answers {
            name,
            corp_id,
            agent_id,
            public_url,
            secret,
            kf,
            listen,
            console_listen: None,
        })
    }

    fn answer<T>(
        &mut self,
        question: &str,
        given: Option<String>,
        check: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Result<T, Ended> {
        if let Some(given) = given {
            return check(&given).map_err(Ended::Wrong);
        }
        self.guide.say(question, &[]);
        loop {
            match check(&self.line()?) {
                Ok(answer) => return Ok(answer),
                Err(wrong) => self.guide.say(wrong, &[]),
            }
        }
    }

    /// Not shown while it is typed, where there is a terminal.
    fn secret(&mut self) -> Result<Option<String>, Ended> {
        self.guide.say("ask_secret", &[]);
        let typed = match std::io::stdin().is_terminal() {
            true => rpassword::prompt_password("  > ").map_err(|_| Ended::Early)?,
            false => self.line()?,
        };
        let typed = typed.trim();
        Ok((!typed.is_empty()).then(|| typed.to_owned()))
    }

    fn yes(&mut self, question: &str) -> Result<bool, Ended> {
        self.guide.say(question, &[]);
        let answer = self.line()?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "是" | "要"))
    }

    fn line(&mut self) -> Result<String, Ended> {
        let mut output = std::io::stdout();
        let _ = write!(output, "  > ").and_then(|()| output.flush());
        let mut line = String::new();
        match self.input.read_line(&mut line) {
            Ok(1..) => Ok(line),
            Ok(0) | Err(_) => Err(Ended::Early),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bilingual::Sentences;
    use crate::knowledge::Language;

    fn asked(typed: &str, given: Given) -> Result<Answers, Ended> {
        let guide = Guide {
            sentences: Sentences::parse(setup::SENTENCES).unwrap(),
            language: Language::English,
        };
        let mut questions = Questions::new(&guide, typed.as_bytes());
        questions.answers(given, "127.0.0.1:8080".to_owned(), "support".to_owned())
    }

    fn nothing() -> Given {
        Given {
            corp_id: None,
            agent_id: None,
            public_url: None,
        }
    }

    #[test]
    fn a_wrong_answer_is_asked_again() {
        let answers = asked(
            "1000002\nww0123456789abcdef\nsupport\n1000002\nbot example\nbot.example.com\n\n",
            nothing(),
        );
        let answers = answers.unwrap();
        assert_eq!(answers.corp_id, "ww0123456789abcdef");
        assert_eq!(answers.agent_id, 1_000_002);
        assert_eq!(answers.public_url.to_string(), "https://bot.example.com");
        assert_eq!((answers.secret, answers.kf), (None, false));
    }

    #[test]
    fn customer_service_is_asked_for_only_with_a_secret() {
        let answers = asked("ww1\n1000002\nbot.example.com\nS3cret\ny\n", nothing()).unwrap();
        assert_eq!((answers.secret.as_deref(), answers.kf), (Some("S3cret"), true));
    }

    #[test]
    fn with_everything_given_nothing_is_asked() {
        let given = Given {
            corp_id: Some("ww1".to_owned()),
            agent_id: Some("7".to_owned()),
            public_url: Some("bot.example.com".to_owned()),
        };
        assert_eq!(asked("", given).unwrap().agent_id, 7);
    }

    #[test]
    fn what_is_given_wrong_or_not_at_all_ends_the_questions() {
        let given = Given {
            agent_id: Some("support".to_owned()),
            ..nothing()
        };
        assert_eq!(asked("ww1\n", given).unwrap_err(), Ended::Wrong("agent_id_form"));
        assert_eq!(asked("ww1\n", nothing()).unwrap_err(), Ended::Early);
    }
}
