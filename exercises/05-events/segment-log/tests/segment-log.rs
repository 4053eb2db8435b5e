//! What a reader of the log can see, and what the files look like.

use kit::{Rng, Sometimes, for_seeds};
use rand::RngExt as _;
use segment_log::{Config, Directory, Error, Files, HEADER, Limits, Log, Record, decode, file_name};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

/// A folder in memory. It counts what is read, can fail, and can crash. A clone is the same folder.
#[derive(Clone, Debug, Default)]
struct Disk(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    /// The bytes, and how many of them would survive a crash.
    files: BTreeMap<String, (Vec<u8>, usize)>,
    bytes_read: usize,
    /// The next append writes so many bytes and fails.
    fail_after: Option<usize>,
    /// How many bytes a crash could have taken when the last file was made.
    at_risk: usize,
}

impl Disk {
    /// All files with their bytes.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.borrow().files.iter().map(|(name, (bytes, _))| (name.clone(), bytes.clone())).collect()
    }

    /// The size of each file, in the order of the names.
    fn sizes(&self) -> Vec<(String, usize)> {
        self.0.borrow().files.iter().map(|(name, (bytes, _))| (name.clone(), bytes.len())).collect()
    }

    /// Changes one file behind the log's back.
    fn tamper(&self, base: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.borrow_mut();
        let (bytes, synced) = state.files.get_mut(&file_name(base)).expect("there is such a file");
        change(bytes);
        *synced = bytes.len();
    }

    /// How many bytes were read since the last call.
    fn bytes_read(&self) -> usize {
        std::mem::take(&mut self.0.borrow_mut().bytes_read)
    }

    /// The power fails. Of what was not synced any part is there, and its end may be something else.
    fn crash(&self, rng: &mut Rng) {
        for (bytes, synced) in self.0.borrow_mut().files.values_mut() {
            bytes.truncate(rng.random_range(*synced..=bytes.len()));
            let from = rng.random_range(*synced..=bytes.len());
            match rng.random_range(0..3) {
                0 => bytes[from..].fill(0),
                1 => bytes[from..].iter_mut().for_each(|byte| *byte = rng.random_range(0..=255)),
                _ => {}
            }
            *synced = bytes.len();
        }
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.borrow().files.keys().rev().cloned().collect())
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.at_risk = state.files.values().map(|(bytes, synced)| bytes.len() - synced).sum();
        let before = state.files.insert(name.to_owned(), Default::default());
        assert!(before.is_none(), "{name} is created a second time");
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let written = state.fail_after.take().map(|most| most.min(bytes.len()));
        let (file, _) = state.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.extend(&bytes[..written.unwrap_or(bytes.len())]);
        if written.is_some() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn read(&self, name: &str, at: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut state = self.0.borrow_mut();
        let (file, _) = state.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        let bytes: Vec<u8> = file.iter().skip(at as usize).take(most).copied().collect();
        state.bytes_read += bytes.len();
        Ok(bytes)
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let (file, synced) = state.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.truncate(length as usize);
        *synced = file.len();
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let (file, synced) = state.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        *synced = file.len();
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.0.borrow_mut().files.remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Segments of at most 100 bytes: two records of 16 bytes take 80.
const SMALL: Config = Config { segment_bytes: 100, index_every: 1 };

fn open<F: Files>(files: F, config: Config) -> Log<F> {
    Log::open(files, config).unwrap_or_else(|error| panic!("the log must open: {error:?}"))
}

/// A log in which each record says its number, in 16 bytes, at the time 1,000 times its number.
fn filled(disk: &Disk, config: Config, count: u64) -> Log<Disk> {
    let mut log = open(disk.clone(), config);
    for i in log.end()..log.end() + count {
        log.append(1_000 * i, &payload(i)).expect("the disk is well");
    }
    log
}

fn payload(i: u64) -> Vec<u8> {
    format!("record {i:9}").into_bytes()
}

/// Every record from `first` up to `end` is there and says its number, and no other.
#[track_caller]
fn holds<F: Files>(log: &Log<F>, first: u64, end: u64) {
    assert!((log.first(), log.end()) == (first, end), "it holds {}..{}, not {first}..{end}", log.first(), log.end());
    for offset in first..end {
        let record = log.read(offset).unwrap_or_else(|error| panic!("{offset} of {first}..{end}: {error:?}"));
        assert!(record.offset == offset && record.payload == payload(offset), "at {offset} there is {record:?}");
    }
    for offset in [first.wrapping_sub(1), end, end + 1, u64::MAX] {
        let read = log.read(offset);
        assert!(
            matches!(read, Err(Error::OutOfRange { first: f, end: e }) if (f, e) == (first, end)),
            "{offset} is not in {first}..{end}: {read:?}"
        );
    }
}

mod stage_1_records {
    use super::*;
    use pretty_assertions::assert_eq;

    fn record() -> Record {
        Record { offset: 7, time: 1_700_000_000_000, payload: b"paid 90 euros".to_vec() }
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let mut bytes = record().encode();
        let length = bytes.len();
        assert_eq!(decode(&bytes), Some((record(), HEADER + 13)), "nothing behind it");
        bytes.extend(b"the next one");
        assert_eq!(decode(&bytes), Some((record(), length)), "what is behind it does not matter");
        let empty = Record { payload: vec![], ..record() };
        assert_eq!(decode(&empty.encode()), Some((empty, HEADER)), "a record may be empty");
    }

    /// The power failed while it was written.
    #[test]
    fn a_part_of_a_record_is_none() {
        let bytes = record().encode();
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), None, "{cut} of {} bytes", bytes.len());
        }
        assert!(decode(&bytes).is_some(), "all of it");
    }

    /// Among others the length becomes 4 GB.
    #[test]
    fn a_record_with_one_wrong_bit_is_none() {
        let bytes = record().encode();
        for bit in 0..8 * bytes.len() {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            wrong.extend([0; 64]);
            assert_eq!(decode(&wrong), None, "bit {bit} is wrong");
        }
    }

    /// Some file systems make the file longer before the bytes are there.
    #[test]
    fn zeros_are_no_record() {
        assert_eq!(decode(&[0; 200]), None);
    }
}

