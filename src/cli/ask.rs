//! `jiefeng ask`: one answer, no account, no server.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::{Failure, KnowledgeOption, print_line};
use crate::dialogue::{Action, Assistant, DecisionKind, Event, Reply, ReplyOption, Session, Understanding};
use crate::matching::ClassKind;

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

/// A question as the first message of a conversation, with what came of it: the line of `ask --json` and of `evaluate`.
#[derive(Serialize)]
pub(super) struct AnsweredQuestion {
    pub(super) question: String,
    pub(super) decision: DecisionKind,
    pub(super) scenarios: Vec<String>,
    pub(super) confidence: f32,
    pub(super) reply: String,
    pub(super) options: Vec<ReplyOption>,
}

impl AnsweredQuestion {
    /// Asks `question` in a new conversation.
    pub(super) fn first(assistant: &Assistant, question: &str, now: Timestamp) -> Self {
        let event = Event::Text(question.to_owned());
        let (_, actions) = assistant.step(Session::default(), &event, now);
        let (reply, mut understanding) = reply_and_understanding(actions);
        let composer = assistant.composer(understanding.language, now);
        // What else it could be, best first, also where nothing is answered.
        let judged = assistant.matcher.judge(question).candidates.into_iter();
        let others = judged
            .filter(|candidate| candidate.kind == ClassKind::Scenario)
            .map(|candidate| candidate.id.into_owned());
        let others: Vec<String> = others.filter(|id| !understanding.scenarios.contains(id)).collect();
        understanding.scenarios.extend(others);
        Self {
            question: question.to_owned(),
            decision: understanding.decision,
            scenarios: understanding.scenarios,
            confidence: understanding.confidence,
            reply: composer.as_plain_text(&reply),
            options: reply.options,
        }
    }
}

/// What a step said and how it understood the question. A text event always leads to both.
pub(super) fn reply_and_understanding(actions: Vec<Action>) -> (Reply, Understanding) {
    let mut reply = Reply {
        text: String::new(),
        options: Vec::new(),
    };
    let mut understanding = Understanding::default();
    for action in actions {
        match action {
            Action::Reply(said) => reply = said,
            Action::Record(understood) => understanding = understood,
            _ => {}
        }
    }
    (reply, understanding)
}
