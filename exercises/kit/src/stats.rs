//! Bounds for statistical tests, each chosen by its *false-alarm rate*: how often a correct implementation would fail.
//!
//! A test that draws random numbers can fail by bad luck. How much bad luck it tolerates is a decision, so every
//! function here takes it as an argument, and every test that calls one states it.

use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF as _, DiscreteCDF as _};
use std::ops::RangeInclusive;

/// The counts that `trials` independent trials with chance `p` give, all but a `false_alarm` share of the time.
///
/// Both tails get half of `false_alarm`; the bounds are exact, not a normal approximation.
///
/// # Panics
/// If `p` is not within 0 and 1, or `false_alarm` not strictly between them.
#[must_use]
pub fn binomial_range(trials: u64, p: f64, false_alarm: f64) -> RangeInclusive<u64> {
    assert_rate(false_alarm);
    let law = Binomial::new(p, trials).expect("a chance lies within 0 and 1");
    let (mut low, mut high) = (0, trials);
    // The least count whose lower tail is more than its half, and the least beyond which the upper tail is at most its.
    let mut reach = trials;
    while low < reach {
        let middle = low + (reach - low) / 2;
        if law.cdf(middle) > false_alarm / 2.0 { reach = middle } else { low = middle + 1 }
    }
    let mut start = low;
    while start < high {
        let middle = start + (high - start) / 2;
        if law.sf(middle) <= false_alarm / 2.0 { high = middle } else { start = middle + 1 }
    }
    low..=high
}

/// The greatest count that `trials` trials with chance *at most* `p` give, all but a `false_alarm` share of the time.
///
/// # Panics
/// As [`binomial_range`].
#[must_use]
pub fn binomial_at_most(trials: u64, p: f64, false_alarm: f64) -> u64 {
    *binomial_range(trials, p, (2.0 * false_alarm).min(0.999_999)).end()
}

/// Pearson's statistic of counts against what was expected: Σ (observed − expected)² / expected.
///
/// # Panics
/// If the lengths differ or something expected is not positive: merge rare cells first (at least five in each).
#[must_use]
pub fn chi_square(observed: &[u64], expected: &[f64]) -> f64 {
    assert_eq!(observed.len(), expected.len(), "one expectation for each cell");
    observed
        .iter()
        .zip(expected)
        .map(|(&seen, &wanted)| {
            assert!(wanted > 0.0, "an expected count must be positive");
            (seen as f64 - wanted).powi(2) / wanted
        })
        .sum()
}

/// The value that [`chi_square`] of a correct implementation exceeds in a `false_alarm` share of runs.
///
/// `freedom` is the number of cells less one for each total that is fixed.
///
/// # Panics
/// If `freedom` is 0 or `false_alarm` is not strictly between 0 and 1.
#[must_use]
pub fn chi_square_limit(freedom: u64, false_alarm: f64) -> f64 {
    assert_rate(false_alarm);
    ChiSquared::new(freedom as f64).expect("at least one degree of freedom").inverse_cdf(1.0 - false_alarm)
}

fn assert_rate(false_alarm: f64) {
    assert!(false_alarm > 0.0 && false_alarm < 1.0, "a false-alarm rate lies between 0 and 1, not {false_alarm}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binomial_range_holds_all_but_its_false_alarm_rate_and_no_more_than_it_needs() {
        for (trials, p, alarm) in [(100_u64, 0.5, 0.01), (1000, 0.01, 1e-6), (20, 0.9, 0.05)] {
            let law = Binomial::new(p, trials).unwrap();
            let range = binomial_range(trials, p, alarm);
            let (low, high) = (*range.start(), *range.end());
            let below = if low == 0 { 0.0 } else { law.cdf(low - 1) };
            assert!(below <= alarm / 2.0 && law.sf(high) <= alarm / 2.0, "{range:?} leaves out too much");
            assert!(law.cdf(low) > alarm / 2.0, "{low} could be raised");
            assert!(high == low || law.sf(high - 1) > alarm / 2.0, "{high} could be lowered");
        }
    }

    #[test]
    fn certain_events_have_certain_counts() {
        assert_eq!(binomial_range(50, 0.0, 0.01), 0..=0);
        assert_eq!(binomial_range(50, 1.0, 0.01), 50..=50);
    }

    #[test]
    fn the_chi_square_limits_are_the_tables() {
        // NIST/SEMATECH e-Handbook, table 1.3.6.7.4, upper critical values.
        for (freedom, alarm, limit) in [(1, 0.05, 3.841), (9, 0.01, 21.666), (99, 0.001, 148.230)] {
            assert!((chi_square_limit(freedom, alarm) - limit).abs() < 1e-2, "{freedom} {alarm}");
        }
        assert!((chi_square(&[8, 12], &[10.0, 10.0]) - 0.8).abs() < 1e-12);
    }
}
