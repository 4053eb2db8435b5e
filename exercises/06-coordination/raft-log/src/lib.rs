//! One log on many servers: what a leader may call committed, and how the others' logs become the same as its own.
//!
//! The election is given, in [`Election`]; so is the server that drives it. The replication is yours.

mod election;

pub use election::{Ballot, Election, Place, Role, Term, Timeouts};

use kit::{CallId, Input, Millis, Node, NodeId, Output, Time};
use std::collections::BTreeMap;

/// How often a leader speaks to the others, whether or not it has anything new.
pub const HEARTBEAT: Millis = Millis(50);

/// What a client wants done. What it means is for a state machine above to know.
pub type Command = u32;

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The term of the leader that took it in.
    pub term: Term,
    /// What is to be done.
    pub command: Command,
}

/// What must survive a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Saved {
    /// The term and the vote.
    pub ballot: Ballot,
    /// The log.
    pub log: Log,
}

/// What a leader tells a follower.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Append {
    /// The leader's term.
    pub term: Term,
    /// The place right before the entries: the follower takes them only if it has this one.
    pub after: Place,
    /// What follows there in the leader's log; none in a mere heartbeat.
    pub entries: Vec<Entry>,
    /// How far the leader's log is committed.
    pub commit: u64,
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
    /// The follower's answer.
    Appended {
        /// The follower's term.
        term: Term,
        /// Whether its log agrees with the leader's now, and how far; or not yet. To a leader of an earlier term this says
        /// nothing; the term says it all.
        outcome: Result<Matched, Mismatch>,
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
            | Self::Appended { term, .. } => *term,
        }
    }
}

/// The follower's log is the leader's up to this index, as far as the message that it answers told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Matched(pub u64);

/// The follower does not have the place that the entries were to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mismatch {
    /// From which index the leader should try next: no higher than the place that did not fit.
    pub try_from: u64,
}

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The command is committed, at this index of the log.
    Committed(u64),
    /// This server does not lead; nothing was done.
    NotLeader,
    /// Another leader's entry was committed in the place of the command, which is lost.
    Superseded,
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
// Stage 1: the log
// ---------------------------------------------------------------------------------------------------------------------

/// A log of entries, numbered from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    /// The entry with index 1 comes first.
    pub entries: Vec<Entry>,
}

impl Log {
    /// The index of the last entry; 0 if there is none.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The place of the last entry.
    #[must_use]
    pub fn end(&self) -> Place {
        self.place(self.last()).unwrap_or_default()
    }

    /// The place with this index; none if the log ends before. Every log has index 0, in term 0.
    #[must_use]
    pub fn place(&self, index: u64) -> Option<Place> {
        if index == 0 {
            return Some(Place::default());
        }
        Some(Place { term: self.entries.get(index as usize - 1)?.term, index })
    }

    /// Takes in a leader's `entries`, which follow `after` in its log.
    ///
    /// If this log has `after`, it afterwards begins with all that the leader's log holds up to the last of `entries`.
    /// What it held beyond stays, unless it contradicts one of them: then that one and all that followed it is gone.
    ///
    /// # Errors
    /// [`Mismatch`] if it does not have `after`; it is then unchanged. `try_from` skips a whole term at a time: it is the
    /// first index of the term that this log has in that place, or right behind the end of a log that is too short.
    pub fn append(&mut self, after: Place, entries: &[Entry]) -> Result<Matched, Mismatch> {
        todo!("take in {entries:?} after {after:?} to {self:?}")
    }

