//! Estimates whose units are checked by the compiler.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Div, Mul, RangeInclusive};
use std::time::Duration;

/// An amount of data. Units are decimal, as disks are sold: 1 kB is 1,000 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// So many kilobytes.
    #[must_use]
    pub const fn kb(count: u64) -> Self {
        let _ = count;
        todo!()
    }

    /// So many megabytes.
    #[must_use]
    pub const fn mb(count: u64) -> Self {
        let _ = count;
        todo!()
    }

    /// So many gigabytes.
    #[must_use]
    pub const fn gb(count: u64) -> Self {
        let _ = count;
        todo!()
    }

    /// So many terabytes.
    #[must_use]
    pub const fn tb(count: u64) -> Self {
        let _ = count;
        todo!()
    }
}

impl Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        todo!("add {self:?} and {other:?}")
    }
}

/// So many times as much.
impl Mul<u64> for Bytes {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        todo!("{times} times {self:?}")
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        todo!("add {:?}", parts.collect::<Vec<_>>())
    }
}

/// In the greatest unit of which there is at least one, `B`, `kB`, `MB`, `GB`, `TB` or `PB`; with three decimals unless in bytes; rounded, halves up: `12.702 TB`.
/// What rounds up to a thousand of a unit is one of the next.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!("tell {} in the unit that fits: {:?}", self.0, f.width())
    }
}

/// A number of requests, or of the records that they leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requests(pub u64);

impl Add for Requests {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        todo!("add {self:?} and {other:?}")
    }
}

/// What so many records take, if each takes so much.
impl Mul<Bytes> for Requests {
    type Output = Bytes;

    fn mul(self, each: Bytes) -> Bytes {
        todo!("{self:?} of {each:?} each")
    }
}

/// So many requests in so much time, exactly.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    // TODO: what must it hold, so that nothing is rounded before the end?
}

/// # Panics
/// If the time is zero.
impl Div<Duration> for Requests {
    type Output = Rate;

    fn div(self, per: Duration) -> Rate {
        todo!("{self:?} in {per:?}")
    }
}

/// So many times as fast.
impl Mul<u64> for Rate {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        todo!("{times} times {self:?}")
    }
}

impl Rate {
    /// Requests in a second, rounded, halves up.
    #[must_use]
    pub fn per_second(self) -> u64 {
        todo!("round {self:?}")
    }
}

/// What `days` days of records take, each day as many and each as large, kept in so many `copies` altogether.
#[must_use]
pub fn storage(a_day: Requests, record: Bytes, days: u64, copies: u64) -> Bytes {
    todo!("{a_day:?} of {record:?} a day, {days} days, {copies} copies")
}

/// The least and the most that a text of so many characters takes in UTF-8.
#[must_use]
pub fn utf8(characters: u64) -> RangeInclusive<Bytes> {
    todo!("from so many bytes to so many, for {characters} characters")
}

/// How many servers a `peak` needs, if `each` bears so much: first the whole servers that bear it, then `spare_percent` of them in
/// addition, and no part of a server is one. Nothing if a server bears nothing.
#[must_use]
pub fn servers(peak: Rate, each: Rate, spare_percent: u64) -> Option<u64> {
    todo!("bear {peak:?} with servers of {each:?}, and {spare_percent} % of them in addition")
}
