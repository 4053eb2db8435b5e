//! A log-structured merge tree: writes go to a log and a table in memory, full tables become sorted files, and files are merged.

pub mod entry;
pub mod files;
pub mod filter;
mod table;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use entry::{Entry, checksum, decode};
use files::Files;
use table::{Merge, Table, Writer};

/// The file of what was written and stands in no table yet: entries as [`Entry::encode`] makes them, in the order of the calls.
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

/// Says which tables there are. Whatever table it does not name, does not count.
const MANIFEST: &str = "manifest";
const NEW_MANIFEST: &str = "manifest.new";
const TABLE: &str = ".table";

/// A map from bytes to bytes that survives any crash.
#[derive(Debug)]
pub struct Store<F> {
    files: F,
    config: Config,
    /// What the log says, the newest for each key.
    memory: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    memory_bytes: u64,
    /// So much of the log is whole.
    log_bytes: u64,
    /// Behind that there may be a part of something.
    log_torn: bool,
    /// Oldest first.
    tables: Vec<Arc<Table>>,
    next_table: u64,
}

impl<F: Files> Store<F> {
    /// Opens what is in `files`, after whatever happened. A torn end of the log is cut off; of what was left half done nothing remains. Files that are
    /// none of a store's are left alone.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a table is not as it was written; then nothing has been changed. [`Error::Io`].
    pub fn open(files: F, config: Config) -> Result<Self> {
        let mut store = Self {
            files,
            config,
            memory: BTreeMap::new(),
            memory_bytes: 0,
            log_bytes: 0,
            log_torn: false,
            tables: Vec::new(),
            next_table: 0,
        };
        let names = store.files.list()?;
        let tables = names.iter().any(|name| number(name).is_some());
        if tables || names.iter().any(|name| name == MANIFEST) {
            store.read_manifest(&names)?;
            store.remove_leftovers(&names)?;
        } else {
            store.commit(Vec::new())?;
        }
        if names.iter().any(|name| name == LOG) {
            store.replay()?;
        } else {
            store.files.create(LOG)?;
        }
        Ok(store)
    }

