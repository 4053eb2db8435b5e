//! A few connections for many who want one: never more than the database allows, none lost, each in its turn.

use rusqlite::Connection;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// How connections are opened and looked after. They are closed by being dropped.
pub trait Manage: Send + Sync + 'static {
    /// A connection.
    type Connection: Send + 'static;
    /// Why none could be opened.
    type Error: fmt::Debug + Send + 'static;

    /// Opens a connection.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>> + Send;

    /// Asked of a connection that has been idle, before it is handed out again: is there still somebody at the other end?
    fn check(&self, connection: &mut Self::Connection) -> impl Future<Output = bool> + Send;

    /// Called as soon as a connection comes back: cleans up what its user has left behind. False if that cannot be done.
    fn recycle(&self, connection: &mut Self::Connection) -> bool;
}

/// What a pool may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The greatest number of connections: idle ones, those in use, those being checked and those being opened.
    pub max: usize,
    /// How long a caller waits for its turn.
    pub wait: Duration,
    /// From this age on a connection is neither handed out nor kept. It counts from when `connect` returned; a check takes time too.
    pub lifetime: Duration,
    /// After this long without use a connection is closed.
    pub idle: Duration,
}

/// Why a caller got no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed<E> {
    /// Its turn did not come in time.
    TimedOut,
    /// A connection could not be opened.
    Connect(E),
}

/// A pool of connections.
pub struct Pool<M: Manage> {
    shared: Arc<Shared<M>>,
}

struct Shared<M: Manage> {
    manager: M,
    config: Config,
    /// The one that came back last is at the end.
    idle: Mutex<Vec<Idle<M::Connection>>>,
    /// One for each connection that is not idle, or could be opened. It is handed out in the order in which it was asked for.
    turns: Arc<Semaphore>,
}

struct Idle<C> {
    connection: C,
    opened: Instant,
    since: Instant,
}

/// A connection in use. It does not borrow the pool, and goes back to it when it is dropped.
pub struct Pooled<M: Manage> {
    shared: Arc<Shared<M>>,
    /// There until this is dropped.
    connection: Option<M::Connection>,
    opened: Instant,
    /// Dropped after the connection has been put back or closed.
    _turn: OwnedSemaphorePermit,
}

impl<M: Manage> Pool<M> {
    /// A pool with no connection yet.
    #[must_use]
    pub fn new(manager: M, config: Config) -> Self {
        let turns = Arc::new(Semaphore::new(config.max));
        Self { shared: Arc::new(Shared { manager, config, idle: Mutex::default(), turns }) }
    }

    // ANCHOR: get
    /// A connection: of the idle ones the one that came back last, if it is neither too old nor dead, asking one after the other; a new one if
    /// there is none.
    ///
    /// Callers have their turn in the order in which they came. A caller gives up by dropping the future, at any time, and leaves nothing behind: its
    /// turn goes to the next, and what was being opened or checked for it is closed. While one connection is opened or checked, others can be handed out.
    ///
    /// Idle connections that are too old, or idle for too long, are closed by each `get` when it has its turn, and whenever a connection comes back.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn get(&self) -> Result<Pooled<M>, Failed<M::Error>> {
        let shared = &self.shared;
        let turn = timeout(shared.config.wait, Arc::clone(&shared.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| Failed::TimedOut)?.expect("the semaphore is never closed");
        while let Some(Idle { mut connection, opened, .. }) = shared.take_idle() {
            if shared.manager.check(&mut connection).await && opened.elapsed() < shared.config.lifetime {
                return Ok(Pooled { shared: Arc::clone(shared), connection: Some(connection), opened, _turn: turn });
            }
        }
        let connection = shared.manager.connect().await.map_err(Failed::Connect)?;
        let opened = Instant::now();
        Ok(Pooled { shared: Arc::clone(shared), connection: Some(connection), opened, _turn: turn })
    }
    // ANCHOR_END: get

    /// How many connections are idle.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.shared.idle().len()
    }
}

