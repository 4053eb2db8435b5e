//! One register, three replicas, and a network that can split: what each choice keeps and what it gives up.

use kit::{CallId, Input, Millis, Node, NodeId, Output, Time};
use std::collections::{BTreeMap, BTreeSet};

// ---------------------------------------------------------------------------------------------------------------------
// What both registers share
// ---------------------------------------------------------------------------------------------------------------------

/// How long a replica waits for others before it gives up on a call.
pub const PATIENCE: Millis = Millis(100);

/// How often an available replica tells the others what it holds.
pub const GOSSIP: Millis = Millis(50);

/// Orders all writes of the register: by counter, and where two counters are equal by the replica that wrote.
///
/// No two writes share one: a replica never uses a counter twice, not even for two writes that overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Greater than that of every write its writer knew of.
    pub counter: u64,
    /// The replica that took the write in.
    pub writer: NodeId,
}

impl Version {
    /// The version of a write that `writer` takes in when `self` is the newest that it knows.
    #[must_use]
    pub const fn next(self, writer: NodeId) -> Self {
        Self { counter: self.counter + 1, writer }
    }
}

/// A value and the write that it comes from; the greater of two is the newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Versioned {
    /// Which write.
    pub version: Version,
    /// What was written; `None` before any write.
    pub value: Option<u32>,
}

/// What a client asks of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// What does the register hold?
    Read,
    /// From now on it holds this.
    Write(u32),
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The register holds this.
    Value(Option<u32>),
    /// The write is done.
    Done,
    /// Too few replicas were heard in time. A read returned nothing; a write may have taken effect or may yet.
    Unavailable,
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: the register that would rather refuse
// ---------------------------------------------------------------------------------------------------------------------

/// What the replicas of a [`CpReplica`] cluster say to each other about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CpMessage {
    /// What do you hold?
    Ask(CallId),
    /// This.
    Tell(CallId, Versioned),
    /// Hold this, unless you hold something newer.
    Store(CallId, Versioned),
    /// I hold that or something newer.
    Stored(CallId),
}

/// A replica that answers only with a majority behind it, so that all clients see one register
/// (Attiya, Bar-Noy, Dolev: "Sharing Memory Robustly in Message-Passing Systems", JACM 42(1), 1995).
///
/// The replica that a client asks coordinates the call: it *asks* until a majority has told it what they hold, then has
/// a majority *store* what the call leaves in the register. It counts itself in both.
#[derive(Clone, Debug)]
pub struct CpReplica {
    id: NodeId,
    replicas: usize,
    held: Versioned,
    pending: BTreeMap<CallId, Pending>,
}

/// What a coordinator remembers of a call that is under way.
#[derive(Clone, Debug)]
pub struct Pending {
    /// What the client asked.
    pub request: Request,
    /// Whether it still asks or has others store already.
    pub phase: Phase,
    /// Which replicas it heard from in this phase.
    pub heard: BTreeSet<NodeId>,
    /// While asking: the newest that it was told. While storing: what it has them store.
    pub newest: Versioned,
}

/// The two halves of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Learning what the newest write is.
    Asking,
    /// Making sure that a majority holds it, or the write that follows it.
    Storing,
}

impl CpReplica {
    /// The replica `id` of a cluster of `replicas`, numbered from 0. It holds nothing yet.
    #[must_use]
    pub fn new(id: NodeId, replicas: usize) -> Self {
        Self { id, replicas, held: Versioned::default(), pending: BTreeMap::new() }
    }
}

impl Node for CpReplica {
    type Message = CpMessage;
    /// The call whose patience ends.
    type Timer = CallId;
    type Request = Request;
    type Reply = Reply;
    type Durable = ();

