//! A key-value store that a cluster keeps together and that its clients cannot tell from one machine.
//!
//! Elections and the replicated log are given, in [`Raft`]. Sessions, reads and snapshots are yours.

mod election;
mod raft;

pub use election::{Ballot, Election, Place, Role, Term, Timeouts};
pub use raft::{Append, Effect, Entry, HEARTBEAT, Log, Outcome, Raft};

use kit::{CallId, Input, Node, NodeId, Output, Time};
use std::collections::BTreeMap;

/// What values are stored under.
pub type Key = char;

/// Names a client; each has one command at a time under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub u32);

/// A change of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The key holds this value from now on.
    Put(Key, u64),
    /// The key holds so much more from now on; at first it holds 0. Beyond [`u64::MAX`] it wraps around: what is in the log is
    /// applied on every server and again after every restart, so nothing in it may stop a server.
    Add(Key, u64),
}

/// A change that a client wants made exactly once, however often it has to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// Who wants it.
    pub client: Client,
    /// Its number among the client's commands, from 0 or more on, each greater than the one before; a client that asks again
    /// uses the same one.
    pub serial: u64,
    /// What is to be changed.
    pub change: Change,
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Change something.
    Write(Command),
    /// What does the key hold?
    Read(Key),
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The key holds this: when it was read, or right after it was changed.
    Value(u64),
    /// This server does not lead, or no longer. Ask another, with the same serial: a write may still take effect.
    NotLeader,
}

/// The store after some beginning of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// The last entry that it includes.
    pub last: Place,
    /// What is stored then.
    pub store: Store,
}

/// What must survive a crash. The log begins where the snapshot ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Saved {
    /// The term and the vote.
    pub ballot: Ballot,
    /// The store after the part of the log that is no longer kept.
    pub snapshot: Snapshot,
    /// The rest of the log.
    pub log: Log,
}

/// What servers say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Vote for me?
    RequestVote {
        /// The term that the candidate wants to lead.
        term: Term,
        /// Where its log ends.
        log_end: Place,
    },
    /// Yes or no.
    Vote {
        /// The voter's term.
        term: Term,
        /// Whether it votes for the candidate.
        granted: bool,
    },
    /// The leader's word.
    Append(Append),
    /// The follower's answer to it, or to a snapshot.
    Appended {
        /// The follower's term.
        term: Term,
        /// Up to which index its log agrees with the leader's, or from where to try again.
        outcome: Outcome,
        /// The round that it answers; 0 confirms nothing.
        round: u64,
    },
    /// The leader's snapshot, for a follower that lacks what the leader's log no longer holds.
    Install {
        /// The leader's term.
        term: Term,
        /// The snapshot.
        snapshot: Snapshot,
    },
}

impl Message {
    /// The sender's term; every message carries it.
    #[must_use]
    pub const fn term(&self) -> Term {
        match self {
            Self::RequestVote { term, .. }
            | Self::Vote { term, .. }
            | Self::Append(Append { term, .. })
            | Self::Appended { term, .. }
            | Self::Install { term, .. } => *term,
        }
    }
}

/// What a server can be reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Nothing was heard of a leader for an election timeout.
    Election,
    /// The leader's next word is due.
    Heartbeat,
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: the store
// ---------------------------------------------------------------------------------------------------------------------

/// The state machine: what is stored, and what must be known so that each command takes effect once (§8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    values: BTreeMap<Key, u64>,
    /// Of every client: the serial of its last command, and what it was told.
    sessions: BTreeMap<Client, (u64, u64)>,
}

impl Store {
    /// What the key holds; 0 if nothing was ever stored.
    #[must_use]
    pub fn read(&self, key: Key) -> u64 {
        self.values.get(&key).copied().unwrap_or(0)
    }

    /// Makes the change, unless this very command was applied before; returns what the key held right after *that*.
    ///
    /// A client has one command at a time under way, so of a command with an earlier serial than its last nobody awaits
    /// the answer any more: it changes nothing, and what is returned does not matter.
    pub fn apply(&mut self, command: &Command) -> u64 {
        // TODO: the same command can stand in the log twice. Who remembers that it was applied, and for how long?
        todo!("apply a command once, though it may come again: {command:?}, with sessions {:?}", self.sessions)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stages 2 and 3: a server
// ---------------------------------------------------------------------------------------------------------------------

/// A read that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PendingRead {
    /// Who asked.
    pub call: CallId,
    /// What.
    pub key: Key,
    /// The round that must be confirmed: it began after the read arrived.
    pub round: u64,
    /// How far the log must be applied first (the thesis' *readIndex*).
    pub index: u64,
}

/// One server of the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    raft: Raft,
    /// The store after the first `applied` entries.
    store: Store,
    applied: u64,
    snapshot: Snapshot,
    /// How many applied entries the log may hold before it is cut.
    most_entries: usize,
    /// Clients that wait for a write, by the place of their command.
    writes: BTreeMap<Place, CallId>,
    reads: Vec<PendingRead>,
}

impl Server {
    /// The server `id` of `servers`, numbered from 0, as it starts, for the first time or again, with what it `saved`.
    /// It cuts its log when more than `most_entries` applied entries are in it.
    #[must_use]
    pub fn new(id: NodeId, servers: usize, most_entries: usize, saved: Saved, timeouts: Timeouts) -> Self {
        Self {
            raft: Raft::new(id, servers, saved.ballot, saved.log, timeouts),
            store: saved.snapshot.store.clone(),
            applied: saved.snapshot.last.index,
            snapshot: saved.snapshot,
            most_entries,
            writes: BTreeMap::new(),
            reads: vec![],
        }
    }

