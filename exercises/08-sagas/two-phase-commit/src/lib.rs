//! One transaction over several stores: everybody commits or nobody does, and the log knows it when memory does not.
//!
//! The transaction manager is the *coordinator*, each store is a *participant*. There is one transaction.

pub mod three_phase;

use kit::{CallId, Input, Millis, Node, NodeId, Output, Time};
use std::collections::BTreeSet;

/// The site that asks for votes and decides; the others, from 1 on, are participants.
pub const COORDINATOR: NodeId = NodeId(0);

/// How long the coordinator waits for votes, from the request on, and a participant for the question, from its start on.
pub const PATIENCE: Millis = Millis(100);

/// How often a commit is told again until it is acknowledged, and how often an uncertain participant asks: at once after a
/// restart, else for the first time so long after its yes.
pub const RETRY: Millis = Millis(50);

// ---------------------------------------------------------------------------------------------------------------------
// What everybody shares
// ---------------------------------------------------------------------------------------------------------------------

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Everywhere.
    Commit,
    /// Nowhere.
    Abort,
}

/// What a participant answers when it is asked to prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vote {
    /// I can commit, whatever happens to me, and I will not abort on my own any more.
    Yes,
    /// I have aborted.
    No,
}

/// Where a participant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It has not voted.
    Working,
    /// It has voted yes.
    Prepared,
    /// It has committed.
    Committed,
    /// It has aborted.
    Aborted,
}

impl State {
    /// Whether a participant may go from `self` to `next` in one step.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        todo!("may a participant that is {self:?} become {next:?}?")
    }
}

/// One line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Record {
    /// A participant promised to commit if told so.
    Prepared,
    /// The transaction is committed.
    Committed,
    /// The transaction is aborted.
    Aborted,
    /// The coordinator has forgotten the transaction.
    End,
}

/// What a site has on disk: records, oldest first. `Output::Persist(log)` forces it there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log(pub Vec<Record>);

impl Log {
    /// Where a participant with this log is.
    #[must_use]
    pub fn state(&self) -> State {
        match self.0.last() {
            None | Some(Record::End) => State::Working,
            Some(Record::Prepared) => State::Prepared,
            Some(Record::Committed) => State::Committed,
            Some(Record::Aborted) => State::Aborted,
        }
    }

    /// Adds a record, and says what to do so that a crash does not lose it.
    #[must_use]
    pub fn force<N: Node<Durable = Self>>(&mut self, record: Record) -> Output<N> {
        self.0.push(record);
        Output::Persist(self.clone())
    }
}

/// What sites say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// Coordinator: can you commit?
    Prepare,
    /// Participant: that is my vote.
    Voted(Vote),
    /// Whoever knows it: that is how it ended.
    Ended(Outcome),
    /// Participant, to the coordinator, whoever told it: my log has the commit.
    Acknowledged,
    /// An uncertain participant, to anybody: do you know how it ended?
    Ask,
}

/// The one reminder that a site needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wake;

/// What a client asks of the coordinator, once and never again: commit what the participants have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Finish;

/// A coordinator or a participant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// Site 0.
    Coordinator(Coordinator),
    /// Any other site.
    Participant(Participant),
}

impl Site {
    /// Site `id` of `sites`, two or more, as it starts with what its log holds. `vote` is what it says when it is asked.
    #[must_use]
    pub fn new(id: NodeId, sites: usize, vote: Vote, log: Option<Log>) -> Self {
        let log = log.unwrap_or_default();
        if id == COORDINATOR {
            Self::Coordinator(Coordinator::recover(sites, log))
        } else {
            Self::Participant(Participant { id, sites, vote, log })
        }
    }
}