    /// Maps `key` to `value`. When it returns, that survives any crash.
    ///
    /// # Errors
    /// [`Error`] if it may be lost: then it has happened or it has not, and after the next start it stays so. The store can be used on.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(Entry { key: key.to_vec(), value: Some(value.to_vec()) })
    }

    /// Removes `key`, if it is there. When it returns, that survives any crash.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.write(Entry { key: key.to_vec(), value: None })
    }

    // ANCHOR: get
    /// What `key` is mapped to. Of each table it reads one block at most, and only if the table's filter says that the key may be in it.
    ///
    /// # Errors
    /// [`Error::Damaged`] rather than a wrong answer; [`Error::Io`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(value) = self.memory.get(key) {
            return Ok(value.clone());
        }
        for table in self.tables.iter().rev() {
            if let Some(entry) = table.find(&self.files, key)? {
                return Ok(entry.value);
            }
        }
        Ok(None)
    }
    // ANCHOR_END: get

    /// The first `most` keys that are not less than `from`, in order, with their values.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn scan(&self, from: &[u8], most: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut memory = self.memory.range(from.to_vec()..).peekable();
        let mut merge = Merge::from(&self.tables, 0..self.tables.len(), from);
        let mut in_tables = merge.next(&self.files, &self.tables)?;
        let mut found = Vec::new();
        while found.len() < most {
            let older = in_tables.as_ref().map(|entry| &entry.key);
            let newest = match memory.next_if(|(key, _)| older.is_none_or(|older| *key <= older)) {
                Some((key, value)) => {
                    in_tables.take_if(|entry| entry.key == *key);
                    Entry { key: key.clone(), value: value.clone() }
                }
                None => match in_tables.take() {
                    Some(entry) => entry,
                    None => break,
                },
            };
            if in_tables.is_none() {
                in_tables = merge.next(&self.files, &self.tables)?;
            }
            if newest.key.as_slice() >= from {
                found.extend(newest.value.map(|value| (newest.key, value)));
            }
        }
        Ok(found)
    }

    // ANCHOR: flush
    /// Makes a table of what is in memory, if there is anything; then merges as the policy says.
    ///
    /// # Errors
    /// [`Error`]; what the store says does not change by it.
    pub fn flush(&mut self) -> Result<()> {
        if !self.memory.is_empty() {
            let mut writer = self.new_table()?;
            for (key, value) in &self.memory {
                writer.add(&mut self.files, &Entry { key: key.clone(), value: value.clone() })?;
            }
            let table = Arc::new(writer.finish(&mut self.files, 0)?);
            let tables = self.tables.iter().cloned().chain([table]).collect();
            self.commit(tables)?; // from here on the table counts, and the log says nothing new
            self.files.truncate(LOG, 0)?;
            (self.log_bytes, self.log_torn) = (0, false);
            self.memory.clear();
            self.memory_bytes = 0;
        }
        self.merge_by_policy()
    }
    // ANCHOR_END: flush

    /// Merges everything into one table without a tombstone; none if nothing remains.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn compact(&mut self) -> Result<()> {
        self.flush()?;
        self.merge(0)
    }

    /// How many tables there are.
    #[must_use]
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// How many keys the indexes of all tables hold in memory.
    #[must_use]
    pub fn index_entries(&self) -> usize {
        self.tables.iter().map(|table| table.index.len()).sum()
    }

    // ANCHOR: write
    fn write(&mut self, entry: Entry) -> Result<()> {
        if self.log_torn {
            self.files.truncate(LOG, self.log_bytes)?;
        }
        let bytes = entry.encode();
        self.log_torn = true;
        self.files.append(LOG, &bytes)?;
        self.files.sync(LOG)?;
        self.log_torn = false;
        self.remember(entry, bytes.len());
        if self.memory_bytes > self.config.memory_bytes { self.flush() } else { Ok(()) }
    }
    // ANCHOR_END: write

    /// The entry stands in the log.
    fn remember(&mut self, entry: Entry, length: usize) {
        self.log_bytes += length as u64;
        self.memory_bytes += length as u64;
        self.memory.insert(entry.key, entry.value);
    }

    // ANCHOR: replay
    /// Only the last write can be torn, and nobody was told that it had happened. What is behind it must go, or the next write would stand there.
    fn replay(&mut self) -> Result<()> {
        let bytes = self.files.read(LOG, 0, usize::MAX)?;
        while let Some((entry, length)) = decode(&bytes[self.log_bytes as usize..]) {
            self.remember(entry, length);
        }
        if self.log_bytes < bytes.len() as u64 {
            self.files.truncate(LOG, self.log_bytes)?;
        }
        Ok(())
    }
    // ANCHOR_END: replay

    fn merge_by_policy(&mut self) -> Result<()> {
        loop {
            let len = self.tables.len();
            let Some(newest) = self.tables.last() else { return Ok(()) };
            let alike = self.tables.iter().rev().take_while(|table| table.tier == newest.tier).count();
            match self.config.policy {
                Policy::All if len > 1 => self.merge(0)?,
                Policy::Tiers(fanout) if alike >= fanout.max(2) => self.merge(len - alike)?,
                _ => return Ok(()),
            }
        }
    }

    // ANCHOR: compaction
    /// Merges the tables from number `first` to the newest. Below the oldest there is nothing that a tombstone could hide.
    fn merge(&mut self, first: usize) -> Result<()> {
        let all = first..self.tables.len();
        let tier = self.tables[all.clone()].iter().map(|table| table.tier + 1).max().unwrap_or(0);
        let mut writer = self.new_table()?;
        let mut merge = Merge::from(&self.tables, all, &[]);
        while let Some(entry) = merge.next(&self.files, &self.tables)? {
            if first > 0 || entry.value.is_some() {
                writer.add(&mut self.files, &entry)?;
            }
        }
        let merged = Arc::new(writer.finish(&mut self.files, tier)?);
        let mut tables = self.tables[..first].to_vec();
        let mut replaced = self.tables[first..].to_vec();
        if merged.bytes > 0 {
            tables.push(merged);
        } else {
            replaced.push(merged);
        }
        self.commit(tables)?; // from here on the old ones do not count
        for table in replaced {
            self.files.remove(&table.name)?;
        }
        Ok(())
    }
    // ANCHOR_END: compaction

    fn new_table(&mut self) -> Result<Writer> {
        let name = format!("{:020}{TABLE}", self.next_table);
        self.next_table += 1;
        Writer::create(&mut self.files, name, self.config.block_bytes)
    }

    // ANCHOR: commit
    /// From one list of tables to another, at one moment: when the new manifest gets the old one's name.
    fn commit(&mut self, tables: Vec<Arc<Table>>) -> Result<()> {
        let lines: String = tables.iter().map(|table| format!("{} {}\n", table.name, table.tier)).collect();
        let manifest = format!("{lines}{:08x}", checksum(lines.as_bytes()));
        self.files.create(NEW_MANIFEST)?;
        self.files.append(NEW_MANIFEST, manifest.as_bytes())?;
        self.files.sync(NEW_MANIFEST)?;
        self.files.rename(NEW_MANIFEST, MANIFEST)?;
        self.tables = tables;
        Ok(())
    }
    // ANCHOR_END: commit

    fn read_manifest(&mut self, names: &[String]) -> Result<()> {
        let damaged = |file: &str| Error::Damaged { file: file.to_owned(), at: 0 };
        if !names.iter().any(|name| name == MANIFEST) {
            return Err(damaged(MANIFEST));
        }
        let bytes = self.files.read(MANIFEST, 0, usize::MAX)?;
        let text = String::from_utf8(bytes).map_err(|_| damaged(MANIFEST))?;
        let (lines, sum) = text.split_at_checked(text.len().wrapping_sub(8)).ok_or_else(|| damaged(MANIFEST))?;
        if sum != format!("{:08x}", checksum(lines.as_bytes())) {
            return Err(damaged(MANIFEST));
        }
        for line in lines.lines() {
            let (name, tier) = line.split_once(' ').ok_or_else(|| damaged(MANIFEST))?;
            let tier = tier.parse().map_err(|_| damaged(MANIFEST))?;
            if !names.iter().any(|known| known == name) {
                return Err(damaged(name));
            }
            let table = Table::open(&self.files, name, tier, self.config.block_bytes)?;
            self.tables.push(Arc::new(table));
        }
        Ok(())
    }

    /// Tables that were being written when it crashed, or had been merged already.
    fn remove_leftovers(&mut self, names: &[String]) -> Result<()> {
        for name in names {
            let number = number(name);
            self.next_table = self.next_table.max(number.map_or(0, |number| number + 1));
            let counts = self.tables.iter().any(|table| table.name == *name);
            if name == NEW_MANIFEST || (number.is_some() && !counts) {
                self.files.remove(name)?;
            }
        }
        Ok(())
    }
}

/// The number of the table in the file of this name, if it is one.
fn number(name: &str) -> Option<u64> {
    name.strip_suffix(TABLE).filter(|digits| digits.len() == 20)?.parse().ok()
}
