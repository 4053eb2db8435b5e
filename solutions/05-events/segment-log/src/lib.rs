//! A log of records in files: append at the end, read by offset, survive a crash, forget what is old.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

/// What precedes the payload in a file: offset (8 bytes), time (8), length of the payload (4), checksum (4), the lowest byte first.
pub const HEADER: usize = 24;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in the log: 0, 1, 2, …
    pub offset: u64,
    /// When it happened, in milliseconds. Later records may have earlier times.
    pub time: u64,
    /// What the log knows nothing about.
    pub payload: Vec<u8>,
}

impl Record {
    /// The record as it stands in a file. The [`checksum`] is that of all its other bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.payload.len());
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.time.to_le_bytes());
        bytes.extend((self.payload.len() as u32).to_le_bytes());
        let checksum = checksum(&[&bytes, &self.payload]);
        bytes.extend(checksum.to_le_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// CRC-32 (the one of zip and Ethernet) of the parts, one after the other.
#[must_use]
pub fn checksum(parts: &[&[u8]]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    !parts
        .iter()
        .copied()
        .flatten()
        .fold(!0, |crc, &byte| TABLE[((crc ^ u32::from(byte)) & 0xff) as usize] ^ (crc >> 8))
}

// ANCHOR: decode
/// The record at the beginning of `bytes`, and how many bytes it takes. Nothing if no whole, unharmed record stands there.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<(Record, usize)> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
    let (length, sum) = (number(16) as u32, (number(16) >> 32) as u32);
    let payload = rest.get(..length as usize)?;
    let record = Record { offset: number(0), time: number(8), payload: payload.to_vec() };
    (checksum(&[&header[..20], payload]) == sum).then_some((record, HEADER + payload.len()))
}
// ANCHOR_END: decode

/// The file of the segment whose first record has the offset `base`.
#[must_use]
pub fn file_name(base: u64) -> String {
    format!("{base:020}.log")
}

/// The other way round; nothing if it is not the name of a segment.
#[must_use]
pub fn base_of(name: &str) -> Option<u64> {
    name.strip_suffix(".log").filter(|digits| digits.len() == 20)?.parse().ok()
}

/// A folder of files, as far as a log needs one.
pub trait Files {
    /// The names of all files, in any order.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file. From now on it exists, even after a crash.
    ///
    /// # Errors
    /// What the system says.
    fn create(&mut self, name: &str) -> io::Result<()>;

    /// Writes at the end. Until the file is synced, a crash can lose any part of it, or leave other bytes in its place. If it fails, a part may
    /// have been written.
    ///
    /// # Errors
    /// What the system says.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// The bytes from `at` on, `most` of them or up to the end of the file.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, name: &str, at: u64, most: usize) -> io::Result<Vec<u8>>;

    /// Cuts the file off, so that `length` bytes remain.
    ///
    /// # Errors
    /// What the system says.
    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()>;

    /// Returns when all of the file would survive a crash.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Removes the file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// How a log is cut into files and indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// A segment has no more bytes than this, unless it has a single record that alone is larger.
    pub segment_bytes: u64,
    /// A record gets an index entry if it is the first of its segment, or begins at least this many bytes after the last one that has an entry.
    pub index_every: u64,
}

/// How much a log keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// A segment may go once its newest record is more than so many milliseconds old.
    pub age: Option<u64>,
    /// A segment may go while the log has more bytes than this.
    pub bytes: Option<u64>,
}

/// Why a log could not do it.
#[derive(Debug)]
pub enum Error {
    /// There is no such record, no more or not yet. The log has those from `first` up to, and without, `end`.
    OutOfRange {
        /// The offset of the oldest record that is kept.
        first: u64,
        /// The offset of the next record to be appended.
        end: u64,
    },
    /// What stands in a file is not what was written. It begins to be wrong at this byte.
    Damaged {
        /// The file.
        file: String,
        /// The byte.
        at: u64,
    },
    /// The files failed.
    Io(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// One file's worth of records, and what is remembered of it.
#[derive(Clone, Debug)]
struct Segment {
    base: u64,
    end: u64,
    bytes: u64,
    newest: u64,
    /// Offset and position of one record in many, both rising.
    index: Vec<(u64, u64)>,
}

impl Segment {
    fn new(base: u64) -> Self {
        Self { base, end: base, bytes: 0, newest: 0, index: Vec::new() }
    }

    // ANCHOR: note
    /// Notes a record that stands at the end of the file.
    fn note(&mut self, time: u64, length: usize, index_every: u64) {
        if self.index.last().is_none_or(|(_, at)| self.bytes - at >= index_every) {
            self.index.push((self.end, self.bytes));
        }
        self.end += 1;
        self.bytes += length as u64;
        self.newest = self.newest.max(time);
    }
    // ANCHOR_END: note
}

/// The log. All segments but the last are closed: nothing is written to them any more.
#[derive(Debug)]
pub struct Log<F> {
    files: F,
    config: Config,
    /// Never empty; each begins where the one before it ends.
    segments: VecDeque<Segment>,
}

impl<F: Files> Log<F> {
    // ANCHOR: open
    /// Opens the log that is in `files`, or begins one with the offset 0. Files that are no segments are left alone.
    ///
    /// What a crash has torn at the end of the last segment is cut off, from the first byte that is not part of a whole, unharmed record with the
    /// offset that is due.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a closed segment is not what it was, or is missing between two others: nothing is changed then. [`Error::Io`].
    pub fn open(mut files: F, config: Config) -> Result<Self, Error> {
        let mut bases: Vec<u64> = files.list()?.iter().filter_map(|name| base_of(name)).collect();
        bases.sort_unstable();
        if bases.is_empty() {
            files.create(&file_name(0))?;
            bases.push(0);
        }
        let mut segments: VecDeque<Segment> = VecDeque::new();
        for (i, &base) in bases.iter().enumerate() {
            if segments.back().is_some_and(|before| before.end != base) {
                return Err(Error::Damaged { file: file_name(base), at: 0 });
            }
            let bytes = files.read(&file_name(base), 0, usize::MAX)?;
            let mut segment = Segment::new(base);
            while let Some((record, length)) = decode(&bytes[segment.bytes as usize..])
                && record.offset == segment.end
            {
                segment.note(record.time, length, config.index_every);
            }
            if segment.bytes < bytes.len() as u64 {
                if i + 1 < bases.len() {
                    return Err(Error::Damaged { file: file_name(base), at: segment.bytes });
                }
                files.truncate(&file_name(base), segment.bytes)?;
            }
            segments.push_back(segment);
        }
        Ok(Self { files, config, segments })
    }
    // ANCHOR_END: open

    /// The offset of the oldest record that is kept; [`Log::end`] if there is none.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.segments[0].base
    }

    /// The offset of the next record to be appended.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.active().end
    }

