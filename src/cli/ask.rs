//! `jiefeng ask`: one answer, no account, no server.

use clap::Args;
use jiff::Timestamp;

use super::{Failure, KnowledgeOption, print_line};
use crate::evaluation::AnsweredQuestion;

/// Answer one question in the terminal
#[derive(Args)]
#[command(after_help = "Examples:
  jiefeng ask 群二维码扫不进去
  jiefeng ask 申诉要多久 --now 2026-12-23T09:00:00+08:00
  jiefeng ask \"my WeChat was banned for 7 days\" --json")]
pub(super) struct Ask {
    /// What an employee would write
    question: String,
    /// Print decision, scenarios, confidence and reply as JSON
    #[arg(long)]
    json: bool,
    /// Print what the decision rests on
    #[arg(long, conflicts_with = "json")]
    explain: bool,
    /// Pretend that it is this moment; dates count from it
    #[arg(long, value_name = "RFC3339")]
    now: Option<Timestamp>,
    #[command(flatten)]
    knowledge: KnowledgeOption,
}

impl Ask {
    pub(super) fn run(self) -> Result<(), Failure> {
        let assistant = self.knowledge.load()?;
        let now = self.now.unwrap_or_else(Timestamp::now);
        let answered = AnsweredQuestion::first(&assistant, &self.question, now);
        if self.json {
            let line = serde_json::to_string(&answered).map_err(anyhow::Error::from)?;
            print_line(&line);
            return Ok(());
        }
        print_line(&answered.reply);
        if self.explain {
            print_line(&format!("\n{}", assistant.matcher.explain(&self.question)));
        }
        Ok(())
    }
}
