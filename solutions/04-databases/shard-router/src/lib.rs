//! Which machine has this key, what must move when there is another machine, and what to do about a key that everybody wants.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The first key of each range, and who has it; the first range begins at 0.
    from: BTreeMap<Key, Shard>,
}

impl Ranges {
    /// All keys on one shard.
    #[must_use]
    pub fn new(shard: Shard) -> Self {
        Self { from: BTreeMap::from([(Key(0), shard)]) }
    }

    /// Who has `key`. Logarithmic in the number of ranges.
    #[must_use]
    pub fn shard_of(&self, key: Key) -> Shard {
        self.from.range(..=key).next_back().map(|(_, shard)| *shard).expect("the first range begins at 0")
    }

    /// Cuts the range that `at` is in: `at` and what follows it in that range goes to `to`. False, and nothing is changed, if the
    /// range begins with `at`, because nothing would be left.
    pub fn split(&mut self, at: Key, to: Shard) -> bool {
        if self.from.contains_key(&at) {
            return false;
        }
        self.from.insert(at, to);
        true
    }

    /// Whom a scan from `first` to `last`, both included, has to ask: each shard once, in the order in which it is met.
    #[must_use]
    pub fn scan(&self, first: Key, last: Key) -> Vec<Shard> {
        if first > last {
            return Vec::new();
        }
        let mut asked = vec![self.shard_of(first)];
        for (_, shard) in self.from.range(first..=last) {
            if !asked.contains(shard) {
                asked.push(*shard);
            }
        }
        asked
    }
}

/// Each key is in one of a fixed number of slots, by its hash, and each slot is on a shard. Slots move; keys never change theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    owner: Vec<Shard>,
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
        assert!(slots > 0 && !shards.is_empty(), "{slots} slots on {} shards", shards.len());
        Self { owner: (0..slots).map(|slot| shards[slot % shards.len()]).collect() }
    }

    /// The slot of `key`: its hash, modulo the number of slots.
    #[must_use]
    pub fn slot_of(&self, key: Key) -> usize {
        (hash(key) % self.owner.len() as u64) as usize
    }

    /// Who has `key`.
    #[must_use]
    pub fn shard_of(&self, key: Key) -> Shard {
        self.owner[self.slot_of(key)]
    }

    /// How many slots each shard has that has any.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Shard, usize> {
        let mut counts = BTreeMap::new();
        for shard in &self.owner {
            *counts.entry(*shard).or_default() += 1;
        }
        counts
    }

    // ANCHOR: plan
    /// The fewest moves after which the slots are evenly on `shards`, and on no others: no two of them differ by more than one
    /// slot. Each slot moves at most once. Of several such plans any.
    ///
    /// # Panics
    /// If there is no shard, or one stands there twice.
    #[must_use]
    pub fn plan(&self, shards: &[Shard]) -> Vec<Move> {
        let distinct: BTreeSet<Shard> = shards.iter().copied().collect();
        assert!(!shards.is_empty() && distinct.len() == shards.len(), "{shards:?} are not some different shards");
        let counts = self.counts();
        let has = |shard: &Shard| counts.get(shard).copied().unwrap_or(0);
        // One slot more than the others belongs to those that have most: it need not move.
        let (each, more) = (self.owner.len() / shards.len(), self.owner.len() % shards.len());
        let mut by_size: Vec<Shard> = shards.to_vec();
        by_size.sort_by_key(|shard| std::cmp::Reverse(has(shard)));
        let mut room: BTreeMap<Shard, usize> =
            by_size.iter().enumerate().map(|(place, shard)| (*shard, each + usize::from(place < more))).collect();
        // Every slot stays as long as there is room for it where it is; the others fill what room is left.
        let mut homeless = Vec::new();
        for (slot, shard) in self.owner.iter().enumerate() {
            match room.get_mut(shard).filter(|room| **room > 0) {
                Some(room) => *room -= 1,
                None => homeless.push((slot, *shard)),
            }
        }
        let places = room.into_iter().flat_map(|(shard, room)| std::iter::repeat_n(shard, room));
        homeless.into_iter().zip(places).map(|((slot, from), to)| Move { slot, from, to }).collect()
    }
    // ANCHOR_END: plan

    /// Carries out a plan, all of it or nothing.
    ///
    /// # Errors
    /// [`Stale`] with the first move of the plan whose slot is not where the plan thinks, or does not exist.
    pub fn apply(&mut self, plan: &[Move]) -> Result<(), Stale> {
        let mut owner = self.owner.clone();
        for Move { slot, from, to } in plan {
            match owner.get_mut(*slot) {
                Some(shard) if shard == from => *shard = *to,
                _ => return Err(Stale { slot: *slot }),
            }
        }
        self.owner = owner;
        Ok(())
    }
}

/// Finds the keys that come most often, in bounded memory: the Space-Saving algorithm (Metwally, Agrawal and El Abbadi 2005).
#[derive(Clone, Debug)]
pub struct HotKeys {
    counters: usize,
    seen: u64,
    /// For each key that is watched: how often it came at most, and how much of that may have been others.
    watched: BTreeMap<Key, (u64, u64)>,
}

