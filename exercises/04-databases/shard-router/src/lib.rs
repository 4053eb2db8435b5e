//! Which machine has this key, what must move when there is another machine, and what to do about a key that everybody wants.

use std::collections::BTreeMap;

/// A row's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u64);

/// A machine that holds a part of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u32);

/// Mixes a key's bits, so that neighbours are strangers (the finalizer of SplitMix64). The same everywhere and for ever.
#[must_use]
pub const fn hash(key: Key) -> u64 {
    let mut bits = key.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Each shard has ranges of neighbouring keys. Every key is in exactly one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    // TODO: what must be known to find a key's range quickly?
}

impl Ranges {
    /// All keys on one shard.
    #[must_use]
    pub fn new(shard: Shard) -> Self {
        todo!("all keys on {shard:?}")
    }

    /// Who has `key`. Logarithmic in the number of ranges.
    #[must_use]
    pub fn shard_of(&self, key: Key) -> Shard {
        todo!("who has {key:?} by {self:?}")
    }

    /// Cuts the range that `at` is in: `at` and what follows it in that range goes to `to`. False, and nothing is changed, if the
    /// range begins with `at`, because nothing would be left.
    pub fn split(&mut self, at: Key, to: Shard) -> bool {
        todo!("cut {self:?} at {at:?}, to {to:?}")
    }

    /// Whom a scan from `first` to `last`, both included, has to ask: each shard once, in the order in which it is met.
    #[must_use]
    pub fn scan(&self, first: Key, last: Key) -> Vec<Shard> {
        todo!("whom to ask for {first:?} to {last:?} by {self:?}")
    }
}

/// Each key is in one of a fixed number of slots, by its hash, and each slot is on a shard. Slots move; keys never change theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    // TODO: how is it known where a slot is?
}

/// A slot that has to go to another shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// Which slot.
    pub slot: usize,
    /// Who has it.
    pub from: Shard,
    /// Who gets it.
    pub to: Shard,
}

/// A plan was made for another state than this: the slot is not where the plan thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Which slot.
    pub slot: usize,
}

impl Slots {
    /// So many slots, evenly on `shards`: no two shards differ by more than one slot.
    ///
    /// # Panics
    /// If there is no slot or no shard.
    #[must_use]
    pub fn new(slots: usize, shards: &[Shard]) -> Self {
        todo!("{slots} slots on {shards:?}")
    }

    /// The slot of `key`: its hash, modulo the number of slots.
    #[must_use]
    pub fn slot_of(&self, key: Key) -> usize {
        todo!("the slot of {key:?} in {self:?}")
    }

    /// Who has `key`.
    #[must_use]
    pub fn shard_of(&self, key: Key) -> Shard {
        todo!("who has {key:?} by {self:?}")
    }

    /// How many slots each shard has that has any.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Shard, usize> {
        todo!("how many slots each shard has in {self:?}")
    }

    /// The fewest moves after which the slots are evenly on `shards`, and on no others: no two of them differ by more than one
    /// slot. Each slot moves at most once. Of several such plans any.
    ///
    /// # Panics
    /// If there is no shard, or one stands there twice.
    #[must_use]
    pub fn plan(&self, shards: &[Shard]) -> Vec<Move> {
        todo!("the fewest moves from {self:?} to {shards:?}")
    }

    /// Carries out a plan, all of it or nothing.
    ///
    /// # Errors
    /// [`Stale`] with the first move of the plan whose slot is not where the plan thinks, or does not exist.
    pub fn apply(&mut self, plan: &[Move]) -> Result<(), Stale> {
        todo!("carry out {plan:?} on {self:?}")
    }
}

/// Finds the keys that come most often, in bounded memory: the Space-Saving algorithm (Metwally, Agrawal and El Abbadi 2005).
#[derive(Clone, Debug)]
pub struct HotKeys {
    // TODO: what must be known of a watched key, and how sure is it?
}

impl HotKeys {
    /// Watches at most `counters` keys at a time.
    ///
    /// # Panics
    /// If that is none.
    #[must_use]
    pub fn new(counters: usize) -> Self {
        todo!("watch {counters} keys")
    }

    /// Notes that `key` has come once more.
    ///
    /// A key that is not watched takes the place of the one with the smallest count, *and its count*: it may have come that often
    /// before, unnoticed.
    pub fn see(&mut self, key: Key) {
        todo!("{key:?} has come to {self:?}")
    }

    /// How many times any key has come.
    #[must_use]
    pub fn seen(&self) -> u64 {
        todo!("how many have come to {self:?}")
    }

    /// How many keys are watched now.
    #[must_use]
    pub fn watched(&self) -> usize {
        todo!("how many {self:?} watches")
    }

    /// `key` has come at least so often.
    #[must_use]
    pub fn at_least(&self, key: Key) -> u64 {
        todo!("how often {key:?} has come to {self:?} at least")
    }

    /// `key` has come at most so often: no more than `seen / counters` above [`at_least`](Self::at_least).
    #[must_use]
    pub fn at_most(&self, key: Key) -> u64 {
        todo!("how often {key:?} has come to {self:?} at most")
    }

    /// Keys that may have come more often than `count`, sorted. Every key that did is among them, as long as `count` is at
    /// least `seen / counters`.
    #[must_use]
    pub fn hotter_than(&self, count: u64) -> Vec<Key> {
        todo!("which keys of {self:?} may have come more often than {count}")
    }
}

/// Slots, and for single keys something else: a hot key's writes go to several shards, and its reads ask all of them.
#[derive(Clone, Debug)]
pub struct Router {
    // TODO: what must be remembered of a key that was ever split?
}

impl Router {
    /// Routes by `slots`.
    #[must_use]
    pub fn new(slots: Slots) -> Self {
        todo!("route by {:?}", Some(slots))
    }

    /// From now on writes of `key` go to `ways` different shards: its own, and the next ones of those that have slots, in the
    /// order of their numbers, the least after the greatest. All there are, if there are fewer.
    ///
    /// # Panics
    /// If `ways` is 0.
    pub fn split(&mut self, key: Key, ways: usize) {
        todo!("split {key:?} {ways} ways in {self:?}")
    }

    /// From now on writes of `key` go to its own shard again. What is elsewhere stays there, and reads still ask for it.
    pub fn join(&mut self, key: Key) {
        todo!("join {key:?} in {self:?}")
    }

    /// What was elsewhere of `key` has been brought to its own shard. Does nothing while its writes are split.
    pub fn gathered(&mut self, key: Key) {
        todo!("{key:?} is gathered in {self:?}")
    }

    /// Where a write of `key` goes; `draw` is a random number that chooses among several shards, each as likely as the others.
    #[must_use]
    pub fn write(&self, key: Key, draw: u64) -> Shard {
        todo!("where a write of {key:?} with {draw} goes by {self:?}")
    }

    /// Whom a read of `key` has to ask, sorted: every shard that may have something of it.
    #[must_use]
    pub fn read(&self, key: Key) -> Vec<Shard> {
        todo!("whom a read of {key:?} asks by {self:?}")
    }
}