    /// Its part in the replicated log.
    #[must_use]
    pub const fn raft(&self) -> &Raft {
        &self.raft
    }

    /// The store, and how many entries of the log it includes.
    #[must_use]
    pub const fn store(&self) -> (u64, &Store) {
        (self.applied, &self.store)
    }

    /// A client asks something. It is answered later, in [`apply`](Self::apply) or [`answer_reads`](Self::answer_reads),
    /// or at once with [`Reply::NotLeader`].
    fn request(&mut self, call: CallId, request: Request) -> Vec<Output<Self>> {
        // TODO: a leader that was deposed a second ago believes what it believed two seconds ago. What must happen between a
        // read and its answer?
        todo!("answer a request, now or later: {call}, {request:?}; waiting are {:?} and {:?}", self.writes, self.reads)
    }

    /// Applies what is committed and not yet applied, in order, and tells the clients whose commands these were. A client
    /// in whose place another leader's entry was committed is told [`Reply::NotLeader`], and so is one whose place a snapshot
    /// went past without a word of its command.
    fn apply(&mut self) -> Vec<Output<Self>> {
        todo!("apply what is committed behind {}, and tell {:?}", self.applied, self.writes)
    }

    /// Answers the reads that may be answered now, and those that this server cannot answer any more.
    fn answer_reads(&mut self) -> Vec<Output<Self>> {
        todo!("which reads may be answered now, and which never? {:?}", self.reads)
    }

    /// Cuts off the log up to and including the last applied entry, if it holds more than `most_entries` applied ones, and
    /// keeps a snapshot of the store in their place. What follows that entry stays.
    fn compact(&mut self) {
        let base = self.raft.log().base.index;
        if self.applied - base <= self.most_entries as u64 {
            return;
        }
        todo!("keep a snapshot in the place of the log up to {}, here {:?}", self.applied, self.raft.log())
    }

    /// What a follower is sent that lacks what the log no longer holds.
    fn snapshot_for(&self, to: NodeId) -> Output<Self> {
        todo!("what {to} lacks is in {:?}", self.snapshot)
    }

    /// Hears the snapshot of the leader of its own term, and answers in any case up to where its log agrees with the leader's
    /// now, as far as the snapshot tells. Round 0: a snapshot does not ask who leads.
    fn hear_snapshot(&mut self, from: NodeId, snapshot: &Snapshot) -> Vec<Output<Self>> {
        // TODO: messages overtake each other. What if this one is older than the store?
        todo!("take in a snapshot of {from}, or not, with {} entries applied: {snapshot:?}", self.applied)
    }

    // -----------------------------------------------------------------------------------------------------------------
    // Given: what leads to the functions above
    // -----------------------------------------------------------------------------------------------------------------

    fn saved(&self) -> Saved {
        Saved { ballot: self.raft.election().ballot(), snapshot: self.snapshot.clone(), log: self.raft.log().clone() }
    }

    fn perform(&self, effects: Vec<Effect>) -> Vec<Output<Self>> {
        let output = |effect| match effect {
            Effect::Send(to, message) => Output::Send { to, message },
            Effect::SendSnapshot(to) => self.snapshot_for(to),
            Effect::Set(timer, after) => Output::SetTimer { timer, after },
            Effect::Cancel(timer) => Output::CancelTimer(timer),
        };
        effects.into_iter().map(output).collect()
    }
}

impl Node for Server {
    type Message = Message;
    type Timer = Timer;
    type Request = Request;
    type Reply = Reply;
    type Durable = Saved;

    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        let before = self.saved();
        let mut out = match input {
            Input::Start => {
                let effects = self.raft.start();
                self.perform(effects)
            }
            Input::Timer(timer) => {
                let effects = self.raft.fire(timer);
                self.perform(effects)
            }
            Input::Request { call, request } => self.request(call, request),
            Input::Message { from, message } => {
                let effects = self.raft.hear(from, &message);
                let mut out = self.perform(effects);
                if let Message::Install { term, snapshot } = &message
                    && *term == self.raft.election().term()
                {
                    out.extend(self.hear_snapshot(from, snapshot));
                }
                out
            }
        };
        out.extend(self.apply());
        out.extend(self.answer_reads());
        self.compact();
        let saved = self.saved();
        if saved != before {
            out.insert(0, Output::Persist(saved)); // first: what is said must be on disk before it is said
        }
        out
    }

    fn status(&self) -> String {
        let election = self.raft.election();
        let role = match election.role() {
            Role::Follower => "",
            Role::Candidate => " candidate",
            Role::Leader => " LEADER",
        };
        let log = self.raft.log();
        format!("t{}{role} log {}..{} applied {}", election.term(), log.base.index, log.last(), self.applied)
    }

    fn label(message: &Message) -> String {
        match message {
            Message::RequestVote { term, .. } => format!("vote? {term}"),
            Message::Vote { term, granted: true } => format!("yes {term}"),
            Message::Vote { term, granted: false } => format!("no {term}"),
            Message::Append(Append { term, after, entries, commit, round }) => {
                format!("{term}: {}+{} c{commit} r{round}", after.index, entries.len())
            }
            Message::Appended { term, outcome: Ok(index), round } => format!("{term}: have {index} r{round}"),
            Message::Appended { term, outcome: Err(index), round } => format!("{term}: try {index} r{round}"),
            Message::Install { term, snapshot } => format!("{term}: snapshot {}", snapshot.last.index),
        }
    }
}
