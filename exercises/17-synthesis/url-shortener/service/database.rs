//! The links on disk: one thread that writes, and whoever wants reads.
//!
//! The writer takes all that has come and commits it at once, with `synchronous=FULL`: what is answered is on disk, and a hundred
//! creates share one wait for it. The filter is in front of all reads; every write passes the writer, which tells it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokio::sync::oneshot;
use url_shortener::click::Batch;
use url_shortener::code::{Code, Hashed};
use url_shortener::create::{Answer, Command, Create, Link, Outcome, Target};
use url_shortener::parts::bloom_filter::{BloomFilter, Shape};

/// Clicks are counted by the hour.
pub const HOUR: u64 = 3_600_000;
/// Codes that are paths of the service itself.
const RESERVED: [&str; 1] = ["metrics"];
/// So many wishes wait for the writer at most; who comes then is refused.
const QUEUE: usize = 4_096;
/// So many are committed at once at most.
const AT_ONCE: usize = 1_024;
const READERS: usize = 4;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS links (code INTEGER PRIMARY KEY, target TEXT NOT NULL, removed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS clicks (code INTEGER NOT NULL, hour INTEGER NOT NULL, clicks INTEGER NOT NULL, PRIMARY KEY (code, hour)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (life INTEGER PRIMARY KEY, through INTEGER NOT NULL);
";

/// Why something was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The disk is full: links lead on, and none are made.
    Full,
    /// Too many wait already.
    Crowded,
    /// Something else, which was written to the standard error.
    Broken,
}

enum Work {
    Create(Target, oneshot::Sender<Result<Outcome, Failed>>),
    Remove(Code, oneshot::Sender<Result<Option<Link>, Failed>>),
    Clicks(Batch, oneshot::Sender<Result<u64, Failed>>),
}

enum Done {
    Create(Outcome),
    Remove(Option<Link>),
    Clicks(u64),
}

/// The file, and what is known of it in memory.
pub struct Database {
    works: SyncSender<Work>,
    readers: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
    filter: Arc<RwLock<BloomFilter>>,
    commits: Arc<AtomicU64>,
    /// How many links there were at the start.
    pub links: u64,
    /// How many lives before this one have counted clicks.
    pub life: u32,
    /// While it is held, no other process writes: what it would write, the filter would not know.
    _lock: File,
}

impl Database {
    /// Opens the file or makes it, and fills the filter from it.
    pub fn open(path: &Path, filter_links: u64, max_pages: Option<u32>) -> Result<Self, String> {
        let explain = |error: rusqlite::Error| format!("{}: {error}", path.display());
        let lock_path = path.with_extension("lock");
        let lock = File::create(&lock_path).map_err(|error| format!("{}: {error}", lock_path.display()))?;
        lock.try_lock().map_err(|_| format!("{}: another process serves this file", path.display()))?;

        let writer = Connection::open(path).map_err(explain)?;
        writer.pragma_update(None, "journal_mode", "WAL").map_err(explain)?;
        writer.pragma_update(None, "synchronous", "FULL").map_err(explain)?;
        writer.execute_batch(SCHEMA).map_err(explain)?;
        // A file that is there already is only read here: on a full disk links must lead on after a restart, too. This life is written down
        // with its first clicks; one without clicks can be had again.
        let life: u32 = writer
            .query_row("SELECT coalesce(max(life) + 1, 0) FROM sources", [], |row| row.get(0))
            .map_err(explain)?;
        if let Some(pages) = max_pages {
            let _granted: i64 =
                writer.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0)).map_err(explain)?;
        }
        let links: u64 =
            writer.query_row("SELECT count(*) FROM links", [], |row| row.get::<_, i64>(0)).map_err(explain)? as u64;
        let filter = Arc::new(RwLock::new(filled(&writer, filter_links.max(2 * links)).map_err(explain)?));

        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = |_| Connection::open_with_flags(path, flags).map(Mutex::new);
        let readers = (0..READERS).map(reader).collect::<Result<_, _>>().map_err(explain)?;

        let commits = Arc::new(AtomicU64::new(0));
        let (works, queue) = sync_channel(QUEUE);
        let (known, counter) = (Arc::clone(&filter), Arc::clone(&commits));
        std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write(writer, &queue, &known, &counter))
            .map_err(|error| error.to_string())?;
        Ok(Self { works, readers, turn: AtomicUsize::new(0), filter, commits, links, life, _lock: lock })
    }

    /// Makes a link; answered when it is on disk.
    pub async fn create(&self, target: Target) -> Result<Outcome, Failed> {
        self.ask(|reply| Work::Create(target, reply)).await
    }

    /// Takes a link down; answered when that is on disk.
    pub async fn remove(&self, code: Code) -> Result<Option<Link>, Failed> {
        self.ask(|reply| Work::Remove(code, reply)).await
    }

    /// Counts clicks, and says up to which number all are counted.
    pub async fn clicks(&self, batch: Batch) -> Result<u64, Failed> {
        self.ask(|reply| Work::Clicks(batch, reply)).await
    }

    async fn ask<T>(&self, work: impl FnOnce(oneshot::Sender<Result<T, Failed>>) -> Work) -> Result<T, Failed> {
        let (reply, answer) = oneshot::channel();
        self.works.try_send(work(reply)).map_err(|error| match error {
            TrySendError::Full(_) => Failed::Crowded,
            TrySendError::Disconnected(_) => Failed::Broken,
        })?;
        answer.await.unwrap_or(Err(Failed::Broken))
    }

    /// Whether there is surely no link with this code.
    pub fn rules_out(&self, code: Code) -> bool {
        let filter = self.filter.read().unwrap_or_else(PoisonError::into_inner);
        !filter.might_contain(&key(code))
    }

    /// Reads a link. Waits for the disk: not for a thread that has other things to do.
    pub fn read(&self, code: Code) -> Result<Option<Link>, Failed> {
        self.reader(|connection| {
            let mut statement = connection.prepare_cached("SELECT target, removed FROM links WHERE code = ?")?;
            statement.query_row([code.number() as i64], link).optional()
        })
    }

    /// The clicks of a link by the hour: seconds since 1970, and how many.
    pub fn clicks_of(&self, code: Code) -> Result<Vec<(u64, u64)>, Failed> {
        self.reader(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT hour, clicks FROM clicks WHERE code = ? ORDER BY hour")?;
            let rows = statement
                .query_map([code.number() as i64], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            rows.map(|row| row.map(|(hour, clicks)| (hour as u64 / 1_000, clicks as u64))).collect()
        })
    }

    /// How many transactions were committed since the start.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn reader<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Failed> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % READERS;
        let connection = self.readers[turn].lock().unwrap_or_else(PoisonError::into_inner);
        read(&connection).map_err(|error| failed(&error))
    }
}

