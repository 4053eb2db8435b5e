//! Single-decree Paxos: a few nodes, any of them may propose, one value is decided, for ever.
//!
//! After Lamport, "Paxos Made Simple" (2001). Every node is an acceptor, and a proposer when a client asks it to be.

use kit::{CallId, Input, Millis, Node, NodeId, Output, Seed, Time};
use std::collections::{BTreeMap, BTreeSet};

/// How long a proposer waits for an attempt to end before it begins the next, at once.
pub const PATIENCE: Millis = Millis(100);

/// Before repetition n a refused proposer waits for at most this, doubled n times: see [`backoff`].
pub const BACKOFF: Millis = Millis(20);

/// What is decided. Any value is one, the empty one too.
pub type Value = &'static str;

// ---------------------------------------------------------------------------------------------------------------------
// Numbers and values
// ---------------------------------------------------------------------------------------------------------------------

/// The number of a proposal. Ordered by round, and within a round by proposer, so that no two proposers share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// Grows with every attempt.
    pub round: u64,
    /// Whose it is.
    pub proposer: NodeId,
}

impl Ballot {
    /// A ballot of `proposer` that is greater than `seen`, the greatest that it knows of, its own included.
    #[must_use]
    pub fn above(seen: Option<Self>, proposer: NodeId) -> Self {
        todo!("bid above what was seen: {proposer} has seen {seen:?}")
    }
}

/// What an acceptor has accepted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Accepted {
    /// Under which number.
    pub ballot: Ballot,
    /// Which value.
    pub value: Value,
}

/// The value that a proposer must propose when a majority has promised: each of `promises` says what that acceptor has
/// accepted, if anything. `own` is what it would like to propose.
#[must_use]
pub fn choose(promises: &[Option<Accepted>], own: Value) -> Value {
    todo!("propose its own value, or one of those promised? {own:?}, {promises:?}")
}

/// How long to wait before repetition `attempt`, from 1 on: a time drawn evenly from 1 ms to `BACKOFF` doubled
/// `attempt` times, but at most six times. It follows from the seed and the attempt alone.
///
/// `seed.part(n)` is another seed for each n; `seed.rng()` is a generator, whose `random_range(1..=9)` draws one of nine
/// (with `use kit::rand::RngExt as _`).
#[must_use]
pub fn backoff(seed: Seed, attempt: u32) -> Millis {
    todo!("draw the wait before repetition {attempt} from {seed:?}, at most {BACKOFF} doubled")
}

// ---------------------------------------------------------------------------------------------------------------------
// What nodes say, keep and are asked
// ---------------------------------------------------------------------------------------------------------------------

/// What proposers and acceptors say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Phase 1, proposer: promise to accept nothing below this. (A copy of one that was promised may be refused.)
    Prepare(Ballot),
    /// Acceptor: promised; and that is what I accepted last, if anything.
    Promise(Ballot, Option<Accepted>),
    /// Phase 2, proposer: accept this value under this number.
    Accept(Ballot, Value),
    /// Acceptor: I have.
    Accepted(Ballot),
    /// Acceptor, to either question: no, for I have promised more.
    Refused {
        /// The number that it refuses.
        ballot: Ballot,
        /// The one that it has promised.
        promised: Ballot,
    },
}

/// A proposer's reminder to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retry;

/// What a client asks of a proposer: get this value decided, or learn which one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Propose(pub Value);

/// What a client is told: this value is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decided(pub Value);

/// What survives a crash: what was in here when it was last persisted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Disk {
    /// As an acceptor: the greatest ballot that it has promised.
    pub promised: Option<Ballot>,
    /// As an acceptor: what it has accepted last.
    pub accepted: Option<Accepted>,
    /// As a proposer: the last ballot that it used.
    pub last: Option<Ballot>,
}

/// A node in both of its roles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    id: NodeId,
    nodes: usize,
    /// The run's, the same on every node. Two nodes that draw from it must not draw the same.
    seed: Seed,
    /// What is on disk. A change of it counts once it is persisted.
    disk: Disk,
    /// What its next ballot must be above: the last that it used, and whatever has refused it. You may let it learn from
    /// more than that.
    seen: Option<Ballot>,
    /// What it proposes. A new call replaces it; the client of the old one is not answered.
    work: Option<Work>,
}