    // TODO: a request begins the first phase and sets a timer; a majority of answers begins the second, then ends the
    // call; the timer ends it too. Ask yourself of every message: can it come late, twice, or after the call has ended?
    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        todo!(
            "CpReplica::step: {input:?} at {} of {}, which holds {:?}, with {:?}",
            self.id,
            self.replicas,
            self.held,
            self.pending
        )
    }

    fn status(&self) -> String {
        shown(self.held)
    }

    fn label(message: &CpMessage) -> String {
        match message {
            CpMessage::Ask(_) => "ask".into(),
            CpMessage::Tell(_, held) => format!("tell v{}", held.version.counter),
            CpMessage::Store(_, held) => format!("store v{}", held.version.counter),
            CpMessage::Stored(_) => "stored".into(),
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 2: the register that always answers
// ---------------------------------------------------------------------------------------------------------------------

/// What one [`ApReplica`] says to another: this is what I hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held(pub Versioned);

/// The reminder to tell the others again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gossip;

/// A replica that answers every call at once from what it holds, and brings the others up to date when it can.
#[derive(Clone, Debug)]
pub struct ApReplica {
    id: NodeId,
    replicas: usize,
    held: Versioned,
}

impl ApReplica {
    /// The replica `id` of a cluster of `replicas`, numbered from 0. It holds nothing yet.
    #[must_use]
    pub fn new(id: NodeId, replicas: usize) -> Self {
        Self { id, replicas, held: Versioned::default() }
    }

    /// What the replica holds.
    #[must_use]
    pub const fn held(&self) -> Versioned {
        self.held
    }
}

impl Node for ApReplica {
    type Message = Held;
    type Timer = Gossip;
    type Request = Request;
    type Reply = Reply;
    type Durable = ();

    // TODO: answer at once; tell the others; and tell them again, for what the network swallowed nobody asks for.
    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        todo!("ApReplica::step: {input:?} at {} of {}, which holds {:?}", self.id, self.replicas, self.held)
    }

    fn status(&self) -> String {
        shown(self.held)
    }

    fn label(Held(held): &Held) -> String {
        format!("v{}", held.version.counter)
    }
}

/// What stands beside a lifeline: the value held and the version it has.
fn shown(held: Versioned) -> String {
    let Version { counter, writer } = held.version;
    held.value.map_or_else(|| "empty".into(), |value| format!("{value} (v{counter} by {writer})"))
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: no third register
// ---------------------------------------------------------------------------------------------------------------------

/// What a replica does for a client when the other replica is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhenSilent {
    /// Answers from what it has.
    Answer,
    /// Refuses.
    Refuse,
}

/// All that a designer can choose in the smallest of worlds: two replicas, a write at one, then a read at the other.
///
/// The writer's replica updates the other and waits for its confirmation. The reader's replica asks the other what it
/// holds and waits for the answer. What is left to choose is what each does when it has waited in vain. The writer's replica
/// holds the write from the start, whether it is acknowledged or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Strategy {
    /// The replica that the writer asked, without a confirmation.
    pub write: WhenSilent,
    /// The replica that the reader asked, without an answer.
    pub read: WhenSilent,
}

/// What the network does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It arrives in time.
    Arrives,
    /// It does not arrive in time. Whether it is lost or late, nobody can tell.
    Lost,
}

/// The network's choices in one run. A message that is never sent has a fate too; it does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schedule {
    /// "Hold the new value", from the writer's replica to the reader's.
    pub update: Fate,
    /// "I hold it", back; sent only if the update arrived.
    pub confirmation: Fate,
    /// "What do you hold?", from the reader's replica to the writer's, after the write was answered.
    pub question: Fate,
    /// "This", back; sent only if the question arrived.
    pub answer: Fate,
}

impl Schedule {
    /// How many of its messages the network loses.
    #[must_use]
    pub fn losses(&self) -> usize {
        [self.update, self.confirmation, self.question, self.answer].iter().filter(|fate| **fate == Fate::Lost).count()
    }
}

/// What the two clients are told in one run: first the writer, then the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Told {
    /// Whether the write was acknowledged; if not, it was refused.
    pub acknowledged: bool,
    /// Whether the read returned the new value; `None` if it was refused.
    pub read_new: Option<bool>,
}

/// Every schedule of the four messages, each once.
#[must_use]
pub fn schedules() -> Vec<Schedule> {
    todo!("every way in which the network can treat the four messages")
}

/// Plays one run.
#[must_use]
pub fn run(strategy: Strategy, schedule: Schedule) -> Told {
    todo!("what {strategy:?} tells the two clients in {schedule:?}")
}

/// Whether both clients got what they asked for (Gilbert and Lynch 2002: every request to a replica that has not failed
/// must be served; here an error is no service).
#[must_use]
pub fn is_available(told: Told) -> bool {
    todo!("were both clients served? {told:?}")
}

/// Whether one register could have told them so: the read began after the write was answered.
#[must_use]
pub fn is_linearizable(told: Told) -> bool {
    todo!("could one register have told them so? {told:?}")
}

/// The schedule with the fewest losses in which the strategy is not available, or not linearizable; `None` if it is
/// both in all of them.
#[must_use]
pub fn counterexample(strategy: Strategy) -> Option<Schedule> {
    todo!("try {strategy:?} in every schedule")
}
