//! Reading beside the writer: with a connection of its own, so that whatever looks at much keeps no message waiting.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::writer::database_error;
use crate::store::{BoxFuture, StoreError};

/// Memory for pages of the file, in KiB.
const CACHE_KIB: i64 = 4 * 1024;

/// How long a reader waits for the file; only a checkpoint at the wrong moment can make it.
const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

/// One connection for reading, made when it is first needed.
#[derive(Clone)]
pub(super) struct Reads {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

enum State {
    Unopened,
    Open(Connection),
    Closed,
}

impl Reads {
    pub(super) fn of(path: PathBuf) -> Self {
        Self {
            path,
            state: Arc::new(Mutex::new(State::Unopened)),
        }
    }

    /// Reads what is committed, on a thread where that may take its time. One reads at a time.
    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let reads = self.clone();
        Box::pin(async move {
            let reading = tokio::task::spawn_blocking(move || reads.read_now(work));
            reading.await.unwrap_or(Err(StoreError::Panicked))
        })
    }

    fn read_now<T>(&self, work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>) -> Result<T, StoreError> {
        let mut state = self.state();
        if matches!(*state, State::Unopened) {
            *state = State::Open(self.open().map_err(database_error)?);
        }
        match &*state {
            State::Open(connection) => work(connection).map_err(database_error),
            State::Unopened | State::Closed => Err(StoreError::Closed),
        }
    }

    fn open(&self) -> Result<Connection, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        Ok(connection)
    }

    /// Finishes what is being read and reads nothing more.
    pub(super) async fn close(&self) {
        let reads = self.clone();
        let closing = tokio::task::spawn_blocking(move || *reads.state() = State::Closed);
        // Nothing in there panics.
        let _ = closing.await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