fn filled(connection: &Connection, links: u64) -> rusqlite::Result<BloomFilter> {
    let shape = Shape::for_items(links.max(1), 0.01).expect("at least one link, and one per cent");
    let mut filter = BloomFilter::new(shape);
    let mut statement = connection.prepare("SELECT code FROM links")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        filter.insert(&(row.get::<_, i64>(0)? as u64).to_le_bytes());
    }
    Ok(filter)
}

fn key(code: Code) -> [u8; 8] {
    code.number().to_le_bytes()
}

fn link(row: &rusqlite::Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link { target: Target::stored(row.get::<_, String>(0)?), removed: row.get(1)? })
}

fn failed(error: &rusqlite::Error) -> Failed {
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        return Failed::Full;
    }
    eprintln!("{{\"level\":\"error\",\"database\":{}}}", serde_json::Value::from(error.to_string()));
    Failed::Broken
}

/// The writer, until nobody can send it anything any more.
fn write(mut connection: Connection, queue: &Receiver<Work>, filter: &RwLock<BloomFilter>, commits: &AtomicU64) {
    while let Ok(first) = queue.recv() {
        let works: Vec<Work> = std::iter::once(first).chain(queue.try_iter().take(AT_ONCE - 1)).collect();
        match commit(&mut connection, &works) {
            Ok(done) => {
                commits.fetch_add(1, Ordering::Relaxed);
                tell(filter, &done);
                works.into_iter().zip(done).for_each(|(work, done)| answer(work, Ok(done)));
            }
            Err(error) => {
                let why = failed(&error);
                works.into_iter().for_each(|work| answer(work, Err(why)));
            }
        }
    }
}

