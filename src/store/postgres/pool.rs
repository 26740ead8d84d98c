//! A few connections, and transactions on them. A connection that is lost is made anew; whoever needs one while the server restarts waits.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, Row};

use super::connecting::Connector;
use super::values::Value;
use crate::failpoint::failpoint;
use crate::store::StoreError;

/// How long a connection is waited for. What settles a message must be done in four seconds, because WeCom waits for five.
pub(super) const PATIENCE: Duration = Duration::from_millis(3500);

/// How long a whole transaction may take: each statement has three seconds, but a server that went away says nothing at all.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(30);

/// The first pause before connecting again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Settings are those of the transaction, because behind a pooler the next one may have another connection. What was committed before a lock
/// was had must be seen by what follows the lock, whatever the database has for its default. "On" means: on disk before it is said to be done.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = '3s'; SET LOCAL lock_timeout = '1s';
                     SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// Why a transaction came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// There was no connection; nothing was begun.
    NoConnection(StoreError),
    /// The server refused something and everything was rolled back, or the connection was lost before it was to be committed.
    Undone(Error),
    /// The connection was lost while it was committed: nobody knows whether it was.
    Unknown,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoConnection(error) => error,
            Failure::Undone(error) => database_error(&error),
            Failure::Unknown => {
                Self::Database("the connection was lost while committing; what is stored now is not known".to_owned())
            }
        }
    }
}

/// What the server says, without the detail, which may show what somebody wrote.
pub(super) fn database_error(error: &Error) -> StoreError {
    StoreError::Database(match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("no connection to PostgreSQL: {cause}"),
            None => "the connection to PostgreSQL was lost".to_owned(),
        },
    })
}

/// The connections.
pub(super) struct Pool {
    connector: Connector,
    idle: RefCell<Vec<Client>>,
    permits: Semaphore,
}

/// A connection while it is used. It goes back to the pool if nothing is left open on it.
pub(super) struct Connection<'a> {
    client: Client,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

/// Statements inside a transaction. What is awaited together is sent together, and carried out in the order in which it was first awaited.
#[derive(Clone, Copy)]
pub(super) struct Transaction<'a> {
    client: &'a Client,
}

impl Pool {
    pub(super) fn new(connector: Connector, connections: usize) -> Self {
        Self {
            connector,
            idle: RefCell::default(),
            permits: Semaphore::new(connections),
        }
    }

    /// A connection, at `deadline` at the latest. It may have been lost a moment ago without anybody knowing yet.
    pub(super) async fn connection(&self, deadline: Instant) -> Result<Connection<'_>, StoreError> {
        let permit = timeout_at(deadline, self.permits.acquire()).await;
        let busy = || StoreError::Database("all connections to PostgreSQL are in use".to_owned());
        let permit = permit.map_err(|_| busy())?.map_err(|_| StoreError::Closed)?;
        let client = match self.idle_client() {
            Some(client) => client,
            None => self.connect(deadline).await.map_err(|error| database_error(&error))?,
        };
        Ok(Connection {
            client,
            pool: self,
            _permit: permit,
        })
    }

    fn idle_client(&self) -> Option<Client> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|client| !client.is_closed());
        idle.pop()
    }

    /// Connects, again and again until `deadline`: a server that restarts is back within seconds.
    async fn connect(&self, deadline: Instant) -> Result<Client, Error> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connector.connect().await {
                Ok(client) => return Ok(client),
                Err(error) if is_final(&error) || Instant::now() + pause > deadline => return Err(error),
                Err(_) => sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Begins a transaction on a connection that is known to be alive.
    async fn begun(&self, deadline: Instant) -> Result<Connection<'_>, Failure> {
        loop {
            let connection = self.connection(deadline).await.map_err(Failure::NoConnection)?;
            match connection.begin().await {
                Ok(()) => return Ok(connection),
                // It was lost while it was idle, and nothing has been done on it.
                Err(error) if error.is_closed() && Instant::now() < deadline => {}
                Err(error) if connection.is_lost() && Instant::now() < deadline => {
                    tracing::debug!(%error, "an idle connection was lost");
                }
                Err(error) => return Err(Failure::Undone(error)),
            }
        }
    }

    /// Does work in one transaction. The work is done once; whoever is told that the outcome is not known must not do it again as if it
    /// had failed.
    pub(super) async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let begun = self.begun(Instant::now() + PATIENCE).await?;
        let end = Instant::now() + LONGEST_TRANSACTION;
        match timeout_at(end, work(begun.transaction())).await {
            Ok(Ok(value)) => match timeout_at(end, begun.commit()).await {
                Ok(Ok(())) => {
                    failpoint!("after_commit");
                    begun.give_back();
                    Ok(value)
                }
                Ok(Err(error)) if error.as_db_error().is_some() => Err(Failure::Undone(error)),
                _ => Err(Failure::Unknown),
            },
            Ok(Err(error)) => {
                begun.roll_back().await;
                Err(Failure::Undone(error))
            }
            Err(_) => Err(Failure::NoConnection(StoreError::Database(
                "PostgreSQL does not answer".to_owned(),
            ))),
        }
    }
}

/// Waiting does not help: the address, the password or the database is wrong, or its certificate is nobody's who is trusted.
pub(super) fn is_final(error: &Error) -> bool {
    const CODES: [SqlState; 4] = [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    match error.code() {
        Some(code) => CODES.contains(code),
        None => std::error::Error::source(error).is_some_and(|cause| !is_of_the_network(cause)),
    }
}

fn is_of_the_network(cause: &(dyn std::error::Error + 'static)) -> bool {
    let cause = cause.downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.kind() != ErrorKind::InvalidData)
}

impl Connection<'_> {
    pub(super) fn is_lost(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) async fn begin(&self) -> Result<(), Error> {
        self.client.batch_execute(BEGIN).await
    }

    pub(super) async fn commit(&self) -> Result<(), Error> {
        self.client.batch_execute("COMMIT").await
    }

    pub(super) fn transaction(&self) -> Transaction<'_> {
        Transaction::on(&self.client)
    }

    /// Nothing is open on it.
    pub(super) fn give_back(self) {
        self.pool.idle.borrow_mut().push(self.client);
    }

    /// Undoes what is open. A connection on which that fails is not used again.
    pub(super) async fn roll_back(self) {
        if self.is_lost() {
            return;
        }
        let rolled_back = timeout_at(Instant::now() + PATIENCE, self.client.batch_execute("ROLLBACK")).await;
        if matches!(rolled_back, Ok(Ok(()))) {
            self.give_back();
        }
    }
}

impl<'a> Transaction<'a> {
    /// Whatever is open on this connection.
    pub(super) fn on(client: &'a Client) -> Self {
        Self { client }
    }

    /// The rows that a statement gives.
    pub(super) async fn rows(self, sql: &str, values: Vec<Value<'_>>) -> Result<Vec<Row>, Error> {
        let parameters: Vec<_> = values.iter().map(Value::as_parameter).collect();
        self.client.query_typed(sql, &parameters).await
    }

    /// The one row that a statement gives, if it gives one.
    pub(super) async fn row_if_any(self, sql: &str, values: Vec<Value<'_>>) -> Result<Option<Row>, Error> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(self, sql: &str, values: Vec<Value<'_>>) -> Result<u64, Error> {
        let parameters: Vec<_> = values.iter().map(Value::as_parameter).collect();
        self.client.execute_typed(sql, &parameters).await
    }

    /// Statements without values, one after the other.
    pub(super) async fn script(self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await
    }
}
