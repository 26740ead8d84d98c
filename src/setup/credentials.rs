//! A Token and an EncodingAESKey that nobody has had before.

/// How long a new Token is; the console allows 32.
const TOKEN_LETTERS: usize = 32;

/// 43 characters of base64 are 256 bits.
const KEY_LETTERS: usize = 43;

/// This machine has no random numbers, which a secret cannot do without.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this machine has no random numbers")]
pub struct NoRandomNumbers;

/// What an app and WeCom are to share.
pub struct NewCredentials {
    /// The Token.
    pub token: String,
    /// The EncodingAESKey.
    pub encoding_aes_key: String,
}

impl NewCredentials {
    /// Makes them.
    ///
    /// # Errors
    ///
    /// When there are no random numbers.
    pub fn generate() -> Result<Self, NoRandomNumbers> {
        Ok(Self {
            token: random_letters(TOKEN_LETTERS)?,
            encoding_aes_key: random_letters(KEY_LETTERS)?,
        })
    }
}

/// Letters and digits as the console draws them (doc/90930), each as likely as any other.
///
/// # Errors
///
/// When there are no random numbers.
pub fn random_letters(count: usize) -> Result<String, NoRandomNumbers> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut letters = String::with_capacity(count);
    while letters.len() < count {
        let mut random = [0];
        getrandom::fill(&mut random).map_err(|_| NoRandomNumbers)?;
        // Of 64 values two stand for nothing and are drawn again.
        let [byte] = random;
        letters.extend(LETTERS.get(usize::from(byte & 63)).copied().map(char::from));
    }
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CallbackToken, EncodingAesKey};

    #[test]
    fn new_credentials_are_in_form_and_differ_each_time() {
        let (one, other) = (NewCredentials::generate().unwrap(), NewCredentials::generate().unwrap());
        assert!(CallbackToken::parse(&one.token).is_ok());
        assert!(EncodingAesKey::parse(&one.encoding_aes_key).is_ok());
        assert_ne!(one.token, other.token);
        assert_ne!(one.encoding_aes_key, other.encoding_aes_key);
    }
}
