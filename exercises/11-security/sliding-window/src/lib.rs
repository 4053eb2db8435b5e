//! At most so many requests in any minute: exactly, nearly, and in a store that many ask at once.

use kit::{Millis, Time};

/// At most so many requests in every span of `window`, wherever it begins. Both are more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    requests: u32,
    window: Millis,
}

impl Limit {
    /// So many `requests` in a `window`; nothing if either is zero.
    #[must_use]
    pub fn new(requests: u32, window: Millis) -> Option<Self> {
        (requests > 0 && window.0 > 0).then_some(Self { requests, window })
    }

    /// How many requests.
    #[must_use]
    pub const fn requests(self) -> u32 {
        self.requests
    }

    /// In how long a time.
    #[must_use]
    pub const fn window(self) -> Millis {
        self.window
    }
}

/// A request was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refused {
    /// After how long there will be room for one, if none is admitted until then. More than nothing.
    pub retry_after: Millis,
}

/// The exact answer: remembers when each request was admitted.
///
/// A request admitted at `t` counts until `t + window`, and from then on no more. It takes memory for what counts, not for the limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Log {
    // TODO: what must be remembered of the requests that were admitted?
}

impl Log {
    /// A log in which nothing was admitted yet.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        todo!("a log for {limit:?}")
    }

    /// Asks for one request at `now`, which is never before an earlier `now`. A refused one leaves no trace.
    ///
    /// Amortised constant time.
    ///
    /// # Errors
    /// [`Refused`] if as many as the limit's requests count already.
    pub fn admit(&mut self, now: Time) -> Result<(), Refused> {
        todo!("is there room at {now} in {self:?}?")
    }

    /// How many times are kept: never more than the limit's requests.
    #[must_use]
    pub fn kept(&self) -> usize {
        todo!("how many times {self:?} keeps")
    }
}

/// The answer in two numbers: how many were admitted in the current window of the clock, and how many in the one before.
///
/// Windows begin at 0, `window`, 2 · `window` and so on. At the fraction f of the current one the estimate is
/// previous · (1 − f) + current: as if those of the previous window had come evenly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Counter {
    // TODO: two numbers. And how do you know which windows they are of?
}

impl Counter {
    /// A counter that has admitted nothing yet.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        todo!("a counter for {limit:?}")
    }

    /// Asks for one request at `now`, which is never before an earlier `now`. It is admitted if the estimate, this one included, is
    /// at most the limit's requests, exactly. A refused one leaves no trace.
    pub fn admit(&mut self, now: Time) -> bool {
        todo!("is there room at {now} by the estimate of {self:?}?")
    }
}

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(pub u32);

/// What a gateway can ask of the store in one round trip. The store carries it out by its own clock, and nothing comes between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// How many requests of this client count now?
    Count(Client, Limit),
    /// Write one down, however many there are.
    Add(Client, Limit),
    /// Forget this client one window from now. A later `Expire` puts that off; an `Add` does not.
    Expire(Client, Limit),
    /// All three at once: check the limit; if there is room, add the request, and see that the client is forgotten in time.
    Script(Client, Limit),
}

/// What the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// To [`Command::Count`].
    Count(u32),
    /// To [`Command::Add`].
    Added,
    /// To [`Command::Expire`].
    Expires,
    /// To [`Command::Script`].
    Script(Result<(), Refused>),
}

/// What all gateways share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Store {
    // TODO: what is known of a client? Use a `BTreeMap`: a `HashMap` cannot be hashed, and the search hashes stores.
}

impl Store {
    /// A store that has heard of nobody.
    #[must_use]
    pub fn new() -> Self {
        todo!("a store that has heard of nobody")
    }

    /// Carries out a command at `now` by the store's clock, which is never before an earlier `now`.
    ///
    /// All commands for a client name the same limit, and either all of them are scripts or none is.
    ///
    /// A client that is not known has no requests; [`Command::Count`] and [`Command::Expire`] do not make it known. Whoever is to be forgotten is
    /// removed by the next command, whoever's it is.
    pub fn execute(&mut self, command: Command, now: Time) -> Reply {
        todo!("carry out {command:?} at {now} in {self:?}")
    }

    /// How many clients are not yet forgotten at `now`.
    #[must_use]
    pub fn known(&self, now: Time) -> usize {
        todo!("how many clients {self:?} knows at {now}")
    }
}

/// How a gateway asks the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Count; then, if there is room, add; then expire. A round trip each.
    ThreeCalls,
    /// One script.
    OneScript,
}

/// What a gateway does next for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// Send this to the store, and wait for the reply.
    Send(Command),
    /// Let the request through.
    Admit,
    /// Answer 429.
    Refuse,
}

/// One request at a gateway, sans-IO: what to send, and what the answers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// Whose request it is.
    pub client: Client,
    /// What it is held to.
    pub limit: Limit,
    /// How the store is asked.
    pub way: Way,
}

impl Check {
    /// What to do first.
    #[must_use]
    pub fn begin(self) -> Next {
        todo!("what does {self:?} begin with?")
    }

    /// What to do after this reply to the last command sent.
    #[must_use]
    pub fn hear(self, reply: Reply) -> Next {
        todo!("what does {self:?} do after {reply:?}?")
    }
}