/// The filter hears of new links before those who made them: they may visit them at once. Without new links nobody has to wait for it.
fn tell(filter: &RwLock<BloomFilter>, done: &[Done]) {
    let made = |done: &Done| if let Done::Create(Outcome::Created(code)) = done { Some(*code) } else { None };
    let made: Vec<Code> = done.iter().filter_map(made).collect();
    if !made.is_empty() {
        let mut known = filter.write().unwrap_or_else(PoisonError::into_inner);
        made.iter().for_each(|code| known.insert(&key(*code)));
    }
}

/// Whoever asked may have gone away; then nobody is told.
fn answer(work: Work, done: Result<Done, Failed>) {
    let broken = Err(Failed::Broken);
    match work {
        Work::Create(_, reply) => {
            let _ =
                reply.send(done.and_then(|done| if let Done::Create(outcome) = done { Ok(outcome) } else { broken }));
        }
        Work::Remove(_, reply) => {
            let _ = reply
                .send(done.and_then(|done| if let Done::Remove(row) = done { Ok(row) } else { Err(Failed::Broken) }));
        }
        Work::Clicks(_, reply) => {
            let _ = reply.send(
                done.and_then(|done| if let Done::Clicks(through) = done { Ok(through) } else { Err(Failed::Broken) }),
            );
        }
    }
}

/// All of it, or nothing.
fn commit(connection: &mut Connection, works: &[Work]) -> rusqlite::Result<Vec<Done>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = works.iter().map(|work| {
        Ok(match work {
            Work::Create(target, _) => Done::Create(create(&transaction, target)?),
            Work::Remove(code, _) => Done::Remove(remove(&transaction, *code)?),
            Work::Clicks(batch, _) => Done::Clicks(count(&transaction, batch)?),
        })
    });
    let done = done.collect::<rusqlite::Result<Vec<Done>>>()?;
    transaction.commit()?;
    Ok(done)
}

/// Asks the reader's `Create` what it wants, and does it, until it has come to its end.
fn create(transaction: &Transaction<'_>, target: &Target) -> rusqlite::Result<Outcome> {
    let mut create = Create::new(Hashed, target.clone());
    while let Some(Command::Insert(code, target)) = create.next() {
        create.told(&insert(transaction, code, &target)?);
    }
    Ok(create.outcome().cloned().unwrap_or(Outcome::Exhausted))
}

fn insert(transaction: &Transaction<'_>, code: Code, target: &Target) -> rusqlite::Result<Answer> {
    if RESERVED.contains(&code.to_string().as_str()) {
        return Ok(Answer::Occupied(Link { target: Target::stored("/"), removed: false }));
    }
    let mut insert =
        transaction.prepare_cached("INSERT INTO links (code, target) VALUES (?, ?) ON CONFLICT DO NOTHING")?;
    if insert.execute(params![code.number() as i64, target.as_str()])? == 1 {
        return Ok(Answer::Inserted);
    }
    let mut select = transaction.prepare_cached("SELECT target, removed FROM links WHERE code = ?")?;
    select.query_row([code.number() as i64], link).map(Answer::Occupied)
}

fn remove(transaction: &Transaction<'_>, code: Code) -> rusqlite::Result<Option<Link>> {
    transaction.prepare_cached("UPDATE links SET removed = 1 WHERE code = ?")?.execute([code.number() as i64])?;
    let mut select = transaction.prepare_cached("SELECT target, removed FROM links WHERE code = ?")?;
    select.query_row([code.number() as i64], link).optional()
}

/// What the tally does, with its numbers in the same transaction as its counts: a batch that comes twice is counted once.
fn count(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<u64> {
    let life = batch.source.life;
    let through: Option<i64> = transaction
        .prepare_cached("SELECT through FROM sources WHERE life = ?")?
        .query_row([life], |row| row.get(0))
        .optional()?;
    let mut through = through.unwrap_or(0) as u64;
    let mut new: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for click in &batch.clicks {
        if click.number == through + 1 {
            through += 1;
            *new.entry((click.code.number() as i64, (click.at.0 / HOUR * HOUR) as i64)).or_default() += 1;
        }
    }
    let mut add = transaction.prepare_cached(
        "INSERT INTO clicks (code, hour, clicks) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET clicks = clicks + excluded.clicks",
    )?;
    for ((code, hour), clicks) in new {
        add.execute([code, hour, clicks])?;
    }
    transaction
        .prepare_cached(
            "INSERT INTO sources (life, through) VALUES (?, ?) ON CONFLICT DO UPDATE SET through = excluded.through",
        )?
        .execute(params![life, through as i64])?;
    Ok(through)
}
