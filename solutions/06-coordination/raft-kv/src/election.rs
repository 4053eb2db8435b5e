//! Given: Raft's election, as the exercise `raft-election` builds it, with the log left to its owner.
//!
//! [`Election`] keeps the term, the vote and the role, and says what changes; it sends and saves nothing itself.

use kit::rand::RngExt as _;
use kit::{Millis, NodeId, Rng};
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Raft's logical time. Each election begins a new term, and a term has at most one leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub u64);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a log ends, or a place in it: an index, counted from 1, and the term of the entry there. 0 in term 0 is before
/// the first entry. The greater of two is the newer (§5.4.1): the later term, then the higher index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The term of the entry.
    pub term: Term,
    /// Its index.
    pub index: u64,
}

/// The term and the vote in it; both must survive a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ballot {
    /// The greatest term heard of.
    pub term: Term,
    /// Who got this server's vote in that term.
    pub voted_for: Option<NodeId>,
}

/// What a server is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Waits to hear of a leader.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Had the votes of a majority in its term.
    Leader,
}

/// One server's part in elections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Election {
    id: NodeId,
    servers: usize,
    ballot: Ballot,
    role: Role,
    votes: BTreeSet<NodeId>,
}

impl Election {
    /// The part of server `id` of `servers`, which starts with this `ballot`.
    #[must_use]
    pub const fn new(id: NodeId, servers: usize, ballot: Ballot) -> Self {
        Self { id, servers, ballot, role: Role::Follower, votes: BTreeSet::new() }
    }

    /// The term it is in.
    #[must_use]
    pub const fn term(&self) -> Term {
        self.ballot.term
    }

    /// What must be on disk before anything else is said.
    #[must_use]
    pub const fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// What it is at the moment.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether it leads its term.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.role == Role::Leader
    }

    /// How many servers are a majority.
    #[must_use]
    pub const fn majority(&self) -> usize {
        self.servers / 2 + 1
    }

    /// All other servers.
    pub fn others(&self) -> impl Iterator<Item = NodeId> + use<> {
        let id = self.id;
        (0..self.servers).map(NodeId).filter(move |other| *other != id)
    }

    /// Stands for the next term; says whether its own vote is a majority already.
    pub fn stand(&mut self) -> bool {
        self.ballot = Ballot { term: Term(self.ballot.term.0 + 1), voted_for: Some(self.id) };
        self.role = Role::Candidate;
        self.votes = BTreeSet::from([self.id]);
        self.count()
    }

    /// Enters `term` as a follower if it is a later one; says whether this server led until now.
    pub fn enter(&mut self, term: Term) -> bool {
        let led = self.leads();
        if term > self.ballot.term {
            self.ballot = Ballot { term, voted_for: None };
            self.role = Role::Follower;
        }
        led && !self.leads()
    }

    /// Follows the leader of its own term.
    pub fn follow(&mut self) {
        self.role = Role::Follower;
    }

    /// Whether `candidate`, whose log ends at `theirs`, gets the vote of `term`; `ours` is where this server's log ends.
    pub fn grants(&mut self, candidate: NodeId, term: Term, theirs: Place, ours: Place) -> bool {
        let free = self.ballot.voted_for.is_none_or(|vote| vote == candidate);
        let granted = term == self.ballot.term && free && theirs >= ours;
        if granted {
            self.ballot.voted_for = Some(candidate);
        }
        granted
    }

    /// `voter` votes for this server in `term`; says whether it leads from now on.
    pub fn voted(&mut self, voter: NodeId, term: Term) -> bool {
        if term != self.ballot.term || self.role != Role::Candidate {
            return false;
        }
        self.votes.insert(voter);
        self.count()
    }

    fn count(&mut self) -> bool {
        let won = self.votes.len() >= self.majority();
        if won {
            self.role = Role::Leader;
        }
        won
    }
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
