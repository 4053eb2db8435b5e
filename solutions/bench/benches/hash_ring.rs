//! The reference ring beside the rings that a Rust user finds in the registry: finding an owner, building, and one node more.
//!
//! `cargo bench -p solutions-bench --bench hash_ring`
//!
//! Every ring has the same nodes, the same number of points for each, and the same keys. `hashring` has no virtual nodes
//! of its own: as its documentation advises, a point is an item, here the node's name and the number of the copy.

use conhash::ConsistentHash;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hash_ring::{Node, Ring};
use hashring::HashRing;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

const POINTS: u32 = 256;
const NODES: [usize; 3] = [10, 100, 1000];

/// A point of `hashring`. Its hash covers the name and the number.
type Copy = (Node, u32);

/// What `conhash` wants of a node.
#[derive(Clone)]
struct Named(Node);

impl conhash::Node for Named {
    fn name(&self) -> String {
        self.0.name().to_owned()
    }
}

fn nodes(count: usize) -> Vec<Node> {
    (0..count).map(|i| Node::new(format!("cache-{i}.eu.example"))).collect()
}

fn reference(nodes: &[Node]) -> Ring {
    Ring::new(NonZeroU32::new(POINTS).expect("positive"), nodes)
}

fn copies(node: &Node) -> impl Iterator<Item = Copy> {
    (0..POINTS).map(|copy| (node.clone(), copy))
}

fn hashring(nodes: &[Node]) -> HashRing<Copy> {
    let mut ring = HashRing::new();
    ring.batch_add(nodes.iter().flat_map(copies).collect());
    ring
}

fn conhash(nodes: &[Node]) -> ConsistentHash<Named> {
    let mut ring = ConsistentHash::new();
    for node in nodes {
        ring.add(&Named(node.clone()), POINTS as usize);
    }
    ring
}

fn lookup(c: &mut Criterion) {
    let mut group = c.benchmark_group("ring_lookup");
    let keys: Vec<String> = (0..4096).map(|i| format!("user:{i}:profile")).collect();
    group.throughput(Throughput::Elements(keys.len() as u64));
    for count in NODES {
        let nodes = nodes(count);
        let (ours, theirs, md5) = (reference(&nodes), hashring(&nodes), conhash(&nodes));
        group.bench_function(BenchmarkId::new("reference", count), |b| {
            b.iter(|| keys.iter().filter_map(|key| ours.owner(black_box(key))).count());
        });
        group.bench_function(BenchmarkId::new("hashring", count), |b| {
            b.iter(|| keys.iter().filter_map(|key| theirs.get(black_box(key))).count());
        });
        group.bench_function(BenchmarkId::new("conhash", count), |b| {
            b.iter(|| keys.iter().filter_map(|key| md5.get_str(black_box(key))).count());
        });
    }
    group.finish();
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("ring_build");
    for count in NODES {
        let nodes = nodes(count);
        group.throughput(Throughput::Elements(count as u64 * u64::from(POINTS)));
        group.bench_function(BenchmarkId::new("reference", count), |b| b.iter_with_large_drop(|| reference(&nodes)));
        group.bench_function(BenchmarkId::new("hashring", count), |b| b.iter_with_large_drop(|| hashring(&nodes)));
        group.bench_function(BenchmarkId::new("conhash", count), |b| b.iter_with_large_drop(|| conhash(&nodes)));
    }
    group.finish();
}

fn add(c: &mut Criterion) {
    let mut group = c.benchmark_group("ring_add");
    for count in NODES {
        let mut nodes = nodes(count + 1);
        let newcomer = nodes.pop().expect("one more");
        let (ours, theirs) = (reference(&nodes), hashring(&nodes));
        group.bench_function(BenchmarkId::new("reference", count), |b| {
            b.iter_batched_ref(|| ours.clone(), |ring| ring.add(&newcomer), BatchSize::LargeInput);
        });
        // Each of `hashring`'s calls to `add` sorts the whole ring; `batch_add` sorts it once.
        group.bench_function(BenchmarkId::new("hashring", count), |b| {
            b.iter_batched_ref(
                || theirs.clone(),
                |ring| ring.batch_add(copies(&newcomer).collect()),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    // Short on purpose: the differences that the page speaks of are factors, not percents.
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = lookup, build, add
}
criterion_main!(benches);
