//! When to try again, whether to, and how not to do it all at once.

use std::time::Duration;

// ---------------------------------------------------------------------------------------------------------------------
// Stages 1 to 3: one request
// ---------------------------------------------------------------------------------------------------------------------

/// A number from 0, included, to 1, excluded, each as likely as any other: the chance in a wait comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Draw(f64);

impl Draw {
    /// `u` as a draw; nothing unless 0 ≤ `u` < 1.
    #[must_use]
    pub fn new(u: f64) -> Option<Self> {
        (0.0..1.0).contains(&u).then_some(Self(u))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// From what range a wait is drawn, uniformly. The *ceiling* is [`Policy::ceiling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Always the ceiling.
    None,
    /// From nothing to the ceiling.
    Full,
    /// From half the ceiling to the ceiling.
    Equal,
    /// From the base to three times the wait before (for the first: to three times the base); what exceeds the cap becomes the cap.
    Decorrelated,
}

/// How one request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What the waits begin with.
    pub base: Duration,
    /// No wait is longer. At least `base`; the longest [`Duration`] if there is to be none.
    pub cap: Duration,
    /// How often the request is sent at most, the first time included. At least 1.
    pub tries: u32,
    /// How chance comes in.
    pub jitter: Jitter,
}

impl Policy {
    // ANCHOR: ceiling
    /// The longest wait before a retry, by exponential backoff: `base · 2^retry`, at most the cap, whatever `retry` is. The first retry has number 0.
    #[must_use]
    pub fn ceiling(&self, retry: u32) -> Duration {
        // 94 doublings of a nanosecond are more than a `Duration` holds
        let doubled = (0..retry.min(94)).try_fold(self.base, |wait, _| wait.checked_mul(2));
        doubled.map_or(self.cap, |wait| wait.min(self.cap))
    }
    // ANCHOR_END: ceiling

    /// How long it may take until the last try has failed, if each try is given up after `timeout` and each wait is the longest possible. At most
    /// the longest [`Duration`], which as a `timeout` says that there is none.
    #[must_use]
    pub fn worst_case(&self, timeout: Duration) -> Duration {
        let mut waits = Waits::new(*self);
        let mut total = timeout;
        while let Some((_, longest)) = waits.range() {
            total = total.saturating_add(waits.take(longest)).saturating_add(timeout);
        }
        total
    }
}

/// The waits of one request, one after the other.
#[derive(Clone, Debug)]
pub struct Waits {
    policy: Policy,
    retries: u32,
    previous: Duration,
}

impl Waits {
    /// A request that has been sent for the first time.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, retries: 0, previous: policy.base }
    }

    /// The next wait: `draw` of the way from the shortest to the longest. Nothing when all tries are used up.
    pub fn next_wait(&mut self, draw: Draw) -> Option<Duration> {
        let (shortest, longest) = self.range()?;
        Some(self.take(shortest + longest.saturating_sub(shortest).mul_f64(draw.get())))
    }

    // ANCHOR: range
    /// From where to where the next wait is drawn, before the cap.
    fn range(&self) -> Option<(Duration, Duration)> {
        if self.retries + 1 >= self.policy.tries {
            return None;
        }
        let ceiling = self.policy.ceiling(self.retries);
        Some(match self.policy.jitter {
            Jitter::None => (ceiling, ceiling),
            Jitter::Full => (Duration::ZERO, ceiling),
            Jitter::Equal => (ceiling / 2, ceiling),
            Jitter::Decorrelated => (self.policy.base, self.previous.saturating_mul(3)),
        })
    }
    // ANCHOR_END: range

    fn take(&mut self, wait: Duration) -> Duration {
        self.previous = wait.min(self.policy.cap);
        self.retries += 1;
        self.previous
    }
}

/// How long to wait if our own backoff says `wait`, the server has asked for `after`, and `left` of the caller's time is left: the server's time
/// and then ours, for many clients were told the same. Nothing if that time is not over before the caller's is. A server may ask for any time.
#[must_use]
pub fn plan(wait: Duration, after: Duration, left: Duration) -> Option<Duration> {
    let wait = after.saturating_add(wait);
    (wait < left).then_some(wait)
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 4: what may be tried again
// ---------------------------------------------------------------------------------------------------------------------

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whether the effect of doing it twice is that of doing it once.
    pub idempotent: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The request itself is wrong, and will be wrong the next time.
    Rejected,
    /// It was surely not executed: the connection was refused, or the server said that it is overloaded.
    Refused,
    /// No answer came in time. It may have been executed.
    Unknown,
}

