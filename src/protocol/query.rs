//! The query of a callback, read strictly.
//!
//! The digest joins its parts without separators and sorts them, so the same digest holds for other splits of the same characters. Only
//! a strict grammar keeps a captured request from being turned into another one: the time stamp has exactly ten digits, the nonce its
//! own alphabet, and every parameter occurs once.

use std::iter::successors;

use memchr::memchr;

use super::crypto::Signature;

/// Longest query that is read, in bytes.
const LONGEST_QUERY: usize = 8 * 1024;

/// Longest `echostr`, in bytes after decoding; genuine ones have about 90.
const LONGEST_ECHO: usize = 4 * 1024;

/// Longest plaintext of an `echostr`, in bytes; genuine ones are about 20 digits.
const LONGEST_ECHO_PLAINTEXT: usize = 128;

/// Most parameters; the admin may have put some of their own into the URL.
const MOST_PARAMETERS: usize = 32;

/// Longest nonce, in bytes.
pub(super) const LONGEST_NONCE: usize = 64;

/// Why a query is not that of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Longer than any genuine one.
    #[error("query is too long")]
    TooLong,
    /// A parameter is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A parameter occurs more than once.
    #[error("{0} occurs more than once")]
    Repeated(&'static str),
    /// A parameter is not of its form.
    #[error("{0} is not of its form")]
    Malformed(&'static str),
}

/// A Unix time in seconds, kept as the ten digits it was sent as: the signature is over the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds {
    digits: [u8; 10],
    value: i64,
}

impl Seconds {
    /// Exactly ten ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 10] = text.as_bytes().try_into().ok()?;
        let value = text.parse().ok()?;
        let are_digits = digits.iter().all(u8::is_ascii_digit);
        are_digits.then_some(Self { digits, value })
    }

    /// From a time; `None` outside the years 2001 to 2286.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let mut digits = [0; 10];
        let rest = digits.iter_mut().rev().try_fold(seconds, |rest, digit| {
            *digit = b'0'.saturating_add(u8::try_from(rest % 10).ok()?);
            Some(rest / 10)
        })?;
        let fits = rest == 0 && digits.first() != Some(&b'0');
        fits.then_some(Self { digits, value: seconds })
    }

    /// As it was sent.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits).unwrap_or_default()
    }

    /// Unix seconds.
    pub fn value(&self) -> i64 {
        self.value
    }

    /// Whether it is at most `window` seconds away from `now`, both as Unix seconds.
    pub fn is_within(&self, window: i64, now: i64) -> bool {
        self.value.abs_diff(now) <= window.unsigned_abs()
    }
}

/// A nonce: 1–64 characters of `0-9 A-Z a-z _ -`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// Checks the form.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let fits =
            (1..=LONGEST_NONCE).contains(&text.len()) && text.bytes().fold(true, |fits, byte| fits & allowed(byte));
        fits.then(|| Self(text.to_owned()))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The digits of a number are a nonce.
impl From<u64> for Nonce {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

/// The query of a message: `msg_signature`, `timestamp`, `nonce`.
#[derive(Clone, Debug)]
pub struct SignedQuery {
    /// Signature over Token, time stamp, nonce and ciphertext.
    pub signature: Signature,
    /// When WeCom sent it.
    pub timestamp: Seconds,
    /// Number used once.
    pub nonce: Nonce,
}

/// The query of a URL verification: a signed query and the encrypted `echostr` (doc/90930).
#[derive(Clone, Debug)]
pub struct VerificationQuery {
    /// The three parameters every callback has.
    pub signed: SignedQuery,
    /// Ciphertext whose plaintext is the answer.
    pub echo: String,
}

impl SignedQuery {
    /// Reads the raw query of a `POST`.
    ///
    /// # Errors
    ///
    /// The first parameter that is missing, repeated or malformed.
    pub fn parse(raw: &str) -> Result<Self, QueryError> {
        Self::from_parameters(&split(raw)?)
    }

