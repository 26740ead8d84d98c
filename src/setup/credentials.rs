//! A Token and an EncodingAESKey that nobody has had before.

use rand::distr::{Alphanumeric, SampleString};

/// How long a new Token is; the console allows 32.
const TOKEN_LETTERS: usize = 32;

/// 43 characters of base64 are 256 bits.
const KEY_LETTERS: usize = 43;

/// What an app and WeCom are to share.
pub struct NewCredentials {
    /// The Token.
    pub token: String,
    /// The EncodingAESKey.
    pub encoding_aes_key: String,
}

impl NewCredentials {
    /// Makes them.
    pub fn generate() -> Self {
        Self {
            token: random_letters(TOKEN_LETTERS),
            encoding_aes_key: random_letters(KEY_LETTERS),
        }
    }
}

/// Letters and digits as the console draws them (doc/90930), each as likely as any other, from a generator for cryptography.
pub fn random_letters(count: usize) -> String {
    Alphanumeric.sample_string(&mut rand::rng(), count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CallbackToken, EncodingAesKey};

    #[test]
    fn new_credentials_are_in_form_and_differ_each_time() {
        let (one, other) = (NewCredentials::generate(), NewCredentials::generate());
        assert!(CallbackToken::parse(&one.token).is_ok());
        assert!(EncodingAesKey::parse(&one.encoding_aes_key).is_ok());
        assert_ne!(one.token, other.token);
        assert_ne!(one.encoding_aes_key, other.encoding_aes_key);
    }
}
