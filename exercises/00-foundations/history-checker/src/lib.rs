//! Could one store have answered all these clients so? The question behind every test of a replicated store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

// ---------------------------------------------------------------------------------------------------------------------
// What clients did and saw
// ---------------------------------------------------------------------------------------------------------------------

/// Who asks. A client does one thing at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub char);

/// Names one of the store's registers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub char);

/// What a client asks of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// What does this key hold?
    Read(Key),
    /// From now on it holds this.
    Write(Key, u32),
    /// What `from` holds goes to `to`, in one step; `from` is empty afterwards. If it was empty before, both are.
    /// Moving a key to itself changes nothing.
    Move {
        /// The key that gives.
        from: Key,
        /// The key that takes.
        to: Key,
    },
}

impl Op {
    /// The keys that it reads or writes.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<Key> {
        match *self {
            Self::Read(key) | Self::Write(key, _) => BTreeSet::from([key]),
            Self::Move { from, to } => BTreeSet::from([from, to]),
        }
    }
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// The answer to a read; `None` if the key is empty.
    Value(Option<u32>),
    /// The write or move is done.
    Done,
}

/// One operation, from its call to its return.
///
/// Moments are places in the order of everything that happened: no call of one operation shares one with a return of another.
/// [`History::new`] does not check that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Who asked.
    pub client: Client,
    /// What.
    pub op: Op,
    /// When.
    pub called: u64,
    /// When and how it was answered. `None`: never, and it may have taken effect at any time after its call, or not at all.
    pub returned: Option<(u64, Ret)>,
}

/// What clients did and saw: each client one operation at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(Vec<Operation>);

/// Why a list of operations is no history. The numbers are places in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// An operation returned no later than it was called.
    EndsBeforeItBegins {
        /// Which one.
        index: usize,
    },
    /// A client called `later` while its `earlier` operation was still open. One that was never answered stays open for
    /// ever: whoever gives up waiting must go on under another name.
    Overlap {
        /// The one called first.
        earlier: usize,
        /// The one called second.
        later: usize,
    },
}

impl History {
    /// The history of these operations, in any order.
    ///
    /// # Errors
    /// [`Malformed`] if one ends before it begins, or if two of one client overlap: the first fault, walking them by their calls. Of two
    /// called at the same moment the one that stands first in the list is the earlier.
    // TODO: what makes two operations of one client overlap, if one of them was never answered?
    pub fn new(operations: Vec<Operation>) -> Result<Self, Malformed> {
        let history = Self(operations);
        todo!("look at {history:?} before you let it out")
    }

    /// The operations, in the order in which they were given.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: what an explanation is
// ---------------------------------------------------------------------------------------------------------------------

/// A correct store: what each key holds; an empty key is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store(pub BTreeMap<Key, u32>);

impl Store {
    /// What the store holds after `op`, or nothing if it cannot have answered `ret` here. `ret` is `None` for a client
    /// that never heard back, who could have been told anything.
    #[must_use]
    pub fn apply(&self, op: &Op, ret: Option<&Ret>) -> Option<Self> {
        todo!("what {self:?} holds after {op:?}, if it can answer {ret:?}")
    }
}

/// Which operations an explanation must leave in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Whatever returned before another was called comes before it, whoever asked. Explained in this order a history is
    /// *linearizable* (Herlihy and Wing 1990).
    RealTime,
    /// Each client's own operations stay in order, and no others. Explained in this order a history is *sequentially
    /// consistent* (Lamport 1979).
    PerClient,
}

impl Order {
    /// Whether `a` must come before `b`.
    #[must_use]
    pub fn precedes(self, a: &Operation, b: &Operation) -> bool {
        todo!("must {a:?} come before {b:?} in {self:?}?")
    }
}

/// Whether `sequence`, places in `history`, explains what clients saw: it holds every answered operation, and
/// unanswered ones or not, each at most once; it keeps `order`; and a store that starts empty can answer so, one
/// operation after the other. A sequence with a place that is not in the history explains nothing.
#[must_use]
pub fn explains(history: &History, order: Order, sequence: &[usize]) -> bool {
    todo!("does {sequence:?} explain {history:?} in {order:?}?")
}

// ---------------------------------------------------------------------------------------------------------------------
// Stages 2 and 4: the search for one
// ---------------------------------------------------------------------------------------------------------------------

/// How much a search may cost, in *steps*: one step is one try to place one operation next, whether it fits or not: one call of
/// [`Store::apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget(pub u64);

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Some sequence explains the history.
    Explained,
    /// None does.
    Impossible,
    /// The budget was spent before either was certain. Carries the budget that was given.
    Inconclusive(Budget),
}

