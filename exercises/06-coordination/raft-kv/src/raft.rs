//! Given: Raft's replicated log, as the exercise `raft-log` builds it, with two things more: the log can begin later than at
//! its first entry, and a leader can ask for its office to be confirmed.
//!
//! [`Raft`] sends and saves nothing itself; it says by [`Effect`]s what is to be done.

use crate::election::{Ballot, Election, Place, Term, Timeouts};
use crate::{Command, Message, Timer};
use kit::{Millis, NodeId};

/// How often a leader speaks to the others, whether or not it has anything new.
pub const HEARTBEAT: Millis = Millis(50);

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The term of the leader that took it in.
    pub term: Term,
    /// What is to be done; nothing in the entry with which a leader begins its term.
    pub command: Option<Command>,
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
    /// The leader's latest round of confirmation; the answer repeats it.
    pub round: u64,
}

/// What a follower answers: its log agrees up to this index, or the leader should try again from there.
pub type Outcome = Result<u64, u64>;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this.
    Send(NodeId, Message),
    /// Send a snapshot, for the log no longer holds what this follower lacks.
    SendSnapshot(NodeId),
    /// Set a timer.
    Set(Timer, Millis),
    /// Cancel it.
    Cancel(Timer),
}

/// A log of entries, numbered from 1, of which those up to `base` are no longer kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    /// The place right before the entries that are kept.
    pub base: Place,
    /// The entries behind it.
    pub entries: Vec<Entry>,
}

impl Log {
    /// The index of the last entry.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.base.index + self.entries.len() as u64
    }

    /// The place of the last entry.
    #[must_use]
    pub fn end(&self) -> Place {
        self.place(self.last()).unwrap_or(self.base)
    }

    /// The entry with this index, if it is kept.
    #[must_use]
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(index.checked_sub(self.base.index + 1)?).ok()?)
    }

    /// The place with this index, if the log knows it.
    #[must_use]
    pub fn place(&self, index: u64) -> Option<Place> {
        if index == self.base.index { Some(self.base) } else { Some(Place { term: self.entry(index)?.term, index }) }
    }

    /// The entries behind `index`, which the log must know.
    fn behind(&self, index: u64) -> &[Entry] {
        &self.entries[(index - self.base.index) as usize..]
    }

    fn append(&mut self, mut after: Place, mut entries: &[Entry]) -> Outcome {
        let end = after.index + entries.len() as u64;
        if after.index < self.base.index {
            // What lies before the base is committed, hence the same in both logs.
            entries = &entries[entries.len().min((self.base.index - after.index) as usize)..];
            after = self.base;
        }
        match self.place(after.index) {
            None => return Err(self.last() + 1),
            Some(held) if held != after => {
                let earlier = self.entries.iter().take_while(|entry| entry.term < held.term).count() as u64;
                return Err(self.base.index + earlier + 1);
            }
            Some(_) => {}
        }
        let known = self.behind(after.index);
        let same = known.iter().zip(entries).take_while(|(ours, theirs)| ours.term == theirs.term).count();
        if same < entries.len() {
            self.entries.truncate((after.index - self.base.index) as usize + same);
            self.entries.extend_from_slice(&entries[same..]);
        }
        Ok(end)
    }
}

/// One server's part in the replicated log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Raft {
    id: NodeId,
    servers: usize,
    election: Election,
    timeouts: Timeouts,
    log: Log,
    commit: u64,
    next: Vec<u64>,
    matched: Vec<u64>,
    /// The index of the entry with which this leader began its term.
    began: u64,
    round: u64,
    confirmed: Vec<u64>,
}

