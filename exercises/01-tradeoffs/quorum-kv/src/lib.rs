//! A key-value store of N replicas that waits for R of them to read and for W of them to write.

use kit::{CallId, Input, Millis, Node, NodeId, Output, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: counting
// ---------------------------------------------------------------------------------------------------------------------

/// How many replicas there are, and how many answers a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quorums {
    /// Replicas of every key: the nodes numbered from 0 below `n`.
    pub n: usize,
    /// Replicas that must have answered a read; from 1 to `n`.
    pub r: usize,
    /// Replicas that must have confirmed a write; from 1 to `n`.
    pub w: usize,
}

/// The fewest of `n` replicas that are more than half.
#[must_use]
pub fn majority(n: usize) -> usize {
    todo!("more than half of {n}")
}

/// How many of `n` replicas may fail while a majority of all `n` is still up.
#[must_use]
pub fn tolerates(n: usize) -> usize {
    todo!("how many of {n} may fail")
}

/// A set of `r` replicas to read from and a set of `w` to write to that have none in common; `None` if any two such sets
/// meet.
#[must_use]
pub fn disjoint_pair(quorums: Quorums) -> Option<(BTreeSet<NodeId>, BTreeSet<NodeId>)> {
    todo!("{quorums:?}: a read set and a write set that share nothing, if there are any")
}

/// When a call that waits for `k` answers (1 or more) ends, if its requests leave together and the answers take `round_trips`;
/// `None` if there are fewer than `k`.
#[must_use]
pub fn latency(round_trips: &[Millis], k: usize) -> Option<Millis> {
    todo!("when the call has {k} of the answers that take {round_trips:?}")
}

// ---------------------------------------------------------------------------------------------------------------------
// What nodes keep and say
// ---------------------------------------------------------------------------------------------------------------------

/// How long a coordinator waits before it gives up on a call.
pub const PATIENCE: Millis = Millis(100);

/// Names a value of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub char);

/// As a name: short enough to stand on an arrow.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Orders the writes of a key: the greater is the later. Its first part is what a clock said, so this is a belief.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The coordinator's clock when it took the write in, or more: a coordinator gives no two writes the same.
    pub clock: Time,
    /// The coordinator, to tell apart what two clocks stamped alike.
    pub coordinator: NodeId,
}

/// A value and the write that it comes from; the greater of two is the newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Versioned {
    /// Which write.
    pub version: Version,
    /// What was written; `None` before any write.
    pub value: Option<u32>,
}

/// What a client asks of a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// What does this key hold?
    Read(Key),
    /// From now on it holds this.
    Write(Key, u32),
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The newest value that the replicas heard hold.
    Value(Option<u32>),
    /// Enough replicas hold the write.
    Done,
    /// Too few replicas answered in time. A write may be on some of them, and stays there.
    Unavailable,
}

/// What a coordinator and a replica say to each other about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// What do you hold?
    Ask(CallId, Key),
    /// This.
    Tell(CallId, Versioned),
    /// Hold this, unless you hold something newer.
    Store(CallId, Key, Versioned),
    /// I hold that or something newer, and it is on my disk.
    Stored(CallId),
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 2: a replica and a coordinator
// ---------------------------------------------------------------------------------------------------------------------

/// What a replica keeps on its disk: for each key that it was told of, the newest. [`Output::Persist`] replaces all of it.
pub type Disk = BTreeMap<Key, Versioned>;

/// A replica: it answers what it is asked and keeps the newest that it is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    held: Disk,
}

impl Replica {
    /// A replica that finds this on its disk.
    #[must_use]
    pub const fn new(disk: Disk) -> Self {
        Self { held: disk }
    }

    /// What it holds of `key`.
    #[must_use]
    pub fn holds(&self, key: Key) -> Versioned {
        self.held.get(&key).copied().unwrap_or_default()
    }

    /// Takes in a message of a coordinator. It keeps what is newer than what it holds, on disk before it says so, and writes
    /// nothing else.
    pub fn receive(&mut self, from: NodeId, message: Message) -> Vec<Output<Member>> {
        todo!("{message:?} of {from}, to a replica that holds {:?}", self.held)
    }
}

/// What a coordinator does about a replica that told an older version than another did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repair {
    /// Nothing.
    Never,
    /// Answers the client, then sends the newest, version and all, to those of the `r` heard that told an older one.
    Later,
    /// Stores the newest of the `r` answers at every replica that may lack it, and answers the client only when `w` are known
    /// to hold that version or a newer one. Answers that come later do not change what the client is told.
    First,
}

