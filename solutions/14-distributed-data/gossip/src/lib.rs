//! Nobody has the list of members. Rumours keep it, probes correct it, and what they give is a belief, never a proof.

use std::collections::{BTreeMap, VecDeque};

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
    me: Node,
    own: Heartbeat,
    others: BTreeMap<Node, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    heartbeat: Heartbeat,
    /// When this heartbeat was first heard, by our own clock.
    heard_at: u64,
}

impl Gossip {
    /// Starts as `me` for the `generation`-th time, with version 0, knowing nobody else.
    #[must_use]
    pub fn start(me: Node, generation: u64) -> Self {
        Self { me, own: Heartbeat { generation, version: 0 }, others: BTreeMap::new() }
    }

    /// Another sign of life.
    pub fn beat(&mut self) {
        self.own.version += 1;
    }

    // ANCHOR: call
    /// What to say when calling somebody: this node itself and all others that have not failed.
    #[must_use]
    pub fn call(&self, now: u64) -> News {
        let alive = self.others.iter().filter(|(_, entry)| now - entry.heard_at < FAIL_AFTER);
        alive.map(|(&node, entry)| (node, entry.heartbeat)).chain([(self.me, self.own)]).collect()
    }

    /// Takes in a call and answers with what this node would say itself and the caller does not know: nodes that the call
    /// does not mention, and newer heartbeats.
    pub fn answer(&mut self, call: &News, now: u64) -> News {
        self.hear(call, now);
        let mut answer = self.call(now);
        answer.retain(|node, heartbeat| call.get(node).is_none_or(|known| known < heartbeat));
        answer
    }

    /// Takes in what is new. What is said of this node itself changes nothing, whether it is older or newer.
    pub fn hear(&mut self, news: &News, now: u64) {
        self.others.retain(|_, entry| now - entry.heard_at < FORGET_AFTER);
        for (&node, &heartbeat) in news {
            if node != self.me && self.others.get(&node).is_none_or(|known| known.heartbeat < heartbeat) {
                self.others.insert(node, Entry { heartbeat, heard_at: now });
            }
        }
    }
    // ANCHOR_END: call

    /// The newest heartbeat of `node` that is remembered: of a failed one too, until it is forgotten.
    #[must_use]
    pub fn heartbeat_of(&self, node: Node, now: u64) -> Option<Heartbeat> {
        if node == self.me {
            return Some(self.own);
        }
        self.others.get(&node).filter(|entry| now - entry.heard_at < FORGET_AFTER).map(|entry| entry.heartbeat)
    }

    /// All that have not failed, this node included, in ascending order.
    #[must_use]
    pub fn alive(&self, now: u64) -> Vec<Node> {
        self.call(now).into_keys().collect()
    }
}

/// How many periods pass, on average, until somebody probes a member that has crashed, if each of the `members` (at least
/// 2, the crashed one included) probes one of the others at random in every period.
#[must_use]
pub fn first_detection(members: u64) -> f64 {
    let others = (members - 1) as f64;
    1.0 / (1.0 - (1.0 - 1.0 / others).powf(others))
}

/// One of `others`, each as likely as any; none if there are none. `draw(n)` is a random number below `n`, which is at least 1.
pub fn anybody(others: &[Node], mut draw: impl FnMut(usize) -> usize) -> Option<Node> {
    (!others.is_empty()).then(|| others[draw(others.len())])
}

/// Whom to probe next: everybody once, in random order; then everybody once more, shuffled anew. Every order is as likely as any, in
/// the first round and after whatever round came before.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    others: Vec<Node>,
    next: usize,
}

impl RoundRobin {
    /// Will probe these.
    #[must_use]
    pub fn new(others: &[Node]) -> Self {
        Self { others: others.to_vec(), next: others.len() }
    }

    /// The one to probe in this period; none if there are no others. `draw(n)` is a random number below `n`, which is at least 1.
    pub fn probe(&mut self, mut draw: impl FnMut(usize) -> usize) -> Option<Node> {
        if self.next == self.others.len() {
            for last in (1..self.others.len()).rev() {
                self.others.swap(last, draw(last + 1));
            }
            self.next = 0;
        }
        let node = self.others.get(self.next).copied()?;
        self.next += 1;
        Some(node)
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
    me: Node,
    incarnation: u64,
    opinions: BTreeMap<Node, Opinion>,
}

#[derive(Clone, Copy, Debug)]
struct Opinion {
    health: Health,
    incarnation: u64,
    /// When `health` or `incarnation` changed.
    since: u64,
}

impl Members {
    /// A member in its incarnation 0, who thinks of all `others` (it is not among them) that they are alive in theirs.
    #[must_use]
    pub fn new(me: Node, others: &[Node]) -> Self {
        let alive = Opinion { health: Health::Alive, incarnation: 0, since: 0 };
        Self { me, incarnation: 0, opinions: others.iter().map(|&node| (node, alive)).collect() }
    }