    fn from_parameters(parameters: &[(&str, &str)]) -> Result<Self, QueryError> {
        let signature = only(parameters, "msg_signature")?;
        let timestamp = only(parameters, "timestamp")?;
        let nonce = only(parameters, "nonce")?;
        Ok(Self {
            signature: Signature::parse(signature).ok_or(QueryError::Malformed("msg_signature"))?,
            timestamp: Seconds::parse(timestamp).ok_or(QueryError::Malformed("timestamp"))?,
            nonce: Nonce::parse(nonce).ok_or(QueryError::Malformed("nonce"))?,
        })
    }
}

impl VerificationQuery {
    /// Reads the raw query of a `GET`.
    ///
    /// # Errors
    ///
    /// The first parameter that is missing, repeated or malformed.
    pub fn parse(raw: &str) -> Result<Self, QueryError> {
        let parameters = split(raw)?;
        let echo = only(&parameters, "echostr")?;
        let echo = percent_decoded(echo).ok_or(QueryError::Malformed("echostr"))?;
        if echo.is_empty() || echo.len() > LONGEST_ECHO {
            return Err(QueryError::Malformed("echostr"));
        }
        // A proxy that decoded the query before us has turned `+` into a blank; base64 has no blanks, so this can be mended.
        let echo = echo.replace(' ', "+");
        Ok(Self {
            signed: SignedQuery::from_parameters(&parameters)?,
            echo,
        })
    }
}

/// Whether a decrypted `echostr` may be sent back. The signature covers neither method nor purpose, so a captured message could be sent
/// as an `echostr` to have it decrypted; messages and replies are XML or JSON, and nearly all of them are longer.
pub fn is_echo(plaintext: &str) -> bool {
    plaintext.len() <= LONGEST_ECHO_PLAINTEXT && !plaintext.trim_start().starts_with(['<', '{'])
}

fn split(raw: &str) -> Result<Vec<(&str, &str)>, QueryError> {
    if raw.len() > LONGEST_QUERY {
        return Err(QueryError::TooLong);
    }
    let pairs = successors(Some(cut(raw, b'&')), |(_, rest)| rest.map(|rest| cut(rest, b'&')));
    let parameters: Vec<(&str, &str)> = pairs
        .filter(|_| !raw.is_empty())
        .map(|(pair, _)| cut(pair, b'='))
        .map(|(name, value)| (name, value.unwrap_or_default()))
        .collect();
    if parameters.iter().any(|(name, _)| name.is_empty()) {
        return Err(QueryError::Malformed("query"));
    }
    match parameters.len() <= MOST_PARAMETERS {
        true => Ok(parameters),
        false => Err(QueryError::TooLong),
    }
}

/// What is before the first such byte, and what is behind it if there is one. The byte is an ASCII character.
fn cut(text: &str, byte: u8) -> (&str, Option<&str>) {
    let cut = memchr(byte, text.as_bytes()).and_then(|at| text.split_at_checked(at));
    cut.map_or((text, None), |(before, behind)| (before, behind.get(1..)))
}

fn only<'a>(parameters: &[(&'a str, &'a str)], name: &'static str) -> Result<&'a str, QueryError> {
    let mut values = parameters
        .iter()
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| *value);
    let value = values.next().ok_or(QueryError::Missing(name))?;
    match values.next() {
        None => Ok(value),
        Some(_) => Err(QueryError::Repeated(name)),
    }
}

/// Decodes `%XX` exactly once. A literal `+` stays one: `echostr` is base64, not a form.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => bytes.push(hexadecimal_pair(rest.next()?, rest.next()?)?),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hexadecimal_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digit(high)?.checked_mul(16)?.checked_add(digit(low)?)
}

