//! Where the commit goes, numbers that make a retry harmless, and one transaction for the effect and the position.

use rusqlite::Connection;

/// A record's place in its partition, below 2⁶³, as SQLite's integers are. Some places are empty: what stood there was deleted, or was no
/// record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

/// A payment, as it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub offset: Offset,
    /// What was paid. Below zero if it was paid back.
    pub cents: i64,
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: where the commit goes
// ---------------------------------------------------------------------------------------------------------------------

/// How often a record may be booked if the process is killed and started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Never twice.
    AtMostOnce,
    /// Never not at all.
    AtLeastOnce,
    /// Once.
    ExactlyOnce,
}

/// What a consumer does next. It may be killed before and after every step, never within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The effect: the record is entered in the books.
    Book(Record),
    /// The position is saved. After a restart reading goes on with the first record that stands there or behind it.
    Save(Offset),
    /// Both in one transaction. It can be had only if books and position are in one database.
    BookAndSave(Record, Offset),
}

/// What to do with these records, which were fetched together, in their order. They are not sorted again, and none is left out.
///
/// Each record is booked by one step, and its position saved by one. Where `guarantee` lets a kill cost something, it costs one record, however
/// many were fetched. [`Step::BookAndSave`] is for [`Guarantee::ExactlyOnce`] only: the others are asked for where books and position are in
/// two places.
#[must_use]
pub fn steps(guarantee: Guarantee, fetched: &[Record]) -> Vec<Step> {
    todo!("for each of {fetched:?}: what comes first if {guarantee:?} is wanted, and which offset is saved?")
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 2: the broker that knows what it has
// ---------------------------------------------------------------------------------------------------------------------

/// A producer's number. It stays the same when the producer is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub u64);

/// Grows by one with each start of a producer, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// One life of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    /// Who.
    pub producer: ProducerId,
    /// Which of its lives.
    pub epoch: Epoch,
}

/// A message's number among those of its session, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// Messages that are sent, and written, together. There is at least one: what a broker does with a batch that has none is up to you.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whose they are.
    pub session: Session,
    /// The number of the first. The others follow without a gap.
    pub first: Sequence,
    /// The messages. Two may be equal, and are two.
    pub values: Vec<u64>,
}

/// What the broker has written to its log. Nothing else survives when it is restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A producer was started, under this name. Takes no offset.
    Opened {
        /// The name that it gave.
        name: String,
        /// The life that begins.
        session: Session,
    },
    /// Messages, one offset each.
    Batch(Batch),
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The session is not the producer's latest, but an earlier one, or one that was never handed out.
    Fenced {
        /// The latest.
        current: Epoch,
    },
    /// The batch is not the next, and none of those that are remembered.
    OutOfOrder {
        /// The number that the next batch begins with.
        expected: Sequence,
    },
    /// No producer with this number was ever started.
    Unknown,
}

/// How many batches of each session the broker remembers, apart from having them in the log: its latest, whoever else writes in between.
pub const REMEMBERED: usize = 5;

/// One partition, and what its broker knows of those who write to it.
#[derive(Clone, Debug, Default)]
pub struct Broker {
    log: Vec<Entry>,
    // TODO: what must be known of a producer to tell its next batch from one that came before? How is it known again after a restart?
}

impl Broker {
    /// A broker that starts again, with what stands in its log. It remembers what it did before, and no more.
    #[must_use]
    pub fn recover(log: Vec<Entry>) -> Self {
        todo!("what can be learnt from {:?}?", Self { log })
    }

    /// Given: what stands in the log.
    #[must_use]
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// Starts a life of the producer that is called `name`: the first one with epoch 0 and a number that no other name has, and each
    /// later one with the same number and the next epoch. From now on, whatever is under way from an earlier life is refused.
    pub fn open(&mut self, name: &str) -> Session {
        todo!("which session does {name} get from {self:?}, and what is written?")
    }

    /// Writes the batch if it is the next of its session, and returns the offset of its first message.
    ///
    /// If it is one of the last [`REMEMBERED`] of its session, with the same first number and as many messages, it is not written again. The
    /// answer is the same as the first time. A part of one of them is not that batch: it is out of order.
    ///
    /// # Errors
    /// [`Refused`], and nothing is written. The session is looked at first.
    pub fn append(&mut self, batch: &Batch) -> Result<Offset, Refused> {
        todo!("{self:?} gets {batch:?}: is it the next, one that it has, or neither?")
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: the producer that tries again
// ---------------------------------------------------------------------------------------------------------------------

/// What a producer hears of a batch that it sent. A batch that was sent twice may be answered twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It stands in the log, from this offset on.
    Accepted(Offset),
    /// The broker did not write it.
    Refused(Refused),
    /// No answer in time. The broker may have written it, or may be about to.
    Lost,
}

/// The greatest number of messages in a batch.
pub const BATCH: usize = 3;

/// Sends messages to a broker until each is accepted, within one session.
#[derive(Clone, Debug)]
pub struct Producer {
    session: Session,
    // TODO: what has been sent, in which batches, and what is known of each?
}

impl Producer {
    /// A producer that has sent nothing yet.
    #[must_use]
    pub fn new(session: Session) -> Self {
        todo!("a producer for {session:?}")
    }

