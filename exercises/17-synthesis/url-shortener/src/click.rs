//! Stage 5: what a visitor is told, and how each visit is counted once.

use kit::{Millis, Time};

use crate::code::Code;
use crate::create::{Link, Target};

/// What matters more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// To see every visit.
    Count,
    /// To be asked as rarely as possible.
    Cache,
}

/// What a visitor is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// 302: go there, and ask again next time.
    Found(Target),
    /// 301: go there, and you need not ask again.
    Moved(Target),
    /// 404: there is no such link, now.
    NotFound,
    /// 410: there was one, and there never will be again.
    Gone,
}

impl Response {
    /// Its status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Found(_) => 302,
            Self::Moved(_) => 301,
            Self::NotFound => 404,
            Self::Gone => 410,
        }
    }

    /// How long browsers and proxies may remember it: [`REMEMBERED`] for what never changes back, and for 301, whose visitors must
    /// notice one day that a link was taken down; otherwise nothing.
    #[must_use]
    pub const fn remembered(&self) -> Millis {
        todo!()
    }

    /// Whether it leads somewhere: that is a click.
    #[must_use]
    pub const fn is_click(&self) -> bool {
        matches!(self, Self::Found(_) | Self::Moved(_))
    }
}

/// A day.
pub const REMEMBERED: Millis = Millis(86_400_000);

/// What to tell somebody who visits this link, if it is one.
#[must_use]
pub fn respond(link: Option<&Link>, policy: Policy) -> Response {
    todo!("what to tell a visitor of {link:?}, if we want to {policy:?}")
}

/// One life of one instance, from its start to its end: in the next it counts from 0 again, under another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Which instance.
    pub instance: u32,
    /// Its how manieth life.
    pub life: u32,
}

/// One visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Click {
    /// Its number among those of its source: 1, 2, 3, …
    pub number: u64,
    /// Of which link.
    pub code: Code,
    /// When, by the clock of the instance that was visited.
    pub at: Time,
}

/// Clicks on their way: neighbours, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Whose.
    pub source: Source,
    /// At least one.
    pub clicks: Vec<Click>,
}

/// Clicks that are not known to be counted yet.
#[derive(Clone, Debug)]
pub struct Outbox {
    // TODO: what must be remembered until a click is known to be counted?
}

impl Outbox {
    /// An empty one, for at most `capacity` clicks.
    #[must_use]
    pub fn new(source: Source, capacity: usize) -> Self {
        todo!("an outbox of {source:?} for {capacity} clicks")
    }

    /// Notes a visit. If there is no room it is dropped, and gets no number: that visitors arrive matters more than that they are counted.
    pub fn record(&mut self, code: Code, at: Time) {
        todo!("{code:?} was visited at {at}")
    }

    /// The oldest clicks that wait, at most `most`: to be sent, again and again, until they are counted. Nothing if none waits.
    #[must_use]
    pub fn batch(&self, most: usize) -> Option<Batch> {
        todo!("the {most} oldest clicks of {self:?}")
    }

    /// All clicks up to the one with this number are counted.
    pub fn counted(&mut self, through: u64) {
        todo!("clicks through {through} of {self:?} are counted")
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        todo!("how many wait in {self:?}")
    }

    /// How many were dropped.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        todo!()
    }
}

/// Clicks by link and by window: from 0 to `width`, from there to 2 · `width`, and so on. Which window is decided by when the visit
/// was, and not by when somebody heard of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tally {
    // TODO: what must be known of each source to recognise what was counted before?
}

impl Tally {
    /// Nothing counted yet.
    ///
    /// # Panics
    /// If the windows have no width.
    #[must_use]
    pub fn new(width: Millis) -> Self {
        todo!("windows of {width}")
    }

    /// Counts what was not counted before, in the order of the numbers and without stepping over one, and answers how far it has come
    /// with this source: the number of the last click counted, or 0.
    ///
    /// Batches come late, twice and out of order. It remembers one number for each source.
    pub fn take(&mut self, batch: &Batch) -> u64 {
        todo!("count {batch:?}")
    }

    /// The windows in which this link was visited, by their beginnings, and how often. The sum is all its clicks.
    #[must_use]
    pub fn windows(&self, code: Code) -> Vec<(Time, u64)> {
        todo!("in which windows {code:?} was visited")
    }
}
