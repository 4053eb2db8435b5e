//! Transactions over many rows, on a store that can only change one row at a time (Peng and Dabek: "Large-scale Incremental
//! Processing Using Distributed Transactions and Notifications", OSDI 2010).
//!
//! Everything a transaction needs to remember lies in the rows themselves, so whoever finds a half-finished one can finish it.

use std::collections::BTreeMap;
use std::fmt;

/// A moment in the order of all transactions. The oracle never gives the same one twice, and always a greater one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ts(pub u64);

impl fmt::Display for Ts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// Names a row.
pub type Key = &'static str;

/// What a row holds: dollars, or 1 for yes.
pub type Value = i64;

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: one row
// ---------------------------------------------------------------------------------------------------------------------

/// A row, in three columns. The store runs each of its methods atomically, and never two rows' together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Row {
    /// What was written, by the start of the transaction that wrote it. Nobody may use it before `writes` points to it.
    pub data: BTreeMap<Ts, Value>,
    /// The transaction that is about to change the row.
    pub lock: Option<Lock>,
    /// What is committed: by the moment of its commit, the start of the transaction. This is what makes data visible.
    pub writes: BTreeMap<Ts, Ts>,
}

/// A row's lock. One of a transaction's locks is its *primary*: as long as it stands, nothing is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lock {
    /// The start of the transaction that holds it, which also names the transaction.
    pub start: Ts,
    /// The row of the transaction's primary lock.
    pub primary: Key,
}

/// Why a row cannot be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conflict {
    /// It is locked, by whomever: nobody locks a row twice.
    Locked(Lock),
    /// It was changed after this transaction began, and committed then. After several commits, any of them will do.
    Written(Ts),
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It committed then.
    Committed(Ts),
    /// It can never commit any more.
    RolledBack,
    /// It holds its primary lock, and may be alive.
    Undecided,
}

// ANCHOR: row
impl Row {
    /// The value in the snapshot `at`: what was committed last at or before it.
    ///
    /// # Errors
    /// The lock, if a transaction that began at or before `at` holds one: it may yet commit before `at`.
    pub fn read(&self, at: Ts) -> Result<Option<Value>, Lock> {
        if let Some(lock) = self.lock.filter(|lock| lock.start <= at) {
            return Err(lock);
        }
        let newest = self.writes.range(..=at).next_back();
        Ok(newest.and_then(|(_, start)| self.data.get(start)).copied())
    }

    /// Takes the row's lock, and writes `value` where nobody sees it yet.
    ///
    /// # Errors
    /// [`Conflict`] if the row is locked, or was committed to after `lock.start` (if both, either); nothing is then changed.
    pub fn prewrite(&mut self, lock: Lock, value: Value) -> Result<(), Conflict> {
        if let Some(other) = self.lock {
            return Err(Conflict::Locked(other));
        }
        if let Some((commit, _)) = self.writes.range(lock.start..).next_back() {
            return Err(Conflict::Written(*commit));
        }
        self.data.insert(lock.start, value);
        self.lock = Some(lock);
        Ok(())
    }

    /// Makes what the transaction `start` wrote visible from `commit` on, and takes its lock away.
    ///
    /// Returns `false` and changes nothing if it holds no lock here.
    pub fn commit(&mut self, start: Ts, commit: Ts) -> bool {
        let held = self.lock.is_some_and(|lock| lock.start == start);
        if held {
            self.writes.insert(commit, start);
            self.lock = None;
        }
        held
    }

    /// Takes away the lock of the transaction `start` and what it wrote, if it holds the lock.
    pub fn roll_back(&mut self, start: Ts) {
        if self.lock.is_some_and(|lock| lock.start == start) {
            self.data.remove(&start);
            self.lock = None;
        }
    }

    /// Asked of the primary row of the transaction `start`: what became of it? If that is undecided and its client is
    /// `presumed_dead`, decides it here and now, by rolling this row back.
    pub fn settle(&mut self, start: Ts, presumed_dead: bool) -> Fate {
        if let Some((commit, _)) = self.writes.iter().find(|(_, by)| **by == start) {
            return Fate::Committed(*commit);
        }
        if self.lock.is_some_and(|lock| lock.start == start) && !presumed_dead {
            return Fate::Undecided;
        }
        self.roll_back(start);
        Fate::RolledBack
    }
}
// ANCHOR_END: row

