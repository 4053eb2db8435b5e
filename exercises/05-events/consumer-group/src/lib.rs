//! Which partition a key belongs to, which member of a group works on which partition, and how it changes hands.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

/// The hash by which Kafka's producers place a key: murmur2 with the seed `0x9747b28c`, as a signed number.
///
/// All arithmetic is modulo 2³², every shift brings in zeros, and *M* is `0x5bd1e995`.
///
/// 1. *h* = seed ⊕ the number of bytes.
/// 2. For every whole group of four bytes, the first byte the lowest: *k* = group · *M*; *k* = *k* ⊕ (*k* ≫ 24); *k* = *k* · *M*;
///    *h* = (*h* · *M*) ⊕ *k*.
/// 3. If one to three bytes are left over, read them the same way as a number, with zeros above: *h* = (*h* ⊕ rest) · *M*.
/// 4. *h* = *h* ⊕ (*h* ≫ 13); *h* = *h* · *M*; *h* = *h* ⊕ (*h* ≫ 15).
#[must_use]
pub fn murmur2(bytes: &[u8]) -> i32 {
    todo!("hash {bytes:?}")
}

/// The partition of `key`, from 0 to `partitions` − 1: its hash with the sign bit cleared, modulo `partitions`. Equal keys have equal partitions.
#[must_use]
pub fn partition(key: &[u8], partitions: NonZeroU32) -> u32 {
    todo!("put {key:?} on one of {partitions} partitions")
}

/// How many of `keys` belong to another partition after the topic has grown from `before` partitions to `after`.
#[must_use]
pub fn moved<K: AsRef<[u8]>>(keys: &[K], before: NonZeroU32, after: NonZeroU32) -> usize {
    todo!("count the keys of {} that move when {before} partitions become {after}", keys.len())
}

/// A member of the group, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub String);

/// One partition of one topic. The order is that of the topics' names, then of the numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic's name.
    pub topic: String,
    /// From 0 to the topic's number of partitions − 1.
    pub number: u32,
}

/// The topics that the group reads, each with its number of partitions. Every member reads all of them.
pub type Topics = BTreeMap<String, u32>;

/// What each member works on. A member that has nothing to do stands in it too, with nothing.
pub type Assignment = BTreeMap<Member, BTreeSet<Partition>>;

/// All partitions of `topics`, in order.
pub fn partitions(topics: &Topics) -> impl Iterator<Item = Partition> {
    topics.iter().flat_map(|(topic, &count)| (0..count).map(|number| Partition { topic: topic.clone(), number }))
}

/// Topic by topic: each member, in order, gets a run of neighbouring partitions. The runs of a topic differ in length by one at most, and
/// the longer ones come first.
///
/// An empty group gets an empty assignment.
#[must_use]
pub fn range(topics: &Topics, members: &BTreeSet<Member>) -> Assignment {
    todo!("deal {topics:?} out to {members:?}, topic by topic")
}

/// All partitions of all topics, in order, are dealt out to the members, in order, one at a time and round and round.
///
/// An empty group gets an empty assignment.
#[must_use]
pub fn round_robin(topics: &Topics, members: &BTreeSet<Member>) -> Assignment {
    todo!("deal {topics:?} out to {members:?}, one at a time")
}

/// A balanced assignment that leaves as many partitions as possible with whom they were.
///
/// Balance comes first: two members never differ by more than one partition. Of all balanced assignments it is one that keeps the most of
/// `previous`, which may name members and partitions that are gone, and gives no partition to two members.
///
/// An empty group gets an empty assignment.
#[must_use]
pub fn sticky(topics: &Topics, members: &BTreeSet<Member>, previous: &Assignment) -> Assignment {
    todo!("balance {topics:?} over {members:?}, and move as little as possible of {previous:?}")
}

/// Whoever reports is not, or no longer, a member. It must stop all its work, and join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAMember(pub Member);

/// A group with its coordinator: it knows what everybody shall work on in the end, and who may work on what now.
#[derive(Clone, Debug)]
pub struct Group {
    topics: Topics,
    // TODO: what everybody shall have in the end is one thing. What else must be known before a partition may change hands?
}

impl Group {
    /// A group without members.
    #[must_use]
    pub fn new(topics: Topics) -> Self {
        Self { topics }
    }

    /// What everybody shall work on in the end: balanced, and as near as possible to the target before the last change.
    #[must_use]
    pub fn target(&self) -> &Assignment {
        todo!("who shall work on what, in the end, in {self:?}")
    }

    /// A member joins. It may work on nothing before its first heartbeat. Joining a second time changes nothing.
    pub fn join(&mut self, member: &Member) {
        todo!("{member:?} joins the readers of {:?}", self.topics)
    }

    /// A member has left, or is known to be dead: it works on nothing any more. Nothing changes if it was none.
    pub fn leave(&mut self, member: &Member) {
        todo!("{member:?} leaves")
    }

    /// A member reports what it is working on, and is told what it may work on from now on. It stops everything else before it reports again.
    ///
    /// The answer is what the target has for it, less what another member may still be working on. It may get lost; the member then goes on
    /// as before, and reports again.
    ///
    /// # Errors
    /// [`NotAMember`] if it never joined, or has left.
    pub fn heartbeat(
        &mut self,
        member: &Member,
        works_on: &BTreeSet<Partition>,
    ) -> Result<BTreeSet<Partition>, NotAMember> {
        todo!("{member:?} works on {works_on:?}: what may it work on from now on?")
    }
}
