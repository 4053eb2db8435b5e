//! Three-phase commit (Skeen 1981), given: nothing here is left to write, and nothing here is wrong with its code.
//!
//! Between the votes and the commit stands a third phase, `precommit`. Who has not heard it knows that nobody has
//! committed; so those that are left can always end the transaction without the coordinator, if silence means death.

use crate::{COORDINATOR, Outcome, Vote};
use kit::{CallId, Input, Millis, Node, NodeId, Output, Time};
use std::collections::BTreeMap;

/// How long the coordinator waits in each phase: longer than there and back.
pub const PHASE: Millis = Millis(20);

/// How long a participant waits for the next word: longer than a phase of the coordinator and one message.
pub const SILENCE: Millis = Millis(40);

/// Where a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It has not voted, or (the coordinator) collects votes.
    Working,
    /// It has voted yes.
    Waiting,
    /// It knows that everybody voted yes.
    Precommitted,
    /// It has committed.
    Committed,
    /// It has aborted.
    Aborted,
}

/// What sites say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// Phase 1: can you commit?
    Prepare,
    /// That is my vote.
    Voted(Vote),
    /// Phase 2: everybody voted yes.
    Precommit,
    /// I know that now.
    Ready,
    /// Phase 3, or the end of a termination: that is how it ended.
    Ended(Outcome),
    /// Termination: where are you?
    Where,
    /// Termination: here.
    Here(State),
}

/// The one reminder that a site needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wake;

/// What a client asks of the coordinator, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Finish;

/// A site of three-phase commit; all participants vote yes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    id: NodeId,
    sites: usize,
    state: State,
    call: Option<CallId>,
    /// The coordinator: who answered in this phase. A participant that terminates: who is where.
    heard: BTreeMap<NodeId, State>,
    terminating: bool,
}

impl Site {
    /// Site `id` of `sites`.
    #[must_use]
    pub const fn new(id: NodeId, sites: usize) -> Self {
        Self { id, sites, state: State::Working, call: None, heard: BTreeMap::new(), terminating: false }
    }

    /// Where it is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    fn tell(&self, message: Message) -> Vec<Output<Self>> {
        let others = (0..self.sites).map(NodeId).filter(|site| *site != self.id);
        others.map(|to| Output::Send { to, message }).collect()
    }

    fn wait(span: Millis) -> Output<Self> {
        Output::SetTimer { timer: Wake, after: span }
    }

    fn decided(&self) -> Option<Outcome> {
        match self.state {
            State::Committed => Some(Outcome::Commit),
            State::Aborted => Some(Outcome::Abort),
            State::Working | State::Waiting | State::Precommitted => None,
        }
    }

    /// Takes an outcome over; the first one stays.
    fn end(&mut self, outcome: Outcome) -> Vec<Output<Self>> {
        if self.decided().is_some() {
            return vec![];
        }
        self.state = if outcome == Outcome::Commit { State::Committed } else { State::Aborted };
        let mut out = vec![Output::CancelTimer(Wake)];
        out.extend(self.call.take().map(|call| Output::Reply { call, reply: outcome }));
        out
    }

    fn end_for_all(&mut self, outcome: Outcome) -> Vec<Output<Self>> {
        let mut out = self.end(outcome);
        out.extend(self.tell(Message::Ended(outcome)));
        out
    }

    fn precommit(&mut self) -> Vec<Output<Self>> {
        self.state = State::Precommitted;
        self.heard.clear();
        let mut out = self.tell(Message::Precommit);
        out.push(Self::wait(PHASE));
        out
    }

    /// The coordinator's patience ends: who has not answered is taken for dead.
    fn coordinator_wakes(&mut self) -> Vec<Output<Self>> {
        match self.state {
            State::Working => self.end_for_all(Outcome::Abort),
            State::Precommitted => self.end_for_all(Outcome::Commit),
            State::Waiting | State::Committed | State::Aborted => vec![],
        }
    }

    /// A participant's patience ends: first it asks who is where, then it ends the transaction for all that are left.
    fn participant_wakes(&mut self) -> Vec<Output<Self>> {
        if self.decided().is_some() {
            return vec![];
        }
        if !self.terminating {
            self.terminating = true;
            self.heard.clear();
            let mut out = self.tell(Message::Where);
            out.push(Self::wait(PHASE));
            return out;
        }
        let known = || self.heard.values().chain([&self.state]);
        let committable = |state: &State| matches!(state, State::Precommitted | State::Committed);
        let aborted = known().any(|state| *state == State::Aborted);
        let commit = !aborted && known().any(committable);
        self.end_for_all(if commit { Outcome::Commit } else { Outcome::Abort })
    }

    fn hear(&mut self, from: NodeId, message: Message) -> Vec<Output<Self>> {
        let collecting = self.id == COORDINATOR && self.call.is_some();
        match message {
            Message::Prepare if self.state == State::Working => {
                self.state = State::Waiting;
                let message = Message::Voted(Vote::Yes);
                vec![Output::Send { to: from, message }, Self::wait(SILENCE)]
            }
            Message::Voted(Vote::Yes) if collecting && self.state == State::Working => {
                self.heard.insert(from, State::Waiting);
                if self.heard.len() + 1 == self.sites { self.precommit() } else { vec![] }
            }
            Message::Voted(Vote::No) if collecting && self.state == State::Working => self.end_for_all(Outcome::Abort),
            Message::Precommit if self.state == State::Waiting && !self.terminating => {
                self.state = State::Precommitted;
                vec![Output::Send { to: from, message: Message::Ready }, Self::wait(SILENCE)]
            }
            Message::Ready if collecting && self.state == State::Precommitted => {
                self.heard.insert(from, State::Precommitted);
                if self.heard.len() + 1 == self.sites { self.end_for_all(Outcome::Commit) } else { vec![] }
            }
            Message::Ended(outcome) => self.end(outcome),
            Message::Where => vec![Output::Send { to: from, message: Message::Here(self.state) }],
            Message::Here(state) if self.terminating => {
                self.heard.insert(from, state);
                vec![]
            }
            _ => vec![],
        }
    }
}

impl Node for Site {
    type Message = Message;
    type Timer = Wake;
    type Request = Finish;
    type Reply = Outcome;
    type Durable = ();

    fn step(&mut self, input: Input<Self>, _now: Time) -> Vec<Output<Self>> {
        match input {
            Input::Start if self.id != COORDINATOR => vec![Self::wait(SILENCE)],
            Input::Start => vec![],
            Input::Request { call, .. } => {
                self.call = Some(call);
                let mut out = self.tell(Message::Prepare);
                out.push(Self::wait(PHASE));
                out
            }
            Input::Timer(Wake) if self.id == COORDINATOR => self.coordinator_wakes(),
            Input::Timer(Wake) => self.participant_wakes(),
            Input::Message { from, message } => self.hear(from, message),
        }
    }

    fn status(&self) -> String {
        format!("{:?}", self.state)
    }

    fn label(message: &Message) -> String {
        match message {
            Message::Voted(vote) => format!("{vote:?}").to_lowercase(),
            Message::Ended(outcome) => format!("{outcome:?}").to_lowercase(),
            Message::Here(state) => format!("here: {state:?}").to_lowercase(),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}
