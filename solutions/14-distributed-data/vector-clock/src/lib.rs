//! A clock on the wall says when. A vector clock says who could have known of whom, and a replica that keeps one knows
//! which of its values nobody has replaced.

use std::collections::BTreeMap;

/// Somebody who counts: a process of a run, or a replica that takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process(pub u32);

/// How one clock stands to another. There are four answers, not three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Both have counted the same.
    Equal,
    /// The other has counted all that this one has, and more.
    Before,
    /// This one has counted all that the other has, and more.
    After,
    /// Each has counted something that the other lacks.
    Concurrent,
}

/// One count for each process; a process that is not mentioned counts 0.
#[derive(Clone, Debug, Default)]
pub struct VectorClock {
    counts: BTreeMap<Process, u64>,
}

impl VectorClock {
    /// The clock with these counts. If a process occurs twice, its greater count holds.
    #[must_use]
    pub fn of(counts: &[(Process, u64)]) -> Self {
        let mut clock = Self::default();
        for &(process, count) in counts {
            clock.raise(process, count);
        }
        clock
    }

    /// What `process` has counted, as far as this clock knows.
    #[must_use]
    pub fn get(&self, process: Process) -> u64 {
        self.counts.get(&process).copied().unwrap_or(0)
    }

    /// Counts one event of `process` and returns its new count: 1 for the first.
    pub fn tick(&mut self, process: Process) -> u64 {
        let count = self.counts.entry(process).or_default();
        *count += 1;
        *count
    }

    /// Takes in what `other` knows: afterwards each count is the greater of the two.
    pub fn merge(&mut self, other: &Self) {
        for (&process, &count) in &other.counts {
            self.raise(process, count);
        }
    }

    // ANCHOR: compare
    /// How this clock stands to `other`.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Order {
        match (self.covers(other), other.covers(self)) {
            (true, true) => Order::Equal,
            (false, true) => Order::Before,
            (true, false) => Order::After,
            (false, false) => Order::Concurrent,
        }
    }

    fn covers(&self, other: &Self) -> bool {
        other.counts.iter().all(|(&process, &count)| self.get(process) >= count)
    }
    // ANCHOR_END: compare

    fn raise(&mut self, process: Process, count: u64) {
        let known = self.counts.entry(process).or_default();
        *known = count.max(*known);
    }
}

/// The clock of one process in a run: every event of the process gets a stamp from it.
#[derive(Clone, Debug)]
pub struct Stamper {
    me: Process,
    clock: VectorClock,
}

impl Stamper {
    /// A process that has seen nothing yet.
    #[must_use]
    pub fn new(me: Process) -> Self {
        Self { me, clock: VectorClock::default() }
    }

    /// Stamps something that happens here: work, or the sending of a message. A message carries the stamp of its sending.
    pub fn event(&mut self) -> VectorClock {
        self.clock.tick(self.me);
        self.clock.clone()
    }

    /// Stamps the receipt of a message that carries `stamp`. A receipt is an event too.
    pub fn receive(&mut self, stamp: &VectorClock) -> VectorClock {
        self.clock.merge(stamp);
        self.event()
    }
}

/// Lamport's clock of one process: a single number.
#[derive(Clone, Debug, Default)]
pub struct LamportClock {
    time: u64,
}

impl LamportClock {
    /// Stamps something that happens here: one more than the last stamp, 1 for the first.
    pub fn event(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    /// Stamps the receipt of a message that carries `stamp`: one more than the greater of `stamp` and the last stamp.
    pub fn receive(&mut self, stamp: u64) -> u64 {
        self.time = self.time.max(stamp);
        self.event()
    }
}

/// What a client gets when it reads.
#[derive(Clone, Debug)]
pub struct Read {
    /// All values that no write has replaced, in any order; none if nothing was written. Two writes of the same text are two values.
    pub values: Vec<String>,
    /// What the read has seen. A write that gives it back replaces these values, and no others.
    pub context: VectorClock,
}

/// A version's name: the replica that took the write, and that replica's count for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dot(Process, u64);

/// One replica of one key.
#[derive(Clone, Debug)]
pub struct Replica {
    me: Process,
    /// The values that nothing has replaced.
    versions: Vec<(Dot, String)>,
    /// Every write that this replica knows of, those that were replaced included.
    seen: VectorClock,
}

impl Replica {
    /// A replica that holds nothing. No other replica of the key may be `me`.
    #[must_use]
    pub fn new(me: Process) -> Self {
        Self { me, versions: Vec::new(), seen: VectorClock::default() }
    }

    /// All current values, and the context to write with.
    #[must_use]
    pub fn get(&self) -> Read {
        Read { values: self.versions.iter().map(|(_, value)| value.clone()).collect(), context: self.seen.clone() }
    }

    // ANCHOR: put
    /// Takes a write by a client that has read `context`, here or at other replicas (merged), or nothing (the default).
    ///
    /// The write replaces what its context has seen, wherever it is, and nothing else.
    pub fn put(&mut self, context: &VectorClock, value: &str) {
        self.versions.retain(|(Dot(replica, count), _)| context.get(*replica) < *count);
        self.seen.merge(context);
        let count = self.seen.tick(self.me);
        self.versions.push((Dot(self.me, count), value.to_owned()));
    }
    // ANCHOR_END: put

    // ANCHOR: hear
    /// Takes in all that `other` knew when this copy of it was made. News may come late, twice and in any order.
    pub fn hear(&mut self, other: &Self) {
        let replaced = |(Dot(replica, count), _): &(Dot, String), by: &Self| {
            by.seen.get(*replica) >= *count && by.versions.iter().all(|(dot, _)| *dot != Dot(*replica, *count))
        };
        let theirs: Vec<_> = other.versions.iter().filter(|(dot, _)| self.seen.get(dot.0) < dot.1).cloned().collect();
        self.versions.retain(|version| !replaced(version, other));
        self.versions.extend(theirs);
        self.seen.merge(&other.seen);
    }
    // ANCHOR_END: hear
}