    /// Takes a message that is to be sent, after those that were pushed before.
    pub fn push(&mut self, value: u64) {
        todo!("{self:?} is to send {value}")
    }

    /// The batches to send now, in the order of their numbers: those that must go again, exactly as they were, and new ones of up to [`BATCH`]
    /// messages, as many as are allowed. Once it is sent, a batch is not sent again before something is heard about it; that may be a late answer to an
    /// earlier sending.
    ///
    /// The broker must be able to recognise whatever may yet go out again. So from the oldest batch that is not known to be accepted
    /// up to the newest one sent, both included, there are at most [`REMEMBERED`].
    ///
    /// Empty once the producer has [stopped](Self::stopped).
    pub fn poll(&mut self) -> Vec<Batch> {
        todo!("what does {self:?} send now?")
    }

    /// Notes what became of the batch that begins with `first`.
    ///
    /// After [`Refused::OutOfOrder`] and [`Answer::Lost`] it goes out again with the next [`poll`](Self::poll), unless it is known to be accepted. The other
    /// refusals are final, whichever batch they are about: the producer stops. Acceptances are noted after that, too.
    pub fn answered(&mut self, first: Sequence, answer: Answer) {
        todo!("the batch that begins with {first:?} was answered with {answer:?}: what does {self:?} note?")
    }

    /// The open messages: those that are not known to be accepted, in order, sent or not. If the producer has stopped, some of them may stand in
    /// the log all the same.
    #[must_use]
    pub fn open(&self) -> Vec<u64> {
        todo!("which messages of {self:?} are not known to be accepted?")
    }

    /// Whether the broker has told it that its session is over.
    #[must_use]
    pub fn stopped(&self) -> bool {
        todo!("is {:?} over?", self.session)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 4: the effect and the position, on SQLite
// ---------------------------------------------------------------------------------------------------------------------

/// Part of a topic. Each has offsets, and a position, of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u32);

/// What became of records that were to be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// All of them are booked, so many of them now.
    Now(usize),
    /// None was: they were read from behind the position, and what stands between may be missing. So it is if there are no records, too.
    Gap {
        /// Where to read on.
        position: Offset,
    },
}

/// The books: one account, into which the payments of all partitions go. It does not fall below zero.
#[derive(Debug)]
pub struct Books {
    db: Connection,
}

const GIVEN: &str = "
    CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0));
    INSERT OR IGNORE INTO account (id, cents) VALUES (1, 0);";

impl Books {
    /// Opens the books, for the first time or after a crash.
    ///
    /// # Errors
    /// If the database fails.
    pub fn new(db: Connection) -> rusqlite::Result<Self> {
        db.execute_batch(GIVEN)?;
        // TODO: where is the position kept?
        todo!("create what is needed, unless it exists, in {:?}", Self { db })
    }

    /// Given: what the account has.
    ///
    /// # Errors
    /// If the database fails.
    pub fn total(&self) -> rusqlite::Result<i64> {
        self.db.query_row("SELECT cents FROM account", [], |row| row.get(0))
    }

    /// Where to read on: everything before it is booked, nothing from it on is. At first 0.
    ///
    /// # Errors
    /// If the database fails.
    pub fn position(&self, partition: Partition) -> rusqlite::Result<Offset> {
        todo!("where does {:?} say that {partition:?} is read on?", self.db)
    }

    /// Books those of `records` that are not booked yet: all of them or, if there is a gap or an error, none.
    ///
    /// The records, in order, are all that stand in the partition from `from` up to the last of them. Another worker may be at work on the same ones at the
    /// same time, on another connection.
    ///
    /// # Errors
    /// If the account would fall below zero, or the database fails, perhaps because another worker is writing. Nothing has changed then.
    pub fn book(&mut self, partition: Partition, from: Offset, records: &[Record]) -> rusqlite::Result<Booked> {
        todo!("in {:?}, book what is new of {records:?}, read from {from:?} on in {partition:?}", self.db)
    }
}

/// Given: the effect. It opens no transaction: whoever calls it decides what belongs together.
///
/// # Errors
/// If the account would fall below zero, or the database fails.
pub fn add(db: &Connection, record: &Record) -> rusqlite::Result<()> {
    db.execute("UPDATE account SET cents = cents + ?1", [record.cents])?;
    Ok(())
}
