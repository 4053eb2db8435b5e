//! A request gets a name from its sender. Whoever executes it remembers the name, what was asked, and what came of it.

pub mod web;

use std::collections::HashMap;
use std::time::Duration;

/// Who asks, as established by authentication and never by what the request says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller(pub String);

/// The name that a caller gave a request: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// `text` as a key; nothing if it is empty, too long, or has other characters.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stage 1: the fingerprint
// ---------------------------------------------------------------------------------------------------------------------

/// What was asked for, in a form in which the same is equal and different things are not. The same in every process: it can be stored, or hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// The fingerprint of a request; neither `method` nor `target` (path and query) contains white space.
    ///
    /// A body that is JSON counts by what it says: order of fields, white space and ways of escaping do not matter; everything else does, such as the order in arrays,
    /// 1 or "1", null or absent, and every digit of a whole number up to `u64::MAX`. (Whether 1 and 1.0 are the same is open.) Another body counts by its bytes.
    #[must_use]
    pub fn of(method: &str, target: &str, body: &[u8]) -> Self {
        todo!("what {method} {target} with {} bytes asks for", body.len())
    }

    /// The fingerprint as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Stages 2 and 3: the store
// ---------------------------------------------------------------------------------------------------------------------

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Begin<R> {
    /// Execute it, and then hand the permit back with the response. Nobody else has one for this key.
    Run(Permit),
    /// It was executed, and this was the response.
    Replay(R),
    /// Somebody executes it at this moment: ask again later.
    InProgress,
    /// The caller has used the key for another request.
    Mismatch,
}

/// The right and the duty to execute one request. It cannot be copied; whoever has it must [`finish`](Store::finish) or [`abandon`](Store::abandon).
#[derive(Debug, PartialEq, Eq)]
pub struct Permit(Caller, Key);

/// What became of the requests of each caller. Times are counted from any fixed moment, and who looked at the clock earlier may come later.
#[derive(Clone, Debug)]
pub struct Store<R> {
    ttl: Duration,
    responses: HashMap<Key, R>,
    // TODO: is a key enough to find a response by? And what must be known of a request that has none yet?
}

impl<R: Clone> Store<R> {
    /// An empty store that keeps each response for `ttl`, counted from when it was there: not at all if that is zero, and for ever if it goes beyond the last [`Duration`].
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        Self { ttl, responses: HashMap::new() }
    }
    /// What to do with a request that arrives at `now`.
    ///
    /// Keys of different callers have nothing to do with each other. A key is free before its first use, after it was abandoned, and from the moment on that its response
    /// has expired. As long as it is not free, another fingerprint is a mismatch, whether the first request still runs or not. What is in progress stays so until it is finished or abandoned,
    /// however long that takes. A replay does not prolong anything.
    pub fn begin(&mut self, caller: &Caller, key: &Key, fingerprint: &Fingerprint, now: Duration) -> Begin<R> {
        todo!("{caller:?} asks for {fingerprint:?} under {key:?} at {now:?}")
    }

    /// The request was executed, successfully or not, and `response` is what came of it at `now`.
    pub fn finish(&mut self, permit: Permit, response: R, now: Duration) {
        drop((permit, response)); // only so that it compiles
        todo!("it is done at {now:?}, for {:?}", self.ttl)
    }

    /// The request was surely not executed: the key is free again.
    pub fn abandon(&mut self, permit: Permit) {
        drop(permit); // only so that it compiles
        todo!("it was not executed")
    }

    /// Forgets what has expired at `now`.
    pub fn prune(&mut self, now: Duration) {
        todo!("forget what has expired at {now:?}")
    }

    /// How many keys it remembers, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        todo!("how many keys, of {} responses", self.responses.len())
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
