//! A log of records in files: append at the end, read by offset, survive a crash, forget what is old.

use std::io;
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

/// The record at the beginning of `bytes`, and how many bytes it takes. Nothing if no whole, unharmed record stands there.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<(Record, usize)> {
    todo!("read a record from {} bytes", bytes.len())
}

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

/// The log. All segments but the last are closed: nothing is written to them any more.
#[derive(Debug)]
pub struct Log<F> {
    files: F,
    config: Config,
    // TODO: what must be remembered of each segment to find a record, to cut a tail off, and to know when it may go?
}

impl<F: Files> Log<F> {
    /// Opens the log that is in `files`, or begins one with the offset 0. Files that are no segments are left alone.
    ///
    /// What a crash has torn at the end of the last segment is cut off, from the first byte that is not part of a whole, unharmed record with the
    /// offset that is due.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a closed segment is not what it was, or is missing between two others: nothing is changed then. [`Error::Io`].
    pub fn open(files: F, config: Config) -> Result<Self, Error> {
        let log = Self { files, config };
        todo!("open what is in {:?} with {:?}", log.files.list()?, log.config)
    }

    /// The offset of the oldest record that is kept; [`Log::end`] if there is none.
    #[must_use]
    pub fn first(&self) -> u64 {
        todo!("the oldest offset")
    }

    /// The offset of the next record to be appended.
    #[must_use]
    pub fn end(&self) -> u64 {
        todo!("the next offset")
    }

    /// The size of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        todo!("the size of all segments")
    }

    /// How many records of all segments have an index entry.
    #[must_use]
    pub fn index_entries(&self) -> usize {
        todo!("the number of index entries")
    }

    /// Appends a record and returns its offset. A crash may lose it until [`Log::flush`] has returned.
    ///
    /// If it would make the last segment too large, that one is synced and closed, and a new one is begun.
    ///
    /// # Errors
    /// [`Error::Io`]; then nothing was appended.
    pub fn append(&mut self, time: u64, payload: &[u8]) -> Result<u64, Error> {
        todo!("append {} bytes of {time} with {:?}, to {} files", payload.len(), self.config, self.files.list()?.len())
    }

    /// Returns when all that was appended would survive a crash.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn flush(&mut self) -> Result<(), Error> {
        todo!("sync what may be lost")
    }

    /// The record at `offset`. It reads no more than [`Config::index_every`] bytes and one record.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if it is deleted or not yet written. [`Error::Damaged`] if it is not what was written. [`Error::Io`].
    pub fn read(&self, offset: u64) -> Result<Record, Error> {
        todo!("find {offset}")
    }

    /// Deletes the oldest segments as long as one of the limits says so, and returns how many. Whole segments only, and never the last.
    ///
    /// # Errors
    /// [`Error::Io`]; what was deleted before stays deleted.
    pub fn retain(&mut self, now: u64, limits: Limits) -> Result<usize, Error> {
        todo!("at {now}, delete what {limits:?} no longer keep")
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
        todo!("list {:?}", self.path)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        todo!("create {name} in {:?}", self.path)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        todo!("append {} bytes to {name}", bytes.len())
    }

    fn read(&self, name: &str, at: u64, most: usize) -> io::Result<Vec<u8>> {
        todo!("read {most} bytes of {name} from {at} on")
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        todo!("cut {name} off after {length} bytes")
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        todo!("sync {name}")
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        todo!("remove {name}")
    }
}
