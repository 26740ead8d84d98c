//! Scripted conversations: `tests/dialogues/*.txt`, run through the pure core. `tests/dialogues/README.md` explains the format.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::{Span, Timestamp};

use jiefeng::dialogue::{Action, Assistant, Event, NoCache, Session};
use jiefeng::learning::load_assistant;

static ASSISTANT: LazyLock<Assistant> =
    LazyLock::new(|| load_assistant(Path::new("knowledge"), &NoCache).unwrap_or_else(|error| panic!("{error:?}")));

/// Conversations start at this moment unless they say otherwise.
pub(crate) const START: &str = "2026-11-26T14:30:00+08:00";

/// One conversation.
pub(crate) struct Script {
    pub(crate) name: String,
    /// Whether it is also run through the running server.
    pub(crate) through_the_server: bool,
    pub(crate) lines: Vec<(usize, Line)>,
}

/// One line of a conversation.
pub(crate) enum Line {
    /// The clock is set, or moves on.
    Clock(String),
    /// The person opens the conversation.
    Entered,
    /// The person writes.
    Says(String),
    /// The decision, and the scenario if one is named.
    Decides(String),
    /// The reply holds these words.
    Holds(String),
    /// The reply does not hold these words.
    Lacks(String),
    /// Something is carried out.
    Does(String),
}

/// Every script of a folder.
pub(crate) fn scripts() -> Vec<Script> {
    let mut files: Vec<PathBuf> = fs::read_dir("tests/dialogues")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files.iter().flat_map(|file| scripts_of(file)).collect()
}

fn scripts_of(file: &Path) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    for (number, line) in (1..).zip(fs::read_to_string(file).unwrap().lines()) {
        let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.to_owned();
        let line = match sign {
            "##" => {
                scripts.push(Script {
                    name: format!("{name}: {rest}"),
                    through_the_server: rest.ends_with("[server]"),
                    lines: Vec::new(),
                });
                continue;
            }
            "" | "#" => continue,
            "@" => Line::Clock(rest),
            ">>" => Line::Entered,
            ">" => Line::Says(rest),
            "=" => Line::Decides(rest),
            "<" => Line::Holds(rest),
            "!" => Line::Lacks(rest),
            "*" => Line::Does(rest),
            other => panic!("{name}:{number}: a line cannot begin with `{other}`"),
        };
        let script = scripts
            .last_mut()
            .unwrap_or_else(|| panic!("{name}:{number}: no `## name` before it"));
        script.lines.push((number, line));
    }
    scripts
}

/// The state of a running script and what the last message led to.
struct Run {
    session: Session,
    now: Timestamp,
    reply: String,
    decision: String,
    done: Vec<String>,
}

impl Run {
    fn take(&mut self, event: &Event) {
        let (session, actions) = ASSISTANT.step(std::mem::take(&mut self.session), event, self.now);
        let composer = ASSISTANT.composer(session.language, self.now);
        self.session = session;
        self.reply.clear();
        self.decision.clear();
        self.done.clear();
        for action in actions {
            match action {
                Action::Reply(reply) => self.reply = composer.as_plain_text(&reply),
                Action::Record(understanding) => {
                    let scenario = understanding.scenarios.first().cloned().unwrap_or_default();
                    self.decision = format!("{} {scenario}", understanding.decision.name());
                }
                Action::HandOver(_) => self.done.push("hand over".to_owned()),
                Action::Track { appeal, reminders } => {
                    let due = reminders.iter().map(|reminder| format!(" {}", reminder.due));
                    self.done
                        .push(format!("track {}{}", appeal.submitted, due.collect::<String>()));
                }
                Action::CloseAppeal(outcome) => self.done.push(format!("close {}", outcome.name())),
                Action::Rate { scenario, verdict } => self.done.push(format!("rate {scenario} {}", verdict.name())),
            }
        }
    }

    fn check(&mut self, line: &Line) -> Result<(), String> {
        match line {
            Line::Clock(clock) => self.now = moved(self.now, clock),
            Line::Entered => self.take(&Event::Entered),
            Line::Says(text) => self.take(&Event::Text(text.clone())),
            Line::Decides(expected) => {
                let decided = format!("{} ", self.decision.trim_end());
                if !decided.starts_with(&format!("{expected} ")) {
                    return Err(format!(
                        "expected `{expected}`, got `{}`\n{}",
                        self.decision, self.reply
                    ));
                }
            }
            Line::Holds(words) if !self.reply.contains(words) => {
                return Err(format!("`{words}` is not in\n{}", self.reply));
            }
            Line::Lacks(words) if self.reply.contains(words) => {
                return Err(format!("`{words}` is in\n{}", self.reply));
            }
            Line::Does(expected) if !self.done.iter().any(|done| done.starts_with(expected)) => {
                return Err(format!("expected `{expected}`, did {:?}", self.done));
            }
            Line::Holds(_) | Line::Lacks(_) | Line::Does(_) => {}
        }
        let limit = jiefeng::dialogue::LONGEST_TEXT;
        if self.reply.len() > limit {
            return Err(format!(
                "the reply has {} bytes, at most {limit} are shown\n{}",
                self.reply.len(),
                self.reply
            ));
        }
        Ok(())
    }
}

/// `+3d` and `+2h` move the clock on; anything else is a moment.
fn moved(now: Timestamp, clock: &str) -> Timestamp {
    let Some(step) = clock.strip_prefix('+') else {
        return clock.parse().unwrap_or_else(|error| panic!("{clock}: {error}"));
    };
    let (count, unit) = step.split_at(step.len() - 1);
    let hours: i64 = count.parse::<i64>().unwrap() * if unit == "d" { 24 } else { 1 };
    now.checked_add(Span::new().hours(hours)).unwrap()
}

#[test]
fn scripted_conversations_go_as_written() {
    let scripts = scripts();
    let mut failures = Vec::new();
    for script in &scripts {
        let mut run = Run {
            session: Session::default(),
            now: START.parse().unwrap(),
            reply: String::new(),
            decision: String::new(),
            done: Vec::new(),
        };
        let failed = script.lines.iter().find_map(|(number, line)| {
            let error = run.check(line).err()?;
            Some(format!("{}, line {number}: {error}", script.name))
        });
        failures.extend(failed);
    }
    assert!(
        failures.is_empty(),
        "{} of {} fail:\n\n{}",
        failures.len(),
        scripts.len(),
        failures.join("\n\n")
    );
    assert!(scripts.len() >= 120, "only {} conversations", scripts.len());
}