// ---------------------------------------------------------------------------------------------------------------------
// Stage 2: one transaction, a step at a time
// ---------------------------------------------------------------------------------------------------------------------

/// What lies at the other end of the network. **At most one call in each step**: between two, anything can happen.
pub trait Remote {
    /// The next moment.
    fn timestamp(&mut self) -> Ts;
    /// One row, for **one** of [`Row`]'s methods: the network does not bring it to you.
    fn row(&mut self, key: Key) -> &mut Row;
    /// Whether the client of the lock in the way has not been heard of for so long that it is presumed dead. It may be
    /// alive. Not a call; needed in [`Phase::Settle`].
    fn presumed_dead(&self, lock: Lock) -> bool;
}

/// What a client wants to do with some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// Move so much from one account to another, unless there is less in it.
    Transfer {
        /// Who pays.
        from: Key,
        /// Who is paid.
        to: Key,
        /// How much.
        amount: Value,
    },
    /// Stop being on call, unless nobody else is.
    GoOffCall {
        /// Who wants to go.
        me: Key,
        /// Who may stay.
        other: Key,
    },
    /// Look at two rows.
    Look(Key, Key),
}

impl Job {
    /// The rows that it reads, in this order.
    #[must_use]
    pub const fn reads(self) -> [Key; 2] {
        match self {
            Self::Transfer { from, to, .. } => [from, to],
            Self::GoOffCall { me, other } => [me, other],
            Self::Look(one, other) => [one, other],
        }
    }

    /// What it writes when it has read `read`: the first is the primary. A row that is not there counts as 0.
    #[must_use]
    pub fn writes(self, read: &BTreeMap<Key, Value>) -> Vec<(Key, Value)> {
        let value = |key| read.get(key).copied().unwrap_or(0);
        match self {
            Self::Transfer { from, to, amount } if value(from) >= amount => {
                vec![(from, value(from) - amount), (to, value(to) + amount)]
            }
            Self::GoOffCall { me, other } if value(other) > 0 => vec![(me, 0)],
            Self::Transfer { .. } | Self::GoOffCall { .. } | Self::Look(..) => vec![],
        }
    }
}

/// What a transaction is protected from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// It reads one snapshot, and aborts if a row that it writes was changed since.
    Snapshot,
    /// It also aborts if a row that it only *read* was changed since, if it writes at all (stage 4).
    PromotedReads,
}

/// How far a transaction has come: what its next step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Get the start timestamp.
    Begin,
    /// Read the row `reads()[next]`.
    Read {
        /// Which.
        next: usize,
    },
    /// `lock` is in the way of reading row `next`: ask its primary row what became of its transaction.
    Settle {
        /// The row that is to be read again.
        next: usize,
        /// What is in the way.
        lock: Lock,
    },
    /// The fate of `lock` is decided: do the same to row `next`.
    CleanUp {
        /// The row that has the lock.
        next: usize,
        /// What is in the way.
        lock: Lock,
        /// What became of its transaction.
        fate: Fate,
    },
    /// Prewrite the row `writes()[next]`.
    Prewrite {
        /// Which.
        next: usize,
    },
    /// Get the commit timestamp.
    Decide,
    /// Commit the row `writes()[next]`.
    Commit {
        /// Which.
        next: usize,
        /// When.
        at: Ts,
    },
    /// Nothing is left to do.
    Done(Outcome),
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It changed nothing, and saw the snapshot of its start.
    OnlyRead,
    /// Everything that it wrote is visible from then on.
    Committed(Ts),
    /// It ran into another transaction; nothing of it will ever be visible.
    Conflict(Conflict),
    /// Somebody presumed it dead and rolled it back; nothing of it will ever be visible.
    RolledBack,
}

/// A client's transaction: what it knows, all of which is lost when the client crashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// What is to be done.
    pub job: Job,
    /// What it is protected from.
    pub isolation: Isolation,
    /// Its snapshot, and its name.
    pub start: Ts,
    /// What it has read; a row that is not there is left out.
    pub read: BTreeMap<Key, Value>,
    /// How far it has come.
    pub phase: Phase,
}

