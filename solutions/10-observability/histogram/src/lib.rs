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

    /// The nearest rank among `count` values: how many of them, at least, make up this share.
    fn rank(self, count: u64) -> u64 {
        let rank = (u128::from(self.per_million) * u128::from(count)).div_ceil(1_000_000);
        u64::try_from(rank).expect("a share of a count is no more than the count")
    }
}

/// The nearest-rank quantile of `sorted`, which is in ascending order: the smallest value in it such that at least the
/// share `quantile` of all values is no greater. `None` if there are no values.
///
/// Constant time. For every share and length the answer is exact: shares are whole millionths, not floating-point numbers.
#[must_use]
pub fn nearest_rank(sorted: &[Micros], quantile: Quantile) -> Option<Micros> {
    let rank = quantile.rank(sorted.len() as u64);
    let index = usize::try_from(rank).expect("a rank is no more than the length").checked_sub(1)?;
    sorted.get(index).copied()
}

/// Any number of latencies, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// How many latencies fell into each bucket; as long as the slowest needed.
    counts: Vec<u64>,
    count: u64,
    sum: u128,
}

impl Histogram {
    /// Counts `latency`. Constant time, apart from growth.
    pub fn record(&mut self, latency: Micros) {
        let bucket = bucket(latency);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
        self.sum += u128::from(latency.0);
    }

    /// Counts `latency` as measured by a client that wants to send a request every `interval`, but waits for each answer
    /// before it sends the next. Counts also the requests that were due in the meantime: while the answer to the first was
    /// awaited for `latency`, the next ones would have been awaited for `latency` less one interval, less two, and so on,
    /// as long as something remains.
    ///
    /// Linear in the number of intervals in `latency`.
    pub fn record_corrected(&mut self, latency: Micros, interval: Interval) {
        let mut waited = Some(latency.0);
        while let Some(latency) = waited {
            self.record(Micros(latency));
            waited = latency.checked_sub(interval.0.get()).filter(|&rest| rest > 0);
        }
    }

    /// How many latencies were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean of all latencies counted, rounded to the nearest microsecond, half up. `None` if there were none.
    ///
    /// Exact: it is not computed from buckets.
    #[must_use]
    pub fn mean(&self) -> Option<Micros> {
        let count = u128::from(self.count);
        let mean = (self.sum + count / 2).checked_div(count)?;
        Some(Micros(u64::try_from(mean).expect("a mean is no greater than the greatest value")))
    }

    /// An upper bound of the nearest-rank quantile of all latencies counted: never less than the true one, and greater by
    /// less than a 64th of it. Below 128 µs it is exact. `None` if nothing was counted.
    ///
    /// Linear in the number of counters.
    #[must_use]
    pub fn quantile(&self, quantile: Quantile) -> Option<Micros> {
        let rank = quantile.rank(self.count);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|&count| {
            seen += count;
            seen >= rank
        })?;
        Some(slowest_in(bucket))
    }

    /// How many counters it keeps in memory: at most 3,776, whatever was counted.
    #[must_use]
    pub fn counters(&self) -> usize {
        self.counts.len()
    }

    // ANCHOR: merge
    /// Adds everything that `other` has counted, as if it had been recorded here.
    ///
    /// Linear in the number of `other`'s counters.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
    }
    // ANCHOR_END: merge
}

/// The quantile of all requests that a fleet has served, one histogram a server, to the precision of
/// [`Histogram::quantile`]. `None` if no server has counted anything.
#[must_use]
pub fn fleet_quantile(servers: &[Histogram], quantile: Quantile) -> Option<Micros> {
    let mut fleet = Histogram::default();
    for server in servers {
        fleet.merge(server);
    }
    fleet.quantile(quantile)
}

// ANCHOR: bucket
/// The highest seven bits of a latency say which bucket it is in; the number of bits below them, which block of 64.
fn bucket(Micros(latency): Micros) -> usize {
    let bits = u64::BITS - latency.leading_zeros();
    let dropped = bits.saturating_sub(7);
    dropped as usize * 64 + (latency >> dropped) as usize
}

/// The slowest latency that [`bucket`] puts there: the dropped bits are all ones.
fn slowest_in(bucket: usize) -> Micros {
    let dropped = (bucket / 64).saturating_sub(1);
    let kept = (bucket - dropped * 64) as u64;
    Micros((kept << dropped) | ((1 << dropped) - 1))
}
// ANCHOR_END: bucket
