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
pub const fn majority(n: usize) -> usize {
    n / 2 + 1
}

/// How many of `n` replicas may fail while a majority of all `n` is still up.
#[must_use]
pub const fn tolerates(n: usize) -> usize {
    n - majority(n)
}

/// A set of `r` replicas to read from and a set of `w` to write to that have none in common; `None` if any two such sets
/// meet.
// ANCHOR: disjoint
#[must_use]
pub fn disjoint_pair(quorums: Quorums) -> Option<(BTreeSet<NodeId>, BTreeSet<NodeId>)> {
    let Quorums { n, r, w } = quorums;
    let set = |replicas: std::ops::Range<usize>| replicas.map(NodeId).collect();
    // R from the one end and W from the other meet only where there are too few replicas to keep them apart.
    (r + w <= n).then(|| (set(0..r), set(n - w..n)))
}
// ANCHOR_END: disjoint

/// When a call that waits for `k` answers (1 or more) ends, if its requests leave together and the answers take `round_trips`;
/// `None` if there are fewer than `k`.
// ANCHOR: latency
#[must_use]
pub fn latency(round_trips: &[Millis], k: usize) -> Option<Millis> {
    let mut in_order = round_trips.to_vec();
    in_order.sort_unstable();
    if k == 0 { Some(Millis(0)) } else { in_order.get(k - 1).copied() }
}
// ANCHOR_END: latency

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
    // ANCHOR: replica
    pub fn receive(&mut self, from: NodeId, message: Message) -> Vec<Output<Member>> {
        match message {
            Message::Ask(call, key) => {
                vec![Output::Send { to: from, message: Message::Tell(call, self.holds(key)) }]
            }
            Message::Store(call, key, versioned) => {
                let mut out = vec![];
                if versioned > self.holds(key) {
                    self.held.insert(key, versioned);
                    out.push(Output::Persist(self.held.clone()));
                }
                out.push(Output::Send { to: from, message: Message::Stored(call) });
                out
            }
            Message::Tell(..) | Message::Stored(_) => vec![],
        }
    }
    // ANCHOR_END: replica
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
    // ANCHOR: begin
    pub fn begin(&mut self, call: CallId, request: Request, now: Time) -> Vec<Output<Member>> {
        let (message, newest) = match request {
            Request::Read(key) => (Message::Ask(call, key), Versioned::default()),
            Request::Write(key, value) => {
                self.last = now.max(self.last + Millis(1));
                let version = Version { clock: self.last, coordinator: self.id };
                let versioned = Versioned { version, value: Some(value) };
                (Message::Store(call, key, versioned), versioned)
            }
        };
        let (told, stored) = (BTreeMap::new(), BTreeSet::new());
        self.pending.insert(call, Pending { request, newest, told, stored, repairing: false });
        let mut out = vec![Output::SetTimer { timer: call, after: PATIENCE }];
        out.extend((0..self.quorums.n).map(|to| Output::Send { to: NodeId(to), message }));
        out
    }
    // ANCHOR_END: begin

    /// A replica answers, perhaps late, perhaps twice, perhaps after the call has ended.
    // ANCHOR: receive
    pub fn receive(&mut self, from: NodeId, message: Message) -> Vec<Output<Member>> {
        let call = match message {
            Message::Tell(call, held) => {
                let Some(pending) = self.pending.get_mut(&call).filter(|pending| !pending.repairing) else {
                    return vec![];
                };
                pending.told.insert(from, held);
                pending.newest = pending.newest.max(held);
                call
            }
            Message::Stored(call) => {
                let Some(pending) = self.pending.get_mut(&call) else { return vec![] };
                pending.stored.insert(from);
                call
            }
            Message::Ask(..) | Message::Store(..) => return vec![],
        };
        self.advance(call)
    }
    // ANCHOR_END: receive

    /// The call's patience ends: [`PATIENCE`] after it came, whatever it waits for by then.
    pub fn give_up(&mut self, call: CallId) -> Vec<Output<Member>> {
        let ended = self.pending.remove(&call);
        ended.map(|_| Output::Reply { call, reply: Reply::Unavailable }).into_iter().collect()
    }

    /// Goes on with a call as far as the answers allow.
    // ANCHOR: advance
    fn advance(&mut self, call: CallId) -> Vec<Output<Member>> {
        let Some(pending) = self.pending.get_mut(&call) else { return vec![] };
        let Quorums { n, r, w } = self.quorums;
        let key = match pending.request {
            Request::Write(..) if pending.stored.len() >= w => return self.end(call, Reply::Done),
            Request::Read(key) if pending.told.len() >= r => key,
            Request::Write(..) | Request::Read(_) => return vec![],
        };
        let newest = pending.newest;
        let repair = |to| Output::Send { to, message: Message::Store(call, key, newest) };
        match self.repair {
            Repair::First => {
                let (hold, lack): (Vec<_>, Vec<_>) = (0..n).map(NodeId).partition(|replica| {
                    pending.stored.contains(replica) || pending.told.get(replica) == Some(&newest)
                });
                if hold.len() >= w || newest.value.is_none() {
                    self.end(call, Reply::Value(newest.value))
                } else if pending.repairing {
                    vec![]
                } else {
                    pending.repairing = true;
                    lack.into_iter().map(repair).collect()
                }
            }
            Repair::Later => {
                let stale: Vec<_> =
                    pending.told.iter().filter(|(_, held)| **held < newest).map(|(to, _)| *to).collect();
                let mut out = self.end(call, Reply::Value(newest.value));
                out.extend(stale.into_iter().map(repair));
                out
            }
            Repair::Never => self.end(call, Reply::Value(newest.value)),
        }
    }
    // ANCHOR_END: advance

    fn end(&mut self, call: CallId, reply: Reply) -> Vec<Output<Member>> {
        self.pending.remove(&call);
        vec![Output::CancelTimer(call), Output::Reply { call, reply }]
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