mod stage_2_segments {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn an_empty_log_has_one_empty_file() {
        let disk = Disk::default();
        let log = open(disk.clone(), SMALL);
        assert_eq!((disk.sizes(), log.bytes()), (vec![(file_name(0), 0)], 0));
        holds(&log, 0, 0);
    }

    #[test]
    fn records_are_numbered_and_found_again() {
        let disk = Disk::default();
        let mut log = filled(&disk, Config { segment_bytes: 10_000, index_every: 1 }, 20);
        assert_eq!(log.append(0, &payload(20)).expect("the disk is well"), 20, "the offset of the next one");
        holds(&log, 0, 21);
        let record = log.read(5).expect("it is there");
        assert_eq!(record.time, 5_000, "the time is kept too");
    }

    /// 40 bytes a record, 100 a segment: the third would make 120.
    #[test]
    fn a_segment_is_closed_before_it_gets_too_large() {
        let disk = Disk::default();
        let log = filled(&disk, SMALL, 5);
        assert_eq!(disk.sizes(), [(file_name(0), 80), (file_name(2), 80), (file_name(4), 40)]);
        assert_eq!(log.bytes(), 200);
        holds(&log, 0, 5);
    }

    #[test]
    fn a_segment_may_be_filled_to_the_last_byte() {
        let disk = Disk::default();
        filled(&disk, Config { segment_bytes: 80, index_every: 1 }, 3);
        assert_eq!(disk.sizes(), [(file_name(0), 80), (file_name(2), 40)]);
    }

