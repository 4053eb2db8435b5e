//! Stage 1: bounded, and in order for each key. Stage 2: the end. Stage 3: behind a consumer.
//!
//! All time is virtual: a clock that jumps to the next thing to happen.

use kit::{Sometimes, for_seeds};
use rand::RngExt as _;
use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use worker_pool::{Key, Limits, Refused, Workers};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A job: which one, and how many milliseconds it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    name: u64,
    takes: u64,
    panics: bool,
}

const fn job(name: u64, takes: u64) -> Job {
    Job { name, takes, panics: false }
}

/// What the workers did.
#[derive(Debug, Default)]
struct Done {
    begun: Vec<u64>,
    finished: Vec<u64>,
    running: usize,
    most_at_once: usize,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Done>>);

impl Log {
    fn with<R>(&self, look: impl FnOnce(&mut Done) -> R) -> R {
        look(&mut self.0.lock().expect("nobody panics while writing"))
    }

    fn finished(&self) -> Vec<u64> {
        self.with(|done| done.finished.clone())
    }

    async fn work(self, name: u64, takes: Duration, panics: bool) {
        let running = Running::begin(self, name);
        sleep(takes).await;
        assert!(!panics, "a job that panics, as this test wants");
        running.0.with(|done| done.finished.push(name));
    }
}

/// A job at work; over when it is dropped.
struct Running(Log);

impl Running {
    fn begin(log: Log, name: u64) -> Self {
        log.with(|done| {
            done.begun.push(name);
            done.running += 1;
            done.most_at_once = done.most_at_once.max(done.running);
        });
        Self(log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.with(|done| done.running -= 1);
    }
}

fn workers(workers: usize, waiting: usize) -> (Arc<Workers<Job>>, Log) {
    let log = Log::default();
    let own = log.clone();
    let work = move |job: Job| own.clone().work(job.name, Duration::from_millis(job.takes), job.panics);
    (Arc::new(Workers::new(Limits { workers, waiting }, work)), log)
}

/// What `future` answers; a failed test if it has not after a day (of virtual time).
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(seconds(86_400), future).await.expect("somebody still waits after a day")
}

/// Lets every task run that can, without time going on.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Polls once, by hand.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

