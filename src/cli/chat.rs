//! `jiefeng chat`: a conversation in the terminal.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use jiff::Timestamp;

use super::{Failure, KnowledgeOption, print_line};
use crate::dialogue::{Action, Assistant, Event, Session};

/// Hold a conversation in the terminal
#[derive(Args)]
#[command(
    after_help = "Type what an employee would type; an empty line or Ctrl-D ends the conversation.
Also works in a pipe, one message a line:  printf '被封了\\n1\\n多久\\n' | jiefeng chat"
)]
pub(super) struct Chat {
    /// Pretend that it is this moment; dates count from it
    #[arg(long, value_name = "RFC3339")]
    now: Option<Timestamp>,
    #[command(flatten)]
    knowledge: KnowledgeOption,
}

impl Chat {
    pub(super) fn run(self) -> Result<(), Failure> {
        let assistant = self.knowledge.load()?;
        let mut conversation = Conversation {
            assistant: &assistant,
            session: Session::default(),
            now: self.now,
        };
        conversation.take(&Event::Entered);
        let interactive = std::io::stdin().is_terminal();
        let mut lines = std::io::stdin().lock().lines();
        loop {
            if interactive {
                let _ = write!(std::io::stdout(), "\n> ").and_then(|()| std::io::stdout().flush());
            }
            let Some(line) = lines.next().transpose().map_err(anyhow::Error::from)? else {
                return Ok(());
            };
            if line.trim().is_empty() && interactive {
                return Ok(());
            }
            if !interactive {
                print_line(&format!("\n> {line}"));
            }
            conversation.take(&Event::Text(line));
        }
    }
}

struct Conversation<'a> {
    assistant: &'a Assistant,
    session: Session,
    now: Option<Timestamp>,
}

impl Conversation<'_> {
    fn take(&mut self, event: &Event) {
        let now = self.now.unwrap_or_else(Timestamp::now);
        let (session, actions) = self.assistant.step(std::mem::take(&mut self.session), event, now);
        self.session = session;
        let composer = self.assistant.composer(self.session.language, now);
        for action in actions {
            if let Action::Reply(reply) = action {
                print_line(&composer.as_plain_text(&reply));
            }
        }
    }
}
