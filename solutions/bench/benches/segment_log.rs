//! What an append costs, and what the distance between two index entries costs a lookup.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use segment_log::{Config, Directory, HEADER, Log};
use std::hint::black_box;
use tempfile::TempDir;

const RECORD: usize = 100;
const RECORDS: u64 = 100_000;

fn log(index_every: u64) -> (TempDir, Log<Directory>) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { segment_bytes: 1 << 22, index_every };
    let log = Log::open(Directory::at(folder.path().to_owned()), config).expect("an empty folder");
    (folder, log)
}

fn fill(log: &mut Log<Directory>, count: u64) {
    for time in 0..count {
        log.append(time, &[b'x'; RECORD - HEADER]).expect("there is room");
    }
}

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("append 1,000 records of 100 bytes");
    group.throughput(Throughput::Elements(1_000)).sample_size(20);
    group.bench_function("flush at the end", |b| {
        b.iter_batched_ref(
            || log(4_096),
            |(_folder, log)| {
                fill(log, 1_000);
                log.flush().expect("the disk is well");
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("never flushed", |b| {
        b.iter_batched_ref(|| log(4_096), |(_folder, log)| fill(log, 1_000), BatchSize::PerIteration);
    });
    group.finish();
}

fn lookup(c: &mut Criterion) {
    let mut group = c.benchmark_group("look up one of 100,000 records of 100 bytes");
    for index_every in [1, 4_096, 65_536, 1 << 22] {
        let (_folder, mut log) = log(index_every);
        fill(&mut log, RECORDS);
        let mut offset = 0;
        group.bench_function(format!("an entry every {index_every} bytes, {} entries", log.index_entries()), |b| {
            b.iter(|| {
                offset = (offset + 7_919) % RECORDS;
                log.read(black_box(offset)).expect("it is there")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, append, lookup);
criterion_main!(benches);
