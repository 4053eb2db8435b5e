//! What it costs to get a connection out of a pool and to put it back: the reference beside `deadpool`.
//!
//! `cargo bench -p solutions-bench --bench connection_pool`
//!
//! The connection is a number, so nothing is measured but the pool. Both wait behind tokio's semaphore. The reference looks at the clock whenever a
//! connection goes or comes, because it has lifetimes; `deadpool` looks at it when it recycles, and has none. One thread, no real time passes on purpose.

use connection_pool::{Config, Manage, Pool};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use deadpool::managed;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, yield_now};

/// Opens numbers.
struct Numbers;

impl Manage for Numbers {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(7)
    }

    async fn check(&self, _: &mut u64) -> bool {
        true
    }

    fn recycle(&self, _: &mut u64) -> bool {
        true
    }
}

impl managed::Manager for Numbers {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(7)
    }

    async fn recycle(&self, _: &mut u64, _: &managed::Metrics) -> managed::RecycleResult<Infallible> {
        Ok(())
    }
}

fn ours(max: usize) -> Arc<Pool<Numbers>> {
    let hour = Duration::from_secs(3_600);
    Arc::new(Pool::new(Numbers, Config { max, wait: hour, lifetime: hour, idle: hour }))
}

fn theirs(max: usize) -> managed::Pool<Numbers> {
    managed::Pool::builder(Numbers).max_size(max).build().expect("a pool")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn alone(criterion: &mut Criterion) {
    let (runtime, ours, theirs) = (runtime(), ours(8), theirs(8));
    let mut group = criterion.benchmark_group("get and return, one caller");
    group.bench_function("reference", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let began = Instant::now();
                for _ in 0..rounds {
                    black_box(*ours.get().await.expect("a connection"));
                }
                began.elapsed()
            })
        });
    });
    group.bench_function("deadpool", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let began = Instant::now();
                for _ in 0..rounds {
                    black_box(*theirs.get().await.expect("a connection"));
                }
                began.elapsed()
            })
        });
    });
    group.finish();
}

const CALLERS: u64 = 64;
const CALLS: u64 = 100;

fn crowded(criterion: &mut Criterion) {
    let (runtime, ours, theirs) = (runtime(), ours(8), theirs(8));
    let mut group = criterion.benchmark_group("64 callers, 8 connections, 100 calls each");
    group.throughput(Throughput::Elements(CALLERS * CALLS)).sample_size(30);
    group.bench_function("reference", |bencher| {
        bencher.iter(|| {
            let tasks = (0..CALLERS).map(|_| {
                let pool = Arc::clone(&ours);
                async move {
                    for _ in 0..CALLS {
                        let connection = pool.get().await.expect("a connection");
                        yield_now().await;
                        black_box(*connection);
                    }
                }
            });
            runtime.block_on(async { tasks.fold(JoinSet::new(), spawned).join_all().await })
        });
    });
    group.bench_function("deadpool", |bencher| {
        bencher.iter(|| {
            let tasks = (0..CALLERS).map(|_| {
                let pool = theirs.clone();
                async move {
                    for _ in 0..CALLS {
                        let connection = pool.get().await.expect("a connection");
                        yield_now().await;
                        black_box(*connection);
                    }
                }
            });
            runtime.block_on(async { tasks.fold(JoinSet::new(), spawned).join_all().await })
        });
    });
    group.finish();
}

fn spawned(mut tasks: JoinSet<()>, task: impl Future<Output = ()> + Send + 'static) -> JoinSet<()> {
    tasks.spawn(task);
    tasks
}

criterion_group!(benches, alone, crowded);
criterion_main!(benches);
