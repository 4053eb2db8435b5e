//! A row and its event are one write; a relay publishes what stands in the outbox; a consumer takes it once, however often it comes.

use rusqlite::{Connection, Result, params};
use std::collections::BTreeSet;

/// An order: the *aggregate* of this shop. Events of one order have an order, those of two have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub i64);

/// The number of an event. Of two events of one order the later has the greater one. No number is ever given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub i64);

/// "The total of `order` has changed by `cents`." Two events may differ in nothing but their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// The order that has changed.
    pub order: OrderId,
    /// By how much. Below zero if something was taken back.
    pub cents: i64,
}

/// Somebody who wants each event once: billing, or the loyalty points. Several share one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Consumer(pub &'static str);

/// One change of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The total of the order changes by so many cents.
    Total(OrderId, i64),
    /// The event is put into the outbox.
    Outbox(Event),
    /// The event is taken out of the outbox.
    Sent(EventId),
    /// The consumer's inbox notes that it has seen the event.
    Seen(Consumer, EventId),
    /// What the consumer has counted changes by so many cents.
    Credit(Consumer, i64),
}

/// What somebody does next. The power may fail before and after every step, never within one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// One transaction: all of the writes, or none.
    Commit(Vec<Write>),
    /// The event is handed to the broker. The answer comes later, unless the power fails before.
    Publish(Event),
    /// The broker is told that the event is done with and need not come again.
    Acknowledge(EventId),
}

/// What became of an event that was handed to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The broker has it, on disk.
    Accepted,
    /// It was refused, or there was no answer in time. In the second case the broker may have it all the same.
    NotAccepted,
}

/// What a request does that changes the total of `event.order` by `event.cents`, under the number that the outbox has given to it.
///
/// It publishes nothing itself: an earlier event of the order may still wait in the outbox.
#[must_use]
pub fn change(event: Event) -> Vec<Step> {
    todo!("what does the request for {event:?} do?")
}

/// Publishes what stands in the outbox, at least once and in the order of each order. It may die at any time; what must outlive it stands
/// in the outbox.
#[derive(Clone, Debug, Default)]
pub struct Relay {
    // TODO: what must it remember between two polls? What must it not be the only one to know?
}

impl Relay {
    /// What to publish, now that `outbox` has been read: for each order the event with the smallest number, unless this relay waits for its answer.
    ///
    /// The outbox comes in no particular order. A small number may turn up after a greater one of another order, whose transaction ended earlier.
    pub fn poll(&mut self, outbox: &[Event]) -> Vec<Step> {
        todo!("{self:?} has read {outbox:?}: what goes out?")
    }

    /// What to do, now that the broker has answered for this event: take it out of the outbox once it is accepted. What is not accepted goes out again
    /// with the next [`poll`](Self::poll).
    ///
    /// The answer may be for an event that another relay published, before this one started.
    pub fn answered(&mut self, event: EventId, answer: Answer) -> Vec<Step> {
        todo!("the broker says {answer:?} to {event:?}: what does {self:?} do?")
    }
}

/// What a consumer does with an event that the broker brings, first or again. `seen` is the inbox, which all consumers of this database share.
///
/// An event counts once for each consumer. The broker brings it again until it is acknowledged.
#[must_use]
pub fn consume(consumer: Consumer, event: Event, seen: &BTreeSet<(Consumer, EventId)>) -> Vec<Step> {
    todo!("{consumer:?} gets {event:?} and has seen {seen:?}: what does it do?")
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 4: the same on SQLite
// ---------------------------------------------------------------------------------------------------------------------

/// The shop's database, and, to keep this short, its consumers' too.
#[derive(Debug)]
pub struct Shop {
    db: Connection,
}

/// The tables of the shop itself. Neither a total nor what was counted can fall below zero: the statement that tries fails.
const GIVEN: &str = "
    CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0));
    CREATE TABLE IF NOT EXISTS credit (consumer TEXT PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0));";

