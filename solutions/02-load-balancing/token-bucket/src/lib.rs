//! A bucket of tokens: who asks takes some, time brings them back, and the bucket is only so large.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a client may do: `burst` at once, and in the long run `tokens` each `per`.
///
/// Whether one each ten minutes equals three each half hour is up to you.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    burst: u32,
    tokens: u32,
    per: Duration,
}

impl Limit {
    /// `tokens` come back each `per`, and at most `burst` lie in the bucket.
    ///
    /// Nothing if one of the three is zero, or if an empty bucket takes more than `u64::MAX` nanoseconds (584 years) to fill, be it by half a
    /// nanosecond. Every other limit is sound, however long `per` is.
    #[must_use]
    pub fn new(burst: u32, tokens: u32, per: Duration) -> Option<Self> {
        let limit = Self { burst, tokens, per };
        let sound = burst > 0 && tokens > 0 && !per.is_zero();
        (sound && u64::try_from(limit.full().div_ceil(u128::from(tokens))).is_ok()).then_some(limit)
    }

    /// The most that can be taken at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// What a token is in the bucket's unit, of which `tokens` come back each nanosecond. Nothing is ever rounded.
    const fn token(self) -> u128 {
        self.per.as_nanos()
    }

    /// A full bucket.
    const fn full(self) -> u128 {
        self.burst as u128 * self.token()
    }

    /// The least time in which so much comes back.
    fn time_for(self, missing: u128) -> Duration {
        let nanos = missing.div_ceil(u128::from(self.tokens));
        Duration::from_nanos(u64::try_from(nanos).expect("no bucket takes longer to fill: `new` has seen to it"))
    }
}

/// Why tokens were not given; the bucket is then as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// More than the bucket ever holds: waiting is no use.
    TooMuch {
        /// What it holds.
        burst: u32,
    },
    /// There will be enough, if nobody else takes any.
    Wait {
        /// The least time, in whole nanoseconds, counted from the latest reading that the bucket has seen.
        retry_after: Duration,
    },
}

/// One client's tokens.
///
/// Readings of the clock are given as the time since some fixed moment. One that lies before an earlier reading counts as that
/// earlier one: threads read a clock in one order and may get here in another. Whether a reading that comes with a wish for nothing, or for
/// more than the burst, counts from then on is up to you.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    limit: Limit,
    /// What lay in it at `latest`, in the limit's unit.
    level: u128,
    /// The latest reading seen.
    latest: Duration,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        Self { limit, level: limit.full(), latest: Duration::ZERO }
    }

    // ANCHOR: take
    /// Takes `wanted` tokens at `now`, or none.
    ///
    /// Exact: they are given if and only if the limit allows it, to the nanosecond. Asking for nothing is always granted.
    ///
    /// # Errors
    /// [`Refused::TooMuch`] if the bucket never holds so many, [`Refused::Wait`] if it does not now.
    pub fn take(&mut self, wanted: u32, now: Duration) -> Result<(), Refused> {
        self.level = self.level_at(now);
        self.latest = self.latest.max(now);
        if wanted > self.limit.burst {
            return Err(Refused::TooMuch { burst: self.limit.burst });
        }
        let price = u128::from(wanted) * self.limit.token();
        if price > self.level {
            return Err(Refused::Wait { retry_after: self.limit.time_for(price - self.level) });
        }
        self.level -= price;
        Ok(())
    }
    // ANCHOR_END: take

    /// How many whole tokens lie in it at `now`.
    #[must_use]
    pub fn available(&self, now: Duration) -> u32 {
        u32::try_from(self.level_at(now) / self.limit.token()).expect("never more than `burst`")
    }

    // ANCHOR: refill
    /// What time has brought back, up to the brim.
    fn level_at(&self, now: Duration) -> u128 {
        let elapsed = now.saturating_sub(self.latest).as_nanos();
        (self.level + elapsed * u128::from(self.limit.tokens)).min(self.limit.full())
    }
    // ANCHOR_END: refill

    /// The reading from which on it is full, if nobody takes any more.
    fn full_at(&self) -> Duration {
        self.latest + self.limit.time_for(self.limit.full() - self.level)
    }
}

/// Why a client was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// Its own bucket refused.
    Limited(Refused),
    /// It is new, and there is no room to remember what it takes: nobody that is remembered may be forgotten yet.
    Crowded {
        /// The least time until one may be, if nobody takes any more, counted from the latest reading that the limiter has seen.
        retry_after: Duration,
    },
}

/// A bucket for each client, in the memory of `capacity` of them.
///
/// A client that is not remembered has a full bucket. So one may be forgotten when its bucket is full, and not before.
#[derive(Clone, Debug)]
pub struct Limiter<K> {
    limit: Limit,
    capacity: usize,
    /// The latest reading seen, from any client.
    latest: Duration,
    buckets: BTreeMap<K, TokenBucket>,
    /// The clients of `buckets`, by when their buckets are full.
    full_at: BTreeSet<(Duration, K)>,
}

impl<K: Ord + Clone> Limiter<K> {
    /// Allows `limit` to each client, and remembers at most `capacity` of them. It takes room for those that it remembers, however often they
    /// come, so a capacity of `usize::MAX` is no bound. With a capacity of 0, whoever wants a token is crowded out for ever: by [`Duration::MAX`].
    #[must_use]
    pub fn new(limit: Limit, capacity: usize) -> Self {
        Self { limit, capacity, latest: Duration::ZERO, buckets: BTreeMap::new(), full_at: BTreeSet::new() }
    }

    // ANCHOR: limiter
    /// Takes `wanted` tokens from the bucket of `client` at `now`, or none. Readings of the clock count as in [`TokenBucket`],
    /// over all clients. They lie 585 years or more before `Duration::MAX`.
    ///
    /// Logarithmic in the number of clients, apart from those that it forgets: it never looks at all of them.
    ///
    /// # Errors
    /// [`Denied::Limited`] if the bucket refuses; [`Denied::Crowded`] if it would not, but the client would have to be
    /// remembered, is not, and none of the `capacity` others may be forgotten.
    pub fn take(&mut self, client: &K, wanted: u32, now: Duration) -> Result<(), Denied> {
        self.latest = self.latest.max(now);
        self.forget_the_full();

        let known = self.buckets.get(client);
        let mut bucket = known.cloned().unwrap_or_else(|| TokenBucket::new(self.limit));
        bucket.take(wanted, self.latest).map_err(Denied::Limited)?;
        if bucket.full_at() <= self.latest {
            return Ok(()); // nothing to remember
        }
        match known {
            Some(known) => _ = self.full_at.remove(&(known.full_at(), client.clone())),
            None if self.buckets.len() < self.capacity => {}
            None => return Err(Denied::Crowded { retry_after: self.until_full() }),
        }
        self.full_at.insert((bucket.full_at(), client.clone()));
        self.buckets.insert(client.clone(), bucket);
        Ok(())
    }
    // ANCHOR_END: limiter

    /// How many clients it remembers: never more than its capacity.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.buckets.len()
    }

    fn forget_the_full(&mut self) {
        while self.full_at.first().is_some_and(|&(full_at, _)| full_at <= self.latest) {
            let (_, client) = self.full_at.pop_first().expect("there is a first");
            self.buckets.remove(&client);
        }
    }

    /// How long it is until the first bucket is full; for ever if there is none.
    fn until_full(&self) -> Duration {
        self.full_at.first().map_or(Duration::MAX, |&(full_at, _)| full_at - self.latest)
    }
}
