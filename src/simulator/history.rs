//! The last messages of the chat page, so that loading it again shows the conversation that the bot remembers as well.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::protocol::UserId;

/// How many messages are kept, of all members together.
const KEPT: usize = 50;

/// Messages with their answers, oldest first, each as the page shows it.
#[derive(Default)]
pub(super) struct History(Mutex<VecDeque<(UserId, Value)>>);

impl History {
    /// Adds the newest message.
    pub(super) fn add(&self, user: UserId, exchange: Value) {
        let mut exchanges = self.exchanges();
        if exchanges.len() >= KEPT {
            exchanges.pop_front();
        }
        exchanges.push_back((user, exchange));
    }

    /// What is kept of a member's conversation.
    pub(super) fn of(&self, user: &UserId) -> Vec<Value> {
        let exchanges = self.exchanges();
        let theirs = exchanges
            .iter()
            .filter(|(other, _)| other.canonical() == user.canonical());
        theirs.map(|(_, exchange)| exchange.clone()).collect()
    }

    /// Who wrote last.
    pub(super) fn latest_user(&self) -> Option<UserId> {
        self.exchanges().back().map(|(user, _)| user.clone())
    }

    /// A list is as good as it was, whatever another thread died of.
    fn exchanges(&self) -> MutexGuard<'_, VecDeque<(UserId, Value)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_50_messages_are_kept_by_member() {
        let history = History::default();
        let (li, wang) = (UserId::parse("Li").unwrap(), UserId::parse("Wang").unwrap());
        assert_eq!(history.latest_user(), None);
        history.add(wang.clone(), Value::from("first"));
        history.add(wang.clone(), Value::from("second"));
        for number in 0..49 {
            history.add(li.clone(), Value::from(number));
        }
        assert_eq!(history.of(&wang), [Value::from("second")]);
        assert_eq!(history.of(&UserId::parse("li").unwrap()).len(), 49);
        assert_eq!(history.latest_user(), Some(li));
    }
}
