//! A node's own clock: it may run fast or slow, and be set.

use crate::node::{Millis, Time};

const MILLION: i128 = 1_000_000;

/// What a node reads when it asks for the time.
///
/// A jump changes what it reads and not how long its timers take; drift changes both. So it is with a machine's wall
/// clock and its monotonic timers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// When the drift last changed, on the clock of the run …
    anchor: Time,
    /// … and what this clock read then.
    read_at_anchor: i128,
    /// How much faster than the clock of the run, in millionths.
    drift: i64,
}

impl Clock {
    pub(super) fn read(&self, now: Time) -> Time {
        Time(u64::try_from(self.exact(now)).unwrap_or(0))
    }

    /// How long, on the clock of the run, this clock takes for `span`.
    pub(super) fn span(&self, span: Millis) -> Millis {
        let rate = MILLION + i128::from(self.drift);
        Millis(u64::try_from(i128::from(span.0) * MILLION / rate).unwrap_or(u64::MAX / 2))
    }

    pub(super) fn jump(&mut self, now: Time, by: i64) {
        *self = Self { anchor: now, read_at_anchor: self.exact(now) + i128::from(by), drift: self.drift };
    }

    /// # Panics
    /// If the clock would stand still or run backwards.
    pub(super) fn set_drift(&mut self, now: Time, drift: i64) {
        assert!(drift > -1_000_000, "a clock that drifts by {drift} millionths stands still");
        *self = Self { anchor: now, read_at_anchor: self.exact(now), drift };
    }

    fn exact(&self, now: Time) -> i128 {
        let passed = i128::from(now.since(self.anchor).0);
        self.read_at_anchor + passed * (MILLION + i128::from(self.drift)) / MILLION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifting_clock_reads_faster_and_its_timers_take_less_time() {
        let mut clock = Clock::default();
        clock.set_drift(Time(1_000), 100_000);
        assert_eq!(clock.read(Time(1_000)), Time(1_000));
        assert_eq!(clock.read(Time(2_000)), Time(2_100));
        assert_eq!(clock.span(Millis(1_100)), Millis(1_000));
    }

    #[test]
    fn a_jump_moves_what_is_read_and_leaves_timers_alone() {
        let mut clock = Clock::default();
        clock.jump(Time(500), 10_000);
        assert_eq!(clock.read(Time(600)), Time(10_600));
        assert_eq!(clock.span(Millis(100)), Millis(100));
        clock.jump(Time(600), -20_000);
        assert_eq!(clock.read(Time(600)), Time(0), "no clock reads a time before the start");
    }
}
