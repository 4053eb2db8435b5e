//! Latencies counted in buckets that grow with them, so that quantiles keep their precision and histograms add up.

use std::num::NonZeroU64;

/// A duration in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

/// The time in microseconds from one request of a measuring client to its next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(pub NonZeroU64);

/// A share of all latencies, more than none and at most all. The 99th percentile is the quantile of 990,000 in a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantile {
    per_million: u32,
}

impl Quantile {
    /// `parts` in a million; `None` unless 1 ≤ `parts` ≤ 1,000,000.
    #[must_use]
    pub const fn per_million(parts: u32) -> Option<Self> {
        match parts {
            1..=1_000_000 => Some(Self { per_million: parts }),
            _ => None,
        }
    }
}

/// The nearest-rank quantile of `sorted`, which is in ascending order: the smallest value in it such that at least the
/// share `quantile` of all values is no greater. `None` if there are no values.
///
/// Constant time. For every share and length the answer is exact: shares are whole millionths, not floating-point numbers.
#[must_use]
pub fn nearest_rank(sorted: &[Micros], quantile: Quantile) -> Option<Micros> {
    todo!("find the value of {} with {} millionths at or below it", sorted.len(), quantile.per_million)
}

/// Any number of latencies, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    // TODO: two latencies may share a counter only if confusing them is harmless. Which ones share?
}

impl Histogram {
    /// Counts `latency`. Constant time, apart from growth.
    pub fn record(&mut self, latency: Micros) {
        todo!("count {latency:?}")
    }

    /// Counts `latency` as measured by a client that wants to send a request every `interval`, but waits for each answer
    /// before it sends the next. Counts also the requests that were due in the meantime: while the answer to the first was
    /// awaited for `latency`, the next ones would have been awaited for `latency` less one interval, less two, and so on,
    /// as long as something remains.
    ///
    /// Linear in the number of intervals in `latency`.
    pub fn record_corrected(&mut self, latency: Micros, interval: Interval) {
        todo!("count {latency:?} and the requests that were due every {interval:?} in the meantime")
    }

    /// How many latencies were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        todo!("the number of latencies")
    }

    /// The mean of all latencies counted, rounded to the nearest microsecond, half up. `None` if there were none.
    ///
    /// Exact: it is not computed from buckets.
    #[must_use]
    pub fn mean(&self) -> Option<Micros> {
        todo!("their mean")
    }

    /// An upper bound of the nearest-rank quantile of all latencies counted: never less than the true one, and greater by
    /// less than a 64th of it. Below 128 µs it is exact. `None` if nothing was counted.
    ///
    /// Linear in the number of counters.
    #[must_use]
    pub fn quantile(&self, quantile: Quantile) -> Option<Micros> {
        todo!("find the bucket with {quantile:?}, and the slowest latency that it may hold")
    }

    /// How many counters it keeps in memory: at most 3,776, whatever was counted.
    #[must_use]
    pub fn counters(&self) -> usize {
        todo!("the number of counters")
    }

    /// Adds everything that `other` has counted, as if it had been recorded here.
    ///
    /// Linear in the number of `other`'s counters.
    pub fn merge(&mut self, other: &Self) {
        todo!("add {other:?}")
    }
}

/// The quantile of all requests that a fleet has served, one histogram a server, to the precision of
/// [`Histogram::quantile`]. `None` if no server has counted anything.
#[must_use]
pub fn fleet_quantile(servers: &[Histogram], quantile: Quantile) -> Option<Micros> {
    todo!("find {quantile:?} of the requests of all {} servers", servers.len())
}
