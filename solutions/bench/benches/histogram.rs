//! The reference histogram beside `hdrhistogram`: recording, asking for a quantile, merging.
//!
//! `cargo bench -p solutions-bench --bench histogram`
//!
//! All get the same latencies, in microseconds: most between 0.5 and 16 ms, one in a hundred up to 16 s. The reference has 64
//! buckets for each doubling (an error below 1.6 %); `hdrhistogram` with two significant digits has 128 (below 0.8 %), the
//! nearest it offers. `sort` keeps every latency and sorts them when it is asked.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use histogram::{Histogram, Micros, Quantile, nearest_rank};
use std::hint::black_box;
use std::time::Duration;

const LATENCIES: u64 = 100_000;

trait Contestant: Clone {
    const NAME: &'static str;
    fn empty() -> Self;
    fn record(&mut self, latency: u64);
    fn p99(&self) -> u64;
    fn merge(&mut self, other: &Self);
}

impl Contestant for Histogram {
    const NAME: &'static str = "reference";
    fn empty() -> Self {
        Self::default()
    }
    fn record(&mut self, latency: u64) {
        self.record(Micros(latency));
    }
    fn p99(&self) -> u64 {
        self.quantile(p99()).expect("there are latencies").0
    }
    fn merge(&mut self, other: &Self) {
        self.merge(other);
    }
}

impl Contestant for hdrhistogram::Histogram<u64> {
    const NAME: &'static str = "hdrhistogram";
    fn empty() -> Self {
        Self::new(2).expect("two significant digits are possible")
    }
    fn record(&mut self, latency: u64) {
        self.record(latency).expect("it grows as needed");
    }
    fn p99(&self) -> u64 {
        self.value_at_quantile(0.99)
    }
    fn merge(&mut self, other: &Self) {
        self.add(other).expect("it grows as needed");
    }
}

#[derive(Clone)]
struct Sort(Vec<Micros>);

impl Contestant for Sort {
    const NAME: &'static str = "sort";
    fn empty() -> Self {
        Self(Vec::new())
    }
    fn record(&mut self, latency: u64) {
        self.0.push(Micros(latency));
    }
    fn p99(&self) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        nearest_rank(&sorted, p99()).expect("there are latencies").0
    }
    fn merge(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }
}

fn p99() -> Quantile {
    Quantile::per_million(990_000).expect("99 % is a share")
}

fn benches(criterion: &mut Criterion) {
    let latencies: Vec<u64> = (0..LATENCIES).map(latency).collect();
    measure::<Histogram>(criterion, &latencies);
    measure::<hdrhistogram::Histogram<u64>>(criterion, &latencies);
    measure::<Sort>(criterion, &latencies);
}

fn measure<C: Contestant>(criterion: &mut Criterion, latencies: &[u64]) {
    let mut full = C::empty();
    latencies.iter().for_each(|&latency| full.record(latency));

    let mut group = criterion.benchmark_group("record");
    group
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(LATENCIES));
    group.bench_function(BenchmarkId::from_parameter(C::NAME), |bencher| {
        bencher.iter(|| {
            let mut contestant = C::empty();
            latencies.iter().for_each(|&latency| contestant.record(black_box(latency)));
            contestant
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("p99 of 100,000");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.bench_function(BenchmarkId::from_parameter(C::NAME), |bencher| bencher.iter(|| black_box(&full).p99()));
    group.finish();

    let mut group = criterion.benchmark_group("merge two of 100,000");
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.bench_function(BenchmarkId::from_parameter(C::NAME), |bencher| {
        bencher.iter_batched_ref(|| full.clone(), |mine| mine.merge(black_box(&full)), BatchSize::SmallInput);
    });
    group.finish();
}

/// The `i`-th latency, scattered by SplitMix64.
fn latency(i: u64) -> u64 {
    let mut bits = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let doublings = if bits.is_multiple_of(100) { 15 } else { 5 };
    let base = 500 << ((bits >> 32) % doublings);
    base + (bits >> 8) % base
}

criterion_group!(all, benches);
criterion_main!(all);
