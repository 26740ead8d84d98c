//! Which field is most likely wrong when a callback was refused, found by trying which steps still hold.
//!
//! For whoever looks for the mistake afterwards, never for answering the request: to the sender every failure looks the same.

use super::crypto::Credentials;
use super::query::{QueryError, SignedQuery, VerificationQuery};
use super::rotation::CredentialSets;

/// A refused request, as far as it can be tried again.
#[derive(Clone, Copy, Debug)]
pub struct RefusedCallback<'a> {
    /// The raw query.
    pub query: &'a str,
    /// The ciphertext of the body; `None` for a URL verification, whose ciphertext is in the query.
    pub ciphertext: Option<&'a str>,
    /// When it arrived, in Unix seconds.
    pub received_at: i64,
}

/// What is configured: the apps, each by its name, and which of them the address named.
#[derive(Clone, Copy, Debug)]
pub struct Configured<'a> {
    /// All apps.
    pub apps: &'a [(&'a str, &'a CredentialSets)],
    /// The one whose address was called; `None` if there is none of that name.
    pub called: Option<&'a str>,
    /// How far a time stamp may be from now, in seconds.
    pub window: i64,
}

/// What is most likely wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Likely {
    /// The ciphertext opens, the signature does not hold: the Token.
    Token,
    /// The signature holds, the ciphertext does not open: the EncodingAESKey. With the app whose key opens it, if there is one.
    EncodingAesKey(Option<String>),
    /// Neither holds: Token and EncodingAESKey are both others, or it is no callback of WeCom.
    TokenAndKey,
    /// Signature and key are right, and it is for another company: whose id it names, empty for nobody's.
    CorpId(String),
    /// It belongs to this app, whose address is another one.
    Path(String),
    /// It belongs to no app, and its address names none.
    UnknownPath,
    /// A parameter of the query is missing, repeated or out of form; there is no query at all where the parameter is empty.
    Query(&'static str),
    /// The ciphertext was changed on the way, as by decoding or encoding it once more.
    ChangedCiphertext,
    /// Everything holds, and the time stamp is so many seconds away from this machine's clock.
    Clock(i64),
    /// Everything holds: somebody sent a captured message as a URL verification.
    Replay,
}

impl Likely {
    /// A name for records, and what belongs to it.
    pub fn name_and_detail(&self) -> (&'static str, String) {
        match self {
            Self::Token => ("token", String::new()),
            Self::EncodingAesKey(of) => ("encoding_aes_key", of.clone().unwrap_or_default()),
            Self::TokenAndKey => ("token_and_key", String::new()),
            Self::CorpId(found) => ("corp_id", found.clone()),
            Self::Path(app) => ("path", app.clone()),
            Self::UnknownPath => ("unknown_path", String::new()),
            Self::Query(parameter) => ("query", (*parameter).to_owned()),
            Self::ChangedCiphertext => ("changed_ciphertext", String::new()),
            Self::Clock(seconds) => ("clock", seconds.to_string()),
            Self::Replay => ("replay", String::new()),
        }
    }
}

/// Finds the likely mistake.
pub fn diagnose(refused: RefusedCallback<'_>, configured: Configured<'_>) -> Likely {
    let (query, ciphertext) = match parts(refused) {
        Ok(parts) => parts,
        Err(_) if configured.called.is_none() => return Likely::UnknownPath,
        Err(error) => return Likely::Query(parameter(refused.query, error)),
    };
    let tried = Tried {
        query: &query,
        ciphertext: &ciphertext,
        refused,
        configured,
    };
    let of_others = || tried.belonging_to_others();
    match configured.called.and_then(|name| tried.sets(name)) {
        Some(own) => tried.under(own).or_else(of_others).unwrap_or(match tried.is_changed() {
            true => Likely::ChangedCiphertext,
            false => Likely::TokenAndKey,
        }),
        None => of_others().unwrap_or(Likely::UnknownPath),
    }
}

fn parts(refused: RefusedCallback<'_>) -> Result<(SignedQuery, String), QueryError> {
    match refused.ciphertext {
        Some(ciphertext) => Ok((SignedQuery::parse(refused.query)?, ciphertext.to_owned())),
        None => VerificationQuery::parse(refused.query).map(|query| (query.signed, query.echo)),
    }
}