    /// How far a leader of `term` may call its log committed, if `matched` tells for every server, itself included, how
    /// far its log is known to agree: the highest index that a majority has, if the entry there is of this very term
    /// (§5.4.2). `None` if there is no such index.
    #[must_use]
    pub fn committed(&self, term: Term, matched: &[u64]) -> Option<u64> {
        todo!("how far a leader of {term} may commit when servers have {matched:?} of {self:?}")
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stages 2 and 3: a server
// ---------------------------------------------------------------------------------------------------------------------

/// One server of a cluster that keeps a replicated log (Ongaro and Ousterhout 2014, §5.3, §5.4 and Figure 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    id: NodeId,
    servers: usize,
    election: Election,
    timeouts: Timeouts,
    log: Log,
    /// How far the log is known to be committed.
    commit: u64,
    /// As a leader, of every server: the index from which to send next.
    next: Vec<u64>,
    /// As a leader, of every server: up to which index its log is known to agree with this one.
    matched: Vec<u64>,
    /// Clients that wait, by the place of their command.
    waiting: BTreeMap<Place, CallId>,
}

impl Server {
    /// The server `id` of `servers`, numbered from 0, as it starts, for the first time or again, with what it `saved`.
    #[must_use]
    pub fn new(id: NodeId, servers: usize, saved: Saved, timeouts: Timeouts) -> Self {
        Self {
            id,
            servers,
            election: Election::new(id, servers, saved.ballot),
            timeouts,
            log: saved.log,
            commit: 0,
            next: vec![1; servers],
            matched: vec![0; servers],
            waiting: BTreeMap::new(),
        }
    }

    /// Its part in the election.
    #[must_use]
    pub const fn election(&self) -> &Election {
        &self.election
    }

    /// Its log.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// How far it knows its log to be committed.
    #[must_use]
    pub const fn commit(&self) -> u64 {
        self.commit
    }

    /// What it would save now.
    #[must_use]
    pub fn saved(&self) -> Saved {
        Saved { ballot: self.election.ballot(), log: self.log.clone() }
    }

    /// Begins to lead: knows nothing of the others' logs, assumes that they are as long as its own, and speaks at once.
    /// It adds no entry of its own; older ones wait for the next command.
    fn begin_to_lead(&mut self) -> Vec<Output<Self>> {
        todo!("what {} knows of {} servers: next {:?}, matched {:?}", self.id, self.servers, self.next, self.matched)
    }

    /// Sends every follower what it lacks, as far as this leader knows, or a heartbeat.
    fn speak(&self) -> Vec<Output<Self>> {
        todo!("an `Append` from {} for each of the others, from its place in {:?}", self.id, self.next)
    }

    /// Takes in a client's command, at its end of the log, if it leads, and speaks at once; else not at all.
    fn propose(&mut self, call: CallId, command: Command) -> Vec<Output<Self>> {
        // TODO: who will tell the client, when, and how does that server know that the command at this index is still its own?
        todo!("{call}: {command}, while these wait: {:?}", self.waiting)
    }

    /// Hears the leader of its own term, and answers.
    fn hear_append(&mut self, from: NodeId, append: &Append) -> Vec<Output<Self>> {
        todo!("answer {from}, which says {append:?}, and learn how far the log is committed: now {}", self.commit)
    }

    /// Hears, as the leader of this very term, what became of an append. To a mismatch that is news it sends at once what
    /// that follower lacks, from where it says. A commit is worth no message of its own: the next append carries it.
    fn hear_appended(&mut self, from: NodeId, outcome: Result<Matched, Mismatch>) -> Vec<Output<Self>> {
        // TODO: answers come late, twice and out of order. What may they change, and in which direction?
        todo!("{from} answered {outcome:?}; matched {:?}, next {:?}", self.matched, self.next)
    }

    // -----------------------------------------------------------------------------------------------------------------
    // Given: the election, and what leads to the functions above
    // -----------------------------------------------------------------------------------------------------------------

    fn wait(&mut self) -> Output<Self> {
        Output::SetTimer { timer: Timer::Election, after: self.timeouts.draw() }
    }

    fn stand(&mut self) -> Vec<Output<Self>> {
        let won = self.election.stand();
        let ask = Message::RequestVote { term: self.election.term(), log_end: self.log.end() };
        let mut out = vec![self.wait()];
        out.extend(self.election.others().map(|to| Output::Send { to, message: ask.clone() }));
        if won {
            out.extend(self.won());
        }
        out
    }