    /// The size of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// How many records of all segments have an index entry.
    #[must_use]
    pub fn index_entries(&self) -> usize {
        self.segments.iter().map(|segment| segment.index.len()).sum()
    }

    /// Appends a record and returns its offset. A crash may lose it until [`Log::flush`] has returned.
    ///
    /// If it would make the last segment too large, that one is synced and closed, and a new one is begun.
    ///
    /// # Errors
    /// [`Error::Io`]; then nothing was appended.
    pub fn append(&mut self, time: u64, payload: &[u8]) -> Result<u64, Error> {
        let offset = self.end();
        let bytes = Record { offset, time, payload: payload.to_vec() }.encode();
        let active = self.active();
        if active.bytes > 0 && active.bytes + bytes.len() as u64 > self.config.segment_bytes {
            self.flush()?;
            self.files.create(&file_name(offset))?;
            self.segments.push_back(Segment::new(offset));
        }
        let active = self.segments.back_mut().expect("never empty");
        let name = file_name(active.base);
        if let Err(error) = self.files.append(&name, &bytes) {
            self.files.truncate(&name, active.bytes)?;
            return Err(error.into());
        }
        active.note(time, bytes.len(), self.config.index_every);
        Ok(offset)
    }

    /// Returns when all that was appended would survive a crash.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn flush(&mut self) -> Result<(), Error> {
        let name = file_name(self.active().base);
        Ok(self.files.sync(&name)?)
    }

    // ANCHOR: read
    /// The record at `offset`. It reads no more than [`Config::index_every`] bytes and one record.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if it is deleted or not yet written. [`Error::Damaged`] if it is not what was written. [`Error::Io`].
    pub fn read(&self, offset: u64) -> Result<Record, Error> {
        if !(self.first()..self.end()).contains(&offset) {
            return Err(Error::OutOfRange { first: self.first(), end: self.end() });
        }
        let segment = &self.segments[self.segments.partition_point(|segment| segment.base <= offset) - 1];
        let next = segment.index.partition_point(|&(indexed, _)| indexed <= offset);
        let (from, to) = (segment.index[next - 1].1, segment.index.get(next).map_or(segment.bytes, |&(_, at)| at));
        let bytes = self.files.read(&file_name(segment.base), from, (to - from) as usize)?;
        let mut at = 0;
        while let Some((record, length)) = decode(&bytes[at..]) {
            if record.offset == offset {
                return Ok(record);
            }
            at += length;
        }
        Err(Error::Damaged { file: file_name(segment.base), at: from + at as u64 })
    }
    // ANCHOR_END: read

    // ANCHOR: retain
    /// Deletes the oldest segments as long as one of the limits says so, and returns how many. Whole segments only, and never the last.
    ///
    /// # Errors
    /// [`Error::Io`]; what was deleted before stays deleted.
    pub fn retain(&mut self, now: u64, limits: Limits) -> Result<usize, Error> {
        let mut deleted = 0;
        while self.segments.len() > 1 {
            let oldest = &self.segments[0];
            let too_old = limits.age.is_some_and(|age| now.saturating_sub(oldest.newest) > age);
            let too_much = limits.bytes.is_some_and(|most| self.bytes() > most);
            if !too_old && !too_much {
                break;
            }
            self.files.remove(&file_name(oldest.base))?;
            self.segments.pop_front();
            deleted += 1;
        }
        Ok(deleted)
    }
    // ANCHOR_END: retain

    fn active(&self) -> &Segment {
        self.segments.back().expect("never empty")
    }
}

/// A real folder.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The folder at `path`, which must exist.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Files for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        File::create_new(self.path.join(name))?;
        // The name stands in the folder, which is a file of its own where one can sync it.
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).open(self.path.join(name))?.write_all(bytes)
    }

    fn read(&self, name: &str, at: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path.join(name))?;
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path.join(name))?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.path.join(name))?.sync_all()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }
}