fn parameter(query: &str, error: QueryError) -> &'static str {
    match error {
        _ if query.is_empty() => "",
        QueryError::TooLong => "query",
        QueryError::Missing(name) | QueryError::Repeated(name) | QueryError::Malformed(name) => name,
    }
}

/// A request whose parts could be read.
struct Tried<'a> {
    query: &'a SignedQuery,
    ciphertext: &'a str,
    refused: RefusedCallback<'a>,
    configured: Configured<'a>,
}

impl<'a> Tried<'a> {
    fn sets(&self, name: &str) -> Option<&'a CredentialSets> {
        let found = self.configured.apps.iter().find(|(app, _)| *app == name);
        found.map(|(_, sets)| *sets)
    }

    /// What is wrong if the Token or the key of the called app is right. The Token of one set with the key of the other is not right.
    fn under(&self, own: &CredentialSets) -> Option<Likely> {
        let Some(signers) = own.signers(self.query, self.ciphertext) else {
            return opens(own, self.ciphertext).then_some(Likely::Token);
        };
        Some(match signers.addressee(self.ciphertext) {
            None => Likely::EncodingAesKey(self.other_app_whose_key_opens()),
            Some(found) if found != own.receive_id() => Likely::CorpId(printable(&found)),
            Some(_) => self.all_holds(),
        })
    }

    fn all_holds(&self) -> Likely {
        let (timestamp, now) = (&self.query.timestamp, self.refused.received_at);
        match timestamp.is_within(self.configured.window, now) {
            true => Likely::Replay,
            false => Likely::Clock(timestamp.value().saturating_sub(now)),
        }
    }

    /// The app that signed it, or whose key opens it.
    fn belonging_to_others(&self) -> Option<Likely> {
        let belongs =
            |sets: &CredentialSets| sets.signers(self.query, self.ciphertext).is_some() || opens(sets, self.ciphertext);
        self.other_app(belongs).map(Likely::Path)
    }

    fn other_app_whose_key_opens(&self) -> Option<String> {
        self.other_app(|sets| opens(sets, self.ciphertext))
    }

    /// The first app of which this holds, other than the one that was called.
    fn other_app(&self, holds: impl Fn(&CredentialSets) -> bool) -> Option<String> {
        let mut apps = self.configured.apps.iter();
        let found = apps.find(|(name, sets)| Some(*name) != self.configured.called && holds(sets));
        found.map(|(name, _)| (*name).to_owned())
    }

    /// Base64 of WeCom is canonical and of whole blocks; what is not was changed.
    fn is_changed(&self) -> bool {
        !Credentials::could_open(self.ciphertext)
    }
}

fn opens(sets: &CredentialSets, ciphertext: &str) -> bool {
    sets.all().any(|set| set.addressee(ciphertext).is_some())
}

