//! Who may use the console: passwords, one-time codes, sessions, links that work once, and how often signing in may be tried.

mod links;
mod passwords;
mod second_factor;
mod sessions;
mod throttle;
mod tokens;

pub use links::{FirstLink, LINK_HOURS, first_link, password_link};
pub(super) use links::{new_link, path_of_link};
pub(super) use passwords::{Hashing, check_password, name_of};
pub(super) use second_factor::{Scannable, address as address_of_secret, new_secret, step_of};
pub(super) use sessions::{
    COOKIE, DEVICE_COOKIE, device_cookie, is_known_device, is_live, is_to_be_touched, removed_cookie, session_cookie,
};
pub(super) use throttle::{Throttle, Tries};
pub(super) use tokens::{form_token, hash_of, is_same, new_token};
