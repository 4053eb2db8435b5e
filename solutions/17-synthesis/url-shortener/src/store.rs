//! Stage 4: a filter where every write passes, a cache where nothing can change, and the same shard for the same code.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kit::Time;

use crate::code::Code;
use crate::create::{Answer, Command, Link, Target};
use crate::parts::bloom_filter::{BloomFilter, Shape};
use crate::parts::cache_aside::{Cache, Lease, Lifetimes, Lookup, Trust};
use crate::parts::shard_router::{Key, Shard as ShardId, Slots};

/// A shard's disk: what is in it survives, and every read is slow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    rows: BTreeMap<Code, Link>,
    reads: u64,
}

impl Disk {
    /// A disk with these rows, which nobody has read yet.
    #[must_use]
    pub fn new(rows: BTreeMap<Code, Link>) -> Self {
        Self { rows, reads: 0 }
    }

    /// Reads one row.
    pub fn read(&mut self, code: Code) -> Option<Link> {
        self.reads += 1;
        self.rows.get(&code).cloned()
    }

    /// Writes one row.
    pub fn write(&mut self, code: Code, link: Link) {
        self.rows.insert(code, link);
    }

    /// All rows, in one pass over the disk that counts as no read.
    #[must_use]
    pub const fn rows(&self) -> &BTreeMap<Code, Link> {
        &self.rows
    }

    /// How many rows were read one by one.
    #[must_use]
    pub const fn reads(&self) -> u64 {
        self.reads
    }
}

// ANCHOR: shard
/// The one machine that has a part of the links, and through which every write of these goes.
#[derive(Clone, Debug)]
pub struct Shard {
    disk: Disk,
    filter: BloomFilter,
}

impl Shard {
    /// Starts over a disk, empty or not, with a filter of this shape.
    #[must_use]
    pub fn open(disk: Disk, shape: Shape) -> Self {
        let mut filter = BloomFilter::new(shape);
        for code in disk.rows().keys() {
            filter.insert(&key(*code));
        }
        Self { disk, filter }
    }

    /// Carries out a command. Codes that are not there cost no read of the disk, but for the filter's false positives.
    pub fn execute(&mut self, command: Command) -> Answer {
        let present = self.read(command.code());
        match (command, present) {
            (Command::Insert(code, target), None) => {
                self.disk.write(code, Link { target, removed: false });
                self.filter.insert(&key(code));
                Answer::Inserted
            }
            (Command::Insert(..), Some(link)) => Answer::Occupied(link),
            (Command::Remove(code), Some(link)) => {
                let link = Link { removed: true, ..link };
                self.disk.write(code, link.clone());
                Answer::Row(Some(link))
            }
            (Command::Fetch(_) | Command::Remove(_), present) => Answer::Row(present),
        }
    }

    fn read(&mut self, code: Code) -> Option<Link> {
        if self.filter.might_contain(&key(code)) { self.disk.read(code) } else { None }
    }
    // ANCHOR_END: shard

    /// Its disk.
    #[must_use]
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }
}

/// A code, as the filter knows it.
fn key(code: Code) -> [u8; 8] {
    code.number().to_le_bytes()
}

/// What an instance knows about a code that somebody visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seek {
    /// This link, from the cache.
    Known(Link),
    /// Nothing: fetch it from this shard, and come back with the lease.
    Ask(ShardId, Lease),
    /// Nothing, and it is being fetched already: ask again a little later.
    Wait,
}

/// One instance of the service, of several: it keeps links that were visited, and knows who has the others.
#[derive(Clone, Debug)]
pub struct Front {
    cache: Cache,
    slots: Slots,
    capacity: usize,
    kept: BTreeSet<Code>,
    /// Those kept, oldest first.
    order: VecDeque<Code>,
}

impl Front {
    /// An instance that has seen nothing, and keeps at most `capacity` links in its cache, for as long as `lifetimes` says.
    #[must_use]
    pub fn new(slots: Slots, lifetimes: Lifetimes, capacity: usize) -> Self {
        let cache = Cache::new(lifetimes, Trust::LeaseHolders);
        Self { cache, slots, capacity, kept: BTreeSet::new(), order: VecDeque::new() }
    }

    /// Who has the link with this code: the same answer from every instance with these slots.
    #[must_use]
    pub fn shard_of(&self, code: Code) -> ShardId {
        self.slots.shard_of(Key(code.number()))
    }

    // ANCHOR: front
    /// Looks for a link at `now`. At most one caller in a lease's lifetime is sent to the shard for a code.
    pub fn seek(&mut self, code: Code, now: Time) -> Seek {
        match self.cache.get(&code.to_string(), now) {
            Lookup::Hit(Some(row)) => Seek::Known(read(row)),
            Lookup::Miss(lease) => Seek::Ask(self.shard_of(code), lease),
            Lookup::Hit(None) | Lookup::Wait => Seek::Wait,
        }
    }

    /// The shard's answer to a question that was sent at `asked`; `draw` is a random number, for the jitter.
    ///
    /// What is there is kept, removed or not, and the one kept longest makes room. What is *not* there is not kept: any other instance may create it
    /// at the next moment, and its visitor may come here.
    pub fn loaded(&mut self, code: Code, lease: Lease, row: Option<&Link>, asked: Time, draw: u64) {
        let Some(link) = row else { return self.forget(code) };
        let stored = self.cache.set(&code.to_string(), Some(write(link)), lease, asked, draw);
        if stored && self.kept.insert(code) {
            self.order.push_back(code);
        }
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
            self.cache.delete(&oldest.to_string());
        }
    }
    // ANCHOR_END: front

    /// Forgets what it knows about a code, and lets the next visitor ask: the link was removed, or nobody answered.
    pub fn forget(&mut self, code: Code) {
        self.cache.delete(&code.to_string());
    }

    /// How many links it keeps at most at this moment.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.order.len()
    }
}

/// A link as a row of the cache. A URL begins with `h`.
fn write(link: &Link) -> String {
    format!("{}{}", if link.removed { "-" } else { "" }, link.target.as_str())
}

fn read(row: String) -> Link {
    match row.strip_prefix('-') {
        Some(target) => Link { target: Target::stored(target), removed: true },
        None => Link { target: Target::stored(row), removed: false },
    }
}
