//! Two sets of credentials for a while, so that Token and EncodingAESKey can be exchanged without losing a callback.

use super::crypto::{Credentials, DecryptError};
use super::query::SignedQuery;

/// What the callbacks of an app may be signed and encrypted with: the current set, and the one before it while they are being exchanged.
#[derive(Clone, Debug)]
pub struct CredentialSets {
    current: Credentials,
    previous: Option<Credentials>,
}

/// One of the sets.
#[derive(Clone, Copy, Debug)]
pub enum CredentialSet<'a> {
    /// The one that is configured in WeCom now.
    Current(&'a Credentials),
    /// The one that was configured before.
    Previous(&'a Credentials),
}

/// The sets whose Token signed a callback. At least one; both when only the EncodingAESKey is being exchanged.
#[derive(Clone, Copy, Debug)]
pub struct Signers<'a> {
    first: CredentialSet<'a>,
    second: Option<CredentialSet<'a>>,
}

/// What a callback holds, and the set that it came under. The reply goes back under the same.
#[derive(Clone, Debug)]
pub struct Opened<'a> {
    /// The decrypted text.
    pub plaintext: String,
    /// What signed and encrypted it.
    pub set: CredentialSet<'a>,
}

impl CredentialSets {
    /// Both sets are for the same company.
    pub fn new(current: Credentials, previous: Option<Credentials>) -> Self {
        Self { current, previous }
    }

    /// The set that is configured in WeCom now.
    pub fn current(&self) -> &Credentials {
        &self.current
    }

    /// Who the messages are for; the CorpID for self-built apps.
    pub fn receive_id(&self) -> &str {
        self.current.receive_id()
    }

    /// Both, the current one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Credentials> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The sets that signed a ciphertext. Each is compared in constant time, and all of them always.
    pub fn signers(&self, query: &SignedQuery, ciphertext: &str) -> Option<Signers<'_>> {
        let has_signed = |credentials: &&Credentials| {
            let expected = credentials.signature(&query.timestamp, &query.nonce, ciphertext);
            query.signature.matches(&expected)
        };
        let current = Some(&self.current).filter(has_signed).map(CredentialSet::Current);
        let previous = self.previous.as_ref().filter(has_signed).map(CredentialSet::Previous);
        Some(Signers {
            first: current.or(previous)?,
            second: current.and(previous),
        })
    }
}

impl From<Credentials> for CredentialSets {
    fn from(current: Credentials) -> Self {
        Self::new(current, None)
    }
}

impl<'a> CredentialSet<'a> {
    /// The set itself.
    pub fn credentials(self) -> &'a Credentials {
        match self {
            Self::Current(credentials) | Self::Previous(credentials) => credentials,
        }
    }

    /// Whether it is the one that is to be given up.
    pub fn is_previous(self) -> bool {
        matches!(self, Self::Previous(_))
    }

    fn open(self, ciphertext: &str) -> Result<Opened<'a>, DecryptError> {
        let plaintext = self.credentials().decrypt(ciphertext)?;
        Ok(Opened { plaintext, set: self })
    }
}

impl<'a> Signers<'a> {
    /// Opens the ciphertext that they signed.
    ///
    /// # Errors
    ///
    /// The step that failed, under the current set if that one signed.
    pub fn open(self, ciphertext: &str) -> Result<Opened<'a>, DecryptError> {
        self.first.open(ciphertext).or_else(|error| {
            let second = self.second.ok_or(error)?;
            second.open(ciphertext).map_err(|_| error)
        })
    }

    /// Whom the ciphertext that they signed is for, if one of their keys opens it. For finding out what is configured wrongly.
    pub(super) fn addressee(self, ciphertext: &str) -> Option<String> {
        let mut sets = std::iter::once(self.first).chain(self.second);
        sets.find_map(|set| set.credentials().addressee(ciphertext))
    }
}

#[cfg(test)]
mod tests {
    use super::super::crypto::{CallbackToken, EncodingAesKey};
    use super::super::query::{Nonce, Seconds};
    use super::*;

    const KEYS: [&str; 2] = [
        "NewKeyabcdefghijklmnopqrstuvwxyz01234567890",
        "OldKeyabcdefghijklmnopqrstuvwxyz01234567890",
    ];

    fn set(token: &str, key: usize) -> Credentials {
        let (token, key) = (CallbackToken::parse(token), EncodingAesKey::parse(KEYS[key]));
        Credentials::new(token.unwrap(), key.unwrap(), "ww1")
    }

    /// What becomes of a callback that is signed by one set and encrypted by another: `new`, `old` or why it is refused.
    fn fate(sets: &CredentialSets, signer: &Credentials, encrypter: &Credentials) -> &'static str {
        let ciphertext = encrypter.encrypt("hello", [7; 16]);
        let (timestamp, nonce) = (Seconds::parse("1409659589").unwrap(), Nonce::parse("1").unwrap());
        let query = SignedQuery {
            signature: signer.signature(&timestamp, &nonce, &ciphertext),
            timestamp,
            nonce,
        };
        let Some(signers) = sets.signers(&query, &ciphertext) else {
            return "unsigned";
        };
        match signers.open(&ciphertext) {
            Ok(opened) if opened.set.is_previous() => "old",
            Ok(_) => "new",
            Err(_) => "sealed",
        }
    }

    #[test]
    fn each_set_opens_what_it_signed_and_encrypted_and_no_mixture() {
        let (new, old) = (set("NewToken", 0), set("OldToken", 1));
        let sets = CredentialSets::new(new.clone(), Some(old.clone()));
        assert_eq!(fate(&sets, &new, &new), "new");
        assert_eq!(fate(&sets, &old, &old), "old");
        assert_eq!(fate(&sets, &new, &old), "sealed");
        assert_eq!(fate(&sets, &old, &new), "sealed");
        let stranger = set("Other", 0);
        assert_eq!(fate(&sets, &stranger, &new), "unsigned");
    }

    #[test]
    fn token_or_key_can_be_exchanged_alone() {
        let (new, old_key, old_token) = (set("NewToken", 0), set("NewToken", 1), set("OldToken", 0));
        let sets = CredentialSets::new(new.clone(), Some(old_key.clone()));
        assert_eq!(
            (fate(&sets, &new, &new), fate(&sets, &old_key, &old_key)),
            ("new", "old")
        );
        let sets = CredentialSets::new(new.clone(), Some(old_token.clone()));
        assert_eq!(
            (fate(&sets, &new, &new), fate(&sets, &old_token, &old_token)),
            ("new", "old")
        );
    }

    #[test]
    fn without_a_previous_set_only_the_current_one_counts() {
        let (new, old) = (set("NewToken", 0), set("OldToken", 1));
        let sets = CredentialSets::from(new.clone());
        assert_eq!((fate(&sets, &new, &new), fate(&sets, &old, &old)), ("new", "unsigned"));
    }
}
