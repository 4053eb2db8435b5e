//! A log-structured merge tree: writes go to a log and a table in memory, full tables become sorted files, and files are merged.

pub mod entry;
pub mod files;
pub mod filter;

use std::io;

use files::Files;

/// The file of what was written and stands in no table yet: entries as [`Entry::encode`](entry::Entry::encode) makes them, in the order of the calls.
pub const LOG: &str = "wal";

/// How a store trades reads, writes and space for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Memory becomes a table when its entries have more bytes than this, encoded.
    pub memory_bytes: u64,
    /// A block of a table ends with the entry with which it has so many bytes. The index has one entry a block. It and the filter are all of a
    /// table that stays in memory.
    pub block_bytes: u64,
    /// When tables are merged without being asked.
    pub policy: Policy,
}

/// Which tables are merged when a new one has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// None.
    Never,
    /// All, as soon as there are two.
    All,
    /// As soon as there are so many of one tier (at least 2), those, into one of the next. What memory wrote is tier 0.
    Tiers(usize),
}

/// Why a store could not do it.
#[derive(Debug)]
pub enum Error {
    /// What stands in a table is not what was written, or the table is gone. It begins to be wrong at this byte.
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

/// What the store answers.
pub type Result<T> = std::result::Result<T, Error>;

/// A map from bytes to bytes that survives any crash.
#[derive(Debug)]
pub struct Store<F> {
    files: F,
    config: Config,
    // TODO: what is in memory, how much of the log is whole, and which tables are there, in which order?
}

impl<F: Files> Store<F> {
    /// Opens what is in `files`, after whatever happened. A torn end of the log is cut off; of what was left half done nothing remains. Files that are
    /// none of a store's are left alone.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a table is not as it was written; then nothing has been changed. [`Error::Io`].
    pub fn open(files: F, config: Config) -> Result<Self> {
        let store = Self { files, config };
        todo!("open the store in {} files with {:?}", store.files.list()?.len(), store.config)
    }

    /// Maps `key` to `value`. When it returns, that survives any crash.
    ///
    /// # Errors
    /// [`Error`] if it may be lost: then it has happened or it has not, and after the next start it stays so. The store can be used on.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        todo!("map {key:?} to {value:?}: first in the log, then in memory")
    }

    /// Removes `key`, if it is there. When it returns, that survives any crash.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn delete(&mut self, key: &[u8]) -> Result<()> {
        todo!("remove {key:?}: what will hide it in the tables below?")
    }

    /// What `key` is mapped to. Of each table it reads one block at most, and only if the table's filter says that the key may be in it.
    ///
    /// # Errors
    /// [`Error::Damaged`] rather than a wrong answer; [`Error::Io`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        todo!("look for {key:?}, the newest first")
    }

    /// The first `most` keys that are not less than `from`, in order, with their values.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn scan(&self, from: &[u8], most: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        todo!("{most} keys from {from:?} on, out of everything at once")
    }

    /// Makes a table of what is in memory, if there is anything; then merges as the policy says.
    ///
    /// # Errors
    /// [`Error`]; what the store says does not change by it.
    pub fn flush(&mut self) -> Result<()> {
        todo!("write a table; make it count at one moment; then forget the log; {:?}", self.config.policy)
    }

    /// Merges everything into one table without a tombstone; none if nothing remains.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn compact(&mut self) -> Result<()> {
        todo!("one table of {:?}", self.files.list()?)
    }

    /// How many tables there are.
    #[must_use]
    pub fn tables(&self) -> usize {
        todo!()
    }

    /// How many keys the indexes of all tables hold in memory.
    #[must_use]
    pub fn index_entries(&self) -> usize {
        todo!()
    }
}
