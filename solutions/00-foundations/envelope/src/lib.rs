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
        Self(count * 1_000)
    }

    /// So many megabytes.
    #[must_use]
    pub const fn mb(count: u64) -> Self {
        Self(count * 1_000_000)
    }

    /// So many gigabytes.
    #[must_use]
    pub const fn gb(count: u64) -> Self {
        Self(count * 1_000_000_000)
    }

    /// So many terabytes.
    #[must_use]
    pub const fn tb(count: u64) -> Self {
        Self(count * 1_000_000_000_000)
    }
}

// ANCHOR: add
impl Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

/// So many times as much.
impl Mul<u64> for Bytes {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self(self.0 * times)
    }
}
// ANCHOR_END: add

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// In the greatest unit of which there is at least one, `B`, `kB`, `MB`, `GB`, `TB` or `PB`; with three decimals unless in bytes; rounded, halves up: `12.702 TB`.
/// What rounds up to a thousand of a unit is one of the next.
impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = u128::from(self.0);
        let mut thousandth: u128 = 1;
        for unit in ["kB", "MB", "GB", "TB", "PB"] {
            let rounded = (bytes + thousandth / 2) / thousandth;
            if unit == "kB" && rounded < 1_000 {
                break;
            }
            if rounded < 1_000_000 || unit == "PB" {
                return write!(f, "{}.{:03} {unit}", rounded / 1_000, rounded % 1_000);
            }
            thousandth *= 1_000;
        }
        write!(f, "{bytes} B")
    }
}

/// A number of requests, or of the records that they leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requests(pub u64);

impl Add for Requests {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

/// What so many records take, if each takes so much.
impl Mul<Bytes> for Requests {
    type Output = Bytes;

    fn mul(self, each: Bytes) -> Bytes {
        Bytes(self.0 * each.0)
    }
}

// ANCHOR: rate
/// So many requests in so much time, exactly.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    requests: u64,
    per: Duration,
}

/// # Panics
/// If the time is zero.
impl Div<Duration> for Requests {
    type Output = Rate;

    fn div(self, per: Duration) -> Rate {
        assert!(!per.is_zero(), "{self:?} in no time");
        Rate { requests: self.0, per }
    }
}
// ANCHOR_END: rate

/// So many times as fast.
impl Mul<u64> for Rate {
    type Output = Self;

    fn mul(self, times: u64) -> Self {
        Self { requests: self.requests * times, per: self.per }
    }
}

impl Rate {
    /// Requests in a second, rounded, halves up.
    #[must_use]
    pub fn per_second(self) -> u64 {
        let (requests, nanos) = (u128::from(self.requests) * 1_000_000_000, self.per.as_nanos());
        ((2 * requests + nanos) / (2 * nanos)) as u64
    }
}

/// What `days` days of records take, each day as many and each as large, kept in so many `copies` altogether.
#[must_use]
pub fn storage(a_day: Requests, record: Bytes, days: u64, copies: u64) -> Bytes {
    a_day * record * days * copies
}

/// The least and the most that a text of so many characters takes in UTF-8.
#[must_use]
pub fn utf8(characters: u64) -> RangeInclusive<Bytes> {
    Bytes(characters)..=Bytes(4 * characters)
}

// ANCHOR: servers
/// How many servers a `peak` needs, if `each` bears so much: first the whole servers that bear it, then `spare_percent` of them in
/// addition, and no part of a server is one. Nothing if a server bears nothing.
#[must_use]
pub fn servers(peak: Rate, each: Rate, spare_percent: u64) -> Option<u64> {
    let (asked, borne) =
        (u128::from(peak.requests) * each.per.as_nanos(), u128::from(each.requests) * peak.per.as_nanos());
    (borne > 0).then(|| {
        let bearing = asked.div_ceil(borne) as u64;
        bearing + (bearing * spare_percent).div_ceil(100)
    })
}
// ANCHOR_END: servers
