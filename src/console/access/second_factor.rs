//! One-time codes of an authenticator app, as a second thing to sign in with (RFC 6238: HMAC-SHA-1, six digits, 30 seconds).

use std::fmt::Write;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use qrcode::{Color, QrCode};
use sha1::Sha1;

use super::is_same;
use crate::console::frame::encoded;

/// How long one code holds, in seconds.
const PERIOD: i64 = 30;

/// Codes have six digits.
const CODES: u32 = 1_000_000;

/// Bytes of a secret, as RFC 4226 recommends.
const SECRET: usize = 20;

/// A new secret, in base32; `None`: this machine has no randomness.
pub(in crate::console) fn new_secret() -> Option<String> {
    let mut bytes = [0; SECRET];
    getrandom::fill(&mut bytes).ok()?;
    Some(BASE32_NOPAD.encode(&bytes))
}

/// The step whose code this is, if it is the one of now, of the step before (clocks differ, and typing takes a while) or the one after.
pub(in crate::console) fn step_of(secret: &str, code: &str, now: Timestamp) -> Option<i64> {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).ok()?;
    let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let now = now.as_second().div_euclid(PERIOD);
    let steps = now.saturating_sub(1)..=now.saturating_add(1);
    steps
        .rev()
        .find(|step| code_at(&secret, *step).is_some_and(|right| is_same(&code, &right)))
}

fn code_at(secret: &[u8], step: i64) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash.last()? & 0x0f);
    let four = hash.get(offset..offset + 4)?;
    let number = u32::from_be_bytes(four.try_into().ok()?) & 0x7fff_ffff;
    Some(format!("{:06}", number % CODES))
}

/// What an authenticator app reads from a picture.
pub(in crate::console) fn address(name: &str, secret: &str) -> String {
    let name = encoded(name);
    format!("otpauth://totp/Jiefeng:{name}?secret={secret}&issuer=Jiefeng&algorithm=SHA1&digits=6&period=30")
}

/// A text as a picture to scan.
pub(in crate::console) struct Scannable {
    /// Modules of a side, the white edge included.
    pub(in crate::console) side: usize,
    /// What is dark, as the path of an SVG in modules.
    pub(in crate::console) path: String,
}

impl Scannable {
    /// `None`: the text is too long for it.
    pub(in crate::console) fn of(text: &str) -> Option<Self> {
        /// A reader needs so much white around it.
        const EDGE: usize = 4;
        let code = QrCode::new(text).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (place, _) in code
            .to_colors()
            .iter()
            .enumerate()
            .filter(|(_, color)| **color == Color::Dark)
        {
            let (row, column) = (place / width, place % width);
            // Writing to a text cannot fail.
            let _ = write!(path, "M{} {}h1v1h-1z", column + EDGE, row + EDGE);
        }
        Some(Self {
            side: width + 2 * EDGE,
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six digits of its eight.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = BASE32_NOPAD.encode(b"12345678901234567890");
        let known = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ];
        for (second, code) in known {
            let at = Timestamp::from_second(second).unwrap();
            assert_eq!(step_of(&secret, code, at), Some(second / 30), "{second}");
        }
    }

    #[test]
    fn a_code_holds_for_the_step_before_and_the_one_after_and_no_longer() {
        let secret = new_secret().unwrap();
        let step = 59_000_000;
        let code = code_at(&BASE32_NOPAD.decode(secret.as_bytes()).unwrap(), step).unwrap();
        let at = |step: i64| Timestamp::from_second(step * 30 + 7).unwrap();
        for now in [step - 1, step, step + 1] {
            assert_eq!(step_of(&secret, &format!(" {code} "), at(now)), Some(step));
        }
        for now in [step - 2, step + 2] {
            assert_ne!(step_of(&secret, &code, at(now)), Some(step));
        }
        for wrong in ["", "12345", "abcdef", "1234567"] {
            assert_eq!(step_of(&secret, wrong, at(step)), None);
        }
        assert_eq!(step_of("not base32!", &code, at(step)), None);
    }

    #[test]
    fn the_address_is_a_picture_to_scan() {
        let picture = Scannable::of(&address("li", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")).unwrap();
        assert!(picture.side > 30 && picture.path.starts_with("M4 4h1v1h-1z"));
    }
}
