//! The messages and events of an account as `kf/sync_msg` gives them out (doc/94670).

use std::collections::{HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::identifiers::{Identifiers, scramble};
use super::refusal::{Refusal, refuse};

/// How long messages can be read (doc/94670).
const RETENTION: SignedDuration = SignedDuration::from_hours(72);

/// How long the token of a callback is good for (doc/94670).
const TOKEN_VALIDITY: SignedDuration = SignedDuration::from_mins(10);

/// Most messages on a page, and how many when nothing is said (doc/94670).
const LARGEST_PAGE: i64 = 1000;

/// Everything that happened in an account, oldest first, and the tokens of its callbacks.
#[derive(Debug)]
pub(crate) struct News {
    /// Tells this account's cursors from those of others.
    mark: u64,
    items: Vec<(Timestamp, Value)>,
    tokens: VecDeque<(String, Timestamp)>,
}

/// One answer of `kf/sync_msg`.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) next_cursor: String,
    pub(crate) has_more: bool,
}

impl News {
    pub(crate) fn new(ids: &mut Identifiers) -> Self {
        Self {
            mark: scramble(ids.number()),
            items: Vec::new(),
            tokens: VecDeque::new(),
        }
    }

    /// Something was sent or happened at this time.
    pub(crate) fn add(&mut self, at: Timestamp, item: Value) {
        self.items.push((at, item));
    }

    /// The token for a callback that is about to be posted.
    pub(crate) fn new_token(&mut self, ids: &mut Identifiers, now: Timestamp) -> String {
        while self
            .tokens
            .front()
            .is_some_and(|(_, made)| now.duration_since(*made) > TOKEN_VALIDITY)
        {
            self.tokens.pop_front();
        }
        let token = ids.opaque("ENC");
        self.tokens.push_back((token.clone(), now));
        token
    }

    /// A token is good for ten minutes, for the account that it came for (doc/94670).
    pub(crate) fn check_token(&self, token: &str, now: Timestamp) -> Result<(), Refusal> {
        let mut known = self.tokens.iter().filter(|(known, _)| known == token);
        match known.any(|(_, made)| now.duration_since(*made) <= TOKEN_VALIDITY) {
            true => Ok(()),
            false => refuse(95007, "invalid msg token"),
        }
    }

    /// What comes after the cursor. Without one: the oldest message of the last three days (doc/94670). `shorter` makes the page smaller
    /// than was asked for, down to an empty one, and says that there is more: a client must go on until `has_more` is 0.
    pub(crate) fn page(
        &self,
        cursor: &str,
        limit: Option<i64>,
        shorter: Option<usize>,
        now: Timestamp,
    ) -> Result<Page, Refusal> {
        let limit = limit.unwrap_or(LARGEST_PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return refuse(40058, "invalid parameter: limit is 1 to 1000");
        }
        let limit = usize::try_from(limit).unwrap_or_default();
        let limit = shorter.map_or(limit, |shorter| shorter.min(limit));
        let start = self.position(cursor)?;
        let mut next = start;
        let mut items = Vec::new();
        for (at, item) in self.items.get(start..).unwrap_or_default() {
            let is_kept = now.duration_since(*at) <= RETENTION;
            if is_kept && items.len() >= limit {
                break;
            }
            next = next.saturating_add(1);
            if is_kept {
                items.push(item.clone());
            }
        }
        Ok(Page {
            items,
            next_cursor: self.cursor(next),
            has_more: next < self.items.len() || shorter.is_some(),
        })
    }

    fn cursor(&self, position: usize) -> String {
        format!("{:016x}{position:012x}", self.mark)
    }

    /// A cursor belongs to the account that it came from; another one is refused, so that mixing them up shows.
    fn position(&self, cursor: &str) -> Result<usize, Refusal> {
        if cursor.is_empty() {
            return Ok(0);
        }
        let position = cursor.strip_prefix(&format!("{:016x}", self.mark));
        let position = position.and_then(|position| usize::from_str_radix(position, 16).ok());
        match position.filter(|position| *position <= self.items.len()) {
            Some(position) => Ok(position),
            None => refuse(40058, "invalid cursor"),
        }
    }
}

/// The ids that messages of an account have had (doc/94677).
#[derive(Debug, Default)]
pub(crate) struct UsedIds(HashSet<String>);

impl UsedIds {
    /// An own id is used once; the number of this error is not published (doc/94677).
    pub(crate) fn check(&self, msgid: &str) -> Result<(), Refusal> {
        match self.0.contains(msgid) {
            true => refuse(40058, "invalid msgid: this msgid was used before"),
            false => Ok(()),
        }
    }

