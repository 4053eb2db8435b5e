//! Proof that a test got interesting.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Conditions that a test must reach at least once, in any of its runs.
///
/// A safety test that never meets the danger passes for the wrong reason. Name the dangers up front, report them where
/// they are met, and a test in which one of them never was fails when this is dropped.
#[derive(Debug)]
pub struct Sometimes {
    met: RefCell<BTreeMap<&'static str, u64>>,
}

impl Sometimes {
    /// Expects every one of `conditions` to be met before the test ends.
    #[must_use]
    pub fn expect<const N: usize>(conditions: [&'static str; N]) -> Self {
        Self { met: RefCell::new(conditions.into_iter().map(|name| (name, 0)).collect()) }
    }

    /// Reports that `condition` holds now, if `holds`.
    ///
    /// # Panics
    /// If `condition` was not expected: a misspelt name would never be missed.
    pub fn saw(&self, condition: &str, holds: bool) {
        let mut met = self.met.borrow_mut();
        let count = met.get_mut(condition).unwrap_or_else(|| panic!("nobody expects that {condition:?}"));
        *count += u64::from(holds);
    }

    /// The conditions that were never met so far.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.met.borrow().iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect()
    }
}

impl Drop for Sometimes {
    /// # Panics
    /// If a condition was never met, unless the test is failing already or replays a single seed.
    fn drop(&mut self) {
        if std::thread::panicking() || crate::seed::replaying() {
            return;
        }
        let missing = self.missing();
        assert!(
            missing.is_empty(),
            "no run ever got to where {}: the test proves nothing about it",
            missing.join(", nor to where ")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_met_once_is_enough() {
        let seen = Sometimes::expect(["a leader crashed"]);
        seen.saw("a leader crashed", false);
        assert_eq!(seen.missing(), ["a leader crashed"]);
        seen.saw("a leader crashed", true);
        assert!(seen.missing().is_empty());
    }

    #[test]
    #[should_panic(expected = "no run ever got to where a leader crashed")]
    fn a_test_that_never_got_interesting_fails() {
        drop(Sometimes::expect(["a leader crashed"]));
    }
}
