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
    // ANCHOR: may_become
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Working, Self::Prepared | Self::Aborted) | (Self::Prepared, Self::Committed | Self::Aborted)
        )
    }
    // ANCHOR_END: may_become
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

fn send(to: NodeId, message: Message) -> Output<Site> {
    Output::Send { to, message }
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

    fn participants(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..self.sites).map(NodeId)
    }

    /// The coordinator of `sites` sites, as its log leaves it.
    // ANCHOR: recover
    fn recover(sites: usize, log: Log) -> Self {
        let phase = match log.0.last() {
            Some(Record::Committed) => Phase::Committing { missing: (1..sites).map(NodeId).collect() },
            _ => Phase::Idle,
        };
        Self { sites, log, phase }
    }
    // ANCHOR_END: recover

    // ANCHOR: coordinator
    fn step(&mut self, input: &Input<Site>) -> Vec<Output<Site>> {
        match *input {
            Input::Start => self.tell_again(),
            Input::Request { call, .. } => {
                self.phase = Phase::Voting { call, yes: BTreeSet::new() };
                let mut out = vec![Output::SetTimer { timer: Wake, after: PATIENCE }];
                out.extend(self.participants().map(|to| send(to, Message::Prepare)));
                out
            }
            Input::Timer(Wake) => match self.phase {
                Phase::Voting { call, .. } => self.abort(call),
                Phase::Idle | Phase::Committing { .. } => self.tell_again(),
            },
            Input::Message { from, message } => self.hear(from, message),
        }
    }

    fn hear(&mut self, from: NodeId, message: Message) -> Vec<Output<Site>> {
        match (&mut self.phase, message) {
            (Phase::Voting { call, yes }, Message::Voted(Vote::Yes)) => {
                yes.insert(from);
                let (call, everybody) = (*call, yes.len() + 1 == self.sites);
                if everybody { self.commit(call) } else { vec![] }
            }
            (Phase::Voting { call, .. }, Message::Voted(Vote::No)) => {
                let call = *call;
                self.abort(call)
            }
            (Phase::Committing { missing }, Message::Acknowledged) => {
                missing.remove(&from);
                if missing.is_empty() {
                    self.phase = Phase::Idle;
                    vec![self.log.force(Record::End), Output::CancelTimer(Wake)]
                } else {
                    vec![]
                }
            }
            (Phase::Committing { .. }, Message::Voted(Vote::Yes) | Message::Ask) => {
                vec![send(from, Message::Ended(Outcome::Commit))]
            }
            // No trace of it: it has aborted. Or it has committed everywhere, and this question is a late one.
            (Phase::Idle, Message::Voted(Vote::Yes) | Message::Ask) => {
                vec![send(from, Message::Ended(Outcome::Abort))]
            }
            _ => vec![],
        }
    }
    // ANCHOR_END: coordinator

    // ANCHOR: decide
    fn commit(&mut self, call: CallId) -> Vec<Output<Site>> {
        self.phase = Phase::Committing { missing: self.participants().collect() };
        let mut out = vec![self.log.force(Record::Committed), Output::Reply { call, reply: Outcome::Commit }];
        out.extend(self.tell_again());
        out
    }

    fn abort(&mut self, call: CallId) -> Vec<Output<Site>> {
        self.phase = Phase::Idle;
        let mut out = vec![Output::CancelTimer(Wake), Output::Reply { call, reply: Outcome::Abort }];
        out.extend(self.participants().map(|to| send(to, Message::Ended(Outcome::Abort))));
        out
    }
    // ANCHOR_END: decide

    /// Tells those that have not acknowledged, and sets the timer to do so again.
    fn tell_again(&self) -> Vec<Output<Site>> {
        let Phase::Committing { missing } = &self.phase else { return vec![] };
        let mut out = vec![Output::SetTimer { timer: Wake, after: RETRY }];
        out.extend(missing.iter().map(|to| send(*to, Message::Ended(Outcome::Commit))));
        out
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

    fn step(&mut self, input: &Input<Site>) -> Vec<Output<Site>> {
        match *input {
            Input::Start => match self.state() {
                State::Working => vec![Output::SetTimer { timer: Wake, after: PATIENCE }],
                State::Prepared => self.ask_everybody(),
                State::Committed | State::Aborted => vec![],
            },
            Input::Timer(Wake) => match self.state() {
                State::Working => vec![self.log.force(Record::Aborted)],
                State::Prepared => self.ask_everybody(),
                State::Committed | State::Aborted => vec![],
            },
            Input::Message { message: Message::Prepare, .. } => self.prepare(),
            Input::Message { message: Message::Ended(outcome), .. } => self.end(outcome),
            Input::Message { from, message: Message::Ask } => self.answer(from),
            Input::Message { message: Message::Voted(_) | Message::Acknowledged, .. } | Input::Request { .. } => vec![],
        }
    }

    // ANCHOR: prepare
    fn prepare(&mut self) -> Vec<Output<Site>> {
        let yes = send(COORDINATOR, Message::Voted(Vote::Yes));
        let no = send(COORDINATOR, Message::Voted(Vote::No));
        match (self.state(), self.vote) {
            (State::Working, Vote::Yes) => {
                vec![self.log.force(Record::Prepared), yes, Output::SetTimer { timer: Wake, after: RETRY }]
            }
            (State::Working, Vote::No) => vec![self.log.force(Record::Aborted), no, Output::CancelTimer(Wake)],
            (State::Prepared, _) => vec![yes],
            (State::Aborted, _) => vec![no],
            (State::Committed, _) => vec![],
        }
    }

    fn end(&mut self, outcome: Outcome) -> Vec<Output<Site>> {
        let acknowledged = send(COORDINATOR, Message::Acknowledged);
        match (self.state(), outcome) {
            (State::Prepared, Outcome::Commit) => {
                vec![self.log.force(Record::Committed), acknowledged, Output::CancelTimer(Wake)]
            }
            (State::Committed, Outcome::Commit) => vec![acknowledged],
            (State::Working | State::Prepared, Outcome::Abort) => {
                vec![self.log.force(Record::Aborted), Output::CancelTimer(Wake)]
            }
            // What is decided stays decided, and nobody commits what was not prepared.
            (State::Committed | State::Aborted, Outcome::Abort)
            | (State::Working | State::Aborted, Outcome::Commit) => {
                vec![]
            }
        }
    }
    // ANCHOR_END: prepare

    // ANCHOR: answer
    fn answer(&mut self, asker: NodeId) -> Vec<Output<Site>> {
        let Some(outcome) = terminate(&[self.state()]) else { return vec![] };
        let mut out = vec![];
        if self.state() == State::Working {
            // From now on it must not vote yes any more: the asker will rely on that.
            out.extend([self.log.force(Record::Aborted), Output::CancelTimer(Wake)]);
        }
        out.push(send(asker, Message::Ended(outcome)));
        out
    }

    fn ask_everybody(&self) -> Vec<Output<Site>> {
        let others = (0..self.sites).map(NodeId).filter(|site| *site != self.id);
        let mut out: Vec<_> = others.map(|to| send(to, Message::Ask)).collect();
        out.push(Output::SetTimer { timer: Wake, after: RETRY });
        out
    }
    // ANCHOR_END: answer
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: without the coordinator
// ---------------------------------------------------------------------------------------------------------------------

/// How participants in these states can end the transaction among themselves, while the coordinator and everybody who is
/// not in the list are silent; `None` if they must wait.
// ANCHOR: terminate
#[must_use]
pub fn terminate(states: &[State]) -> Option<Outcome> {
    if states.contains(&State::Committed) {
        return Some(Outcome::Commit);
    }
    // Whoever has not voted can abort now, and then the coordinator can never commit.
    let no_commit_possible = states.iter().any(|state| matches!(state, State::Working | State::Aborted));
    no_commit_possible.then_some(Outcome::Abort)
}
// ANCHOR_END: terminate

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
// ANCHOR: agree
///
/// # Errors
/// With the first site that committed and the first that aborted.
pub fn agree(sites: &[(NodeId, three_phase::State)]) -> Result<(), String> {
    let first = |wanted| sites.iter().find(|(_, state)| *state == wanted).map(|(id, _)| id);
    match (first(three_phase::State::Committed), first(three_phase::State::Aborted)) {
        (Some(yes), Some(no)) => Err(format!("{yes} has committed and {no} has aborted")),
        _ => Ok(()),
    }
}

/// A split of the four sites of [`three_phase`] (coordinator 0, participants 1 to 3, all willing) that breaks [`agree`]
/// although nobody crashes.
#[must_use]
pub fn divergence() -> Split {
    // The votes arrive at 10 ms and "precommit" leaves. It reaches participant 1, and not the two on the other side.
    Split { at: Millis(12), side: vec![COORDINATOR, NodeId(1)] }
}
// ANCHOR_END: agree
