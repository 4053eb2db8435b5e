//! The page's own numbers.

use segment_log::{Config, Directory, HEADER, Limits, Log};

/// A gigabyte of records of 100 bytes, and 16 bytes an entry.
#[test]
fn an_entry_for_every_record_takes_172_mb_and_one_for_41_takes_4_2() {
    let records = f64::from(1 << 30) / 100.0;
    assert_eq!((records * 16.0 / 1e6).round(), 172.0);
    assert_eq!((records / 41.0 * 16.0 / 1e5).round(), 42.0);
    assert_eq!((f64::from(1 << 30) / 1e6 / 172.0).round(), 6.0);
}

#[test]
fn with_an_entry_every_4096_bytes_one_record_of_100_bytes_in_41_has_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { segment_bytes: 1 << 30, index_every: 4_096 };
    let mut log = Log::open(Directory::at(folder.path().to_owned()), config).expect("an empty folder");
    for _ in 0..410 {
        log.append(0, &[b'x'; 100 - HEADER]).expect("the disk is well");
    }
    assert_eq!(log.index_entries(), 10);
}

/// Five days of records in a file, and a limit of seven: the first of them goes with the last.
#[test]
fn the_first_record_of_a_file_stays_for_twelve_days() {
    const DAY: u64 = 86_400_000;
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { segment_bytes: 6 * HEADER as u64, index_every: 1 };
    let mut log = Log::open(Directory::at(folder.path().to_owned()), config).expect("an empty folder");
    for day in 0..7 {
        log.append(day * DAY, b"").expect("the disk is well");
    }
    let week = Limits { age: Some(7 * DAY), bytes: None };
    assert_eq!(log.retain(12 * DAY, week).expect("the disk is well"), 0);
    assert_eq!(log.retain(12 * DAY + 1, week).expect("the disk is well"), 1);
}
