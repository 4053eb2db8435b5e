//! The reference token bucket beside `governor`: one client, and ten thousand of them in turn.
//!
//! `cargo bench -p solutions-bench --bench token_bucket`
//!
//! All read the same kind of clock at each request, for that is part of the work: the reference behind a `Mutex` reads `Instant`,
//! `governor` its default clock. `governor` keeps its state in an atomic number and needs no lock; its keyed limiter is a
//! sharded map that forgets nobody by itself. The benches run on one thread: what a lock costs when many want it is not in them.

use criterion::{Criterion, criterion_group, criterion_main};
use governor::{Quota, RateLimiter};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use token_bucket::{Limit, Limiter, TokenBucket};

const CLIENTS: u32 = 10_000;

/// A burst and a rate that are never used up, and one token an hour.
const PLENTY: u32 = 1_000_000_000;

fn limit(tokens: u32, per: Duration) -> Limit {
    Limit::new(tokens, tokens, per).expect("a sound limit")
}

fn tokens(tokens: u32) -> NonZeroU32 {
    NonZeroU32::new(tokens).expect("more than none")
}

fn one_client(criterion: &mut Criterion) {
    let second = Duration::from_secs(1);
    let cases = [
        ("one client, granted", limit(PLENTY, second), Quota::per_second(tokens(PLENTY))),
        ("one client, refused", limit(1, 3_600 * second), Quota::per_hour(tokens(1))),
    ];
    for (name, limit, quota) in cases {
        let mut group = criterion.benchmark_group(name);
        let began = Instant::now();
        let bucket = Mutex::new(TokenBucket::new(limit));
        group.bench_function("reference", |bencher| {
            bencher.iter(|| bucket.lock().expect("nobody panics").take(black_box(1), began.elapsed()));
        });
        let governor = RateLimiter::direct(quota);
        group.bench_function("governor", |bencher| bencher.iter(|| governor.check().is_ok()));
        group.finish();
    }
}

fn many_clients(criterion: &mut Criterion) {
    let second = Duration::from_secs(1);
    let mut group = criterion.benchmark_group("ten thousand clients in turn");
    let began = Instant::now();
    let limiter = Mutex::new(Limiter::new(limit(1_000, second), CLIENTS as usize));
    let mut client = 0;
    group.bench_function("reference", |bencher| {
        bencher.iter(|| {
            client = (client + 1) % CLIENTS;
            limiter.lock().expect("nobody panics").take(black_box(&client), 1, began.elapsed())
        });
    });
    let governor = RateLimiter::keyed(Quota::per_second(tokens(1_000)));
    group.bench_function("governor", |bencher| {
        bencher.iter(|| {
            client = (client + 1) % CLIENTS;
            governor.check_key(black_box(&client)).is_ok()
        });
    });
    group.finish();
}

criterion_group!(benches, one_client, many_clients);
criterion_main!(benches);
