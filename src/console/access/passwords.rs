//! Names and passwords: what they must be like, and how passwords are hashed and compared.

use std::sync::LazyLock;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// Fewest and most characters of a password.
const SHORTEST: usize = 12;
const LONGEST: usize = 200;

/// Fewest characters that must be left of a password without what everybody uses.
const LEAST_OF_ITS_OWN: usize = 5;

/// Most characters of a name.
const LONGEST_NAME: usize = 32;

/// Each hashing takes 19 MiB and tens of milliseconds of a core; callbacks need it more.
const AT_ONCE: usize = 1;

/// How long one hashing waits for others.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a password will not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::console) enum PasswordProblem {
    /// Fewer than 12 characters.
    Short,
    /// More than 200 characters.
    Long,
    /// Made of what everybody uses, or of the user's own name.
    Common,
}

impl PasswordProblem {
    pub(in crate::console) fn word(self) -> &'static str {
        match self {
            Self::Short => "password.too-short",
            Self::Long => "password.too-long",
            Self::Common => "password.too-common",
        }
    }
}

/// A name in its one spelling; `None`: it is none. Letters and digits of any language, and what may join them.
pub(in crate::console) fn name_of(text: &str) -> Option<String> {
    let name: String = text.trim().nfkc().flat_map(char::to_lowercase).collect();
    let is_of_names = |letter: char| letter.is_alphanumeric() || "._-@".contains(letter);
    let length = name.chars().count();
    ((1..=LONGEST_NAME).contains(&length) && name.chars().all(is_of_names)).then_some(name)
}

/// Looks at the length of a password and at how easily it is guessed. Nothing is asked of the kinds of its characters.
pub(in crate::console) fn check_password(password: &str, name: &str) -> Result<(), PasswordProblem> {
    match password.chars().count() {
        ..SHORTEST => Err(PasswordProblem::Short),
        length if length > LONGEST => Err(PasswordProblem::Long),
        _ if own_of(password, name) < LEAST_OF_ITS_OWN => Err(PasswordProblem::Common),
        _ => Ok(()),
    }
}

static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let lines = include_str!("common_passwords.txt").lines();
    let mut words: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
});

/// How many different characters are left of a password without common words, repetitions and the user's name.
fn own_of(password: &str, name: &str) -> usize {
    let plain = |letter: char| match letter {
        '@' | '4' => 'a',
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '$' | '5' => 's',
        _ => letter,
    };
    let lower: String = password.chars().flat_map(char::to_lowercase).collect();
    let spelt: String = lower.chars().map(plain).collect();
    let as_written = different(&without_common(&lower, name));
    let as_meant = different(&without_common(&spelt, name));
    as_written.min(as_meant)
}

fn without_common(text: &str, name: &str) -> String {
    let mut rest = text.replace(name, "");
    for word in COMMON.iter() {
        rest = rest.replace(word, "");
    }
    rest
}

fn different(text: &str) -> usize {
    let letters: std::collections::BTreeSet<char> = text.chars().filter(|letter| letter.is_alphanumeric()).collect();
    letters.len()
}

/// Hashes and compares passwords, on threads where that may take its time, and few at once.
pub(in crate::console) struct Hashing {
    permits: Semaphore,
}

impl Default for Hashing {
    fn default() -> Self {
        Self {
            permits: Semaphore::new(AT_ONCE),
        }
    }
}

/// Compared with when there is no such user, so that nobody learns that from the time it takes.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash_now("the password of nobody"));

impl Hashing {
    /// Argon2id hash of a password, as a PHC string, by the parameters that OWASP recommends: 19 MiB, two passes. `None`: it cannot be made
    /// now.
    pub(in crate::console) async fn hash(&self, password: String) -> Option<String> {
        self.run(move || hash_now(&password)).await.flatten()
    }

    /// Whether a password is the one of this hash. Without a hash it takes as long, and is not. `None`: it cannot be said now.
    pub(in crate::console) async fn verify(&self, password: String, hash: Option<String>) -> Option<bool> {
        let verifying = self.run(move || {
            let nobody = NOBODY.as_deref().unwrap_or_default();
            let is_right = is_of_hash(&password, hash.as_deref().unwrap_or(nobody));
            is_right && hash.is_some()
        });
        verifying.await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = tokio::time::timeout(PATIENCE, self.permits.acquire()).await;
        let _permit = permit.ok()?.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }
}

fn hash_now(password: &str) -> Option<String> {
    let hash: PasswordHash = Argon2::default().hash_password(normal(password).as_bytes()).ok()?;
    Some(hash.to_string())
}

fn is_of_hash(password: &str, hash: &str) -> bool {
    let hash = PasswordHash::new(hash);
    hash.is_ok_and(|hash| {
        Argon2::default()
            .verify_password(normal(password).as_bytes(), &hash)
            .is_ok()
    })
}

/// Keyboards differ in how they put accents and characters together.
fn normal(password: &str) -> String {
    password.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(name_of(" LiMing ").as_deref(), Some("liming"));
        assert_eq!(name_of("ＬＩ").as_deref(), Some("li"));
        assert_eq!(name_of("小李@example.com").as_deref(), Some("小李@example.com"));
        for wrong in ["", "  ", "a b", "a<b", "a\nb", "=1+1", &"x".repeat(33)] {
            assert_eq!(name_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn passwords_are_long_and_not_what_everybody_uses() {
        assert_eq!(check_password("short", "li"), Err(PasswordProblem::Short));
        assert_eq!(check_password(&"x1".repeat(101), "li"), Err(PasswordProblem::Long));
        for common in [
            "password1234",
            "P@ssw0rd2026!",
            "123456789012",
            "aaaaaaaaaaaa",
            "qwertyuiop12",
            "jiefeng-jiefeng",
            "woaini1314520",
            "liming202611",
            "liming-liming",
            "Admin@123456",
            "administrator",
        ] {
            assert_eq!(
                check_password(common, "liming"),
                Err(PasswordProblem::Common),
                "{common}"
            );
        }
        for fine in [
            "correct horse battery staple",
            "tk4-Rwe-99-bloom",
            "风吹草低见牛羊落日圆又圆",
            "83650172946358",
        ] {
            assert_eq!(check_password(fine, "liming"), Ok(()), "{fine}");
        }
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let hashing = Hashing::default();
        let hash = hashing.hash("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = |password: &str, hash: Option<&str>| hashing.verify(password.to_owned(), hash.map(str::to_owned));
        assert_eq!(verify("correct horse battery", Some(&hash)).await, Some(true));
        assert_eq!(verify("correct horse", Some(&hash)).await, Some(false));
        assert_eq!(verify("the password of nobody", None).await, Some(false));
        assert_eq!(verify("x", Some("no hash")).await, Some(false));
    }
}