mod stage_1_bounded_and_in_order {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn jobs_of_different_keys_run_side_by_side() {
        let (workers, log) = workers(4, 0);
        let began = Instant::now();
        for name in 0..4 {
            soon(workers.submit(Key(name), job(name, 1_000))).await.expect("there is room");
        }
        assert_eq!(workers.shutdown(seconds(60)).await, 0, "all are finished");
        let (finished, took) = (log.finished().len(), began.elapsed());
        assert!(finished == 4 && took == seconds(1), "4 workers and 4 jobs of 1 s: {finished} finished in {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_run_at_once_than_there_are_workers() {
        let (workers, log) = workers(3, 20);
        let began = Instant::now();
        for name in 0..12 {
            soon(workers.submit(Key(name), job(name, 1_000))).await.expect("there is room");
        }
        assert_eq!(workers.shutdown(seconds(60)).await, 0);
        let (most, took) = (log.with(|done| done.most_at_once), began.elapsed());
        assert!(most == 3 && took == seconds(4), "12 jobs of 1 s, 3 workers: {most} ran at once, and it took {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_pool_makes_the_caller_wait() {
        let (workers, _) = workers(2, 3);
        for name in 0..5 {
            soon(workers.submit(Key(name % 3), job(name, 1_000))).await.expect("there is room");
        }
        settle().await;
        let sixth = job(5, 1_000);
        assert_eq!(workers.try_submit(Key(9), sixth), Err(Refused::Full(sixth)), "2 run, 3 wait, and that is all");
        let began = Instant::now();
        soon(workers.submit(Key(9), sixth)).await.expect("room after a while");
        assert_eq!(began.elapsed(), seconds(1), "there is room as soon as one is finished, and not before");
        soon(workers.submit(Key(8), job(6, 1_000))).await.expect("the second has finished as well");
        assert_eq!(
            workers.try_submit(Key(9), sixth),
            Err(Refused::Full(sixth)),
            "5 are accepted and not finished again"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_key_is_done_in_order_one_after_the_other() {
        let (workers, log) = workers(4, 20);
        let began = Instant::now();
        for name in 0..5 {
            soon(workers.submit(Key(7), job(name, 500 - 100 * name))).await.expect("there is room");
        }
        assert_eq!(workers.shutdown(seconds(60)).await, 0);
        assert_eq!(log.finished(), [0, 1, 2, 3, 4], "the later ones are shorter, and wait all the same");
        let (most, took) = (log.with(|done| done.most_at_once), began.elapsed());
        assert!(most == 1 && took == Duration::from_millis(1_500), "one key: {most} at once, in {took:?}");
    }

    /// A hundred keys, so that however they are dealt out some share a worker with the slow one.
    #[tokio::test(start_paused = true)]
    async fn a_slow_key_holds_up_nobody_else() {
        let (workers, log) = workers(2, 200);
        for name in 1_000..1_003 {
            soon(workers.submit(Key(1_000), job(name, 60_000))).await.expect("there is room");
        }
        for name in 0..100 {
            soon(workers.submit(Key(name), job(name, 10))).await.expect("there is room");
        }
        sleep(Duration::from_millis(1_001)).await;
        let finished = log.finished().len();
        assert_eq!(finished, 100, "the second worker can do 100 jobs of 10 ms in a second, whatever their keys");
    }

    /// Its first job runs, and nine wait.
    #[tokio::test(start_paused = true)]
    async fn a_key_with_much_to_do_takes_one_worker() {
        let (workers, log) = workers(3, 20);
        for name in 0..10 {
            soon(workers.submit(Key(0), job(name, 1_000))).await.expect("there is room");
        }
        for name in 10..12 {
            soon(workers.submit(Key(name), job(name, 1_000))).await.expect("there is room");
        }
        sleep(Duration::from_millis(1_001)).await;
        let mut finished = log.finished();
        finished.sort_unstable();
        assert_eq!(finished, [0, 10, 11], "what waits for its turn needs no worker");
    }

    /// One worker. A minute's work of key 0 was there first.
    #[tokio::test(start_paused = true)]
    async fn a_key_with_much_to_do_lets_the_others_in() {
        let (workers, log) = workers(1, 70);
        for name in 0..60 {
            soon(workers.submit(Key(0), job(name, 1_000))).await.expect("there is room");
        }
        for name in 60..63 {
            soon(workers.submit(Key(name), job(name, 1_000))).await.expect("there is room");
        }
        sleep(Duration::from_millis(7_001)).await;
        let finished = log.finished();
        for name in 60..63 {
            assert!(
                finished.contains(&name),
                "in 7 s there is time for the three jobs of other keys, if key 0 lets them in after each of its own; finished: {finished:?}"
            );
        }
    }

    /// Its place is free; it has not noticed, and is gone. The next in line has waited long enough.
    #[tokio::test(start_paused = true)]
    async fn a_place_that_nobody_came_for_goes_to_the_next() {
        let (workers, log) = workers(1, 0);
        soon(workers.submit(Key(0), job(0, 1_000))).await.expect("there is room");
        let mut gone = Box::pin(workers.submit(Key(1), job(1, 1_000)));
        let mut next = pin!(workers.submit(Key(2), job(2, 1_000)));
        assert!(poll(gone.as_mut()).is_pending() && poll(next.as_mut()).is_pending(), "job 0 runs");
        sleep(seconds(2)).await;
        drop(gone);
        let accepted = timeout(seconds(5), next).await;
        assert!(accepted == Ok(Ok(())), "nothing runs and nothing waits, but who is next in line is told {accepted:?}");
        assert_eq!(workers.shutdown(seconds(60)).await, 0);
        assert_eq!(log.finished(), [0, 2], "job 1 was never accepted");
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_leaves_room_and_no_job() {
        let (workers, log) = workers(1, 0);
        soon(workers.submit(Key(0), job(0, 1_000))).await.expect("there is room");
        for name in 1..4 {
            let impatient = timeout(Duration::from_millis(100), workers.submit(Key(0), job(name, 1_000))).await;
            assert!(impatient.is_err(), "job 0 takes 1 s");
        }
        soon(workers.submit(Key(0), job(4, 1_000))).await.expect("its turn");
        assert_eq!(workers.shutdown(seconds(60)).await, 0);
        assert_eq!(log.finished(), [0, 4], "the three others were never accepted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_panics_costs_only_itself() {
        let (workers, log) = workers(1, 1);
        for name in 0..6 {
            soon(workers.submit(Key(7), Job { panics: name % 2 == 0, ..job(name, 100) })).await.expect("there is room");
        }
        assert_eq!(workers.shutdown(seconds(60)).await, 0, "a job that panicked is finished");
        assert_eq!(log.finished(), [1, 3, 5], "0, 2 and 4 panicked; the worker and the key go on");
    }

    /// `work` itself panics, before there is a future.
    #[tokio::test(start_paused = true)]
    async fn a_job_that_cannot_even_begin_costs_only_itself() {
        let log = Log::default();
        let own = log.clone();
        let workers = Workers::new(Limits { workers: 1, waiting: 1 }, move |job: Job| {
            assert!(!job.panics, "a job that panics, as this test wants");
            own.clone().work(job.name, Duration::from_millis(job.takes), false)
        });
        for name in 0..6 {
            let accepted = soon(workers.submit(Key(7), Job { panics: name % 2 == 0, ..job(name, 100) })).await;
            accepted.expect("there is room");
        }
        assert_eq!(soon(workers.shutdown(seconds(60))).await, 0, "a job that panicked is finished");
        assert_eq!(log.finished(), [1, 3, 5], "0, 2 and 4 panicked; the worker and the key go on");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_keys_that_are_done() {
        let (workers, _) = workers(2, 2);
        for name in 0..50 {
            soon(workers.submit(Key(name), Job { panics: name == 7, ..job(name, 10) })).await.expect("there is room");
        }
        assert!(workers.keys() <= 4, "at most 4 jobs are accepted at once, and {} keys are kept", workers.keys());
        sleep(seconds(1)).await;
        assert_eq!(workers.keys(), 0, "all are finished");
        soon(workers.submit(Key(7), job(100, 10))).await.expect("there is room");
        assert_eq!(workers.keys(), 1, "a key can come again");
    }

    #[test]
    fn whatever_comes_each_key_is_in_order_and_the_bounds_hold() {
        let sometimes = Sometimes::expect(["all workers were busy", "it was full"]);
        for_seeds(100, |seed| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime").block_on(async {
                let mut rng = seed.rng();
                let (limit, waiting) = (rng.random_range(1..=4), rng.random_range(0..=5));
                let (workers, log) = workers(limit, waiting);
                let mut keys: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
                for name in 0..80 {
                    let key = rng.random_range(0..6);
                    let job = job(name, rng.random_range(0..50));
                    if let Err(Refused::Full(job)) = workers.try_submit(Key(key), job) {
                        let unfinished = name as usize - log.finished().len();
                        sometimes.saw("it was full", true);
                        assert!(
                            unfinished == limit + waiting,
                            "seed {seed}: {limit} workers and {waiting} places to wait are full with {unfinished} jobs"
                        );
                        soon(workers.submit(Key(key), job)).await.expect("its turn comes");
                    }
                    keys.entry(key).or_default().push(name);
                    if rng.random_bool(0.3) {
                        sleep(Duration::from_millis(rng.random_range(0..40))).await;
                    }
                }
                assert_eq!(workers.shutdown(seconds(600)).await, 0, "seed {seed}");
                let finished = log.finished();
                let most = log.with(|done| done.most_at_once);
                sometimes.saw("all workers were busy", most == limit);
                assert!(most <= limit, "seed {seed}: {most} at once, with {limit} workers");
                for (key, accepted) in keys {
                    let order: Vec<u64> = finished.iter().copied().filter(|name| accepted.contains(name)).collect();
                    assert!(order == accepted, "seed {seed}: key {key} was accepted {accepted:?} and done {order:?}");
                }
            });
        });
    }
}

mod stage_2_the_end {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_accepted_is_finished_running_or_waiting() {
        let (workers, log) = workers(2, 8);
        let began = Instant::now();
        for name in 0..10 {
            soon(workers.submit(Key(name % 5), job(name, 1_000))).await.expect("there is room");
        }
        assert_eq!(workers.shutdown(seconds(60)).await, 0, "there was time enough");
        assert_eq!((log.finished().len(), began.elapsed()), (10, seconds(5)), "10 jobs of 1 s over 2 workers");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_pool_is_down_at_once() {
        let (workers, _) = workers(2, 2);
        let began = Instant::now();
        assert_eq!(workers.shutdown(seconds(60)).await, 0);
        assert_eq!(began.elapsed(), Duration::ZERO, "nothing was to be done");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_accepted_any_more_and_who_waits_gets_the_job_back() {
        let (workers, log) = workers(1, 0);
        soon(workers.submit(Key(0), job(0, 1_000))).await.expect("there is room");
        let (own, waits) = (Arc::clone(&workers), job(1, 1_000));
        let waiting = tokio::spawn(async move { own.submit(Key(1), waits).await });
        settle().await;
        let mut end = pin!(workers.shutdown(seconds(60)));
        assert!(poll(end.as_mut()).is_pending(), "job 0 runs");
        let began = Instant::now();
        let back = soon(waiting).await.expect("no panic");
        assert_eq!(back, Err(Refused::Closed(waits)), "it is never accepted");
        assert_eq!(began.elapsed(), Duration::ZERO, "it is told at once");
        let late = job(2, 1_000);
        assert_eq!(workers.try_submit(Key(2), late), Err(Refused::Closed(late)), "too late");
        assert_eq!(soon(workers.submit(Key(2), late)).await, Err(Refused::Closed(late)), "too late");
        assert_eq!(soon(end).await, 0);
        assert_eq!(log.finished(), [0], "what was accepted");
    }

    /// Room has come, and before whoever waited for it is awake the end is announced.
    #[tokio::test(start_paused = true)]
    async fn who_was_given_room_and_has_not_come_in_is_told_too() {
        let (workers, log) = workers(1, 0);
        soon(workers.submit(Key(0), job(0, 1_000))).await.expect("there is room");
        let waits = job(1, 1_000);
        let mut waiting = pin!(workers.submit(Key(1), waits));
        assert!(poll(waiting.as_mut()).is_pending(), "job 0 runs");
        sleep(seconds(2)).await;
        let mut end = pin!(workers.shutdown(seconds(60)));
        let already = poll(end.as_mut());
        let back = soon(waiting).await;
        assert_eq!(back, Err(Refused::Closed(waits)), "the end was announced before job 1 was accepted");
        let unfinished = match already {
            Poll::Ready(unfinished) => unfinished,
            Poll::Pending => soon(end).await,
        };
        sleep(seconds(10)).await;
        assert_eq!(
            (unfinished, log.with(|done| done.begun.len())),
            (0, 1),
            "job 1 is no accepted job, and never begins"
        );
    }

    /// The machine is taken away in 2.5 s. Jobs take 1 s, and one of them for ever.
    #[tokio::test(start_paused = true)]
    async fn after_the_grace_what_is_left_is_stopped_and_counted() {
        let (workers, log) = workers(2, 10);
        soon(workers.submit(Key(0), job(100, 1_000_000))).await.expect("there is room");
        for name in 0..6 {
            soon(workers.submit(Key(1), job(name, 1_000))).await.expect("there is room");
        }
        let began = Instant::now();
        let unfinished = soon(workers.shutdown(Duration::from_millis(2_500))).await;
        assert_eq!(began.elapsed(), Duration::from_millis(2_500), "no longer than the grace");
        assert_eq!(log.finished(), [0, 1], "in 2.5 s");
        assert_eq!(unfinished, 5, "100 and 2 run, and 3 to 5 wait");
        settle().await;
        assert_eq!(log.with(|done| done.running), 0, "what ran is stopped");
        sleep(seconds(10)).await;
        assert_eq!(log.with(|done| done.begun.len()), 4, "what waited never begins");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_is_dropped_stops() {
        let (workers, log) = workers(1, 5);
        for name in 0..3 {
            soon(workers.submit(Key(name), job(name, 1_000))).await.expect("there is room");
        }
        sleep(Duration::from_millis(1_500)).await;
        drop(workers);
        sleep(seconds(10)).await;
        assert_eq!((log.finished().len(), log.with(|done| done.running)), (1, 0), "nobody holds the pool any more");
        assert_eq!(log.with(|done| done.begun.len()), 2, "the third never begins");
    }
}

mod stage_3_behind_a_consumer {
    use super::*;
    use std::collections::BTreeSet;
    use tokio::sync::watch;
    use worker_pool::{Evicted, Member, Offset, Partition, Record, TICK, consume};

    /// The longest time between two polls: Kafka's default for `max.poll.interval.ms`.
    const DEADLINE: Duration = seconds(300);
    /// The greatest number of records that a poll returns.
    const POLL: usize = 10;

    #[derive(Debug, Default)]
    struct State {
        /// What the partitions have: offset and key.
        log: BTreeMap<Partition, Vec<(u64, u64)>>,
        position: BTreeMap<Partition, usize>,
        paused: BTreeSet<Partition>,
        committed: BTreeMap<Partition, u64>,
        polled: usize,
        /// It is thrown out after so many polls, whatever it does.
        thrown_out_after: Option<usize>,
        /// It is thrown out when it commits this, whatever it did.
        thrown_out_at: Option<u64>,
        polls: usize,
        last_poll: Option<Instant>,
        evicted: bool,
    }

    #[derive(Clone, Default)]
    struct Group(Arc<Mutex<State>>);

    impl Group {
        fn with<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
            look(&mut self.0.lock().expect("nobody panics while counting"))
        }

        fn committed(&self, partition: u32) -> u64 {
            self.with(|state| state.committed.get(&Partition(partition)).copied().unwrap_or(0))
        }

        fn check(&self) -> Result<(), Evicted> {
            self.with(|state| {
                let late = state.last_poll.is_some_and(|last| last.elapsed() > DEADLINE);
                state.evicted |= late || state.thrown_out_after.is_some_and(|polls| state.polls > polls);
                if state.evicted { Err(Evicted) } else { Ok(()) }
            })
        }

        fn take(&self) -> Vec<Record> {
            self.with(|state| {
                let mut records = vec![];
                // One of each partition in turn.
                loop {
                    let before = records.len();
                    for (&partition, log) in &state.log {
                        let position = state.position.entry(partition).or_default();
                        if !state.paused.contains(&partition) && records.len() < POLL && *position < log.len() {
                            let (offset, key) = log[*position];
                            records.push(Record { partition, offset: Offset(offset), key: Key(key) });
                            *position += 1;
                        }
                    }
                    if records.len() == before {
                        state.polled += before;
                        return records;
                    }
                }
            })
        }
    }

    impl Member for Group {
        fn assigned(&self) -> Vec<Partition> {
            self.with(|state| state.log.keys().copied().collect())
        }

        async fn poll(&mut self, wait: Duration) -> Result<Vec<Record>, Evicted> {
            assert!(wait <= TICK, "a poll may wait for {TICK:?} at most, and this one would for {wait:?}");
            self.with(|state| state.polls += 1);
            self.check()?;
            let mut records = self.take();
            if records.is_empty() {
                sleep(wait.max(Duration::from_millis(1))).await;
                records = self.take();
            }
            self.with(|state| state.last_poll = Some(Instant::now()));
            Ok(records)
        }

        fn pause(&mut self, partition: Partition) {
            self.with(|state| state.paused.insert(partition));
        }

        fn resume(&mut self, partition: Partition) {
            self.with(|state| state.paused.remove(&partition));
        }

        fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), Evicted> {
            self.with(|state| state.evicted |= state.thrown_out_at.is_some_and(|last| next.0 >= last));
            self.check()?;
            let before = self.with(|state| state.committed.insert(partition, next.0)).unwrap_or(0);
            assert!(before <= next.0, "the commit of {partition:?} goes back from {before} to {next:?}");
            Ok(())
        }
    }

    /// How long each record takes, by its offset.
    type Takes = fn(u64) -> Duration;

    /// A consumer at work.
    struct Run {
        group: Group,
        log: Log,
        stop: watch::Sender<bool>,
        began: Instant,
        ended: tokio::task::JoinHandle<Result<(), Evicted>>,
    }

    /// The name of a record in the workers' log.
    const fn name(partition: u32, offset: u64) -> u64 {
        partition as u64 * 1_000_000 + offset
    }

    impl Run {
        fn begin(group: Group, workers: usize, waiting: usize, takes: Takes) -> Self {
            Self::with_panics(group, workers, waiting, takes, |_| false)
        }

        /// Some records' work panics, by their offset.
        fn with_panics(group: Group, workers: usize, waiting: usize, takes: Takes, panics: fn(u64) -> bool) -> Self {
            let (log, stop) = (Log::default(), watch::Sender::new(false));
            let (own, mut member, seen) = (log.clone(), group.clone(), stop.subscribe());
            let work = move |record: Record| {
                let name = name(record.partition.0, record.offset.0);
                own.clone().work(name, takes(record.offset.0), panics(record.offset.0))
            };
            let ended =
                tokio::spawn(async move { consume(&mut member, Limits { workers, waiting }, work, &seen).await });
            Self { group, log, stop, began: Instant::now(), ended }
        }

        /// Waits until so many records are finished, and says how long it took.
        async fn finished(&self, count: usize) -> Duration {
            soon(async {
                while self.log.finished().len() < count {
                    let evicted = self.group.with(|state| state.evicted);
                    let finished = self.log.finished().len();
                    assert!(!evicted, "thrown out of the group, with {finished} of {count} records finished");
                    sleep(Duration::from_millis(100)).await;
                }
            })
            .await;
            self.began.elapsed()
        }

        async fn end(self) -> Result<(), Evicted> {
            self.stop.send_replace(true);
            soon(self.ended).await.expect("the consumer panicked")
        }
    }

    /// Partitions with so many records each, every record with a key of its own.
    fn partitions(counts: &[u64]) -> Group {
        let group = Group::default();
        for (partition, &count) in (0..).zip(counts) {
            let records = (0..count).map(|offset| (offset, name(partition, offset))).collect();
            group.with(|state| state.log.insert(Partition(partition), records));
        }
        group
    }

    #[tokio::test(start_paused = true)]
    async fn each_record_is_done_once_and_committed() {
        let run = Run::begin(partitions(&[25, 7, 0]), 3, 3, |_| Duration::from_millis(100));
        run.finished(32).await;
        sleep(2 * TICK).await;
        let committed = [0, 1, 2].map(|partition| run.group.committed(partition));
        assert_eq!(committed, [25, 7, 0], "all is finished, and two ticks have passed");
        let mut finished = run.log.finished();
        finished.sort_unstable();
        let expected: Vec<u64> = (0..25).map(|n| name(0, n)).chain((0..7).map(|n| name(1, n))).collect();
        assert_eq!(finished, expected, "each once");
        assert_eq!(run.end().await, Ok(()));
    }

    /// Each record takes a minute and a half. Two workers, four places to wait: for half an hour the pool is full, and one poll's records need more
    /// than seven minutes.
    #[tokio::test(start_paused = true)]
    async fn a_full_pool_does_not_cost_the_membership() {
        let run = Run::begin(partitions(&[20, 20]), 2, 4, |_| seconds(90));
        let took = run.finished(40).await;
        assert!(took >= seconds(1_800), "40 records of 90 s over 2 workers in {took:?}?");
        assert_eq!(run.end().await, Ok(()), "it is a member to the end");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_polled_and_not_done_is_bounded() {
        let run = Run::begin(partitions(&[500, 500]), 2, 4, |_| seconds(10));
        for second in 0..500 {
            sleep(seconds(1)).await;
            let (polled, finished) = (run.group.with(|state| state.polled), run.log.finished().len());
            let most = 2 + 4 + 2 * POLL;
            assert!(
                polled - finished <= most,
                "after {second} s {polled} are polled and {finished} finished; the pool takes 6, and of each partition one poll's {POLL} may be held"
            );
        }
        assert_eq!(run.end().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn workers_do_not_stand_idle_while_there_is_something_to_do() {
        let run = Run::begin(partitions(&[60]), 3, 6, |_| seconds(10));
        let took = run.finished(60).await;
        let least = seconds(200);
        assert!(
            took < least + 5 * TICK,
            "60 records of 10 s over 3 workers can be done in {least:?}; it took {took:?}"
        );
        assert_eq!(run.end().await, Ok(()));
    }

    /// Both have plenty of records. Room comes free one by one.
    #[tokio::test(start_paused = true)]
    async fn no_partition_is_starved() {
        let run = Run::begin(partitions(&[400, 400]), 1, 2, |_| seconds(1));
        run.finished(100).await;
        let second = run.log.finished().into_iter().filter(|done| *done >= name(1, 0)).count();
        assert!((30..=70).contains(&second), "of 100 finished records {second} are the second partition's");
        assert_eq!(run.end().await, Ok(()));
    }

    /// Record 3 takes ten minutes, and all that come after it a second.
    #[tokio::test(start_paused = true)]
    async fn the_commit_waits_for_the_first_that_is_not_finished() {
        let run = Run::begin(partitions(&[40]), 4, 4, |offset| if offset == 3 { seconds(600) } else { seconds(1) });
        sleep(seconds(100)).await;
        assert_eq!(run.log.finished().len(), 39, "all but record 3");
        assert_eq!(run.group.committed(0), 3, "a restart must read 3 again");
        run.finished(40).await;
        sleep(2 * TICK).await;
        assert_eq!(run.group.committed(0), 40, "3 is finished");
        assert_eq!(run.end().await, Ok(()));
    }

    /// One bad record, in the middle and at the end. It has been tried; it must not hold up its partition for ever, nor the end.
    #[tokio::test(start_paused = true)]
    async fn a_record_whose_job_panics_is_finished() {
        let bad = |offset| offset == 3 || offset == 19;
        let run = Run::with_panics(partitions(&[20]), 2, 2, |_| seconds(1), bad);
        run.finished(18).await;
        sleep(5 * TICK).await;
        let committed = run.group.committed(0);
        assert_eq!(committed, 20, "18 records are done, and two panicked: all are finished");
        assert_eq!(run.end().await, Ok(()), "nothing is left to do");
    }

    /// The owner before committed 7 of the first partition and 10 of the second, all that it has.
    #[tokio::test(start_paused = true)]
    async fn what_others_committed_is_not_taken_back() {
        let group = partitions(&[10, 10]);
        group.with(|state| {
            for (partition, next) in [(Partition(0), 7), (Partition(1), 10)] {
                state.position.insert(partition, next);
                state.committed.insert(partition, next as u64);
            }
        });
        let run = Run::begin(group, 2, 2, |_| seconds(1));
        sleep(seconds(30)).await;
        let committed = [0, 1].map(|partition| run.group.committed(partition));
        assert_eq!(committed, [10, 10], "three records of partition 0 were left, and of partition 1 none");
        let mut finished = run.log.finished();
        finished.sort_unstable();
        assert_eq!(finished, [7, 8, 9], "the others are done");
        assert_eq!(run.end().await, Ok(()));
    }

    /// Partition 0 has eight records of a minute each, partition 1 two. The first poll brings all of them; one worker, and three places in all.
    #[tokio::test(start_paused = true)]
    async fn a_partition_of_which_nothing_is_held_is_read_on() {
        let run = Run::begin(partitions(&[8, 2]), 1, 2, |_| seconds(60));
        sleep(seconds(150)).await;
        let begun = run.log.with(|log| log.begun.len());
        assert_eq!(
            (run.group.with(|state| state.polled), begun),
            (10, 3),
            "all ten are polled; two are done and one runs"
        );
        run.group.with(|state| state.log.entry(Partition(1)).or_default().push((2, name(1, 2))));
        sleep(3 * TICK).await;
        let polled = run.group.with(|state| state.polled);
        assert_eq!(
            polled, 11,
            "the pool has taken both records of partition 1, and a third has come; partition 0's are held"
        );
        assert_eq!(run.end().await, Ok(()));
    }

    /// Offsets 10, 20, 30, …: the log was compacted.
    #[tokio::test(start_paused = true)]
    async fn the_commit_is_behind_the_last_whatever_offsets_there_are() {
        let group = Group::default();
        group.with(|state| state.log.insert(Partition(0), (1..=5).map(|n| (10 * n, n)).collect()));
        let run = Run::begin(group, 2, 2, |_| seconds(1));
        run.finished(5).await;
        sleep(2 * TICK).await;
        assert_eq!(run.group.committed(0), 51, "reading goes on behind 50");
        assert_eq!(run.end().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn records_of_one_key_are_done_in_order() {
        let group = Group::default();
        group.with(|state| {
            for partition in 0..2 {
                let records = (0..40).map(|offset| (offset, u64::from(partition) * 10 + offset % 3)).collect();
                state.log.insert(Partition(partition), records);
            }
        });
        let run = Run::begin(group, 4, 8, |offset| Duration::from_millis(1_000 - 20 * offset));
        run.finished(80).await;
        let finished = run.log.finished();
        for (partition, key) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            let of_key = |done: &&u64| **done / 1_000_000 == partition && **done % 1_000_000 % 3 == key;
            let order: Vec<u64> = finished.iter().filter(of_key).copied().collect();
            assert!(order.is_sorted(), "key {key} of partition {partition} was done in the order {order:?}");
        }
        assert_eq!(run.end().await, Ok(()));
    }

    /// Twelve records are accepted, a minute each, two at a time: it takes longer than the group waits for a poll.
    #[tokio::test(start_paused = true)]
    async fn at_the_end_what_is_accepted_is_done_and_committed_and_polling_goes_on() {
        let run = Run::begin(partitions(&[100]), 2, 10, |_| seconds(60));
        sleep(seconds(30)).await;
        run.stop.send_replace(true);
        sleep(2 * TICK).await;
        let (group, log, polled) = (run.group.clone(), run.log.clone(), run.group.with(|state| state.polled));
        assert_eq!(run.end().await, Ok(()), "it is a member until all is committed");
        assert_eq!(log.finished().len(), 12, "2 ran and 10 waited");
        assert_eq!(group.committed(0), 12, "the next owner goes on behind them, and with what was only held");
        assert_eq!(group.with(|state| state.polled), polled, "nothing more is read");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_consumer_stops_within_a_tick() {
        let run = Run::begin(partitions(&[3]), 2, 2, |_| seconds(1));
        run.finished(3).await;
        sleep(seconds(30)).await;
        let (group, began) = (run.group.clone(), Instant::now());
        assert_eq!(run.end().await, Ok(()));
        assert!(began.elapsed() <= 2 * TICK, "there was nothing to do, and it took {:?}", began.elapsed());
        assert_eq!(group.committed(0), 3);
    }

    /// The group has given its partitions to others: what goes on here is done twice.
    #[tokio::test(start_paused = true)]
    async fn who_is_thrown_out_stops_at_once() {
        let group = partitions(&[20]);
        group.with(|state| state.thrown_out_after = Some(5));
        let run = Run::begin(group, 2, 4, |_| seconds(60));
        let (log, ended) = (run.log.clone(), soon(run.ended).await.expect("no panic"));
        assert_eq!(ended, Err(Evicted));
        settle().await;
        assert_eq!(log.with(|done| done.running), 0, "what ran is stopped");
        sleep(seconds(600)).await;
        assert_eq!(log.finished(), [0_u64; 0], "its successor does them");
    }

    /// All is done, and the group does not wait any more: what could not be committed is done again by others.
    #[tokio::test(start_paused = true)]
    async fn who_cannot_commit_the_last_record_says_so() {
        let group = partitions(&[3]);
        group.with(|state| state.thrown_out_at = Some(3));
        let run = Run::begin(group, 1, 5, |_| seconds(10));
        sleep(seconds(25)).await;
        let (group, log) = (run.group.clone(), run.log.clone());
        let ended = run.end().await;
        assert_eq!((log.finished().len(), group.committed(0)), (3, 2), "the last commit is refused");
        assert_eq!(ended, Err(Evicted), "the end was not clean");
    }

    /// Wherever it is stopped, and however long the records take: the next consumer goes on where this one committed.
    #[test]
    fn stopped_at_any_time_nothing_is_lost_and_nothing_done_twice() {
        let sometimes = Sometimes::expect(["stopped with records held", "stopped in the middle of the work"]);
        for_seeds(60, |seed| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime").block_on(async {
                let mut rng = seed.rng();
                let counts = [rng.random_range(0..60), rng.random_range(0..60)];
                let (workers, waiting) = (rng.random_range(1..=4), rng.random_range(0..=6));
                let mut done = vec![];
                for life in 0..3 {
                    let group = partitions(&counts);
                    if life > 0 {
                        let finished: BTreeSet<u64> = done.iter().copied().collect();
                        group.with(|state| {
                            for (partition, log) in &state.log {
                                let of = |done: &&u64| **done / 1_000_000 == u64::from(partition.0);
                                let count = finished.iter().filter(of).count();
                                state.position.insert(*partition, count.min(log.len()));
                                state.committed.insert(*partition, count as u64);
                            }
                        });
                    }
                    let takes: Takes = |offset| Duration::from_millis(offset * 7_919 % 3_000);
                    let run = Run::begin(group.clone(), workers, waiting, takes);
                    let last = life == 2;
                    sleep(if last { seconds(1_000) } else { Duration::from_millis(rng.random_range(0..30_000)) }).await;
                    let held = group.with(|state| state.polled) > run.log.with(|log| log.begun.len()) + waiting;
                    sometimes.saw("stopped with records held", held);
                    sometimes.saw("stopped in the middle of the work", run.log.with(|log| log.running > 0));
                    let log = run.log.clone();
                    assert_eq!(run.end().await, Ok(()), "seed {seed}");
                    done.extend(log.finished());
                    for (partition, &count) in (0..).zip(&counts) {
                        let of = |done: &&u64| **done / 1_000_000 == u64::from(partition);
                        let finished = done.iter().filter(of).count() as u64;
                        let committed = group.committed(partition);
                        assert!(
                            committed == finished,
                            "seed {seed}, life {life}: {finished} of {count} records of partition {partition} are done, and {committed} is committed"
                        );
                    }
                }
                let mut once = done.clone();
                once.sort_unstable();
                once.dedup();
                assert!(
                    once.len() == done.len() && once.len() as u64 == counts.iter().sum::<u64>(),
                    "seed {seed}: {} records, {} done, {} of them different",
                    counts.iter().sum::<u64>(),
                    done.len(),
                    once.len()
                );
            });
        });
    }
}