    #[test]
    fn a_record_larger_than_a_segment_gets_one_of_its_own() {
        let disk = Disk::default();
        let mut log = open(disk.clone(), SMALL);
        for size in [500, 10, 500, 10, 10] {
            log.append(0, &vec![b'x'; size]).expect("the disk is well");
        }
        let sizes = [(0, 524), (1, 34), (2, 524), (3, 68)].map(|(base, size)| (file_name(base), size));
        assert_eq!(disk.sizes(), sizes);
        assert_eq!(log.read(2).expect("it is there").payload.len(), 500);
    }

    /// Ten records of 100 bytes in a segment. With an entry every 250 bytes: those at 0, 300, 600 and 900.
    #[test]
    fn the_index_names_one_record_in_many() {
        let disk = Disk::default();
        let mut log = open(disk, Config { segment_bytes: 1_000, index_every: 250 });
        let mut entries = Vec::new();
        for _ in 0..12 {
            log.append(0, &[b'x'; 76]).expect("the disk is well");
            entries.push(log.index_entries());
        }
        assert_eq!(entries, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 5], "the eleventh record begins a segment");
    }

    /// 10,000 records of 100 bytes, indexed every 4,096: one in 41 has an entry.
    #[test]
    fn a_lookup_reads_one_stretch_between_two_entries() {
        let disk = Disk::default();
        let mut log = open(disk.clone(), Config { segment_bytes: 100_000, index_every: 4_096 });
        for i in 0..10_000_u64 {
            log.append(i, &[b'x'; 76]).expect("the disk is well");
        }
        assert_eq!(log.index_entries(), 250, "25 for each of ten segments");
        disk.bytes_read();
        for offset in (0..10_000).step_by(37) {
            assert_eq!(log.read(offset).expect("it is there").time, offset);
            let read = disk.bytes_read();
            assert!(read <= 4_096 + 100, "{read} bytes were read to find record {offset} of 100 bytes");
        }
    }

    #[test]
    fn a_lookup_finds_what_a_scan_would_find() {
        let sometimes = Sometimes::expect(["many segments", "one segment", "a record between two entries"]);
        for_seeds(50, |seed| {
            let mut rng = seed.rng();
            let config = Config { segment_bytes: rng.random_range(1..3_000), index_every: rng.random_range(1..500) };
            let disk = Disk::default();
            let mut log = open(disk.clone(), config);
            let mut written = Vec::new();
            for _ in 0..rng.random_range(1..100) {
                let payload = vec![rng.random_range(0..=255); rng.random_range(0..100)];
                let time = rng.random_range(0..1_000);
                let offset = log.append(time, &payload).expect("the disk is well");
                written.push(Record { offset, time, payload });
            }
            for record in &written {
                let found =
                    log.read(record.offset).unwrap_or_else(|error| panic!("{config:?}, {}: {error:?}", record.offset));
                assert_eq!(&found, record, "seed {seed}, {config:?}");
            }
            sometimes.saw("many segments", disk.sizes().len() > 5);
            sometimes.saw("one segment", disk.sizes().len() == 1);
            sometimes.saw("a record between two entries", log.index_entries() * 2 < written.len());
        });
    }
}

mod stage_3_recovery {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn a_log_goes_on_where_it_ended() {
        let disk = Disk::default();
        let entries = filled(&disk, SMALL, 5).index_entries();
        let again = open(disk.clone(), SMALL);
        holds(&again, 0, 5);
        assert_eq!((again.index_entries(), again.bytes()), (entries, 200), "index and size are known again");
        holds(&filled(&disk, SMALL, 4), 0, 9);
    }

