//! The reference Bloom filter against `fastbloom`, at three sizes: within L1, within L2 and beyond most caches.
//!
//! `cargo bench -p solutions-bench --bench bloom_filter`
//!
//! All filters have 9.585 bits a key, 7 probes and as many keys as they were sized for (1 % false positives). Keys are
//! 16 bytes and are made on the fly, so that they compete with the filter for no cache. Three contestants:
//!
//! * `reference`: XXH3, 128 bits, in one go;
//! * `fastbloom+xxh3`: fastbloom given XXH3, 64 bits, in one go (`insert_hash`, `contains_hash`): the same hash;
//! * `fastbloom`: as it comes, with SipHash-1-3.

use bloom_filter::{BloomFilter, Shape};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

const PROBES: u32 = 7;
/// Lookups or insertions in one measured step.
const BATCH: u64 = 1_000;
/// Keys from here on were never inserted.
const UNSEEN: u64 = 1 << 40;

trait Filter {
    const NAME: &'static str;
    fn insert(&mut self, key: &[u8; 16]);
    fn contains(&self, key: &[u8; 16]) -> bool;
}

impl Filter for BloomFilter {
    const NAME: &'static str = "reference";
    fn insert(&mut self, key: &[u8; 16]) {
        self.insert(key);
    }
    fn contains(&self, key: &[u8; 16]) -> bool {
        self.might_contain(key)
    }
}

struct SameHash(fastbloom::BloomFilter);

impl Filter for SameHash {
    const NAME: &'static str = "fastbloom+xxh3";
    fn insert(&mut self, key: &[u8; 16]) {
        self.0.insert_hash(xxh3_64(key));
    }
    fn contains(&self, key: &[u8; 16]) -> bool {
        self.0.contains_hash(xxh3_64(key))
    }
}

struct AsItComes(fastbloom::BloomFilter);

impl Filter for AsItComes {
    const NAME: &'static str = "fastbloom";
    fn insert(&mut self, key: &[u8; 16]) {
        self.0.insert(key);
    }
    fn contains(&self, key: &[u8; 16]) -> bool {
        self.0.contains(key)
    }
}

fn benches(criterion: &mut Criterion) {
    for (size, bytes) in [("16 KiB", 16 << 10), ("512 KiB", 512 << 10), ("64 MiB", 64 << 20)] {
        let shape = Shape::new(bytes * 8, PROBES).expect("a possible shape");
        let keys = (shape.bits() as f64 / 9.585) as u64;
        let mut reference = BloomFilter::new(shape);
        (0..keys).for_each(|i| reference.insert(&key(i)));
        // fastbloom starts from the same bits, so that all are equally full, and then gets the keys that are looked up.
        // All three are copies, so that none has its memory laid out in another way.
        let bits = || fastbloom::BloomFilter::from_vec(reference.words().to_vec()).hashes(PROBES);
        measure(criterion, size, keys, SameHash(bits()));
        measure(criterion, size, keys, AsItComes(bits()));
        measure(criterion, size, keys, reference.clone());
    }
}

fn measure<F: Filter>(criterion: &mut Criterion, size: &str, keys: u64, mut filter: F) {
    let known = keys.min(1 << 20);
    (0..known).for_each(|i| filter.insert(&key(i)));
    let mut turn = (0..known - BATCH).step_by(BATCH as usize).cycle();

    let mut group = criterion.benchmark_group(size);
    group.throughput(Throughput::Elements(BATCH));
    for (what, first) in [("lookup, present", 0), ("lookup, absent", UNSEEN)] {
        group.bench_function(BenchmarkId::new(what, F::NAME), |bench| {
            bench.iter(|| {
                let from = first + turn.next().expect("a cycle");
                (from..from + BATCH).filter(|&i| filter.contains(&black_box(key(i)))).count()
            });
        });
    }
    group.bench_function(BenchmarkId::new("insert", F::NAME), |bench| {
        bench.iter(|| {
            let from = turn.next().expect("a cycle");
            (from..from + BATCH).for_each(|i| filter.insert(&black_box(key(i))));
        });
    });
    group.finish();
}

/// Sixteen bytes that look like an identifier: the number, and the number again, spread.
fn key(i: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&i.to_le_bytes());
    key[8..].copy_from_slice(&i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    key
}

criterion_group! {
    name = group;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000))
        .without_plots();
    targets = benches
}
criterion_main!(group);
