//! Many workers behind one consumer: bounded, in order for each key, without being thrown out of the group, and without losing work at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

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

type Work<J> = dyn Fn(J) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Workers for jobs. Dropping it stops everything at once.
pub struct Workers<J: Send + 'static> {
    shared: Arc<Shared<J>>,
}

struct Shared<J> {
    work: Box<Work<J>>,
    /// One permit for each job that may be accepted and unfinished. Closed when the pool shuts down.
    room: Arc<Semaphore>,
    /// One permit for each job that may run.
    workers: Semaphore,
    /// The keys that have something to do, each with a task of its own.
    lanes: Mutex<HashMap<Key, Lane<J>>>,
    unfinished: watch::Sender<usize>,
}

struct Lane<J> {
    waiting: VecDeque<Accepted<J>>,
    task: AbortHandle,
}

struct Accepted<J> {
    job: J,
    /// Given back when the job is finished.
    room: OwnedSemaphorePermit,
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
        let shared = Shared {
            work: Box::new(move |job| Box::pin(work(job))),
            room: Arc::new(Semaphore::new(limits.workers + limits.waiting)),
            workers: Semaphore::new(limits.workers),
            lanes: Mutex::default(),
            unfinished: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    // ANCHOR: submit
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
        match Arc::clone(&self.shared.room).acquire_owned().await {
            Ok(room) => self.shared.accept(key, Accepted { job, room }),
            Err(_) => Err(Refused::Closed(job)),
        }
    }
    // ANCHOR_END: submit

    /// The same without waiting.
    ///
    /// # Errors
    /// [`Refused`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn try_submit(&self, key: Key, job: J) -> Result<(), Refused<J>> {
        match Arc::clone(&self.shared.room).try_acquire_owned() {
            Ok(room) => self.shared.accept(key, Accepted { job, room }),
            Err(TryAcquireError::NoPermits) => Err(Refused::Full(job)),
            Err(TryAcquireError::Closed) => Err(Refused::Closed(job)),
        }
    }

    /// How many keys it keeps: those with jobs that are not finished.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.shared.lanes().len()
    }

    // ANCHOR: shutdown
    /// Accepts nothing any more, lets all that is accepted be finished, running and waiting, and stops after `grace` what is left. Returns how many accepted jobs were
    /// not finished.
    pub async fn shutdown(&self, grace: Duration) -> usize {
        self.shared.close();
        let mut unfinished = self.shared.unfinished.subscribe();
        match timeout(grace, unfinished.wait_for(|unfinished| *unfinished == 0)).await {
            Ok(_) => 0,
            Err(_) => {
                self.shared.stop();
                *self.shared.unfinished.borrow()
            }
        }
    }
    // ANCHOR_END: shutdown
}

impl<J: Send + 'static> Drop for Workers<J> {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl<J: Send + 'static> Shared<J> {
    fn lanes(&self) -> MutexGuard<'_, HashMap<Key, Lane<J>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ANCHOR: lane
    fn accept(self: &Arc<Self>, key: Key, accepted: Accepted<J>) -> Result<(), Refused<J>> {
        let mut lanes = self.lanes();
        if self.room.is_closed() {
            return Err(Refused::Closed(accepted.job)); // since it was given room, on another thread
        }
        self.unfinished.send_modify(|unfinished| *unfinished += 1);
        let lane = lanes.entry(key).or_insert_with(|| Lane {
            waiting: VecDeque::new(),
            task: tokio::spawn(Arc::clone(self).serve(key)).abort_handle(),
        });
        lane.waiting.push_back(accepted);
        Ok(())
    }

    /// Does the jobs of one key, one after the other, until there are none. Before each it waits in line with the other keys for a worker.
    async fn serve(self: Arc<Self>, key: Key) {
        while let Some(Accepted { job, room }) = self.next(key) {
            let worker = self.workers.acquire().await.expect("it is never closed");
            // A task of its own, so that a panic stays there; stopped with this one, because the set is dropped.
            let mut alone = JoinSet::new();
            let own = Arc::clone(&self);
            alone.spawn(async move { (own.work)(job).await });
            alone.join_next().await;
            drop(worker);
            drop(room);
            self.unfinished.send_modify(|unfinished| *unfinished -= 1);
        }
    }

