//! What a circuit breaker adds to a call that succeeds, and what a rejection costs.

use circuit_breaker::{CircuitBreaker, Config, Millis, Percent, Time};
use criterion::{Criterion, criterion_group, criterion_main};
use recloser::Recloser;
use std::{
    hint::black_box,
    num::NonZeroUsize,
    time::{Duration, Instant},
};

const WINDOW: usize = 100;
const PROBES: usize = 10;

fn ours() -> CircuitBreaker {
    CircuitBreaker::new(Config {
        window: NonZeroUsize::new(WINDOW).expect("not 0"),
        minimum_calls: WINDOW,
        threshold: Percent::new(50).expect("a percentage"),
        open_for: Millis(60_000),
        probes: NonZeroUsize::new(PROBES).expect("not 0"),
    })
}

fn theirs() -> Recloser {
    Recloser::custom()
        .error_rate(0.5)
        .closed_len(WINDOW)
        .half_open_len(PROBES)
        .open_wait(Duration::from_secs(60))
        .build()
}

fn succeed(c: &mut Criterion) {
    let mut group = c.benchmark_group("circuit breaker, a call that succeeds");
    group.bench_function("no breaker", |b| b.iter(|| black_box(Ok::<u64, ()>(1))));
    let breaker = ours();
    group.bench_function("ours", |b| {
        b.iter(|| {
            let permit = breaker.admit(black_box(Time(0))).expect("nothing fails");
            let answer = black_box(Ok::<u64, ()>(1));
            permit.succeed(black_box(Time(0)));
            answer
        });
    });
    let (breaker, start) = (ours(), Instant::now());
    let now = || Time(start.elapsed().as_millis() as u64);
    group.bench_function("ours, with the clock read twice", |b| {
        b.iter(|| {
            let permit = breaker.admit(now()).expect("nothing fails");
            let answer = black_box(Ok::<u64, ()>(1));
            permit.succeed(now());
            answer
        });
    });
    let breaker = theirs();
    group.bench_function("recloser", |b| b.iter(|| breaker.call(|| black_box(Ok::<u64, ()>(1)))));
    group.finish();
}

fn reject(c: &mut Criterion) {
    let mut group = c.benchmark_group("circuit breaker, a call that is rejected");
    let breaker = ours();
    for _ in 0..WINDOW {
        breaker.admit(Time(0)).expect("it is closed").fail(Time(0));
    }
    group.bench_function("ours", |b| b.iter(|| breaker.admit(black_box(Time(1))).is_err()));
    let breaker = theirs();
    while !matches!(breaker.call(|| Err::<(), ()>(())), Err(recloser::Error::Rejected)) {}
    group.bench_function("recloser", |b| b.iter(|| breaker.call(|| black_box(Ok::<u64, ()>(1))).is_err()));
    group.finish();
}

criterion_group!(benches, succeed, reject);
criterion_main!(benches);