/// A request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is known about it.
    pub cause: Cause,
    /// Whether somebody nearer to the fault has dealt with it already, by trying again or by deciding not to.
    pub given_up: bool,
}

/// Whether it can help and cannot harm to send the request again.
#[must_use]
pub fn may_retry(request: Request, failure: Failure) -> bool {
    !failure.given_up
        && match failure.cause {
            Cause::Rejected => false,
            Cause::Refused => true,
            Cause::Unknown => request.idempotent,
        }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 5: all requests of a client
// ---------------------------------------------------------------------------------------------------------------------

/// How many retries a client may make, by how many requests it makes: a bucket that requests fill and retries empty.
#[derive(Clone, Debug)]
pub struct Budget {
    percent: u32,
    most: u64,
    /// A retry costs a hundred of them.
    hundredths: u64,
}

impl Budget {
    /// `percent` retries for a hundred requests; never more than `most` saved up. It begins empty.
    #[must_use]
    pub fn new(percent: u32, most: u32) -> Self {
        Self { percent, most: u64::from(most) * 100, hundredths: 0 }
    }

    // ANCHOR: budget
    /// Counts a request. Its retries are not requests.
    pub fn deposit(&mut self) {
        self.hundredths = (self.hundredths + u64::from(self.percent)).min(self.most);
    }

    /// Pays for one retry; `false`, and nothing is paid, if that cannot be afforded.
    pub fn withdraw(&mut self) -> bool {
        let affordable = self.hundredths >= 100;
        if affordable {
            self.hundredths -= 100;
        }
        affordable
    }
    // ANCHOR_END: budget
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 6: layers of clients
// ---------------------------------------------------------------------------------------------------------------------

/// How many calls arrive at the bottom for one request at the top, if everything fails there and each of `layers` sends each call `tries` times.
#[must_use]
pub fn amplification(tries: u32, layers: u32) -> f64 {
    f64::from(tries).powf(f64::from(layers))
}

/// The same, if each layer has a budget of `percent`, and takes each call for a new request.
#[must_use]
pub fn amplification_with_budgets(percent: u32, layers: u32) -> f64 {
    (1.0 + f64::from(percent) / 100.0).powf(f64::from(layers))
}

/// Something that can be called.
pub trait Service {
    /// Does what is asked for.
    ///
    /// # Errors
    /// What is known about why not.
    fn call(&mut self, request: Request) -> Result<(), Failure>;
}

/// A service that calls another one, and tries again. (Waits are left out: they change when calls arrive, not how many.)
#[derive(Clone, Debug)]
pub struct Layer<S> {
    /// What it calls.
    pub below: S,
    tries: u32,
    budget: Option<Budget>,
}

impl<S> Layer<S> {
    /// A layer over `below` that sends each request up to `tries` times, at least once; each retry is paid from the budget, if there is one.
    #[must_use]
    pub fn new(below: S, tries: u32, budget: Option<Budget>) -> Self {
        Self { below, tries, budget }
    }
}

impl<S: Service> Service for Layer<S> {
    // ANCHOR: layer
    /// Sends the request until it succeeds, must not be tried again, has been tried often enough or cannot be paid for. A retry that is not
    /// made costs nothing.
    ///
    /// # Errors
    /// The failure has been given up. Its cause is `Unknown` if that was the cause of *any* try: one of them may have been executed.
    /// Otherwise it is the cause of the last one.
    fn call(&mut self, request: Request) -> Result<(), Failure> {
        if let Some(budget) = &mut self.budget {
            budget.deposit();
        }
        let mut in_doubt = false;
        let mut tried = 0;
        loop {
            let Err(failure) = self.below.call(request) else { return Ok(()) };
            tried += 1;
            in_doubt |= failure.cause == Cause::Unknown;
            let again =
                may_retry(request, failure) && tried < self.tries && self.budget.as_mut().is_none_or(Budget::withdraw);
            if !again {
                let cause = if in_doubt { Cause::Unknown } else { failure.cause };
                return Err(Failure { cause, given_up: true });
            }
        }
    }
    // ANCHOR_END: layer
}