    pub(crate) fn add(&mut self, msgid: &str) {
        self.0.insert(msgid.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::tests::errcode;
    use super::*;

    fn minute(number: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + number * 60).unwrap()
    }

    fn ids() -> Identifiers {
        Identifiers::starting_at(1)
    }

    /// An account where item `n` was sent in minute `n`.
    fn news(count: i64) -> News {
        let mut news = News::new(&mut ids());
        for number in 0..count {
            news.add(minute(number), Value::from(number));
        }
        news
    }

    fn numbers(page: &Page) -> Vec<i64> {
        page.items.iter().map(|item| item.as_i64().unwrap()).collect()
    }

    #[test]
    fn pages_follow_each_other_from_the_oldest_message_doc_94670() {
        let mut news = news(5);
        let first = news.page("", Some(3), None, minute(5)).unwrap();
        assert_eq!((numbers(&first), first.has_more), (vec![0, 1, 2], true));
        let second = news.page(&first.next_cursor, Some(3), None, minute(5)).unwrap();
        assert_eq!((numbers(&second), second.has_more), (vec![3, 4], false));
        let again = news.page(&first.next_cursor, Some(3), None, minute(5)).unwrap();
        assert_eq!(numbers(&again), [3, 4], "a cursor can be used again");
        let third = news.page(&second.next_cursor, None, None, minute(5)).unwrap();
        assert_eq!((third.items.len(), third.has_more), (0, false));
        assert_eq!(third.next_cursor, second.next_cursor);
        news.add(minute(6), Value::from(6));
        assert_eq!(
            numbers(&news.page(&third.next_cursor, None, None, minute(6)).unwrap()),
            [6]
        );
    }

    #[test]
    fn what_is_older_than_three_days_is_gone_doc_94670() {
        let three_days = 3 * 24 * 60;
        let page = news(5).page("", None, None, minute(three_days + 3)).unwrap();
        assert_eq!(numbers(&page), [3, 4]);
        let page = news(5).page("", Some(1), None, minute(three_days + 3)).unwrap();
        assert_eq!((numbers(&page), page.has_more), (vec![3], true));
        let page = news(5).page("", None, None, minute(three_days + 9)).unwrap();
        assert_eq!((page.items.len(), page.has_more), (0, false));
    }

    #[test]
    fn an_empty_page_can_say_that_there_is_more_doc_94670() {
        let news = news(5);
        let page = news.page("", None, Some(0), minute(5)).unwrap();
        assert_eq!((page.items.len(), page.has_more), (0, true));
        let short = news.page(&page.next_cursor, None, Some(2), minute(5)).unwrap();
        assert_eq!((numbers(&short), short.has_more), (vec![0, 1], true));
        assert_eq!(
            numbers(&news.page(&short.next_cursor, None, None, minute(5)).unwrap()),
            [2, 3, 4]
        );
    }

    #[test]
    fn a_page_has_1_to_1000_messages_doc_94670() {
        let news = news(1200);
        let count = |limit| news.page("", limit, None, minute(1200)).unwrap().items.len();
        assert_eq!((count(None), count(Some(1000))), (1000, 1000));
        for limit in [0, 1001] {
            assert_eq!(errcode(news.page("", Some(limit), None, minute(1200))), 40058);
        }
    }

    #[test]
    fn cursors_of_other_accounts_are_refused() {
        let mut ids = ids();
        let (one, other) = (News::new(&mut ids), News::new(&mut ids));
        let cursor = one.page("", None, None, minute(0)).unwrap().next_cursor;
        assert!(cursor.len() <= 64);
        assert_eq!(errcode(other.page(&cursor, None, None, minute(0))), 40058);
        assert_eq!(errcode(one.page("4gw7MepFLfgF2VC5npN", None, None, minute(0))), 40058);
    }

    #[test]
    fn a_callback_token_is_good_for_ten_minutes_in_its_account_doc_94670() {
        let mut ids = ids();
        let (mut one, other) = (News::new(&mut ids), News::new(&mut ids));
        let token = one.new_token(&mut ids, minute(0));
        assert!(token.len() <= 128);
        assert_eq!(errcode(one.check_token(&token, minute(10))), 0);
        assert_eq!(errcode(one.check_token(&token, minute(11))), 95007);
        assert_eq!(errcode(other.check_token(&token, minute(0))), 95007);
    }
}
