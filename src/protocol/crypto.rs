//! Signature and encryption of callbacks (doc/90968).
//!
//! The signature is a SHA-1 over four sorted strings without separators, so the grammar of each part matters: see [`super::query`].
//! Encryption is AES-256-CBC without authentication, so nothing may be decrypted before its signature has been checked.

use std::fmt;
use std::sync::LazyLock;

use aes::{Aes256, Block};
use base64::Engine;
use base64::alphabet;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::Simd;
use base64::engine::general_purpose::PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use sha1::{Digest, Sha1};
use simdutf8::basic::from_utf8;
use subtle::ConstantTimeEq;

use super::query::{LONGEST_NONCE, Nonce, Seconds};

/// Bytes of random data in front of every plaintext.
pub const RANDOM_PREFIX: usize = 16;

/// Padding goes up to a multiple of this many bytes, not of AES's 16.
const PADDING_BLOCK: usize = 32;

/// The random prefix and the length field.
const HEADER: usize = RANDOM_PREFIX + 4;

/// So much is encrypted and then signed at a time: both wait for their own last result, and meanwhile the processor goes on with the other.
/// Whole AES blocks, whole characters of base64, and enough of them for its wide registers.
const PIECE: usize = 144;

/// As many characters of base64.
const WRITTEN_PIECE: usize = PIECE / 3 * 4;

const _: () = assert!(PIECE.is_multiple_of(48) && WRITTEN_PIECE >= LONGEST_NONCE);

/// 43 characters carry 258 bits and the key has 256: the console fills the two spare bits at random, so three keys of four are not
/// canonical base64. This engine is for keys only; ciphertexts are canonical.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Canonical base64, with the wide registers of the processor.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static BASE64: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));

/// Canonical base64.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static BASE64: LazyLock<GeneralPurpose> = LazyLock::new(|| GeneralPurpose::new(&alphabet::STANDARD, PAD));

/// The Token of a callback configuration: 1–32 letters and digits. Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackToken(String);

/// Why a text is no Token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing was given.
    #[error("is empty; copy the Token from the callback settings page")]
    Empty,
    /// Longer than the console allows.
    #[error("has {0} characters, at most 32 are possible; is it the EncodingAESKey?")]
    TooLong(usize),
    /// Something else than letters and digits.
    #[error("has a character that is neither letter nor digit; a blank copied along?")]
    Character,
}

impl CallbackToken {
    /// Checks the form of a Token.
    ///
    /// # Errors
    ///
    /// When it is none; the message never contains it.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        match text.len() {
            0 => Err(TokenError::Empty),
            _ if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Err(TokenError::Character),
            length @ 33.. => Err(TokenError::TooLong(length)),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// Whether it is published in the vendor's documents or samples, so that anybody could sign with it.
    pub fn is_published_sample(&self) -> bool {
        PUBLISHED_SAMPLES.iter().any(|(token, _)| self.0 == *token)
    }
}

impl fmt::Debug for CallbackToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("CallbackToken(secret)")
    }
}

/// The EncodingAESKey of a callback configuration: 43 letters and digits that stand for 32 bytes. Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodingAesKey([u8; 32]);

/// Why a text is no EncodingAESKey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A blank or line break was copied along.
    #[error("has a blank in it; copy exactly the 43 characters")]
    Blank,
    /// Not 43 characters.
    #[error("has {0} characters, it must be exactly 43; copy it again from the callback settings page")]
    Length(usize),
    /// Something else than letters and digits.
    #[error("has a character that is neither letter nor digit; copy it again from the callback settings page")]
    Character,
}

impl EncodingAesKey {
    /// Decodes a key; spare bits in its last character do not matter.
    ///
    /// # Errors
    ///
    /// When it is none; the message never contains it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.chars().any(char::is_whitespace) {
            return Err(KeyError::Blank);
        }
        let characters = text.chars().count();
        if characters != 43 {
            return Err(KeyError::Length(characters));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(KeyError::Character);
        }
        let bytes = KEY_BASE64.decode(text).map_err(|_| KeyError::Character)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Length(characters))
    }

    /// Whether it is published in the vendor's documents or samples, so that anybody could encrypt with it.
    pub fn is_published_sample(&self) -> bool {
        let is_this = |text: &str| Self::parse(text).is_ok_and(|key| key == *self);
        PUBLISHED_SAMPLES.iter().any(|(_, key)| is_this(key))
    }
}

impl fmt::Debug for EncodingAesKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EncodingAesKey(secret)")
    }
}

/// A callback signature: 40 lower-case hexadecimal digits.
#[derive(Clone, Debug)]
pub struct Signature([u8; 40]);