impl Node for Site {
    type Message = Message;
    type Timer = Wake;
    type Request = Finish;
    type Reply = Outcome;
    type Durable = Log;

    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        match self {
            Self::Coordinator(coordinator) => coordinator.step(&input),
            Self::Participant(participant) => participant.step(&input),
        }
    }

    fn status(&self) -> String {
        match self {
            Self::Coordinator(coordinator) => format!("{:?}", coordinator.phase),
            Self::Participant(participant) => format!("{:?}", participant.state()),
        }
    }

    fn label(message: &Message) -> String {
        match message {
            Message::Prepare => "prepare".into(),
            Message::Voted(vote) => format!("{vote:?}").to_lowercase(),
            Message::Ended(outcome) => format!("{outcome:?}").to_lowercase(),
            Message::Acknowledged => "ack".into(),
            Message::Ask => "ask".into(),
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// The coordinator
// ---------------------------------------------------------------------------------------------------------------------

/// Asks for votes, decides, and tells until everybody knows.
///
/// It *presumes abort*: what it finds no trace of has aborted. So an abort leaves no trace, and a commit must leave one
/// for as long as anybody may ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    sites: usize,
    log: Log,
    phase: Phase,
}

/// What the coordinator is doing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It knows of no transaction: it has not begun, or has forgotten it.
    Idle,
    /// It waits for votes.
    Voting {
        /// The client's call.
        call: CallId,
        /// Who voted yes.
        yes: BTreeSet<NodeId>,
    },
    /// It has decided to commit and tells everybody.
    Committing {
        /// Who has not acknowledged.
        missing: BTreeSet<NodeId>,
    },
}

/// As it stands beside a lifeline.
impl std::fmt::Debug for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Idle => write!(f, "Idle"),
            Self::Voting { yes, .. } => write!(f, "Voting, {} yes", yes.len()),
            Self::Committing { missing } => write!(f, "Committing, {} to go", missing.len()),
        }
    }
}

impl Coordinator {
    /// What the coordinator is doing.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The coordinator of `sites` sites, as its log leaves it.
    fn recover(sites: usize, log: Log) -> Self {
        let phase = Phase::Idle; // TODO: is that what every log says?
        Self { sites, log, phase }
    }

    // TODO: ask for votes; decide when all are there, one is no, or patience ends; tell the outcome. What is on disk
    // before the first participant hears of a commit? Until when must the coordinator be able to answer a question?
    fn step(&mut self, input: &Input<Site>) -> Vec<Output<Site>> {
        todo!("{input:?} while {:?}, with {:?}, among {} sites", self.phase, self.log, self.sites)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// A participant
// ---------------------------------------------------------------------------------------------------------------------

/// A store that has done its part of the work and waits to be asked whether it can commit.
///
/// Its log *is* its state: there is nothing to forget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Participant {
    id: NodeId,
    sites: usize,
    vote: Vote,
    log: Log,
}

impl Participant {
    /// Where it is.
    #[must_use]
    pub fn state(&self) -> State {
        self.log.state()
    }

    // TODO: which messages and timers may move it, from which state? What is on disk before it answers? Whom does it ask
    // when it is uncertain, and what does it say when it is asked?
    fn step(&mut self, input: &Input<Site>) -> Vec<Output<Site>> {
        todo!("{input:?} at {} of {}, which will vote {:?}, with {:?}", self.id, self.sites, self.vote, self.log)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: without the coordinator
// ---------------------------------------------------------------------------------------------------------------------

/// How participants in these states can end the transaction among themselves, while the coordinator and everybody who is
/// not in the list are silent; `None` if they must wait.
#[must_use]
pub fn terminate(states: &[State]) -> Option<Outcome> {
    todo!("how do {states:?} end it?")
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 4: three-phase commit under suspicion
// ---------------------------------------------------------------------------------------------------------------------

/// A cut of the network: from `at` on, the sites in `side` and all others no longer hear each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// When, after the client asked. A message takes 5 ms.
    pub at: Millis,
    /// One of the two sides.
    pub side: Vec<NodeId>,
}

/// The law that a commit protocol must keep (AC1): no two sites decide differently. Names two that do.
///
/// # Errors
/// With the first site that committed and the first that aborted.
pub fn agree(sites: &[(NodeId, three_phase::State)]) -> Result<(), String> {
    todo!("is there a commit beside an abort in {sites:?}?")
}

/// A split of the four sites of [`three_phase`] (coordinator 0, participants 1 to 3, all willing) that breaks [`agree`]
/// although nobody crashes.
#[must_use]
pub fn divergence() -> Split {
    todo!("read three_phase.rs: when are some participants one step ahead of the others?")
}
