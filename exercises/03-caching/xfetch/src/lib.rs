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

impl Draw {
    /// `u` as a draw; nothing unless 0 < `u` ≤ 1.
    #[must_use]
    pub fn new(u: f64) -> Option<Self> {
        todo!("is {u} a draw?")
    }

    /// The draw that 64 random bits stand for: one of 2⁻⁵³, 2·2⁻⁵³, 3·2⁻⁵³, … 1, each as likely as any other. Which bits stand for
    /// which is free.
    #[must_use]
    // TODO: 53 of the bits make a fraction that an `f64` holds exactly. Which two fractions must not and must come out?
    pub fn from_bits(bits: u64) -> Self {
        todo!("the draw of the bits {bits:064b}")
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

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

/// Whether a reader who draws `draw` recomputes a value now: `now − Δ·β·ln U ≥ expiry`.
///
/// Δ is how long it took to compute the value. From `expiry` on everybody does, whatever they draw.
#[must_use]
pub fn is_due(now: Time, expiry: Time, recompute: Millis, beta: Beta, draw: Draw) -> bool {
    todo!("at {now}, a value that took {recompute} and expires at {expiry}, with {beta:?} and {draw:?}")
}

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

    /// What a reader of `key` who draws `draw` finds at `now`.
    #[must_use]
    pub fn get(&self, key: &str, now: Time, draw: Draw) -> Lookup<'_, V> {
        todo!("look up {key} at {now} with {draw:?} and {:?}", self.beta)
    }

    /// Keeps a `value` whose computation `began` then and ended `now`, for one time to live from now on.
    ///
    /// Returns `false` and changes nothing if the value that it has, expired or not, was begun later: that one knows more. Of two
    /// begun at the same moment it keeps the one stored last. The two times compile in either order: exchanged, they give a Δ of 0,
    /// and nobody ever comes early.
    pub fn store(&mut self, key: &str, value: V, began: Time, now: Time) -> bool {
        drop(value); // only so that it compiles
        todo!("keep the value of {key} computed from {began} to {now}, for {}", self.ttl)
    }

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

/// L = λβΔ: how many readers come in β times the time that a computation takes.
#[must_use]
pub fn pressure(rate: PerSecond, recompute: Millis, beta: Beta) -> f64 {
    todo!("{rate:?}, {recompute} and {beta:?}")
}

/// The chance that a value is refreshed before it expires, if readers come independently of each other at `rate`:
/// 1 − e^(−L). The time to live is taken to be much longer than βΔ.
#[must_use]
pub fn early_chance(rate: PerSecond, recompute: Millis, beta: Beta) -> f64 {
    todo!("{rate:?}, {recompute} and {beta:?}")
}

/// How many milliseconds before expiry the first volunteer comes, on average: βΔ·(ln L + γ).
///
/// Below L = 5 this is not accurate: it leaves out a term that then is more than 0.1 % of βΔ. Below L = e^(−γ) = 0.56 it is negative,
/// for readers who never come it is −∞.
#[must_use]
pub fn mean_lead_ms(rate: PerSecond, recompute: Millis, beta: Beta) -> f64 {
    todo!("{rate:?}, {recompute} and {beta:?}")
}

/// How many readers recompute a value at once, on average, the first volunteer included, until its value is stored: e^(1/β).
///
/// While the first computes, others still toss their coins. Holds if L is much greater than e^(1/β); infinite for β = 0.
#[must_use]
pub fn mean_herd(beta: Beta) -> f64 {
    todo!("the herd with {beta:?}")
}

/// The least β with which more than `most` readers recompute a value at once in at most a share `share` of the refreshes.
///
/// The size of a herd is geometric: more than k come with a chance of (1 − e^(−1/β))^k. Nothing unless `most` is positive
/// and 0 < `share` < 1. A `share` may be as small as you like.
#[must_use]
pub fn beta_for(most: u32, share: f64) -> Option<Beta> {
    todo!("no more than {most} at once, but for {share} of the refreshes")
}
