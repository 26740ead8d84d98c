//! Sessions and their cookies.

use actix_web::cookie::time::Duration as CookieAge;
use actix_web::cookie::{Cookie, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use super::tokens::is_same;
use crate::store::{ConsoleCredentials, ConsoleSession};

/// The session's cookie. By its prefix browsers take it from this host alone, and only where nobody on the way can read it: over TLS, or on
/// this machine.
pub(in crate::console) const COOKIE: &str = "__Host-jiefeng-session";

/// Tells that somebody has signed in with this browser before.
pub(in crate::console) const DEVICE_COOKIE: &str = "__Host-jiefeng-device";

/// A session ends so long after signing in.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// A session ends when nothing was done for so long.
const LONGEST_REST: SignedDuration = SignedDuration::from_mins(30);

/// That a session is used is noted so often.
const TOUCHED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Whether a session goes on.
pub(in crate::console) fn is_live(session: &ConsoleSession, now: Timestamp) -> bool {
    let age = now.duration_since(session.created_at);
    let rest = now.duration_since(session.seen_at);
    // A clock that was put back keeps nobody signed in for longer.
    let grace = -TOUCHED_EVERY;
    age >= grace && age < LONGEST && rest >= grace && rest < LONGEST_REST
}

/// Whether it is time to note that a session is used.
pub(in crate::console) fn is_to_be_touched(session: &ConsoleSession, now: Timestamp) -> bool {
    now.duration_since(session.seen_at) >= TOUCHED_EVERY
}

/// The cookie of a session that begins; the browser forgets it when it is closed.
pub(in crate::console) fn session_cookie(token: String) -> Cookie<'static> {
    host_cookie(COOKIE, token)
}

/// Has the browser forget a session.
pub(in crate::console) fn removed_cookie() -> Cookie<'static> {
    let mut cookie = host_cookie(COOKIE, String::new());
    cookie.set_max_age(CookieAge::ZERO);
    cookie
}

fn host_cookie(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .finish()
}

/// A cookie that only whoever has signed in under this name with the password of this hash can have.
pub(in crate::console) fn device_cookie(name: &str, password: &str) -> Option<Cookie<'static>> {
    let mut cookie = host_cookie(DEVICE_COOKIE, device_token(name, password)?);
    cookie.set_max_age(CookieAge::days(180));
    Some(cookie)
}

/// Whether a browser's cookie says that this user has signed in with it.
pub(in crate::console) fn is_known_device(cookie: &str, credentials: &ConsoleCredentials) -> bool {
    let password = credentials.password.as_deref();
    let token = password.and_then(|password| device_token(&credentials.user.name, password));
    token.is_some_and(|token| is_same(&token, cookie))
}

/// Made with the stored hash of the password as its key, which nobody outside knows and which ends with the password.
fn device_token(name: &str, password: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(password.as_bytes()).ok()?;
    mac.update(b"device\0");
    mac.update(name.as_bytes());
    Some(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ConsoleRole, ConsoleUser};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_764_000_000 + 60 * minute).unwrap()
    }

    fn user() -> ConsoleUser {
        ConsoleUser {
            id: 1,
            name: "li".to_owned(),
            role: ConsoleRole::Viewer,
            is_disabled: false,
            has_password: true,
            has_second_factor: false,
            created_at: at(0),
            last_login_at: None,
        }
    }

    fn session(seen_at: i64) -> ConsoleSession {
        ConsoleSession {
            user: user(),
            created_at: at(0),
            seen_at: at(seen_at),
        }
    }

    #[test]
    fn a_session_ends_after_half_an_hour_of_rest_and_after_half_a_day() {
        assert!(is_live(&session(0), at(29)));
        assert!(!is_live(&session(0), at(30)));
        assert!(is_live(&session(29), at(58)));
        assert!(is_live(&session(12 * 60 - 2), at(12 * 60 - 1)));
        assert!(!is_live(&session(12 * 60 - 1), at(12 * 60)));
        assert!(!is_live(&session(0), at(-2)), "a clock that was put back");
    }

    #[test]
    fn use_is_noted_once_a_minute() {
        assert!(!is_to_be_touched(&session(5), at(5)));
        assert!(is_to_be_touched(&session(5), at(6)));
    }

    #[test]
    fn a_device_is_known_to_one_user_until_the_password_changes() {
        let credentials = |password: &str| ConsoleCredentials {
            user: user(),
            password: Some(password.to_owned()),
            second_factor: None,
        };
        let cookie = device_cookie("li", "one").unwrap();
        assert!(is_known_device(cookie.value(), &credentials("one")));
        assert!(!is_known_device(cookie.value(), &credentials("other")));
        let mut somebody_else = credentials("one");
        somebody_else.user.name = "wang".to_owned();
        assert!(!is_known_device(cookie.value(), &somebody_else));
        let without = ConsoleCredentials {
            user: user(),
            password: None,
            second_factor: None,
        };
        assert!(!is_known_device("", &without));
    }
}
