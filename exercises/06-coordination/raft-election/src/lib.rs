//! Who leads? Raft's election: terms, votes that outlive a crash, and timeouts that differ.

use kit::rand::RngExt as _;
use kit::{Input, Millis, Node, NodeId, Output, Rng, Time};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};

/// How often a leader tells the others that it is there, beginning at once. Well below the shortest election timeout.
pub const HEARTBEAT: Millis = Millis(50);

/// Raft's logical time. Each election begins a new term, and a term has at most one leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub u64);

impl Term {
    /// The term that a candidate begins.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a log ends: all that an election needs to know of it. An empty log ends at index 0 in term 0.
///
/// It has no derived order on purpose: which of two logs is the newer is yours to say, in [`LogEnd::is_as_new_as`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogEnd {
    /// How many entries the log has.
    pub index: u64,
    /// The term of the last one.
    pub term: Term,
}

/// What must survive a crash (Figure 2, "persistent state"; of the log, only its end, which no election changes).
///
/// A step that changes none of it writes nothing: a flush takes longer than a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Saved {
    /// The greatest term heard of.
    pub term: Term,
    /// Who got this server's vote in that term.
    pub voted_for: Option<NodeId>,
    /// Where its log ends.
    pub log_end: LogEnd,
}

/// A candidate asks for a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestVote {
    /// The term that the candidate wants to lead.
    pub term: Term,
    /// Where the candidate's log ends.
    pub log_end: LogEnd,
}

/// What servers say to each other.
///
/// Every [`RequestVote`](Self::RequestVote) and every [`Heartbeat`](Self::Heartbeat) is answered, a late one too, with
/// the term that the answerer is in after it heard the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Vote for me?
    RequestVote(RequestVote),
    /// Yes or no.
    Vote {
        /// The voter's term, after it heard the request.
        term: Term,
        /// Whether the sender of the request has its vote in that term.
        granted: bool,
    },
    /// I lead this term. (With a log to send, this is `AppendEntries`.)
    Heartbeat {
        /// The leader's term.
        term: Term,
    },
    /// I heard you.
    Heard {
        /// The sender's term; greater than the leader's if that leader is deposed.
        term: Term,
    },
}

impl Message {
    /// The sender's term; every message carries it.
    #[must_use]
    pub const fn term(&self) -> Term {
        match self {
            Self::RequestVote(RequestVote { term, .. })
            | Self::Vote { term, .. }
            | Self::Heartbeat { term }
            | Self::Heard { term } => *term,
        }
    }
}

/// What a server can be reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Nobody was worth waiting for during an election timeout.
    ///
    /// It runs in followers and candidates. It starts anew, with another draw, at [`Input::Start`], at a heartbeat of the
    /// server's own term, when the server grants a vote, stands, or ceases to lead. A request that is refused and a
    /// heartbeat of an earlier term leave it alone.
    Election,
    /// The leader's next heartbeat is due.
    Heartbeat,
}

/// What a server is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Waits for a leader, or for the candidate that has its vote.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Had the votes of a majority in its term.
    Leader,
}

/// Draws election timeouts from a generator that whoever builds the server gives it.
#[derive(Clone, Debug)]
pub struct Timeouts {
    least: Millis,
    most: Millis,
    rng: Rng,
}

impl Timeouts {
    /// Timeouts from `least` to `most`, each as likely as any other.
    #[must_use]
    pub const fn between(least: Millis, most: Millis, rng: Rng) -> Self {
        Self { least, most, rng }
    }

    /// The next one.
    pub fn draw(&mut self) -> Millis {
        Millis(self.rng.random_range(self.least.0..=self.most.0))
    }
}

/// A search lets a timer go off whenever it likes, so what will be drawn next makes no two of its states different.
impl PartialEq for Timeouts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Timeouts {}

impl Hash for Timeouts {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: the rules of a vote
// ---------------------------------------------------------------------------------------------------------------------

/// How many of `servers` are a majority: any two majorities share a server.
#[must_use]
pub fn majority(servers: usize) -> usize {
    todo!("how many of {servers} are a majority?")
}

impl LogEnd {
    /// Whether a log that ends here is at least as new as one that ends at `other` (§5.4.1): the later last term wins;
    /// of equal terms, the longer log.
    #[must_use]
    pub fn is_as_new_as(self, other: Self) -> bool {
        todo!("is a log that ends at {self:?} at least as new as one that ends at {other:?}?")
    }
}

impl Saved {
    /// What a server that has saved `self` saves and answers when `candidate` asks for its vote: whether it is granted.
    ///
    /// A term greater than its own becomes its own, with no vote in it yet, whether or not it then grants one. It grants
    /// the vote if the request is of its own term, it has voted for nobody else in that term, and the candidate's log is
    /// at least as new as its own.
    #[must_use]
    pub fn consider(self, candidate: NodeId, request: RequestVote) -> (Self, bool) {
        todo!("what a server with {self:?} saves and answers when {candidate} asks {request:?}")
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stages 2 and 3: a server
// ---------------------------------------------------------------------------------------------------------------------

/// One server of a cluster that elects a leader (Ongaro and Ousterhout 2014, §5.2 and Figure 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    id: NodeId,
    servers: usize,
    saved: Saved,
    role: Role,
    /// Who voted for this server in its term; it matters to a candidate only.
    votes: BTreeSet<NodeId>,
    timeouts: Timeouts,
}

impl Server {
    /// The server `id` of `servers`, numbered from 0, as it starts, for the first time or again, with what it `saved`.
    #[must_use]
    pub const fn new(id: NodeId, servers: usize, saved: Saved, timeouts: Timeouts) -> Self {
        Self { id, servers, saved, role: Role::Follower, votes: BTreeSet::new(), timeouts }
    }

    /// What it is at the moment.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// What it would save now: during a step it may be ahead of the disk.
    #[must_use]
    pub const fn saved(&self) -> Saved {
        self.saved
    }
}

impl Node for Server {
    type Message = Message;
    type Timer = Timer;
    /// Clients ask nothing of an election.
    type Request = Infallible;
    type Reply = Infallible;
    type Durable = Saved;

    // TODO: an election timeout makes a candidate, a majority of votes a leader, a later term a follower. Before you answer
    // anybody, ask: if the power fails right after this message leaves, will I remember what I have said?
    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        todo!(
            "{input:?} at {} of {}, {:?} with {:?} and votes of {:?}, next timeout from {:?}",
            self.id,
            self.servers,
            self.role,
            self.saved,
            self.votes,
            self.timeouts
        )
    }

    fn status(&self) -> String {
        let role = match self.role {
            Role::Follower => "",
            Role::Candidate => " candidate",
            Role::Leader => " LEADER",
        };
        let vote = self.saved.voted_for.map_or_else(String::new, |vote| format!(" voted {vote}"));
        format!("term {}{vote}{role}", self.saved.term)
    }

    fn label(message: &Message) -> String {
        match message {
            Message::RequestVote(request) => format!("vote? {}", request.term),
            Message::Vote { term, granted: true } => format!("yes {term}"),
            Message::Vote { term, granted: false } => format!("no {term}"),
            Message::Heartbeat { term } => format!("lead {term}"),
            Message::Heard { term } => format!("heard {term}"),
        }
    }
}