impl Signature {
    /// Reads a signature. WeCom writes small letters; anything else was changed on the way.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 40] = text.as_bytes().try_into().ok()?;
        let is_hexadecimal = |digit: u8| digit.is_ascii_digit() | matches!(digit, b'a'..=b'f');
        let are_hexadecimal = digits.iter().fold(true, |all, digit| all & is_hexadecimal(*digit));
        are_hexadecimal.then_some(Self(digits))
    }

    fn of_hash(hash: &[u8]) -> Self {
        let mut digits = [0; 40];
        let (pairs, _) = digits.as_chunks_mut();
        for (pair, byte) in pairs.iter_mut().zip(hash) {
            *pair = [hexadecimal_digit(byte >> 4), hexadecimal_digit(byte & 15)];
        }
        Self(digits)
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// What must be new for every encryption.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// From a cryptographic random number generator.
    pub random_prefix: [u8; RANDOM_PREFIX],
    /// A number used once.
    pub nonce: Nonce,
    /// Now.
    pub timestamp: Seconds,
}

/// Why a ciphertext with a good signature could not be opened. For the log only: from outside all of them look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// Not canonical base64.
    #[error("ciphertext is not canonical base64")]
    Base64,
    /// Not whole AES blocks.
    #[error("ciphertext is not whole AES blocks")]
    BlockLength,
    /// Padding other than 1–32 equal bytes.
    #[error("padding is wrong; another EncodingAESKey?")]
    Padding,
    /// The length field points beyond the message.
    #[error("length field is wrong; another EncodingAESKey?")]
    Length,
    /// The message is not UTF-8.
    #[error("message is not UTF-8; another EncodingAESKey?")]
    Utf8,
    /// The receive id is not the configured one.
    #[error("receive id is another company's")]
    ReceiveId,
}

/// AES-256-CBC under one key, whose round keys are worked out once. Secret.
#[derive(Clone)]
struct Cipher {
    round_keys: Aes256,
    initialisation_vector: Block,
}

impl Cipher {
    /// The initialisation vector is the first half of the key, for every message.
    fn new(key: &EncodingAesKey) -> Self {
        let mut initialisation_vector = Block::default();
        initialisation_vector
            .iter_mut()
            .zip(key.0)
            .for_each(|(byte, key)| *byte = key);
        Self {
            round_keys: Aes256::new(&key.0.into()),
            initialisation_vector,
        }
    }

    fn decrypt(&self, blocks: &mut [Block]) {
        cbc::Decryptor::inner_iv_init(&self.round_keys, &self.initialisation_vector).decrypt_blocks(blocks);
    }

    fn encryptor(&self) -> cbc::Encryptor<&Aes256> {
        cbc::Encryptor::inner_iv_init(&self.round_keys, &self.initialisation_vector)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Cipher(secret)")
    }
}

/// What one callback configuration shares with WeCom.
#[derive(Clone, Debug)]
pub struct Credentials {
    token: CallbackToken,
    cipher: Cipher,
    receive_id: String,
}

impl Credentials {
    /// Credentials of a callback; `receive_id` is the CorpID for self-built apps, and empty for AI bots.
    pub fn new(token: CallbackToken, key: EncodingAesKey, receive_id: impl Into<String>) -> Self {
        Self {
            token,
            cipher: Cipher::new(&key),
            receive_id: receive_id.into(),
        }
    }

    /// Who the messages are for; the CorpID for self-built apps.
    pub fn receive_id(&self) -> &str {
        &self.receive_id
    }

    /// Signs a ciphertext: SHA-1 over the four texts sorted by bytes and joined.
    pub fn signature(&self, timestamp: &Seconds, nonce: &Nonce, ciphertext: &str) -> Signature {
        let mut parts = [self.token.0.as_str(), timestamp.as_str(), nonce.as_str(), ciphertext];
        parts.sort_unstable();
        let mut hash = Sha1::new();
        parts.iter().for_each(|part| hash.update(part));
        Signature::of_hash(&hash.finalize())
    }

    /// Opens a ciphertext whose signature has been checked.
    ///
    /// # Errors
    ///
    /// The step that failed.
    pub fn decrypt(&self, ciphertext: &str) -> Result<String, DecryptError> {
        let plain = self.without_encryption(ciphertext)?;
        let (message, receive_id) = message_and_receive_id(&plain)?;
        let message = from_utf8(message).map_err(|_| DecryptError::Utf8)?;
        if receive_id != self.receive_id.as_bytes() {
            return Err(DecryptError::ReceiveId);
        }
        Ok(message.to_owned())
    }

    /// Whom a ciphertext is for that opens with this key, whoever signed it; `None` when it does not open. For finding out what is configured
    /// wrongly, never for answering: nothing here has been signed.
    pub(super) fn addressee(&self, ciphertext: &str) -> Option<String> {
        let plain = self.without_encryption(ciphertext).ok()?;
        let (message, receive_id) = message_and_receive_id(&plain).ok()?;
        from_utf8(message).ok()?;
        String::from_utf8(receive_id.to_vec()).ok()
    }

    /// Whether a text has the form of a ciphertext.
    pub(super) fn could_open(ciphertext: &str) -> bool {
        BASE64
            .decode(ciphertext)
            .is_ok_and(|bytes| !bytes.is_empty() && bytes.len().is_multiple_of(size_of::<Block>()))
    }

