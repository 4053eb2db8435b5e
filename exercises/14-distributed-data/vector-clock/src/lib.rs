//! A clock on the wall says when. A vector clock says who could have known of whom, and a replica that keeps one knows
//! which of its values nobody has replaced.

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
    // TODO: nobody has a list of all processes. How do you keep one count for each?
}

impl VectorClock {
    /// The clock with these counts. If a process occurs twice, its greater count holds.
    #[must_use]
    pub fn of(counts: &[(Process, u64)]) -> Self {
        todo!("a clock with the counts {counts:?}")
    }

    /// What `process` has counted, as far as this clock knows.
    #[must_use]
    pub fn get(&self, process: Process) -> u64 {
        todo!("the count of {process:?}, or 0")
    }

    /// Counts one event of `process` and returns its new count: 1 for the first.
    pub fn tick(&mut self, process: Process) -> u64 {
        todo!("one more for {process:?}")
    }

    /// Takes in what `other` knows: afterwards each count is the greater of the two.
    pub fn merge(&mut self, other: &Self) {
        todo!("the greater of each two counts: {other:?}")
    }

    /// How this clock stands to `other`.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Order {
        // TODO: two clocks, one question, asked in both directions.
        todo!("compare with {other:?}")
    }
}

/// The clock of one process in a run: every event of the process gets a stamp from it.
#[derive(Clone, Debug)]
pub struct Stamper {
    // TODO: what does a process need to stamp its next event?
}

impl Stamper {
    /// A process that has seen nothing yet.
    #[must_use]
    pub fn new(me: Process) -> Self {
        todo!("a clock for {me:?}")
    }

    /// Stamps something that happens here: work, or the sending of a message. A message carries the stamp of its sending.
    pub fn event(&mut self) -> VectorClock {
        todo!("count one event of this process")
    }

    /// Stamps the receipt of a message that carries `stamp`. A receipt is an event too.
    pub fn receive(&mut self, stamp: &VectorClock) -> VectorClock {
        todo!("take in {stamp:?}, and count the receipt")
    }
}

/// Lamport's clock of one process: a single number.
#[derive(Clone, Debug, Default)]
pub struct LamportClock {
    // TODO: one number.
}

impl LamportClock {
    /// Stamps something that happens here: one more than the last stamp, 1 for the first.
    pub fn event(&mut self) -> u64 {
        todo!("one more than the last stamp")
    }

    /// Stamps the receipt of a message that carries `stamp`: one more than the greater of `stamp` and the last stamp.
    pub fn receive(&mut self, stamp: u64) -> u64 {
        todo!("one more than the last stamp and than {stamp}")
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

/// One replica of one key.
#[derive(Clone, Debug)]
pub struct Replica {
    // TODO: a letter may bring a value that was replaced here. What must you remember of a value that is gone?
}

impl Replica {
    /// A replica that holds nothing. No other replica of the key may be `me`.
    #[must_use]
    pub fn new(me: Process) -> Self {
        todo!("an empty replica, {me:?}")
    }

    /// All current values, and the context to write with.
    #[must_use]
    pub fn get(&self) -> Read {
        todo!("the values that nobody has replaced, and what this replica has seen")
    }

    /// Takes a write by a client that has read `context`, here or at other replicas (merged), or nothing (the default).
    ///
    /// The write replaces what its context has seen, wherever it is, and nothing else.
    pub fn put(&mut self, context: &VectorClock, value: &str) {
        todo!("write {value} over what {context:?} has seen")
    }

    /// Takes in all that `other` knew when this copy of it was made. News may come late, twice and in any order.
    pub fn hear(&mut self, other: &Self) {
        todo!("take in what {other:?} knows")
    }
}