/// A client's call under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Work {
    /// Whom to answer.
    pub call: CallId,
    /// What the client would like.
    pub own: Value,
    /// How often it has tried again.
    pub attempt: u32,
    /// How far this attempt has got.
    pub phase: Phase,
}

/// How far an attempt has got.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Collecting promises.
    Preparing(BTreeMap<NodeId, Option<Accepted>>),
    /// Having this value accepted, by these so far.
    Accepting(Value, BTreeSet<NodeId>),
    /// Outbid, and waiting.
    BackingOff,
}

impl Process {
    /// Node `id` of `nodes`, as it starts with what its disk holds.
    #[must_use]
    pub fn new(id: NodeId, nodes: usize, seed: Seed, disk: Option<Disk>) -> Self {
        let disk = disk.unwrap_or_default();
        Self { id, nodes, seed, seen: disk.last, disk, work: None }
    }

    /// What is on its disk.
    #[must_use]
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }
}

impl Node for Process {
    type Message = Message;
    type Timer = Retry;
    type Request = Propose;
    type Reply = Decided;
    type Durable = Disk;

    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        let role = match input {
            Input::Message { from, message: message @ (Message::Prepare(_) | Message::Accept(..)) } => {
                self.accept(from, message)
            }
            input => self.propose(&input),
        };
        let mut out = vec![];
        for output in role {
            match output {
                // What one role says to the other under the same roof does not travel.
                Output::Send { to, message } if to == self.id => {
                    out.extend(self.step(Input::Message { from: to, message }, Time::START));
                }
                output => out.push(output),
            }
        }
        out
    }

    fn status(&self) -> String {
        let shown = |ballot: &Ballot| format!("{}.{}", ballot.round, ballot.proposer);
        let promised = self.disk.promised.as_ref().map_or_else(|| "-".into(), shown);
        let has = self.disk.accepted.map_or_else(|| "-".into(), |a| format!("{:?} by {}", a.value, shown(&a.ballot)));
        format!("promised {promised}, has {has}")
    }

    fn label(message: &Message) -> String {
        let shown = |ballot: &Ballot| format!("{}.{}", ballot.round, ballot.proposer);
        match message {
            Message::Prepare(ballot) => format!("prepare {}", shown(ballot)),
            Message::Promise(ballot, None) => format!("promise {}", shown(ballot)),
            Message::Promise(ballot, Some(has)) => format!("promise {}, has {:?}", shown(ballot), has.value),
            Message::Accept(ballot, value) => format!("accept {} {value:?}", shown(ballot)),
            Message::Accepted(ballot) => format!("accepted {}", shown(ballot)),
            Message::Refused { ballot, .. } => format!("refused {}", shown(ballot)),
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The acceptor
// ---------------------------------------------------------------------------------------------------------------------

impl Process {
    /// Hears `Prepare` and `Accept`.
    // TODO: what does it promise, what does it accept, whom does it refuse? And what is on disk when it says so?
    fn accept(&mut self, from: NodeId, message: Message) -> Vec<Output<Self>> {
        todo!("promise, accept or refuse: {message:?} from {from}, with {:?} on disk", self.disk)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The proposer
// ---------------------------------------------------------------------------------------------------------------------

impl Process {
    /// Hears everything else. Both questions go to every node, itself included. What it sends to itself is answered at
    /// once, before what stands behind it in the list: set the timer first, or it overrules what a refusal by itself set.
    // TODO: a call or the timer begins an attempt under a new ballot; a majority of promises leads to phase 2, a majority
    // of acceptances to the answer; a refusal ends the attempt, and the next must outbid it. What if an answer comes
    // twice, or late? Which number may it use after a crash?
    fn propose(&mut self, input: &Input<Self>) -> Vec<Output<Self>> {
        let Self { id, nodes, seed, disk, seen, work } = self;
        todo!(
            "propose: {input:?} at {id} of {nodes}, {seed}, doing {work:?}, having seen {seen:?}, with {disk:?} on disk"
        )
    }
}