impl Verdict {
    /// Whether a test that asked for an explanation may turn green.
    #[must_use]
    pub fn passes(self) -> bool {
        todo!("may a test turn green on {self:?}?")
    }
}

impl History {
    /// The history cut into parts that can be judged apart: as many as possible, so that no two parts have a key in
    /// common. Parts come in any order.
    // TODO: an operation on one key belongs to that key's part. What does an operation on two keys do to their parts?
    #[must_use]
    pub fn parts(&self) -> Vec<Self> {
        todo!("the parts of {self:?}")
    }

    /// Whether some sequence explains the history in `order` (Wing and Gong 1993, with the memory of Lowe 2017).
    ///
    /// In [`Order::RealTime`] the parts are judged apart, those with the fewest operations first, and all out of one
    /// `budget`; a part that cannot be explained settles it.
    // TODO: which operations can come next? Those that no unplaced operation must come before. Try each; what it leaves
    // is the same question again, with one operation less. Where have you been before? When may you stop?
    #[must_use]
    pub fn check(&self, order: Order, budget: Budget) -> Verdict {
        todo!("search for an explanation of {self:?} in {order:?} with {budget:?}")
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: what one client may expect
// ---------------------------------------------------------------------------------------------------------------------

/// Names a write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u32);

/// One access of a client's session, to any replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whose session.
    pub session: Client,
    /// The key read or written.
    pub key: Key,
    /// Which of the two.
    pub did: Did,
}

/// What an access did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// It made this write.
    Wrote(WriteId),
    /// It read at a replica that had applied these writes so far, to whatever keys, in this order. What it returned is
    /// the last of them to its own key; the key of a write is that of the access that made it.
    Read(Vec<WriteId>),
}

/// What a session is promised (Terry et al. 1994).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guarantee {
    /// A replica that is read has applied every write that the session made before.
    ReadYourWrites,
    /// A replica that is read has applied every write that an earlier read of the session returned.
    MonotonicReads,
    /// No replica has applied a write of the session without the session's earlier writes before it.
    MonotonicWrites,
    /// No replica has applied a write of the session without, before it, every write that the session's earlier reads
    /// had returned.
    WritesFollowReads,
}

/// A promise that was not kept. The numbers are places in the list of accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Breach {
    /// Which one.
    pub guarantee: Guarantee,
    /// The access that was forgotten …
    pub earlier: usize,
    /// … the later one of the same session that should have come with it …
    pub later: usize,
    /// … and the read, of this session or another, that shows it. For the first two guarantees that is `later` itself.
    pub shown: usize,
}

/// Every promise broken in `accesses`, which are given in the order in which they happened: one [`Breach`] for each two accesses and
/// each read that shows it. A read of any key shows what its replica had applied. Each write that a replica had applied was made by an
/// access before.
#[must_use]
pub fn breaches(accesses: &[Access]) -> BTreeSet<Breach> {
    todo!("the promises broken in {accesses:?}")
}

// ---------------------------------------------------------------------------------------------------------------------
// How it all is printed
// ---------------------------------------------------------------------------------------------------------------------

/// A picture of the history: time runs to the right, each operation is a bar from its call to its return.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = self.0.iter().flat_map(|operation| [Some(operation.called), operation.returned.map(|(at, _)| at)]);
        let moments: BTreeSet<u64> = ends.flatten().collect();
        let column = |at: u64| moments.range(..at).count() * 2;
        let mut shown: Vec<&Operation> = self.0.iter().collect();
        shown.sort_by_key(|operation| operation.called);
        for Operation { client, op, called, returned } in shown {
            let (begin, end) = (column(*called), returned.map_or(moments.len() * 2, |(at, _)| column(at)));
            let close = if returned.is_some() { '┤' } else { '…' };
            let bar = format!("{}├{}{close}", " ".repeat(begin), "─".repeat(end.saturating_sub(begin + 1)));
            let answer = returned.map_or_else(|| "no answer".to_owned(), |(_, ret)| format!("{ret}"));
            writeln!(f, "  {client} {bar:<width$}  {op} → {answer}", width = moments.len() * 2 + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(key) => write!(f, "read {key}"),
            Self::Write(key, value) => write!(f, "write {key}={value}"),
            Self::Move { from, to } => write!(f, "move {from} to {to}"),
        }
    }
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(Some(value)) => value.fmt(f),
            Self::Value(None) => f.write_str("empty"),
            Self::Done => f.write_str("done"),
        }
    }
}

macro_rules! printed_as_its_name {
    ($($kind:ty: $format:literal),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
printed_as_its_name!(Client: "{}", Key: "{}", WriteId: "w{}");
