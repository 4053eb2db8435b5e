//! Stage 4: a filter where every write passes, a cache where nothing can change, and the same shard for the same code.

use std::collections::BTreeMap;

use kit::Time;

use crate::code::Code;
use crate::create::{Answer, Command, Link};
use crate::parts::bloom_filter::Shape;
use crate::parts::cache_aside::{Lease, Lifetimes};
use crate::parts::shard_router::{Shard as ShardId, Slots};

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

/// The one machine that has a part of the links, and through which every write of these goes.
#[derive(Clone, Debug)]
pub struct Shard {
    disk: Disk,
    // TODO: which codes are surely not on the disk, without reading it?
}

impl Shard {
    /// Starts over a disk, empty or not, with a filter of this shape.
    #[must_use]
    pub fn open(disk: Disk, shape: Shape) -> Self {
        drop(disk); // only so that it compiles
        todo!("a shard over the disk, with a filter of {shape:?}")
    }

    /// Carries out a command. Codes that are not there cost no read of the disk, but for the filter's false positives.
    pub fn execute(&mut self, command: Command) -> Answer {
        let code = command.code();
        drop(command); // only so that it compiles
        todo!("carry out a command about {code:?} on {:?}", self.disk)
    }

    /// Its disk.
    #[must_use]
    pub const fn disk(&self) -> &Disk {
        &self.disk
    }
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
    // TODO: a cache of rows by text, and slots by number. And how do you know which row was kept first?
}

impl Front {
    /// An instance that has seen nothing, and keeps at most `capacity` links in its cache, for as long as `lifetimes` says.
    #[must_use]
    pub fn new(slots: Slots, lifetimes: Lifetimes, capacity: usize) -> Self {
        drop(slots); // only so that it compiles
        todo!("an instance with {lifetimes:?} and room for {capacity} links")
    }

    /// Who has the link with this code: the same answer from every instance with these slots.
    #[must_use]
    pub fn shard_of(&self, code: Code) -> ShardId {
        todo!("who has {code:?} by {self:?}?")
    }

    /// Looks for a link at `now`. At most one caller in a lease's lifetime is sent to the shard for a code.
    pub fn seek(&mut self, code: Code, now: Time) -> Seek {
        todo!("what does {self:?} know of {code:?} at {now}?")
    }

    /// The shard's answer to a question that was sent at `asked`; `draw` is a random number, for the jitter.
    ///
    /// What is there is kept, removed or not, and the one kept longest makes room. What is *not* there is not kept: any other instance may create it
    /// at the next moment, and its visitor may come here.
    pub fn loaded(&mut self, code: Code, lease: Lease, row: Option<&Link>, asked: Time, draw: u64) {
        todo!("{row:?} came for {code:?}, asked at {asked} with {lease:?} and the draw {draw}")
    }

    /// Forgets what it knows about a code, and lets the next visitor ask: the link was removed, or nobody answered.
    pub fn forget(&mut self, code: Code) {
        todo!("forget {code:?}")
    }

    /// How many links it keeps at most at this moment.
    #[must_use]
    pub fn kept(&self) -> usize {
        todo!("how many links {self:?} keeps")
    }
}
