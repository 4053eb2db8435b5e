//! The store of sorted files beside what it competes with: a `BTreeMap` in memory, and a log that says how it came about.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lsm_tree::entry::{Entry, decode};
use lsm_tree::files::{Directory, Files};
use lsm_tree::{Config, Policy, Store};
use tempfile::TempDir;

const KEYS: usize = 100_000;
const MEMORY: u64 = 1 << 20;

/// A real folder. Filling it waits for the disk only where that is what is measured.
#[derive(Clone, Debug)]
struct Folder {
    files: Directory,
    syncs: bool,
}

impl Files for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn create(&mut self, name: &str) -> io::Result<()> {
        self.files.create(name)
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.files.append(name, bytes)
    }
    fn read(&self, name: &str, at: u64, most: usize) -> io::Result<Vec<u8>> {
        self.files.read(name, at, most)
    }
    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.files.truncate(name, length)
    }
    fn sync(&mut self, name: &str) -> io::Result<()> {
        if self.syncs { self.files.sync(name) } else { Ok(()) }
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }
}

fn folder(syncs: bool) -> (TempDir, Folder) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Directory::at(folder.path().to_owned());
    (folder, Folder { files, syncs })
}

/// The plain answer: everything in memory, every write in the log, the same entries and the same files.
struct Logged {
    files: Folder,
    map: BTreeMap<Vec<u8>, Vec<u8>>,
}

const LOG: &str = "log";

impl Logged {
    fn open(mut files: Folder) -> Self {
        let mut map = BTreeMap::new();
        if files.list().expect("the folder").iter().any(|name| name == LOG) {
            let bytes = files.read(LOG, 0, usize::MAX).expect("the log");
            let mut at = 0;
            while let Some((entry, length)) = decode(&bytes[at..]) {
                map.insert(entry.key, entry.value.expect("nothing was deleted"));
                at += length;
            }
        } else {
            files.create(LOG).expect("a file");
        }
        Self { files, map }
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        let entry = Entry { key: key.to_vec(), value: Some(value.to_vec()) };
        self.files.append(LOG, &entry.encode()).expect("there is room");
        self.files.sync(LOG).expect("the disk is well");
        self.map.insert(entry.key, entry.value.expect("it was put"));
    }

    /// A copy, as the store of files gives one.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.map.get(key).cloned()
    }
}

/// Keys of 16 bytes in no order; odd numbers are never put.
fn key(n: usize) -> [u8; 16] {
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&mixed.to_be_bytes());
    key[8..].copy_from_slice(&(n as u64).to_be_bytes());
    key
}

const fn config(policy: Policy) -> Config {
    Config { memory_bytes: MEMORY, block_bytes: 4_096, policy }
}

fn logged() -> (TempDir, Logged) {
    let (folder, files) = folder(false);
    let mut logged = Logged::open(files);
    for n in 0..KEYS {
        logged.put(&key(2 * n), &[b'x'; 100]);
    }
    (folder, logged)
}

fn store(policy: Policy) -> (TempDir, Store<Folder>) {
    let (folder, files) = folder(false);
    let mut store = Store::open(files, config(policy)).expect("an empty folder");
    for n in 0..KEYS {
        store.put(&key(2 * n), &[b'x'; 100]).expect("there is room");
    }
    store.flush().expect("there is room");
    (folder, store)
}

fn policies() -> [(&'static str, Policy); 3] {
    [("never merged", Policy::Never), ("four of a size", Policy::Tiers(4)), ("all merged", Policy::All)]
}

fn get(c: &mut Criterion) {
    for (what, odd) in [("a key that is there", 0), ("a key that is not there", 1)] {
        let mut group = c.benchmark_group(format!("get {what}, 100,000 keys of 16 bytes, values of 100"));
        group.throughput(Throughput::Elements(1));
        let mut n = 0;
        let mut next = move || {
            n = (n + 7_919) % KEYS;
            key(2 * n + odd)
        };
        let (_folder, logged) = logged();
        group.bench_function("BTreeMap with a log", |b| b.iter(|| logged.get(black_box(&next()))));
        for (name, policy) in policies() {
            let (_folder, store) = store(policy);
            group.bench_function(format!("LSM tree, {name}, {} tables", store.tables()), |b| {
                b.iter(|| store.get(black_box(&next())).expect("the disk is well"));
            });
        }
        group.finish();
    }
}

fn put(c: &mut Criterion) {
    let mut group = c.benchmark_group("put 100 keys, each synced");
    group.throughput(Throughput::Elements(100)).sample_size(10);
    group.bench_function("BTreeMap with a log", |b| {
        b.iter_batched_ref(
            || {
                let (folder, files) = folder(true);
                (folder, Logged::open(files))
            },
            |(_folder, logged)| (0..100).for_each(|n| logged.put(&key(n), &[b'x'; 100])),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("LSM tree", |b| {
        b.iter_batched_ref(
            || {
                let (folder, files) = folder(true);
                (folder, Store::open(files, config(Policy::Tiers(4))).expect("an empty folder"))
            },
            |(_folder, store)| (0..100).for_each(|n| store.put(&key(n), &[b'x'; 100]).expect("there is room")),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn start(c: &mut Criterion) {
    let mut group = c.benchmark_group("start with 100,000 keys");
    group.sample_size(10);
    let (_logged, Logged { files, .. }) = logged();
    group.bench_function("BTreeMap with a log", |b| b.iter(|| Logged::open(files.clone()).map.len()));
    let (folder, _store) = store(Policy::Tiers(4));
    let files = Folder { files: Directory::at(folder.path().to_owned()), syncs: false };
    group.bench_function("LSM tree", |b| {
        b.iter(|| Store::open(files.clone(), config(Policy::Tiers(4))).expect("unharmed").tables());
    });
    group.finish();
}

criterion_group!(benches, get, put, start);
criterion_main!(benches);
