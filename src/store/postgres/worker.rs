//! The one thread that speaks with PostgreSQL. The store is called from several single-threaded runtimes, and none of them must be needed
//! for another one's answer.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinSet, LocalSet};

use super::OpenError;
use super::shared::Shared;
use crate::store::{BoxFuture, StoreError};

/// How many requests may wait. More would only wait longer than WeCom does.
const LONGEST_QUEUE: usize = 4096;

/// Work on the thread.
pub(super) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// A request: it is taken note of in the order in which it came, and carried out together with others.
type Job = Box<dyn FnOnce(Rc<Shared>) -> Task + Send>;

/// The queue to the thread.
pub(super) struct Worker {
    jobs: Mutex<Option<UnboundedSender<Job>>>,
    room: Arc<Semaphore>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// Starts the thread and waits until it is ready, or cannot be; with what preparing it found.
    pub(super) fn start<T: Send + 'static>(
        prepare: impl AsyncFnOnce() -> Result<(Shared, T), OpenError> + Send + 'static,
    ) -> Result<(Self, T), OpenError> {
        let (jobs, received) = unbounded_channel();
        let (tell, told) = sync_channel(1);
        let thread = std::thread::Builder::new().name("store".to_owned());
        let thread = thread.spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(OpenError::Thread(error)))),
            };
            LocalSet::new().block_on(&runtime, async move {
                match prepare().await {
                    Ok((shared, found)) => {
                        drop(tell.send(Ok(found)));
                        serve(received, Rc::new(shared)).await;
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        });
        let thread = thread.map_err(OpenError::Thread)?;
        let ended = || OpenError::Thread(std::io::Error::other("it ended at once"));
        let found = told.recv().map_err(|_| ended())??;
        let worker = Self {
            jobs: Mutex::new(Some(jobs)),
            room: Arc::new(Semaphore::new(LONGEST_QUEUE)),
            thread: Mutex::new(Some(thread)),
        };
        Ok((worker, found))
    }

    /// Hands over a request and waits for what `tell` is told.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        request: impl FnOnce(Rc<Shared>, oneshot::Sender<Result<T, StoreError>>) -> Task + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let (tell, told) = oneshot::channel();
        let queued = self.enqueue(move |shared| request(shared, tell));
        Box::pin(async move {
            queued?;
            told.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn enqueue(&self, request: impl FnOnce(Rc<Shared>) -> Task + Send + 'static) -> Result<(), StoreError> {
        let room = Arc::clone(&self.room).try_acquire_owned();
        let room = room.map_err(|_| StoreError::Overloaded)?;
        let job: Job = Box::new(move |shared| {
            let task = request(shared);
            Box::pin(async move {
                task.await;
                drop(room);
            })
        });
        let jobs = self.jobs.lock().map_err(|_| StoreError::Closed)?;
        let jobs = jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).map_err(|_| StoreError::Closed)
    }

    /// Finishes what waits, gives back what this process holds, and takes nothing more.
    pub(super) fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        if let Ok(mut jobs) = self.jobs.lock() {
            // Without a sender the thread finishes what waits and ends.
            jobs.take();
        }
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        Box::pin(async move {
            let Some(thread) = thread else { return Ok(()) };
            match tokio::task::spawn_blocking(move || thread.join()).await {
                Ok(Ok(())) => Ok(()),
                _ => Err(StoreError::Closed),
            }
        })
    }
}

async fn serve(mut jobs: UnboundedReceiver<Job>, shared: Rc<Shared>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            job = jobs.recv() => match job {
                Some(job) => drop(tasks.spawn_local(job(Rc::clone(&shared)))),
                None => break,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
    shared.leave().await;
}