    /// The last segment, of three records, is cut off at every byte.
    #[test]
    fn wherever_the_tail_is_torn_the_whole_records_remain() {
        for cut in 0..=120 {
            let disk = Disk::default();
            let config = Config { segment_bytes: 120, index_every: 1 };
            filled(&disk, config, 6);
            disk.tamper(3, |bytes| bytes.truncate(cut));
            let whole = cut as u64 / 40;
            holds(&open(disk.clone(), config), 0, 3 + whole);
            assert_eq!(
                disk.sizes()[1].1 as u64,
                40 * whole,
                "cut at {cut}: what is no whole record is gone from the file"
            );
            holds(&filled(&disk, config, 2), 0, 5 + whole);
            holds(&open(disk, config), 0, 5 + whole);
        }
    }

    /// The first of three records was written to the disk last, and not in time.
    #[test]
    fn behind_the_first_wrong_byte_nothing_counts() {
        let disk = Disk::default();
        let config = Config { segment_bytes: 1_000, index_every: 1 };
        filled(&disk, config, 3);
        disk.tamper(0, |bytes| bytes[39] ^= 1);
        holds(&open(disk.clone(), config), 0, 0);
        assert_eq!(disk.sizes(), [(file_name(0), 0)], "records 1 and 2 are whole, and nothing can follow a hole");
    }

    /// The file system gave the file a block that it had before, when another record stood there.
    #[test]
    fn a_whole_record_with_another_offset_is_no_continuation() {
        let disk = Disk::default();
        let config = Config { segment_bytes: 1_000, index_every: 1 };
        filled(&disk, config, 2);
        for stray in [1, 3, 77] {
            let record = Record { offset: stray, time: 0, payload: payload(stray) };
            disk.tamper(0, |bytes| bytes.extend(record.encode()));
            holds(&open(disk.clone(), config), 0, 2);
        }
    }

    /// The crash came after the new file was made and before anything stood in it.
    #[test]
    fn a_new_segment_may_be_empty() {
        let disk = Disk::default();
        filled(&disk, SMALL, 3);
        disk.tamper(2, Vec::clear);
        holds(&open(disk.clone(), SMALL), 0, 2);
        holds(&filled(&disk, SMALL, 1), 0, 3);
    }

    /// Two segments follow. Cutting off here would leave a hole of acknowledged records, in silence.
    #[test]
    fn damage_in_a_closed_segment_is_reported_and_nothing_is_changed() {
        let disk = Disk::default();
        filled(&disk, SMALL, 6);
        disk.tamper(2, |bytes| bytes[50] ^= 1);
        let before = disk.files();
        let opened = Log::open(disk.clone(), SMALL);
        assert!(
            matches!(&opened, Err(Error::Damaged { file, at: 40 }) if *file == file_name(2)),
            "byte 50 of the second of three files is wrong, in the record that begins at 40: {opened:?}"
        );
        assert_eq!(disk.files(), before);
    }

    #[test]
    fn a_closed_segment_that_is_too_short_or_missing_is_damage() {
        let disk = Disk::default();
        filled(&disk, SMALL, 6);
        disk.tamper(2, |bytes| bytes.truncate(40));
        assert!(matches!(Log::open(disk.clone(), SMALL), Err(Error::Damaged { .. })), "record 3 is missing, 4 follows");
        disk.clone().remove(&file_name(2)).expect("it is there");
        let before = disk.files();
        assert!(matches!(Log::open(disk.clone(), SMALL), Err(Error::Damaged { .. })), "records 2 and 3 are missing");
        assert_eq!(disk.files(), before, "nothing is changed");
    }

    #[test]
    fn files_that_are_no_segments_are_left_alone() {
        let mut disk = Disk::default();
        for name in ["README.txt", "7.log", "00000000000000000000.log.old"] {
            disk.create(name).expect("it is new");
            disk.append(name, b"not a record").expect("the disk is well");
        }
        holds(&filled(&disk, SMALL, 3), 0, 3);
        holds(&open(disk.clone(), SMALL), 0, 3);
        assert_eq!(disk.files().values().filter(|bytes| *bytes == b"not a record").count(), 3);
    }

