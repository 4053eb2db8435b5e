//! Cache-aside: look into the cache, else ask the database and fill the cache; after a write, delete. And what is wrong with it.

use kit::{Millis, Time};
use std::collections::BTreeMap;

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
    lifetimes: Lifetimes,
    trust: Trust,
    entries: BTreeMap<String, Entry>,
    /// The last lease granted for each key, unless it was used or voided, and when it was granted.
    leases: BTreeMap<String, (Lease, Time)>,
    /// How many leases were granted: what makes each a new one.
    granted: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    row: Row,
    expiry: Time,
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(lifetimes: Lifetimes, trust: Trust) -> Self {
        Self { lifetimes, trust, entries: BTreeMap::new(), leases: BTreeMap::new(), granted: 0 }
    }

    /// What it would answer with at `now` if it were asked for `key`; nothing unless that is a hit.
    #[must_use]
    pub fn peek(&self, key: &str, now: Time) -> Option<&Row> {
        let entry = self.entries.get(key)?;
        (now < entry.expiry).then_some(&entry.row)
    }

    // ANCHOR: get
    /// Looks `key` up at `now`. An entry is a hit until its expiry, and not at it.
    ///
    /// After a miss [`Trust::Everybody`] always gives a lease, though it means nothing. [`Trust::LeaseHolders`] grants a new lease if none
    /// is out for the key, or if the last one was granted [`Lifetimes::lease`] ago or earlier; else it answers [`Lookup::Wait`].
    /// No two leases are equal, whatever happened to the key in between.
    pub fn get(&mut self, key: &str, now: Time) -> Lookup {
        if let Some(row) = self.peek(key, now) {
            return Lookup::Hit(row.clone());
        }
        let waited_for = self.leases.get(key).is_some_and(|(_, granted)| now < *granted + self.lifetimes.lease);
        if self.trust == Trust::LeaseHolders && waited_for {
            return Lookup::Wait;
        }
        self.granted += 1;
        let lease = Lease(self.granted);
        self.leases.insert(key.to_owned(), (lease, now));
        Lookup::Miss(lease)
    }
    // ANCHOR_END: get

    // ANCHOR: set
    /// Stores what the database answered, and takes the lease back. The `row` was asked for at `loaded`: from then on it lives, for its lifetime
    /// less the jitter. With 64 random bits in `draw` the jitter is uniform between 0 and [`Lifetimes::jitter`] percent of the lifetime,
    /// in whole milliseconds, both ends included; which bits give which is free.
    ///
    /// Returns `false` and changes nothing if this is not [trusted](Trust). A lease is trusted if it is the last that was granted for
    /// this key, and the key was neither stored nor deleted since. How long ago it was granted does not matter.
    pub fn set(&mut self, key: &str, row: Row, lease: Lease, loaded: Time, draw: u64) -> bool {
        let trusted = match self.trust {
            Trust::Everybody => true,
            Trust::LeaseHolders => self.leases.get(key).is_some_and(|(good, _)| *good == lease),
        };
        if trusted {
            self.leases.remove(key);
            let longest = if row.is_some() { self.lifetimes.value } else { self.lifetimes.absence };
            let jitter = Millis(draw % (longest.0 * u64::from(self.lifetimes.jitter) / 100 + 1));
            let expiry = loaded + Millis(longest.0 - jitter.0);
            self.entries.insert(key.to_owned(), Entry { row, expiry });
        }
        trusted
    }
    // ANCHOR_END: set

    // ANCHOR: delete
    /// Forgets `key`, and voids its lease.
    pub fn delete(&mut self, key: &str) {
        self.entries.remove(key);
        self.leases.remove(key);
    }
    // ANCHOR_END: delete
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
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Looking,
    Loading(Lease),
    Filling(Row, Lease),
    Writing(Row),
    Deleting,
    Read(Row),
    Written,
}

impl Client {
    /// Wants to know the row: from the cache, or else from the database, and fills the cache then. If the cache does not store what it
    /// brings, the row from the database is its answer all the same.
    #[must_use]
    pub fn reader() -> Self {
        Self { state: State::Looking }
    }

    /// Wants the row to be `row`.
    #[must_use]
    pub fn writer(row: Row) -> Self {
        Self { state: State::Writing(row) }
    }

    /// What it wants done next; nothing if it has come to its end.
    #[must_use]
    pub fn next(&self) -> Option<Ask> {
        match &self.state {
            State::Looking => Some(Ask::Get),
            State::Loading(_) => Some(Ask::Load),
            State::Filling(row, lease) => Some(Ask::Set(row.clone(), *lease)),
            State::Writing(row) => Some(Ask::Write(row.clone())),
            State::Deleting => Some(Ask::Delete),
            State::Read(_) | State::Written => None,
        }
    }

    /// Hears the answer to what it wanted done.
    pub fn told(&mut self, told: Told) {
        self.state = match (self.state.clone(), told) {
            (State::Looking, Told::Looked(Lookup::Hit(row))) => State::Read(row),
            (State::Looking, Told::Looked(Lookup::Miss(lease))) => State::Loading(lease),
            (State::Loading(lease), Told::Loaded(row)) => State::Filling(row, lease),
            (State::Filling(row, _), Told::Stored(_)) => State::Read(row),
            (State::Writing(_), Told::Done) => State::Deleting,
            (State::Deleting, Told::Done) => State::Written,
            (state, _) => state, // told to wait: it asks again
        };
    }

    /// The row that a reader came for, once it has come to its end.
    #[must_use]
    pub fn answer(&self) -> Option<&Row> {
        match &self.state {
            State::Read(row) => Some(row),
            _ => None,
        }
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
    // Get, Load, Write, Delete, Set.
    vec![Who::Reader, Who::Reader, Who::Writer, Who::Writer, Who::Reader]
}