impl Transaction {
    /// A transaction that has not begun.
    #[must_use]
    pub const fn new(job: Job, isolation: Isolation) -> Self {
        Self { job, isolation, start: Ts(0), read: BTreeMap::new(), phase: Phase::Begin }
    }

    // ANCHOR: step
    /// Takes the next step, with at most one call to `remote`.
    ///
    /// Who has to wait for a lock goes back to reading, and meets it again. After [`Phase::Done`] nothing happens.
    pub fn step(&mut self, remote: &mut impl Remote) {
        self.phase = match self.phase {
            Phase::Begin => {
                self.start = remote.timestamp();
                Phase::Read { next: 0 }
            }
            Phase::Read { next } => {
                let key = self.job.reads()[next];
                match remote.row(key).read(self.start) {
                    Err(lock) => Phase::Settle { next, lock },
                    Ok(value) => {
                        self.read.extend(value.map(|value| (key, value)));
                        self.after_reading(next)
                    }
                }
            }
            Phase::Settle { next, lock } => {
                let dead = remote.presumed_dead(lock);
                match remote.row(lock.primary).settle(lock.start, dead) {
                    Fate::Undecided => Phase::Read { next },
                    fate => Phase::CleanUp { next, lock, fate },
                }
            }
            Phase::CleanUp { next, lock, fate } => {
                let row = remote.row(self.job.reads()[next]);
                match fate {
                    Fate::Committed(at) => _ = row.commit(lock.start, at),
                    Fate::RolledBack => row.roll_back(lock.start),
                    Fate::Undecided => {}
                }
                Phase::Read { next }
            }
            Phase::Prewrite { next } => {
                let writes = self.writes();
                let ((primary, _), (key, value)) = (writes[0], writes[next]);
                match remote.row(key).prewrite(Lock { start: self.start, primary }, value) {
                    Err(conflict) => Phase::Done(Outcome::Conflict(conflict)),
                    Ok(()) if next + 1 < writes.len() => Phase::Prewrite { next: next + 1 },
                    Ok(()) => Phase::Decide,
                }
            }
            // Every row is locked: whoever reads from now on waits for us, so no snapshot is older than our commit without
            // showing what was there before.
            Phase::Decide => Phase::Commit { next: 0, at: remote.timestamp() },
            Phase::Commit { next, at } => {
                let writes = self.writes();
                let held = remote.row(writes[next].0).commit(self.start, at);
                if next == 0 && !held {
                    Phase::Done(Outcome::RolledBack)
                } else if next + 1 < writes.len() {
                    Phase::Commit { next: next + 1, at } // somebody may have rolled it forward already
                } else {
                    Phase::Done(Outcome::Committed(at))
                }
            }
            done @ Phase::Done(_) => done,
        }
    }
    // ANCHOR_END: step

    fn after_reading(&self, next: usize) -> Phase {
        if next + 1 < self.job.reads().len() {
            Phase::Read { next: next + 1 }
        } else if self.writes().is_empty() {
            Phase::Done(Outcome::OnlyRead)
        } else {
            Phase::Prewrite { next: 0 }
        }
    }

    // -----------------------------------------------------------------------------------------------------------------
    // Stage 4: what a snapshot does not protect from
    // -----------------------------------------------------------------------------------------------------------------

    // ANCHOR: promote
    /// What it writes, now that it has read: the job's writes, the first being the primary. With
    /// [`Isolation::PromotedReads`], and if the job writes at all, then also what it only read, as it was; a row that was
    /// not there is left out.
    #[must_use]
    pub fn writes(&self) -> Vec<(Key, Value)> {
        let mut writes = self.job.writes(&self.read);
        if self.isolation == Isolation::PromotedReads && !writes.is_empty() {
            let only_read = |key: &Key| !writes.iter().any(|(written, _)| written == key);
            let promoted: Vec<_> = self.read.iter().filter(|(key, _)| only_read(key)).map(|(k, v)| (*k, *v)).collect();
            writes.extend(promoted);
        }
        writes
    }
    // ANCHOR_END: promote
}