    /// A disk may return other bytes than were written, long after. A wrong answer is worse than none.
    #[test]
    fn a_damaged_record_is_never_handed_out() {
        let disk = Disk::default();
        let log = filled(&disk, SMALL, 6);
        disk.tamper(2, |bytes| bytes[39] = b'!');
        let read = log.read(2);
        assert!(
            matches!(&read, Err(Error::Damaged { file, at: 0 }) if *file == file_name(2)),
            "it was changed: {read:?}"
        );
        assert_eq!(log.read(1).expect("it is unharmed").payload, payload(1), "others are not concerned");
    }

    /// 30 of 40 bytes, then the disk is full.
    #[test]
    fn a_failed_append_leaves_nothing_behind() {
        let disk = Disk::default();
        let mut log = filled(&disk, Config { segment_bytes: 1_000, index_every: 1 }, 2);
        disk.0.borrow_mut().fail_after = Some(30);
        let failed = log.append(0, b"too much");
        assert!(matches!(failed, Err(Error::Io(_))), "the disk was full: {failed:?}");
        log.append(0, &payload(2)).expect("there is room again");
        holds(&log, 0, 3);
        holds(&open(disk, SMALL), 0, 3);
    }

    /// Were it the other way round, a crash between the two would leave a torn file with another one behind it: damage.
    #[test]
    fn a_segment_is_safe_before_the_next_one_exists() {
        let disk = Disk::default();
        filled(&disk, SMALL, 3);
        let (files, at_risk) = (disk.sizes().len(), disk.0.borrow().at_risk);
        assert_eq!(
            (files, at_risk),
            (2, 0),
            "two files; when the second was made, {at_risk} bytes of the first could still be lost"
        );
    }

    /// Whatever was appended before a flush is there after any crash, and what is there was appended.
    #[test]
    fn what_was_flushed_survives_any_crash() {
        let sometimes = Sometimes::expect([
            "something is lost",
            "something that was not flushed survives",
            "a segment was closed since the last flush",
        ]);
        for_seeds(200, |seed| {
            let mut rng = seed.rng();
            let config = Config { segment_bytes: rng.random_range(40..300), index_every: 50 };
            let disk = Disk::default();
            let mut end = 0;
            for _ in 0..4 {
                let mut log = filled(&disk, config, rng.random_range(0..10));
                log.flush().expect("the disk is well");
                let (flushed, files) = (log.end(), disk.sizes().len());
                let written = filled_on(&mut log, rng.random_range(0..10));
                drop(log);
                sometimes.saw("a segment was closed since the last flush", disk.sizes().len() > files);
                disk.crash(&mut rng);
                let log = open(disk.clone(), config);
                end = log.end();
                assert!(
                    (flushed..=written).contains(&end),
                    "seed {seed}: {flushed} flushed, {written} written, {end} there"
                );
                holds(&log, 0, end);
                sometimes.saw("something is lost", end < written);
                sometimes.saw("something that was not flushed survives", flushed < end);
            }
            holds(&open(disk, config), 0, end);
        });
    }

    fn filled_on(log: &mut Log<Disk>, count: u64) -> u64 {
        for i in log.end()..log.end() + count {
            log.append(i, &payload(i)).expect("the disk is well");
        }
        log.end()
    }
}

mod stage_4_retention {
    use super::*;
    use pretty_assertions::assert_eq;

    const fn older_than(age: u64) -> Limits {
        Limits { age: Some(age), bytes: None }
    }

    /// Records at 0 s, 1 s, … 6 s, two in a segment. At 10 s everything up to 3 s is more than 6 s old.
    #[test]
    fn whole_closed_segments_are_deleted_and_nothing_else() {
        let disk = Disk::default();
        let mut log = filled(&disk, SMALL, 7);
        assert_eq!(log.retain(10_000, older_than(6_500)).expect("the disk is well"), 2, "0 and 1, 2 and 3");
        assert_eq!(disk.sizes(), [(file_name(4), 80), (file_name(6), 40)]);
        holds(&log, 4, 7);
        assert_eq!((log.bytes(), log.index_entries()), (120, 3), "what is deleted does not count");
    }

