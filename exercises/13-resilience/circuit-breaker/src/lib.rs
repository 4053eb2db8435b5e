//! A circuit breaker stops calling what fails, and finds out with few calls whether it works again.

use std::num::NonZeroUsize;

/// A moment on the caller's monotonic clock, in milliseconds. Threads may hand moments in slightly out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

/// A share of calls, from 1 to 100 in a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// `None` unless `percent` lies between 1 and 100.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        if percent >= 1 && percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// How many in a hundred.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// When to open, for how long, and what to try afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// While closed, the last this many outcomes are judged.
    pub window: NonZeroUsize,
    /// With fewer outcomes than this in the window nothing is judged. More than the window holds means: a full window.
    pub minimum_calls: usize,
    /// The share of failures *at* which the breaker opens.
    pub threshold: Percent,
    /// How long it stays open.
    pub open_for: Millis,
    /// Half-open, exactly this many calls decide.
    pub probes: NonZeroUsize,
}

/// Whether calls go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of them.
    Closed,
    /// None, before this moment.
    Open {
        /// From here on the breaker is half-open, even if nobody asks.
        until: Time,
    },
    /// The probes, and nobody else.
    HalfOpen,
}

/// The call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The breaker is open: come back at `until`, not earlier.
    Open {
        /// When the breaker becomes half-open.
        until: Time,
    },
    /// The breaker is half-open and all of its probes are taken.
    ProbesTaken,
}

/// What happened since the breaker was made, in all its states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Calls that were made and reported.
    pub calls: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Calls that were not made.
    pub rejected: u64,
}

impl Metrics {
    /// Failures for each call that was made, from 0 to 1; `None` before the first.
    #[must_use]
    pub fn error_rate(&self) -> Option<f64> {
        todo!("divide what is counted in {self:?}")
    }
}

/// Guards one dependency; all threads share it. No method waits for a call that is in flight.
#[derive(Debug)]
pub struct CircuitBreaker {
    config: Config,
    // TODO: what must each state remember, and where can many threads change it in one step?
}

impl CircuitBreaker {
    /// A closed breaker that has seen nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        todo!("begin closed, with {config:?}")
    }

    /// Asks whether a call may be made now. Make it, then report on the permit how it went; keep no lock meanwhile.
    ///
    /// Closed, everybody gets a permit. Half-open, [`Config::probes`] of them in all, however many ask at once.
    ///
    /// # Errors
    /// [`Rejected`] if the call must not be made.
    pub fn admit(&self, now: Time) -> Result<Permit<'_>, Rejected> {
        todo!("at {now:?}, decide and take the permit in one step: {:?}", self.config)
    }

    /// The state at `now`. Looking changes nothing.
    #[must_use]
    pub fn state(&self, now: Time) -> State {
        todo!("say what holds at {now:?}: {self:?}")
    }

    /// The counts since the beginning.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        todo!("copy the counts of {self:?}")
    }
}

/// The right to make one call. It is used up by the report, so no call can be reported twice.
///
/// A permit that is dropped without a report, because the call was cancelled, is no outcome: it counts nowhere. If it was
/// a probe's, somebody else may go instead.
#[derive(Debug)]
#[must_use = "a permit that is dropped says that the call was not made"]
pub struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    // TODO: what must it know about the moment it was given?
}

impl Permit<'_> {
    /// The call answered. An answer that says "no such customer" is one: the dependency works.
    ///
    /// Always counts in [`Metrics`]. It says something about the breaker's state only if that has not changed since the
    /// permit was given; then
    ///
    /// * closed, it enters the window, and the window is judged: enough outcomes, and a share of failures that reaches
    ///   the threshold, open the breaker from `now` on;
    /// * half-open, the last of the probes to report decides: at the threshold the breaker opens again, from `now` on;
    ///   below, it closes, with an empty window.
    ///
    /// Constant time, whatever the size of the window.
    pub fn succeed(self, now: Time) {
        todo!("at {now:?}, count a success with {:?}", self.breaker)
    }

    /// The call failed, or its time ran out. As [`Permit::succeed`], but a failure.
    pub fn fail(self, now: Time) {
        todo!("at {now:?}, count a failure with {:?}", self.breaker)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // TODO: this runs after `succeed` and `fail` too. What is left to do, and when?
    }
}
