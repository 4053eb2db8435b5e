//! A circuit breaker stops calling what fails, and finds out with few calls whether it works again.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard},
};

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
        (self.calls > 0).then(|| self.failures as f64 / self.calls as f64)
    }
}

/// Guards one dependency; all threads share it. No method waits for a call that is in flight.
#[derive(Debug)]
pub struct CircuitBreaker {
    config: Config,
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    phase: Phase,
    /// Grows with every change of state: a permit of an earlier period has no say in this one.
    period: u64,
    metrics: Metrics,
}

#[derive(Debug)]
enum Phase {
    Closed(Window),
    Open { until: Time },
    HalfOpen(Probes),
}

impl CircuitBreaker {
    /// A closed breaker that has seen nothing.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let inside = Inside { phase: Phase::Closed(Window::default()), period: 0, metrics: Metrics::default() };
        Self { config, inside: Mutex::new(inside) }
    }

    /// Asks whether a call may be made now. Make it, then report on the permit how it went; keep no lock meanwhile.
    ///
    /// Closed, everybody gets a permit. Half-open, [`Config::probes`] of them in all, however many ask at once.
    ///
    /// # Errors
    /// [`Rejected`] if the call must not be made.
    pub fn admit(&self, now: Time) -> Result<Permit<'_>, Rejected> {
        let mut inside = self.lock();
        if let Phase::Open { until } = inside.phase {
            if now < until {
                inside.metrics.rejected += 1;
                return Err(Rejected::Open { until });
            }
            inside.enter(Phase::HalfOpen(Probes::default()));
        }
        if let Phase::HalfOpen(probes) = &mut inside.phase {
            if probes.taken == self.config.probes.get() {
                inside.metrics.rejected += 1;
                return Err(Rejected::ProbesTaken);
            }
            probes.taken += 1;
        }
        Ok(Permit { breaker: self, period: inside.period, reported: false })
    }

    /// The state at `now`. Looking changes nothing.
    #[must_use]
    pub fn state(&self, now: Time) -> State {
        match self.lock().phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open { until } if now < until => State::Open { until },
            Phase::Open { .. } | Phase::HalfOpen(_) => State::HalfOpen,
        }
    }

    /// The counts since the beginning.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.lock().metrics
    }

    // ANCHOR: report
    fn report(&self, period: u64, failed: bool, now: Time) {
        let mut inside = self.lock();
        inside.metrics.calls += 1;
        inside.metrics.failures += u64::from(failed);
        if period != inside.period {
            return;
        }
        let next = match &mut inside.phase {
            Phase::Closed(window) => window.record(failed, &self.config).then(|| self.open(now)),
            Phase::HalfOpen(probes) => match probes.record(failed, &self.config) {
                Some(Verdict::StillFailing) => Some(self.open(now)),
                Some(Verdict::Recovered) => Some(Phase::Closed(Window::default())),
                None => None,
            },
            Phase::Open { .. } => unreachable!("an open breaker gives no permits"),
        };
        if let Some(phase) = next {
            inside.enter(phase);
        }
    }
    // ANCHOR_END: report

    fn open(&self, now: Time) -> Phase {
        Phase::Open { until: Time(now.0.saturating_add(self.config.open_for.0)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("nothing panics while it holds the lock")
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
    period: u64,
    reported: bool,
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
    pub fn succeed(mut self, now: Time) {
        self.reported = true;
        self.breaker.report(self.period, false, now);
    }

    /// The call failed, or its time ran out. As [`Permit::succeed`], but a failure.
    pub fn fail(mut self, now: Time) {
        self.reported = true;
        self.breaker.report(self.period, true, now);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.reported {
            return;
        }
        let mut inside = self.breaker.lock();
        if self.period == inside.period
            && let Phase::HalfOpen(probes) = &mut inside.phase
        {
            probes.taken -= 1;
        }
    }
}

impl Inside {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.period += 1;
    }
}

/// The last outcomes, and how many of them are failures.
#[derive(Debug, Default)]
struct Window {
    failed: VecDeque<bool>,
    failures: usize,
}

impl Window {
    /// Notes an outcome; whether the breaker must open.
    fn record(&mut self, failed: bool, config: &Config) -> bool {
        let size = config.window.get();
        if self.failed.len() == size && self.failed.pop_front() == Some(true) {
            self.failures -= 1;
        }
        self.failed.push_back(failed);
        self.failures += usize::from(failed);
        let calls = self.failed.len();
        calls >= config.minimum_calls.min(size) && is_reached(config.threshold, self.failures, calls)
    }
}

/// How far the trial is: permits that were given and not handed back, and the outcomes so far.
#[derive(Debug, Default)]
struct Probes {
    taken: usize,
    reported: usize,
    failures: usize,
}

enum Verdict {
    Recovered,
    StillFailing,
}

impl Probes {
    /// Notes an outcome; the last one decides.
    fn record(&mut self, failed: bool, config: &Config) -> Option<Verdict> {
        self.reported += 1;
        self.failures += usize::from(failed);
        if self.reported < config.probes.get() {
            return None;
        }
        Some(if is_reached(config.threshold, self.failures, self.reported) {
            Verdict::StillFailing
        } else {
            Verdict::Recovered
        })
    }
}

/// Exact, without floating point: at 30 %, 3 of 10 reach it.
const fn is_reached(threshold: Percent, failures: usize, calls: usize) -> bool {
    failures * 100 >= threshold.get() as usize * calls
}
