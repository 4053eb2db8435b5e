//! At most so many requests in any minute: exactly, nearly, and in a store that many ask at once.

use kit::{Millis, Time};
use std::collections::{BTreeMap, VecDeque};

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
    limit: Limit,
    /// When the requests that still count were admitted, the oldest first.
    admitted: VecDeque<Time>,
}

impl Log {
    /// A log in which nothing was admitted yet.
    #[must_use]
    pub const fn new(limit: Limit) -> Self {
        Self { limit, admitted: VecDeque::new() }
    }

    // ANCHOR: admit
    /// Asks for one request at `now`, which is never before an earlier `now`. A refused one leaves no trace.
    ///
    /// Amortised constant time.
    ///
    /// # Errors
    /// [`Refused`] if as many as the limit's requests count already.
    pub fn admit(&mut self, now: Time) -> Result<(), Refused> {
        self.forget(now);
        match self.admitted.front() {
            Some(&oldest) if self.admitted.len() >= self.limit.requests as usize => {
                Err(Refused { retry_after: Millis(self.limit.window.0 - now.since(oldest).0) })
            }
            _ => {
                self.admitted.push_back(now);
                Ok(())
            }
        }
    }
    // ANCHOR_END: admit

    /// How many times are kept: never more than the limit's requests.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.admitted.len()
    }

    fn count(&mut self, now: Time) -> u32 {
        self.forget(now);
        u32::try_from(self.admitted.len()).expect("fewer requests in a window than a u32 can count")
    }

    fn add(&mut self, now: Time) {
        self.forget(now);
        self.admitted.push_back(now);
    }

    fn forget(&mut self, now: Time) {
        while self.admitted.front().is_some_and(|&oldest| now.since(oldest) >= self.limit.window) {
            self.admitted.pop_front();
        }
    }
}

/// The answer in two numbers: how many were admitted in the current window of the clock, and how many in the one before.
///
/// Windows begin at 0, `window`, 2 · `window` and so on. At the fraction f of the current one the estimate is
/// previous · (1 − f) + current: as if those of the previous window had come evenly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Counter {
    limit: Limit,
    /// The number of the current window.
    window: u64,
    current: u32,
    previous: u32,
}

impl Counter {
    /// A counter that has admitted nothing yet.
    #[must_use]
    pub const fn new(limit: Limit) -> Self {
        Self { limit, window: 0, current: 0, previous: 0 }
    }

    /// Asks for one request at `now`, which is never before an earlier `now`. It is admitted if the estimate, this one included, is
    /// at most the limit's requests, exactly. A refused one leaves no trace.
    pub fn admit(&mut self, now: Time) -> bool {
        self.turn(now);
        let length = u128::from(self.limit.window.0);
        let into = u128::from(now.0) % length;
        // Everything times the window's length, so that nothing is rounded.
        let estimate = u128::from(self.previous) * (length - into) + u128::from(self.current) * length;
        let admitted = estimate + length <= u128::from(self.limit.requests) * length;
        self.current += u32::from(admitted);
        admitted
    }

    /// Goes on to the window of `now`.
    fn turn(&mut self, now: Time) {
        let window = now.0 / self.limit.window.0;
        if window != self.window {
            let is_next = window == self.window + 1;
            self.previous = if is_next { self.current } else { 0 };
            self.current = 0;
            self.window = window;
        }
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
    clients: BTreeMap<Client, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    log: Log,
    /// When the client is forgotten; `None` is never.
    expires: Option<Time>,
}

impl Store {
    /// A store that has heard of nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Carries out a command at `now` by the store's clock, which is never before an earlier `now`.
    ///
    /// All commands for a client name the same limit, and either all of them are scripts or none is.
    ///
    /// A client that is not known has no requests; [`Command::Count`] and [`Command::Expire`] do not make it known. Whoever is to be forgotten is
    /// removed by the next command, whoever's it is.
    pub fn execute(&mut self, command: Command, now: Time) -> Reply {
        self.clients.retain(|_, entry| entry.expires.is_none_or(|expires| now < expires));
        match command {
            Command::Count(client, _) => {
                Reply::Count(self.clients.get_mut(&client).map_or(0, |entry| entry.log.count(now)))
            }
            Command::Add(client, limit) => {
                self.entry(client, limit).log.add(now);
                Reply::Added
            }
            Command::Expire(client, limit) => {
                if let Some(entry) = self.clients.get_mut(&client) {
                    entry.expires = Some(one_window_after(now, limit));
                }
                Reply::Expires
            }
            Command::Script(client, limit) => {
                let entry = self.entry(client, limit);
                let verdict = entry.log.admit(now);
                if verdict.is_ok() {
                    entry.expires = Some(one_window_after(now, limit));
                }
                Reply::Script(verdict)
            }
        }
    }

    /// How many clients are not yet forgotten at `now`.
    #[must_use]
    pub fn known(&self, now: Time) -> usize {
        self.clients.values().filter(|entry| entry.expires.is_none_or(|expires| now < expires)).count()
    }

    fn entry(&mut self, client: Client, limit: Limit) -> &mut Entry {
        self.clients.entry(client).or_insert_with(|| Entry { log: Log::new(limit), expires: None })
    }
}

fn one_window_after(now: Time, limit: Limit) -> Time {
    Time(now.0.saturating_add(limit.window.0))
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
        Next::Send(match self.way {
            Way::ThreeCalls => Command::Count(self.client, self.limit),
            Way::OneScript => Command::Script(self.client, self.limit),
        })
    }

    /// What to do after this reply to the last command sent.
    #[must_use]
    pub fn hear(self, reply: Reply) -> Next {
        match reply {
            Reply::Count(count) if count < self.limit.requests => Next::Send(Command::Add(self.client, self.limit)),
            Reply::Added => Next::Send(Command::Expire(self.client, self.limit)),
            Reply::Expires | Reply::Script(Ok(())) => Next::Admit,
            Reply::Count(_) | Reply::Script(Err(_)) => Next::Refuse,
        }
    }
}