    /// What this member thinks of `node`; of itself, that it is alive; nothing, if it never heard of it.
    #[must_use]
    pub fn health(&self, node: Node) -> Option<Health> {
        if node == self.me { Some(Health::Alive) } else { self.opinions.get(&node).map(|opinion| opinion.health) }
    }

    /// `node` answered neither the probe nor anybody who probed it on request. One that was alive is suspected now: the
    /// rumour to tell the others. Of anybody else it says nothing, and changes nothing.
    pub fn no_answer(&mut self, node: Node, now: u64) -> Option<Rumour> {
        let incarnation = self.opinions.get(&node)?.incarnation;
        self.hear(Rumour { about: node, health: Health::Suspect, incarnation }, now)
    }

    // ANCHOR: hear
    /// Takes in a rumour, and returns what is to be told on: the rumour, if it changed an opinion (the health or the incarnation)
    /// or was the first about its node, which is always believed; nothing, if it did not.
    ///
    /// A death overrides everything else. Of the rest the greater incarnation overrides, and in one incarnation a suspicion
    /// overrides *alive*. A suspicion of a greater incarnation is a new one, and has a time of its own.
    ///
    /// A suspicion of this member itself, unless it is of an incarnation gone by, is answered: alive, in the incarnation after the
    /// one suspected. Anything else that is said of this member changes nothing.
    pub fn hear(&mut self, rumour: Rumour, now: u64) -> Option<Rumour> {
        let Rumour { about, health, incarnation } = rumour;
        if about == self.me {
            return self.object(health, incarnation);
        }
        let weight =
            |health, incarnation| if health == Health::Dead { (u64::MAX, health) } else { (incarnation, health) };
        let known = self.opinions.get(&about);
        if known.is_some_and(|known| weight(health, incarnation) <= weight(known.health, known.incarnation)) {
            return None;
        }
        self.opinions.insert(about, Opinion { health, incarnation, since: now });
        Some(rumour)
    }

    fn object(&mut self, health: Health, incarnation: u64) -> Option<Rumour> {
        if health != Health::Suspect || incarnation < self.incarnation {
            return None;
        }
        self.incarnation = incarnation + 1;
        Some(Rumour { about: self.me, health: Health::Alive, incarnation: self.incarnation })
    }
    // ANCHOR_END: hear

    /// Declares dead who has been suspected for [`SUSPECT_FOR`] periods, by whomever, in the incarnation that was suspected: the
    /// rumours to tell, in ascending order of the nodes.
    pub fn tick(&mut self, now: u64) -> Vec<Rumour> {
        let late = |opinion: &Opinion| opinion.health == Health::Suspect && now - opinion.since >= SUSPECT_FOR;
        let overdue = self.opinions.iter().filter(|(_, opinion)| late(opinion));
        let deaths: Vec<_> = overdue
            .map(|(&about, opinion)| Rumour { about, health: Health::Dead, incarnation: opinion.incarnation })
            .collect();
        deaths.into_iter().filter_map(|death| self.hear(death, now)).collect()
    }
}

/// A detector that does not say *dead* but how surprising the silence is (φ). The last `window` intervals count.
#[derive(Clone, Debug)]
pub struct Accrual {
    window: usize,
    intervals: VecDeque<u64>,
    last: Option<u64>,
}

impl Accrual {
    /// Judges by the last `window` (at least 1) intervals between heartbeats.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self { window, intervals: VecDeque::new(), last: None }
    }

    /// A heartbeat arrives. Times are milliseconds and never go back.
    pub fn heartbeat(&mut self, now: u64) {
        if let Some(last) = self.last.replace(now) {
            self.intervals.push_back(now - last);
        }
        if self.intervals.len() > self.window {
            self.intervals.pop_front();
        }
    }

    // ANCHOR: phi
    /// How surprising the silence is: −log₁₀ of the chance that it lasts so long, if silences are exponential with the mean
    /// of the window. None before the second heartbeat. If all intervals are 0, it is 0 at a heartbeat, and anything above 0 after.
    #[must_use]
    pub fn phi(&self, now: u64) -> Option<f64> {
        let last = self.last.filter(|_| !self.intervals.is_empty())?;
        let mean = self.intervals.iter().sum::<u64>() as f64 / self.intervals.len() as f64;
        // No silence is no surprise, even if the mean is 0.
        let means = if now == last { 0.0 } else { (now - last) as f64 / mean };
        Some(means * std::f64::consts::LOG10_E)
    }
    // ANCHOR_END: phi
}
