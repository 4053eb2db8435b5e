//! Nobody has the list of members. Rumours keep it, probes correct it, and what they give is a belief, never a proof.

use std::collections::BTreeMap;

/// A machine of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u32);

/// What a node says of itself. A later one is greater, and one after a restart is greater than all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Heartbeat {
    /// Grows with every start of the node.
    pub generation: u64,
    /// Grows with every beat, from 0 after a start.
    pub version: u64,
}

/// What one node tells another: for each node that it mentions, the newest heartbeat it knows.
pub type News = BTreeMap<Node, Heartbeat>;

/// A node of which nothing *new* was heard for so many rounds counts as failed, and is not mentioned any more.
pub const FAIL_AFTER: u64 = 20;

/// A node of which nothing new was heard for so many rounds is forgotten, as if it had never been heard of: it takes up no memory
/// after the next [`Gossip::hear`] or [`Gossip::answer`].
pub const FORGET_AFTER: u64 = 2 * FAIL_AFTER;

/// One node's view of the group, by heartbeats. Times are rounds of the node's own clock.
#[derive(Clone, Debug)]
pub struct Gossip {
    // TODO: a heartbeat for each node, and one thing more. By whose clock?
}

impl Gossip {
    /// Starts as `me` for the `generation`-th time, with version 0, knowing nobody else.
    #[must_use]
    pub fn start(me: Node, generation: u64) -> Self {
        todo!("{me:?}, start {generation}")
    }

    /// Another sign of life.
    pub fn beat(&mut self) {
        todo!("one more beat")
    }

    /// What to say when calling somebody: this node itself and all others that have not failed.
    #[must_use]
    pub fn call(&self, now: u64) -> News {
        todo!("mention all that have not failed by round {now}")
    }

    /// Takes in a call and answers with what this node would say itself and the caller does not know: nodes that the call
    /// does not mention, and newer heartbeats.
    pub fn answer(&mut self, call: &News, now: u64) -> News {
        todo!("take in {call:?} in round {now}, and say what it lacks")
    }

    /// Takes in what is new. What is said of this node itself changes nothing, whether it is older or newer.
    pub fn hear(&mut self, news: &News, now: u64) {
        // TODO: what of this is a sign of life?
        todo!("take in {news:?} in round {now}")
    }

    /// The newest heartbeat of `node` that is remembered: of a failed one too, until it is forgotten.
    #[must_use]
    pub fn heartbeat_of(&self, node: Node, now: u64) -> Option<Heartbeat> {
        todo!("what is remembered of {node:?} in round {now}")
    }

    /// All that have not failed, this node included, in ascending order.
    #[must_use]
    pub fn alive(&self, now: u64) -> Vec<Node> {
        todo!("all that have not failed by round {now}")
    }
}

/// How many periods pass, on average, until somebody probes a member that has crashed, if each of the `members` (at least
/// 2, the crashed one included) probes one of the others at random in every period.
#[must_use]
pub fn first_detection(members: u64) -> f64 {
    todo!("the mean number of periods for {members} members")
}

/// One of `others`, each as likely as any; none if there are none. `draw(n)` is a random number below `n`, which is at least 1.
pub fn anybody(others: &[Node], mut draw: impl FnMut(usize) -> usize) -> Option<Node> {
    let _ = draw(1); // Only so that the compiler finds `draw` used.
    todo!("one of {others:?}")
}

/// Whom to probe next: everybody once, in random order; then everybody once more, shuffled anew. Every order is as likely as any, in
/// the first round and after whatever round came before.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    // TODO: where in which order?
}

impl RoundRobin {
    /// Will probe these.
    #[must_use]
    pub fn new(others: &[Node]) -> Self {
        todo!("probe {others:?}")
    }

    /// The one to probe in this period; none if there are no others. `draw(n)` is a random number below `n`, which is at least 1.
    pub fn probe(&mut self, mut draw: impl FnMut(usize) -> usize) -> Option<Node> {
        let _ = draw(1); // Only so that the compiler finds `draw` used.
        todo!("the next of this round")
    }
}

/// What a member thinks of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It answers, as far as anybody knows.
    Alive,
    /// It did not answer somebody. It may object.
    Suspect,
    /// It did not object in time. This is final.
    Dead,
}

/// An opinion on its way through the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rumour {
    /// Whom it is about.
    pub about: Node,
    /// What it says.
    pub health: Health,
    /// Which incarnation of `about` it speaks of, less than `u64::MAX`. Only `about` itself ever raises the number.
    pub incarnation: u64,
}

/// How many periods a suspect has to object.
pub const SUSPECT_FOR: u64 = 5;

/// One member's opinions of the others. Times are periods.
#[derive(Clone, Debug)]
pub struct Members {
    // TODO: what do you think of whom, in which incarnation, and since when?
}

impl Members {
    /// A member in its incarnation 0, who thinks of all `others` (it is not among them) that they are alive in theirs.
    #[must_use]
    pub fn new(me: Node, others: &[Node]) -> Self {
        todo!("{me:?} thinks that {others:?} are alive")
    }

    /// What this member thinks of `node`; of itself, that it is alive; nothing, if it never heard of it.
    #[must_use]
    pub fn health(&self, node: Node) -> Option<Health> {
        todo!("the opinion of {node:?}")
    }

    /// `node` answered neither the probe nor anybody who probed it on request. One that was alive is suspected now: the
    /// rumour to tell the others. Of anybody else it says nothing, and changes nothing.
    pub fn no_answer(&mut self, node: Node, now: u64) -> Option<Rumour> {
        todo!("suspect {node:?} in period {now}")
    }

    /// Takes in a rumour, and returns what is to be told on: the rumour, if it changed an opinion (the health or the incarnation)
    /// or was the first about its node, which is always believed; nothing, if it did not.
    ///
    /// A death overrides everything else. Of the rest the greater incarnation overrides, and in one incarnation a suspicion
    /// overrides *alive*. A suspicion of a greater incarnation is a new one, and has a time of its own.
    ///
    /// A suspicion of this member itself, unless it is of an incarnation gone by, is answered: alive, in the incarnation after the
    /// one suspected. Anything else that is said of this member changes nothing.
    pub fn hear(&mut self, rumour: Rumour, now: u64) -> Option<Rumour> {
        todo!("weigh {rumour:?} in period {now}")
    }

    /// Declares dead who has been suspected for [`SUSPECT_FOR`] periods, by whomever, in the incarnation that was suspected: the
    /// rumours to tell, in ascending order of the nodes.
    pub fn tick(&mut self, now: u64) -> Vec<Rumour> {
        todo!("bury in period {now} who did not object")
    }
}

/// A detector that does not say *dead* but how surprising the silence is (φ). The last `window` intervals count.
#[derive(Clone, Debug)]
pub struct Accrual {
    // TODO: what is usual, and how long has it been silent?
}

impl Accrual {
    /// Judges by the last `window` (at least 1) intervals between heartbeats.
    #[must_use]
    pub fn new(window: usize) -> Self {
        todo!("a window of {window} intervals")
    }

    /// A heartbeat arrives. Times are milliseconds and never go back.
    pub fn heartbeat(&mut self, now: u64) {
        todo!("a heartbeat at {now}")
    }

    /// How surprising the silence is: −log₁₀ of the chance that it lasts so long, if silences are exponential with the mean
    /// of the window. None before the second heartbeat. If all intervals are 0, it is 0 at a heartbeat, and anything above 0 after.
    #[must_use]
    pub fn phi(&self, now: u64) -> Option<f64> {
        todo!("the surprise at {now}")
    }
}
