//! Which partition a key belongs to, which member of a group works on which partition, and how it changes hands.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
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
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let (groups, rest) = bytes.as_chunks::<4>();
    let mut h = SEED ^ bytes.len() as u32;
    for group in groups {
        let mut k = u32::from_le_bytes(*group).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        h = (h ^ u32::from_le_bytes(last)).wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    (h ^ (h >> 15)).cast_signed()
}

// ANCHOR: partition
/// The partition of `key`, from 0 to `partitions` − 1: its hash with the sign bit cleared, modulo `partitions`. Equal keys have equal partitions.
#[must_use]
pub fn partition(key: &[u8], partitions: NonZeroU32) -> u32 {
    (murmur2(key).cast_unsigned() & 0x7fff_ffff) % partitions
}
// ANCHOR_END: partition

/// How many of `keys` belong to another partition after the topic has grown from `before` partitions to `after`.
#[must_use]
pub fn moved<K: AsRef<[u8]>>(keys: &[K], before: NonZeroU32, after: NonZeroU32) -> usize {
    keys.iter().filter(|key| partition(key.as_ref(), before) != partition(key.as_ref(), after)).count()
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
    let mut assignment = nobody_works(members);
    for (topic, &count) in topics {
        let numbers = 0..count;
        let lengths = shares(count as usize, members.len());
        let owners = members.iter().zip(lengths).flat_map(|(member, length)| iter::repeat_n(member, length));
        for (number, member) in numbers.zip(owners) {
            give(&mut assignment, member, Partition { topic: topic.clone(), number });
        }
    }
    assignment
}

/// All partitions of all topics, in order, are dealt out to the members, in order, one at a time and round and round.
///
/// An empty group gets an empty assignment.
#[must_use]
pub fn round_robin(topics: &Topics, members: &BTreeSet<Member>) -> Assignment {
    let mut assignment = nobody_works(members);
    for (partition, member) in partitions(topics).zip(members.iter().cycle()) {
        give(&mut assignment, member, partition);
    }
    assignment
}

// ANCHOR: sticky
/// A balanced assignment that leaves as many partitions as possible with whom they were.
///
/// Balance comes first: two members never differ by more than one partition. Of all balanced assignments it is one that keeps the most of
/// `previous`, which may name members and partitions that are gone, and gives no partition to two members.
///
/// An empty group gets an empty assignment.
#[must_use]
pub fn sticky(topics: &Topics, members: &BTreeSet<Member>, previous: &Assignment) -> Assignment {
    let all: BTreeSet<Partition> = partitions(topics).collect();
    let had = |member: &Member| previous.get(member).into_iter().flatten().filter(|partition| all.contains(partition));
    // Where a share is larger by one, it goes to whoever had most: anybody else would have to be given what he has to give away.
    let mut by_load: Vec<&Member> = members.iter().collect();
    by_load.sort_by_key(|member| Reverse(had(member).count()));
    let quotas: Vec<(&Member, usize)> = by_load.into_iter().zip(shares(all.len(), members.len())).collect();

    let mut assignment: Assignment =
        quotas.iter().map(|&(member, quota)| (member.clone(), had(member).take(quota).cloned().collect())).collect();
    let kept: BTreeSet<Partition> = assignment.values().flatten().cloned().collect();
    let mut free = all.difference(&kept).cloned();
    for (member, quota) in quotas {
        let works_on = assignment.get_mut(member).expect("every member stands in it");
        let missing = quota - works_on.len();
        works_on.extend(free.by_ref().take(missing));
    }
    assignment
}
// ANCHOR_END: sticky

/// `count` things in `of` shares that differ by one at most, the larger ones first.
fn shares(count: usize, of: usize) -> impl Iterator<Item = usize> {
    (0..of).map(move |i| count / of + usize::from(i < count % of))
}

fn nobody_works(members: &BTreeSet<Member>) -> Assignment {
    members.iter().map(|member| (member.clone(), BTreeSet::new())).collect()
}

fn give(assignment: &mut Assignment, member: &Member, partition: Partition) {
    assignment.get_mut(member).expect("every member stands in it").insert(partition);
}

/// Whoever reports is not, or no longer, a member. It must stop all its work, and join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAMember(pub Member);

/// A group with its coordinator: it knows what everybody shall work on in the end, and who may work on what now.
#[derive(Clone, Debug)]
pub struct Group {
    topics: Topics,
    target: Assignment,
    /// Who may be working on it, as far as anybody can know.
    held: BTreeMap<Partition, Member>,
}

impl Group {
    /// A group without members.
    #[must_use]
    pub fn new(topics: Topics) -> Self {
        Self { topics, target: Assignment::new(), held: BTreeMap::new() }
    }

    /// What everybody shall work on in the end: balanced, and as near as possible to the target before the last change.
    #[must_use]
    pub fn target(&self) -> &Assignment {
        &self.target
    }

    /// A member joins. It may work on nothing before its first heartbeat. Joining a second time changes nothing.
    pub fn join(&mut self, member: &Member) {
        let mut members: BTreeSet<Member> = self.target.keys().cloned().collect();
        members.insert(member.clone());
        self.target = sticky(&self.topics, &members, &self.target);
    }

    /// A member has left, or is known to be dead: it works on nothing any more. Nothing changes if it was none.
    pub fn leave(&mut self, member: &Member) {
        let members = self.target.keys().filter(|other| *other != member).cloned().collect();
        self.target = sticky(&self.topics, &members, &self.target);
        self.held.retain(|_, holder| holder != member);
    }

    // ANCHOR: heartbeat
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
        let target = self.target.get(member).ok_or_else(|| NotAMember(member.clone()))?;
        self.held.retain(|partition, holder| holder != member || works_on.contains(partition));
        for partition in target {
            self.held.entry(partition.clone()).or_insert_with(|| member.clone());
        }
        Ok(target.iter().filter(|partition| self.held[partition] == *member).cloned().collect())
    }
    // ANCHOR_END: heartbeat
}
