//! The numbers of the page.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use lsm_tree::entry::HEADER;
use lsm_tree::files::Files;
use lsm_tree::filter::{Filter, hash};
use lsm_tree::{Config, Policy, Store};

/// Files in memory, which count what is written to all but the manifest, and how often a table is read.
#[derive(Clone, Debug, Default)]
struct Counting(Rc<RefCell<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    files: BTreeMap<String, Vec<u8>>,
    written: usize,
}

fn is_manifest(name: &str) -> bool {
    name.starts_with("manifest")
}

impl Files for Counting {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().files.keys().cloned().collect())
    }
    fn create(&mut self, name: &str) -> io::Result<()> {
        self.0.borrow_mut().files.insert(name.to_owned(), Vec::new());
        Ok(())
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut counts = self.0.borrow_mut();
        counts.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?.extend(bytes);
        counts.written += if is_manifest(name) { 0 } else { bytes.len() };
        Ok(())
    }
    fn read(&self, name: &str, at: u64, most: usize) -> io::Result<Vec<u8>> {
        let counts = self.0.borrow();
        let file = counts.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(file.iter().skip(at as usize).take(most).copied().collect())
    }
    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.0.borrow_mut().files.get_mut(name).ok_or(io::ErrorKind::NotFound)?.truncate(length as usize);
        Ok(())
    }
    fn sync(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut counts = self.0.borrow_mut();
        let file = counts.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        counts.files.insert(to.to_owned(), file);
        Ok(())
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.borrow_mut().files.remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// What one byte of the caller's costs, when 63 times a memory full of 50 entries was flushed: bytes written, tables a scan must read, and, if it was
/// always the same 50 keys, bytes kept.
fn prices(policy: Policy) -> (String, usize, String) {
    let run = |key: fn(usize, usize) -> usize| {
        let files = Counting::default();
        let config = Config { memory_bytes: u64::MAX, block_bytes: 4_096, policy };
        let mut store = Store::open(files.clone(), config).expect("an empty folder");
        for round in 0..63 {
            for n in 0..50 {
                store.put(format!("{:08}", key(round, n)).as_bytes(), &[b'x'; 20]).expect("memory is well");
            }
            store.flush().expect("memory is well");
        }
        let counts = files.0.borrow();
        let kept: usize =
            counts.files.iter().filter(|(name, _)| !is_manifest(name)).map(|(_, bytes)| bytes.len()).sum();
        (counts.written, store.tables(), kept)
    };
    let entry = HEADER + 8 + 20;
    let (written, tables, _) = run(|round, n| 63 * n + round);
    let (_, _, kept) = run(|_, n| n);
    let written = written as f64 / (63 * 50 * entry) as f64;
    (format!("{written:.2}"), tables, format!("{:.0}", kept as f64 / (50 * entry) as f64))
}

#[test]
fn the_three_prices_after_63_tables() {
    assert_eq!(prices(Policy::Never), ("2.00".to_owned(), 63, "63".to_owned()));
    assert_eq!(prices(Policy::Tiers(4)), ("3.71".to_owned(), 9, "9".to_owned()));
    assert_eq!(prices(Policy::All), ("33.98".to_owned(), 1, "1".to_owned()));
}

/// 63 is 333 in the base 4: three tables of each tier.
#[test]
fn they_are_what_the_sums_say() {
    let tiers = 2.0 + (2.0 * 48.0 + 12.0) / 63.0;
    assert_eq!(format!("{tiers:.2}"), "3.71");
    let all = 2.0 + f64::from((2..=63).sum::<u32>()) / 63.0;
    assert_eq!(format!("{all:.2}"), "33.98");
}

#[test]
fn a_filter_errs_about_once_in_a_hundred() {
    let hashes: Vec<u64> = (0..10_000).map(|n| hash(format!("key {n}").as_bytes())).collect();
    let filter = Filter::of(&hashes);
    assert!(hashes.iter().all(|&hash| filter.may_contain(hash)), "never the other way round");
    let errs = (10_000..110_000).filter(|n| filter.may_contain(hash(format!("key {n}").as_bytes()))).count();
    assert!((600..1_200).contains(&errs), "{errs} of 100,000; (1 - e^-0.7)^7 = 0.82 % are 819");
}

/// 40 GB in entries of 100 bytes: an index with every key, of 16 bytes and an offset of 8, and one with a key a block.
#[test]
fn an_index_of_every_key_takes_ten_gigabytes() {
    let keys = 40_000_000_000_u64 / 100;
    assert_eq!(keys * 24, 9_600_000_000);
    assert_eq!(40_000_000_000_u64 / 4_100 * 24 / 1_000_000, 234);
}