    /// Record 2 is old enough. It stays as long as record 3, in the same file, is not.
    #[test]
    fn a_record_stays_as_long_as_its_segment() {
        let mut log = filled(&Disk::default(), SMALL, 7);
        assert_eq!(log.retain(10_000, older_than(7_000)).expect("the disk is well"), 1, "3 s is 7 s old, and not more");
        holds(&log, 2, 7);
    }

    /// A clock was wrong, or a message late: the records of a segment need not be in the order of their times.
    #[test]
    fn the_newest_record_decides() {
        let mut log = open(Disk::default(), SMALL);
        for time in [9_000, 0, 9_000, 9_000, 9_000] {
            log.append(time, &payload(log.end())).expect("the disk is well");
        }
        assert_eq!(
            log.retain(14_000, older_than(5_000)).expect("the disk is well"),
            0,
            "0 is 5 s old, and 1 stays because of it"
        );
        holds(&log, 0, 5);
        assert_eq!(
            log.retain(14_001, older_than(5_000)).expect("the disk is well"),
            2,
            "now 0 is old enough, and so are 2 and 3"
        );
        holds(&log, 4, 5);
    }

    /// 2 and 3 are old enough. Without them the log would have a hole.
    #[test]
    fn behind_a_segment_that_stays_everything_stays() {
        let mut log = open(Disk::default(), SMALL);
        for time in [9_000, 9_000, 0, 0, 9_000] {
            log.append(time, &payload(log.end())).expect("the disk is well");
        }
        assert_eq!(log.retain(10_000, older_than(5_000)).expect("the disk is well"), 0, "0 and 1 are 1 s old");
        holds(&log, 0, 5);
    }

    /// Nothing was written for a year. A log without an end would begin to count at 0 again.
    #[test]
    fn the_last_segment_stays_however_old() {
        let disk = Disk::default();
        let mut log = filled(&disk, SMALL, 6);
        assert_eq!(log.retain(u64::MAX, Limits { age: Some(0), bytes: Some(0) }).expect("the disk is well"), 2);
        holds(&log, 4, 6);
        assert_eq!(log.retain(u64::MAX, Limits { age: Some(0), bytes: Some(0) }).expect("the disk is well"), 0);
        holds(&filled(&disk, SMALL, 1), 4, 7);
    }

    /// Seven records are 280 bytes, and a segment of two is 80.
    #[test]
    fn the_oldest_go_until_the_size_is_within_its_limit() {
        for (most, first) in [(280, 0), (279, 2), (200, 2), (199, 4), (0, 6)] {
            let mut log = filled(&Disk::default(), SMALL, 7);
            log.retain(0, Limits { age: None, bytes: Some(most) }).expect("the disk is well");
            assert_eq!(log.first(), first, "280 bytes, at most {most}: {} remain", log.bytes());
            holds(&log, first, 7);
        }
    }

    #[test]
    fn without_limits_everything_stays() {
        let mut log = filled(&Disk::default(), SMALL, 7);
        assert_eq!(log.retain(u64::MAX, Limits::default()).expect("the disk is well"), 0);
        holds(&log, 0, 7);
    }

    /// A clock that was set back makes records that come from the future.
    #[test]
    fn the_future_is_not_old() {
        let mut log = filled(&Disk::default(), SMALL, 7);
        assert_eq!(
            log.retain(0, older_than(500)).expect("the disk is well"),
            0,
            "at 0 s nothing is older than half a second"
        );
    }

    #[test]
    fn what_is_deleted_stays_deleted_after_a_restart() {
        let disk = Disk::default();
        let mut log = filled(&disk, SMALL, 7);
        log.retain(10_000, older_than(6_500)).expect("the disk is well");
        drop(log);
        holds(&open(disk.clone(), SMALL), 4, 7);
        holds(&filled(&disk, SMALL, 3), 4, 10);
    }
}

