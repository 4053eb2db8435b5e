//! A few connections for many who want one: never more than the database allows, none lost, each in its turn.

use rusqlite::Connection;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::time::Duration;

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
    manager: M,
    config: Config,
    // TODO: what counts the connections, those included that are being opened for a caller who may give up? Who is next?
}

/// A connection in use. It does not borrow the pool, and goes back to it when it is dropped.
pub struct Pooled<M: Manage> {
    /// There until this is dropped.
    connection: Option<M::Connection>,
    // TODO: what else is needed to go back?
}

impl<M: Manage> Pool<M> {
    /// A pool with no connection yet.
    #[must_use]
    pub fn new(manager: M, config: Config) -> Self {
        drop(manager);
        todo!("a pool with {config:?}")
    }

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
        todo!("wait for a turn, then find or open a connection of {}", std::any::type_name_of_val(&self.manager))
    }

    /// How many connections are idle.
    #[must_use]
    pub fn idle(&self) -> usize {
        todo!("how many are idle of at most {}?", self.config.max)
    }
}

impl<M: Manage> Drop for Pooled<M> {
    fn drop(&mut self) {
        // TODO: the connection goes back, unless it is too old or cannot be cleaned. In what order do connection and turn become free?
    }
}

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

    /// Sees to it that no open transaction and nothing temporary (tables, views, triggers) of the last user reaches anybody else.
    fn recycle(&self, connection: &mut Connection) -> bool {
        todo!("what may the last user of {connection:?} have left behind?")
    }
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
    /// How many connections are in use on average, if there are always enough: Little's law.
    #[must_use]
    pub fn busy(&self) -> f64 {
        todo!("how many connections does {self:?} keep busy?")
    }

    /// The share of callers that find all of `size` connections in use: Erlang's C. It is 1 if that few cannot keep up.
    #[must_use]
    pub fn waits(&self, size: usize) -> f64 {
        todo!("what share of {self:?} finds all {size} in use?")
    }

    /// How long a caller waits for one of `size` connections, on average over all callers. `None` if that few cannot keep up, and
    /// the queue grows without bound.
    #[must_use]
    pub fn mean_wait(&self, size: usize) -> Option<Duration> {
        todo!("how long does {self:?} wait for one of {size}?")
    }

    /// The smallest pool, of one at least, in which the mean wait is at most `wait`.
    #[must_use]
    pub fn size_for(&self, wait: Duration) -> usize {
        todo!("how many does {self:?} need to wait for {wait:?} on average?")
    }
}
