//! Access tokens as they are stored: whoever has the database, or a copy of it, has no token without the app's Secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use secrecy::{ExposeSecret, SecretString};

use super::token::{AccessToken, Credentials, StoredToken};

/// Sets the derived key apart from everything else that may be derived from a Secret.
const PURPOSE: &[u8] = b"jiefeng access token 1";

/// Seals a token under a key that all processes of the app derive alike. `None` when the system has no random numbers.
pub(super) fn seal(credentials: &Credentials, token: &AccessToken) -> Option<StoredToken> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).ok()?;
    let mut bytes = token.token.expose_secret().as_bytes().to_vec();
    let bound = Aad::from(bound(credentials, token.generation, token.expires_at));
    key(credentials)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut bytes)
        .ok()?;
    Some(StoredToken {
        sealed: STANDARD.encode([nonce.as_slice(), &bytes].concat()),
        generation: token.generation,
        expires_at: token.expires_at,
    })
}

/// Opens what [`seal`] has sealed; `None` when it was sealed under another Secret, or is something else, or has been changed.
pub(super) fn open(credentials: &Credentials, stored: &StoredToken) -> Option<AccessToken> {
    let sealed = STANDARD.decode(&stored.sealed).ok()?;
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut bytes = sealed.to_vec();
    let bound = Aad::from(bound(credentials, stored.generation, stored.expires_at));
    let opened = key(credentials)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), bound, &mut bytes)
        .ok()?;
    Some(AccessToken {
        token: SecretString::from(std::str::from_utf8(opened).ok()?),
        generation: stored.generation,
        expires_at: stored.expires_at,
    })
}

fn key(credentials: &Credentials) -> Option<LessSafeKey> {
    let secret = Salt::new(HKDF_SHA256, PURPOSE).extract(credentials.secret.expose_secret().as_bytes());
    let info = [credentials.corp_id.as_bytes()];
    let key = secret.expand(&info, &CHACHA20_POLY1305).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(key)))
}

/// What a sealed token belongs to, so that it cannot be put into another's place.
fn bound(credentials: &Credentials, generation: i64, expires_at: jiff::Timestamp) -> String {
    format!("{}\n{generation}\n{}", credentials.key(), expires_at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(app: &str, corp_id: &str, secret: &str) -> Credentials {
        Credentials {
            app: app.to_owned(),
            corp_id: corp_id.to_owned(),
            secret: SecretString::from(secret),
        }
    }

    fn token() -> AccessToken {
        AccessToken {
            token: SecretString::from("canary-token"),
            generation: 7,
            expires_at: jiff::Timestamp::from_second(1_764_000_000).unwrap(),
        }
    }

    #[test]
    fn what_was_sealed_is_opened_with_the_same_secret_alone() {
        let own = credentials("support", "ww1", "right");
        let sealed = seal(&own, &token()).unwrap();
        assert!(!sealed.sealed.contains("canary"), "{}", sealed.sealed);
        let opened = open(&own, &sealed).unwrap();
        assert_eq!((opened.token.expose_secret(), opened.generation), ("canary-token", 7));
        for (app, corp_id, secret) in [
            ("support", "ww1", "other"),
            ("support", "ww2", "right"),
            ("sales", "ww1", "right"),
        ] {
            assert!(
                open(&credentials(app, corp_id, secret), &sealed).is_none(),
                "{app} {corp_id} {secret}"
            );
        }
    }

    #[test]
    fn the_same_token_is_never_sealed_alike() {
        let own = credentials("support", "ww1", "right");
        assert_ne!(
            seal(&own, &token()).unwrap().sealed,
            seal(&own, &token()).unwrap().sealed
        );
    }

    #[test]
    fn what_was_changed_or_never_sealed_is_not_opened() {
        let own = credentials("support", "ww1", "right");
        let sealed = seal(&own, &token()).unwrap();
        let changed = |change: &dyn Fn(&mut StoredToken)| {
            let mut changed = sealed.clone();
            change(&mut changed);
            open(&own, &changed)
        };
        assert!(changed(&|stored| stored.generation += 1).is_none());
        assert!(changed(&|stored| stored.expires_at += jiff::SignedDuration::from_secs(1)).is_none());
        for text in ["", "canary-token", "YWJj", "////////////////////////////////////////"] {
            assert!(changed(&|stored| stored.sealed = text.to_owned()).is_none(), "{text}");
        }
        let bytes = STANDARD.decode(&sealed.sealed).unwrap();
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 1;
            assert!(
                changed(&|stored| stored.sealed = STANDARD.encode(&bytes)).is_none(),
                "byte {place}"
            );
        }
    }
}
