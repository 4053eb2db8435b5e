//! How good a service was, how bad it may still be, and when to wake somebody.

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
        todo!("the share of good requests in {self:?}")
    }

    /// Whether the indicator is at least the target, exactly. Where nothing was asked, nothing was missed.
    #[must_use]
    pub fn meets(self, target: Target) -> bool {
        todo!("does {self:?} meet {target:?}?")
    }
}

/// The count of a longer time from those of its parts.
impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        let parts: Vec<Self> = parts.collect();
        todo!("add up {parts:?}")
    }
}

/// How many times smaller the downtime is that `objective` (the SLO, ours) allows than that of `agreement` (the SLA, which
/// costs money). Nothing unless the objective is the stricter of the two.
#[must_use]
pub fn margin(objective: Target, agreement: Target) -> Option<f64> {
    todo!("how much stricter is {objective:?} than {agreement:?}?")
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
        todo!("what is left of {self:?}")
    }

    /// The share that was spent; above 1 if more was spent than there was, and 0 if nothing was spent, though there was nothing.
    #[must_use]
    pub fn share_used(self) -> f64 {
        todo!("what share of {self:?} is used")
    }
}

/// The budget in requests: of all that came, so many may be bad.
#[must_use]
pub fn by_requests(target: Target, counts: &[Count]) -> Budget {
    todo!("the budget of {target:?} in requests, for {counts:?}")
}

/// The budget in minutes: of the time that `slices` cover, each as long as `slice`, so much may be bad. A slice is bad as a whole
/// if it does not meet the target by itself.
#[must_use]
pub fn by_time(target: Target, slices: &[Count], slice: Duration) -> Budget {
    todo!("the budget of {target:?} in minutes, for {slices:?} of {slice:?} each")
}

/// How fast the budget is spent: 1 spends all of it in exactly the time that the target is about, 2 in half of that. Nothing
/// where nothing was asked.
#[must_use]
pub fn burn_rate(target: Target, count: Count) -> Option<f64> {
    todo!("how fast {count:?} burns the budget of {target:?}")
}

/// The burn rate at which `share` of the budget for `period` is spent within `window`.
#[must_use]
pub fn threshold(share: f64, window: Duration, period: Duration) -> f64 {
    todo!("the burn rate that spends {share} of the budget of {period:?} in {window:?}")
}

/// After how long an outage shows in a window: until then requests were good, from then on this share is bad, and `window` must
/// burn at `threshold`. Nothing if it never does.
#[must_use]
pub fn time_to_notice(target: Target, threshold: f64, window: Duration, bad: f64) -> Option<Duration> {
    todo!("when {bad} of bad requests shows in {window:?} at {threshold} times {target:?}")
}

/// Fires while the budget burns too fast, over a long window *and* over a short one.
///
/// The long one says that it matters, the short one that it is still going on.
#[derive(Clone, Debug)]
pub struct Alert {
    // TODO: what must it remember, and how much of it?
}

impl Alert {
    /// An alert at a burn rate of `threshold` over the last `long` minutes and over the last `short` ones.
    ///
    /// # Panics
    /// Unless 0 < `short` ≤ `long`.
    #[must_use]
    pub fn new(target: Target, threshold: f64, long: usize, short: usize) -> Self {
        todo!("an alert for {target:?} at {threshold} over {long} and {short} minutes")
    }

    /// Adds the count of the minute that has just ended, and says whether the alert fires now.
    ///
    /// A window that nobody asked anything in does not burn. One that reaches back behind the first minute holds what there is.
    pub fn observe(&mut self, minute: Count) -> bool {
        todo!("the minute {minute:?} has ended: does {self:?} fire?")
    }

    /// How many counts it keeps: never more than its long window has minutes.
    #[must_use]
    pub fn kept(&self) -> usize {
        todo!("how many counts {self:?} keeps")
    }
}