impl Shop {
    /// Opens the shop, for the first time or after a crash.
    ///
    /// # Errors
    /// If the database fails.
    pub fn new(db: Connection) -> Result<Self> {
        db.execute_batch(GIVEN)?;
        // TODO: which tables do the outbox and the inbox need? May the outbox give a number again once its row is gone?
        todo!("create the outbox and the inbox, unless they exist, in {:?}", Self { db })
    }

    /// Given: the total of an order. 0 if there is none.
    ///
    /// # Errors
    /// If the database fails.
    pub fn total(&self, order: OrderId) -> Result<i64> {
        self.db.query_row("SELECT coalesce(sum(cents), 0) FROM orders WHERE id = ?1", [order.0], |row| row.get(0))
    }

    /// Given: what a consumer has counted.
    ///
    /// # Errors
    /// If the database fails.
    pub fn credit(&self, consumer: Consumer) -> Result<i64> {
        let sum = "SELECT coalesce(sum(cents), 0) FROM credit WHERE consumer = ?1";
        self.db.query_row(sum, [consumer.0], |row| row.get(0))
    }

    /// Changes the total of an order, and puts the event into the outbox: both or neither. Returns the number of the event, which the
    /// outbox has given to it.
    ///
    /// # Errors
    /// If the total would fall below zero, or the database fails. Nothing has changed then.
    pub fn change(&mut self, order: OrderId, cents: i64) -> Result<EventId> {
        todo!("in {:?}, change {order:?} by {cents} and announce it", self.db)
    }

    /// What stands in the outbox, in the order of the numbers.
    ///
    /// # Errors
    /// If the database fails.
    pub fn pending(&self) -> Result<Vec<Event>> {
        todo!("what stands in the outbox of {:?}", self.db)
    }

    /// One pass over the outbox: publishes each event that stood there when it began, in the order of the numbers, and takes each out
    /// as soon as it is accepted. After an event that is not accepted the rest of its order waits for the next pass; other orders do not.
    /// Returns how many the broker accepted.
    ///
    /// While `publish` runs, others can write to the database.
    ///
    /// # Errors
    /// If the database fails.
    pub fn relay(&mut self, publish: impl FnMut(&Event) -> Answer) -> Result<usize> {
        todo!("publish what stands in the outbox of {:?}, by way of {}", self.db, std::any::type_name_of_val(&publish))
    }

    /// Counts the event for the consumer, unless it has been counted for it before. Says whether it was counted now.
    ///
    /// # Errors
    /// If the credit would fall below zero, or the database fails. Nothing has changed then, and the event can come again.
    pub fn consume(&mut self, consumer: Consumer, event: &Event) -> Result<bool> {
        todo!("count {event:?} for {consumer:?} in {:?}, unless it was", self.db)
    }
}

/// Given: changes the total of an order. It opens no transaction: whoever calls it decides what belongs together.
///
/// # Errors
/// If the total would fall below zero, or the database fails.
pub fn add_to_total(db: &Connection, order: OrderId, cents: i64) -> Result<()> {
    db.execute("INSERT OR IGNORE INTO orders (id, cents) VALUES (?1, 0)", [order.0])?;
    db.execute("UPDATE orders SET cents = cents + ?2 WHERE id = ?1", params![order.0, cents])?;
    Ok(())
}

/// Given: changes what a consumer has counted. It opens no transaction either.
///
/// # Errors
/// If the credit would fall below zero, or the database fails.
pub fn add_to_credit(db: &Connection, consumer: Consumer, cents: i64) -> Result<()> {
    db.execute("INSERT OR IGNORE INTO credit (consumer, cents) VALUES (?1, 0)", [consumer.0])?;
    db.execute("UPDATE credit SET cents = cents + ?2 WHERE consumer = ?1", params![consumer.0, cents])?;
    Ok(())
}
