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

    /// `message` for every other replica.
    // ANCHOR: broadcast
    fn broadcast(&self, message: CpMessage) -> Vec<Output<Self>> {
        let others = (0..self.replicas).map(NodeId).filter(|other| *other != self.id);
        others.map(|to| Output::Send { to, message }).collect()
    }
    // ANCHOR_END: broadcast

    /// Goes on with a call as far as the replicas heard allow.
    // ANCHOR: advance
    fn advance(&mut self, call: CallId) -> Vec<Output<Self>> {
        let Some(pending) = self.pending.get_mut(&call) else { return vec![] };
        if pending.heard.len() * 2 <= self.replicas {
            return vec![];
        }
        match pending.phase {
            Phase::Asking => {
                // What this replica holds may have grown since it asked: another call's write counts too.
                let newest = pending.newest.max(self.held);
                let leaves = match pending.request {
                    Request::Read => newest,
                    Request::Write(value) => Versioned { version: newest.version.next(self.id), value: Some(value) },
                };
                pending.phase = Phase::Storing;
                pending.heard = BTreeSet::from([self.id]);
                pending.newest = leaves;
                self.held = leaves;
                let mut out = self.broadcast(CpMessage::Store(call, leaves));
                out.extend(self.advance(call));
                out
            }
            Phase::Storing => {
                let reply = match pending.request {
                    Request::Read => Reply::Value(pending.newest.value),
                    Request::Write(_) => Reply::Done,
                };
                self.pending.remove(&call);
                vec![Output::CancelTimer(call), Output::Reply { call, reply }]
            }
        }
    }
    // ANCHOR_END: advance
}

impl Node for CpReplica {
    type Message = CpMessage;
    /// The call whose patience ends.
    type Timer = CallId;
    type Request = Request;
    type Reply = Reply;
    type Durable = ();

    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        match input {
            Input::Start => vec![],
            Input::Request { call, request } => {
                let heard = BTreeSet::from([self.id]);
                self.pending.insert(call, Pending { request, phase: Phase::Asking, heard, newest: self.held });
                let mut out = vec![Output::SetTimer { timer: call, after: PATIENCE }];
                out.extend(self.broadcast(CpMessage::Ask(call)));
                out.extend(self.advance(call));
                out
            }
            Input::Message { from, message: CpMessage::Ask(call) } => {
                vec![Output::Send { to: from, message: CpMessage::Tell(call, self.held) }]
            }
            Input::Message { from, message: CpMessage::Tell(call, held) } => {
                match self.pending.get_mut(&call) {
                    Some(pending) if pending.phase == Phase::Asking => {
                        pending.heard.insert(from);
                        pending.newest = pending.newest.max(held);
                    }
                    _ => return vec![], // late: a majority had told before, or the client was refused
                }
                self.advance(call)
            }
            Input::Message { from, message: CpMessage::Store(call, versioned) } => {
                self.held = self.held.max(versioned);
                vec![Output::Send { to: from, message: CpMessage::Stored(call) }]
            }
            Input::Message { from, message: CpMessage::Stored(call) } => {
                if let Some(pending) = self.pending.get_mut(&call) {
                    pending.heard.insert(from);
                }
                self.advance(call)
            }
            Input::Timer(call) => match self.pending.remove(&call) {
                Some(_) => vec![Output::Reply { call, reply: Reply::Unavailable }],
                None => vec![],
            },
        }
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

    fn tell_others(&self) -> Vec<Output<Self>> {
        let others = (0..self.replicas).map(NodeId).filter(|other| *other != self.id);
        others.map(|to| Output::Send { to, message: Held(self.held) }).collect()
    }
}

impl Node for ApReplica {
    type Message = Held;
    type Timer = Gossip;
    type Request = Request;
    type Reply = Reply;
    type Durable = ();

    // ANCHOR: available
    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        match input {
            Input::Start => vec![Output::SetTimer { timer: Gossip, after: GOSSIP }],
            Input::Request { call, request: Request::Read } => {
                vec![Output::Reply { call, reply: Reply::Value(self.held.value) }]
            }
            Input::Request { call, request: Request::Write(value) } => {
                self.held = Versioned { version: self.held.version.next(self.id), value: Some(value) };
                let mut out = vec![Output::Reply { call, reply: Reply::Done }];
                out.extend(self.tell_others());
                out
            }
            Input::Message { message: Held(theirs), .. } => {
                self.held = self.held.max(theirs);
                vec![]
            }
            Input::Timer(Gossip) => {
                let mut out = self.tell_others();
                out.push(Output::SetTimer { timer: Gossip, after: GOSSIP });
                out
            }
        }
    }
    // ANCHOR_END: available

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
// ANCHOR: schedules
#[must_use]
pub fn schedules() -> Vec<Schedule> {
    let fates = [Fate::Arrives, Fate::Lost];
    let mut all = vec![];
    for update in fates {
        for confirmation in fates {
            for question in fates {
                for answer in fates {
                    all.push(Schedule { update, confirmation, question, answer });
                }
            }
        }
    }
    all
}
// ANCHOR_END: schedules

/// Plays one run.
// ANCHOR: run
#[must_use]
pub fn run(strategy: Strategy, schedule: Schedule) -> Told {
    let updated = schedule.update == Fate::Arrives;
    let confirmed = updated && schedule.confirmation == Fate::Arrives;
    let acknowledged = confirmed || strategy.write == WhenSilent::Answer;
    // The writer's replica holds the new value whatever it told the writer.
    let answered = schedule.question == Fate::Arrives && schedule.answer == Fate::Arrives;
    let read_new = match strategy.read {
        _ if answered => Some(true),
        WhenSilent::Answer => Some(updated),
        WhenSilent::Refuse => None,
    };
    Told { acknowledged, read_new }
}
// ANCHOR_END: run

/// Whether both clients got what they asked for (Gilbert and Lynch 2002: every request to a replica that has not failed
/// must be served; here an error is no service).
#[must_use]
pub fn is_available(told: Told) -> bool {
    told.acknowledged && told.read_new.is_some()
}

/// Whether one register could have told them so: the read began after the write was answered.
#[must_use]
pub fn is_linearizable(told: Told) -> bool {
    // A write that was refused may have taken effect or not, so the reader may see either.
    !told.acknowledged || told.read_new != Some(false)
}

/// The schedule with the fewest losses in which the strategy is not available, or not linearizable; `None` if it is
/// both in all of them.
#[must_use]
pub fn counterexample(strategy: Strategy) -> Option<Schedule> {
    let breaks = |schedule: &Schedule| {
        let told = run(strategy, *schedule);
        !(is_available(told) && is_linearizable(told))
    };
    schedules().into_iter().filter(breaks).min_by_key(Schedule::losses)
}
