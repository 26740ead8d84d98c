//! The one thread that owns the connection. It takes what is waiting, does all of it in one transaction and commits once, so that the
//! cost of durability is shared by what arrives together. Nobody is told "done" before that commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::statements::Statements;
use crate::failpoint::failpoint;
use crate::store::{BoxFuture, StoreError};

/// How many requests may wait. More would only wait longer than WeCom does.
const LONGEST_QUEUE: usize = 4096;

/// How many requests share one commit at most.
const LARGEST_BATCH: usize = 64;

/// One request. Does its work inside the transaction, if there is one.
type Job = Box<dyn FnOnce(Result<&Statements<'_>, StoreError>) -> Done + Send>;

/// Tells one waiting request how the commit went, and who else waits for it.
type Notify = Box<dyn FnOnce(Result<(), StoreError>, Arc<Waiting>) + Send>;

/// A request that has done its work.
struct Done {
    notify: Notify,
    /// It failed half-way, so that nothing of this transaction may stay.
    spoils: bool,
}

/// Requests that share a commit and have not been told yet how it went.
///
/// Whoever is told tells the others as well, until nobody is left. They often are of one thread, which then wakes up once for all of them
/// and not, by taking the processor from the thread that writes, for every few.
struct Waiting {
    untold: Mutex<Vec<Notify>>,
    committed: Result<(), StoreError>,
}

impl Waiting {
    fn tell(self: &Arc<Self>) {
        while let Some(notify) = self.next() {
            notify(self.committed.clone(), Arc::clone(self));
        }
    }

    fn next(&self) -> Option<Notify> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// Work that failed, and whether it may have left something behind.
pub(super) struct Failed {
    pub(super) error: StoreError,
    pub(super) spoils: bool,
}

/// What the thread looks at and tells.
pub(super) struct Watching {
    /// Whether the file is where it was opened; while it is not nothing is written.
    pub(super) is_in_place: Box<dyn Fn() -> bool + Send>,
    /// Called when work was undone.
    pub(super) rolled_back: Box<dyn Fn() + Send>,
}

/// The queue to the thread.
pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread; `kept` lives as long as it does.
    pub(super) fn start(
        connection: Connection,
        watching: Watching,
        kept: impl Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(LONGEST_QUEUE);
        let thread = std::thread::Builder::new().name("store".to_owned());
        let thread = thread.spawn(move || {
            write_batches(&Statements::on(&connection), &receiver, &watching);
            drop(connection);
            drop(kept);
        })?;
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands over work that undoes what it did if it fails or panics, and waits until it is durable.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Statements<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        self.submit_bare(move |connection| {
            let done = in_savepoint(connection, "job", || work(connection));
            done.map_err(|error| Failed { error, spoils: false })
        })
    }

    /// Hands over work that says itself whether it left something behind, and waits until it is durable.
    pub(super) fn submit_bare<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Statements<'_>) -> Result<T, Failed> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let intact = |error| Failed { error, spoils: false };
            let result = connection.map_err(intact).and_then(work);
            let spoils = result.as_ref().is_err_and(|failed| failed.spoils);
            let result = result.map_err(|failed| failed.error);
            // Whoever no longer waits has closed the connection; WeCom will deliver again and get what is stored now.
            let notify = Box::new(move |committed: Result<(), StoreError>, waiting| {
                drop(sender.send((committed.and(result), waiting)));
            });
            Done { notify, spoils }
        });
        let queued = self.enqueue(job);
        Box::pin(async move {
            queued?;
            let (result, waiting): (_, Arc<Waiting>) = receiver.await.map_err(|_| StoreError::Closed)?;
            waiting.tell();
            result
        })
    }

    fn enqueue(&self, job: Job) -> Result<(), StoreError> {
        let queue = self.queue.lock().map_err(|_| StoreError::Closed)?;
        let sender = queue.as_ref().ok_or(StoreError::Closed)?;
        sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    /// Finishes what waits and takes nothing more.
    pub(super) fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        if let Ok(mut queue) = self.queue.lock() {
            // Without a sender the thread finishes what waits and ends.
            queue.take();
        }
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        Box::pin(async move {
            let Some(thread) = thread else { return Ok(()) };
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            match joined {
                Ok(Ok(())) => Ok(()),
                _ => Err(StoreError::Closed),
            }
        })
    }
}

fn write_batches(connection: &Statements<'_>, receiver: &Receiver<Job>, watching: &Watching) {
    while let Ok(first) = receiver.recv() {
        // Whoever has the same processor core and is about to hand over work does so first, and shares the commit.
        std::thread::yield_now();
        let rest = receiver.try_iter().take(LARGEST_BATCH.saturating_sub(1));
        let mut jobs = std::iter::once(first).chain(rest).peekable();
        while jobs.peek().is_some() {
            write_batch(connection, watching, &mut jobs);
        }
    }
}

/// Does jobs in one transaction, up to the first that spoils it.
fn write_batch(connection: &Statements<'_>, watching: &Watching, jobs: &mut impl Iterator<Item = Job>) {
    let begun = match (watching.is_in_place)() {
        true => run(connection, "BEGIN IMMEDIATE"),
        false => Err(StoreError::Database(
            "its file has been removed or replaced while it was in use".to_owned(),
        )),
    };
    let transaction = begun.clone().map(|()| connection);
    let mut told: Vec<Notify> = Vec::new();
    let mut is_spoilt = false;
    for job in jobs {
        let done = job(transaction.clone());
        told.push(done.notify);
        // When the disk is full or fails, SQLite rolls back the whole transaction by itself, with what the jobs before did. What followed
        // would be committed piece by piece, next to what is known in memory of rows that are no more.
        let is_rolled_back = transaction.is_ok() && connection.is_autocommit();
        is_spoilt = done.spoils || is_rolled_back;
        if is_spoilt {
            break;
        }
    }
    let committed = begun.and_then(|()| match is_spoilt {
        false => run(connection, "COMMIT"),
        true => Err(StoreError::Database(
            "a message of the same batch could not be stored".to_owned(),
        )),
    });
    failpoint!("after_commit");
    if committed.is_err() {
        // SQLite may have rolled back by itself, and then there is nothing to roll back.
        let _ = run(connection, "ROLLBACK");
        (watching.rolled_back)();
    }
    told.reverse();
    let untold = Mutex::new(told);
    Arc::new(Waiting { untold, committed }).tell();
}

/// Work whose own writes are undone if it fails or panics, while those of others stay.
pub(super) fn in_savepoint<T>(
    connection: &Connection,
    name: &str,
    work: impl FnOnce() -> Result<T, rusqlite::Error>,
) -> Result<T, StoreError> {
    run(connection, &format!("SAVEPOINT {name}"))?;
    let result = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(database_error),
        Err(_) => Err(StoreError::Panicked),
    };
    if result.is_err() {
        run(connection, &format!("ROLLBACK TO {name}"))?;
    }
    run(connection, &format!("RELEASE {name}"))?;
    result
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let executed = connection.prepare_cached(sql).and_then(|mut sql| sql.execute([]));
    executed.map(drop).map_err(database_error)
}

pub(super) fn database_error(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error.to_string())
}