/// Encodes base64 for a query, as WeCom does.
pub(super) fn percent_encoded(base64: &str) -> String {
    base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIGNATURE: &str = "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3";

    fn query(timestamp: &str, nonce: &str) -> Result<SignedQuery, QueryError> {
        SignedQuery::parse(&format!(
            "msg_signature={SIGNATURE}&timestamp={timestamp}&nonce={nonce}"
        ))
    }

    #[test]
    fn a_genuine_query_is_read_and_own_parameters_are_ignored() {
        assert!(query("1409659589", "263014780").is_ok());
        assert!(query("1583940690", "VHh7ymSeb0jc4lSb").is_ok());
        assert!(
            SignedQuery::parse(&format!(
                "tenant=7&msg_signature={SIGNATURE}&timestamp=1409659589&nonce=1&x"
            ))
            .is_ok()
        );
    }

    #[test]
    fn another_split_of_the_same_characters_is_refused() {
        for (timestamp, nonce) in [
            ("14096595892", "63014780"),
            ("140965958", "9263014780"),
            ("263014780", "1409659589"),
        ] {
            assert_eq!(query(timestamp, nonce).unwrap_err(), QueryError::Malformed("timestamp"));
        }
        assert_eq!(query("1409659589", "").unwrap_err(), QueryError::Malformed("nonce"));
        assert_eq!(
            query("1409659589", "a%20b").unwrap_err(),
            QueryError::Malformed("nonce")
        );
        assert_eq!(
            query("１４０９６５９５８９", "1").unwrap_err(),
            QueryError::Malformed("timestamp")
        );
        assert_eq!(
            query("+409659589", "1").unwrap_err(),
            QueryError::Malformed("timestamp")
        );
    }

    #[test]
    fn missing_and_repeated_parameters_are_named() {
        assert_eq!(
            SignedQuery::parse("").unwrap_err(),
            QueryError::Missing("msg_signature")
        );
        let repeated = format!("msg_signature={SIGNATURE}&timestamp=1409659589&timestamp=1409659589&nonce=1");
        assert_eq!(
            SignedQuery::parse(&repeated).unwrap_err(),
            QueryError::Repeated("timestamp")
        );
    }

    fn echo(text: &str) -> Result<String, QueryError> {
        let raw = format!("msg_signature={SIGNATURE}&timestamp=1409659589&nonce=1&echostr={text}");
        VerificationQuery::parse(&raw).map(|query| query.echo)
    }

    #[test]
    fn echostr_is_decoded_once_and_blanks_are_mended() {
        assert_eq!(echo("a%2Bb%2Fc%3D%3D").unwrap(), "a+b/c==");
        assert_eq!(echo("a+b/c==").unwrap(), "a+b/c==");
        assert_eq!(echo("a%20b").unwrap(), "a+b");
        assert_eq!(echo("a%252Bb").unwrap(), "a%2Bb");
        assert_eq!(echo("a%2").unwrap_err(), QueryError::Malformed("echostr"));
        assert_eq!(echo("").unwrap_err(), QueryError::Malformed("echostr"));
        assert_eq!(echo(&"a".repeat(5000)).unwrap_err(), QueryError::Malformed("echostr"));
    }

    #[test]
    fn only_what_looks_like_an_echo_is_one() {
        assert!(is_echo("1616140317555161061"));
        assert!(is_echo("94966531020182955848408"));
        assert!(is_echo(&"1".repeat(128)));
        for other in [&"1".repeat(129), "<xml></xml>", "{}", " \n<xml/>"] {
            assert!(!is_echo(other), "{other}");
        }
    }

    #[test]
    fn a_time_has_ten_digits_or_is_none() {
        for seconds in [1_000_000_000, 1_409_659_589, 9_999_999_999] {
            let written = Seconds::from_unix(seconds).unwrap();
            assert_eq!(Seconds::parse(&seconds.to_string()), Some(written));
        }
        for seconds in [i64::MIN, -1_409_659_589, -1, 0, 999_999_999, 10_000_000_000, i64::MAX] {
            assert_eq!(Seconds::from_unix(seconds), None, "{seconds}");
        }
    }

    #[test]
    fn a_time_stamp_is_fresh_up_to_the_window() {
        let timestamp = Seconds::parse("1409659589").unwrap();
        assert!(timestamp.is_within(300, 1_409_659_889));
        assert!(timestamp.is_within(300, 1_409_659_289));
        assert!(!timestamp.is_within(300, 1_409_659_890));
        assert!(!timestamp.is_within(300, i64::MIN));
    }

    proptest! {
        #[test]
        fn arbitrary_queries_never_panic(raw in "\\PC*") {
            let _ = SignedQuery::parse(&raw);
            let _ = VerificationQuery::parse(&raw);
        }

        #[test]
        fn encoding_and_decoding_echostr_is_the_identity(text in "[A-Za-z0-9+/=]{1,200}") {
            prop_assert_eq!(echo(&percent_encoded(&text)).unwrap(), text);
        }
    }
}