    fn won(&mut self) -> Vec<Output<Self>> {
        let mut out =
            vec![Output::CancelTimer(Timer::Election), Output::SetTimer { timer: Timer::Heartbeat, after: HEARTBEAT }];
        out.extend(self.begin_to_lead());
        out
    }

    fn hear(&mut self, from: NodeId, message: &Message) -> Vec<Output<Self>> {
        let mut out = vec![];
        let deposed = self.election.enter(message.term());
        if deposed {
            out.extend([Output::CancelTimer(Timer::Heartbeat), self.wait()]);
        }
        let current = message.term() == self.election.term();
        match message {
            Message::RequestVote { term, log_end } => {
                let granted = self.election.grants(from, *term, *log_end, self.log.end());
                if granted {
                    out.push(self.wait());
                }
                out.push(Output::Send { to: from, message: Message::Vote { term: self.election.term(), granted } });
            }
            Message::Vote { term, granted } => {
                if *granted && self.election.voted(from, *term) {
                    out.extend(self.won());
                }
            }
            Message::Append(append) if current => {
                self.election.follow();
                out.push(self.wait());
                out.extend(self.hear_append(from, append));
            }
            Message::Append(append) => {
                // Its sender is deposed; the answer's term tells it so.
                let outcome = Err(Mismatch { try_from: append.after.index });
                out.push(Output::Send { to: from, message: Message::Appended { term: self.election.term(), outcome } });
            }
            Message::Appended { outcome, .. } => {
                if current && self.election.leads() {
                    out.extend(self.hear_appended(from, *outcome));
                }
            }
        }
        out
    }
}

impl Node for Server {
    type Message = Message;
    type Timer = Timer;
    type Request = Command;
    type Reply = Reply;
    type Durable = Saved;

    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        let before = (self.election.ballot(), self.log.clone());
        let mut out = match input {
            Input::Start => vec![self.wait()],
            Input::Timer(Timer::Election) => self.stand(),
            Input::Timer(Timer::Heartbeat) => {
                let mut out = self.speak();
                out.push(Output::SetTimer { timer: Timer::Heartbeat, after: HEARTBEAT });
                out
            }
            Input::Request { call, request } => self.propose(call, request),
            Input::Message { from, message } => self.hear(from, &message),
        };
        if (self.election.ballot(), &self.log) != (before.0, &before.1) {
            // All of it, since a log here is short; a real one writes only what is new.
            out.insert(0, Output::Persist(self.saved())); // first: what is said must be on disk before it is said
        }
        out
    }

    fn status(&self) -> String {
        let role = match self.election.role() {
            Role::Follower => "",
            Role::Candidate => " candidate",
            Role::Leader => " LEADER",
        };
        let terms: Vec<String> = self.log.entries.iter().rev().take(8).rev().map(|e| e.term.to_string()).collect();
        let more = if self.log.last() > 8 { "…" } else { "" };
        let vote = self.election.ballot().voted_for.map_or_else(String::new, |vote| format!(" voted {vote}"));
        format!("t{}{vote}{role} [{more}{}] c{}", self.election.term(), terms.join(" "), self.commit)
    }

    fn label(message: &Message) -> String {
        match message {
            Message::RequestVote { term, .. } => format!("vote? {term}"),
            Message::Vote { term, granted: true } => format!("yes {term}"),
            Message::Vote { term, granted: false } => format!("no {term}"),
            Message::Append(append) => {
                format!("{}: {}+{} c{}", append.term, append.after.index, append.entries.len(), append.commit)
            }
            Message::Appended { term, outcome: Ok(Matched(index)) } => format!("{term}: have {index}"),
            Message::Appended { term, outcome: Err(Mismatch { try_from }) } => format!("{term}: try {try_from}"),
        }
    }
}