/// Whoever has Token and key may have written anything there.
fn printable(id: &str) -> String {
    let is_of_id = |letter: &char| letter.is_ascii_alphanumeric() || "_-".contains(*letter);
    id.chars().filter(is_of_id).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::super::crypto::{CallbackToken, EncodingAesKey, Fresh};
    use super::super::envelope::{Envelope, WireFormat, seal_callback, seal_verification};
    use super::super::query::{Nonce, Seconds};
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn credentials(token: &str, key: char, corp_id: &str) -> Credentials {
        let key = EncodingAesKey::parse(&key.to_string().repeat(43)).unwrap();
        Credentials::new(CallbackToken::parse(token).unwrap(), key, corp_id)
    }

    fn fresh() -> Fresh {
        Fresh {
            random_prefix: [7; 16],
            nonce: Nonce::parse("nonce1").unwrap(),
            timestamp: Seconds::from_unix(NOW).unwrap(),
        }
    }

    /// Diagnoses a verification and a message sent with `sent` to the address of `called`; both must say the same.
    #[track_caller]
    fn check_at(sent: &Credentials, called: Option<&str>, received_at: i64, expected: &Likely) {
        let own = CredentialSets::new(
            credentials("Support", 'A', "ww1"),
            Some(credentials("Before", 'P', "ww1")),
        );
        let other = CredentialSets::from(credentials("Sales", 'B', "ww1"));
        let configured = Configured {
            apps: &[("support", &own), ("sales", &other)],
            called,
            window: 300,
        };
        let verification = seal_verification(sent, "1616140317555161061", &fresh());
        let message = seal_callback(sent, WireFormat::Xml, "<xml/>", "1", &fresh());
        let envelope = Envelope::parse(&message.body).unwrap();
        for (query, ciphertext) in [
            (&verification.query, None),
            (&message.query, Some(&*envelope.encrypted)),
        ] {
            let refused = RefusedCallback {
                query,
                ciphertext,
                received_at,
            };
            assert_eq!(diagnose(refused, configured), *expected, "{query}");
        }
    }

    #[track_caller]
    fn check(sent: &Credentials, called: Option<&str>, expected: Likely) {
        check_at(sent, called, NOW, &expected);
    }

    #[test]
    fn the_step_that_still_holds_names_the_wrong_field() {
        let called = Some("support");
        check(&credentials("Other", 'A', "ww1"), called, Likely::Token);
        check(
            &credentials("Support", 'C', "ww1"),
            called,
            Likely::EncodingAesKey(None),
        );
        check(&credentials("Other", 'C', "ww1"), called, Likely::TokenAndKey);
        check(
            &credentials("Support", 'A', "ww2"),
            called,
            Likely::CorpId("ww2".to_owned()),
        );
        check(&credentials("Support", 'A', ""), called, Likely::CorpId(String::new()));
        check(
            &credentials("Before", 'P', "ww2"),
            called,
            Likely::CorpId("ww2".to_owned()),
        );
        check_at(
            &credentials("Support", 'A', "ww1"),
            called,
            NOW + 301,
            &Likely::Clock(-301),
        );
        check(&credentials("Support", 'A', "ww1"), called, Likely::Replay);
    }

    #[test]
    fn the_token_of_one_set_with_the_key_of_the_other_is_another_key() {
        let called = Some("support");
        for (token, key) in [("Support", 'P'), ("Before", 'A')] {
            check(&credentials(token, key, "ww1"), called, Likely::EncodingAesKey(None));
        }
    }

    #[test]
    fn what_belongs_to_another_app_came_to_the_wrong_address() {
        let of_sales = Likely::Path("sales".to_owned());
        check(&credentials("Sales", 'B', "ww1"), Some("support"), of_sales.clone());
        check(&credentials("Sales", 'C', "ww1"), Some("support"), of_sales.clone());
        check(&credentials("Other", 'B', "ww1"), Some("support"), of_sales.clone());
        check(&credentials("Sales", 'B', "ww1"), None, of_sales);
        check(
            &credentials("Support", 'A', "ww1"),
            None,
            Likely::Path("support".to_owned()),
        );
        check(&credentials("Other", 'C', "ww1"), None, Likely::UnknownPath);
        let mixed = credentials("Support", 'B', "ww1");
        check(
            &mixed,
            Some("support"),
            Likely::EncodingAesKey(Some("sales".to_owned())),
        );
    }

    #[track_caller]
    fn check_query(change: impl Fn(&str) -> String, expected: Likely) {
        let own = CredentialSets::from(credentials("Support", 'A', "ww1"));
        let sealed = seal_verification(own.current(), "1616140317555161061", &fresh());
        let refused = RefusedCallback {
            query: &change(&sealed.query),
            ciphertext: None,
            received_at: NOW,
        };
        let configured = Configured {
            apps: &[("support", &own)],
            called: Some("support"),
            window: 300,
        };
        assert_eq!(diagnose(refused, configured), expected, "{}", refused.query);
    }

    #[test]
    fn a_query_that_was_changed_is_told_by_its_parameter() {
        check_query(|_| String::new(), Likely::Query(""));
        check_query(|query| query.replace("nonce=", "once="), Likely::Query("nonce"));
        check_query(|query| format!("{query}&timestamp=1"), Likely::Query("timestamp"));
        check_query(
            |query| query.split("&echostr").next().unwrap().to_owned(),
            Likely::Query("echostr"),
        );
        check_query(|query| query.replace('%', "%25"), Likely::ChangedCiphertext);
        check_query(|query| query.replace("nonce1", "nonce2"), Likely::Token);
    }
}
