//! A sorted file that is written once, and several of them read as one.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::entry::{Entry, decode};
use crate::files::Files;
use crate::filter::{Filter, hash};
use crate::{Error, Result};

/// A file of entries in the order of their keys, each key once. In memory: where each block begins, and a filter over all keys, deleted ones too.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// How many merges deep: 0 was memory, `n + 1` was merged from tables of tier `n`.
    pub(crate) tier: u32,
    pub(crate) bytes: u64,
    /// The first key of each block and where it begins.
    pub(crate) index: Vec<(Vec<u8>, u64)>,
    filter: Filter,
}

impl Table {
    /// Reads a file that was written before, from one end to the other: there is nothing in it but whole entries.
    pub(crate) fn open(files: &impl Files, name: &str, tier: u32, block_bytes: u64) -> Result<Self> {
        let bytes = files.read(name, 0, usize::MAX)?;
        let mut layout = Layout::new(block_bytes);
        while (layout.bytes as usize) < bytes.len() {
            let at = layout.bytes;
            let (entry, length) =
                decode(&bytes[at as usize..]).ok_or_else(|| Error::Damaged { file: name.to_owned(), at })?;
            layout.add(&entry, length);
        }
        Ok(layout.table(name.to_owned(), tier))
    }

    // ANCHOR: find
    /// The entry of `key`, which may be a tombstone. Reads one block at most, and none if the filter knows better.
    pub(crate) fn find(&self, files: &impl Files, key: &[u8]) -> Result<Option<Entry>> {
        if !self.filter.may_contain(hash(key)) {
            return Ok(None);
        }
        let Some(block) = self.block_of(key) else { return Ok(None) };
        Ok(self.block(files, block)?.into_iter().find(|entry| entry.key == key))
    }

    /// The only block in which `key` can be; none if it lies before the first.
    fn block_of(&self, key: &[u8]) -> Option<usize> {
        self.index.partition_point(|(first, _)| first.as_slice() <= key).checked_sub(1)
    }
    // ANCHOR_END: find

    fn block(&self, files: &impl Files, block: usize) -> Result<VecDeque<Entry>> {
        let start = self.index[block].1;
        let end = self.index.get(block + 1).map_or(self.bytes, |next| next.1);
        let bytes = files.read(&self.name, start, (end - start) as usize)?;
        let (mut entries, mut at) = (VecDeque::new(), 0);
        while start + (at as u64) < end {
            let whole = decode(bytes.get(at..).unwrap_or_default());
            let (entry, length) =
                whole.ok_or_else(|| Error::Damaged { file: self.name.clone(), at: start + at as u64 })?;
            entries.push_back(entry);
            at += length;
        }
        Ok(entries)
    }
}

/// Where everything is in a table, found while its entries go by.
struct Layout {
    block_bytes: u64,
    bytes: u64,
    index: Vec<(Vec<u8>, u64)>,
    hashes: Vec<u64>,
}

impl Layout {
    fn new(block_bytes: u64) -> Self {
        Self { block_bytes, bytes: 0, index: Vec::new(), hashes: Vec::new() }
    }

    /// A block ends with the entry that fills it.
    fn add(&mut self, entry: &Entry, length: usize) {
        if self.index.last().is_none_or(|(_, start)| self.bytes - start >= self.block_bytes) {
            self.index.push((entry.key.clone(), self.bytes));
        }
        self.hashes.push(hash(&entry.key));
        self.bytes += length as u64;
    }

    fn table(self, name: String, tier: u32) -> Table {
        Table { name, tier, bytes: self.bytes, filter: Filter::of(&self.hashes), index: self.index }
    }
}

/// Writes a new table, a block at a time.
pub(crate) struct Writer {
    name: String,
    layout: Layout,
    unwritten: Vec<u8>,
}

impl Writer {
    pub(crate) fn create(files: &mut impl Files, name: String, block_bytes: u64) -> Result<Self> {
        files.create(&name)?;
        Ok(Self { name, layout: Layout::new(block_bytes), unwritten: Vec::new() })
    }

    /// Keys must come in their order.
    pub(crate) fn add(&mut self, files: &mut impl Files, entry: &Entry) -> Result<()> {
        let encoded = entry.encode();
        self.layout.add(entry, encoded.len());
        self.unwritten.extend(encoded);
        if self.unwritten.len() as u64 >= self.layout.block_bytes {
            files.append(&self.name, &self.unwritten)?;
            self.unwritten.clear();
        }
        Ok(())
    }

    /// The table, which now survives a crash.
    pub(crate) fn finish(self, files: &mut impl Files, tier: u32) -> Result<Table> {
        files.append(&self.name, &self.unwritten)?;
        files.sync(&self.name)?;
        Ok(self.layout.table(self.name, tier))
    }
}

// ANCHOR: merge
/// Several tables as one: every key once, in order, with what the newest of them says.
pub(crate) struct Merge {
    /// Newest first.
    cursors: Vec<Cursor>,
}

struct Cursor {
    table: usize,
    next_block: usize,
    entries: VecDeque<Entry>,
}

impl Merge {
    /// The tables with these numbers, the oldest first, beginning with the block of `key`.
    pub(crate) fn from(tables: &[Arc<Table>], numbers: std::ops::Range<usize>, key: &[u8]) -> Self {
        let cursor = |table: usize| {
            let next_block = tables[table].block_of(key).unwrap_or(0);
            Cursor { table, next_block, entries: VecDeque::new() }
        };
        Self { cursors: numbers.rev().map(cursor).collect() }
    }

    pub(crate) fn next(&mut self, files: &impl Files, tables: &[Arc<Table>]) -> Result<Option<Entry>> {
        for cursor in &mut self.cursors {
            let table = &tables[cursor.table];
            if cursor.entries.is_empty() && cursor.next_block < table.index.len() {
                cursor.entries = table.block(files, cursor.next_block)?;
                cursor.next_block += 1;
            }
        }
        let least = self.cursors.iter().filter_map(|cursor| cursor.entries.front()).map(|entry| &entry.key).min();
        let Some(least) = least.cloned() else { return Ok(None) };
        let mut newest = None;
        for cursor in &mut self.cursors {
            if let Some(entry) = cursor.entries.pop_front_if(|entry| entry.key == least) {
                newest = newest.or(Some(entry));
            }
        }
        Ok(newest)
    }
}
// ANCHOR_END: merge
