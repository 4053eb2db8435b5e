//! A value that expires for everybody at once is recomputed by everybody at once. XFetch lets a few readers go first.
//!
//! Each reader tosses a coin, alone, with nobody to ask. The coins are weighted so that somebody volunteers shortly before
//! the value expires, and hardly anybody long before (Vattani, Chierichetti, Lowenstein: PVLDB 8(8), 2015).

pub mod load;

use kit::{Millis, Time};
use std::collections::HashMap;

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: the rule
// ---------------------------------------------------------------------------------------------------------------------

/// A number between 0, excluded, and 1, included: what a reader draws, each time it reads.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Draw(f64);

// ANCHOR: draw
impl Draw {
    /// `u` as a draw; nothing unless 0 < `u` ≤ 1.
    #[must_use]
    pub fn new(u: f64) -> Option<Self> {
        (u > 0.0 && u <= 1.0).then_some(Self(u))
    }

    /// The draw that 64 random bits stand for: one of 2⁻⁵³, 2·2⁻⁵³, 3·2⁻⁵³, … 1, each as likely as any other. Which bits stand for
    /// which is free.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        const DRAWS: u64 = 1 << f64::MANTISSA_DIGITS;
        Self(((bits >> (64 - f64::MANTISSA_DIGITS)) + 1) as f64 / DRAWS as f64)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}
// ANCHOR_END: draw

/// How eager readers are. 1 is the usual choice, 0 is a plain time to live.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Beta(f64);

impl Beta {
    /// Readers begin as early as a computation takes, times what they draw.
    pub const ONE: Self = Self(1.0);

    /// `beta` as an eagerness; nothing unless it is finite and not negative.
    #[must_use]
    pub fn new(beta: f64) -> Option<Self> {
        (beta.is_finite() && beta >= 0.0).then_some(Self(beta))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

// ANCHOR: rule
/// Whether a reader who draws `draw` recomputes a value now: `now − Δ·β·ln U ≥ expiry`.
///
/// Δ is how long it took to compute the value. From `expiry` on everybody does, whatever they draw.
#[must_use]
pub fn is_due(now: Time, expiry: Time, recompute: Millis, beta: Beta, draw: Draw) -> bool {
    // ln U is negative or 0: the reader behaves as if it were that much later.
    let head_start = -(recompute.0 as f64 * beta.0 * draw.0.ln());
    now >= expiry || now.0 as f64 + head_start >= expiry.0 as f64
}
// ANCHOR_END: rule

// ---------------------------------------------------------------------------------------------------------------------
// Stage 2: the cache
// ---------------------------------------------------------------------------------------------------------------------

/// A value and what a reader must know to decide about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<V> {
    /// What was computed.
    pub value: V,
    /// When its computation began: it knows of nothing that happened since.
    pub began: Time,
    /// How long the computation took: the Δ of the rule.
    pub recompute: Millis,
    /// From when on nobody may use it.
    pub expiry: Time,
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'a, V> {
    /// A value to use.
    Hit(&'a V),
    /// A value to use, and this reader is a volunteer: it recomputes the value, while everybody goes on using this one.
    Early(&'a V),
    /// Nothing, or nothing that may still be used: this reader has to compute a value and wait for it.
    Miss,
}

/// Values by key, each usable for one time to live, each refreshed early by its readers.
///
/// Sans-IO: whoever reads says what time it is and what it drew, and does the computing.
#[derive(Clone, Debug)]
pub struct Cache<V> {
    ttl: Millis,
    beta: Beta,
    entries: HashMap<String, Entry<V>>,
}

impl<V> Cache<V> {
    /// An empty cache.
    #[must_use]
    pub fn new(ttl: Millis, beta: Beta) -> Self {
        Self { ttl, beta, entries: HashMap::new() }
    }

    // ANCHOR: cache
    /// What a reader of `key` who draws `draw` finds at `now`.
    #[must_use]
    pub fn get(&self, key: &str, now: Time, draw: Draw) -> Lookup<'_, V> {
        match self.entries.get(key) {
            Some(entry) if now < entry.expiry => {
                if is_due(now, entry.expiry, entry.recompute, self.beta, draw) {
                    Lookup::Early(&entry.value)
                } else {
                    Lookup::Hit(&entry.value)
                }
            }
            _ => Lookup::Miss,
        }
    }

    /// Keeps a `value` whose computation `began` then and ended `now`, for one time to live from now on.
    ///
    /// Returns `false` and changes nothing if the value that it has, expired or not, was begun later: that one knows more. Of two
    /// begun at the same moment it keeps the one stored last. The two times compile in either order: exchanged, they give a Δ of 0,
    /// and nobody ever comes early.
    pub fn store(&mut self, key: &str, value: V, began: Time, now: Time) -> bool {
        if self.entries.get(key).is_some_and(|entry| entry.began > began) {
            return false;
        }
        let entry = Entry { value, began, recompute: now.since(began), expiry: now + self.ttl };
        self.entries.insert(key.to_owned(), entry);
        true
    }
    // ANCHOR_END: cache

    /// What it keeps for `key`, expired or not.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry<V>> {
        self.entries.get(key)
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 3: the herd, and how to forecast it
// ---------------------------------------------------------------------------------------------------------------------

/// How often something happens, on average.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct PerSecond(pub f64);

/// Euler's constant γ, from which sums of 1/n and logarithms differ.
pub const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

// ANCHOR: forecast
/// L = λβΔ: how many readers come in β times the time that a computation takes.
#[must_use]
pub fn pressure(rate: PerSecond, recompute: Millis, beta: Beta) -> f64 {
    rate.0 * beta.0 * recompute.0 as f64 / 1_000.0
}

/// The chance that a value is refreshed before it expires, if readers come independently of each other at `rate`:
/// 1 − e^(−L). The time to live is taken to be much longer than βΔ.
#[must_use]
pub fn early_chance(rate: PerSecond, recompute: Millis, beta: Beta) -> f64 {
    -(-pressure(rate, recompute, beta)).exp_m1()
}

/// How many milliseconds before expiry the first volunteer comes, on average: βΔ·(ln L + γ).
///
/// Below L = 5 this is not accurate: it leaves out a term that then is more than 0.1 % of βΔ. Below L = e^(−γ) = 0.56 it is negative,
/// for readers who never come it is −∞.
#[must_use]
pub fn mean_lead_ms(rate: PerSecond, recompute: Millis, beta: Beta) -> f64 {
    beta.0 * recompute.0 as f64 * (pressure(rate, recompute, beta).ln() + EULER_GAMMA)
}

/// How many readers recompute a value at once, on average, the first volunteer included, until its value is stored: e^(1/β).
///
/// While the first computes, others still toss their coins. Holds if L is much greater than e^(1/β); infinite for β = 0.
#[must_use]
pub fn mean_herd(beta: Beta) -> f64 {
    beta.0.recip().exp()
}

/// The least β with which more than `most` readers recompute a value at once in at most a share `share` of the refreshes.
///
/// The size of a herd is geometric: more than k come with a chance of (1 − e^(−1/β))^k. Nothing unless `most` is positive
/// and 0 < `share` < 1. A `share` may be as small as you like.
#[must_use]
pub fn beta_for(most: u32, share: f64) -> Option<Beta> {
    if most == 0 || !(share > 0.0 && share < 1.0) {
        return None;
    }
    let another_comes = share.powf(f64::from(most).recip());
    Beta::new(-(-another_comes).ln_1p().recip())
}
// ANCHOR_END: forecast
