//! A bucket of tokens: who asks takes some, time brings them back, and the bucket is only so large.

use std::marker::PhantomData;
use std::time::Duration;

/// What a client may do: `burst` at once, and in the long run `tokens` each `per`.
///
/// Whether one each ten minutes equals three each half hour is up to you.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    // TODO: in which unit can a bucket hold *exactly* what has come back after a nanosecond? See the page, "The idea".
}

impl Limit {
    /// `tokens` come back each `per`, and at most `burst` lie in the bucket.
    ///
    /// Nothing if one of the three is zero, or if an empty bucket takes more than `u64::MAX` nanoseconds (584 years) to fill, be it by half a
    /// nanosecond. Every other limit is sound, however long `per` is.
    #[must_use]
    pub fn new(burst: u32, tokens: u32, per: Duration) -> Option<Self> {
        todo!("keep a burst of {burst} and {tokens} each {per:?}, if they are sound")
    }

    /// The most that can be taken at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        todo!() // which burst was `new` given?
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
    // TODO: no timer fills it. What must be known to say, at any moment, what lies in it?
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        todo!("a full bucket for {limit:?}")
    }

    /// Takes `wanted` tokens at `now`, or none.
    ///
    /// Exact: they are given if and only if the limit allows it, to the nanosecond. Asking for nothing is always granted.
    ///
    /// # Errors
    /// [`Refused::TooMuch`] if the bucket never holds so many, [`Refused::Wait`] if it does not now.
    pub fn take(&mut self, wanted: u32, now: Duration) -> Result<(), Refused> {
        todo!("bring back what {now:?} allows, then give {wanted} or say when")
    }

    /// How many whole tokens lie in it at `now`.
    #[must_use]
    pub fn available(&self, now: Duration) -> u32 {
        todo!("count the whole tokens at {now:?}")
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
/// A client that is not remembered has a full bucket.
#[derive(Clone, Debug)]
pub struct Limiter<K> {
    // TODO: whom may you forget, and how do you find them without looking at everybody?
    clients: PhantomData<K>,
}

impl<K: Ord + Clone> Limiter<K> {
    /// Allows `limit` to each client, and remembers at most `capacity` of them. It takes room for those that it remembers, however often they
    /// come, so a capacity of `usize::MAX` is no bound. With a capacity of 0, whoever wants a token is crowded out for ever: by [`Duration::MAX`].
    #[must_use]
    pub fn new(limit: Limit, capacity: usize) -> Self {
        todo!("room for {capacity} clients with {limit:?} each")
    }

    /// Takes `wanted` tokens from the bucket of `client` at `now`, or none. Readings of the clock count as in [`TokenBucket`],
    /// over all clients. They lie 585 years or more before `Duration::MAX`.
    ///
    /// Logarithmic in the number of clients, apart from those that it forgets: it never looks at all of them.
    ///
    /// # Errors
    /// [`Denied::Limited`] if the bucket refuses; [`Denied::Crowded`] if it would not, but the client would have to be
    /// remembered, is not, and none of the `capacity` others may be forgotten.
    pub fn take(&mut self, client: &K, wanted: u32, now: Duration) -> Result<(), Denied> {
        let _ = client;
        todo!("give {wanted} at {now:?} from the client's bucket, if there is room to remember it")
    }

    /// How many clients it remembers: never more than its capacity.
    #[must_use]
    pub fn remembered(&self) -> usize {
        todo!("count the clients in memory")
    }
}