impl HotKeys {
    /// Watches at most `counters` keys at a time.
    ///
    /// # Panics
    /// If that is none.
    #[must_use]
    pub fn new(counters: usize) -> Self {
        assert!(counters > 0, "without a counter nothing can be counted");
        Self { counters, seen: 0, watched: BTreeMap::new() }
    }

    // ANCHOR: see
    /// Notes that `key` has come once more.
    ///
    /// A key that is not watched takes the place of the one with the smallest count, *and its count*: it may have come that often
    /// before, unnoticed.
    pub fn see(&mut self, key: Key) {
        self.seen += 1;
        if let Some((count, _)) = self.watched.get_mut(&key) {
            *count += 1;
        } else if self.watched.len() < self.counters {
            self.watched.insert(key, (1, 0));
        } else if let Some((&coldest, &(least, _))) = self.watched.iter().min_by_key(|(_, (count, _))| *count) {
            self.watched.remove(&coldest);
            self.watched.insert(key, (least + 1, least));
        }
    }
    // ANCHOR_END: see

    /// How many times any key has come.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// How many keys are watched now.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.watched.len()
    }

    /// `key` has come at least so often.
    #[must_use]
    pub fn at_least(&self, key: Key) -> u64 {
        self.watched.get(&key).map_or(0, |(count, error)| count - error)
    }

    /// `key` has come at most so often: no more than `seen / counters` above [`at_least`](Self::at_least).
    #[must_use]
    pub fn at_most(&self, key: Key) -> u64 {
        let unnoticed = || {
            let least = self.watched.values().map(|(count, _)| *count).min();
            least.filter(|_| self.watched.len() == self.counters).unwrap_or(0)
        };
        self.watched.get(&key).map_or_else(unnoticed, |(count, _)| *count)
    }

    /// Keys that may have come more often than `count`, sorted. Every key that did is among them, as long as `count` is at
    /// least `seen / counters`.
    #[must_use]
    pub fn hotter_than(&self, count: u64) -> Vec<Key> {
        self.watched.iter().filter(|(_, (most, _))| *most > count).map(|(key, _)| *key).collect()
    }
}

/// Slots, and for single keys something else: a hot key's writes go to several shards, and its reads ask all of them.
#[derive(Clone, Debug)]
pub struct Router {
    slots: Slots,
    split: BTreeMap<Key, Split>,
}

/// Where a hot key is.
#[derive(Clone, Debug, Default)]
struct Split {
    /// Where its writes go; its own shard if empty.
    writes: Vec<Shard>,
    /// Where writes have ever gone.
    reads: BTreeSet<Shard>,
}

impl Router {
    /// Routes by `slots`.
    #[must_use]
    pub fn new(slots: Slots) -> Self {
        Self { slots, split: BTreeMap::new() }
    }

    /// From now on writes of `key` go to `ways` different shards: its own, and the next ones of those that have slots, in the
    /// order of their numbers, the least after the greatest. All there are, if there are fewer.
    ///
    /// # Panics
    /// If `ways` is 0.
    pub fn split(&mut self, key: Key, ways: usize) {
        assert!(ways > 0, "writes must go somewhere");
        let own = self.slots.shard_of(key);
        let shards: Vec<Shard> = self.slots.counts().into_keys().collect();
        let place = shards.iter().position(|shard| *shard == own).unwrap_or(0);
        let split = self.split.entry(key).or_default();
        split.writes = shards.iter().cycle().skip(place).take(ways.min(shards.len())).copied().collect();
        split.reads.insert(own);
        split.reads.extend(split.writes.iter().copied());
    }

    /// From now on writes of `key` go to its own shard again. What is elsewhere stays there, and reads still ask for it.
    pub fn join(&mut self, key: Key) {
        if let Some(split) = self.split.get_mut(&key) {
            split.writes.clear();
        }
    }

    /// What was elsewhere of `key` has been brought to its own shard. Does nothing while its writes are split.
    pub fn gathered(&mut self, key: Key) {
        if self.split.get(&key).is_some_and(|split| split.writes.is_empty()) {
            self.split.remove(&key);
        }
    }

    /// Where a write of `key` goes; `draw` is a random number that chooses among several shards, each as likely as the others.
    #[must_use]
    pub fn write(&self, key: Key, draw: u64) -> Shard {
        let several = self.split.get(&key).map(|split| &split.writes).filter(|writes| !writes.is_empty());
        several.map_or_else(|| self.slots.shard_of(key), |writes| writes[(draw % writes.len() as u64) as usize])
    }

    /// Whom a read of `key` has to ask, sorted: every shard that may have something of it.
    #[must_use]
    pub fn read(&self, key: Key) -> Vec<Shard> {
        let split = self.split.get(&key);
        split.map_or_else(|| vec![self.slots.shard_of(key)], |split| split.reads.iter().copied().collect())
    }
}
