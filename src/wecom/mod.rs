//! Calling WeCom's API: access token, limits, repetitions, the calls that the bot makes and what their failures mean.
//!
//! [`Client::call`] makes any call with a body that was composed elsewhere, for example one that a queue has kept; the methods in [`kf`] and
//! [`app`] ask for something and read the answer. [`message`] composes bodies, [`text`] cuts what is too long for one message.
//! [`codes`] knows what the numbers of refusals mean. The Secret and the token stay in here: no error, no log and no `Debug` has them.

pub mod address;
pub mod api;
pub mod app;
mod client;
pub mod codes;
mod error;
pub mod kf;
mod limits;
pub mod message;
mod own_tokens;
mod persistence;
mod sealing;
#[cfg(test)]
mod tests;
pub mod text;
mod token;
mod transport;

pub use address::{AddressError, ApiBase, ProxyAddress};
pub use api::{Api, Method, Repetition};
pub use client::{Client, ClientSettings};
pub use codes::Handling;
pub use error::{ApiError, ClientError, ExchangeFailure, Refusal, TokenError};
pub use own_tokens::OwnTokens;
pub use text::split_text;
pub use token::{StoredToken, TokenStore, read_token};
pub(crate) use transport::http_client;
pub use transport::{Answer, read_answer};