mod stage_5_real_files {
    use super::*;
    use pretty_assertions::assert_eq;
    use std::fs;
    use tempfile::TempDir;

    /// A new folder. It is gone at the end of the test.
    fn folder() -> (TempDir, Directory) {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let directory = Directory::at(folder.path().to_owned());
        (folder, directory)
    }

    #[test]
    fn a_folder_does_what_the_log_expects_of_it() {
        let (folder, mut files) = folder();
        files.create("a").expect("create");
        files.append("a", b"one ").expect("append");
        files.append("a", b"two three").expect("append");
        files.sync("a").expect("sync");
        let read = |at, most| String::from_utf8(files.read("a", at, most).expect("read")).expect("text");
        assert_eq!(
            [read(0, 3), read(4, 3), read(4, 100), read(13, 5), read(99, 5)],
            ["one", "two", "two three", "", ""]
        );
        files.truncate("a", 7).expect("truncate");
        assert_eq!(fs::read(folder.path().join("a")).expect("it is there"), b"one two");
        files.create("b").expect("create");
        let mut names = files.list().expect("list");
        names.sort();
        assert_eq!(names, ["a", "b"]);
        files.remove("a").expect("remove");
        assert_eq!(files.list().expect("list"), ["b"]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let (_folder, mut files) = folder();
        assert_eq!(files.append("a", b"x").map_err(|error| error.kind()), Err(io::ErrorKind::NotFound), "append");
        assert_eq!(files.read("a", 0, 1).map_err(|error| error.kind()), Err(io::ErrorKind::NotFound), "read");
        assert_eq!(files.sync("a").map_err(|error| error.kind()), Err(io::ErrorKind::NotFound), "sync");
        assert_eq!(files.truncate("a", 0).map_err(|error| error.kind()), Err(io::ErrorKind::NotFound), "truncate");
        assert_eq!(files.remove("a").map_err(|error| error.kind()), Err(io::ErrorKind::NotFound), "remove");
    }

    #[test]
    fn a_log_in_a_folder_survives_a_restart_and_a_torn_tail() {
        let (folder, files) = folder();
        let config = Config { segment_bytes: 4_000, index_every: 400 };
        let mut log = open(files.clone(), config);
        for i in 0..250 {
            log.append(1_000 * i, &payload(i)).expect("the disk is well");
        }
        log.flush().expect("the disk is well");
        drop(log);
        holds(&open(files.clone(), config), 0, 250);

        let last = folder.path().join(file_name(200));
        fs::OpenOptions::new().write(true).open(&last).expect("it is there").set_len(1_999).expect("cut");
        let mut log = open(files.clone(), config);
        holds(&log, 0, 249);
        log.retain(250_000, Limits { age: Some(100_000), bytes: None }).expect("the disk is well");
        holds(&log, 100, 249);
        drop(log);
        holds(&open(files, config), 100, 249);
    }

    /// The same log on a real disk and in memory.
    #[test]
    fn the_files_are_the_same_wherever_they_are() {
        let (folder, files) = folder();
        let disk = Disk::default();
        let (mut real, mut memory) = (open(files, SMALL), open(disk.clone(), SMALL));
        for i in 0..9 {
            assert_eq!(real.append(i, &payload(i)).expect("real"), memory.append(i, &payload(i)).expect("memory"));
        }
        let limits = Limits { age: None, bytes: Some(250) };
        assert_eq!(real.retain(0, limits).expect("real"), memory.retain(0, limits).expect("memory"));
        let on_disk: BTreeMap<String, Vec<u8>> = fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("a file"))
            .map(|file| (file.file_name().into_string().expect("a name"), fs::read(file.path()).expect("bytes")))
            .collect();
        assert_eq!(on_disk, disk.files());
    }
}
