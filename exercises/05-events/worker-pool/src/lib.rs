//! Many workers behind one consumer: bounded, in order for each key, without being thrown out of the group, and without losing work at the end.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::watch;

/// What must stay in order. Jobs of different keys owe each other nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u64);

/// How much a pool takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The greatest number of jobs that run at once.
    pub workers: usize,
    /// The greatest number of accepted jobs that do not run yet, beside as many as there are workers.
    pub waiting: usize,
}

/// Why a job was not accepted. It comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused<J> {
    /// As many jobs as allowed are accepted and not finished.
    Full(J),
    /// The pool shuts down.
    Closed(J),
}

/// What is done with a job.
type Work<J> = dyn Fn(J) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Workers for jobs. Dropping it stops everything at once.
pub struct Workers<J: Send + 'static> {
    limits: Limits,
    work: Box<Work<J>>,
    // TODO: which jobs are accepted and not finished? Which keys have one that runs? What do the tasks share with this?
}

impl<J: Send + 'static> Workers<J> {
    /// A pool in which `work` is done with each job. It is idle at first.
    ///
    /// # Panics
    /// If there is no worker.
    pub fn new<F, Fut>(limits: Limits, work: F) -> Self
    where
        F: Fn(J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        assert!(limits.workers > 0, "somebody must do it: {limits:?}");
        let workers = Self { limits, work: Box::new(move |job| Box::pin(work(job))) };
        todo!("an idle pool with {:?}", workers.limits)
    }

    /// Waits for room, and accepts the job. It is accepted when this returns; if the future is dropped before, nothing has happened.
    ///
    /// Jobs of one key run in the order in which they were accepted, each after the one before it is finished. Apart from that a job runs as soon as a worker is
    /// free: a slow key holds up no other, and a key with much to do lets the others in after each of its jobs. A job that panics is finished; nobody else notices.
    ///
    /// # Errors
    /// [`Refused::Closed`] if the pool shuts down, before or while this waits.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn submit(&self, key: Key, job: J) -> Result<(), Refused<J>> {
        let _ = job;
        todo!("wait for room among {:?}, and accept a job of {key:?}", self.limits)
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// [`Refused`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn try_submit(&self, key: Key, job: J) -> Result<(), Refused<J>> {
        let _ = (&self.work, job);
        todo!("is there room among {:?} for a job of {key:?}?", self.limits)
    }

    /// How many keys it keeps: those with jobs that are not finished.
    #[must_use]
    pub fn keys(&self) -> usize {
        todo!("how many keys have jobs that are not finished, of {:?}?", self.limits)
    }

    /// Accepts nothing any more, lets all that is accepted be finished, running and waiting, and stops after `grace` what is left. Returns how many accepted jobs were
    /// not finished.
    pub async fn shutdown(&self, grace: Duration) -> usize {
        todo!("finish what is accepted within {grace:?}, with {:?}", self.limits)
    }
}

impl<J: Send + 'static> Drop for Workers<J> {
    fn drop(&mut self) {
        // TODO: what runs on when nobody holds the pool any more?
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: behind a consumer
// ---------------------------------------------------------------------------------------------------------------------

/// Part of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u32);

/// A record's place in its partition. Some places are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

/// What a poll returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it comes from.
    pub partition: Partition,
    /// Its place there.
    pub offset: Offset,
    /// What it must stay in order with. All records of a key are in one partition.
    pub key: Key,
}

/// This member has been thrown out of its group. Others work on its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted;

impl fmt::Display for Evicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("thrown out of the group")
    }
}

impl std::error::Error for Evicted {}

/// A member of a consumer group, as its client library offers it.
///
/// A member that does not poll for too long is thrown out.
pub trait Member: Send {
    /// The partitions that it works on. They stay the same until it is thrown out.
    fn assigned(&self) -> Vec<Partition>;

    /// The next few records of the partitions that are not paused, in the order of each; an empty list if there are none for the time `wait`.
    fn poll(&mut self, wait: Duration) -> impl Future<Output = Result<Vec<Record>, Evicted>> + Send;

    /// From now on no poll returns records of this partition.
    fn pause(&mut self, partition: Partition);

    /// Takes it back.
    fn resume(&mut self, partition: Partition);

    /// Saves where to read on after a restart.
    ///
    /// # Errors
    /// If it is thrown out.
    fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), Evicted>;
}

/// The longest time that [`consume`] may wait in a poll.
pub const TICK: Duration = Duration::from_secs(1);

/// Does `work` with each record, over a pool with these limits, until `stop` is true.
///
/// Polls all the time, also while the pool is full: records for which there is no room are held, and their partitions paused until the pool has taken them, but no longer.
/// After each poll it commits, for each partition, up to the first record that is not finished; one whose work panics is finished. Nothing is committed of a partition
/// of which nothing was read.
///
/// When it sees `stop`, no further record is given to the pool. What the pool has accepted is finished and committed, and polling goes on until then, with all partitions
/// paused.
///
/// # Errors
/// [`Evicted`], as soon as it is told so, be it by the last commit. What runs is stopped.
pub async fn consume<M, F, Fut>(
    member: &mut M,
    limits: Limits,
    work: F,
    stop: &watch::Receiver<bool>,
) -> Result<(), Evicted>
where
    M: Member,
    F: Fn(Record) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let workers = Workers::new(limits, work);
    todo!("poll {:?} until {stop:?}, and give what comes to {} workers", member.assigned(), workers.limits.workers)
}
