//! How good a service was, how bad it may still be, and when to wake somebody.

use std::collections::VecDeque;
use std::iter::Sum;
use std::time::Duration;

/// A share of requests that must be good, in millionths: 999,000 is 99.9 %. More than nothing and less than everything: with
/// a target of 100 % there is no budget, and nobody may ever change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(u32);

impl Target {
    /// So many of a million; nothing unless from 1 to 999,999.
    #[must_use]
    pub fn per_million(good: u32) -> Option<Self> {
        (1..1_000_000).contains(&good).then_some(Self(good))
    }

    /// How many of a million may be bad.
    #[must_use]
    pub const fn allowed(self) -> u32 {
        1_000_000 - self.0
    }
}

/// The requests of some time. `valid` leaves out what says nothing about the service, such as requests that nobody may make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Those that were answered well and in time.
    pub good: u64,
    /// All that should have been.
    pub valid: u64,
}

impl Count {
    /// Those that were not good.
    #[must_use]
    pub const fn bad(self) -> u64 {
        self.valid - self.good
    }

    /// The service-level indicator: the share of valid requests that were good. Nothing if there were none.
    #[must_use]
    pub fn indicator(self) -> Option<f64> {
        (self.valid > 0).then(|| self.good as f64 / self.valid as f64)
    }

    // ANCHOR: meets
    /// Whether the indicator is at least the target, exactly. Where nothing was asked, nothing was missed.
    #[must_use]
    pub fn meets(self, target: Target) -> bool {
        u128::from(self.bad()) * 1_000_000 <= u128::from(self.valid) * u128::from(target.allowed())
    }
    // ANCHOR_END: meets
}

/// The count of a longer time from those of its parts.
impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |all, part| Self { good: all.good + part.good, valid: all.valid + part.valid })
    }
}

/// How many times smaller the downtime is that `objective` (the SLO, ours) allows than that of `agreement` (the SLA, which
/// costs money). Nothing unless the objective is the stricter of the two.
#[must_use]
pub fn margin(objective: Target, agreement: Target) -> Option<f64> {
    (objective > agreement).then(|| f64::from(agreement.allowed()) / f64::from(objective.allowed()))
}

/// A budget and what became of it, both in the same unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// What may be spent.
    pub allowed: f64,
    /// What was spent.
    pub used: f64,
}

impl Budget {
    /// What is left; below zero if more was spent than there was.
    #[must_use]
    pub fn left(self) -> f64 {
        self.allowed - self.used
    }

    /// The share that was spent; above 1 if more was spent than there was, and 0 if nothing was spent, though there was nothing.
    #[must_use]
    pub fn share_used(self) -> f64 {
        if self.used > 0.0 { self.used / self.allowed } else { 0.0 }
    }
}

/// The budget in requests: of all that came, so many may be bad.
#[must_use]
pub fn by_requests(target: Target, counts: &[Count]) -> Budget {
    let all: Count = counts.iter().copied().sum();
    Budget { allowed: all.valid as f64 * f64::from(target.allowed()) / 1e6, used: all.bad() as f64 }
}

/// The budget in minutes: of the time that `slices` cover, each as long as `slice`, so much may be bad. A slice is bad as a whole
/// if it does not meet the target by itself.
#[must_use]
pub fn by_time(target: Target, slices: &[Count], slice: Duration) -> Budget {
    let minutes = slice.as_secs_f64() / 60.0;
    let bad = slices.iter().filter(|count| !count.meets(target)).count();
    Budget { allowed: slices.len() as f64 * minutes * f64::from(target.allowed()) / 1e6, used: bad as f64 * minutes }
}

/// How fast the budget is spent: 1 spends all of it in exactly the time that the target is about, 2 in half of that. Nothing
/// where nothing was asked.
#[must_use]
pub fn burn_rate(target: Target, count: Count) -> Option<f64> {
    (count.valid > 0).then(|| count.bad() as f64 / count.valid as f64 * 1e6 / f64::from(target.allowed()))
}

/// The burn rate at which `share` of the budget for `period` is spent within `window`.
#[must_use]
pub fn threshold(share: f64, window: Duration, period: Duration) -> f64 {
    share * period.as_secs_f64() / window.as_secs_f64()
}

/// After how long an outage shows in a window: until then requests were good, from then on this share is bad, and `window` must
/// burn at `threshold`. Nothing if it never does.
#[must_use]
pub fn time_to_notice(target: Target, threshold: f64, window: Duration, bad: f64) -> Option<Duration> {
    let needed = threshold * f64::from(target.allowed()) / 1e6;
    (bad >= needed && bad > 0.0).then(|| window.mul_f64(needed / bad))
}

/// Fires while the budget burns too fast, over a long window *and* over a short one.
///
/// The long one says that it matters, the short one that it is still going on.
#[derive(Clone, Debug)]
pub struct Alert {
    target: Target,
    threshold: f64,
    long: usize,
    short: usize,
    /// The last minutes, the newest last; at most `long`.
    minutes: VecDeque<Count>,
}

impl Alert {
    /// An alert at a burn rate of `threshold` over the last `long` minutes and over the last `short` ones.
    ///
    /// # Panics
    /// Unless 0 < `short` ≤ `long`.
    #[must_use]
    pub fn new(target: Target, threshold: f64, long: usize, short: usize) -> Self {
        assert!(0 < short && short <= long, "a short window of {short} minutes in a long one of {long}");
        Self { target, threshold, long, short, minutes: VecDeque::new() }
    }

    // ANCHOR: observe
    /// Adds the count of the minute that has just ended, and says whether the alert fires now.
    ///
    /// A window that nobody asked anything in does not burn. One that reaches back behind the first minute holds what there is.
    pub fn observe(&mut self, minute: Count) -> bool {
        self.minutes.push_back(minute);
        if self.minutes.len() > self.long {
            self.minutes.pop_front();
        }
        let burns = |window: usize| {
            let count: Count = self.minutes.iter().rev().take(window).copied().sum();
            burn_rate(self.target, count).is_some_and(|rate| rate >= self.threshold)
        };
        burns(self.long) && burns(self.short)
    }
    // ANCHOR_END: observe

    /// How many counts it keeps: never more than its long window has minutes.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.minutes.len()
    }
}
