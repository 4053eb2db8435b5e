//! Cache-aside: look into the cache, else ask the database and fill the cache; after a write, delete. And what is wrong with it.

use kit::{Millis, Time};

/// What the database says about a key: its value, which may be empty, or that there is none.
pub type Row = Option<String>;

/// The right to fill the cache after a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease(pub u64);

/// What a cache answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// What the database said, not long ago.
    Hit(Row),
    /// Nothing is known: ask the database, and come back with this lease.
    Miss(Lease),
    /// Nothing is known, and somebody is asking the database already: ask again a little later.
    Wait,
}

/// Whose word a cache takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Everybody's: the common recipe. Nobody has to wait, and every set is stored.
    Everybody,
    /// That of the holder of the key's lease.
    LeaseHolders,
}

/// How long what lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lifetimes {
    /// A value, at most.
    pub value: Millis,
    /// The knowledge that there is no value, at most. Usually shorter: such a key may be asked for because it is about to be made.
    pub absence: Millis,
    /// By how many percent of its lifetime an entry may expire early, 0 to 100.
    pub jitter: u8,
    /// For how long others wait for the holder of a lease.
    pub lease: Millis,
}

/// Rows by key, each for a limited time.
///
/// Sans-IO: whoever asks says what time it is. In a search it is cloned, compared and hashed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cache {
    // TODO: what must it remember of a row, what of a lease, and what of leases that are long forgotten? Maps must be hashable: `BTreeMap`.
    lifetimes: Lifetimes,
    trust: Trust,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(lifetimes: Lifetimes, trust: Trust) -> Self {
        Self { lifetimes, trust }
    }

    /// What it would answer with at `now` if it were asked for `key`; nothing unless that is a hit.
    #[must_use]
    pub fn peek(&self, key: &str, now: Time) -> Option<&Row> {
        todo!("what is known of {key} at {now}?")
    }

    /// Looks `key` up at `now`. An entry is a hit until its expiry, and not at it.
    ///
    /// After a miss [`Trust::Everybody`] always gives a lease, though it means nothing. [`Trust::LeaseHolders`] grants a new lease if none
    /// is out for the key, or if the last one was granted [`Lifetimes::lease`] ago or earlier; else it answers [`Lookup::Wait`].
    /// No two leases are equal, whatever happened to the key in between.
    pub fn get(&mut self, key: &str, now: Time) -> Lookup {
        todo!("look up {key} at {now}, with {:?} and {:?}", self.trust, self.lifetimes)
    }

    /// Stores what the database answered, and takes the lease back. The `row` was asked for at `loaded`: from then on it lives, for its lifetime
    /// less the jitter. With 64 random bits in `draw` the jitter is uniform between 0 and [`Lifetimes::jitter`] percent of the lifetime,
    /// in whole milliseconds, both ends included; which bits give which is free.
    ///
    /// Returns `false` and changes nothing if this is not [trusted](Trust). A lease is trusted if it is the last that was granted for
    /// this key, and the key was neither stored nor deleted since. How long ago it was granted does not matter.
    pub fn set(&mut self, key: &str, row: Row, lease: Lease, loaded: Time, draw: u64) -> bool {
        drop(row); // only so that it compiles
        todo!("store the row of {key}, loaded at {loaded}, for {lease:?}, with the draw {draw}")
    }

    /// Forgets `key`, and voids its lease.
    pub fn delete(&mut self, key: &str) {
        todo!("forget {key}")
    }
}

/// What a client wants done, in one step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// [`Cache::get`].
    Get,
    /// Ask the database.
    Load,
    /// [`Cache::set`].
    Set(Row, Lease),
    /// Write the row into the database; `None` removes it.
    Write(Row),
    /// [`Cache::delete`].
    Delete,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// The cache's answer to [`Ask::Get`].
    Looked(Lookup),
    /// The database's answer to [`Ask::Load`].
    Loaded(Row),
    /// Whether the cache stored it: the answer to [`Ask::Set`].
    Stored(bool),
    /// It is done: the answer to [`Ask::Write`] and [`Ask::Delete`].
    Done,
}

/// Somebody who reads or writes one key, by cache-aside, step by step. Between any two steps anything can happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    // TODO: how far has it got, and what must it carry to its next step?
    wants: Option<Row>,
}

impl Client {
    /// Wants to know the row: from the cache, or else from the database, and fills the cache then. If the cache does not store what it
    /// brings, the row from the database is its answer all the same.
    #[must_use]
    pub fn reader() -> Self {
        Self { wants: None }
    }

    /// Wants the row to be `row`.
    #[must_use]
    pub fn writer(row: Row) -> Self {
        Self { wants: Some(row) }
    }

    /// What it wants done next; nothing if it has come to its end.
    #[must_use]
    pub fn next(&self) -> Option<Ask> {
        todo!("what comes next for one who wants to write {:?}?", self.wants)
    }

    /// Hears the answer to what it wanted done.
    pub fn told(&mut self, told: Told) {
        drop(told); // only so that it compiles
        todo!("move on")
    }

    /// The row that a reader came for, once it has come to its end.
    #[must_use]
    pub fn answer(&self) -> Option<&Row> {
        todo!("the row, if it was read")
    }
}

/// Who takes the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The one reader.
    Reader,
    /// The one writer.
    Writer,
}

/// The shortest run of one reader and one writer, from an empty cache that trusts [everybody](Trust::Everybody), after which both have
/// come to their end and the cache holds another row than the database.
#[must_use]
pub fn schedule() -> Vec<Who> {
    todo!("who takes the first step, and who the next?")
}