    /// The next job of the key. If there is none, the key is forgotten, so that its next job begins anew.
    fn next(&self, key: Key) -> Option<Accepted<J>> {
        let mut lanes = self.lanes();
        let next = lanes.get_mut(&key)?.waiting.pop_front();
        if next.is_none() {
            lanes.remove(&key);
        }
        next
    }
    // ANCHOR_END: lane

    /// From now on nothing is accepted.
    fn close(&self) {
        let _nobody_is_being_accepted = self.lanes();
        self.room.close();
    }

    /// Stops what runs, and forgets what waits.
    fn stop(&self) {
        self.close();
        let lanes: Vec<Lane<J>> = self.lanes().drain().map(|(_, lane)| lane).collect();
        lanes.iter().for_each(|lane| lane.task.abort());
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

// ANCHOR: consume
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
    let (finished, mut reports) = mpsc::unbounded_channel();
    let workers = Workers::new(limits, move |record: Record| {
        let report = Report { of: record, to: finished.clone() };
        let job = work(record);
        async move {
            let _at_the_end = report;
            job.await;
        }
    });
    let mut reading: BTreeMap<Partition, Reading> =
        member.assigned().into_iter().map(|partition| (partition, Reading::default())).collect();
    let mut held: VecDeque<Record> = VecDeque::new();
    loop {
        while let Ok((partition, offset)) = reports.try_recv() {
            reading.entry(partition).or_default().unfinished.remove(&offset);
        }
        let stopping = *stop.borrow();
        if stopping {
            // The last first, so that the end comes to lie before the first.
            for record in held.drain(..).rev() {
                reading.entry(record.partition).or_default().give_back(record.offset);
            }
        }
        while let Some(&record) = held.front() {
            if workers.try_submit(record.key, record).is_err() {
                break;
            }
            held.pop_front();
        }
        for (&partition, reading) in &mut reading {
            let pause = stopping || held.iter().any(|record| record.partition == partition);
            if pause && !reading.paused {
                member.pause(partition);
            } else if !pause && reading.paused {
                member.resume(partition);
            }
            reading.paused = pause;
            if let Some(next) = reading.next_commit() {
                member.commit(partition, next)?;
            }
        }
        if stopping && reading.values().all(|reading| reading.unfinished.is_empty()) {
            return Ok(());
        }
        for record in member.poll(TICK).await? {
            reading.entry(record.partition).or_default().polled(record.offset);
            held.push_back(record);
        }
    }
}
// ANCHOR_END: consume

/// Says of a record that it is finished when this is dropped: a panic ends the work, too.
struct Report {
    of: Record,
    to: mpsc::UnboundedSender<(Partition, Offset)>,
}

impl Drop for Report {
    fn drop(&mut self) {
        let _ = self.to.send((self.of.partition, self.of.offset)); // nobody listens after an eviction
    }
}

/// How far a partition is read and finished.
#[derive(Debug, Default)]
struct Reading {
    paused: bool,
    /// Held, waiting or running.
    unfinished: BTreeSet<Offset>,
    /// Behind the last record that was polled and not given back.
    end: Offset,
    committed: Offset,
}

impl Reading {
    fn polled(&mut self, offset: Offset) {
        self.unfinished.insert(offset);
        self.end = Offset(offset.0 + 1);
    }

    /// It will not be done here. Whoever reads on begins with it.
    fn give_back(&mut self, offset: Offset) {
        self.unfinished.remove(&offset);
        self.end = offset;
    }

    // ANCHOR: commit
    /// Where to read on after a restart: with the first record that is not finished. `None` if that is known already.
    fn next_commit(&mut self) -> Option<Offset> {
        let next = self.unfinished.first().copied().unwrap_or(self.end);
        let new = next > self.committed;
        self.committed = self.committed.max(next);
        new.then_some(next)
    }
    // ANCHOR_END: commit
}
