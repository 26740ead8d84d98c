//! The command line: one file per command.

mod appeals;
mod ask;
mod backup;
mod calling;
mod chat;
mod console;
mod demo;
mod doctor;
mod evaluate;
mod init;
mod kf;
mod knowledge;
mod language;
mod log_lines;
mod logging;
mod menu;
mod messages;
mod reload;
mod serve;
mod simulate;
mod store;
mod text_file;
mod train;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::dialogue::Assistant;
use crate::learning::{LoadError, MatcherFiles, load_assistant, problem_lines};

/// Answers people whose WeCom or WeChat account has been restricted, inside WeCom (企业微信账号解封助手).
#[derive(Parser)]
#[command(name = "jiefeng", version, about, max_term_width = 110, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  jiefeng demo                                  try it out: no account, nothing to fill in
  jiefeng ask 加好友提示操作频繁                one answer in the terminal
  jiefeng init                                  set it up in WeCom, step by step
  jiefeng serve --config jiefeng.toml           the real thing; see deploy/jiefeng.toml
  jiefeng doctor --config jiefeng.toml          what keeps WeCom's callbacks away
  jiefeng knowledge check                       after editing the knowledge
  jiefeng evaluate knowledge/eval/development.tsv

Exit status: 0 fine, 1 it ran and found problems, 2 it could not run.";

#[derive(Subcommand)]
enum Command {
    /// Try it out: server, WeCom simulator and chat page on this machine
    Demo(demo::Demo),
    /// Set up: a few questions, then everything until WeCom has verified the callback address
    Init(init::Init),
    /// Run the server
    Serve(serve::Serve),
    /// Say what keeps WeCom's callbacks away, and what to do about it
    Doctor(doctor::Doctor),
    /// Answer one question in the terminal
    Ask(ask::Ask),
    /// Hold a conversation in the terminal
    Chat(chat::Chat),
    /// List the appeals that are followed
    Appeals(appeals::Appeals),
    /// Measure answers against a file of questions with the right answers
    Evaluate(evaluate::Evaluate),
    /// Check, count, import or export knowledge
    #[command(subcommand)]
    Knowledge(knowledge::Knowledge),
    /// Have the servers look at the knowledge now, and say what each of them answers with
    Reload(reload::Reload),
    /// Copy the database while the server runs
    Backup(backup::Backup),
    /// The app's menu in WeCom
    #[command(subcommand)]
    Menu(menu::Menu),
    /// Messages that could not be answered or sent
    #[command(subcommand)]
    Messages(messages::Messages),
    /// Access to the admin console
    #[command(subcommand)]
    Console(console::ConsoleCommand),
    /// List the accounts of 微信客服 with their links
    Kf(kf::Kf),
    /// Move everything into another store
    #[command(subcommand)]
    Store(store::Store),
    /// Run the WeCom simulator alone, against a server of yours
    Simulate(simulate::Simulate),
    #[command(hide = true)]
    Train(train::Train),
}

/// Where the knowledge is.
#[derive(Args)]
struct KnowledgeOption {
    /// Knowledge directory
    #[arg(long = "knowledge", value_name = "DIR", default_value = "knowledge")]
    directory: PathBuf,
}

impl KnowledgeOption {
    fn load(&self) -> Result<Assistant, Failure> {
        load_knowledge(&self.directory)
    }
}

fn load_knowledge(directory: &Path) -> Result<Assistant, Failure> {
    load_assistant(directory, &MatcherFiles::new(None)).map_err(|error| knowledge_failure(directory, error))
}

/// Why there is no assistant, in words.
fn knowledge_failure(directory: &Path, error: LoadError) -> Failure {
    match error {
        LoadError::Unreadable(error) => Failure::CannotRun(error),
        LoadError::Problems(problems) => {
            let count = problems.len();
            let lines = problem_lines(directory, &problems).join("\n");
            Failure::CannotRun(anyhow::anyhow!(
                "{lines}\nthe knowledge has {count} problem(s); nothing was started"
            ))
        }
    }
}

/// Why a command did not end well.
enum Failure {
    /// It ran and found problems, which it has printed: exit status 1.
    FoundProblems,
    /// It could not run: exit status 2.
    CannotRun(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::CannotRun(error)
    }
}

/// Runs the program.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Demo(demo) => demo.run(),
        Command::Init(init) => init.run(),
        Command::Serve(serve) => serve.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Ask(ask) => ask.run(),
        Command::Chat(chat) => chat.run(),
        Command::Appeals(appeals) => appeals.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Knowledge(knowledge) => knowledge.run(),
        Command::Reload(reload) => reload.run(),
        Command::Backup(backup) => backup.run(),
        Command::Menu(menu) => menu.run(),
        Command::Messages(messages) => messages.run(),
        Command::Console(console) => console.run(),
        Command::Kf(kf) => kf.run(),
        Command::Store(store) => store.run(),
        Command::Simulate(simulate) => simulate.run(),
        Command::Train(train) => train.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::FoundProblems) => ExitCode::from(1),
        Err(Failure::CannotRun(error)) => {
            print_error(&error);
            ExitCode::from(2)
        }
    }
}

/// A reader that goes away (`| head`) is no reason to fail, so writing errors are ignored.
#[expect(
    clippy::print_stderr,
    reason = "this is the program's way to say why it could not run"
)]
fn print_error(error: &anyhow::Error) {
    eprintln!("jiefeng: {error:#}");
}

/// Prints a line to standard output; a reader that has gone away is no reason to fail.
fn print_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
