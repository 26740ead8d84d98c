//! Reads the body of a request, of which a stranger decides how large it is and how fast it comes.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt};

/// Largest body that is read. Callbacks have a few KiB.
const LARGEST_BODY: usize = 256 * 1024;

/// How long a whole body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Larger than anything WeCom sends.
    #[error("the body is larger than 256 KiB")]
    TooLarge,
    /// Still not there after a time in which WeCom gives up.
    #[error("the body took more than 5 s")]
    TooSlow,
    /// The connection broke, or what came is not HTTP.
    #[error(transparent)]
    Broken(#[from] PayloadError),
}

/// Reads a whole body.
///
/// # Errors
///
/// When it is too large, too slow or broken.
pub async fn read_body(payload: Payload) -> Result<Bytes, BodyError> {
    let mut reading = pin!(joined(payload));
    // Nearly every body came together with its head; then no time has to be measured.
    next_turn().await;
    if let Some(body) = reading.as_mut().now_or_never() {
        return body;
    }
    let reading = tokio::time::timeout(BODY_TIMEOUT, reading);
    reading.await.unwrap_or(Err(BodyError::TooSlow))
}

/// actix-web calls a handler before it hands over what came with the head, and calls it again right after. (A request that waited for the
/// one before it on its connection has its body already, and is called again soon.)
async fn next_turn() {
    let mut is_first = true;
    let turn = poll_fn(|context| match std::mem::take(&mut is_first) {
        true => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        false => Poll::Ready(()),
    });
    turn.await;
}

/// A body that comes in one piece, as nearly all do, is taken as it is.
async fn joined(mut payload: Payload) -> Result<Bytes, BodyError> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece?;
        if first.len() + joined.len() + piece.len() > LARGEST_BODY {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() && joined.is_empty() {
            first = piece;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&piece);
        }
    }
    match first.is_empty() {
        true => Ok(joined.freeze()),
        false => Ok(first),
    }
}