/// Takes clients' calls, asks all replicas at once, and counts their answers. It holds no data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    id: NodeId,
    quorums: Quorums,
    repair: Repair,
    /// The clock part of the last version that it gave.
    last: Time,
    pending: BTreeMap<CallId, Pending>,
}

/// What a coordinator remembers of a call that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pending {
    /// What the client asked.
    pub request: Request,
    /// A write's own value; a read's newest so far.
    pub newest: Versioned,
    /// What each replica told that a read heard from.
    pub told: BTreeMap<NodeId, Versioned>,
    /// The replicas that confirmed a store.
    pub stored: BTreeSet<NodeId>,
    /// Only under [`Repair::First`]: whether a read has heard enough and waits for its repair.
    pub repairing: bool,
}

impl Coordinator {
    /// The coordinator `id` of a store with these quorums.
    #[must_use]
    pub const fn new(id: NodeId, quorums: Quorums, repair: Repair) -> Self {
        Self { id, quorums, repair, last: Time::START, pending: BTreeMap::new() }
    }

    /// A client calls, at `now` on the coordinator's own clock.
    // TODO: ask every replica, wait for the first R or W of them, whichever they are.
    pub fn begin(&mut self, call: CallId, request: Request, now: Time) -> Vec<Output<Member>> {
        todo!("{request:?} as {call} at {now} of {}, {:?}; its last version was {}", self.id, self.quorums, self.last)
    }

    /// A replica answers, perhaps late, perhaps twice, perhaps after the call has ended.
    // TODO (stage 3): when has a read heard enough, and what must be true before its client is told?
    pub fn receive(&mut self, from: NodeId, message: Message) -> Vec<Output<Member>> {
        todo!("{message:?} of {from}, while {:?} wait; repair {:?}", self.pending, self.repair)
    }

    /// The call's patience ends: [`PATIENCE`] after it came, whatever it waits for by then.
    pub fn give_up(&mut self, call: CallId) -> Vec<Output<Member>> {
        todo!("{call} has waited long enough")
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Both, as nodes of one cluster
// ---------------------------------------------------------------------------------------------------------------------

/// A node of the cluster: those below `n` are replicas, the others coordinators.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Member {
    /// It holds data.
    Replica(Replica),
    /// It takes calls.
    Coordinator(Coordinator),
}

impl Member {
    /// The node `id` of a store with these quorums, with what its disk held if it ran before.
    #[must_use]
    pub fn new(id: NodeId, disk: Option<Disk>, quorums: Quorums, repair: Repair) -> Self {
        if id.0 < quorums.n {
            Self::Replica(Replica::new(disk.unwrap_or_default()))
        } else {
            Self::Coordinator(Coordinator::new(id, quorums, repair))
        }
    }
}

impl Node for Member {
    type Message = Message;
    /// The call whose patience ends.
    type Timer = CallId;
    type Request = Request;
    type Reply = Reply;
    type Durable = Disk;

    fn step(&mut self, input: Input<Self>, now: Time) -> Vec<Output<Self>> {
        match (self, input) {
            (_, Input::Start) => vec![],
            (Self::Replica(replica), Input::Message { from, message }) => replica.receive(from, message),
            (Self::Replica(_), Input::Request { call, .. }) => vec![Output::Reply { call, reply: Reply::Unavailable }],
            (Self::Replica(_), Input::Timer(_)) => vec![],
            (Self::Coordinator(it), Input::Request { call, request }) => it.begin(call, request, now),
            (Self::Coordinator(it), Input::Message { from, message }) => it.receive(from, message),
            (Self::Coordinator(it), Input::Timer(call)) => it.give_up(call),
        }
    }

    fn status(&self) -> String {
        let shown = |(key, held): (&Key, &Versioned)| Some(format!("{}={}", key.0, held.value?));
        match self {
            Self::Replica(replica) => replica.held.iter().filter_map(shown).collect::<Vec<_>>().join(" "),
            Self::Coordinator(_) => String::new(),
        }
    }

    fn label(message: &Message) -> String {
        let shown = |held: &Versioned| held.value.map_or_else(|| "nothing".into(), |value| value.to_string());
        match message {
            Message::Ask(_, key) => format!("ask {}", key.0),
            Message::Tell(_, held) => format!("tell {}", shown(held)),
            Message::Store(_, key, held) => format!("store {}={}", key.0, shown(held)),
            Message::Stored(_) => "stored".into(),
        }
    }
}
