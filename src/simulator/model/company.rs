//! A company at the platform: its one app with members, cards and menu, its accounts of 微信客服, and what the platform keeps about both.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::access_tokens::AccessTokens;
use super::app_message::DuplicateCheck;
use super::cards::Cards;
use super::counters::Counters;
use super::faults::Faults;
use super::frequency::{Frequency, Limits};
use super::identifiers::Identifiers;
use super::kf::Kf;
use super::members::Members;
use super::menu::Menu;
use super::refusal::{Refusal, refuse};

/// A callback that says no more than that an account has news (doc/94670).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bell {
    pub(crate) open_kfid: String,
    pub(crate) token: String,
    pub(crate) at: Timestamp,
}

/// Everything that the platform knows.
pub(crate) struct Company {
    pub(crate) corp_id: String,
    pub(crate) agent_id: u32,
    /// The app's name.
    pub(crate) app: String,
    secret: Option<SecretString>,
    pub(crate) ids: Identifiers,
    pub(crate) access_tokens: AccessTokens,
    pub(crate) frequency: Frequency,
    pub(crate) limits: Limits,
    pub(crate) members: Members,
    pub(crate) cards: Cards,
    pub(crate) menu: Option<Menu>,
    pub(crate) duplicates: DuplicateCheck,
    pub(crate) kf: Kf,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    bells: Vec<Bell>,
}

impl Company {
    /// A company without anybody in it. `first_id` is where its ids begin.
    pub(crate) fn new(corp_id: &str, agent_id: u32, app: &str, secret: Option<SecretString>, first_id: u64) -> Self {
        Self {
            corp_id: corp_id.to_owned(),
            agent_id,
            app: app.to_owned(),
            secret,
            ids: Identifiers::starting_at(first_id),
            access_tokens: AccessTokens::default(),
            frequency: Frequency::default(),
            limits: Limits::default(),
            members: Members::default(),
            cards: Cards::default(),
            menu: None,
            duplicates: DuplicateCheck::default(),
            kf: Kf::default(),
            faults: Faults::default(),
            counters: Counters::default(),
            bells: Vec::new(),
        }
    }

    /// `gettoken` (doc/91039).
    pub(crate) fn get_token(&mut self, corp_id: &str, secret: &str, now: Timestamp) -> Result<Value, Refusal> {
        self.access_tokens.check_ban(now)?;
        if corp_id.is_empty() {
            return refuse(41002, "corpid missing");
        }
        if secret.is_empty() {
            return refuse(41004, "corpsecret missing");
        }
        if corp_id != self.corp_id {
            return refuse(40013, "invalid corpid");
        }
        let is_right = self
            .secret
            .as_ref()
            .is_some_and(|known| known.expose_secret() == secret);
        if !is_right {
            let before_ban = self.limits.wrong_secrets_before_ban;
            return Err(self.access_tokens.wrong_secret(before_ban, now));
        }
        let (token, seconds) = self.access_tokens.get(&mut self.ids, now);
        Ok(json!({"access_token": token, "expires_in": seconds}))
    }

    /// Rings for an account that has news, if the app may manage it (doc/94670).
    pub(crate) fn ring(&mut self, open_kfid: &str, now: Timestamp) {
        let account = self.kf.accounts.get_mut(open_kfid);
        if let Some(account) = account.filter(|account| account.is_granted) {
            self.bells.push(Bell {
                open_kfid: open_kfid.to_owned(),
                token: account.news.new_token(&mut self.ids, now),
                at: now,
            });
        }
    }

    /// The callbacks that are due.
    pub(crate) fn take_bells(&mut self) -> Vec<Bell> {
        std::mem::take(&mut self.bells)
    }

    /// The agent id that a request names (doc/90236, doc/90227).
    pub(crate) fn check_agent(&self, agent_id: Option<i64>) -> Result<(), Refusal> {
        match agent_id {
            None => refuse(41011, "agentid missing"),
            Some(number) if number == i64::from(self.agent_id) => Ok(()),
            Some(_) => refuse(301002, "not allow operate another agent with this accesstoken"),
        }
    }
}

#[cfg(test)]
pub(in crate::simulator) mod tests {
    use super::super::refusal::tests::errcode;
    use super::*;

    pub(in crate::simulator) fn company() -> Company {
        Company::new("ww1", 1_000_002, "support", Some(SecretString::from("right")), 1)
    }

    pub(in crate::simulator) fn second(number: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + number).unwrap()
    }

    fn token(company: &mut Company, at: i64) -> String {
        let answer = company.get_token("ww1", "right", second(at)).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    #[test]
    fn within_its_validity_the_same_token_is_given_again_doc_91039() {
        let mut company = company();
        let answer = company.get_token("ww1", "right", second(0)).unwrap();
        assert_eq!(answer["expires_in"], 7200);
        let first = token(&mut company, 7199);
        assert_eq!(answer["access_token"], first.as_str());
        assert!((200..=512).contains(&first.len()));
        assert_ne!(first, token(&mut company, 7200));
    }

    #[test]
    fn a_token_is_missing_unknown_good_or_expired_doc_90313() {
        let mut company = company();
        let good = token(&mut company, 0);
        let mut check = |token: Option<&str>, at| errcode(company.access_tokens.check(token, second(at)));
        assert_eq!([check(None, 0), check(Some(""), 0)], [41001; 2]);
        assert_eq!(check(Some("made up"), 0), 40014);
        assert_eq!([check(Some(&good), 7199), check(Some(&good), 7200)], [0, 42001]);
    }

    #[test]
    fn a_token_can_end_early_doc_91039() {
        let mut company = company();
        let first = token(&mut company, 0);
        company.access_tokens.expire();
        assert_eq!(errcode(company.access_tokens.check(Some(&first), second(1))), 42001);
        let next = token(&mut company, 1);
        assert_eq!(errcode(company.access_tokens.check(Some(&next), second(1))), 0);
    }

    #[test]
    fn wrong_ids_and_secrets_are_told_apart_doc_91039() {
        let mut company = company();
        let mut get = |corp_id: &str, secret: &str| errcode(company.get_token(corp_id, secret, second(0)));
        assert_eq!([get("", "right"), get("ww1", "")], [41002, 41004]);
        assert_eq!([get("ww2", "right"), get("ww1", "wrong")], [40013, 40001]);
        let mut without = Company::new("ww1", 1, "support", None, 1);
        assert_eq!(errcode(without.get_token("ww1", "any", second(0))), 40001);
    }

    #[test]
    fn wrong_secrets_again_and_again_are_banned_for_an_hour_doc_90313() {
        let mut company = company();
        company.limits.wrong_secrets_before_ban = 3;
        let mut get = |secret: &str, at| errcode(company.get_token("ww1", secret, second(at)));
        assert_eq!([get("a", 0), get("b", 1), get("c", 2)], [40001; 3]);
        assert_eq!(
            [get("right", 3), get("right", 3601), get("right", 3602)],
            [45009, 45009, 0]
        );
    }
}
