//! The reference log and its two-number estimate beside what one writes without thinking: a `Mutex<VecDeque<Instant>>`.
//!
//! `cargo bench -p solutions-bench --bench sliding_window`
//!
//! All three stand behind a `Mutex` and read `Instant` at each request; the last line says what that alone takes. The benches run on one thread: what a lock costs when many
//! want it is not in them.

use criterion::{Criterion, criterion_group, criterion_main};
use kit::{Millis, Time};
use sliding_window::{Counter, Limit, Log};
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The log by hand: as many times as the limit, the oldest first.
struct ByHand {
    requests: usize,
    window: Duration,
    admitted: Mutex<VecDeque<Instant>>,
}

impl ByHand {
    fn admit(&self) -> bool {
        let now = Instant::now();
        let mut admitted = self.admitted.lock().expect("nobody panics");
        while admitted.front().is_some_and(|&oldest| now - oldest >= self.window) {
            admitted.pop_front();
        }
        let has_room = admitted.len() < self.requests;
        if has_room {
            admitted.push_back(now);
        }
        has_room
    }
}

fn admit(criterion: &mut Criterion) {
    // Always room, in a window of a millisecond, of which each request drops what is too old; and never room, in one of an hour.
    for (name, requests, window) in [("one client, granted", 1_000_000_000, 1), ("one client, refused", 100, 3_600_000)]
    {
        let limit = Limit::new(requests, Millis(window)).expect("more than nothing");
        let mut group = criterion.benchmark_group(name);
        let began = Instant::now();
        let now = || Time(u64::try_from(began.elapsed().as_millis()).expect("not for ever"));

        let log = Mutex::new(Log::new(limit));
        group.bench_function("the log", |bencher| {
            bencher.iter(|| log.lock().expect("nobody panics").admit(black_box(now())).is_ok());
        });
        let counter = Mutex::new(Counter::new(limit));
        group.bench_function("two numbers", |bencher| {
            bencher.iter(|| counter.lock().expect("nobody panics").admit(black_box(now())));
        });
        let by_hand =
            ByHand { requests: requests as usize, window: Duration::from_millis(window), admitted: Mutex::default() };
        group.bench_function("Mutex<VecDeque<Instant>>", |bencher| bencher.iter(|| black_box(&by_hand).admit()));
        let nothing = Mutex::new(0);
        group.bench_function("the clock and the lock alone", |bencher| {
            bencher.iter(|| *nothing.lock().expect("nobody panics") = black_box(now()).0);
        });
        group.finish();
    }
}

criterion_group!(benches, admit);
criterion_main!(benches);