    fn without_encryption(&self, ciphertext: &str) -> Result<Vec<u8>, DecryptError> {
        let mut buffer = BASE64.decode(ciphertext).map_err(|_| DecryptError::Base64)?;
        match Block::slice_as_chunks_mut(&mut buffer) {
            ([], _) | (_, [_, ..]) => return Err(DecryptError::BlockLength),
            (blocks, []) => self.cipher.decrypt(blocks),
        }
        let length = without_padding(&buffer)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Encrypts a message. `random_prefix` must be fresh from a cryptographic random number generator.
    pub fn encrypt(&self, message: &str, random_prefix: [u8; RANDOM_PREFIX]) -> String {
        let mut buffer = self.padded(message, random_prefix);
        let (blocks, _) = Block::slice_as_chunks_mut(&mut buffer);
        self.cipher.encryptor().encrypt_blocks(blocks);
        BASE64.encode(buffer)
    }

    /// Encrypts a message behind what stands in `out`, and signs the ciphertext.
    pub(super) fn seal_behind(&self, out: &mut String, message: &str, fresh: &Fresh) -> Signature {
        let mut others = [self.token.0.as_str(), fresh.timestamp.as_str(), fresh.nonce.as_str()];
        others.sort_unstable();
        let mut encryptor = self.cipher.encryptor();
        let (mut hash, mut behind) = (Sha1::new(), None);
        for piece in self.padded(message, fresh.random_prefix).chunks_mut(PIECE) {
            let written = write_encrypted(out, piece, &mut encryptor);
            // The first piece is longer than any of the others, or it is the whole ciphertext: it decides which of them stand before it.
            behind.get_or_insert_with(|| {
                let (before, behind) = others.split_at(others.partition_point(|other| *other <= written));
                before.iter().for_each(|part| hash.update(part));
                behind
            });
            hash.update(written);
        }
        behind.into_iter().flatten().for_each(|part| hash.update(part));
        Signature::of_hash(&hash.finalize())
    }

    fn padded(&self, message: &str, random_prefix: [u8; RANDOM_PREFIX]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let mut buffer = Vec::with_capacity(
            HEADER
                .saturating_add(message.len())
                .saturating_add(self.receive_id.len())
                + PADDING_BLOCK,
        );
        buffer.extend_from_slice(&random_prefix);
        buffer.extend_from_slice(&length.to_be_bytes());
        buffer.extend_from_slice(message.as_bytes());
        buffer.extend_from_slice(self.receive_id.as_bytes());
        add_padding(&mut buffer);
        buffer
    }
}

/// Token and EncodingAESKey of doc/90968 and of the official sample libraries.
const PUBLISHED_SAMPLES: [(&str, &str); 2] = [
    ("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"),
    (
        "hJqcu3uJ9Tn2gXPmxx2w9kkCkCE2EPYo",
        "6qkdMrq68nTKduznJYO1A37W2oEgpkMUvkttRToqhUt",
    ),
];

fn hexadecimal_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0'.saturating_add(value),
        _ => b'a'.saturating_add(value).saturating_sub(10),
    }
}

/// Encrypts a piece and writes it as base64.
fn write_encrypted<'a>(out: &'a mut String, piece: &mut [u8], encryptor: &mut cbc::Encryptor<&Aes256>) -> &'a str {
    let (blocks, _) = Block::slice_as_chunks_mut(piece);
    encryptor.encrypt_blocks(blocks);
    let mut characters = [0; WRITTEN_PIECE];
    let length = BASE64.encode_slice(piece, &mut characters).unwrap_or_default();
    let written = characters.get(..length).unwrap_or_default();
    let start = out.len();
    out.push_str(from_utf8(written).unwrap_or_default());
    out.get(start..).unwrap_or_default()
}

fn add_padding(buffer: &mut Vec<u8>) {
    let missing = PADDING_BLOCK.saturating_sub(buffer.len() % PADDING_BLOCK);
    let padded = buffer.len().saturating_add(missing);
    buffer.resize(padded, u8::try_from(missing).unwrap_or_default());
}

fn without_padding(buffer: &[u8]) -> Result<&[u8], DecryptError> {
    let last = *buffer.last().ok_or(DecryptError::Padding)?;
    let length = buffer
        .len()
        .checked_sub(usize::from(last))
        .ok_or(DecryptError::Padding)?;
    let (plain, padding) = buffer.split_at_checked(length).ok_or(DecryptError::Padding)?;
    let in_range = (1..=PADDING_BLOCK).contains(&usize::from(last));
    match in_range && padding.iter().all(|byte| *byte == last) {
        true => Ok(plain),
        false => Err(DecryptError::Padding),
    }
}

/// Splits what follows the random prefix by its length field. The check is a security check: a shifted ciphertext shows here.
fn message_and_receive_id(plain: &[u8]) -> Result<(&[u8], &[u8]), DecryptError> {
    let after_prefix = plain.get(RANDOM_PREFIX..).ok_or(DecryptError::Length)?;
    let (length, rest) = after_prefix.split_first_chunk::<4>().ok_or(DecryptError::Length)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| DecryptError::Length)?;
    rest.split_at_checked(length).ok_or(DecryptError::Length)
}