impl<M: Manage> Shared<M> {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle<M::Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Option<Idle<M::Connection>> {
        self.close_old();
        self.idle().pop()
    }

    fn close_old(&self) {
        let Config { lifetime, idle, .. } = self.config;
        let now = Instant::now();
        let old = |one: &mut Idle<_>| now - one.opened >= lifetime || now - one.since >= idle;
        let closed: Vec<_> = self.idle().extract_if(.., old).collect();
        drop(closed); // and now that nobody waits for the lock
    }
}

// ANCHOR: drop
impl<M: Manage> Drop for Pooled<M> {
    fn drop(&mut self) {
        let mut connection = self.connection.take().expect("it is taken here only");
        if self.shared.manager.recycle(&mut connection) {
            self.shared.idle().push(Idle { connection, opened: self.opened, since: Instant::now() });
        }
        self.shared.close_old();
    }
}
// ANCHOR_END: drop

impl<M: Manage> Deref for Pooled<M> {
    type Target = M::Connection;

    fn deref(&self) -> &Self::Target {
        self.connection.as_ref().expect("it is taken by drop only")
    }
}

impl<M: Manage> DerefMut for Pooled<M> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.connection.as_mut().expect("it is taken by drop only")
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: SQLite
// ---------------------------------------------------------------------------------------------------------------------

/// Connections to a SQLite file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    path: PathBuf,
}

impl Sqlite {
    /// Connections to the file at `path`, which is created if it is not there.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Manage for Sqlite {
    type Connection = Connection;
    type Error = rusqlite::Error;

    /// Given.
    async fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        Ok(connection)
    }

    /// Given: a file does not hang up.
    async fn check(&self, _: &mut Connection) -> bool {
        true
    }

    // ANCHOR: recycle
    /// Sees to it that no open transaction and nothing temporary (tables, views, triggers) of the last user reaches anybody else.
    fn recycle(&self, connection: &mut Connection) -> bool {
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            return false;
        }
        let left = connection.query_row("SELECT count(*) FROM temp.sqlite_master", [], |row| row.get(0));
        left == Ok(0)
    }
    // ANCHOR_END: recycle
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 4: how many?
// ---------------------------------------------------------------------------------------------------------------------

/// Callers that come independently of each other (Poisson) and hold a connection for a time that varies (exponential).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// How many come in a second, on average.
    pub per_second: f64,
    /// How long one holds a connection, on average.
    pub hold: Duration,
}

impl Load {
    // ANCHOR: busy
    /// How many connections are in use on average, if there are always enough: Little's law.
    #[must_use]
    pub fn busy(&self) -> f64 {
        self.per_second * self.hold.as_secs_f64()
    }
    // ANCHOR_END: busy

    // ANCHOR: waits
    /// The share of callers that find all of `size` connections in use: Erlang's C. It is 1 if that few cannot keep up.
    #[must_use]
    pub fn waits(&self, size: usize) -> f64 {
        let (busy, connections) = (self.busy(), size as f64);
        if busy >= connections {
            return 1.0;
        }
        // Erlang's B, by its recursion: the share that would be lost if nobody waited.
        let lost = (1..=size).fold(1.0, |lost, n| busy * lost / (n as f64 + busy * lost));
        connections * lost / (connections - busy * (1.0 - lost))
    }

    /// How long a caller waits for one of `size` connections, on average over all callers. `None` if that few cannot keep up, and
    /// the queue grows without bound.
    #[must_use]
    pub fn mean_wait(&self, size: usize) -> Option<Duration> {
        let spare = size as f64 - self.busy();
        (spare > 0.0).then(|| self.hold.mul_f64(self.waits(size) / spare))
    }
    // ANCHOR_END: waits

    /// The smallest pool, of one at least, in which the mean wait is at most `wait`.
    #[must_use]
    pub fn size_for(&self, wait: Duration) -> usize {
        let enough = |size: &usize| self.mean_wait(*size).is_some_and(|mean| mean <= wait);
        (1..).find(enough).expect("with ever more connections the wait goes to nothing")
    }
}