impl Raft {
    /// The part of server `id` of `servers` as it starts with what was saved.
    #[must_use]
    pub fn new(id: NodeId, servers: usize, ballot: Ballot, log: Log, timeouts: Timeouts) -> Self {
        Self {
            id,
            servers,
            election: Election::new(id, servers, ballot),
            timeouts,
            commit: log.base.index,
            log,
            next: vec![1; servers],
            matched: vec![0; servers],
            began: 0,
            round: 0,
            confirmed: vec![0; servers],
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

    /// How far the log is known to be committed.
    #[must_use]
    pub const fn commit(&self) -> u64 {
        self.commit
    }

    /// As a leader: the index of the entry with which it began its term. Once that is committed, this leader knows of
    /// everything that was committed before its term (§8).
    #[must_use]
    pub const fn began(&self) -> u64 {
        self.began
    }

    /// Starts.
    pub fn start(&mut self) -> Vec<Effect> {
        vec![self.wait()]
    }

    /// A timer goes off.
    pub fn fire(&mut self, timer: Timer) -> Vec<Effect> {
        match timer {
            Timer::Election => {
                let won = self.election.stand();
                let ask = Message::RequestVote { term: self.election.term(), log_end: self.log.end() };
                let mut out = vec![self.wait()];
                out.extend(self.election.others().map(|to| Effect::Send(to, ask.clone())));
                if won {
                    out.extend(self.won());
                }
                out
            }
            Timer::Heartbeat => {
                let mut out = self.speak();
                out.push(Effect::Set(Timer::Heartbeat, HEARTBEAT));
                out
            }
        }
    }

    /// As a leader: takes in a command, and says at which place.
    pub fn propose(&mut self, command: Option<Command>) -> (Place, Vec<Effect>) {
        self.log.entries.push(Entry { term: self.election.term(), command });
        self.matched[self.id.0] = self.log.last();
        self.advance();
        (self.log.end(), self.speak())
    }

    /// As a leader: begins a round in which the others are asked whether it still leads. Returns the round's number.
    pub fn ask_for_confirmation(&mut self) -> (u64, Vec<Effect>) {
        self.round += 1;
        (self.round, self.speak())
    }

    /// Whether a majority has answered this leader's round, or a later one, as followers of its term.
    #[must_use]
    pub fn is_confirmed(&self, round: u64) -> bool {
        let others = self.election.others().filter(|other| self.confirmed[other.0] >= round).count();
        self.election.leads() && others + 1 >= self.election.majority()
    }

    /// Forgets the log up to `place`, which is committed: what it held behind it stays if it has that very place.
    pub fn begin_log_at(&mut self, place: Place) {
        let has = self.log.place(place.index) == Some(place);
        self.log.entries = if has { self.log.behind(place.index).to_vec() } else { vec![] };
        self.log.base = place;
        self.commit = self.commit.max(place.index);
    }

    /// Hears a message; also of one that this module knows nothing else of, the term.
    pub fn hear(&mut self, from: NodeId, message: &Message) -> Vec<Effect> {
        let mut out = vec![];
        if self.election.enter(message.term()) {
            out.extend([Effect::Cancel(Timer::Heartbeat), self.wait()]);
        }
        let current = message.term() == self.election.term();
        match message {
            Message::RequestVote { term, log_end } => {
                let granted = self.election.grants(from, *term, *log_end, self.log.end());
                if granted {
                    out.push(self.wait());
                }
                out.push(Effect::Send(from, Message::Vote { term: self.election.term(), granted }));
            }
            Message::Vote { term, granted } => {
                if *granted && self.election.voted(from, *term) {
                    out.extend(self.won());
                }
            }
            Message::Append(append) => {
                // To who is deposed, which the term says: this confirms nothing.
                let (mut outcome, mut round) = (Err(append.after.index), 0);
                if current {
                    round = append.round;
                    self.election.follow();
                    out.push(self.wait());
                    outcome = self.log.append(append.after, &append.entries);
                    if let Ok(index) = outcome {
                        self.commit = self.commit.max(append.commit.min(index));
                    }
                }
                let answer = Message::Appended { term: self.election.term(), outcome, round };
                out.push(Effect::Send(from, answer));
            }
            Message::Appended { outcome, round, .. } => {
                if current && self.election.leads() {
                    self.confirmed[from.0] = self.confirmed[from.0].max(*round);
                    out.extend(self.answered(from, *outcome));
                }
            }
            Message::Install { .. } => {
                if current {
                    self.election.follow();
                    out.push(self.wait());
                }
            }
        }
        out
    }

    fn wait(&mut self) -> Effect {
        Effect::Set(Timer::Election, self.timeouts.draw())
    }

    fn won(&mut self) -> Vec<Effect> {
        self.next = vec![self.log.last() + 1; self.servers];
        self.matched = vec![0; self.servers];
        self.confirmed = vec![0; self.servers];
        let (began, effects) = self.propose(None);
        self.began = began.index;
        let mut out = vec![Effect::Cancel(Timer::Election), Effect::Set(Timer::Heartbeat, HEARTBEAT)];
        out.extend(effects);
        out
    }

    fn speak(&self) -> Vec<Effect> {
        self.election.others().map(|to| self.append_for(to)).collect()
    }

    fn append_for(&self, to: NodeId) -> Effect {
        let before = self.next[to.0] - 1;
        let Some(after) = self.log.place(before) else { return Effect::SendSnapshot(to) };
        let (term, entries) = (self.election.term(), self.log.behind(before).to_vec());
        Effect::Send(to, Message::Append(Append { term, after, entries, commit: self.commit, round: self.round }))
    }

    fn answered(&mut self, from: NodeId, outcome: Outcome) -> Vec<Effect> {
        match outcome {
            Ok(index) => {
                self.matched[from.0] = self.matched[from.0].max(index);
                self.next[from.0] = self.next[from.0].max(index + 1);
                self.advance();
                vec![]
            }
            Err(try_from) => {
                let next = try_from.max(self.matched[from.0] + 1);
                if next >= self.next[from.0] {
                    return vec![];
                }
                self.next[from.0] = next;
                vec![self.append_for(from)]
            }
        }
    }

    fn advance(&mut self) {
        let mut sorted = self.matched.clone();
        sorted.sort_unstable();
        let index = sorted[(self.servers - 1) / 2];
        if self.log.entry(index).is_some_and(|entry| entry.term == self.election.term()) {
            self.commit = self.commit.max(index);
        }
    }
}
